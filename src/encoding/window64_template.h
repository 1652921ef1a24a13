/* window64_template.h - the kernels on doubles for vectors of VECTOR_BYTES bytes (16 or 32);
 * included by the file of each instruction set, which defines
 *   TARGET   attribute of every function
 *   multiply_add(a, b, c)   a b + c on vectors of doubles, rounded once or twice
 *
 * Exactness. In units of 2^unit, |v| < 2^68. Adding 1.5 * 2^52 * 2^46 and taking it away
 * rounds v to a multiple of 2^46: a = that, an integer below 2^22 times 2^46. What is
 * left, at most 2^45, is cut into b, at most 2^22 times 2^23, and c, at most 2^22. All
 * steps but the roundings are exact, and so are products and up to 2^9 of them: in their
 * units they are at most 2^44 each. Units are such that no product underflows.  */
#include <string.h>

#include "window64.h"

enum { BITS = 68, LOW_BITS = 23, LANES = VECTOR_BYTES / 8 };
_Static_assert(WINDOW64_BLOCK / LANES <= 1 << 9, "the bound on the elements of a lane");
_Static_assert(WINDOW64_CHUNK % LANES == 0, "a chunk fills whole vectors");

typedef int64_t vector_i64 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t vector_u64 __attribute__((vector_size(VECTOR_BYTES)));

struct lanes64 {
    vector_f64 a, b, c, aa, ab, ac, bb, bc, cc;
};

INLINE void add_doubles(struct lanes64 *lanes, vector_f64 x, vector_f64 magic_a, vector_f64 magic_b)
{
    const vector_f64 a = (x + magic_a) - magic_a;
    const vector_f64 rest = x - a;
    const vector_f64 b = (rest + magic_b) - magic_b;
    const vector_f64 c = rest - b;
    lanes->a += a;
    lanes->b += b;
    lanes->c += c;
    lanes->aa = multiply_add(a, a, lanes->aa);
    lanes->ab = multiply_add(a, b, lanes->ab);
    lanes->ac = multiply_add(a, c, lanes->ac);
    lanes->bb = multiply_add(b, b, lanes->bb);
    lanes->bc = multiply_add(b, c, lanes->bc);
    lanes->cc = multiply_add(c, c, lanes->cc);
}

/* The sum of the lanes in units of 2^exponent. */
static TARGET llmfp_i128 total_of(const vector_f64 *lanes, int exponent)
{
    llmfp_i128 total = 0;
    for (int lane = 0; lane < LANES; lane++) {
        total += (int64_t)ldexp((*lanes)[lane], -exponent);
    }
    return total;
}

static TARGET void collect_lanes64(struct window64 *window, const struct lanes64 *lanes)
{
    const int c = window->unit;
    const int b = c + LOW_BITS;
    const int a = b + LOW_BITS;
    const llmfp_i128 step = (llmfp_i128)1 << LOW_BITS;
    window->high = (int64_t)(total_of(&lanes->a, a) * step + total_of(&lanes->b, b));
    window->low = (int64_t)total_of(&lanes->c, c);
    window->high_squares =
        (total_of(&lanes->aa, 2 * a) * step + 2 * total_of(&lanes->ab, a + b)) * step +
        total_of(&lanes->bb, 2 * b);
    window->products = total_of(&lanes->ac, a + c) * step + total_of(&lanes->bc, b + c);
    window->low_squares = total_of(&lanes->cc, 2 * c);
}

/* Elements below the window: count zeros, hand the others out. */
static TARGET unsigned char *set_aside64(vector_i64 pattern, int64_t limit, uint64_t *zeros,
                                         unsigned char *outside)
{
    for (int lane = 0; lane < LANES; lane++) {
        const int64_t element = pattern[lane];
        const int64_t magnitude = element & INT64_MAX;
        memcpy(outside, &element, sizeof element);
        outside += magnitude < limit && magnitude != 0 ? sizeof element : 0;
        *zeros += magnitude == 0;
    }
    return outside;
}

static TARGET bool is_any64(vector_i64 a)
{
    int64_t any = 0;
    for (int lane = 0; lane < LANES; lane++) {
        any |= a[lane];
    }
    return any != 0;
}

static TARGET size_t add_window64(struct window64 *window, const unsigned char *bytes, size_t n,
                                  unsigned char *outside)
{
    const int64_t limit = (int64_t)window->first;
    const vector_f64 magic_a = ldexp(1.5, 52 + 2 * LOW_BITS + window->unit) - (vector_f64){0};
    const vector_f64 magic_b = ldexp(1.5, 52 + LOW_BITS + window->unit) - (vector_f64){0};
    struct lanes64 lanes = {{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}};
    unsigned char *next = outside;
    window->zeros = 0;
    for (size_t i = 0; i < n; i += LANES) {
        vector_i64 pattern;
        memcpy(&pattern, bytes + 8 * i, sizeof pattern);
        __builtin_prefetch(bytes + 8 * i + WINDOW64_AHEAD);
        const vector_i64 below = (vector_i64)((pattern & INT64_MAX) < limit);
        if (is_any64(below)) {
            next = set_aside64(pattern, limit, &window->zeros, next);
            pattern &= ~below;
        }
        add_doubles(&lanes, (vector_f64)pattern, magic_a, magic_b);
    }
    collect_lanes64(window, &lanes);
    return (size_t)(next - outside) / 8;
}

static TARGET struct window64_range find_range64(const unsigned char *bytes, size_t n)
{
    /* Unsigned comparisons by signed ones. */
    const vector_i64 flip = INT64_MIN - (vector_i64){0};
    vector_i64 largest_signed = flip;
    vector_i64 largest_flipped = flip;
    vector_i64 smallest_flipped = INT64_MAX - (vector_i64){0};
    for (size_t i = 0; i < n; i += LANES) {
        vector_i64 pattern;
        memcpy(&pattern, bytes + 8 * i, sizeof pattern);
        const vector_i64 flipped = pattern ^ flip;
        const vector_i64 is_largest = (vector_i64)(pattern > largest_signed);
        const vector_i64 is_larger = (vector_i64)(flipped > largest_flipped);
        const vector_i64 is_smaller = (vector_i64)(flipped < smallest_flipped);
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

#define WINDOW64_KERNELS                                                                           \
    {                                                                                              \
        .bits = BITS, .low_bits = LOW_BITS, .least_unit = -500, .most_unit = 400,                  \
        .range = find_range64, .add = add_window64,                                                \
    }
