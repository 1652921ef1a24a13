/* float32.c - kernel of F32: integer sums by exponent. Source: IEEE 754 binary32. */
#include <string.h>

#include "bytes.h"
#include "float_bits.h"
#include "kernels.h"

enum {
    BINS = 256,
    COPIES = 2, /* of the bins, so that equal neighbours do not wait for each other */
    /* m^2 < 2^48: 2^16 of them in all copies stay below 2^64. */
    MOST_IN_BLOCK = 1 << 16
};

static const struct float_format f32 = {32, 23, 127};

struct block {
    int64_t sum[COPIES][BINS];
    uint64_t squares[COPIES][BINS];
    uint64_t zeros;
    uint64_t nonfinite;
    int32_t smallest; /* order keys: sign and magnitude of the pattern */
    int32_t largest;
};

static void sum_by_exponent(struct block *block, const unsigned char *bytes, uint64_t n)
{
    uint64_t zeros = 0;
    uint64_t nonfinite = 0;
    int32_t smallest = INT32_MAX;
    int32_t largest = INT32_MIN;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t pattern = llmfp_load_u32(bytes + 4 * i);
        const uint32_t magnitude = pattern & INT32_MAX;
        if (magnitude >= UINT32_C(0x7F800000)) {
            nonfinite++;
            continue;
        }
        const uint32_t biased = magnitude >> 23;
        const int64_t m = (int64_t)((magnitude & 0x7FFFFF) | (biased > 0 ? 0x800000U : 0U));
        const int64_t sign = -(int64_t)(pattern >> 31); /* 0 or -1 */
        block->sum[i % COPIES][biased] += (m ^ sign) - sign;
        block->squares[i % COPIES][biased] += (uint64_t)(m * m);
        const int32_t key = ((int32_t)magnitude ^ (int32_t)sign) - (int32_t)sign;
        smallest = key < smallest ? key : smallest;
        largest = key > largest ? key : largest;
        zeros += magnitude == 0;
    }
    block->zeros = zeros;
    block->nonfinite = nonfinite;
    block->smallest = smallest;
    block->largest = largest;
}

static double value_of_key(int32_t key)
{
    const double value = value_of_bits(&f32, (uint64_t)(key < 0 ? -(int64_t)key : key));
    return key < 0 ? -value : value;
}

static void add_block(struct llmfp_moments *moments, const struct block *block, uint64_t n)
{
    for (int biased = 0; biased < BINS; biased++) {
        const uint64_t squares = block->squares[0][biased] + block->squares[1][biased];
        if (squares != 0) {
            const int exponent = bin_exponent(&f32, biased);
            llmfp_moments_add_sum(moments, block->sum[0][biased] + block->sum[1][biased], exponent);
            llmfp_moments_add_square(moments, squares, 2 * exponent);
        }
    }
    llmfp_moments_add_counts(moments, n, block->zeros, block->nonfinite);
    if (block->smallest <= block->largest) {
        llmfp_moments_add_range(moments, value_of_key(block->smallest),
                                value_of_key(block->largest));
    }
}

void llmfp_add_f32(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const unsigned char *bytes = elements->bytes;
    uint64_t n = elements->n_elements;
    while (n > 0) {
        const uint64_t n_block = n < MOST_IN_BLOCK ? n : MOST_IN_BLOCK;
        struct block block;
        memset(&block, 0, sizeof block);
        sum_by_exponent(&block, bytes, n_block);
        add_block(moments, &block, n_block);
        bytes += 4 * n_block;
        n -= n_block;
    }
}
