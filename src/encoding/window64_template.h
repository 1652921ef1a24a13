/* window64_template.h - the kernels on doubles for vectors of VECTOR_BYTES bytes (16 to 64), one
 * for windows of 16 binades and a wide one for 70; included by the file of each instruction
 * set, which defines
 *   TARGET   attribute of every function
 *   is_any(a)   true where any bit of a vector of 64-bit integers is set
 *   multiply_add(a, b, c)   a b + c on vectors of doubles, rounded once
 *
 * Exactness. A block has at most WINDOW64_BLOCK elements in LANES lanes, so a lane receives
 * N <= 2^9 of them. In units of 2^unit, and its square for squares:
 * - narrow, |v| < 2^68. Adding 1.5 * 2^52 * 2^46 and taking it away rounds v to a multiple of
 *   2^46: a = that, an integer of at most 2^22 times 2^46. What is left, at most 2^45, is cut
 *   into b, at most 2^22 times 2^23, and c, at most 2^22. All steps but the roundings are
 *   exact, and so are products and N of them: in their units they are at most 2^44 each.
 * - wide, |v| < 2^123. v^2 is q + r, q a double and |r| <= 2^-53 q, exactly. Accumulators of the
 *   units 2^(41 k) (window_accumulators.h) receive q and then its rests, k = 5 to 1:
 *   N (2^246 + 2^205) < 2^50 2^205; and r < 2^193 from k = 4 on, beside the rests of q:
 *   N (2^193 + 2^204 + 2^164) < 2^50 2^164, and N 2 (2^(41 (k + 1)) / 2 + 2^(41 k)) <
 *   2^51 2^(41 k). The last rests are at most 2^40: 2 N of them stay below 2^53. Likewise v
 *   from k = 2 on, N (2^123 + 2^82) < 2^51 2^82.
 * Units are such that nothing underflows, nor is infinite; beyond those that do so (shift_of),
 * windows are moved by a power of two, exactly; down, only wide ones.                */
#include "window64.h"

enum {
    BITS = 68,
    STEP = 23,
    WIDE_BITS = 123,
    WIDE_STEP = 41,
    SHIFT = 600, /* binades: wide windows beyond these units are moved that far, exactly */
    LEAST_UNSHIFTED = -500,
    MOST_UNSHIFTED = 350,
    LANES = VECTOR_BYTES / 8,
    N_LANES = 1,
    CHUNK_BYTES = 8 * WINDOW64_CHUNK,
    VECTORS = CHUNK_BYTES / VECTOR_BYTES,
    AHEAD_BYTES = WINDOW64_AHEAD
};
_Static_assert(WINDOW64_BLOCK / LANES <= 1 << 9, "the bound on the elements of a lane");
_Static_assert(WINDOW64_CHUNK % LANES == 0, "a chunk fills whole vectors");

typedef int64_t magnitude;
typedef vector_i64 patterns;
#define MOST_MAGNITUDE INT64_MAX
#define SIGN           INT64_MIN
/* `first` of the lowest and of the highest window that is not moved. */
#define LEAST_UNMOVED ((int64_t)(LEAST_UNSHIFTED + 1075) << 52)
#define MOST_UNMOVED  ((int64_t)(MOST_UNSHIFTED + 1075) << 52)

#include "window_accumulators.h"
#include "window_chunk.h"

/* Sums in units of 2^(unit + k step), from k = 0, and of squares likewise. Of a narrow window,
 * those of c, b, a; and c^2, b c, a c, b^2, a b, a^2. */
struct lanes {
    vector_f64 sum[3];
    vector_f64 squares[6];
    vector_f64 magic[2]; /* these round to the units of b and of a */
};

INLINE void add_doubles(struct lanes *lanes, vector_f64 x)
{
    const vector_f64 a = (x + lanes->magic[1]) - lanes->magic[1];
    const vector_f64 rest = x - a;
    const vector_f64 b = (rest + lanes->magic[0]) - lanes->magic[0];
    const vector_f64 c = rest - b;
    lanes->sum[0] += c;
    lanes->sum[1] += b;
    lanes->sum[2] += a;
    lanes->squares[0] = multiply_add(c, c, lanes->squares[0]);
    lanes->squares[1] = multiply_add(b, c, lanes->squares[1]);
    lanes->squares[2] = multiply_add(a, c, lanes->squares[2]);
    lanes->squares[3] = multiply_add(b, b, lanes->squares[3]);
    lanes->squares[4] = multiply_add(a, b, lanes->squares[4]);
    lanes->squares[5] = multiply_add(a, a, lanes->squares[5]);
}

/* The accumulators of a value from number k down to 0, which takes the last rest. */
INLINE void add_down(vector_f64 *accumulators, int k, vector_f64 value, vector_f64 one)
{
    for (; k > 0; k--) {
        value = add_upper_bits(&accumulators[k], value, one);
    }
    accumulators[0] = multiply_add(value, one, accumulators[0]);
}

INLINE void add_wide_doubles(struct lanes *lanes, vector_f64 x, vector_f64 one)
{
    const vector_f64 q = x * x;
    const vector_f64 r = multiply_add(x, x, -q);
    add_down(lanes->sum, 2, x, one);
    add_down(lanes->squares, 5, q, one);
    add_down(lanes->squares, 4, r, one);
}

/* Elements of a window that is moved up: multiplications of subnormal numbers take many times
 * longer than others. Those have the exponent of the lowest normal ones, but no leading bit:
 * it is put in and subtracted. */
INLINE vector_f64 move_up(patterns pattern)
{
    const int64_t binade = INT64_C(1) << 52;
    const patterns m = pattern & MOST_MAGNITUDE;
    const patterns is_subnormal = (patterns)(m < binade);
    const patterns moved = m + SHIFT * binade + (is_subnormal & binade);
    const patterns leading = is_subnormal & ((SHIFT + 1) * binade);
    return (vector_f64)((patterns)((vector_f64)moved - (vector_f64)leading) | (pattern & SIGN));
}

/* Elements of a window that is moved down: normal ones, and zeros. */
INLINE vector_f64 move_down(patterns pattern)
{
    const patterns is_zero = (patterns)((pattern & MOST_MAGNITUDE) == 0);
    return (vector_f64)(pattern - (~is_zero & (SHIFT * (INT64_C(1) << 52))));
}

INLINE void add_chunk(struct lanes *lanes, const unsigned char *bytes, bool is_wide, bool is_masked,
                      struct limits limits)
{
    const vector_f64 one = hidden_one();
    const bool is_moved_up = limits.first < LEAST_UNMOVED;
    const bool is_moved_down = is_wide && limits.first > MOST_UNMOVED;
#pragma GCC unroll 1
    for (int i = 0; i < VECTORS; i++) {
        const patterns pattern = load_masked(bytes, i, is_masked, limits);
        const vector_f64 x = is_moved_up     ? move_up(pattern)
                             : is_moved_down ? move_down(pattern)
                                             : (vector_f64)pattern;
        if (is_wide) {
            add_wide_doubles(lanes, x, one);
        } else {
            add_doubles(lanes, x);
        }
    }
}

INLINE bool is_outside(const unsigned char *bytes, struct limits limits)
{
    patterns outside = {0};
    for (int i = 0; i < VECTORS; i++) {
        const patterns m = load_vector(bytes, i) & MOST_MAGNITUDE;
        outside |= (m - limits.first) | (limits.most - m);
    }
    return is_any(outside & SIGN);
}

INLINE void copy_lanes(struct lanes *to, const struct lanes *from, bool is_wide)
{
    for (int k = 0; k < 3; k++) {
        to->sum[k] = from->sum[k];
    }
    for (int k = 0; k < 6; k++) {
        to->squares[k] = from->squares[k];
    }
    for (int k = 0; k < 2 && !is_wide; k++) {
        to->magic[k] = from->magic[k];
    }
}

/* Binades by which a window moves before squares and anchors would underflow, or be infinite. */
static int shift_of(int unit)
{
    return unit < LEAST_UNSHIFTED ? SHIFT : unit > MOST_UNSHIFTED ? -SHIFT : 0;
}

INLINE void begin_lanes(struct lanes *lanes, int unit, bool is_wide)
{
    const int shift = shift_of(unit);
    unit += shift;
    const vector_f64 zero = {0};
    for (int k = 0; k < 3; k++) {
        const double anchor = is_wide && k > 0 ? anchor_of(unit + k * WIDE_STEP) : 0;
        lanes->sum[k] = anchor - zero;
    }
    for (int k = 0; k < 6; k++) {
        const double anchor = is_wide && k > 0 ? anchor_of(2 * unit + k * WIDE_STEP) : 0;
        lanes->squares[k] = anchor - zero;
    }
    for (int k = 0; k < 2 && !is_wide; k++) {
        lanes->magic[k] = anchor_of(unit + (k + 1) * STEP) - zero;
    }
}

INLINE void collect_narrow(struct window64 *window, const struct lanes *lanes)
{
    /* Number k of the unit 2^(2 unit + to[k] STEP), times[k] times. */
    static const int to[6] = {0, 1, 2, 2, 3, 4};
    static const int times[6] = {1, 2, 2, 1, 2, 1};
    const int shifted = window->unit + shift_of(window->unit);
    for (int k = 0; k < 3; k++) {
        window->sum[k] = total_of(lanes->sum[k], 0, shifted + k * STEP);
    }
    for (int k = 0; k < 6; k++) {
        window->squares[to[k]] +=
            (llmfp_i128)times[k] * total_of(lanes->squares[k], 0, 2 * shifted + to[k] * STEP);
    }
}

INLINE void collect_wide(struct window64 *window, const struct lanes *lanes)
{
    const int shifted = window->unit + shift_of(window->unit);
    for (int k = 0; k < 3; k++) {
        const int unit = shifted + k * WIDE_STEP;
        window->sum[k] = total_of(lanes->sum[k], k > 0 ? anchor_of(unit) : 0, unit);
    }
    for (int k = 0; k < 6; k++) {
        const int unit = 2 * shifted + k * WIDE_STEP;
        window->squares[k] = total_of(lanes->squares[k], k > 0 ? anchor_of(unit) : 0, unit);
    }
}

/* Elements of a chunk that are below `limit` and not zero; returns their number. */
static TARGET size_t take_outside(const unsigned char *bytes, int64_t limit, unsigned char *outside)
{
    size_t n_outside = 0;
    for (size_t i = 0; i < WINDOW64_CHUNK; i++) {
        int64_t pattern;
        memcpy(&pattern, bytes + 8 * i, 8);
        const int64_t m = pattern & INT64_MAX;
        memcpy(outside + 8 * n_outside, &pattern, 8);
        n_outside += m < limit && m != 0;
    }
    return n_outside;
}

#include "window_pass.h"

INLINE size_t add_block(struct window64 *window, const unsigned char *bytes, size_t n,
                        unsigned char *outside, bool is_wide)
{
    struct lanes lanes;
    struct pass pass = {
        bytes, bytes + 8 * n, outside, {(int64_t)window->first, (int64_t)window->most}};
    begin_lanes(&lanes, window->unit, is_wide);
    const size_t n_outside = pass_through(&pass, &lanes, &window->zeros, is_wide);
    if (is_wide) {
        collect_wide(window, &lanes);
    } else {
        collect_narrow(window, &lanes);
    }
    return n_outside;
}

static TARGET __attribute__((unused)) size_t
add_window64(struct window64 *window, const unsigned char *bytes, size_t n, unsigned char *outside)
{
    return add_block(window, bytes, n, outside, false);
}

static TARGET size_t add_wide_window64(struct window64 *window, const unsigned char *bytes,
                                       size_t n, unsigned char *outside)
{
    return add_block(window, bytes, n, outside, true);
}

static TARGET struct window64_range find_range64(const unsigned char *bytes, size_t n)
{
    /* Unsigned comparisons by signed ones. */
    const patterns flip = INT64_MIN - (patterns){0};
    patterns largest_signed = flip;
    patterns largest_flipped = flip;
    patterns smallest_flipped = INT64_MAX - (patterns){0};
    for (size_t i = 0; i < n; i += LANES) {
        const patterns pattern = load_vector(bytes + 8 * i, 0);
        const patterns flipped = pattern ^ flip;
        const patterns is_largest = (patterns)(pattern > largest_signed);
        const patterns is_larger = (patterns)(flipped > largest_flipped);
        const patterns is_smaller = (patterns)(flipped < smallest_flipped);
        largest_signed = (pattern & is_largest) | (largest_signed & ~is_largest);
        largest_flipped = (flipped & is_larger) | (largest_flipped & ~is_larger);
        smallest_flipped = (flipped & is_smaller) | (smallest_flipped & ~is_smaller);
    }
    struct window64_range range = {INT64_MIN, 0, UINT64_MAX};
    for (int lane = 0; lane < LANES; lane++) {
        const uint64_t largest = (uint64_t)(largest_flipped[lane] ^ INT64_MIN);
        const uint64_t smallest = (uint64_t)(smallest_flipped[lane] ^ INT64_MIN);
        range.largest_signed = largest_signed[lane] > range.largest_signed ? largest_signed[lane]
                                                                           : range.largest_signed;
        range.largest_unsigned =
            largest > range.largest_unsigned ? largest : range.largest_unsigned;
        range.smallest_unsigned =
            smallest < range.smallest_unsigned ? smallest : range.smallest_unsigned;
    }
    return range;
}

#define WINDOW64_WIDE_KERNELS                                                                      \
    {                                                                                              \
        .bits = WIDE_BITS, .step = WIDE_STEP, .least_unit = -1074, .most_unit = 1023 - 52,         \
        .range = find_range64, .add = add_wide_window64,                                           \
    }
#define WINDOW64_KERNELS(wide_ones)                                                                \
    {                                                                                              \
        .bits = BITS, .step = STEP, .least_unit = -1074, .most_unit = MOST_UNSHIFTED,              \
        .range = find_range64, .wide = (wide_ones), .add = add_window64,                           \
    }
