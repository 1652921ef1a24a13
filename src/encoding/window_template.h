/* window_template.h - the kernels on floats for vectors of VECTOR_BYTES bytes;
 * included once by the file of each instruction set, which defines
 *   TARGET             attribute of every function
 *   VECTOR_BYTES       16, 32 or 64
 *   max_signed(a, b), max_unsigned(a, b)   on vectors of 32-bit integers
 *   is_any(a)          true where any bit of a vector is set
 *   take_outside(...)  see window_portable.c
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

enum { LANES = VECTOR_BYTES / 8, SETS = 4, CUT_BITS = 44 };
_Static_assert(BLOCK / (SETS * LANES) <= 1 << 10, "the bound on the elements of a lane");
_Static_assert(WINDOW_BINADES + 23 <= 42, "the bound on an element");
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

static inline __attribute__((always_inline)) TARGET void add_chunk(struct lanes *lanes,
                                                                   const unsigned char *bytes)
{
    for (int i = 0; i < CHUNK / LANES; i++) {
        vector_f32 narrow;
        memcpy(&narrow, bytes + (size_t)i * sizeof narrow, sizeof narrow);
        const vector_f64 x = __builtin_convertvector(narrow, vector_f64);
        const vector_f64 q = x * x;
        const vector_f64 s = lanes->coarse[i % SETS] + q;
        const vector_f64 h = s - lanes->coarse[i % SETS];
        lanes->coarse[i % SETS] = s;
        lanes->fine[i % SETS] += q - h;
        lanes->sum[i % SETS] += x;
    }
}

/* All bits set in the lanes of elements below the window, zeros among them; joined. */
static inline __attribute__((always_inline)) TARGET vector_i32 find_low(const unsigned char *bytes,
                                                                        vector_i32 limit)
{
    vector_i32 low = {0};
    for (int i = 0; i < CHUNK * 4 / VECTOR_BYTES; i++) {
        vector_i32 pattern;
        memcpy(&pattern, bytes + (size_t)i * sizeof pattern, sizeof pattern);
        low |= (vector_i32)((pattern & INT32_MAX) < limit);
    }
    return low;
}

/* From doubles that are whole multiples of the units to integers. */
static TARGET void collect_lanes(struct window *window, const struct lanes *lanes, double anchor)
{
    const int unit = (int)window->lowest - 150;
    const double per_r = power_of_two(-unit);
    const double per_square = power_of_two(-2 * unit);
    const double per_u = power_of_two(-2 * unit - CUT_BITS);
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
    window->squares = (llmfp_u128)(((llmfp_i128)coarse << CUT_BITS) + fine);
}

static TARGET size_t add_window(struct window *window, const unsigned char *bytes, size_t n,
                                unsigned char *outside)
{
    const int32_t limit = (int32_t)(window->lowest << 23);
    const vector_i32 limits = limit - (vector_i32){0};
    const int unit = (int)window->lowest - 150;
    const double anchor = 1.5 * power_of_two(52 + CUT_BITS + 2 * unit);
    struct lanes lanes;
    for (int set = 0; set < SETS; set++) {
        lanes.sum[set] = (vector_f64){0};
        lanes.coarse[set] = anchor - (vector_f64){0};
        lanes.fine[set] = (vector_f64){0};
    }
    size_t n_outside = 0;
    window->zeros = 0;
    for (size_t i = 0; i < n; i += CHUNK) {
        const unsigned char *chunk = bytes + 4 * i;
        __builtin_prefetch(chunk + (size_t)4 * BLOCK); /* the next block, while this is summed */
        unsigned char inside[4 * CHUNK];
        if (is_any(find_low(chunk, limits))) {
            n_outside +=
                take_outside(inside, chunk, limit, outside + 4 * n_outside, &window->zeros);
            chunk = inside;
        }
        add_chunk(&lanes, chunk);
    }
    collect_lanes(window, &lanes, anchor);
    return n_outside;
}

static TARGET struct largest find_largest(const unsigned char *bytes, size_t n)
{
    vector_i32 as_signed = INT32_MIN - (vector_i32){0};
    vector_u32 as_unsigned = {0};
    for (size_t i = 0; i < n; i += VECTOR_BYTES / 4) {
        vector_i32 pattern;
        memcpy(&pattern, bytes + 4 * i, sizeof pattern);
        as_signed = max_signed(as_signed, pattern);
        as_unsigned = max_unsigned(as_unsigned, (vector_u32)pattern);
    }
    struct largest largest = {INT32_MIN, 0};
    for (int lane = 0; lane < VECTOR_BYTES / 4; lane++) {
        largest.as_signed =
            as_signed[lane] > largest.as_signed ? as_signed[lane] : largest.as_signed;
        largest.as_unsigned =
            as_unsigned[lane] > largest.as_unsigned ? as_unsigned[lane] : largest.as_unsigned;
    }
    return largest;
}
