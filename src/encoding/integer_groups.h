/* integer_groups.h - groups of integers with a scale from a side tensor, into scaled bins. */
#ifndef LLMFP_INTEGER_GROUPS_H
#define LLMFP_INTEGER_GROUPS_H

#include "scaled_bins.h"
#include "side_scale.h"

/* Exponents of the integer of a scale: from -149 (F32) to 120 (BF16). */
enum { GROUPS_LOWEST = -149, GROUPS_BINS = 270 };
_Static_assert((int)GROUPS_BINS <= (int)SCALED_BINS_MOST, "all scales have a bin");

/* Integers that share a scale: n of them; |d| <= 2^10 and n < 2^40. With a scale's mantissa
 * below 2^24 the terms of sums stay below 2^74, and those of squares below 2^108: 2^18 groups
 * of the largest size fit a bin, and 2^50 elements of any. */
struct integers {
    int64_t n;
    int64_t zeros;
    int64_t sum;
    int64_t squares;
    int64_t least;
    int64_t largest;
};

static inline void scaled_bins_add_integers(struct scaled_bins *bins, struct side_scale scale,
                                            const struct integers *integers)
{
    const struct scaled_factor factor =
        scale.finite
            ? (struct scaled_factor){(int32_t)scale.mantissa, scale.exponent - bins->lowest, true}
            : (struct scaled_factor){0, 0, false};
    scaled_bins_add_group(bins, factor, integers->sum, integers->squares, (uint64_t)integers->n,
                          (uint64_t)integers->zeros);
    if (factor.finite) { /* products of 24 and 10 bits: exact as doubles */
        const double value = scaled_factor_value(bins, factor);
        const double a = value * (double)integers->least;
        const double b = value * (double)integers->largest;
        scaled_bins_add_range(bins, a < b ? a : b, a < b ? b : a);
    }
}

#endif
