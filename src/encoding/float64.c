/* float64.c - kernel of F64: blocks in windows of binades where the machine has vectors
 * (window64.h); the rest, and everything without vectors, in 128-bit sums by exponent.
 * Source: IEEE 754 binary64.                                                    */
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "float_bits.h"
#include "kernels.h"
#include "llmfp/isa.h"
#include "window64.h"

enum {
    BINS = 2048,
    /* m^2 < 2^106: 2^20 of them stay below 2^126, sums of m below 2^73. */
    MOST_IN_BLOCK = 1 << 20,
    /* In one window: sums of squares stay below 2^(100 + 10 + 16). */
    MOST_BLOCKS = 1 << 16,
    FEW = 64 /* outside elements that are cheaper one by one than in a window of their own */
};

static const struct float_format f64 = {64, 52, 1023};

struct block {
    llmfp_i128 sum[BINS];
    llmfp_u128 squares[BINS];
    uint64_t n; /* elements in the bins */
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

static void begin_block(struct block *block)
{
    block->n = 0;
    block->zeros = 0;
    block->nonfinite = 0;
    block->first_bin = BINS;
    block->last_bin = 0;
    block->smallest = INT64_MAX;
    block->largest = INT64_MIN;
}

static void end_block(struct llmfp_moments *moments, struct block *block)
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
    llmfp_moments_add_counts(moments, block->n, block->zeros, block->nonfinite);
    if (block->smallest <= block->largest) {
        llmfp_moments_add_range(moments, llmfp_key_to_double(block->smallest),
                                llmfp_key_to_double(block->largest));
    }
    begin_block(block);
}

static void add_one_by_one(struct llmfp_moments *moments, struct block *block,
                           const unsigned char *bytes, uint64_t n)
{
    while (n > 0) {
        if (block->n == MOST_IN_BLOCK) {
            end_block(moments, block);
        }
        const uint64_t room = MOST_IN_BLOCK - block->n;
        const uint64_t n_part = n < room ? n : room;
        sum_by_exponent(block, bytes, n_part);
        block->n += n_part;
        bytes += 8 * n_part;
        n -= n_part;
    }
}

/* ---- windows ---- */

struct windows {
    struct llmfp_moments *moments;
    struct block *block;
    const struct window64_kernels *kernels;
    int lowest;         /* biased exponent where the window in use begins; 0: none yet */
    uint32_t n_blocks;  /* summed in it since it was placed */
    struct window64 in; /* their sums; zeros of all windows */
    uint64_t n_inside;
    llmfp_i128 high; /* as in `in`, of many blocks */
    llmfp_i128 low;
};

static int unit_of(int lowest)
{
    return bin_exponent(&f64, lowest);
}

/* Products may be negative: whole multiples of the unit of the squares go there. That leaves
 * no negative square, for |l| <= 2^(low_bits - 1), so |2 h l| <= h^2 2^low_bits. */
static void close_window(struct windows *windows)
{
    const int low_bits = windows->kernels->low_bits;
    const int unit = unit_of(windows->lowest);
    if (windows->n_blocks > 0) {
        const llmfp_i128 step = (llmfp_i128)1 << (low_bits - 1);
        llmfp_i128 carry = windows->in.products / step;
        llmfp_i128 rest = windows->in.products % step;
        if (rest < 0) {
            rest += step;
            carry--;
        }
        llmfp_moments_add_sum(windows->moments, windows->high, unit + low_bits);
        llmfp_moments_add_sum(windows->moments, windows->low, unit);
        llmfp_moments_add_square(windows->moments, (llmfp_u128)(windows->in.high_squares + carry),
                                 2 * (unit + low_bits));
        llmfp_moments_add_square(windows->moments, (llmfp_u128)rest, 2 * unit + low_bits + 1);
        llmfp_moments_add_square(windows->moments, (llmfp_u128)windows->in.low_squares, 2 * unit);
    }
    windows->n_blocks = 0;
    windows->high = 0;
    windows->low = 0;
    windows->in.high_squares = 0;
    windows->in.products = 0;
    windows->in.low_squares = 0;
}

/* A window that holds magnitudes up to this one, and not much more; false where the kernels
 * have none. */
static bool place_window(struct windows *windows, uint64_t magnitude)
{
    const int binades = windows->kernels->bits - f64.mantissa_bits;
    const int top = (int)(magnitude >> 52);
    const int above = windows->lowest + binades - 1 - top; /* binades that are not needed */
    int lowest = windows->lowest;
    if (lowest == 0 || above < 0 || (above > binades / 8 && lowest > 1)) {
        lowest = top - binades + 1 > 1 ? top - binades + 1 : 1;
    }
    const int unit = unit_of(lowest);
    if (unit < windows->kernels->least_unit || unit > windows->kernels->most_unit) {
        return false;
    }
    if (lowest != windows->lowest) {
        close_window(windows);
        windows->lowest = lowest;
    }
    return true;
}

/* Returns how many of n elements are outside. */
static size_t add_in_window(struct windows *windows, const unsigned char *bytes, size_t n,
                            unsigned char *outside)
{
    struct window64 window = {.unit = unit_of(windows->lowest)};
    window.first = windows->lowest == 1 ? 1U : (uint64_t)windows->lowest << 52;
    const size_t n_outside = windows->kernels->add(&window, bytes, n, outside);
    windows->n_inside += n - n_outside;
    windows->in.zeros += window.zeros;
    windows->high += window.high;
    windows->low += window.low;
    windows->in.high_squares += window.high_squares;
    windows->in.products += window.products;
    windows->in.low_squares += window.low_squares;
    if (++windows->n_blocks == MOST_BLOCKS) {
        close_window(windows);
    }
    return n_outside;
}

static int64_t order_key(uint64_t pattern)
{
    const int64_t magnitude = (int64_t)(pattern & INT64_MAX);
    return pattern >> 63 != 0 ? -magnitude : magnitude;
}

/* The largest magnitude of n elements; if finite, they join the known range. */
static uint64_t note_range(struct windows *windows, const unsigned char *bytes, size_t n)
{
    const struct window64_range range = windows->kernels->range(bytes, n);
    const bool any_negative = range.largest_unsigned > INT64_MAX;
    const bool any_positive = range.largest_signed >= 0;
    const int64_t smallest =
        order_key(any_negative ? range.largest_unsigned : range.smallest_unsigned);
    const int64_t largest =
        any_positive ? range.largest_signed : order_key(range.smallest_unsigned);
    const int64_t magnitude = largest > -smallest ? largest : -smallest;
    struct block *block = windows->block;
    if (magnitude >> 52 < BINS - 1) {
        block->smallest = smallest < block->smallest ? smallest : block->smallest;
        block->largest = largest > block->largest ? largest : block->largest;
    }
    return (uint64_t)magnitude;
}

/* n elements, a multiple of WINDOW64_CHUNK: in windows that go down until few are left. */
static void add_in_windows(struct windows *windows, const unsigned char *bytes, size_t n)
{
    unsigned char outside[8 * (WINDOW64_BLOCK + WINDOW64_CHUNK)];
    size_t n_left = n;
    while (n_left >= FEW) {
        const size_t n_window = n_left - n_left % WINDOW64_CHUNK;
        const size_t n_end = n_left - n_window;
        const uint64_t magnitude = note_range(windows, bytes, n_window);
        if (magnitude >> 52 == BINS - 1 || !place_window(windows, magnitude)) {
            break;
        }
        unsigned char end[8 * WINDOW64_CHUNK];
        memcpy(end, bytes + 8 * n_window, 8 * n_end);
        const size_t n_outside = add_in_window(windows, bytes, n_window, outside);
        memcpy(outside + 8 * n_outside, end, 8 * n_end);
        n_left = n_outside + n_end;
        bytes = outside;
    }
    add_one_by_one(windows->moments, windows->block, bytes, n_left);
}

static const struct window64_kernels *kernels_in_use(void)
{
    switch (llmfp_isa_chosen()) {
#if defined(__x86_64__)
    case LLMFP_ISA_AVX512:
        return &llmfp_window64_avx512;
    case LLMFP_ISA_AVX2:
        return &llmfp_window64_avx2;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    case LLMFP_ISA_NEON:
        return &llmfp_window64_neon;
#endif
    default:
        return NULL;
    }
}

void llmfp_add_f64(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const unsigned char *bytes = elements->bytes;
    uint64_t n = elements->n_elements;
    struct block block;
    memset(&block, 0, sizeof block);
    begin_block(&block);
    struct windows windows = {.moments = moments, .block = &block, .kernels = kernels_in_use()};
    while (windows.kernels != NULL && n >= FEW) {
        const uint64_t n_whole = n - n % WINDOW64_CHUNK;
        const size_t n_block = n_whole < WINDOW64_BLOCK ? (size_t)n_whole : WINDOW64_BLOCK;
        add_in_windows(&windows, bytes, n_block);
        bytes += 8 * n_block;
        n -= n_block;
    }
    add_one_by_one(moments, &block, bytes, n);
    if (windows.kernels != NULL) {
        close_window(&windows);
        llmfp_moments_add_counts(moments, windows.n_inside, windows.in.zeros, 0);
    }
    end_block(moments, &block);
}
