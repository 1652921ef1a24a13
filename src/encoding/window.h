/* window.h - kernels on blocks of floats by windows of binades, one table of them
 * per instruction set.
 *
 * A window is the WINDOW_BINADES binades from a lowest biased exponent L >= 1 up;
 * the caller places its top at the block's largest exponent. In units of
 * r = 2^(L - 150), the last bit of a float at exponent L, every element inside is
 * an integer below 2^(23 + WINDOW_BINADES), and so are zeros. The kernel sums
 * those exactly, counts zeros, and hands the elements below the window out, to be
 * summed in a lower window or one by one. Floats are IEEE 754 binary32. */
#ifndef LLMFP_WINDOW_H
#define LLMFP_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/isa.h"
#include "llmfp/moments.h"

enum {
    WINDOW_BINADES = 19,
    BLOCK = 8192, /* most elements of a block: 16 or 32 KiB, in the first-level cache */
    CHUNK = 64,   /* blocks are multiples of this */
    SPARE = 64    /* elements by which lists of outside elements may be overwritten */
};

/* The sums of the elements inside a window, in units of r and r^2. */
struct window {
    uint32_t lowest; /* L; set by the caller */
    uint64_t zeros;
    int64_t sum;
    llmfp_u128 squares;
};

/* Largest pattern as a signed and as an unsigned integer: the largest of the positive
 * elements if there are any, the negative one of largest magnitude if there are any. */
struct largest {
    int32_t as_signed;
    uint32_t as_unsigned;
};

struct window_kernels {
    /* n elements, a multiple of CHUNK, at most BLOCK. `outside` may be the same memory
     * as `bytes` and has room for n + SPARE elements; returns how many it received. */
    struct largest (*largest)(const unsigned char *bytes, size_t n);
    size_t (*add)(struct window *window, const unsigned char *bytes, size_t n,
                  unsigned char *outside);
};

extern const struct window_kernels llmfp_window_portable;
#if defined(__x86_64__)
extern const struct window_kernels llmfp_window_avx2;
extern const struct window_kernels llmfp_window_avx512;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
extern const struct window_kernels llmfp_window_neon;
#endif

#endif
