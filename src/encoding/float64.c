/* float64.c - kernel of F64: 128-bit sums by exponent. Source: IEEE 754 binary64. */
#include <string.h>

#include "bytes.h"
#include "float_bits.h"
#include "kernels.h"

enum {
    BINS = 2048,
    /* m^2 < 2^106: 2^20 of them stay below 2^126, sums of m below 2^73. */
    MOST_IN_BLOCK = 1 << 20
};

static const struct float_format f64 = {64, 52, 1023};

struct block {
    llmfp_i128 sum[BINS];
    llmfp_u128 squares[BINS];
    uint64_t zeros;
    uint64_t nonfinite;
    uint32_t first_bin; /* bins outside first..last are empty */
    uint32_t last_bin;
    int64_t smallest; /* order keys */
    int64_t largest;
};

static void sum_by_exponent(struct block *block, const unsigned char *bytes, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t pattern = llmfp_load_u64(bytes + 8 * i);
        const uint64_t magnitude = pattern & INT64_MAX;
        const uint32_t biased = (uint32_t)(magnitude >> 52);
        if (biased == BINS - 1) {
            block->nonfinite++;
            continue;
        }
        const uint64_t m =
            (magnitude & ((UINT64_C(1) << 52) - 1)) | (biased > 0 ? UINT64_C(1) << 52 : 0);
        const int64_t sign = -(int64_t)(pattern >> 63); /* 0 or -1 */
        block->sum[biased] += ((int64_t)m ^ sign) - sign;
        block->squares[biased] += (llmfp_u128)m * m;
        const int64_t key = ((int64_t)magnitude ^ sign) - sign;
        block->smallest = key < block->smallest ? key : block->smallest;
        block->largest = key > block->largest ? key : block->largest;
        block->first_bin = biased < block->first_bin ? biased : block->first_bin;
        block->last_bin = biased > block->last_bin ? biased : block->last_bin;
        block->zeros += magnitude == 0;
    }
}

static void add_block(struct llmfp_moments *moments, struct block *block, uint64_t n)
{
    for (uint32_t biased = block->first_bin; biased <= block->last_bin; biased++) {
        if (block->squares[biased] != 0) {
            const int exponent = bin_exponent(&f64, (int)biased);
            llmfp_moments_add_sum(moments, block->sum[biased], exponent);
            llmfp_moments_add_square(moments, block->squares[biased], 2 * exponent);
            block->sum[biased] = 0;
            block->squares[biased] = 0;
        }
    }
    llmfp_moments_add_counts(moments, n, block->zeros, block->nonfinite);
    if (block->smallest <= block->largest) {
        llmfp_moments_add_range(moments, llmfp_key_to_double(block->smallest),
                                llmfp_key_to_double(block->largest));
    }
}

void llmfp_add_f64(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const unsigned char *bytes = elements->bytes;
    uint64_t n = elements->n_elements;
    struct block block;
    memset(&block, 0, sizeof block);
    while (n > 0) {
        const uint64_t n_block = n < MOST_IN_BLOCK ? n : MOST_IN_BLOCK;
        block.zeros = 0;
        block.nonfinite = 0;
        block.first_bin = BINS;
        block.last_bin = 0;
        block.smallest = INT64_MAX;
        block.largest = INT64_MIN;
        sum_by_exponent(&block, bytes, n_block);
        add_block(moments, &block, n_block);
        bytes += 8 * n_block;
        n -= n_block;
    }
}
