/* scaled_bins.h - sums of integers that are scaled by floats, kept apart by exponent.
 *
 * For encodings whose values are x = s q (+ t p) with small integers q, p and scales s, t
 * that are floats, s = m 2^e. A group of n elements with one scale then has
 *   sum of x   = m S1 2^e             S1 = sum of q
 *   sum of x^2 = m^2 S2 2^2e          S2 = sum of q^2
 * and of two scales also cross terms with 2^(e + e'). A kernel adds these integers to the
 * bin of their exponent, which costs two instructions, and touches the limbs of the
 * moments only when it flushes, at its end.
 *
 * Bounds. Bins are 128 bits wide. A term (|m S1|, m^2 S2, ...) must be below 2^96; then
 * 2^30 terms may be added to a bin between two flushes.
 * Bins of squares may be negative by themselves (cross terms); their total may not.  */
#ifndef LLMFP_SCALED_BINS_H
#define LLMFP_SCALED_BINS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "float_bits.h"

enum {
    SCALED_BINS_MOST = 270,      /* exponents of scales: all of binary32 and bfloat16 */
    SCALED_BINS_BUDGET = 1 << 30 /* terms in a bin between two flushes, at most */
};

struct scaled_bins {
    int lowest; /* exponent of sums[0]; squares[0] counts in units of 2^(2 lowest) */
    int n;      /* exponents in use */
    uint64_t count;
    uint64_t zeros;
    uint64_t nonfinite;
    double smallest; /* of the finite elements; smallest > largest: none yet */
    double largest;
    llmfp_i128 sums[SCALED_BINS_MOST];
    llmfp_i128 squares[2 * SCALED_BINS_MOST];
};

/* All Local.                                                                    */

/* Empty bins for scales m 2^e with lowest <= e < lowest + n.                     */
void scaled_bins_begin(struct scaled_bins *bins, int lowest, int n);

/* Put everything into the moments, and empty the bins. Elements of which the bins do
 * not know are not counted: `count` is what the kernel says.                     */
void scaled_bins_flush(struct scaled_bins *bins, struct llmfp_moments *moments);

/* Add a term of the sum to bin i (units of 2^(lowest + i)), or of the sum of squares to
 * bin i + j where the scales are of bins i and j.                                */
static inline void scaled_bins_add_sum(struct scaled_bins *bins, int i, llmfp_i128 term)
{
    bins->sums[i] += term;
}

static inline void scaled_bins_add_square(struct scaled_bins *bins, int i_plus_j, llmfp_i128 term)
{
    bins->squares[i_plus_j] += term;
}

/* Note that the values of some elements lie from `smallest` to `largest`, both taken. */
static inline void scaled_bins_add_range(struct scaled_bins *bins, double smallest, double largest)
{
    bins->smallest = smallest < bins->smallest ? smallest : bins->smallest;
    bins->largest = largest > bins->largest ? largest : bins->largest;
}

/* ---- scales ---- */

/* m 2^(lowest + bin); of a scale that is not finite, m and bin are 0.            */
struct scaled_factor {
    int32_t mantissa;
    int bin;
    bool finite;
};

/* A binary16; lowest = -24, 30 bins.                                             */
enum { SCALED_F16_LOWEST = -24, SCALED_F16_BINS = 30 };
static inline struct scaled_factor scaled_factor_of_f16(uint32_t bits)
{
    const int biased = (int)(bits >> 10 & 31);
    const int32_t m = (int32_t)((bits & 1023) | (biased > 0 ? 1024 : 0));
    if (biased == 31) {
        return (struct scaled_factor){0, 0, false};
    }
    return (struct scaled_factor){(bits & 0x8000) != 0 ? -m : m, biased > 0 ? biased - 1 : 0, true};
}

/* A binary32; lowest = -149, 254 bins.                                           */
enum { SCALED_F32_LOWEST = -149, SCALED_F32_BINS = 254 };
static inline struct scaled_factor scaled_factor_of_f32(uint32_t bits)
{
    const int biased = (int)(bits >> 23 & 255);
    const int32_t m = (int32_t)((bits & 0x7FFFFF) | (biased > 0 ? 0x800000 : 0));
    if (biased == 255) {
        return (struct scaled_factor){0, 0, false};
    }
    return (struct scaled_factor){bits >> 31 != 0 ? -m : m, biased > 0 ? biased - 1 : 0, true};
}

/* 2^(code - 127), the scale of OCP microscaling; 0xFF is NaN. lowest = -127, 255 bins. */
enum { SCALED_E8M0_LOWEST = -127, SCALED_E8M0_BINS = 255 };
static inline struct scaled_factor scaled_factor_of_e8m0(uint32_t code)
{
    return code == 255 ? (struct scaled_factor){0, 0, false}
                       : (struct scaled_factor){1, (int)code, true};
}

/* The value of a factor; exact, since no more than 24 bits are set. Its power of two is a
 * normal double for every scale above.                                           */
static inline double scaled_factor_value(const struct scaled_bins *bins,
                                         struct scaled_factor factor)
{
    const uint64_t bits = (uint64_t)(1023 + bins->lowest + factor.bin) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return (double)factor.mantissa * power;
}

/* A group of elements x = factor q, given S1, S2 and how many q are 0.           */
static inline void scaled_bins_add_group(struct scaled_bins *bins, struct scaled_factor factor,
                                         int64_t sum, int64_t squares, uint64_t n, uint64_t zeros)
{
    const int64_t m = factor.mantissa;
    bins->count += n;
    if (!factor.finite) {
        bins->nonfinite += n; /* infinity times 0 is NaN: nothing in the group is finite */
        return;
    }
    bins->zeros += m == 0 ? n : zeros;
    scaled_bins_add_sum(bins, factor.bin, (llmfp_i128)m * sum);
    scaled_bins_add_square(bins, 2 * factor.bin, (llmfp_i128)m * m * squares);
}

#endif
