/* window16.h - SIMD kernels on blocks of 16-bit floats, by windows of binades.
 *
 * A window is `span` consecutive bit patterns (sign aside) from `first` on: those of
 * WINDOW16_BINADES_* binades. Inside it every element is an integer below 2^22 in units
 * of 2^unit, which one multiplication and one conversion give exactly. Per block of
 * WINDOW16_BLOCK elements the integers are summed in int32 lanes (at most 128 additions
 * of less than 2^23, so below 2^30) that are widened in time, and their squares, below
 * 2^44, in int64 lanes (at most 2^12 additions: below 2^56). Zeros are outside but are
 * counted here; all other elements outside are handed back for the exact scalar path.   */
#ifndef LLMFP_WINDOW16_H
#define LLMFP_WINDOW16_H

#include <stddef.h>
#include <stdint.h>

enum {
    WINDOW16_BLOCK = 1 << 15, /* elements, at most */
    WINDOW16_CHUNK = 32,      /* blocks are multiples of this */
    WINDOW16_BINADES_BF16 = 15,
    WINDOW16_BINADES_F16 = 12
};

struct window16 {
    uint32_t first; /* pattern */
    uint32_t span;  /* patterns */
    float scale;    /* 2^-unit */
};

/* What a block adds up to; accumulated over blocks of one window. */
struct window16_sums {
    int64_t sum;      /* in units of 2^unit */
    uint64_t squares; /* in units of 2^(2 unit) */
    uint64_t zeros;
    /* Over the zeros and the elements inside, as patterns: */
    int32_t largest_signed;     /* largest of the patterns as int16 */
    uint32_t largest_unsigned;  /* largest and smallest of them as uint16 */
    uint32_t smallest_unsigned; /* larger than largest_unsigned: no element at all */
};

/* Add n elements (a multiple of WINDOW16_CHUNK). `outside` has room for
 * n + WINDOW16_CHUNK patterns and receives those that are not summed; returns how many. */
typedef size_t window16_kernel(const struct window16 *window, const unsigned char *bytes, size_t n,
                               struct window16_sums *sums, uint16_t *outside);

#if defined(__x86_64__)
window16_kernel llmfp_window16_bf16_avx512;
window16_kernel llmfp_window16_f16_avx512;
window16_kernel llmfp_window16_bf16_avx2;
window16_kernel llmfp_window16_f16_avx2;
#endif

#endif
