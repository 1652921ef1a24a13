/* window16.h - SIMD kernels on blocks of 16-bit floats, by windows of binades.
 *
 * A window is `span` consecutive patterns from `first` on, inside the WINDOW16_BINADES_*
 * binades from a lowest one up. There every element is an integer v, |v| < 2^22, in units
 * of 2^unit. With `magic` = 1.5 * 2^23 units, magic + v is a float in [2^23, 2^24) units,
 * so the addition is exact and the float's pattern is K + v, K being the pattern of magic:
 * one addition makes the integer. Kernels sum K + v and (K + v)^2 modulo powers of two and
 * take what K added away again, which is exact because the results are small:
 * - a lane of 32 bits receives at most 512 elements: sums of v stay below 2^31;
 * - 128 elements: sums of v^2 stay below 2^51; a whole block: below 2^56.
 * Zeros are outside but are counted here; all other elements outside are handed back. */
#ifndef LLMFP_WINDOW16_H
#define LLMFP_WINDOW16_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/moments.h"

enum {
    WINDOW16_BLOCK = 4096, /* elements, at most: 8 KiB, in the first-level cache */
    WINDOW16_CHUNK = 64,   /* blocks are multiples of this */
    WINDOW16_BINADES_BF16 = 15,
    WINDOW16_BINADES_F16 = 12,
    WINDOW16_AHEAD = 4096 /* bytes; the next page, which hardware does not fetch by itself */
};

struct window16 {
    uint32_t significant; /* bits of a pattern that are looked at: all, or all but the sign */
    uint32_t first;       /* pattern */
    uint32_t span;        /* patterns */
    float magic;
};

struct window16_sums {
    int64_t sum;      /* of v */
    uint64_t squares; /* of v^2 */
    uint64_t zeros;
};

/* Patterns: the largest as int16, the largest and the smallest as uint16. */
struct window16_range {
    int32_t largest_signed;
    uint32_t largest_unsigned;
    uint32_t smallest_unsigned;
};

struct window16_kernels {
    /* Sums of n elements (a multiple of WINDOW16_CHUNK, at most WINDOW16_BLOCK). `outside`
     * has room for n + WINDOW16_CHUNK patterns and receives those that are not summed;
     * returns how many. */
    size_t (*add)(const struct window16 *window, const unsigned char *bytes, size_t n,
                  struct window16_sums *sums, uint16_t *outside);
    struct window16_range (*range)(const unsigned char *bytes, size_t n);
};

#if defined(__x86_64__)
extern const struct window16_kernels llmfp_window16_bf16_avx512;
extern const struct window16_kernels llmfp_window16_f16_avx512;
extern const struct window16_kernels llmfp_window16_bf16_avx2;
extern const struct window16_kernels llmfp_window16_f16_avx2;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
extern const struct window16_kernels llmfp_window16_bf16_neon;
extern const struct window16_kernels llmfp_window16_f16_neon;
#endif

#endif
