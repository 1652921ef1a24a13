/* float_sums.h - exact sums of blocks of floats.
 *
 * Blocks go through the window kernels; what these leave over (few elements, ends
 * of fewer than CHUNK elements, blocks with infinities or NaN) is summed one by one
 * in integers, by exponent. Those sums alone are the reference for everything.
 *
 * Most blocks are read once: the range of the elements so far is known, and while no element
 * is larger in magnitude than the nearer of its two ends, a block can neither widen the range
 * nor leave the window. Other blocks are looked at first. After a block that was read once in
 * vain, or of which much lies below the window, others are looked at (window_choice.h). */
#ifndef LLMFP_FLOAT_SUMS_H
#define LLMFP_FLOAT_SUMS_H

#include <stdbool.h>

#include "window.h"
#include "window_choice.h"

enum { FLOAT_BINS = 255, BIN_COPIES = 4 };

struct float_sums {
    struct llmfp_moments *moments;
    const struct window_kernels *narrow;  /* NULL: one by one only, the reference */
    const struct window_kernels *kernels; /* in use: these, or their wide ones */
    struct width width;
    struct looks looks;
    int mantissa_bits;   /* significant bits of an element, at most 24 */
    int lowest_exponent; /* every value is a multiple of 2^this; see llmfp/encoding.h */
    uint64_t count;
    uint64_t zeros;
    uint64_t nonfinite;
    int32_t smallest; /* order keys: sign and magnitude of the patterns */
    int32_t largest;
    int lowest;        /* biased exponent where the window in use begins; 0: none yet */
    uint32_t n_blocks; /* summed in it since it was placed */
    llmfp_i128 window_sum;
    llmfp_i128 window_squares; /* both parts, as in window.h */
    llmfp_i128 high_squares;
    uint32_t n_binned;  /* elements in the bins; the bins are undefined where 0 */
    uint32_t first_bin; /* bins outside first .. last are empty */
    uint32_t last_bin;
    int64_t sum[BIN_COPIES][FLOAT_BINS]; /* of +-m and m^2, by biased exponent */
    uint64_t squares[BIN_COPIES][FLOAT_BINS];
};

/* The table of the instruction set in use.                               Local. */
const struct window_kernels *llmfp_float_sums_kernels(void);

void llmfp_float_sums_begin(struct float_sums *sums, struct llmfp_moments *moments,
                            const struct window_kernels *kernels, int mantissa_bits,
                            int lowest_exponent);

/* Add n <= BLOCK patterns of floats, little-endian at any alignment.      Local. */
void llmfp_float_sums_add(struct float_sums *sums, const unsigned char *bytes, size_t n);

/* Put everything into the moments.                                       Local. */
void llmfp_float_sums_end(struct float_sums *sums);

#endif
