/* lookup4_runs.c - from digits and counts to exact sums. See lookup4.h. */
#include <math.h>
#include <string.h>

#include "llmfp/isa.h"
#include "lookup4.h"

enum {
    CODES = LOOKUP4_CODES,
    BATCH = LOOKUP4_BATCH,
    BATCH_BYTES = BATCH * LOOKUP4_RUN_BYTES,
    F32_UNIT = -127 - 23,
    LAST = LOOKUP4_NESTED_PLANES - 1 /* the plane of ones */
};

const struct lookup4_kernels *lookup4_kernels_chosen(void)
{
#if defined(__x86_64__)
    if (llmfp_isa_chosen() == LLMFP_ISA_AVX512) {
        return &lookup4_avx512;
    }
#endif
    return NULL;
}

/* What stays the same for all runs of a call. */
struct runs {
    struct lookup *lookup;
    const struct lookup4_kernels *kernels;
    struct lookup4_range range;
    /* nested scales only */
    int64_t value[CODES]; /* the map in units of 2^unit, at most 2^31 */
    int unit;
    int nested_unit;
    double nested[256]; /* NaN: for lookup4_add_block */
    struct lookup4_table table;
};

/* ---- sums ---- */

/* From how often all bits of a set are set to how often codes occur (times digits). */
static void codes_of_sets(int64_t v[CODES])
{
    for (unsigned bit = 1; bit < CODES; bit *= 2) {
        for (unsigned set = 0; set < CODES; set++) {
            if ((set & bit) == 0) {
                v[set] -= v[set | bit];
            }
        }
    }
}

/* n digits of base 2^8, each below 2^50 in magnitude. */
static llmfp_i128 of_digits(const int64_t *digits, int n)
{
    llmfp_i128 value = 0;
    for (int k = n - 1; k >= 0; k--) {
        value = value * 256 + digits[k];
    }
    return value;
}

/* ---- F32 scales ---- */

/* Sums of `planes` at the unit of scales. A scale has 30 bits, a code occurs less than 2^18
 * times: sums of scales are below 2^48, of squares below 2^78. */
static void flush_plain(struct runs *runs, int32_t (*planes)[CODES], int unit)
{
    struct lookup *lookup = runs->lookup;
    int64_t v[LOOKUP4_PLAIN_PLANES][CODES];
    for (int k = 0; k < LOOKUP4_PLAIN_PLANES; k++) {
        for (int c = 0; c < CODES; c++) {
            v[k][c] = planes[k][c];
        }
        codes_of_sets(v[k]);
    }
    for (int c = 0; c < CODES; c++) {
        int64_t digits[LOOKUP4_PLAIN_PLANES];
        for (int k = 0; k < LOOKUP4_PLAIN_PLANES; k++) {
            digits[k] = v[k][c];
        }
        const uint64_t n = (uint64_t)digits[LOOKUP4_PLAIN_PLANES - 1];
        const int64_t value = lookup->value[c];
        const int exponent = lookup->exponent[c] + unit;
        const llmfp_u128 squares =
            (llmfp_u128)of_digits(digits + LOOKUP4_PLAIN_DIGITS, 2 * LOOKUP4_PLAIN_DIGITS);
        /* A value has 28 bits, or 24 in units of its own: both products are below 2^127. */
        const uint64_t value_squared = (uint64_t)(value * value);
        const llmfp_u128 squared = value_squared;
        llmfp_moments_add_counts(lookup->moments, n, value == 0 ? n : 0, 0);
        llmfp_moments_add_sum(lookup->moments, of_digits(digits, LOOKUP4_PLAIN_DIGITS) * value,
                              exponent);
        llmfp_moments_add_square(lookup->moments, (uint64_t)squares * squared, 2 * exponent);
        llmfp_moments_add_square(lookup->moments, (squares >> 64) * squared, 2 * exponent + 64);
    }
}

static void add_odd_runs(struct runs *runs, const struct lookup4_fate *fate, uint64_t run,
                         const unsigned char *bytes)
{
    for (uint64_t left = fate->odd; left != 0; left &= left - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(left);
        lookup4_add_block(runs->lookup, (run + i) / runs->range.per_block,
                          bytes + (size_t)i * LOOKUP4_RUN_BYTES, LOOKUP4_RUN);
    }
    for (uint64_t left = fate->look & ~fate->odd; left != 0; left &= left - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(left);
        lookup4_range_look(&runs->range, run + i, bytes + (size_t)i * LOOKUP4_RUN_BYTES);
    }
}

/* The bytes of n runs, or a copy with room for a whole batch. */
static const unsigned char *whole_batch(const unsigned char *bytes, uint64_t n,
                                        unsigned char room[BATCH_BYTES])
{
    if (n == BATCH) {
        return bytes;
    }
    memset(room, 0, BATCH_BYTES);
    memcpy(room, bytes, (size_t)n * LOOKUP4_RUN_BYTES);
    return room;
}

/* The scales (`size` bytes each) of n runs: where they lie, if there is one for each run of a whole
 * batch, or gathered, with zeros behind them. */
static const unsigned char *take_scales(const struct runs *runs, uint64_t run, uint64_t n,
                                        size_t size, unsigned char *gathered)
{
    const unsigned char *scales = runs->lookup->sides->side[0].bytes;
    if (n == BATCH && runs->range.per_block == 1) {
        return scales + size * run;
    }
    memset(gathered, 0, BATCH * size);
    for (uint64_t i = 0; i < n; i++) {
        memcpy(gathered + i * size, scales + size * ((run + i) / runs->range.per_block), size);
    }
    return gathered;
}

static uint64_t first_bits(uint64_t n)
{
    return n < BATCH ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
}

/* n <= BATCH runs. Scales of runs that are not there are 0, and add nothing. */
static void add_plain_batch(struct runs *runs, int32_t (*planes)[CODES], uint32_t lowest,
                            const unsigned char *bytes, uint64_t run, uint64_t n)
{
    unsigned char room[BATCH_BYTES];
    unsigned char gathered[4 * BATCH];
    struct lookup4_counts counts;
    struct lookup4_digits digits;
    const unsigned char *patterns = take_scales(runs, run, n, 4, gathered);
    struct lookup4_fate fate =
        runs->kernels->scale(&digits, patterns, lowest, runs->range.threshold);
    fate.zero &= first_bits(n);
    fate.odd &= first_bits(n);
    fate.look &= first_bits(n) & ~fate.zero;
    runs->kernels->count(&counts, whole_batch(bytes, n, room));
    runs->kernels->multiply(planes, &counts, &digits, false);
    lookup4_add_zero_runs(runs->lookup, (uint64_t)__builtin_popcountll(fate.zero));
    add_odd_runs(runs, &fate, run, bytes);
}

static void add_plain(struct runs *runs, const unsigned char *bytes, uint64_t run, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += LOOKUP4_MOST_RUNS) {
        const uint64_t some = n - i < LOOKUP4_MOST_RUNS ? n - i : LOOKUP4_MOST_RUNS;
        const uint32_t lowest = lookup4_choose_window(&runs->range, run + i, some);
        int32_t planes[LOOKUP4_PLAIN_PLANES][CODES] = {{0}};
        for (uint64_t k = 0; k < some; k += BATCH) {
            add_plain_batch(runs, planes, lowest, bytes + (i + k) * LOOKUP4_RUN_BYTES, run + i + k,
                            some - k < BATCH ? some - k : BATCH);
        }
        flush_plain(runs, planes, (int)lowest + F32_UNIT);
    }
}

/* ---- scales that are quantised themselves: a = p q + r ---- */

/* Balanced digits: from -128 to 127. */
static void take_digits(struct lookup4_table *table, int plane, int n, int code, llmfp_i128 value)
{
    for (int k = 0; k < n; k++) {
        const int8_t digit = (int8_t)(uint8_t)(value & 255);
        table->plane[plane + k][code] = digit;
        value = (value - digit) >> 8;
    }
}

/* False: these maps are not for kernels. */
static bool prepare_nested(struct runs *runs)
{
    enum { DIGITS = LOOKUP4_NESTED_DIGITS };
    const struct llmfp_sides *sides = runs->lookup->sides;
    struct side_scale scales[256];
    int64_t values[256];
    for (unsigned c = 0; c < CODES; c++) {
        scales[c] = side_scale_at(sides, 1, c);
    }
    if (!lookup4_alike(scales, CODES, INT64_C(1) << 31, runs->value, &runs->unit)) {
        return false;
    }
    for (unsigned c = 0; c < 256; c++) {
        scales[c] = side_scale_at(sides, 4, c);
        runs->nested[c] =
            scales[c].finite ? ldexp((double)scales[c].mantissa, scales[c].exponent) : NAN;
        if (!scales[c].finite) {
            scales[c].mantissa = 0;
        }
    }
    /* 2^46: below the largest number of 6 balanced digits, and its square that of 12. */
    if (!lookup4_alike(scales, 256, INT64_C(1) << 46, values, &runs->nested_unit)) {
        return false;
    }
    for (int c = 0; c < 256; c++) {
        take_digits(&runs->table, 0, DIGITS, c, values[c]);
        take_digits(&runs->table, DIGITS, 2 * DIGITS, c, (llmfp_i128)values[c] * values[c]);
        runs->table.plane[LAST][c] = 1;
    }
    return true;
}

struct nested_sums {
    int32_t planes[LOOKUP4_NESTED_PLANES][CODES];
    struct side_scale outer;
    struct side_scale offset;
    struct llmfp_moments *squares; /* kept as a sum, since terms have signs */
};

/* Sums over codes of weights times planes `first` to `end`. A weight is at most 2^31: sums are at
 * most 2^31 times the 2^21 (256 runs of 64 codes and a digit) of a plane. */
static void weigh(const struct runs *runs, const struct nested_sums *sums,
                  const int64_t weight[CODES], int first, int end, int64_t *weighed)
{
    int64_t of_sets[CODES];
    memcpy(of_sets, weight, sizeof of_sets);
    for (unsigned bit = 1; bit < CODES; bit *= 2) {
        for (unsigned set = 0; set < CODES; set++) {
            if ((set & bit) != 0) {
                of_sets[set] -= of_sets[set ^ bit];
            }
        }
    }
    runs->kernels->weigh(weighed + first, sums->planes + first, end - first, of_sets);
}

/* factor * (n digits) * 2^exponent; |factor| < 2^48. Four digits: below 2^(52 + 25). */
static void add_digits(struct llmfp_moments *moments, int64_t factor, const int64_t *digits, int n,
                       int exponent)
{
    for (int k = 0; k < n && factor != 0; k += 4) {
        const llmfp_i128 some = of_digits(digits + k, n - k < 4 ? n - k : 4);
        llmfp_moments_add_sum(moments, some * factor, exponent + 8 * k);
    }
}

/* (p q + r)^2 T^2 = p^2 (q^2 T^2) + 2 p r (q T^2) + r^2 T^2. */
static void add_nested_squares(const struct runs *runs, const struct nested_sums *sums,
                               const int64_t *digits, int shift)
{
    enum { DIGITS = LOOKUP4_NESTED_DIGITS };
    const int64_t p = sums->outer.mantissa;
    const int64_t r = sums->offset.mantissa;
    const int scaled = sums->outer.exponent + runs->nested_unit;
    const int unit = 2 * runs->unit + shift;
    add_digits(sums->squares, p * p, digits + DIGITS, 2 * DIGITS, unit + 2 * scaled);
    add_digits(sums->squares, p * r, digits, DIGITS, unit + scaled + sums->offset.exponent + 1);
    add_digits(sums->squares, r * r, digits + LAST, 1, unit + 2 * sums->offset.exponent);
}

static void flush_nested(const struct runs *runs, struct nested_sums *sums)
{
    enum { DIGITS = LOOKUP4_NESTED_DIGITS, PART = 31 };
    struct lookup *lookup = runs->lookup;
    int64_t digits[LOOKUP4_NESTED_PLANES];
    int64_t low[CODES];
    int64_t high[CODES];
    int64_t zero[CODES];
    int64_t one[CODES];
    for (int c = 0; c < CODES; c++) {
        const int64_t squared = runs->value[c] * runs->value[c];
        low[c] = squared & ((INT64_C(1) << PART) - 1);
        high[c] = squared >> PART;
        zero[c] = runs->value[c] == 0;
        one[c] = 1;
    }
    weigh(runs, sums, one, LAST, LOOKUP4_NESTED_PLANES, digits);
    const int64_t n = digits[LAST];
    weigh(runs, sums, zero, LAST, LOOKUP4_NESTED_PLANES, digits);
    llmfp_moments_add_counts(lookup->moments, (uint64_t)n, (uint64_t)digits[LAST], 0);
    weigh(runs, sums, runs->value, 0, DIGITS, digits);
    weigh(runs, sums, runs->value, LAST, LOOKUP4_NESTED_PLANES, digits);
    add_digits(lookup->moments, sums->outer.mantissa, digits, DIGITS,
               runs->unit + sums->outer.exponent + runs->nested_unit);
    add_digits(lookup->moments, sums->offset.mantissa, digits + LAST, 1,
               runs->unit + sums->offset.exponent);
    weigh(runs, sums, low, 0, LOOKUP4_NESTED_PLANES, digits);
    add_nested_squares(runs, sums, digits, 0);
    weigh(runs, sums, high, 0, LOOKUP4_NESTED_PLANES, digits);
    add_nested_squares(runs, sums, digits, PART);
}

static void clear_counts(struct lookup4_counts *counts, uint64_t which)
{
    for (; which != 0; which &= which - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(which);
        for (int set = 0; set < CODES; set++) {
            counts->quad[i / 4][set][i % 4] = 0;
        }
    }
}

static void add_nested_batch(struct runs *runs, struct nested_sums *sums,
                             const struct lookup4_nested *scales, const unsigned char *bytes,
                             uint64_t run, uint64_t n)
{
    unsigned char room[BATCH_BYTES];
    unsigned char gathered[BATCH];
    struct lookup4_counts counts;
    struct lookup4_digits digits;
    struct lookup4_fate fate = {0, 0, 0};
    const unsigned char *codes = take_scales(runs, run, n, 1, gathered);
    const double threshold = lookup4_nested_threshold(&runs->range);
    unsigned any = 0;
    for (uint64_t i = 0; i < n; i++) {
        any |= scales->wanted[codes[i]];
    }
    for (uint64_t i = 0; i < n && any != 0; i++) {
        const double scale = scales->value[codes[i]];
        const bool within = scale > 0 && scale < threshold;
        fate.look |= (uint64_t)!within << i;
        fate.odd |= (uint64_t)isnan(scale) << i;
    }
    runs->kernels->count(&counts, whole_batch(bytes, n, room));
    clear_counts(&counts, fate.odd | ~first_bits(n));
    runs->kernels->look_up(&digits, &runs->table, codes);
    runs->kernels->multiply(sums->planes, &counts, &digits, true);
    add_odd_runs(runs, &fate, run, bytes);
}

/* n runs of one nested block. */
static void add_nested_block(struct runs *runs, struct nested_sums *sums, uint64_t nested_block,
                             const unsigned char *bytes, uint64_t run, uint64_t n)
{
    enum { MOST = 256 };
    struct lookup4_nested scales;
    sums->outer = side_scale_at(runs->lookup->sides, 3, nested_block);
    const double outer =
        sums->outer.finite ? ldexp((double)sums->outer.mantissa, sums->outer.exponent) : NAN;
    const double offset = ldexp((double)sums->offset.mantissa, sums->offset.exponent);
    runs->kernels->nest(&scales, runs->nested, outer, sums->offset.finite ? offset : NAN,
                        lookup4_nested_threshold(&runs->range));
    for (uint64_t i = 0; i < n; i += MOST) {
        const uint64_t some = n - i < MOST ? n - i : MOST;
        memset(sums->planes, 0, sizeof sums->planes);
        for (uint64_t k = 0; k < some; k += BATCH) {
            add_nested_batch(runs, sums, &scales, bytes + (i + k) * LOOKUP4_RUN_BYTES, run + i + k,
                             some - k < BATCH ? some - k : BATCH);
        }
        flush_nested(runs, sums);
    }
}

static void add_nested(struct runs *runs, const unsigned char *bytes, uint64_t run, uint64_t n)
{
    struct lookup4_squares squares;
    lookup4_squares_begin(&squares);
    struct nested_sums sums = {.squares = &squares.moments};
    sums.offset = lookup4_offset(runs->lookup->sides);
    const uint64_t per_nested = runs->range.per_block * runs->lookup->sides->parameters[2];
    for (uint64_t i = 0; i < n;) {
        const uint64_t rest = per_nested - (run + i) % per_nested;
        const uint64_t some = n - i < rest ? n - i : rest;
        add_nested_block(runs, &sums, (run + i) / per_nested, bytes + i * LOOKUP4_RUN_BYTES,
                         run + i, some);
        i += some;
    }
    lookup4_squares_end(&squares, runs->lookup->moments);
}

uint64_t lookup4_add_runs(struct lookup *lookup, const struct lookup4_kernels *kernels,
                          const unsigned char *bytes, uint64_t run, uint64_t n)
{
    struct runs runs = {.lookup = lookup, .kernels = kernels};
    if (!lookup4_range_begin(&runs.range, lookup)) {
        return 0;
    }
    if (lookup->sides->parameters[2] == 0) {
        add_plain(&runs, bytes, run, n);
        return n;
    }
    if (!prepare_nested(&runs)) {
        return 0;
    }
    add_nested(&runs, bytes, run, n);
    return n;
}
