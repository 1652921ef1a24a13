/* float16.c - kernels of the 16-bit floats, F16 and BF16: in windows where the machine has
 * vectors (float16_windows.c). Otherwise long runs are counted: how often each of the 65,536
 * patterns occurs is a complete summary, one increment per element. Short runs, for which
 * walking the table would cost more than the elements, are summed by exponent.
 * Sources: IEEE 754 binary16; BF16 is the upper half of IEEE 754 binary32.     */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "float16.h"
#include "kernels.h"
#include "llmfp/isa.h"

enum {
    PATTERNS = 1 << 16,
    SHORT_RUN = 1 << 16, /* elements; below it the table does not pay */
    LEAST_WINDOWED = 1024,
    /* m^2 < 2^22 and at most 2^30 elements a block: every sum stays below 2^62. */
    MOST_IN_BLOCK = 1 << 30
};

static const struct float_format f16 = {16, 10, 15};
static const struct float_format bf16 = {16, 7, 127};

/* What a block of elements adds up to, in integers. */
struct block {
    int64_t sum[256]; /* by biased exponent: sum of +-m, and of m^2 */
    uint64_t squares[256];
    uint64_t zeros;
    uint64_t nonfinite;
    int32_t smallest; /* patterns as order keys; smallest > largest: none */
    int32_t largest;
};

static void note_range(struct block *block, int32_t key)
{
    block->smallest = key < block->smallest ? key : block->smallest;
    block->largest = key > block->largest ? key : block->largest;
}

static void sum_short_run(const struct float_format *format, struct block *block,
                          const unsigned char *bytes, uint64_t n)
{
    const uint32_t mantissa_mask = (1U << format->mantissa_bits) - 1;
    const uint32_t infinity = (FLOAT16_SIGN - 1) & ~mantissa_mask;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t pattern = llmfp_load_u16(bytes + 2 * i);
        const uint32_t magnitude = pattern & (FLOAT16_SIGN - 1);
        if (magnitude >= infinity) {
            block->nonfinite++;
            continue;
        }
        const uint32_t biased = magnitude >> format->mantissa_bits;
        const int64_t m =
            (int64_t)((magnitude & mantissa_mask) | (biased > 0 ? mantissa_mask + 1 : 0));
        block->sum[biased] += (pattern & FLOAT16_SIGN) != 0 ? -m : m;
        block->squares[biased] += (uint64_t)(m * m);
        block->zeros += magnitude == 0;
        note_range(block, float16_key(pattern));
    }
}

/* Two tables, so that equal neighbours do not wait for each other's increment. */
static void count_patterns(uint32_t *counts, const unsigned char *bytes, uint64_t n)
{
    uint32_t *even = counts;
    uint32_t *odd = counts + PATTERNS;
    uint64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint64_t four = llmfp_load_u64(bytes + 2 * i);
        even[four & 0xFFFF]++;
        odd[four >> 16 & 0xFFFF]++;
        even[four >> 32 & 0xFFFF]++;
        odd[four >> 48]++;
    }
    for (; i < n; i++) {
        even[llmfp_load_u16(bytes + 2 * i)]++;
    }
}

static void sum_counts(const struct float_format *format, struct block *block,
                       const uint32_t *counts)
{
    const uint32_t mantissa_mask = (1U << format->mantissa_bits) - 1;
    const uint32_t infinity = (FLOAT16_SIGN - 1) & ~mantissa_mask;
    for (uint32_t magnitude = 0; magnitude < FLOAT16_SIGN; magnitude++) {
        const int64_t positive = (int64_t)counts[magnitude] + (int64_t)counts[PATTERNS + magnitude];
        const int64_t negative = (int64_t)counts[magnitude | FLOAT16_SIGN] +
                                 (int64_t)counts[PATTERNS + (magnitude | FLOAT16_SIGN)];
        if ((positive | negative) == 0) {
            continue;
        }
        if (magnitude >= infinity) {
            block->nonfinite += (uint64_t)(positive + negative);
            continue;
        }
        const uint32_t biased = magnitude >> format->mantissa_bits;
        const int64_t m =
            (int64_t)((magnitude & mantissa_mask) | (biased > 0 ? mantissa_mask + 1 : 0));
        block->sum[biased] += m * (positive - negative);
        block->squares[biased] += (uint64_t)(m * m * (positive + negative));
        block->zeros += magnitude == 0 ? (uint64_t)(positive + negative) : 0;
        if (positive > 0) {
            note_range(block, (int32_t)magnitude);
        }
        if (negative > 0) {
            note_range(block, -(int32_t)magnitude);
        }
    }
}

static void add_block(const struct float_format *format, struct llmfp_moments *moments,
                      const struct block *block, uint64_t n)
{
    const int n_bins = 1 << (15 - format->mantissa_bits);
    for (int biased = 0; biased < n_bins; biased++) {
        if (block->squares[biased] != 0) {
            const int exponent = bin_exponent(format, biased);
            llmfp_moments_add_sum(moments, block->sum[biased], exponent);
            llmfp_moments_add_square(moments, block->squares[biased], 2 * exponent);
        }
    }
    llmfp_moments_add_counts(moments, n, block->zeros, block->nonfinite);
    if (block->smallest <= block->largest) {
        llmfp_moments_add_range(moments, float16_value(format, block->smallest),
                                float16_value(format, block->largest));
    }
}

/* Sum n elements, n <= MOST_IN_BLOCK, without a window. */
static void add_plain(const struct float_format *format, struct llmfp_moments *moments,
                      const unsigned char *bytes, uint64_t n)
{
    struct block block = {.smallest = INT32_MAX, .largest = INT32_MIN};
    uint32_t *counts = n < SHORT_RUN ? NULL : calloc((size_t)2 * PATTERNS, sizeof *counts);
    if (counts != NULL) {
        count_patterns(counts, bytes, n);
        sum_counts(format, &block, counts);
        free(counts);
    } else { /* short, or no memory for the table: the same numbers, slower */
        sum_short_run(format, &block, bytes, n);
    }
    add_block(format, moments, &block, n);
}

/* Whole blocks in windows; short runs and what is left without. */
static void add_16_bits(const struct float16_windowed *windowed, struct llmfp_moments *moments,
                        const struct llmfp_elements *elements)
{
    const unsigned char *bytes = elements->bytes;
    uint64_t n = elements->n_elements;
    if (windowed->kernels != NULL && n >= LEAST_WINDOWED) {
        llmfp_float16_add_in_windows(windowed, moments, bytes, n);
        return;
    }
    while (n > 0) {
        const uint64_t n_block = n < MOST_IN_BLOCK ? n : MOST_IN_BLOCK;
        add_plain(windowed->format, moments, bytes, n_block);
        bytes += 2 * n_block;
        n -= n_block;
    }
}

void llmfp_add_f16(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct float16_windowed windowed = {&f16, WINDOW16_BINADES_F16, NULL};
    static const struct window16_kernels *const kernels[LLMFP_N_ISAS] = {
#if defined(__x86_64__)
        [LLMFP_ISA_AVX512] = &llmfp_window16_f16_avx512,
        [LLMFP_ISA_AVX2] = &llmfp_window16_f16_avx2,
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        [LLMFP_ISA_NEON] = &llmfp_window16_f16_neon,
#endif
    };
    windowed.kernels = kernels[llmfp_isa_chosen()];
    add_16_bits(&windowed, moments, elements);
}

void llmfp_add_bf16(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct float16_windowed windowed = {&bf16, WINDOW16_BINADES_BF16, NULL};
    static const struct window16_kernels *const kernels[LLMFP_N_ISAS] = {
#if defined(__x86_64__)
        [LLMFP_ISA_AVX512] = &llmfp_window16_bf16_avx512,
        [LLMFP_ISA_AVX2] = &llmfp_window16_bf16_avx2,
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        [LLMFP_ISA_NEON] = &llmfp_window16_bf16_neon,
#endif
    };
    windowed.kernels = kernels[llmfp_isa_chosen()];
    add_16_bits(&windowed, moments, elements);
}
