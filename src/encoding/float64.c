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
#include "window_choice.h"

enum {
    BINS = 2048,
    /* m^2 < 2^106: 2^20 of them stay below 2^126, sums of m below 2^73. */
    MOST_IN_BLOCK = 1 << 20,
    /* In one window: parts of sums of squares stay below 2^(100 + 10 + 16). */
    MOST_BLOCKS = 1 << 16,
    FEW = 64, /* outside elements that are cheaper one by one than in a window of their own */
    TOO_MANY = WINDOW64_BLOCK / WINDOW64_CHUNK, /* outside a narrow window: one in each chunk */
    MANY = WINDOW64_BLOCK / 16 /* so many outside that the window may be at the wrong place */
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
    const struct window64_kernels *narrow;
    const struct window64_kernels *kernels; /* in use: these, or their wide ones */
    int lowest;        /* biased exponent where the window in use begins; 0: none yet */
    uint32_t n_blocks; /* summed in it since it was placed */
    uint64_t zeros;    /* of all windows */
    uint64_t n_inside;
    struct looks looks;
    struct width width;
    llmfp_i128 sum[WINDOW64_SUMS]; /* as in window64.h, of many blocks */
    llmfp_i128 squares[WINDOW64_SQUARES];
};

static int unit_of(int lowest)
{
    return bin_exponent(&f64, lowest);
}

static void close_window(struct windows *windows)
{
    if (windows->n_blocks > 0) {
        const int step = windows->kernels->step;
        const int unit = unit_of(windows->lowest);
        llmfp_i128 carry = 0;
        for (int k = 0; k < WINDOW64_SUMS; k++) {
            if (windows->sum[k] != 0) {
                llmfp_moments_add_sum(windows->moments, windows->sum[k], unit + k * step);
            }
        }
        for (int k = 0; k < WINDOW64_SQUARES; k++) {
            /* A part may be negative; all together are not. */
            const llmfp_i128 value = windows->squares[k] + carry;
            const llmfp_i128 one = (llmfp_i128)1 << step;
            const llmfp_i128 part = k + 1 == WINDOW64_SQUARES ? value : (value % one + one) % one;
            carry = (value - part) / one;
            if (part != 0) {
                llmfp_moments_add_square(windows->moments, (llmfp_u128)part, 2 * unit + k * step);
            }
        }
    }
    windows->n_blocks = 0;
    memset(windows->sum, 0, sizeof windows->sum);
    memset(windows->squares, 0, sizeof windows->squares);
}

static int binades_of(const struct windows *windows)
{
    return windows->kernels->bits - f64.mantissa_bits;
}

/* The least biased exponent where a window of the kernels may begin. */
static int least_lowest(const struct windows *windows)
{
    const int least = windows->kernels->least_unit - unit_of(1) + 1;
    return least > 1 ? least : 1;
}

/* A window that holds magnitudes up to this one, and not much more; false where the kernels
 * have none. */
static bool place_window(struct windows *windows, uint64_t magnitude)
{
    const int binades = binades_of(windows);
    const int least = least_lowest(windows);
    const int top = (int)(magnitude >> 52);
    const int above = windows->lowest + binades - 1 - top; /* binades that are not needed */
    int lowest = windows->lowest;
    if (lowest == 0 || above < 0 || (above > binades / 8 && lowest > least)) {
        lowest = top - binades + 1 > least ? top - binades + 1 : least;
    }
    if ((top < lowest && lowest > 1) || unit_of(lowest) > windows->kernels->most_unit) {
        return false;
    }
    if (lowest != windows->lowest) {
        close_window(windows);
        windows->lowest = lowest;
    }
    return true;
}

static uint64_t first_of(const struct windows *windows)
{
    return windows->lowest == 1 ? 1U : (uint64_t)windows->lowest << 52;
}

/* After another width has been chosen. */
static void use_width(struct windows *windows)
{
    close_window(windows);
    windows->lowest = 0;
    windows->kernels = windows->width.is_wide ? windows->narrow->wide : windows->narrow;
}

/* As place_window, with wide kernels where the narrow ones have no such window. */
static void place_some_window(struct windows *windows, uint64_t magnitude)
{
    if (!place_window(windows, magnitude)) {
        widen(&windows->width);
        use_width(windows);
        (void)place_window(windows, magnitude);
    }
}

/* Sum n elements in the window, but for *n_outside below it. False where one is larger than
 * `most`: then none is summed. */
static bool add_in_window(struct windows *windows, const unsigned char *bytes, size_t n,
                          uint64_t most, unsigned char *outside, size_t *n_outside)
{
    struct window64 window = {.unit = unit_of(windows->lowest), .first = first_of(windows)};
    window.most = most > window.first ? most : window.first; /* all may be zeros */
    const size_t n_out = windows->kernels->add(&window, bytes, n, outside);
    if (n_out == BEYOND) {
        return false;
    }
    *n_outside = n_out;
    windows->n_inside += n - n_out;
    windows->zeros += window.zeros;
    for (int k = 0; k < WINDOW64_SUMS; k++) {
        windows->sum[k] += window.sum[k];
    }
    for (int k = 0; k < WINDOW64_SQUARES; k++) {
        windows->squares[k] += window.squares[k];
    }
    if (++windows->n_blocks == MOST_BLOCKS) {
        close_window(windows);
    }
    return true;
}

static int64_t order_key(uint64_t pattern)
{
    const int64_t magnitude = (int64_t)(pattern & INT64_MAX);
    return pattern >> 63 != 0 ? -magnitude : magnitude;
}

static uint64_t largest_magnitude(struct window64_range range)
{
    const uint64_t positive = range.largest_signed > 0 ? (uint64_t)range.largest_signed : 0;
    const uint64_t negative =
        range.largest_unsigned > INT64_MAX ? range.largest_unsigned & INT64_MAX : 0;
    return positive > negative ? positive : negative;
}

static void note_range(struct block *block, struct window64_range range)
{
    const bool any_negative = range.largest_unsigned > INT64_MAX;
    const bool any_positive = range.largest_signed >= 0;
    const int64_t smallest =
        order_key(any_negative ? range.largest_unsigned : range.smallest_unsigned);
    const int64_t largest =
        any_positive ? range.largest_signed : order_key(range.smallest_unsigned);
    block->smallest = smallest < block->smallest ? smallest : block->smallest;
    block->largest = largest > block->largest ? largest : block->largest;
}

/* What a window left outside, in windows that go down until few elements are left. The last
 * chunk is filled up with zeros. */
static void add_outside(struct windows *windows, unsigned char *outside, size_t n_left)
{
    while (n_left >= FEW) {
        const size_t n_zeros = (WINDOW64_CHUNK - n_left % WINDOW64_CHUNK) % WINDOW64_CHUNK;
        memset(outside + 8 * n_left, 0, 8 * n_zeros);
        const uint64_t most = largest_magnitude(windows->kernels->range(outside, n_left + n_zeros));
        size_t n_outside = 0;
        place_some_window(windows, most);
        (void)add_in_window(windows, outside, n_left + n_zeros, most, outside, &n_outside);
        windows->zeros -= n_zeros;
        windows->n_inside -= n_zeros;
        n_left = n_outside;
    }
    add_one_by_one(windows->moments, windows->block, outside, n_left);
}

/* The largest magnitude that neither widens the known range nor leaves the window; 0: none. */
static uint64_t known_magnitude(const struct windows *windows)
{
    const int64_t smallest = windows->block->smallest;
    const int64_t largest = windows->block->largest;
    if (windows->lowest == 0 || smallest >= 0 || largest <= 0) {
        return 0;
    }
    const uint64_t nearer = (uint64_t)(-smallest < largest ? -smallest : largest);
    const int end = windows->lowest + binades_of(windows);
    return (int)(nearer >> 52) < end ? nearer : ((uint64_t)end << 52) - 1;
}

/* As add_in_window: read once, if that is promising. */
static bool add_unseen(struct windows *windows, const unsigned char *bytes, size_t n,
                       unsigned char *outside, size_t *n_outside)
{
    const uint64_t most = known_magnitude(windows);
    if (look_is_due(&windows->looks) || most == 0 || most < first_of(windows)) {
        return false;
    }
    const bool is_added = add_in_window(windows, bytes, n, most, outside, n_outside);
    if (is_added && *n_outside < MANY) {
        windows->looks.next = 1;
    } else {
        lose_patience(&windows->looks);
    }
    return is_added;
}

/* n elements, a multiple of WINDOW64_CHUNK. */
static void add_in_windows(struct windows *windows, const unsigned char *bytes, size_t n)
{
    unsigned char outside[8 * (WINDOW64_BLOCK + WINDOW64_CHUNK)];
    size_t n_outside = 0;
    if (!add_unseen(windows, bytes, n, outside, &n_outside)) {
        const struct window64_range range = windows->kernels->range(bytes, n);
        const uint64_t most = largest_magnitude(range);
        if (most >> 52 == BINS - 1) {
            add_one_by_one(windows->moments, windows->block, bytes, n);
            return;
        }
        note_range(windows->block, range);
        place_some_window(windows, most);
        (void)add_in_window(windows, bytes, n, most, outside, &n_outside);
    }
    add_outside(windows, outside, n_outside);
    if (width_changes(&windows->width, n_outside >= TOO_MANY)) {
        use_width(windows);
    }
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
    const struct window64_kernels *kernels = kernels_in_use();
    struct windows windows = {.moments = moments,
                              .block = &block,
                              .narrow = kernels,
                              .kernels = kernels,
                              .looks = {.next = 1},
                              .width = {.next = LEAST_WIDE}};
    while (kernels != NULL && n >= WINDOW64_CHUNK) {
        const uint64_t n_whole = n - n % WINDOW64_CHUNK;
        const size_t n_block = n_whole < WINDOW64_BLOCK ? (size_t)n_whole : WINDOW64_BLOCK;
        add_in_windows(&windows, bytes, n_block);
        bytes += 8 * n_block;
        n -= n_block;
    }
    add_one_by_one(moments, &block, bytes, n);
    if (kernels != NULL) {
        close_window(&windows);
        llmfp_moments_add_counts(moments, windows.n_inside, windows.zeros, 0);
    }
    end_block(moments, &block);
}
