/* float16.h - what the kernels of 16-bit floats share. */
#ifndef LLMFP_FLOAT16_H
#define LLMFP_FLOAT16_H

#include <stdint.h>

#include "float_bits.h"
#include "llmfp/moments.h"
#include "window16.h"

enum { FLOAT16_SIGN = 1 << 15 };

/* What differs between the two formats and among instruction sets. */
struct float16_windowed {
    const struct float_format *format;
    int binades;                            /* of a window */
    const struct window16_kernels *kernels; /* NULL: none on this machine */
};

/* Sign and magnitude of a pattern as an integer that compares as the values do. */
static inline int32_t float16_key(uint32_t pattern)
{
    const int32_t magnitude = (int32_t)(pattern & (FLOAT16_SIGN - 1));
    return (pattern & FLOAT16_SIGN) != 0 ? -magnitude : magnitude;
}

static inline double float16_value(const struct float_format *format, int32_t key)
{
    const double value = value_of_bits(format, (uint64_t)(key < 0 ? -key : key));
    return key < 0 ? -value : value;
}

/* Add n elements by windows of binades; there are kernels.                Local. */
void llmfp_float16_add_in_windows(const struct float16_windowed *windowed,
                                  struct llmfp_moments *moments, const unsigned char *bytes,
                                  uint64_t n);

#endif
