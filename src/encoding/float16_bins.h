/* float16_bins.h - exact sums of 16-bit floats of any magnitudes, by their upper bytes.
 *
 * The upper byte of an element chooses one of 256 bins, and its lower byte what it adds there,
 * from a table: v, v^2 and, for F16, 1, packed in one word; so an element is two loads, an
 * addition and a store. Four copies of the bins take turns, so that equal neighbours do not
 * wait for each other.
 * - F16: the upper byte has sign, exponent and two bits of the mantissa, hence the element is
 *   +-(b + v), b known of the bin and v its lower byte. With at most 2^13 elements a copy, the
 *   sums of v^2 and v have 29 and 21 bits, the count 14.
 * - BF16: the upper byte has sign and exponent but for its lowest bit. v is the mantissa in units
 *   of the even exponent, 128 .. 510; with at most 2^18 elements a copy the sums have 36 and 27
 *   bits. The lowest two exponents (subnormal numbers) and the highest two (infinities) do not
 *   fit that: their bins are not used, and blocks that have some are read again for them.
 * Plain C, for all instruction sets. */
#ifndef LLMFP_FLOAT16_BINS_H
#define LLMFP_FLOAT16_BINS_H

#include <stddef.h>
#include <stdint.h>

#include "float_bits.h"
#include "llmfp/moments.h"

enum {
    FLOAT16_BINS = 256,
    FLOAT16_BIN_COPIES = 4,
    FLOAT16_BIN_GAP = 8,       /* words between copies, so that lines do not compete */
    FLOAT16_MOST_BINNED = 8192 /* elements that are added at a time */
};

/* Of +-m and m^2, in the units of one exponent. */
struct float16_bin_sums {
    llmfp_i128 sum;
    llmfp_u128 squares;
};

struct float16_bins {
    const struct float_format *format; /* BF16's or F16's */
    uint64_t count;
    uint64_t zeros;
    uint64_t nonfinite;
    uint32_t n_packed; /* elements in each copy, at most; all below is undefined if count is 0 */
    uint64_t word[256];
    uint64_t packed[FLOAT16_BIN_COPIES][FLOAT16_BINS + FLOAT16_BIN_GAP];
    struct float16_bin_sums sums[256]; /* by exponent, of all that was unpacked */
};

/* Empty bins; costs next to nothing.                                      Local. */
void llmfp_float16_bins_begin(struct float16_bins *bins, const struct float_format *format);

/* Add n <= FLOAT16_MOST_BINNED elements, little-endian at any alignment.  Local. */
void llmfp_float16_bins_add(struct float16_bins *bins, const unsigned char *bytes, size_t n);

/* Put sums and counts into the moments; extremes are the caller's.        Local. */
void llmfp_float16_bins_end(struct float16_bins *bins, struct llmfp_moments *moments);

#endif
