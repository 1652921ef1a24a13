/* window.h - kernels on blocks of floats by windows of binades, one table of them
 * per instruction set.
 *
 * A window begins at a lowest magnitude `first` (a pattern without its sign). Every
 * element from there on, up to the block's largest, is an integer v in units of r =
 * 2^unit, |v| < 2^bits, and so are zeros; the caller sees to that. The kernel sums those
 * exactly, counts zeros, and hands the elements below the window out, to be summed in a
 * lower window or one by one. Floats are IEEE 754 binary32.                     */
#ifndef LLMFP_WINDOW_H
#define LLMFP_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/isa.h"
#include "llmfp/moments.h"

enum {
    BLOCK = 4096,      /* most elements of a block: 16 KiB, half a first-level cache */
    CHUNK = 64,        /* blocks are multiples of this */
    SPARE = 64,        /* elements by which lists of outside elements may be overwritten */
    AHEAD = 4 * BLOCK, /* bytes: the next block is fetched while this one is summed */
    HIGH_SQUARES_BITS = 85
};

/* Instead of a number of elements: one is larger than the window allows. */
#define BEYOND SIZE_MAX

/* A window, and the sums of the elements inside: of v, and of v^2. Both parts of the latter
 * together, squares + 2^HIGH_SQUARES_BITS high_squares; only wide windows have the second. */
struct window {
    int unit;       /* set by the caller */
    uint32_t first; /* likewise; at least 1 */
    uint32_t most;  /* likewise: the largest magnitude allowed, from first on */
    uint64_t zeros;
    llmfp_i128 sum;
    llmfp_i128 squares;
    llmfp_i128 high_squares;
};

/* The largest pattern as a signed and as an unsigned integer: the largest of the positive
 * elements if there are any, the negative one of largest magnitude if there are any. The
 * smallest unsigned one: the least magnitude where all have one sign.           */
struct window_range {
    int32_t largest_signed;
    uint32_t largest_unsigned;
    uint32_t smallest_unsigned;
};

struct window_kernels {
    int bits; /* of v */
    /* Of more bits, and slower; NULL in these themselves. */
    const struct window_kernels *wide;
    /* n elements, a multiple of CHUNK, at most BLOCK. `outside` may be the same memory
     * as `bytes` and has room for n + SPARE elements; returns how many it received, or
     * BEYOND, and then nothing of the window counts. */
    struct window_range (*range)(const unsigned char *bytes, size_t n);
    size_t (*add)(struct window *window, const unsigned char *bytes, size_t n,
                  unsigned char *outside);
};

extern const struct window_kernels llmfp_window_portable;
extern const struct window_kernels llmfp_window_wide_portable;
#if defined(__x86_64__)
extern const struct window_kernels llmfp_window_avx2;
extern const struct window_kernels llmfp_window_wide_avx2;
extern const struct window_kernels llmfp_window_avx512;
extern const struct window_kernels llmfp_window_wide_avx512;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
extern const struct window_kernels llmfp_window_neon;
extern const struct window_kernels llmfp_window_wide_neon;
#endif

#endif
