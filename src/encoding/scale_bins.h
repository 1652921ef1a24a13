/* scale_bins.h - sums of integers times scales, kept apart by the exponent of the scale.
 *
 * A scale is mantissa * 2^exponent; what it multiplies are integers d. Sums of
 * mantissa * d and of their squares per exponent are plain integers, so the limbs are
 * touched once per exponent and call.                                                */
#ifndef LLMFP_SCALE_BINS_H
#define LLMFP_SCALE_BINS_H

#include <math.h>
#include <string.h>

#include "llmfp/moments.h"
#include "side_scale.h"

/* Exponents of the integers of a scale: from -149 (F32) to 120 (BF16). */
enum { SCALE_BINS = 270, LOWEST_SCALE_EXPONENT = -149 };

/* Integers that share a scale: n of them; |d| <= 2^10 and n < 2^40. */
struct integers {
    int64_t n;
    int64_t zeros;
    int64_t sum;
    int64_t squares;
    int64_t least;
    int64_t largest;
};

/* |mantissa| < 2^24: with 2^40 integers the sum stays below 2^74 and squares below 2^108. */
struct scale_bins {
    uint64_t count;
    uint64_t zeros;
    uint64_t nonfinite;
    struct {
        llmfp_i128 sum;
        llmfp_u128 squares;
        int64_t least;
        int64_t largest;
        bool used;
    } bin[SCALE_BINS];
};

static inline void scale_bins_add(struct scale_bins *bins, struct side_scale scale,
                                  const struct integers *integers)
{
    bins->count += (uint64_t)integers->n;
    if (!scale.finite) { /* infinity and NaN times anything, 0 included, is not finite */
        bins->nonfinite += (uint64_t)integers->n;
        return;
    }
    bins->zeros += (uint64_t)(scale.mantissa == 0 ? integers->n : integers->zeros);
    const unsigned i = (unsigned)(scale.exponent - LOWEST_SCALE_EXPONENT);
    const int64_t a = scale.mantissa * integers->least;
    const int64_t b = scale.mantissa * integers->largest;
    const int64_t least = a < b ? a : b;
    const int64_t largest = a < b ? b : a;
    bins->bin[i].sum += (llmfp_i128)integers->sum * scale.mantissa;
    bins->bin[i].squares +=
        (llmfp_u128)(uint64_t)integers->squares * (uint64_t)(scale.mantissa * scale.mantissa);
    bins->bin[i].least =
        bins->bin[i].used && bins->bin[i].least < least ? bins->bin[i].least : least;
    bins->bin[i].largest =
        bins->bin[i].used && bins->bin[i].largest > largest ? bins->bin[i].largest : largest;
    bins->bin[i].used = true;
}

/* Products of the extremes are below 2^34, and exact as doubles. */
static inline void scale_bins_flush(const struct scale_bins *bins, struct llmfp_moments *moments)
{
    llmfp_moments_add_counts(moments, bins->count, bins->zeros, bins->nonfinite);
    for (int i = 0; i < SCALE_BINS; i++) {
        const int exponent = i + LOWEST_SCALE_EXPONENT;
        if (bins->bin[i].used) {
            llmfp_moments_add_sum(moments, bins->bin[i].sum, exponent);
            llmfp_moments_add_square(moments, bins->bin[i].squares, 2 * exponent);
            llmfp_moments_add_range(moments, ldexp((double)bins->bin[i].least, exponent),
                                    ldexp((double)bins->bin[i].largest, exponent));
        }
    }
}

#endif
