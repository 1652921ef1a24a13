/* lookup4_pairs.c - runs of bitsandbytes' 4-bit weights in plain C. See lookup4.h.
 *
 * A byte has two codes: a table gives the sum of their two map values, and that of the squares. So
 * 32 additions of a pair give S1 and S2 of a run of 64 elements, which its scale a turns into
 * a S1 and a^2 S2. These add up in 128 bits: for F32 scales a = m 2^e in a bin for each e, for
 * scales that are quantised, a = p q + r with q of a map of 256 values, as sums of q S1, q S2,
 * q^2 S2, S1 and S2, which p and r of a nested block turn into sums.
 *
 * Where there are vectors (lookup4_lanes.h), these take eight runs at a time unless the scale of
 * one is unusual.
 *
 * Bounds: |S1| < 2^34, S2 < 2^62.                                                        */
#include <math.h>
#include <string.h>

#include "lookup4_lanes.h"

/* S1 and S2 of a run. Four sums: additions need not wait for each other. */
static inline lookup4_pair sums_of_run(const lookup4_pair table[256], const unsigned char *bytes)
{
    lookup4_pair sum[4] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
    for (size_t i = 0; i < LOOKUP4_RUN_BYTES; i += 8) {
        const uint64_t word = llmfp_load_u64(bytes + i);
        for (size_t k = 0; k < 8; k++) {
            sum[k % 4] += table[word >> 8 * k & 255];
        }
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* ---- F32 scales ---- */

enum {
    F32_BINS = 255,         /* by biased exponent */
    F32_UNIT = -127 - 23,   /* exponent of mantissas, less the biased one */
    F32_MOST_RUNS = 1 << 16 /* m^2 S2 < 2^110: so many of them stay below 2^126 */
};

struct bin {
    llmfp_i128 sum;     /* of m S1 */
    llmfp_u128 squares; /* of m^2 S2 */
};

struct plain {
    struct lookup4_range *range;
    const struct lookup4_lanes_kernels *kernels;
    const struct lookup4_lanes_map *map;
    uint64_t taken; /* elements */
    uint64_t zeros;
    uint64_t zero_runs;
    struct bin bins[F32_BINS];
    uint32_t lowest;  /* of the window of `lanes` */
    unsigned batches; /* that `lanes` may still take */
    struct lookup4_lanes lanes;
};

static void flush_lanes(struct plain *plain)
{
    struct llmfp_moments *moments = plain->range->lookup->moments;
    const struct lookup4_lanes *lanes = &plain->lanes;
    const int unit = plain->range->lookup->exponent[0] + (int)plain->lowest + F32_UNIT;
    llmfp_moments_add_sum(moments, lookup4_lanes_total(lanes->scaled_sum[0], LANES_SUM_DIGITS),
                          unit);
    for (int i = 0; i < 2; i++) {
        llmfp_moments_add_square(
            moments, (llmfp_u128)lookup4_lanes_total(lanes->squared[i], LANES_SQUARE_DIGITS),
            2 * unit + LANES_WORD_BITS * i);
    }
    for (int lane = 0; lane < 4; lane++) {
        plain->zeros += lanes->zeros[lane];
    }
    memset(&plain->lanes, 0, sizeof plain->lanes);
}

static void flush_plain(struct plain *plain)
{
    struct lookup *lookup = plain->range->lookup;
    flush_lanes(plain);
    for (int e = 1; e < F32_BINS; e++) {
        const int unit = lookup->exponent[0] + e + F32_UNIT;
        if (plain->bins[e].squares != 0) { /* else S2, and so S1, were 0 */
            llmfp_moments_add_sum(lookup->moments, plain->bins[e].sum, unit);
            llmfp_moments_add_square(lookup->moments, plain->bins[e].squares, 2 * unit);
        }
    }
    llmfp_moments_add_counts(lookup->moments, plain->taken, plain->zeros, 0);
    lookup4_add_zero_runs(lookup, plain->zero_runs);
}

static uint64_t block_of(const struct lookup4_range *range, uint64_t run)
{
    return range->per_block == 1 ? run : run / range->per_block;
}

static void add_plain_run(struct plain *plain, const unsigned char *bytes, uint64_t run)
{
    struct lookup *lookup = plain->range->lookup;
    const uint64_t block = block_of(plain->range, run);
    const uint32_t bits = llmfp_load_u32(lookup->sides->side[0].bytes + 4 * block);
    const uint32_t e = bits >> 23; /* with the sign */
    if (bits == 0) {
        plain->zero_runs++;
        return;
    }
    if (e == 0 || e >= F32_BINS) { /* subnormal, negative or not finite */
        lookup4_add_block(lookup, block, bytes, LOOKUP4_RUN);
        return;
    }
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    if (scale > plain->range->threshold) {
        lookup4_range_look(plain->range, run, bytes);
    }
    const lookup4_pair sums = sums_of_run(lookup->pair, bytes);
    const int64_t m = (int64_t)((bits & 0x7FFFFF) | 0x800000);
    plain->bins[e].sum += (llmfp_i128)m * lookup4_pair_sum(sums);
    plain->bins[e].squares += (llmfp_u128)(uint64_t)(m * m) * (uint64_t)sums[1];
    plain->zeros += lookup4_pair_zeros(sums);
    plain->taken += LOOKUP4_RUN;
}

/* The scales of LANES_RUNS runs, `size` bytes each: where they lie, or gathered. */
static const unsigned char *scales_of(const struct lookup4_range *range, uint64_t run, size_t size,
                                      unsigned char *gathered)
{
    const unsigned char *scales = range->lookup->sides->side[0].bytes;
    if (range->per_block == 1) {
        return scales + size * run;
    }
    for (uint64_t i = 0; i < LANES_RUNS; i++) {
        memcpy(gathered + i * size, scales + size * block_of(range, run + i), size);
    }
    return gathered;
}

/* LANES_RUNS runs, of the n that are left; false: not these. */
static bool add_plain_lanes(struct plain *plain, const unsigned char *bytes, uint64_t run,
                            uint64_t n)
{
    unsigned char gathered[4 * LANES_RUNS];
    if (plain->kernels == NULL || n < LANES_RUNS) {
        return false;
    }
    if (plain->batches == 0) {
        const uint64_t ahead = (uint64_t)LANES_RUNS * LANES_MOST_BATCHES;
        flush_lanes(plain);
        plain->batches = LANES_MOST_BATCHES;
        plain->lowest = lookup4_choose_window(plain->range, run, n < ahead ? n : ahead);
    }
    plain->batches--;
    if (!plain->kernels->add_plain(&plain->lanes, plain->map, bytes,
                                   scales_of(plain->range, run, 4, gathered), plain->lowest,
                                   plain->range->threshold)) {
        return false;
    }
    plain->taken += (uint64_t)LANES_RUNS * LOOKUP4_RUN;
    return true;
}

/* n <= F32_MOST_RUNS runs. */
static void add_plain_runs(struct lookup4_range *range, const struct lookup4_lanes_map *map,
                           const unsigned char *bytes, uint64_t run, uint64_t n)
{
    struct plain plain = {.range = range, .kernels = lookup4_lanes_chosen(), .map = map};
    for (uint64_t i = 0; i < n;) {
        const uint64_t some = n - i < LANES_RUNS ? n - i : LANES_RUNS;
        if (!add_plain_lanes(&plain, bytes + i * LOOKUP4_RUN_BYTES, run + i, n - i)) {
            for (uint64_t k = i; k < i + some; k++) {
                add_plain_run(&plain, bytes + k * LOOKUP4_RUN_BYTES, run + k);
            }
        }
        i += some;
    }
    flush_plain(&plain);
}

/* ---- scales that are quantised themselves: a = p q + r ---- */

enum {
    NESTED_RUNS = 256, /* that are added up at most: the products below are less than 2^110 */
    LOW_BITS = 48      /* of q^2, which is at most 2^92 */
};

struct nested_map {
    int unit;          /* exponent of q */
    double value[256]; /* q; NaN where it is not finite */
    struct {
        int64_t q;
        uint64_t low; /* q^2 = low + 2^LOW_BITS high */
        uint64_t high;
    } code[256];
    struct lookup4_words words[256];
    struct lookup4_lanes_map lanes;
};

struct nested_sums {
    llmfp_i128 q_sum;     /* q S1 */
    llmfp_i128 q_squares; /* q S2 */
    llmfp_u128 low;       /* low S2 */
    llmfp_u128 high;      /* high S2 */
    int64_t sum;          /* S1 */
    llmfp_i128 squares;   /* S2 */
    uint64_t taken;
    uint64_t zeros;
    struct lookup4_lanes lanes;
};

/* False: the values of the map are too far apart for integers of 47 bits. */
static bool read_nested_map(struct nested_map *map, const struct lookup *lookup)
{
    const struct llmfp_sides *sides = lookup->sides;
    struct side_scale scales[256];
    int64_t q[256];
    lookup4_lanes_read_map(&map->lanes, lookup);
    for (unsigned c = 0; c < 256; c++) {
        scales[c] = side_scale_at(sides, 4, c);
        map->value[c] =
            scales[c].finite ? ldexp((double)scales[c].mantissa, scales[c].exponent) : (double)NAN;
        scales[c].mantissa = scales[c].finite ? scales[c].mantissa : 0;
    }
    if (!lookup4_alike(scales, 256, INT64_C(1) << 46, q, &map->unit)) {
        return false;
    }
    for (unsigned c = 0; c < 256; c++) {
        const llmfp_u128 squared = (llmfp_u128)((llmfp_i128)q[c] * q[c]);
        map->code[c].q = q[c];
        map->code[c].low = (uint64_t)squared & ((UINT64_C(1) << LOW_BITS) - 1);
        map->code[c].high = (uint64_t)(squared >> LOW_BITS);
        map->words[c] = lookup4_lanes_words(q[c]);
    }
    return true;
}

/* The scales of a nested block, about. */
static void nest(struct lookup4_nested *scales, const double q[256], double p, double r,
                 double threshold)
{
    for (size_t c = 0; c < 256; c++) {
        const double part = q[c] * p;
        const double sum = part + r;
        const bool sure = fabs(sum) > (fabs(part) + fabs(r)) * 0x1p-20;
        scales->value[c] = sure ? sum : (double)NAN;
    }
    for (size_t c = 0; c < 256; c++) { /* a loop of its own: compilers make vector code of it */
        const double sum = scales->value[c];
        scales->wanted[c] = !((sum > 0) & (sum < threshold));
    }
}

/* value * factor * 2^exponent; |factor| < 2^48. */
static void add_product(struct llmfp_moments *moments, llmfp_i128 value, int64_t factor,
                        int exponent)
{
    if (value != 0 && factor != 0) {
        llmfp_moments_add_sum(moments, (llmfp_i128)(uint64_t)value * factor, exponent);
        llmfp_moments_add_sum(moments, (value >> 64) * factor, exponent + 64);
    }
}

/* What the lanes have: all but the sums of q^2 S2, which go into squares at once. */
static void flush_nested_lanes(struct nested_sums *sums, struct llmfp_moments *squares,
                               int64_t p_squared, int exponent)
{
    const struct lookup4_lanes *lanes = &sums->lanes;
    for (int i = 0; i < LANES_SCALE_WORDS; i++) {
        const int shift = LANES_WORD_BITS * i;
        sums->q_sum +=
            lookup4_lanes_total(lanes->scaled_sum[i], LANES_SUM_DIGITS) * ((llmfp_i128)1 << shift);
        sums->q_squares += lookup4_lanes_total(lanes->scaled_squares[i], LANES_SQUARE_DIGITS) *
                           ((llmfp_i128)1 << shift);
    }
    for (int i = 0; i < LANES_SQUARE_WORDS; i++) {
        add_product(squares, lookup4_lanes_total(lanes->squared[i], LANES_SQUARE_DIGITS), p_squared,
                    exponent + LANES_WORD_BITS * i);
    }
    for (int k = 0; k < LANES_DIGITS; k++) {
        int64_t digit = 0;
        for (int lane = 0; lane < LANES_RUNS; lane++) {
            digit += lanes->digits[k][lane];
        }
        if (k < LANES_SUM_DIGITS) {
            sums->sum += digit * (INT64_C(1) << LANES_DIGIT_BITS * k);
        } else {
            sums->squares += digit * ((llmfp_i128)1 << LANES_DIGIT_BITS * (k - LANES_SUM_DIGITS));
        }
    }
    for (int lane = 0; lane < 4; lane++) {
        sums->zeros += lanes->zeros[lane];
    }
}

/* (p q + r)^2 S2 = p^2 (q^2 S2) + 2 p r (q S2) + r^2 S2. */
static void flush_nested(struct lookup *lookup, struct lookup4_squares *squares,
                         struct nested_sums *sums, const struct side_scale *p,
                         const struct side_scale *r, int q_unit)
{
    const int unit = lookup->exponent[0];
    const int scaled = p->exponent + q_unit;
    struct llmfp_moments *to = &squares->moments;
    const int64_t p_squared = p->mantissa * p->mantissa;
    flush_nested_lanes(sums, to, p_squared, 2 * (unit + scaled));
    add_product(lookup->moments, sums->q_sum, p->mantissa, unit + scaled);
    add_product(lookup->moments, sums->sum, r->mantissa, unit + r->exponent);
    add_product(to, (llmfp_i128)sums->low, p_squared, 2 * (unit + scaled));
    add_product(to, (llmfp_i128)sums->high, p_squared, 2 * (unit + scaled) + LOW_BITS);
    add_product(to, sums->q_squares, p->mantissa * r->mantissa,
                2 * unit + scaled + r->exponent + 1);
    add_product(to, sums->squares, r->mantissa * r->mantissa, 2 * (unit + r->exponent));
    llmfp_moments_add_counts(lookup->moments, sums->taken, sums->zeros, 0);
}

/* What runs of one nested block have in common. */
struct nested {
    struct lookup4_range *range;
    const struct lookup4_lanes_kernels *kernels;
    const struct nested_map *map;
    const struct lookup4_nested *scales;
};

static void add_nested_run(const struct nested *nested, struct nested_sums *sums,
                           const unsigned char *bytes, uint64_t run)
{
    struct lookup *lookup = nested->range->lookup;
    const uint64_t block = block_of(nested->range, run);
    const unsigned c = lookup->sides->side[0].bytes[block];
    const double scale = nested->scales->value[c];
    if (isnan(scale)) {
        lookup4_add_block(lookup, block, bytes, LOOKUP4_RUN);
        return;
    }
    if (!(scale > 0 && scale < lookup4_nested_threshold(nested->range))) {
        lookup4_range_look(nested->range, run, bytes);
    }
    const lookup4_pair pair = sums_of_run(lookup->pair, bytes);
    const int64_t s1 = lookup4_pair_sum(pair);
    const uint64_t s2 = (uint64_t)pair[1];
    const int64_t q = nested->map->code[c].q;
    sums->q_sum += (llmfp_i128)q * s1;
    sums->q_squares += (llmfp_i128)q * (int64_t)s2;
    sums->low += (llmfp_u128)nested->map->code[c].low * s2;
    sums->high += (llmfp_u128)nested->map->code[c].high * s2;
    sums->sum += s1;
    sums->squares += (int64_t)s2;
    sums->taken += LOOKUP4_RUN;
    sums->zeros += lookup4_pair_zeros(pair);
}

/* LANES_RUNS runs; false: not these. */
static bool add_nested_lanes(const struct nested *nested, struct nested_sums *sums,
                             const unsigned char *bytes, uint64_t run)
{
    unsigned char gathered[LANES_RUNS];
    const unsigned char *codes = scales_of(nested->range, run, 1, gathered);
    unsigned wanted = 0;
    for (size_t i = 0; i < LANES_RUNS; i++) {
        wanted |= nested->scales->wanted[codes[i]];
    }
    if (wanted != 0) {
        return false;
    }
    nested->kernels->add_nested(&sums->lanes, &nested->map->lanes, bytes, codes,
                                nested->map->words);
    sums->taken += (uint64_t)LANES_RUNS * LOOKUP4_RUN;
    return true;
}

/* n <= NESTED_RUNS runs of one nested block. */
static void add_nested_runs(const struct nested *nested, struct nested_sums *sums,
                            const unsigned char *bytes, uint64_t run, uint64_t n)
{
    for (uint64_t i = 0; i < n;) {
        const uint64_t some = n - i < LANES_RUNS ? n - i : LANES_RUNS;
        const unsigned char *from = bytes + i * LOOKUP4_RUN_BYTES;
        if (some < LANES_RUNS || nested->kernels == NULL ||
            !add_nested_lanes(nested, sums, from, run + i)) {
            for (uint64_t k = 0; k < some; k++) {
                add_nested_run(nested, sums, from + k * LOOKUP4_RUN_BYTES, run + i + k);
            }
        }
        i += some;
    }
}

/* n runs of one nested block. */
static void add_nested_block(struct lookup4_range *range, const struct nested_map *map,
                             struct lookup4_squares *squares, uint64_t nested_block,
                             const unsigned char *bytes, uint64_t run, uint64_t n)
{
    const struct side_scale p = side_scale_at(range->lookup->sides, 3, nested_block);
    const struct side_scale r = lookup4_offset(range->lookup->sides);
    struct lookup4_nested scales;
    nest(&scales, map->value, p.finite ? ldexp((double)p.mantissa, p.exponent) : (double)NAN,
         r.finite ? ldexp((double)r.mantissa, r.exponent) : (double)NAN,
         lookup4_nested_threshold(range));
    const struct nested nested = {range, lookup4_lanes_chosen(), map, &scales};
    for (uint64_t i = 0; i < n; i += NESTED_RUNS) {
        struct nested_sums sums = {0};
        add_nested_runs(&nested, &sums, bytes + i * LOOKUP4_RUN_BYTES, run + i,
                        n - i < NESTED_RUNS ? n - i : NESTED_RUNS);
        flush_nested(range->lookup, squares, &sums, &p, &r, map->unit);
    }
}

static void add_nested(struct lookup4_range *range, const struct nested_map *map,
                       const unsigned char *bytes, uint64_t run, uint64_t n)
{
    struct lookup4_squares squares;
    lookup4_squares_begin(&squares);
    const uint64_t per_nested = range->per_block * range->lookup->sides->parameters[2];
    for (uint64_t i = 0; i < n;) {
        const uint64_t rest = per_nested - (run + i) % per_nested;
        const uint64_t some = n - i < rest ? n - i : rest;
        add_nested_block(range, map, &squares, (run + i) / per_nested,
                         bytes + i * LOOKUP4_RUN_BYTES, run + i, some);
        i += some;
    }
    lookup4_squares_end(&squares, range->lookup->moments);
}

uint64_t lookup4_add_pairs(struct lookup *lookup, const unsigned char *bytes, uint64_t run,
                           uint64_t n)
{
    struct lookup4_range range;
    if (!lookup4_range_begin(&range, lookup)) {
        return 0;
    }
    if (lookup->sides->parameters[2] != 0) {
        struct nested_map map;
        if (!read_nested_map(&map, lookup)) {
            return 0;
        }
        add_nested(&range, &map, bytes, run, n);
        return n;
    }
    struct lookup4_lanes_map map;
    lookup4_lanes_read_map(&map, lookup);
    for (uint64_t i = 0; i < n; i += F32_MOST_RUNS) {
        add_plain_runs(&range, &map, bytes + i * LOOKUP4_RUN_BYTES, run + i,
                       n - i < F32_MOST_RUNS ? n - i : F32_MOST_RUNS);
    }
    return n;
}
