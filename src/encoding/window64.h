/* window64.h - SIMD kernels on blocks of doubles, by windows of binades.
 *
 * As in window.h: elements from a lowest magnitude up to a largest are integers v, |v| < 2^bits,
 * in units of 2^unit. Sums are given in parts, one for every `step` bits.       */
#ifndef LLMFP_WINDOW64_H
#define LLMFP_WINDOW64_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/moments.h"
#include "window.h" /* BEYOND */

enum {
    WINDOW64_BLOCK = 1024,               /* elements, at most: 8 KiB, in the first-level cache */
    WINDOW64_CHUNK = 32,                 /* blocks are multiples of this */
    WINDOW64_AHEAD = 8 * WINDOW64_BLOCK, /* bytes: the next block is fetched meanwhile */
    WINDOW64_SUMS = 3,
    WINDOW64_SQUARES = 6
};

struct window64 {
    int unit;       /* set by the caller */
    uint64_t first; /* likewise: the lowest pattern without its sign; at least 1 */
    uint64_t most;  /* likewise: the largest, from first on */
    /* From here on zeroed by the caller. */
    uint64_t zeros;
    /* Part k in units of 2^(unit + k step), and of 2^(2 unit + k step); any may be negative. */
    llmfp_i128 sum[WINDOW64_SUMS];
    llmfp_i128 squares[WINDOW64_SQUARES];
};

/* Patterns: see window.h. */
struct window64_range {
    int64_t largest_signed;
    uint64_t largest_unsigned;
    uint64_t smallest_unsigned;
};

struct window64_kernels {
    int bits;
    int step;
    int least_unit; /* units from least to most are possible; of wide ones all that occur */
    int most_unit;
    const struct window64_kernels *wide; /* of more bits, and slower; NULL in these themselves */
    struct window64_range (*range)(const unsigned char *bytes, size_t n);
    /* n elements, a multiple of WINDOW64_CHUNK, at most WINDOW64_BLOCK. `outside` may be
     * the same memory as `bytes` and has room for n + WINDOW64_CHUNK elements; returns
     * how many it received, or BEYOND, and then nothing of the window counts. */
    size_t (*add)(struct window64 *window, const unsigned char *bytes, size_t n,
                  unsigned char *outside);
};

#if defined(__x86_64__)
extern const struct window64_kernels llmfp_window64_avx2;
extern const struct window64_kernels llmfp_window64_wide_avx2;
extern const struct window64_kernels llmfp_window64_avx512;
extern const struct window64_kernels llmfp_window64_wide_avx512;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
extern const struct window64_kernels llmfp_window64_neon;
extern const struct window64_kernels llmfp_window64_wide_neon;
#endif

#endif
