/* lookup4_pairs.c - runs of bitsandbytes' 4-bit weights in plain C. See lookup4.h.
 *
 * A byte has two codes: a table gives the sum of their two map values, and that of the squares. So
 * 32 additions of a pair give S1 and S2 of a run of 64 elements, which its scale a turns into
 * a S1 and a^2 S2. These add up in 128 bits: for F32 scales a = m 2^e in a bin for each e, for
 * scales that are quantised, a = p q + r with q of a map of 256 values, as sums of q S1, q S2,
 * q^2 S2, S1 and S2, which p and r of a nested block turn into sums.
 *
 * Bounds: |S1| < 2^34, S2 < 2^62.                                                        */
#include <math.h>
#include <string.h>

#include "lookup4.h"

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

static void flush_bins(struct lookup *lookup, const struct bin *bins)
{
    for (int e = 1; e < F32_BINS; e++) {
        const int unit = lookup->exponent[0] + e + F32_UNIT;
        if (bins[e].squares != 0) { /* else S2, and so S1, were 0 */
            llmfp_moments_add_sum(lookup->moments, bins[e].sum, unit);
            llmfp_moments_add_square(lookup->moments, bins[e].squares, 2 * unit);
        }
    }
}

/* n <= F32_MOST_RUNS runs. */
static void add_plain_runs(struct lookup4_range *range, const unsigned char *bytes, uint64_t run,
                           uint64_t n)
{
    struct lookup *lookup = range->lookup;
    const unsigned char *scales = lookup->sides->side[0].bytes;
    struct bin bins[F32_BINS];
    uint64_t taken = 0;
    uint64_t zeros = 0;
    uint64_t zero_runs = 0;
    memset(bins, 0, sizeof bins);
    for (uint64_t i = 0; i < n; i++, bytes += LOOKUP4_RUN_BYTES) {
        const uint64_t block = range->per_block == 1 ? run + i : (run + i) / range->per_block;
        const uint32_t bits = llmfp_load_u32(scales + 4 * block);
        const uint32_t e = bits >> 23; /* with the sign */
        if (e == 0 || e >= F32_BINS) { /* 0, subnormal, negative or not finite */
            if (bits == 0) {
                zero_runs++;
            } else {
                lookup4_add_block(lookup, block, bytes, LOOKUP4_RUN);
            }
            continue;
        }
        float scale;
        memcpy(&scale, &bits, sizeof scale);
        if (scale > range->threshold) {
            lookup4_range_look(range, run + i, bytes);
        }
        const lookup4_pair sums = sums_of_run(lookup->pair, bytes);
        const int64_t m = (int64_t)((bits & 0x7FFFFF) | 0x800000);
        bins[e].sum += m * lookup4_pair_sum(sums);
        bins[e].squares += (llmfp_u128)(uint64_t)(m * m) * (uint64_t)sums[1];
        zeros += lookup4_pair_zeros(sums);
        taken += LOOKUP4_RUN;
    }
    flush_bins(lookup, bins);
    llmfp_moments_add_counts(lookup->moments, taken, zeros, 0);
    lookup4_add_zero_runs(lookup, zero_runs);
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
};

struct nested_sums {
    llmfp_i128 q_sum;     /* q S1 */
    llmfp_i128 q_squares; /* q S2 */
    llmfp_u128 low;       /* low S2 */
    llmfp_u128 high;      /* high S2 */
    int64_t sum;          /* S1 */
    llmfp_u128 squares;   /* S2 */
    uint64_t taken;
    uint64_t zeros;
};

/* False: the values of the map are too far apart for integers of 47 bits. */
static bool read_nested_map(struct nested_map *map, const struct llmfp_sides *sides)
{
    struct side_scale scales[256];
    int64_t q[256];
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
        scales->wanted[c] = !(sure && sum > 0 && sum < threshold);
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

/* (p q + r)^2 S2 = p^2 (q^2 S2) + 2 p r (q S2) + r^2 S2. */
static void flush_nested(struct lookup *lookup, struct lookup4_squares *squares,
                         const struct nested_sums *sums, const struct side_scale *p,
                         const struct side_scale *r, int q_unit)
{
    const int unit = lookup->exponent[0];
    const int scaled = p->exponent + q_unit;
    add_product(lookup->moments, sums->q_sum, p->mantissa, unit + scaled);
    add_product(lookup->moments, sums->sum, r->mantissa, unit + r->exponent);
    struct llmfp_moments *to = &squares->moments;
    const int64_t p_squared = p->mantissa * p->mantissa;
    add_product(to, (llmfp_i128)sums->low, p_squared, 2 * (unit + scaled));
    add_product(to, (llmfp_i128)sums->high, p_squared, 2 * (unit + scaled) + LOW_BITS);
    add_product(to, sums->q_squares, p->mantissa * r->mantissa,
                2 * unit + scaled + r->exponent + 1);
    add_product(to, (llmfp_i128)sums->squares, r->mantissa * r->mantissa, 2 * (unit + r->exponent));
    llmfp_moments_add_counts(lookup->moments, sums->taken, sums->zeros, 0);
}

/* n <= NESTED_RUNS runs of one nested block. */
static void add_nested_runs(struct lookup4_range *range, const struct nested_map *map,
                            const struct lookup4_nested *scales, struct nested_sums *sums,
                            const unsigned char *bytes, uint64_t run, uint64_t n)
{
    struct lookup *lookup = range->lookup;
    const unsigned char *codes = lookup->sides->side[0].bytes;
    for (uint64_t i = 0; i < n; i++, bytes += LOOKUP4_RUN_BYTES) {
        const uint64_t block = range->per_block == 1 ? run + i : (run + i) / range->per_block;
        const unsigned c = codes[block];
        if (scales->wanted[c] != 0) {
            if (isnan(scales->value[c])) {
                lookup4_add_block(lookup, block, bytes, LOOKUP4_RUN);
                continue;
            }
            const double scale = scales->value[c];
            if (!(scale > 0 && scale < lookup4_nested_threshold(range))) {
                lookup4_range_look(range, run + i, bytes);
            }
        }
        const lookup4_pair pair = sums_of_run(lookup->pair, bytes);
        const int64_t s1 = lookup4_pair_sum(pair);
        const uint64_t s2 = (uint64_t)pair[1];
        const int64_t q = map->code[c].q;
        sums->q_sum += (llmfp_i128)q * s1;
        sums->q_squares += (llmfp_i128)q * (int64_t)s2;
        sums->low += (llmfp_u128)map->code[c].low * s2;
        sums->high += (llmfp_u128)map->code[c].high * s2;
        sums->sum += s1;
        sums->squares += s2;
        sums->taken += LOOKUP4_RUN;
        sums->zeros += lookup4_pair_zeros(pair);
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
    for (uint64_t i = 0; i < n; i += NESTED_RUNS) {
        struct nested_sums sums = {0};
        add_nested_runs(range, map, &scales, &sums, bytes + i * LOOKUP4_RUN_BYTES, run + i,
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
        if (!read_nested_map(&map, lookup->sides)) {
            return 0;
        }
        add_nested(&range, &map, bytes, run, n);
        return n;
    }
    for (uint64_t i = 0; i < n; i += F32_MOST_RUNS) {
        add_plain_runs(&range, bytes + i * LOOKUP4_RUN_BYTES, run + i,
                       n - i < F32_MOST_RUNS ? n - i : F32_MOST_RUNS);
    }
    return n;
}
