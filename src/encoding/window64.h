/* window64.h - SIMD kernels on blocks of doubles, by windows of binades.
 *
 * As in window.h: elements from a lowest magnitude up are integers v, |v| < 2^bits, in
 * units of 2^unit. Kernels cut them into v = h 2^low_bits + l, |l| <= 2^(low_bits - 1), and
 * give the sums of h, l, h^2, h l and l^2.                                      */
#ifndef LLMFP_WINDOW64_H
#define LLMFP_WINDOW64_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/moments.h"

enum {
    WINDOW64_BLOCK = 1024, /* elements, at most: 8 KiB, in the first-level cache */
    WINDOW64_CHUNK = 8,    /* blocks are multiples of this */
    WINDOW64_AHEAD = 4096  /* bytes; the next page, which hardware does not fetch by itself */
};

struct window64 {
    int unit;       /* set by the caller */
    uint64_t first; /* likewise: the lowest pattern without its sign; at least 1 */
    uint64_t zeros;
    int64_t high;
    int64_t low;
    llmfp_i128 high_squares;
    llmfp_i128 products;
    llmfp_i128 low_squares;
};

/* Patterns: see window.h. */
struct window64_range {
    int64_t largest_signed;
    uint64_t largest_unsigned;
    uint64_t smallest_unsigned;
};

struct window64_kernels {
    int bits;
    int low_bits;
    int least_unit; /* units from least to most are possible */
    int most_unit;
    struct window64_range (*range)(const unsigned char *bytes, size_t n);
    /* n elements, a multiple of WINDOW64_CHUNK, at most WINDOW64_BLOCK. `outside` may be
     * the same memory as `bytes` and has room for n + WINDOW64_CHUNK elements; returns
     * how many it received. */
    size_t (*add)(struct window64 *window, const unsigned char *bytes, size_t n,
                  unsigned char *outside);
};

#if defined(__x86_64__)
extern const struct window64_kernels llmfp_window64_avx2;
extern const struct window64_kernels llmfp_window64_avx512;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
extern const struct window64_kernels llmfp_window64_neon;
#endif

#endif
