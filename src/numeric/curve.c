/* curve.c - z-scores, resampling and Pearson's r of curves over layers.
 *
 * Every sum has one fixed order of additions, so results have the same bits on
 * every machine with binary64 arithmetic, and correlation(a, b) the same bits as
 * correlation(b, a). Curves of weights can be nearly constant (norm weights:
 * 1 +- 1e-6), so centring is done to about twice the precision of a double:
 * what is left of a curve after its mean is taken away is then good to an ulp. */
#include "llmfp/curve.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "doubles are computed as doubles");
_Static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024, "doubles are IEEE binary64");

/* ---- one curve ---- */

/* a + b = *sum + *rest exactly (Knuth's two-sum; no condition on sizes). */
static void add_exactly(double a, double b, double *sum, double *rest)
{
    const double s = a + b;
    const double b_part = s - a;
    const double a_part = s - b_part;
    *rest = (a - a_part) + (b - b_part);
    *sum = s;
}

/* sum of a[i] * b[i], in eight lanes that are added at the end: a fixed order
 * that compilers can turn into vector code, and an error of n/8 + 3 roundings. */
static double dot(const double *a, const double *b, size_t n)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (size_t k = 0; k < 8; k++) {
            lane[k] += a[i + k] * b[i + k];
        }
    }
    for (size_t k = 0; i + k < n; k++) {
        lane[k] += a[i + k] * b[i + k];
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Multiply by the power of two that brings the largest magnitude into [0.5, 1):
 * squares and sums then neither overflow nor underflow where it would matter. */
static void scale(double *values, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fabs(values[i]) > largest ? fabs(values[i]) : largest;
    }
    int exponent;
    (void)frexp(largest, &exponent);
    for (size_t i = 0; i < n; i++) {
        values[i] = ldexp(values[i], -exponent);
    }
}

/* Take the mean away. It is held as high + low, with about 106 bits. */
static void centre(double *values, size_t n)
{
    double sum = 0;
    double lost = 0; /* what the additions rounded away */
    for (size_t i = 0; i < n; i++) {
        double rest;
        add_exactly(sum, values[i], &sum, &rest);
        lost += rest;
    }
    const double count = (double)n;
    const double high = (sum + lost) / count;
    /* The product and sum are rounded once, when only a few ulps of sum are left. */
    const double low = (fma(-high, count, sum) + lost) / count;
    for (size_t i = 0; i < n; i++) {
        double difference;
        double rest;
        add_exactly(values[i], -high, &difference, &rest);
        values[i] = difference + (rest - low);
    }
}

static bool all_finite(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

static bool all_equal(const double *values, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (values[i] != values[0]) {
            return false;
        }
    }
    return true;
}

/* Turn values into their differences from the mean, times a power of two, and
 * return the sum of their squares; NaN (values then unspecified) where they are
 * not all finite or all equal. */
static double normalize(double *values, size_t n)
{
    if (!all_finite(values, n) || all_equal(values, n)) {
        return NAN;
    }
    scale(values, n);
    centre(values, n);
    scale(values, n); /* the spread may be far smaller than the mean was */
    return dot(values, values, n);
}

void llmfp_curve_signature(const double *curve, size_t n_layers, double *signature)
{
    if (n_layers > 0) {
        memmove(signature, curve, n_layers * sizeof *curve);
    }
    const double deviation = sqrt(normalize(signature, n_layers) / (double)n_layers);
    for (size_t i = 0; i < n_layers; i++) {
        signature[i] = isnan(deviation) ? NAN : signature[i] / deviation;
    }
}

/* The operations of numpy's interp between knots j and j + 1, one apart. */
static double interpolate(const double *curve, size_t j, double x)
{
    const double slope = curve[j + 1] - curve[j];
    const double value = slope * (x - (double)j) + curve[j];
    if (!isnan(value)) {
        return value;
    }
    /* An infinite knot can give NaN from one side only. */
    const double other = slope * (x - (double)(j + 1)) + curve[j + 1];
    return isnan(other) && curve[j] == curve[j + 1] ? curve[j] : other;
}

void llmfp_curve_resample(const double *curve, size_t n_layers, double *out, size_t n_out)
{
    const size_t last = n_layers - 1;
    const double step = n_out > 1 ? (double)last / (double)(n_out - 1) : 0.0;
    for (size_t i = 0; i < n_out; i++) {
        /* numpy's linspace sets its last point to the end, whatever rounding did. */
        const double x = i + 1 == n_out && n_out > 1 ? (double)last : (double)i * step;
        const size_t j = (size_t)x;
        out[i] = j >= last ? curve[last] : x == (double)j ? curve[j] : interpolate(curve, j, x);
    }
}

/* ---- pairs ---- */

/* Put a curve on a grid of n_grid >= n_layers points and normalize it there.
 * Returns the sum of squares, NaN where no correlation is defined. */
static double prepare(const double *curve, size_t n_layers, double *out, size_t n_grid)
{
    /* The first check is on the curve itself: a curve of equal values is constant
     * on any grid, but a constant resampled curve need not come from one. */
    if (n_layers < LLMFP_LEAST_LAYERS || !all_finite(curve, n_layers) ||
        all_equal(curve, n_layers)) {
        return NAN;
    }
    llmfp_curve_resample(curve, n_layers, out, n_grid);
    return normalize(out, n_grid);
}

/* Pearson's r of two prepared curves with sums of squares aa and bb. Equal
 * curves give exactly 1: sqrt(aa * aa) is aa in correctly rounded arithmetic. */
static double pearson(const double *a, double aa, const double *b, double bb, size_t n)
{
    if (isnan(aa) || isnan(bb)) {
        return NAN;
    }
    const double r = dot(a, b, n) / sqrt(aa * bb);
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* n_curves * n_grid doubles, or NULL (also where the size overflows). */
static double *new_rows(size_t n_curves, size_t n_grid)
{
    if (n_grid == 0 || n_curves > SIZE_MAX / sizeof(double) / n_grid) {
        return NULL;
    }
    return malloc(n_curves * n_grid * sizeof(double));
}

enum llmfp_status llmfp_curve_correlation(const double *a, size_t n_a, const double *b, size_t n_b,
                                          double *correlation, struct llmfp_error *error)
{
    const size_t n_grid = n_a > n_b ? n_a : n_b;
    *correlation = NAN;
    if (n_a < LLMFP_LEAST_LAYERS || n_b < LLMFP_LEAST_LAYERS) {
        return LLMFP_OK;
    }
    double *rows = new_rows(2, n_grid);
    if (rows == NULL) {
        return llmfp_fail_memory(error, 2 * n_grid * sizeof(double), "two curves");
    }
    const double aa = prepare(a, n_a, rows, n_grid);
    const double bb = prepare(b, n_b, rows + n_grid, n_grid);
    *correlation = pearson(rows, aa, rows + n_grid, bb, n_grid);
    free(rows);
    return LLMFP_OK;
}

/* ---- rows of a matrix ---- */

/* Curves prepared on one grid: a piece of the matrix's rows or columns. */
struct tile {
    double *values;  /* [capacity][n_grid], owned */
    double *squares; /* [capacity], sums of squares; NaN: undefined */
    size_t *index;   /* [capacity], which curve each is */
    size_t n;
    size_t capacity;
};

/* A tile holds as many curves as fit here, at least one. Curves of up to 100
 * layers come to 10,000 a tile, so that ordinary inputs are one tile and each
 * curve is prepared once; a few curves of extreme length cannot take all memory. */
enum { TILE_BYTES = 8 << 20 };

static void tile_free(struct tile *tile)
{
    free(tile->values);
    free(tile->squares);
    free(tile->index);
    *tile = (struct tile){0};
}

static bool tile_new(struct tile *tile, size_t n_curves, size_t longest)
{
    size_t capacity = TILE_BYTES / sizeof(double) / longest;
    capacity = capacity < 1 ? 1 : capacity;
    capacity = capacity > n_curves ? n_curves : capacity;
    *tile = (struct tile){.values = new_rows(capacity, longest),
                          .squares = new_rows(capacity, 1),
                          .index = calloc(capacity, sizeof(size_t)),
                          .capacity = capacity};
    if (tile->values == NULL || tile->squares == NULL || tile->index == NULL) {
        tile_free(tile);
        return false;
    }
    return true;
}

struct matrix {
    const double *const *curves;
    const size_t *n_layers;
    size_t n_curves;
    size_t first; /* rows first .. first + n - 1 */
    size_t n;
    double *out;
};

/* Fill a tile with curves from *next on, below `end`, that have at least
 * LLMFP_LEAST_LAYERS and at most n_grid layers (exactly n_grid if `exact`). */
static void tile_fill(struct tile *tile, const struct matrix *matrix, size_t *next, size_t end,
                      size_t n_grid, bool exact)
{
    tile->n = 0;
    for (; *next < end && tile->n < tile->capacity; (*next)++) {
        const size_t n_layers = matrix->n_layers[*next];
        if (n_layers >= LLMFP_LEAST_LAYERS && n_layers <= n_grid &&
            (!exact || n_layers == n_grid)) {
            tile->index[tile->n] = *next;
            tile->squares[tile->n] =
                prepare(matrix->curves[*next], n_layers, tile->values + tile->n * n_grid, n_grid);
            tile->n++;
        }
    }
}

/* All pairs of two tiles of which the longer curve has n_grid layers. */
static void correlate_tiles(const struct matrix *matrix, const struct tile *rows,
                            const struct tile *columns, size_t n_grid)
{
    for (size_t i = 0; i < rows->n; i++) {
        double *out = matrix->out + (rows->index[i] - matrix->first) * matrix->n_curves;
        const double *row = rows->values + i * n_grid;
        const bool row_is_long = matrix->n_layers[rows->index[i]] == n_grid;
        for (size_t j = 0; j < columns->n; j++) {
            const size_t column = columns->index[j];
            if (row_is_long || matrix->n_layers[column] == n_grid) {
                out[column] = pearson(row, rows->squares[i], columns->values + j * n_grid,
                                      columns->squares[j], n_grid);
            }
        }
    }
}

/* All pairs of the wanted rows whose longer curve has n_grid layers. */
static void correlate_grid(const struct matrix *matrix, struct tile *rows, struct tile *columns,
                           size_t n_grid)
{
    const size_t end = matrix->first + matrix->n;
    for (size_t row = matrix->first; row < end;) {
        tile_fill(rows, matrix, &row, end, n_grid, false);
        bool any_long = false;
        for (size_t i = 0; i < rows->n; i++) {
            any_long = any_long || matrix->n_layers[rows->index[i]] == n_grid;
        }
        for (size_t column = 0; rows->n > 0 && column < matrix->n_curves;) {
            tile_fill(columns, matrix, &column, matrix->n_curves, n_grid, !any_long);
            correlate_tiles(matrix, rows, columns, n_grid);
        }
    }
}

static int compare_sizes(const void *a, const void *b)
{
    const size_t left = *(const size_t *)a;
    const size_t right = *(const size_t *)b;
    return left < right ? -1 : left > right;
}

enum llmfp_status llmfp_curve_correlation_rows(const double *const *curves, const size_t *n_layers,
                                               size_t n_curves, size_t first, size_t n, double *out,
                                               struct llmfp_error *error)
{
    const struct matrix matrix = {curves, n_layers, n_curves, first, n, out};
    for (size_t i = 0; i < n * n_curves; i++) {
        out[i] = NAN;
    }
    if (n == 0 || n_curves == 0) {
        return LLMFP_OK;
    }
    size_t *lengths = calloc(n_curves, sizeof *lengths);
    if (lengths == NULL) {
        return llmfp_fail_memory(error, n_curves * sizeof *lengths, "the lengths of curves");
    }
    memcpy(lengths, n_layers, n_curves * sizeof *lengths);
    qsort(lengths, n_curves, sizeof *lengths, compare_sizes);
    const size_t longest = lengths[n_curves - 1];

    enum llmfp_status status = LLMFP_OK;
    struct tile rows = {0};
    struct tile columns = {0};
    if (longest >= LLMFP_LEAST_LAYERS &&
        (!tile_new(&rows, n, longest) || !tile_new(&columns, n_curves, longest))) {
        status = llmfp_fail_memory(error, (size_t)TILE_BYTES, "correlations");
    }
    for (size_t i = 0; status == LLMFP_OK && i < n_curves; i++) {
        if (lengths[i] >= LLMFP_LEAST_LAYERS && (i == 0 || lengths[i] != lengths[i - 1])) {
            correlate_grid(&matrix, &rows, &columns, lengths[i]);
        }
    }
    tile_free(&columns);
    tile_free(&rows);
    free(lengths);
    return status;
}
