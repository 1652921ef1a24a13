/* scaled_float8.c - 8-bit floats with scales: value = code * scale of its rectangle.
 *
 * A tensor is [..., rows, columns]; each matrix is cut into rectangles of R x C, smaller
 * ones at the ends, with one scale each.
 *   side 0      scales [..., ceil(rows / R), ceil(columns / C)], F32, BF16, F16 or E8M0
 *   parameters  rows, columns, R, C
 * A rectangle's codes are put together and summed as plain 8-bit floats; their sums times
 * the scale, and the scale squared, go into the moments.
 * Sources: the block-wise FP8 of DeepSeek-V3 (the scale is multiplied, though its name
 * says "inv"), compressed-tensors' float-quantized and mxfp8-quantized.               */
#include <string.h>

#include "float8.h"
#include "kernels.h"
#include "llmfp/isa.h"
#include "side_scale.h"

enum {
    GATHERED_BYTES = 128 << 10, /* stays in the second-level cache */
    MOST_IN_SUMS = 1 << 14,     /* codes: see add_sums */
    CACHE_LINE = 64,
    MOST_LIMBS = 32
};

struct grid {
    uint64_t rows, columns, block_rows, block_columns;
    uint64_t blocks_down, blocks_across;
};

static struct grid grid_of(const struct llmfp_sides *sides)
{
    const uint64_t *p = sides->parameters;
    struct grid grid = {p[0], p[1], p[2], p[3], 0, 0};
    grid.blocks_down = (grid.rows + grid.block_rows - 1) / grid.block_rows;
    grid.blocks_across = (grid.columns + grid.block_columns - 1) / grid.block_columns;
    return grid;
}

/* What is being added, and where to. */
struct task {
    struct llmfp_moments *moments;
    llmfp_kernel *plain;
    const struct float8 *float8;
    struct llmfp_moments_layout layout; /* of the plain codes */
    const struct llmfp_elements *elements;
    int n_classes;                 /* of the sums that vectors make; 0: there are no vectors */
    const int *exponent;           /* [n_classes] of these */
    struct float8_tables tables;   /* for AVX-512 */
    struct float8_nibbles nibbles; /* for AVX2 */
};

#if defined(__x86_64__)
/* Magnitudes are below 2^32.81 in units of the lowest exponent (E5M2's 57344 in units of 2^-17), and
 * the mantissa of a scale below 2^24: sums of 2^14 products stay below 2^71, and of their squares
 * below 2^(65.62 + 14 + 48), less than 2^128. */
static void add_sums(const struct task *task, const struct float8_sums *sums, uint64_t n,
                     struct side_scale scale)
{
    const int lowest = task->exponent[0];
    const uint64_t squared = (uint64_t)(scale.mantissa * scale.mantissa);
    llmfp_i128 sum = 0;
    llmfp_u128 squares = 0;
    for (int k = 0; k < task->n_classes; k++) {
        const int shift = task->exponent[k] - lowest;
        sum += (llmfp_i128)sums->sum[k] * ((llmfp_i128)1 << shift);
        squares += (llmfp_u128)sums->squares[k] << 2 * shift;
    }
    llmfp_moments_add_counts(task->moments, n, scale.mantissa == 0 ? n : sums->zeros, 0);
    llmfp_moments_add_sum(task->moments, sum * scale.mantissa, scale.exponent + lowest);
    llmfp_moments_add_square(task->moments, squares * squared, 2 * (scale.exponent + lowest));
    const double unit = ldexp((double)scale.mantissa, scale.exponent);
    const double a = unit * float8_largest(task->float8, sums);
    const double b = unit * float8_smallest(task->float8, sums);
    llmfp_moments_add_range(task->moments, a < b ? a : b, a < b ? b : a);
}

static bool add_block(const struct task *task, struct float8_sums *sums, const unsigned char *codes,
                      size_t n)
{
    return task->exponent == task->tables.exponent
               ? llmfp_float8_add_avx512(sums, task->float8, &task->tables, codes, n)
               : llmfp_float8_add_avx2(sums, task->float8, &task->nibbles, codes, n);
}

/* False where vectors can't: nothing was added. */
static bool add_by_vectors(const struct task *task, const unsigned char *codes, uint64_t n,
                           struct side_scale scale)
{
    if (task->n_classes == 0 || n > MOST_IN_SUMS || n % FLOAT8_VECTOR != 0) {
        return false;
    }
    struct float8_sums sums = FLOAT8_NO_SUMS;
    for (uint64_t i = 0; i < n; i += FLOAT8_BLOCK) {
        const uint64_t n_block = n - i < FLOAT8_BLOCK ? n - i : FLOAT8_BLOCK;
        if (!add_block(task, &sums, codes + i, (size_t)n_block)) {
            return false;
        }
    }
    add_sums(task, &sums, n, scale);
    return true;
}
#else
static bool add_by_vectors(const struct task *task, const unsigned char *codes, uint64_t n,
                           struct side_scale scale)
{
    (void)task, (void)codes, (void)n, (void)scale;
    return false;
}
#endif

/* n codes that have one scale. */
static void add_codes(const struct task *task, const unsigned char *codes, uint64_t n,
                      uint64_t scale_number)
{
    const struct side_scale scale = side_scale_at(task->elements->sides, 0, scale_number);
    if (!scale.finite) { /* infinity and NaN times anything, 0 included, is not finite */
        llmfp_moments_add_counts(task->moments, n, 0, n);
        return;
    }
    if (add_by_vectors(task, codes, n, scale)) {
        return;
    }
    int64_t additive[MOST_LIMBS];
    int64_t extreme[LLMFP_N_EXTREMES];
    struct llmfp_moments plain = llmfp_moments_begin(&task->layout, additive, extreme);
    const struct llmfp_elements elements = {.bytes = codes, .n_elements = n};
    task->plain(&plain, &elements);
    llmfp_moments_settle(&plain);
    llmfp_moments_add_scaled(task->moments, &plain, scale.mantissa, scale.exponent);
}

/* Columns from `column` to `end` of some rows, summed row by row where they lie. */
static void add_long_rows(const struct task *task, const struct grid *grid,
                          const unsigned char *bytes, uint64_t n_rows, uint64_t n_columns,
                          uint64_t scale_number)
{
    if (n_columns == grid->columns) { /* the rows are one run */
        add_codes(task, bytes, n_rows * n_columns, scale_number);
        return;
    }
    for (uint64_t row = 0; row < n_rows; row++) {
        add_codes(task, bytes + row * grid->columns, n_columns, scale_number);
    }
}

/* memcpy, whose call would take longer than copying the few lines of one row. */
static inline void copy(unsigned char *to, const unsigned char *from, size_t n)
{
    for (; n >= CACHE_LINE; n -= CACHE_LINE, to += CACHE_LINE, from += CACHE_LINE) {
        memcpy(to, from, CACHE_LINE);
    }
    memcpy(to, from, n);
}

/* n_blocks whole rectangles side by side, of n_rows rows and n_columns columns each. Rows
 * are read from left to right across all of them: memory is fetched ahead that way, which
 * it is not when one narrow rectangle is read from top to bottom. */
static void add_strip(const struct task *task, const struct grid *grid, const unsigned char *bytes,
                      uint64_t n_rows, uint64_t n_columns, uint64_t n_blocks, uint64_t scale_number)
{
    unsigned char gathered[GATHERED_BYTES];
    const uint64_t block_bytes = n_rows * n_columns;
    for (uint64_t row = 0; row < n_rows; row++) {
        const unsigned char *codes = bytes + row * grid->columns;
        if (row + 2 < n_rows) {
            for (uint64_t i = 0; i < n_blocks * n_columns; i += CACHE_LINE) {
                __builtin_prefetch(codes + 2 * grid->columns + i);
            }
        }
        for (uint64_t block = 0; block < n_blocks; block++) {
            copy(gathered + block * block_bytes + row * n_columns, codes + block * n_columns,
                 (size_t)n_columns);
        }
    }
    for (uint64_t block = 0; block < n_blocks; block++) {
        add_codes(task, gathered + block * block_bytes, block_bytes, scale_number + block);
    }
}

/* Rows `row` .. row + n_rows of a matrix, within one row of rectangles; columns from
 * `column` to `end`. */
static void add_band(const struct task *task, const struct grid *grid, const unsigned char *bytes,
                     uint64_t matrix, uint64_t row, uint64_t n_rows, uint64_t column, uint64_t end)
{
    const uint64_t scale =
        (matrix * grid->blocks_down + row / grid->block_rows) * grid->blocks_across;
    const uint64_t start = column;
    while (column < end) {
        const uint64_t block = column / grid->block_columns;
        const uint64_t next = (block + 1) * grid->block_columns;
        const uint64_t n_columns = (next < end ? next : end) - column;
        uint64_t n_blocks = 1;
        if (n_rows == 1 || n_columns == grid->columns || n_rows > GATHERED_BYTES / n_columns) {
            add_long_rows(task, grid, bytes + (column - start), n_rows, n_columns, scale + block);
        } else {
            const uint64_t whole = (end - column) / n_columns;
            const uint64_t room = GATHERED_BYTES / (n_rows * n_columns);
            n_blocks = n_columns < grid->block_columns ? 1 : whole < room ? whole : room;
            add_strip(task, grid, bytes + (column - start), n_rows, n_columns, n_blocks,
                      scale + block);
        }
        column += n_blocks * n_columns;
    }
}

static void add_scaled(const struct task *task)
{
    const struct llmfp_elements *elements = task->elements;
    const struct grid grid = grid_of(elements->sides);
    const unsigned char *bytes = elements->bytes;
    uint64_t rest = elements->n_elements;
    uint64_t at = elements->first_element;
    while (rest > 0) {
        const uint64_t matrix = at / grid.columns / grid.rows;
        const uint64_t row = at / grid.columns % grid.rows;
        const uint64_t column = at % grid.columns;
        uint64_t n_rows = 1;
        uint64_t end = grid.columns - column < rest ? grid.columns : column + rest;
        if (column == 0 && rest >= grid.columns) {
            const uint64_t in_band = grid.block_rows - row % grid.block_rows;
            const uint64_t in_matrix = grid.rows - row;
            n_rows = in_band < in_matrix ? in_band : in_matrix;
            n_rows = n_rows < rest / grid.columns ? n_rows : rest / grid.columns;
        }
        add_band(task, &grid, bytes, matrix, row, n_rows, column, end);
        const uint64_t n = (n_rows - 1) * grid.columns + (end - column);
        bytes += n;
        rest -= n;
        at += n;
    }
}

static void add(struct llmfp_moments *moments, const struct llmfp_elements *elements,
                const struct float8 *float8, llmfp_kernel *plain, enum llmfp_encoding_id codes)
{
    struct task task = {.moments = moments, .plain = plain, .float8 = float8, .elements = elements};
    llmfp_moments_layout_cover(&task.layout, llmfp_encoding(codes));
#if defined(__x86_64__)
    if (llmfp_isa_chosen() == LLMFP_ISA_AVX512) {
        llmfp_float8_make_tables(float8, &task.tables);
        task.n_classes = task.tables.n_classes;
        task.exponent = task.tables.exponent;
    } else if (llmfp_isa_chosen() == LLMFP_ISA_AVX2) {
        llmfp_float8_make_nibbles(float8, FLOAT8_PRODUCTS, &task.nibbles);
        task.n_classes = task.nibbles.n_sums;
        task.exponent = task.nibbles.sum_exponent;
    }
#endif
    add_scaled(&task);
}

void llmfp_add_f8_e4m3_scaled(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add(moments, elements, &llmfp_float8_e4m3, llmfp_add_f8_e4m3, LLMFP_F8_E4M3);
}

void llmfp_add_f8_e5m2_scaled(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add(moments, elements, &llmfp_float8_e5m2, llmfp_add_f8_e5m2, LLMFP_F8_E5M2);
}
