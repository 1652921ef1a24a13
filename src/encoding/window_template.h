/* window_template.h - the kernels on floats for vectors of VECTOR_BYTES bytes, one for
 * windows of 19 binades and a wide one for 60; included once by the file of each
 * instruction set, which defines
 *   TARGET             attribute of every function
 *   VECTOR_BYTES       16, 32 or 64
 *   max_signed(a, b), max_unsigned(a, b)   on vectors of 32-bit integers
 *   is_any(a)          true where any bit of a vector is set
 *   multiply_add(a, b, c)   a b + c on vectors of doubles, rounded once or twice
 *   to_doubles(a, &low, &high)   the floats of a vector as two vectors of doubles
 *   take_outside(...)  see window_portable.h
 *
 * Exactness. A block has at most BLOCK elements in 2 or 4 sets of LANES lanes, so a lane
 * receives N <= 2^10 of them. Accumulators of units u: see window_accumulators.h. In units
 * of r (window.h), and r^2 for squares, which are exact (48 bits):
 * - narrow, |x| < 2^42: sums of x are below 2^52. x^2 < 2^84 with u = 2^44:
 *   N (2^84 + u) < 2^51 u, and rests N u / 2 <= 2^53.
 * - wide, |x| < 2^83: x with u = 2^43, N (2^83 + u) < 2^51 u. x^2 < 2^166 with u = 2^126,
 *   N (2^166 + u) < 2^51 u; the rests with 2^85, N (2^125 + u) < 2^51 u; theirs with 2^44,
 *   N (2^84 + u) < 2^51 u; and the last ones, N 2^43 <= 2^53.
 * Any order of the additions gives the same integers.                          */
#include "window.h"

enum {
    LANES = VECTOR_BYTES / 8,
    SETS = 4,
    WIDE_SETS = 2, /* of more accumulators, for as many registers */
    BITS = 42,
    WIDE_BITS = 83,
    /* units of accumulators */
    CUT_BITS = 44,
    UPPER_BITS = HIGH_SQUARES_BITS,
    TOP_BITS = 126,
    SUM_CUT_BITS = 43
};
_Static_assert(BLOCK / (WIDE_SETS * LANES) <= 1 << 10, "the bound on the elements of a lane");
_Static_assert(CHUNK % (SETS * LANES) == 0, "a chunk fills whole sets");
_Static_assert(UPPER_BITS == 85, "the bounds above");

typedef int32_t magnitude;
typedef vector_i32 patterns;
#define MOST_MAGNITUDE INT32_MAX
#define SIGN           INT32_MIN
enum {
    CHUNK_BYTES = 4 * CHUNK,
    VECTORS = CHUNK_BYTES / VECTOR_BYTES,
    AHEAD_BYTES = AHEAD,
    N_LANES = SETS
};

#include "window_accumulators.h"
#include "window_chunk.h"

struct lanes {
    vector_f64 sum;
    vector_f64 coarse; /* squares; those of the units 2^126, 2^85, 2^44, 1 */
    vector_f64 fine;
    vector_f64 top; /* wide only, as are these */
    vector_f64 upper;
    vector_f64 coarse_sum;
};

INLINE void add_wide_vector(struct lanes *lanes, vector_f64 x, vector_f64 one)
{
    lanes->sum = multiply_add(add_upper_bits(&lanes->coarse_sum, x, one), one, lanes->sum);
    const vector_f64 rest = add_upper_bits(&lanes->upper, square_upper_bits(&lanes->top, x), one);
    lanes->fine = multiply_add(add_upper_bits(&lanes->coarse, rest, one), one, lanes->fine);
}

INLINE void add_vector(struct lanes *lanes, vector_f64 x)
{
    lanes->sum += x;
    lanes->fine += square_upper_bits(&lanes->coarse, x);
}

/* One vector of floats, into two sets of accumulators. */
INLINE void add_pair(struct lanes *lanes, vector_i32 pattern)
{
    vector_f64 low;
    vector_f64 high;
    to_doubles(pattern, &low, &high);
    add_vector(&lanes[0], low);
    add_vector(&lanes[1], high);
}

INLINE void add_wide_pair(struct lanes *lanes, vector_i32 pattern, vector_f64 one)
{
    vector_f64 low;
    vector_f64 high;
    to_doubles(pattern, &low, &high);
    add_wide_vector(&lanes[0], low, one);
    add_wide_vector(&lanes[1], high, one);
}

/* A chunk, with zeros for elements below the window where it is masked. Not unrolled: GCC runs
 * out of registers then. */
INLINE void add_chunk(struct lanes *lanes, const unsigned char *bytes, bool is_wide, bool is_masked,
                      struct limits limits)
{
    if (is_wide) {
        const vector_f64 one = hidden_one();
#pragma GCC unroll 1
        for (int i = 0; i < VECTORS; i++) {
            add_wide_pair(lanes, load_masked(bytes, i, is_masked, limits), one);
        }
    } else {
#pragma GCC unroll 1
        for (int i = 0; i < VECTORS; i += 2) {
            add_pair(lanes, load_masked(bytes, i, is_masked, limits));
            add_pair(lanes + 2, load_masked(bytes, i + 1, is_masked, limits));
        }
    }
}

/* Whether elements are below the window, zeros among them, or above `most`. Shifted left by
 * one, patterns lose their sign; below the window, they wrap. */
INLINE bool is_outside(const unsigned char *bytes, struct limits limits)
{
    const vector_u32 first = (uint32_t)limits.first * 2 - (vector_u32){0};
    const vector_u32 span = (uint32_t)(limits.most - limits.first) * 2 - (vector_u32){0};
    vector_u32 above = span;
    for (int i = 0; i < VECTORS; i++) {
        const vector_u32 pattern = (vector_u32)load_vector(bytes, i);
        above = max_unsigned(above, pattern + pattern - first);
    }
    return is_any((vector_i32)(above ^ span));
}

INLINE void begin_lanes(struct lanes *lanes, int unit, bool is_wide)
{
    const vector_f64 zero = {0};
    for (int set = 0; set < SETS; set++) {
        lanes[set].sum = zero;
        lanes[set].fine = zero;
        lanes[set].coarse = anchor_of(CUT_BITS + 2 * unit) - zero;
        if (is_wide) {
            lanes[set].top = anchor_of(TOP_BITS + 2 * unit) - zero;
            lanes[set].upper = anchor_of(UPPER_BITS + 2 * unit) - zero;
            lanes[set].coarse_sum = anchor_of(SUM_CUT_BITS + unit) - zero;
        }
    }
}

INLINE void collect_lanes(struct window *window, const struct lanes *lanes, bool is_wide)
{
    const int unit = window->unit;
    for (int set = 0; set < (is_wide ? WIDE_SETS : SETS); set++) {
        const struct lanes *l = &lanes[set];
        const int64_t coarse =
            total_of(l->coarse, anchor_of(CUT_BITS + 2 * unit), CUT_BITS + 2 * unit);
        window->sum += total_of(l->sum, 0, unit);
        window->squares += coarse * ((llmfp_i128)1 << CUT_BITS) + total_of(l->fine, 0, 2 * unit);
        if (is_wide) {
            const int64_t coarse_sum =
                total_of(l->coarse_sum, anchor_of(SUM_CUT_BITS + unit), SUM_CUT_BITS + unit);
            const int64_t top =
                total_of(l->top, anchor_of(TOP_BITS + 2 * unit), TOP_BITS + 2 * unit);
            window->sum += coarse_sum * ((llmfp_i128)1 << SUM_CUT_BITS);
            window->high_squares +=
                top * ((llmfp_i128)1 << (TOP_BITS - UPPER_BITS)) +
                total_of(l->upper, anchor_of(UPPER_BITS + 2 * unit), UPPER_BITS + 2 * unit);
        }
    }
}

/* Only what is in use, one by one: so that it ends in registers. */
INLINE void copy_lanes(struct lanes *to, const struct lanes *from, bool is_wide)
{
    for (int set = 0; set < (is_wide ? WIDE_SETS : SETS); set++) {
        to[set].sum = from[set].sum;
        to[set].coarse = from[set].coarse;
        to[set].fine = from[set].fine;
        if (is_wide) {
            to[set].top = from[set].top;
            to[set].upper = from[set].upper;
            to[set].coarse_sum = from[set].coarse_sum;
        }
    }
}

#include "window_pass.h"

INLINE size_t add_block(struct window *window, const unsigned char *bytes, size_t n,
                        unsigned char *outside, bool is_wide)
{
    struct lanes lanes[SETS];
    struct pass pass = {
        bytes, bytes + 4 * n, outside, {(int32_t)window->first, (int32_t)window->most}};
    begin_lanes(lanes, window->unit, is_wide);
    window->zeros = 0;
    window->sum = 0;
    window->squares = 0;
    window->high_squares = 0;
    const size_t n_outside = pass_through(&pass, lanes, &window->zeros, is_wide);
    collect_lanes(window, lanes, is_wide);
    return n_outside;
}

static TARGET __attribute__((unused)) size_t
add_window(struct window *window, const unsigned char *bytes, size_t n, unsigned char *outside)
{
    return add_block(window, bytes, n, outside, false);
}

static TARGET size_t add_wide_window(struct window *window, const unsigned char *bytes, size_t n,
                                     unsigned char *outside)
{
    return add_block(window, bytes, n, outside, true);
}

static TARGET struct window_range find_range(const unsigned char *bytes, size_t n)
{
    vector_i32 largest_signed = INT32_MIN - (vector_i32){0};
    vector_u32 largest_unsigned = {0};
    vector_u32 largest_inverted = {0};
    for (size_t i = 0; i < n; i += VECTOR_BYTES / 4) {
        const vector_i32 pattern = load_vector(bytes + 4 * i, 0);
        largest_signed = max_signed(largest_signed, pattern);
        largest_unsigned = max_unsigned(largest_unsigned, (vector_u32)pattern);
        largest_inverted = max_unsigned(largest_inverted, ~(vector_u32)pattern);
    }
    struct window_range range = {INT32_MIN, 0, UINT32_MAX};
    for (int lane = 0; lane < VECTOR_BYTES / 4; lane++) {
        const uint32_t smallest = ~largest_inverted[lane];
        range.largest_signed = largest_signed[lane] > range.largest_signed ? largest_signed[lane]
                                                                           : range.largest_signed;
        range.largest_unsigned = largest_unsigned[lane] > range.largest_unsigned
                                     ? largest_unsigned[lane]
                                     : range.largest_unsigned;
        range.smallest_unsigned =
            smallest < range.smallest_unsigned ? smallest : range.smallest_unsigned;
    }
    return range;
}
