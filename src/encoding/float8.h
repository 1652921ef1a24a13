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

enum float8_powers { FLOAT8_SMALL_FACTORS, FLOAT8_PRODUCTS };

enum { FLOAT8_MOST_CLASSES = 8, FLOAT8_VECTOR = 64, FLOAT8_BLOCK = 8192 };

/* Magnitudes in classes of successive binades: integers up to 127 in units of the class, and
 * 0 for codes of other classes. Where vectors look up 128 bytes.                */
struct float8_tables {
    int n_classes;
    int exponent[FLOAT8_MOST_CLASSES];       /* of the unit */
    uint8_t value[FLOAT8_MOST_CLASSES][128]; /* by code without sign */
};

/* Where vectors look up 16 bytes: a magnitude is g base^e, e its upper four bits, base 2 (4
 * with five bits of exponent), and g an integer up to 15 by the lower three bits and by
 * whether e is 0. Powers of the base are in classes by e: one of 1, 2, 4, ... 64, or 0; of
 * kernels that take their squares by themselves (FLOAT8_PRODUCTS) up to 128, with as many
 * classes of squares as of sums. */
struct float8_nibbles {
    uint8_t g[16]; /* by the lower three bits, plus 8 where e is not 0 */
    uint8_t g_squared[16];
    int n_sums;
    int n_squares;
    int sum_exponent[FLOAT8_MOST_CLASSES];
    int square_exponent[FLOAT8_MOST_CLASSES];
    uint8_t power[FLOAT8_MOST_CLASSES][16];         /* by e: base^e in the class's unit */
    uint8_t power_squared[FLOAT8_MOST_CLASSES][16]; /* base^(2 e), of small factors */
};

/* Begin with FLOAT8_NO_SUMS. */
struct float8_sums {
    int64_t sum[FLOAT8_MOST_CLASSES];
    uint64_t squares[FLOAT8_MOST_CLASSES];
    uint64_t zeros;
    int largest_signed; /* of the codes */
    int least_signed;
    int largest_unsigned;
};

#define FLOAT8_NO_SUMS                                                                             \
    (struct float8_sums)                                                                           \
    {                                                                                              \
        .largest_signed = INT8_MIN, .least_signed = INT8_MAX                                       \
    }

extern const struct float8 llmfp_float8_e4m3, llmfp_float8_e5m2;

/* Positive codes are in order and above the negative ones as signed numbers; those are in
 * reverse order, and above the others as unsigned ones. Values of finite codes.   */
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

/* What a look at a block says about its codes. */
struct float8_look {
    uint64_t zeros;
    int largest_signed;
    int least_signed;
    int largest_unsigned;
};

/* Note the extremes that each of n lanes of vectors has found. */
static inline void float8_note_lanes(struct float8_look *look, const int8_t *largest_signed,
                                     const int8_t *least_signed, const uint8_t *largest_unsigned,
                                     int n)
{
    for (int lane = 0; lane < n; lane++) {
        look->largest_signed = largest_signed[lane] > look->largest_signed ? largest_signed[lane]
                                                                           : look->largest_signed;
        look->least_signed =
            least_signed[lane] < look->least_signed ? least_signed[lane] : look->least_signed;
        look->largest_unsigned = largest_unsigned[lane] > look->largest_unsigned
                                     ? largest_unsigned[lane]
                                     : look->largest_unsigned;
    }
}

/* The largest code without its sign. */
static inline int float8_most(const struct float8_look *look)
{
    const int negative = look->largest_unsigned >= 0x80 ? look->largest_unsigned - 0x80 : 0;
    return look->largest_signed > negative ? look->largest_signed : negative;
}

/* Take what was seen into the sums; false, and nothing taken, where a code is infinite or
 * NaN. */
static inline bool float8_take(struct float8_sums *sums, const struct float8 *float8,
                               const struct float8_look *look)
{
    if (look->largest_signed >= (int)float8->first_nonfinite ||
        look->largest_unsigned >= 0x80 + (int)float8->first_nonfinite ||
        (float8->negative_zero_is_nan && look->least_signed == INT8_MIN)) {
        return false;
    }
    sums->zeros += look->zeros;
    sums->largest_signed =
        look->largest_signed > sums->largest_signed ? look->largest_signed : sums->largest_signed;
    sums->least_signed =
        look->least_signed < sums->least_signed ? look->least_signed : sums->least_signed;
    sums->largest_unsigned = look->largest_unsigned > sums->largest_unsigned
                                 ? look->largest_unsigned
                                 : sums->largest_unsigned;
    return true;
}

/* Factors of codes.                                                       Local. */
void llmfp_float8_make_nibbles(const struct float8 *float8, enum float8_powers powers,
                               struct float8_nibbles *tables);

/* Kernels that add a block of n codes, a multiple of FLOAT8_VECTOR and at most FLOAT8_BLOCK,
 * to `sums`; false, and nothing added, where one is infinite or NaN.      Local. */
typedef bool float8_nibble_kernel(struct float8_sums *sums, const struct float8 *float8,
                                  const struct float8_nibbles *tables, const unsigned char *bytes,
                                  size_t n);

#if defined(__x86_64__)
float8_nibble_kernel llmfp_float8_add_avx2;
bool llmfp_float8_add_avx512(struct float8_sums *sums, const struct float8 *float8,
                             const struct float8_tables *tables, const unsigned char *bytes,
                             size_t n);
/* The classes of codes.                                                   Local. */
void llmfp_float8_make_tables(const struct float8 *float8, struct float8_tables *tables);
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
float8_nibble_kernel llmfp_float8_add_neon;
#endif

#endif
