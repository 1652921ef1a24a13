/* float16_windows.c - which window each block of 16-bit floats is summed in (window16.h).
 *
 * The range of the elements so far is known, and a window ends where the range does: an
 * element inside the window needs no look at the range, and one beyond the range comes back
 * from the kernel. So most blocks are read once (CAPPED). Where elements keep coming back,
 * blocks are looked at before they are summed in a window without that limit (LOOK); where
 * no window holds nearly all, blocks are summed as floats, in windows of many more binades
 * (WIDE). After a disappointment the other way is kept for one block, then 4, 16, ...,
 * so that no input costs much more than its best way.
 *
 * The few elements outside are collected, and summed as floats when there are enough.   */
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "float16.h"
#include "float_sums.h"

enum way { CAPPED, LOOK, WIDE };

enum {
    SAMPLE = 256,         /* elements of a block that place the window */
    LEAST_SHARE = 15,     /* of 16 elements that a window must hold */
    MOST_PATIENCE = 256,  /* blocks */
    REST = 4096,          /* collected elements that are summed together */
    WIDENED = 1024,       /* elements that are floats at a time: 4 KiB */
    MOST_BLOCKS = 1 << 16 /* in one window: sums of squares stay below 2^72, sums below 2^50 */
};
_Static_assert((int)WIDENED <= (int)BLOCK, "a block of floats");

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
    uint16_t rest[REST + WINDOW16_BLOCK + 2 * WINDOW16_CHUNK];
    struct float_sums floats;
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

static void note_finite_one_by_one(struct windows *windows, const unsigned char *bytes, size_t n)
{
    const uint32_t infinity = infinity_of(windows->windowed->format);
    for (size_t i = 0; i < n; i++) {
        const uint32_t pattern = llmfp_load_u16(bytes + 2 * i);
        if ((pattern & (FLOAT16_SIGN - 1)) < infinity) {
            note_keys(windows, float16_key(pattern), float16_key(pattern));
        }
    }
}

/* The largest magnitude of n elements, a multiple of WINDOW16_CHUNK; they join the known
 * range, but for those that are infinite or NaN. */
static uint32_t note_range(struct windows *windows, const unsigned char *bytes, size_t n)
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
        note_finite_one_by_one(windows, bytes, n);
    } else {
        note_keys(windows, smallest, largest);
    }
    return magnitude;
}

/* ---- what no window holds ---- */

/* Sum n elements as floats; up to WINDOW16_CHUNK more may be read, of any value. */
static void add_as_floats(struct windows *windows, const unsigned char *bytes, size_t n)
{
    uint32_t floats[WIDENED];
    for (size_t i = 0; i < n; i += WIDENED) {
        const size_t n_part = n - i < WIDENED ? n - i : WIDENED;
        const size_t n_chunks = (n_part + WINDOW16_CHUNK - 1) / WINDOW16_CHUNK * WINDOW16_CHUNK;
        windows->windowed->kernels->widen(bytes + 2 * i, n_chunks, floats);
        llmfp_float_sums_add(&windows->floats, (const unsigned char *)floats, n_part);
    }
}

static void add_wide_sums(struct windows *windows, const struct window16_wide *window,
                          size_t n_inside)
{
    llmfp_moments_add_sum(windows->moments, window->sum, window->unit);
    llmfp_moments_add_square(windows->moments, window->squares, 2 * window->unit);
    windows->n_inside += n_inside;
    windows->n_zeros += window->zeros;
}

/* Sum n <= WINDOW16_BLOCK elements in wide windows from the top down; `magnitude` is the
 * largest of the whole chunks of WINDOW16_CHUNK. */
static void add_wide(struct windows *windows, const unsigned char *bytes, size_t n,
                     uint32_t magnitude)
{
    const struct float_format *format = windows->windowed->format;
    const struct window16_kernels *kernels = windows->windowed->kernels;
    const uint32_t infinity = infinity_of(format);
    uint16_t outside[WINDOW16_BLOCK + WINDOW16_CHUNK];
    while (n >= WINDOW16_CHUNK && kernels->add_wide != NULL && magnitude < infinity) {
        const size_t n_end = n % WINDOW16_CHUNK;
        uint16_t end[WINDOW16_CHUNK];
        memcpy(end, bytes + 2 * (n - n_end), 2 * n_end);
        const int top = (int)(magnitude >> format->mantissa_bits);
        const int below = top - (WINDOW16_WIDE_BITS - format->mantissa_bits - 1);
        const int lowest = below > 1 ? below : 1;
        struct window16_wide window = {
            .unit = bin_exponent(format, lowest),
            .first = lowest > 1 ? (uint32_t)lowest << format->mantissa_bits : 1,
            .end = infinity,
        };
        const size_t n_outside = kernels->add_wide(&window, bytes, n - n_end, outside);
        add_wide_sums(windows, &window, n - n_end - n_outside);
        memcpy(outside + n_outside, end, 2 * n_end);
        n = n_outside + n_end;
        bytes = (const unsigned char *)outside;
        magnitude = n < WINDOW16_CHUNK ? 0 : note_range(windows, bytes, n - n % WINDOW16_CHUNK);
    }
    add_as_floats(windows, bytes, n);
}

static void empty_rest(struct windows *windows)
{
    const unsigned char *bytes = (const unsigned char *)windows->rest;
    for (size_t i = 0; i < windows->n_rest; i += WINDOW16_BLOCK) {
        const size_t n =
            windows->n_rest - i < WINDOW16_BLOCK ? windows->n_rest - i : WINDOW16_BLOCK;
        const size_t n_whole = n - n % WINDOW16_CHUNK;
        add_wide(windows, bytes + 2 * i, n,
                 n_whole > 0 ? note_range(windows, bytes + 2 * i, n_whole) : 0);
    }
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
    const uint32_t magnitude = note_range(windows, bytes, n);
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
    add_wide(windows, bytes, n, magnitude);
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
    llmfp_float_sums_begin(&windows.floats, moments, llmfp_float_sums_kernels(),
                           windowed->format->mantissa_bits + 1, windowed->lowest_exponent);
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
    llmfp_float_sums_end(&windows.floats);
    llmfp_moments_add_counts(moments, windows.n_inside, windows.n_zeros, 0);
    if (windows.smallest <= windows.largest) {
        llmfp_moments_add_range(moments, float16_value(windowed->format, windows.smallest),
                                float16_value(windowed->format, windows.largest));
    }
}
