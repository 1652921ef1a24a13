/* float16_windows.c - which window each block of 16-bit floats is summed in (window16.h).
 *
 * The range of the elements so far is known, and a window ends where the range does: an
 * element inside the window needs no look at the range, and one beyond the range comes back
 * from the kernel. So most blocks are read once (CAPPED). Where elements keep coming back,
 * blocks are looked at before they are summed in a window without that limit (LOOK); where
 * no window holds nearly all, blocks are summed by exponent, however many there are (WIDE;
 * float16_bins.h). After a disappointment the other way is kept for one block, then 4, 16, ...,
 * so that no input costs much more than its best way.
 *
 * The few elements outside are collected, and summed by exponent when there are enough. */
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "float16.h"
#include "float16_bins.h"

enum way { CAPPED, LOOK, WIDE };

enum {
    SAMPLE = 256,         /* elements of a block that place the window */
    LEAST_SHARE = 15,     /* of 16 elements that a window must hold */
    MOST_PATIENCE = 256,  /* blocks */
    REST = 4096,          /* collected elements that are summed together */
    MOST_BLOCKS = 1 << 16 /* in one window: sums of squares stay below 2^72, sums below 2^50 */
};
enum { MOST_REST = REST + WINDOW16_BLOCK };
_Static_assert((int)MOST_REST <= (int)FLOAT16_MOST_BINNED, "what is collected");

struct windows {
    const struct float16_windowed *windowed;
    struct llmfp_moments *moments;
    enum way way;
    unsigned n_left;   /* blocks for which `way` is kept */
    unsigned patience; /* how many that will be next time */
    int lowest;        /* biased exponent where the window begins; -1: no window yet */
    uint32_t n_blocks; /* summed in this window */
    int64_t sum;
    llmfp_u128 squares;
    uint64_t n_inside;
    uint64_t n_zeros; /* found by the kernel */
    int32_t smallest; /* order keys of the known range */
    int32_t largest;
    size_t n_rest;
    uint16_t rest[MOST_REST + 2 * WINDOW16_CHUNK];
    struct float16_bins bins;
};

static uint32_t infinity_of(const struct float_format *format)
{
    return (FLOAT16_SIGN - 1U) & ~((1U << format->mantissa_bits) - 1);
}

/* ---- range ---- */

static void note_keys(struct windows *windows, int32_t smallest, int32_t largest)
{
    windows->smallest = smallest < windows->smallest ? smallest : windows->smallest;
    windows->largest = largest > windows->largest ? largest : windows->largest;
}

/* For blocks that have infinities or NaN. Integers as narrow as elements, for compilers'
 * vectors. */
static void note_finite(struct windows *windows, const unsigned char *bytes, size_t n)
{
    const int16_t infinity = (int16_t)infinity_of(windows->windowed->format);
    int16_t smallest = INT16_MAX;
    int16_t largest = INT16_MIN;
    for (size_t i = 0; i < n; i++) {
        const uint16_t pattern = llmfp_load_u16(bytes + 2 * i);
        const int16_t magnitude = (int16_t)(pattern & (FLOAT16_SIGN - 1));
        const int16_t key = (int16_t)float16_key(pattern);
        const int16_t low = (int16_t)(magnitude < infinity ? key : INT16_MAX);
        const int16_t high = (int16_t)(magnitude < infinity ? key : INT16_MIN);
        smallest = (int16_t)(low < smallest ? low : smallest);
        largest = (int16_t)(high > largest ? high : largest);
    }
    if (smallest <= largest) {
        note_keys(windows, smallest, largest);
    }
}

/* n elements, a multiple of WINDOW16_CHUNK, join the known range, but for those that are
 * infinite or NaN. */
static void note_range(struct windows *windows, const unsigned char *bytes, size_t n)
{
    const struct window16_range range = windows->windowed->kernels->range(bytes, n);
    /* Negative patterns are the larger ones as unsigned, and the larger their magnitude the
     * larger; as signed numbers positive ones are the larger. */
    const bool any_negative = range.largest_unsigned >= FLOAT16_SIGN;
    const bool any_positive = range.largest_signed >= 0;
    const int32_t smallest =
        float16_key(any_negative ? range.largest_unsigned : range.smallest_unsigned);
    const int32_t largest =
        any_positive ? range.largest_signed : float16_key(range.smallest_unsigned);
    const uint32_t magnitude = (uint32_t)(largest > -smallest ? largest : -smallest);
    if (magnitude >= infinity_of(windows->windowed->format)) {
        note_finite(windows, bytes, n);
    } else {
        note_keys(windows, smallest, largest);
    }
}

/* ---- what no window holds ---- */

static void empty_rest(struct windows *windows)
{
    llmfp_float16_bins_add(&windows->bins, (const unsigned char *)windows->rest, windows->n_rest);
    windows->n_rest = 0;
}

/* n more elements are behind those that are collected. */
static void take_rest(struct windows *windows, size_t n)
{
    uint16_t *added = windows->rest + windows->n_rest;
    const size_t padded = (n + WINDOW16_CHUNK - 1) / WINDOW16_CHUNK * WINDOW16_CHUNK;
    for (size_t i = n; i < padded; i++) {
        added[i] = added[0];
    }
    note_range(windows, (const unsigned char *)added, padded);
    windows->n_rest += n;
    if (windows->n_rest > REST) {
        empty_rest(windows);
    }
}

/* ---- windows ---- */

/* Put the sums of one window into the moments. */
static void close_window(struct windows *windows)
{
    if (windows->n_blocks > 0) {
        const int unit = bin_exponent(windows->windowed->format, windows->lowest);
        llmfp_moments_add_sum(windows->moments, windows->sum, unit);
        llmfp_moments_add_square(windows->moments, windows->squares, 2 * unit);
    }
    windows->n_blocks = 0;
    windows->sum = 0;
    windows->squares = 0;
}

static void move_window(struct windows *windows, int lowest)
{
    /* The float `magic` is at most 1.5 * 2^126, so that sums with it are finite. */
    const struct float_format *format = windows->windowed->format;
    const int most = 126 - 23 + format->bias + format->mantissa_bits;
    lowest = lowest < 1 ? 1 : lowest;
    lowest = lowest > most ? most : lowest;
    if (lowest != windows->lowest) {
        close_window(windows);
        windows->lowest = lowest;
    }
}

/* The window that holds most of a sample; false when too much of it would lie outside. */
static bool place_by_sample(struct windows *windows, const unsigned char *bytes, size_t n)
{
    const struct float_format *format = windows->windowed->format;
    const int binades = windows->windowed->binades;
    const int n_exponents = (1 << (15 - format->mantissa_bits)) - 1; /* finite ones */
    uint32_t counts[256] = {0};
    uint32_t sampled = 0;
    for (size_t i = 0; i < SAMPLE; i++) {
        const uint32_t magnitude =
            llmfp_load_u16(bytes + 2 * (n * i / SAMPLE)) & (FLOAT16_SIGN - 1);
        counts[magnitude >> format->mantissa_bits] += magnitude != 0 ? 1U : 0U;
        sampled += magnitude != 0;
    }
    uint32_t inside = 0;
    uint32_t best = 0;
    int lowest = 0;
    for (int e = 0; e < n_exponents; e++) {
        inside += counts[e];
        inside -= e >= binades ? counts[e - binades] : 0U;
        /* Ties go up: larger elements than those sampled are likelier than smaller ones. */
        if (inside >= best) {
            best = inside;
            lowest = e - binades + 1;
        }
    }
    move_window(windows, lowest);
    return best * 16 >= sampled * LEAST_SHARE;
}

/* The first window: the largest element so far, if any is finite, is in its highest binade. */
static void place_by_range(struct windows *windows)
{
    int32_t magnitude = 0;
    if (windows->smallest <= windows->largest) {
        magnitude = windows->largest > -windows->smallest ? windows->largest : -windows->smallest;
    }
    const int top = (int)(magnitude >> windows->windowed->format->mantissa_bits);
    move_window(windows, top - windows->windowed->binades + 1);
}

/* The window at `lowest`; where it is capped, only patterns that lie in the known range. */
static struct window16 make_window(const struct windows *windows, bool capped)
{
    const struct float_format *format = windows->windowed->format;
    const int mantissa_bits = format->mantissa_bits;
    const int unit = bin_exponent(format, windows->lowest);
    int32_t first = windows->lowest == 1 ? 1 : windows->lowest << mantissa_bits;
    int32_t end = (windows->lowest + windows->windowed->binades) << mantissa_bits;
    const int32_t infinity = (int32_t)infinity_of(format);
    end = end < infinity ? end : infinity;
    struct window16 window = {.significant = FLOAT16_SIGN - 1, .magic = ldexpf(1.5F, 23 + unit)};
    if (capped) {
        const int32_t low = windows->smallest;
        const int32_t high = windows->largest;
        int32_t least = 0; /* magnitudes, of both signs or of the one that there is */
        int32_t most = high < -low ? high : -low;
        if (low >= 0 || high <= 0) {
            window.significant = UINT16_MAX;
            least = low >= 0 ? low : -high;
            most = low >= 0 ? high : -low;
        }
        first = first > least ? first : least;
        end = end < most + 1 ? end : most + 1;
    }
    window.span = end > first ? (uint32_t)(end - first) : 0;
    window.first = (uint32_t)first;
    if (window.significant == UINT16_MAX && windows->largest <= 0) {
        window.first |= FLOAT16_SIGN;
    }
    return window;
}

/* ---- blocks ---- */

static void disappoint(struct windows *windows, enum way way)
{
    windows->way = way;
    windows->n_left = windows->patience;
    windows->patience = windows->patience < MOST_PATIENCE ? 4 * windows->patience : MOST_PATIENCE;
}

/* Sum a block in the window; false where too many elements are outside. */
static bool add_in_window(struct windows *windows, const unsigned char *bytes, size_t n,
                          bool capped)
{
    const struct window16 window = make_window(windows, capped);
    struct window16_sums sums = {0};
    const size_t n_outside =
        windows->windowed->kernels->add(&window, bytes, n, &sums, windows->rest + windows->n_rest);
    windows->sum += sums.sum;
    windows->squares += sums.squares;
    windows->n_inside += n - n_outside;
    windows->n_zeros += sums.zeros;
    if (sums.zeros > 0) {
        note_keys(windows, 0, 0);
    }
    if (n_outside > 0) {
        take_rest(windows, n_outside);
    }
    if (++windows->n_blocks == MOST_BLOCKS) {
        close_window(windows);
    }
    return n_outside <= n / 16;
}

static void add_block(struct windows *windows, const unsigned char *bytes, size_t n)
{
    if (windows->way == CAPPED) {
        if (!add_in_window(windows, bytes, n, true)) {
            disappoint(windows, LOOK);
        }
        return;
    }
    note_range(windows, bytes, n);
    if (windows->lowest < 0) {
        place_by_range(windows);
    }
    if (windows->n_left > 0) {
        windows->n_left--;
    }
    if (windows->way == LOOK) {
        if (!add_in_window(windows, bytes, n, false)) {
            if (!place_by_sample(windows, bytes, n)) {
                disappoint(windows, WIDE);
            }
        } else if (windows->n_left == 0) {
            windows->way = CAPPED;
        }
        return;
    }
    llmfp_float16_bins_add(&windows->bins, bytes, n);
    if (windows->n_left == 0 && place_by_sample(windows, bytes, n)) {
        windows->way = LOOK;
    } else if (windows->n_left == 0) {
        disappoint(windows, WIDE);
    }
}

void llmfp_float16_add_in_windows(const struct float16_windowed *windowed,
                                  struct llmfp_moments *moments, const unsigned char *bytes,
                                  uint64_t n)
{
    struct windows windows;
    memset(&windows, 0, offsetof(struct windows, rest));
    windows.windowed = windowed;
    windows.moments = moments;
    windows.way = LOOK;
    windows.patience = 1;
    windows.lowest = -1;
    windows.smallest = INT32_MAX;
    windows.largest = INT32_MIN;
    llmfp_float16_bins_begin(&windows.bins, windowed->format);
    while (n >= WINDOW16_CHUNK) {
        const uint64_t n_whole = n - n % WINDOW16_CHUNK;
        const size_t n_block = n_whole < WINDOW16_BLOCK ? (size_t)n_whole : WINDOW16_BLOCK;
        add_block(&windows, bytes, n_block);
        bytes += 2 * n_block;
        n -= n_block;
    }
    if (n > 0) {
        memcpy(windows.rest + windows.n_rest, bytes, 2 * (size_t)n);
        take_rest(&windows, (size_t)n);
    }
    close_window(&windows);
    empty_rest(&windows);
    llmfp_float16_bins_end(&windows.bins, moments);
    llmfp_moments_add_counts(moments, windows.n_inside, windows.n_zeros, 0);
    if (windows.smallest <= windows.largest) {
        llmfp_moments_add_range(moments, float16_value(windowed->format, windows.smallest),
                                float16_value(windowed->format, windows.largest));
    }
}
