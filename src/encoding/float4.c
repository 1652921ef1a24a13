/* float4.c - E2M1 codes, two in a byte, with 8-bit scales of 16 or 32 elements.
 *
 * value = E2M1 code * scale of its block (* scale of the tensor).
 *   F4_E8M0 (MXFP4)  side 0: E8M0 scales, one for 32 elements; 0xFF is NaN
 *   F4_E4M3 (NVFP4)  side 0: E4M3 scales, one for 16 elements; side 1: F32, one in all
 *   F4_E4M3_DIVIDED  side 0: E4M3 scales, one for 16 elements; the tensor's scale g, which
 *                    divides, is d 2^e with an odd integer d: d is the tensor's divisor
 *                    (llmfp/divisor.h), and -e (two's complement) parameter 0. What is added
 *                    are numerators: E2M1 code * scale of its block * 2^-e
 * Sums of doubled codes, which are integers from -12 to 12, are kept apart by the 256
 * values that a scale can have, so a scale is multiplied in once for each of them.
 * Sources: OCP microscaling (MX) specification; ModelOpt's NVFP4; compressed-tensors'
 * nvfp4-pack-quantized, which divides.                                                */
#include <string.h>

#include "kernels.h"
#include "side_scale.h"

enum {
    CODES = 16,
    SCALES = 256,
    /* In a byte's entry: sums from bit 0, biased by 24 a byte; squares from bit 12; zeros
     * from bit 26; which codes occur from bit 32. 16 bytes a block at most, so sums stay
     * below 16 * 48 < 2^12, squares below 16 * 288 < 2^14, zeros at most 32 < 2^6. */
    BIAS = 24,
    SQUARES_SHIFT = 12,
    ZEROS_SHIFT = 26,
    SEEN_SHIFT = 32
};

static const int doubled[CODES] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* int64 sums cannot overflow: 2^59 elements of squares up to 144 < 2^8 would be needed. */
struct bin {
    int64_t sum;
    int64_t squares;
    uint64_t count;
    uint64_t zeros;
    uint32_t seen;
};

static void make_table(uint64_t table[256])
{
    for (unsigned byte = 0; byte < 256; byte++) {
        const int low = doubled[byte & 15];
        const int high = doubled[byte >> 4];
        table[byte] = (uint64_t)(low + high + BIAS) |
                      (uint64_t)(low * low + high * high) << SQUARES_SHIFT |
                      (uint64_t)((low == 0) + (high == 0)) << ZEROS_SHIFT |
                      (uint64_t)(1U << (byte & 15) | 1U << (byte >> 4)) << SEEN_SHIFT;
    }
}

static inline void add_block(struct bin *bin, const uint64_t table[256], const unsigned char *bytes,
                             unsigned n_bytes)
{
    uint32_t sums = 0;
    uint64_t seen = 0;
    for (unsigned i = 0; i < n_bytes; i++) {
        const uint64_t entry = table[bytes[i]];
        sums += (uint32_t)entry;
        seen |= entry;
    }
    bin->sum += (int64_t)(sums & ((1U << SQUARES_SHIFT) - 1)) - BIAS * (int64_t)n_bytes;
    bin->squares += (int64_t)(sums >> SQUARES_SHIFT & ((1U << (ZEROS_SHIFT - SQUARES_SHIFT)) - 1));
    bin->zeros += sums >> ZEROS_SHIFT;
    bin->count += 2 * (uint64_t)n_bytes;
    bin->seen |= (uint32_t)(seen >> SEEN_SHIFT);
}

/* The least and the largest doubled code that was seen. */
static void range_of(uint32_t seen, int *least, int *largest)
{
    *least = 12;
    *largest = -12;
    for (int code = 0; code < CODES; code++) {
        if ((seen >> code & 1) != 0) {
            *least = doubled[code] < *least ? doubled[code] : *least;
            *largest = doubled[code] > *largest ? doubled[code] : *largest;
        }
    }
}

/* A bin times its scale, |mantissa| < 2^28: products fit the widths of moments.h. */
static void flush(struct llmfp_moments *moments, const struct bin *bin, int64_t mantissa,
                  int exponent, bool finite)
{
    if (!finite) {
        llmfp_moments_add_counts(moments, bin->count, 0, bin->count);
        return;
    }
    llmfp_moments_add_counts(moments, bin->count, mantissa == 0 ? bin->count : bin->zeros, 0);
    llmfp_moments_add_sum(moments, (llmfp_i128)bin->sum * mantissa, exponent - 1);
    llmfp_moments_add_square(moments, (llmfp_u128)bin->squares * (uint64_t)(mantissa * mantissa),
                             2 * (exponent - 1));
    int least;
    int largest;
    range_of(bin->seen, &least, &largest);
    const double unit = ldexp((double)mantissa, exponent - 1);
    const double a = unit * least;
    const double b = unit * largest;
    llmfp_moments_add_range(moments, a < b ? a : b, a < b ? b : a);
}

static void add_blocks(struct bin bins[SCALES], const struct llmfp_elements *elements,
                       unsigned block_bytes)
{
    uint64_t table[256];
    make_table(table);
    const uint64_t first = elements->first_element / (2 * (uint64_t)block_bytes);
    const uint64_t n = elements->n_elements / (2 * (uint64_t)block_bytes);
    const unsigned char *scales = elements->sides->side[0].bytes + first;
    if (block_bytes == 16) { /* the count is a constant in each loop, to be unrolled */
        for (uint64_t i = 0; i < n; i++) {
            add_block(&bins[scales[i]], table, elements->bytes + 16 * i, 16);
        }
    } else {
        for (uint64_t i = 0; i < n; i++) {
            add_block(&bins[scales[i]], table, elements->bytes + 8 * i, 8);
        }
    }
}

void llmfp_add_f4_e8m0(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct bin bins[SCALES];
    memset(bins, 0, sizeof bins);
    add_blocks(bins, elements, 16);
    for (unsigned code = 0; code < SCALES; code++) {
        if (bins[code].count != 0) {
            flush(moments, &bins[code], 1, (int)code - 127, code != 0xFF);
        }
    }
}

/* All blocks times mantissa 2^exponent, |mantissa| < 2^24. */
static void add_e4m3(struct llmfp_moments *moments, const struct llmfp_elements *elements,
                     struct side_scale all)
{
    struct bin bins[SCALES];
    memset(bins, 0, sizeof bins);
    add_blocks(bins, elements, 8);
    for (unsigned code = 0; code < SCALES; code++) {
        if (bins[code].count != 0) {
            const unsigned char byte = (unsigned char)code;
            const struct side_scale scale = side_scale_of(LLMFP_F8_E4M3, &byte, 0);
            flush(moments, &bins[code], scale.mantissa * all.mantissa,
                  scale.exponent + all.exponent, scale.finite && all.finite);
        }
    }
}

void llmfp_add_f4_e4m3(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_e4m3(moments, elements, side_scale_at(elements->sides, 1, 0));
}

void llmfp_add_f4_e4m3_divided(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const int exponent = (int)(int64_t)elements->sides->parameters[0];
    add_e4m3(moments, elements, (struct side_scale){1, exponent, true});
}
