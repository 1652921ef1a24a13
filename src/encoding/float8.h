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
enum { FLOAT8_MOST_IN_RECTANGLE = 16384 };

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

extern const struct float8 llmfp_float8_e4m3, llmfp_float8_e5m2;

/* Signed, the positive codes are in order and above the negative ones, which are in reverse
 * order; unsigned, those are above. Values of finite codes.                        */
static inline double float8_largest(const struct float8 *float8, const struct float8_sums *sums)
{
    const int code = sums->largest_signed >= 0 ? sums->largest_signed : sums->least_signed;
    return value_of_bits(&float8->format, (uint8_t)code);
}

static inline double float8_smallest(const struct float8 *float8, const struct float8_sums *sums)
{
    const int code = sums->largest_unsigned >= 0x80 ? sums->largest_unsigned : sums->least_signed;
    return value_of_bits(&float8->format, (uint8_t)code);
}

#if defined(__x86_64__)
/*                                                                          Local. */
void llmfp_float8_make_tables(const struct float8 *float8, struct float8_tables *tables);

/* Sums of the codes of n_rows rows of n_columns, a multiple of FLOAT8_VECTOR, that begin
 * `stride` bytes apart; at most FLOAT8_MOST_IN_RECTANGLE in all. False where a code is
 * infinite or NaN: `sums` are undefined then. AVX-512 (llmfp/isa.h).       Local. */
bool llmfp_float8_rectangle_avx512(struct float8_sums *sums, const struct float8 *float8,
                                   const struct float8_tables *tables, const unsigned char *bytes,
                                   size_t n_rows, size_t n_columns, size_t stride);

/* Add a block of n codes, a multiple of FLOAT8_VECTOR and at most FLOAT8_BLOCK, to `sums`;
 * false, and nothing added, where one is infinite or NaN. AVX-512 (llmfp/isa.h).  Local. */
bool llmfp_float8_add_avx512(struct float8_sums *sums, const struct float8 *float8,
                             const struct float8_tables *tables, const unsigned char *bytes,
                             size_t n);
#endif

#endif
