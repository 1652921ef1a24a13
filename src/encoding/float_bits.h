/* float_bits.h - what the portable float kernels share: fields of a float format,
 * order keys of bit patterns, and sums kept apart by exponent ("bins").
 *
 * A finite float with biased exponent E and mantissa field M is
 *   +-m 2^(max(E, 1) - bias - mantissa_bits),  m = M (+ 2^mantissa_bits if E > 0).
 * Sums of m and m^2 per E are plain integers, so a kernel adds small integers in
 * its inner loop and touches the limbs only once per bin and block.            */
#ifndef LLMFP_FLOAT_BITS_H
#define LLMFP_FLOAT_BITS_H

#include <math.h>
#include <stdint.h>

#include "llmfp/moments.h"

struct float_format {
    int bits; /* sign + exponent + mantissa */
    int mantissa_bits;
    int bias;
};

/* The exponent that the integer mantissas of a bin count in. */
static inline int bin_exponent(const struct float_format *format, int biased_exponent)
{
    return (biased_exponent > 0 ? biased_exponent : 1) - format->bias - format->mantissa_bits;
}

/* The double that a finite pattern stands for, exact for formats up to 64 bits. */
static inline double value_of_bits(const struct float_format *format, uint64_t bits)
{
    const uint64_t mantissa_mask = (UINT64_C(1) << format->mantissa_bits) - 1;
    const uint64_t magnitude = bits & ((UINT64_C(1) << (format->bits - 1)) - 1);
    const int biased = (int)(magnitude >> format->mantissa_bits);
    const uint64_t mantissa = (magnitude & mantissa_mask) | (biased > 0 ? mantissa_mask + 1 : 0);
    const double value = ldexp((double)mantissa, bin_exponent(format, biased));
    return bits >> (format->bits - 1) != 0 ? -value : value;
}

#endif
