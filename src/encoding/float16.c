/* float16.c - kernels of the 16-bit floats, F16 and BF16.
 *
 * Where the machine has vectors, blocks are summed in windows of binades (window16.h)
 * that follow the data; the few elements outside are summed one by one. Otherwise, and
 * where no window fits, long runs are counted: how often each of the 65,536 patterns
 * occurs is a complete summary, one increment per element. Short runs, for which walking
 * the table would cost more than the elements, are summed by exponent.
 * Sources: IEEE 754 binary16; BF16 is the upper half of IEEE 754 binary32.     */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "float_bits.h"
#include "kernels.h"
#include "llmfp/isa.h"
#include "window16.h"

enum {
    PATTERNS = 1 << 16,
    SIGN = 1 << 15,
    SHORT_RUN = 1 << 16, /* elements; below it the table does not pay */
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

/* Sign and magnitude of a pattern as an integer that compares as the values do. */
static int32_t order_key(uint32_t pattern)
{
    const int32_t magnitude = (int32_t)(pattern & (SIGN - 1));
    return (pattern & SIGN) != 0 ? -magnitude : magnitude;
}

static double value_of_key(const struct float_format *format, int32_t key)
{
    const double value = value_of_bits(format, (uint64_t)(key < 0 ? -key : key));
    return key < 0 ? -value : value;
}

static void note_range(struct block *block, int32_t key)
{
    block->smallest = key < block->smallest ? key : block->smallest;
    block->largest = key > block->largest ? key : block->largest;
}

static void sum_short_run(const struct float_format *format, struct block *block,
                          const unsigned char *bytes, uint64_t n)
{
    const uint32_t mantissa_mask = (1U << format->mantissa_bits) - 1;
    const uint32_t infinity = (SIGN - 1) & ~mantissa_mask;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t pattern = llmfp_load_u16(bytes + 2 * i);
        const uint32_t magnitude = pattern & (SIGN - 1);
        if (magnitude >= infinity) {
            block->nonfinite++;
            continue;
        }
        const uint32_t biased = magnitude >> format->mantissa_bits;
        const int64_t m =
            (int64_t)((magnitude & mantissa_mask) | (biased > 0 ? mantissa_mask + 1 : 0));
        block->sum[biased] += (pattern & SIGN) != 0 ? -m : m;
        block->squares[biased] += (uint64_t)(m * m);
        block->zeros += magnitude == 0;
        note_range(block, order_key(pattern));
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
    const uint32_t infinity = (SIGN - 1) & ~mantissa_mask;
    for (uint32_t magnitude = 0; magnitude < SIGN; magnitude++) {
        const int64_t positive = (int64_t)counts[magnitude] + (int64_t)counts[PATTERNS + magnitude];
        const int64_t negative =
            (int64_t)counts[magnitude | SIGN] + (int64_t)counts[PATTERNS + (magnitude | SIGN)];
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
        llmfp_moments_add_range(moments, value_of_key(format, block->smallest),
                                value_of_key(format, block->largest));
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

/* ---- windows ---- */

/* What differs between the two formats and among instruction sets. */
struct windowed {
    const struct float_format *format;
    int binades;
    window16_kernel *kernel; /* NULL: none on this machine */
};

static struct windowed windowed_bf16(void)
{
    window16_kernel *kernel = NULL;
#if defined(__x86_64__)
    static window16_kernel *const kernels[LLMFP_N_ISAS] = {
        [LLMFP_ISA_AVX512] = llmfp_window16_bf16_avx512,
        [LLMFP_ISA_AVX2] = llmfp_window16_bf16_avx2,
    };
    kernel = kernels[llmfp_isa_chosen()];
#endif
    return (struct windowed){&bf16, WINDOW16_BINADES_BF16, kernel};
}

static struct windowed windowed_f16(void)
{
    window16_kernel *kernel = NULL;
#if defined(__x86_64__)
    static window16_kernel *const kernels[LLMFP_N_ISAS] = {
        [LLMFP_ISA_AVX512] = llmfp_window16_f16_avx512,
        [LLMFP_ISA_AVX2] = llmfp_window16_f16_avx2,
    };
    kernel = kernels[llmfp_isa_chosen()];
#endif
    return (struct windowed){&f16, WINDOW16_BINADES_F16, kernel};
}

enum {
    SAMPLE = 512,     /* elements of a block that place the window */
    LOOK = 64,        /* elements that tell whether it still fits */
    LEAST_SHARE = 15, /* of 16 sampled elements that a window must hold */
    LEAST_WINDOWED = 1024
};

/* Whether the elements that are looked at lie in the window, but for a few. */
static bool still_fits(const struct window16 *window, const unsigned char *bytes, size_t n)
{
    uint32_t outside = 0;
    for (size_t i = 0; i < LOOK; i++) {
        const uint32_t magnitude = llmfp_load_u16(bytes + 2 * (n / LOOK * i)) & (SIGN - 1);
        outside += magnitude != 0 && magnitude - window->first >= window->span;
    }
    return outside <= LOOK / 16;
}

/* The lowest biased exponent of the window that holds most of a sample. False when too
 * much of it would lie outside, or the window cannot be scaled by a float. */
static bool place_window(const struct windowed *windowed, const unsigned char *bytes, size_t n,
                         int *lowest)
{
    const int mantissa_bits = windowed->format->mantissa_bits;
    const int n_exponents = (1 << (15 - mantissa_bits)) - 1; /* finite ones */
    const int least = windowed->format == &bf16 ? 7 : 0;     /* 2^-unit is a float from here on */
    uint32_t counts[256] = {0};
    uint32_t sampled = 0;
    for (size_t i = 0; i < SAMPLE; i++) {
        const uint32_t magnitude = llmfp_load_u16(bytes + 2 * (n / SAMPLE * i)) & (SIGN - 1);
        counts[magnitude >> mantissa_bits] += magnitude != 0;
        sampled += magnitude != 0;
    }
    uint32_t inside = 0;
    uint32_t best = 0;
    *lowest = least;
    for (int e = least; e < n_exponents; e++) {
        inside += counts[e];
        if (e - windowed->binades >= least) {
            inside -= counts[e - windowed->binades];
        }
        /* Ties go up: larger elements than those sampled are likelier than smaller ones. */
        if (inside >= best && e - windowed->binades + 1 >= least) {
            best = inside;
            *lowest = e - windowed->binades + 1;
        }
    }
    return best * 16 >= sampled * LEAST_SHARE;
}

static struct window16 window_at(const struct windowed *windowed, int lowest)
{
    const struct float_format *format = windowed->format;
    const uint32_t first = (uint32_t)lowest << format->mantissa_bits;
    const uint32_t end = (uint32_t)(lowest + windowed->binades) << format->mantissa_bits;
    return (struct window16){
        .first = lowest == 0 ? 1 : first, /* zeros are counted apart */
        .span = end - (lowest == 0 ? 1 : first),
        .scale = ldexpf(1.0F, -bin_exponent(format, lowest)),
    };
}

/* A pattern as a finite double. */
static double value_of(const struct float_format *format, uint32_t pattern)
{
    return value_of_key(format, order_key(pattern));
}

/* Put the sums of all blocks of one window into the moments. */
static void add_window(const struct windowed *windowed, struct llmfp_moments *moments, int lowest,
                       const struct window16_sums *sums, uint64_t n_inside)
{
    const int unit = bin_exponent(windowed->format, lowest);
    llmfp_moments_add_sum(moments, sums->sum, unit);
    llmfp_moments_add_square(moments, sums->squares, 2 * unit);
    llmfp_moments_add_counts(moments, n_inside, sums->zeros, 0);
    if (sums->smallest_unsigned <= sums->largest_unsigned) {
        /* Negative patterns are the larger ones as unsigned, and the larger their magnitude
         * the larger; as signed numbers positive ones are the larger. */
        const bool any_negative = sums->largest_unsigned >= SIGN;
        const bool any_positive = sums->largest_signed >= 0;
        const uint32_t smallest = any_negative ? sums->largest_unsigned : sums->smallest_unsigned;
        const uint32_t largest =
            any_positive ? (uint32_t)sums->largest_signed : sums->smallest_unsigned;
        llmfp_moments_add_range(moments, value_of(windowed->format, smallest),
                                value_of(windowed->format, largest));
    }
}

/* One block in a window; what is outside goes the plain way. */
static void add_windowed_block(const struct windowed *windowed, struct llmfp_moments *moments,
                               int lowest, const unsigned char *bytes, size_t n)
{
    uint16_t outside[WINDOW16_BLOCK + WINDOW16_CHUNK];
    struct window16_sums sums = {
        .largest_signed = INT32_MIN, .largest_unsigned = 0, .smallest_unsigned = UINT32_MAX};
    const struct window16 window = window_at(windowed, lowest);
    const size_t n_outside = windowed->kernel(&window, bytes, n, &sums, outside);
    add_window(windowed, moments, lowest, &sums, n - n_outside);
    if (n_outside > 0) {
        add_plain(windowed->format, moments, (const unsigned char *)outside, n_outside);
    }
}

static void add_16_bits(const struct windowed *windowed, struct llmfp_moments *moments,
                        const unsigned char *bytes, uint64_t n)
{
    int lowest = -1; /* no window yet */
    while (n > 0) {
        const uint64_t n_block = n < WINDOW16_BLOCK ? n : WINDOW16_BLOCK;
        const size_t n_vectors = (size_t)(n_block / WINDOW16_CHUNK * WINDOW16_CHUNK);
        bool fits = windowed->kernel != NULL && n_block >= LEAST_WINDOWED;
        if (fits && lowest >= 0) {
            const struct window16 window = window_at(windowed, lowest);
            fits = still_fits(&window, bytes, n_vectors);
        }
        if (windowed->kernel != NULL && n_block >= LEAST_WINDOWED && (lowest < 0 || !fits)) {
            fits = place_window(windowed, bytes, n_vectors, &lowest);
        }
        if (fits) {
            add_windowed_block(windowed, moments, lowest, bytes, n_vectors);
            bytes += 2 * n_vectors;
            n -= n_vectors;
        } else { /* what is left all at once: the table wants long runs */
            const uint64_t n_plain = n < MOST_IN_BLOCK ? n : MOST_IN_BLOCK;
            add_plain(windowed->format, moments, bytes, n_plain);
            bytes += 2 * n_plain;
            n -= n_plain;
        }
    }
}

void llmfp_add_f16(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const struct windowed windowed = windowed_f16();
    add_16_bits(&windowed, moments, elements->bytes, elements->n_elements);
}

void llmfp_add_bf16(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const struct windowed windowed = windowed_bf16();
    add_16_bits(&windowed, moments, elements->bytes, elements->n_elements);
}
