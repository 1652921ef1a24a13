/* window_template.h - the kernels on floats for vectors of VECTOR_BYTES bytes;
 * included once by the file of each instruction set, which defines
 *   TARGET             attribute of every function
 *   VECTOR_BYTES       16 or 32
 *   max_signed(a, b), max_unsigned(a, b)   on vectors of 32-bit integers
 *   is_any(a)          true where any bit of a vector is set
 *   multiply_add(a, b, c)   a b + c on vectors of doubles, rounded once or twice
 *   to_doubles(a, &low, &high)   the floats of a vector as two vectors of doubles
 *   take_outside(...)  see window_portable.h
 *
 * Exactness. A block has at most BLOCK elements in SETS sets of LANES lanes, so a
 * lane receives N = BLOCK / (SETS LANES) <= 2^10 of them. In units of r (window.h):
 * - x: |x| < 2^42, so every sum of a lane is below 2^52 and exact in a double.
 * - q = x^2: 48 bits, exact in a double; q < 2^84 and a multiple of 1. It is cut in two
 *   at u = 2^44: `coarse` starts at 1.5 * 2^52 u and stays in [2^52 u, 2^53 u), where
 *   doubles are the multiples of u, because N 2^84 + N u < 2^51 u. So s = coarse + q
 *   is q rounded to a multiple of u, h = s - coarse is exact, and l = q - h, a
 *   multiple of 1 and at most u / 2 (to nearest), is exact. Sums of l stay below
 *   N 2^43 <= 2^53: exact.
 * Any order of the additions gives the same integers.                          */
#include <string.h>

#include "window.h"

enum { BITS = 42, LANES = VECTOR_BYTES / 8, SETS = 4, CUT_BITS = 44 };
_Static_assert(BLOCK / (SETS * LANES) <= 1 << 10, "the bound on the elements of a lane");
_Static_assert(CHUNK % (SETS * LANES) == 0, "a chunk fills whole sets");

struct lanes {
    vector_f64 sum[SETS];
    vector_f64 coarse[SETS];
    vector_f64 fine[SETS];
};

static double power_of_two(int exponent)
{
    const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE void add_vector(struct lanes *lanes, int set, vector_f64 x)
{
    const vector_f64 s = multiply_add(x, x, lanes->coarse[set]);
    const vector_f64 h = s - lanes->coarse[set];
    lanes->coarse[set] = s;
    lanes->fine[set] += multiply_add(x, x, -h);
    lanes->sum[set] += x;
}

INLINE vector_i32 load_vector(const unsigned char *bytes, int i)
{
    vector_i32 pattern;
    memcpy(&pattern, bytes + (size_t)i * sizeof pattern, sizeof pattern);
    return pattern;
}

/* A chunk, with zeros for elements below `limit`. */
INLINE void add_chunk(struct lanes *lanes, const unsigned char *bytes, bool is_masked,
                      int32_t limit)
{
    for (int i = 0; i < CHUNK * 4 / VECTOR_BYTES; i++) {
        vector_i32 pattern = load_vector(bytes, i);
        if (is_masked) {
            pattern &= (vector_i32)((pattern & INT32_MAX) >= limit);
        }
        vector_f64 low;
        vector_f64 high;
        to_doubles(pattern, &low, &high);
        add_vector(lanes, 2 * i % SETS, low);
        add_vector(lanes, 2 * i % SETS + 1, high);
    }
}

/* Sign bits set where elements are below the window, zeros among them, or above `most`. */
INLINE vector_i32 find_outside(const unsigned char *bytes, int32_t limit, int32_t most)
{
    vector_i32 outside = {0};
    for (int i = 0; i < CHUNK * 4 / VECTOR_BYTES; i++) {
        const vector_i32 magnitude = load_vector(bytes, i) & INT32_MAX;
        outside |= (magnitude - limit) | (most - magnitude);
    }
    return outside & INT32_MIN;
}

/* What a chunk has: bits set where elements are as named. */
struct chunk_kinds {
    vector_i32 low;      /* below the window, zeros among them */
    vector_i32 not_zero; /* of these, others than zeros */
    vector_i32 beyond;   /* sign bits: above `most` */
};

/* Zeros are counted: minus their number is added to `zeros`. */
INLINE struct chunk_kinds find_kinds(const unsigned char *bytes, int32_t limit, int32_t most,
                                     vector_i32 *zeros)
{
    struct chunk_kinds kinds = {{0}, {0}, {0}};
    for (int i = 0; i < CHUNK * 4 / VECTOR_BYTES; i++) {
        const vector_i32 magnitude = load_vector(bytes, i) & INT32_MAX;
        const vector_i32 low = (vector_i32)(magnitude < limit);
        const vector_i32 zero = (vector_i32)(magnitude == 0);
        kinds.low |= low;
        kinds.not_zero |= low & ~zero;
        kinds.beyond |= most - magnitude;
        *zeros += zero;
    }
    kinds.beyond &= INT32_MIN;
    return kinds;
}

/* From doubles that are whole multiples of the units to integers. */
static TARGET void collect_lanes(struct window *window, const struct lanes *lanes, double anchor)
{
    const double per_r = power_of_two(-window->unit);
    const double per_square = power_of_two(-2 * window->unit);
    const double per_u = power_of_two(-2 * window->unit - CUT_BITS);
    int64_t coarse = 0;
    int64_t fine = 0;
    int64_t sum = 0;
    for (int set = 0; set < SETS; set++) {
        for (int lane = 0; lane < LANES; lane++) {
            coarse += (int64_t)((lanes->coarse[set][lane] - anchor) * per_u);
            fine += (int64_t)(lanes->fine[set][lane] * per_square);
            sum += (int64_t)(lanes->sum[set][lane] * per_r);
        }
    }
    window->sum = sum;
    window->squares = (llmfp_u128)((llmfp_i128)coarse * ((llmfp_i128)1 << CUT_BITS) + fine);
}

static TARGET size_t add_window(struct window *window, const unsigned char *bytes, size_t n,
                                unsigned char *outside)
{
    const int32_t limit = (int32_t)window->first;
    const int32_t most = (int32_t)window->most;
    const double anchor = 1.5 * power_of_two(52 + CUT_BITS + 2 * window->unit);
    struct lanes lanes;
    for (int set = 0; set < SETS; set++) {
        lanes.sum[set] = (vector_f64){0};
        lanes.coarse[set] = anchor - (vector_f64){0};
        lanes.fine[set] = (vector_f64){0};
    }
    size_t n_outside = 0;
    vector_i32 zeros = {0};
    bool is_mixed = false; /* the chunk before had elements outside: expect the same */
    for (size_t i = 0; i < n; i += CHUNK) {
        const unsigned char *chunk = bytes + 4 * i;
        for (size_t line = 0; line < (size_t)4 * CHUNK; line += 64) {
            __builtin_prefetch(chunk + AHEAD + line);
        }
        if (!is_mixed && !is_any(find_outside(chunk, limit, most))) {
            add_chunk(&lanes, chunk, false, limit);
            continue;
        }
        const struct chunk_kinds kinds = find_kinds(chunk, limit, most, &zeros);
        if (is_any(kinds.beyond)) {
            return BEYOND;
        }
        is_mixed = is_any(kinds.low);
        add_chunk(&lanes, chunk, is_mixed, limit);
        if (is_any(kinds.not_zero)) {
            n_outside += take_outside(chunk, limit, outside + 4 * n_outside);
        }
    }
    window->zeros = 0;
    for (int lane = 0; lane < VECTOR_BYTES / 4; lane++) {
        window->zeros += (uint64_t)-zeros[lane];
    }
    collect_lanes(window, &lanes, anchor);
    return n_outside;
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
