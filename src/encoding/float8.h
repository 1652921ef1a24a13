/* float8.h - what the kernels of 8-bit floats share. */
#ifndef LLMFP_FLOAT8_H
#define LLMFP_FLOAT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "float_bits.h"

struct float8 {
    struct float_format format;
    uint8_t first_nonfinite; /* magnitudes from here on are infinite or NaN */
    bool negative_zero_is_nan;
};

/* Magnitudes in classes of successive binades. In each class the magnitudes are integers
 * up to 127 in units of the class, and 0 for codes of other classes.            */
enum { FLOAT8_MOST_CLASSES = 8, FLOAT8_VECTOR = 64, FLOAT8_BLOCK = 8192 };

struct float8_tables {
    int n_classes;
    int exponent[FLOAT8_MOST_CLASSES];       /* of the unit */
    uint8_t value[FLOAT8_MOST_CLASSES][128]; /* by code without sign */
};

struct float8_sums {
    int64_t sum[FLOAT8_MOST_CLASSES];
    uint64_t squares[FLOAT8_MOST_CLASSES];
    uint64_t zeros;
    int largest_signed; /* of the codes */
    int least_signed;
    int largest_unsigned;
};

#if defined(__x86_64__)
/* Add a block of n codes, a multiple of FLOAT8_VECTOR and at most FLOAT8_BLOCK, to `sums`;
 * false, and nothing added, where one is infinite or NaN. AVX-512 (llmfp/isa.h).  Local. */
bool llmfp_float8_add_avx512(struct float8_sums *sums, const struct float8 *float8,
                             const struct float8_tables *tables, const unsigned char *bytes,
                             size_t n);
#endif

#endif
