/* moments.c - fixed-point sums in limbs. See llmfp/moments.h for the invariants. */
#include "llmfp/moments.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

_Static_assert((INT64_C(-1) >> 1) == INT64_C(-1), "right shift of a negative value is arithmetic");

enum { LIMB_BITS = 32, COUNT_BITS = 64 };

static int32_t multiple_of_32_below(int32_t exponent)
{
    return exponent & ~(LIMB_BITS - 1); /* two's complement: rounds towards minus infinity */
}

/* Widen [*exponent, limbs) so that values from 2^lowest up to below 2^(highest + COUNT_BITS) fit.
 * The last limb is an int64: it has room for the sign. */
static void widen(int32_t *exponent, uint32_t *limbs, int32_t lowest, int32_t highest)
{
    const int32_t bottom = multiple_of_32_below(lowest);
    const int32_t top = multiple_of_32_below(highest + COUNT_BITS + LIMB_BITS - 1);
    const int32_t old_top = *exponent + LIMB_BITS * (int32_t)*limbs;
    const bool empty = *limbs == 0;
    const int32_t new_bottom = empty || bottom < *exponent ? bottom : *exponent;
    const int32_t new_top = empty || top > old_top ? top : old_top;
    *exponent = new_bottom;
    *limbs = (uint32_t)((new_top - new_bottom) / LIMB_BITS);
}

void llmfp_moments_layout_cover(struct llmfp_moments_layout *layout,
                                const struct llmfp_encoding *encoding)
{
    widen(&layout->sum_exponent, &layout->sum_limbs, encoding->lowest_exponent,
          encoding->highest_exponent);
    widen(&layout->square_exponent, &layout->square_limbs, 2 * encoding->lowest_exponent,
          2 * encoding->highest_exponent);
}

size_t llmfp_moments_size(const struct llmfp_moments_layout *layout)
{
    return LLMFP_N_COUNTERS + (size_t)layout->sum_limbs + layout->square_limbs;
}

struct llmfp_moments llmfp_moments_begin(const struct llmfp_moments_layout *layout,
                                         int64_t *additive, int64_t *extreme)
{
    memset(additive, 0, llmfp_moments_size(layout) * sizeof *additive);
    for (int i = 0; i < LLMFP_N_EXTREMES; i++) {
        extreme[i] = LLMFP_NO_KEY;
    }
    return (struct llmfp_moments){layout, additive, extreme, 0};
}

static int64_t *sum_limbs(const struct llmfp_moments *moments)
{
    return moments->additive + LLMFP_N_COUNTERS;
}

static int64_t *square_limbs(const struct llmfp_moments *moments)
{
    return sum_limbs(moments) + moments->layout->sum_limbs;
}

/* limbs += (negative ? -1 : 1) * value * 2^shift. Each limb moves by less than 2^32. */
static void add_shifted(int64_t *limbs, llmfp_u128 value, uint32_t shift, bool negative)
{
    int64_t *limb = limbs + shift / LIMB_BITS;
    const uint32_t bits = shift % LIMB_BITS;
    const int64_t sign = negative ? -1 : 1;
    llmfp_u128 rest = value << bits;
    /* The bits (fewer than 32) that the shift moved out at the top. */
    uint64_t top = bits == 0 ? 0 : (uint64_t)(value >> (128 - bits));
    while ((rest | top) != 0) {
        *limb++ += sign * (int64_t)(uint32_t)rest;
        rest = (rest >> LIMB_BITS) | ((llmfp_u128)top << (128 - LIMB_BITS));
        top = 0;
    }
}

static void spend(struct llmfp_moments *moments)
{
    if (++moments->pending == LLMFP_MOMENTS_BUDGET) {
        llmfp_moments_settle(moments);
    }
}

void llmfp_moments_add_sum(struct llmfp_moments *moments, llmfp_i128 value, int exponent)
{
    const bool negative = value < 0;
    const llmfp_u128 magnitude = negative ? -(llmfp_u128)value : (llmfp_u128)value;
    add_shifted(sum_limbs(moments), magnitude, (uint32_t)(exponent - moments->layout->sum_exponent),
                negative);
    spend(moments);
}

void llmfp_moments_add_square(struct llmfp_moments *moments, llmfp_u128 value, int exponent)
{
    add_shifted(square_limbs(moments), value,
                (uint32_t)(exponent - moments->layout->square_exponent), false);
    spend(moments);
}

void llmfp_moments_add_counts(struct llmfp_moments *moments, uint64_t count, uint64_t zeros,
                              uint64_t nonfinite)
{
    moments->additive[LLMFP_COUNT] += (int64_t)count;
    moments->additive[LLMFP_ZEROS] += (int64_t)zeros;
    moments->additive[LLMFP_NONFINITE] += (int64_t)nonfinite;
}

static void raise(int64_t *extreme, int64_t key)
{
    if (key > *extreme) {
        *extreme = key;
    }
}

void llmfp_moments_add_range(struct llmfp_moments *moments, double smallest, double largest)
{
    raise(&moments->extreme[LLMFP_LARGEST], llmfp_key_from_double(largest));
    raise(&moments->extreme[LLMFP_MINUS_SMALLEST], -llmfp_key_from_double(smallest));
}

static void merge_limbs(int64_t *to, int32_t to_exponent, const int64_t *from,
                        int32_t from_exponent, uint32_t n)
{
    int64_t *first = to + (from_exponent - to_exponent) / LIMB_BITS;
    for (uint32_t k = 0; k < n; k++) {
        first[k] += from[k];
    }
}

void llmfp_moments_merge(struct llmfp_moments *moments, const struct llmfp_moments *other)
{
    const struct llmfp_moments_layout *layout = other->layout;
    for (int i = 0; i < LLMFP_N_COUNTERS; i++) {
        moments->additive[i] += other->additive[i];
    }
    for (int i = 0; i < LLMFP_N_EXTREMES; i++) {
        raise(&moments->extreme[i], other->extreme[i]);
    }
    merge_limbs(sum_limbs(moments), moments->layout->sum_exponent, sum_limbs(other),
                layout->sum_exponent, layout->sum_limbs);
    merge_limbs(square_limbs(moments), moments->layout->square_exponent, square_limbs(other),
                layout->square_exponent, layout->square_limbs);
    /* The budget bounds what both together may hold before the next carry. */
    llmfp_moments_settle(moments);
}

static void add_scaled_range(struct llmfp_moments *moments, const struct llmfp_moments *other,
                             int64_t mantissa, int exponent)
{
    if (other->extreme[LLMFP_LARGEST] == LLMFP_NO_KEY) {
        return;
    }
    const double scale = ldexp((double)mantissa, exponent);
    const double a = scale * llmfp_key_to_double(other->extreme[LLMFP_LARGEST]);
    const double b = scale * llmfp_key_to_double(-other->extreme[LLMFP_MINUS_SMALLEST]);
    llmfp_moments_add_range(moments, a < b ? a : b, a < b ? b : a);
}

void llmfp_moments_add_scaled(struct llmfp_moments *moments, const struct llmfp_moments *other,
                              int64_t mantissa, int exponent)
{
    const struct llmfp_moments_layout *layout = other->layout;
    const int64_t *sum = sum_limbs(other);
    const int64_t *square = square_limbs(other);
    const uint64_t count = (uint64_t)other->additive[LLMFP_COUNT];
    const uint64_t nonfinite = (uint64_t)other->additive[LLMFP_NONFINITE];
    const uint64_t zeros = (uint64_t)other->additive[LLMFP_ZEROS];
    llmfp_moments_add_counts(moments, count, mantissa == 0 ? count - nonfinite : zeros, nonfinite);
    for (uint32_t k = 0; mantissa != 0 && k < layout->sum_limbs; k++) {
        if (sum[k] != 0) {
            llmfp_moments_add_sum(moments, (llmfp_i128)sum[k] * mantissa,
                                  layout->sum_exponent + (int)k * LIMB_BITS + exponent);
        }
    }
    const uint64_t squared = (uint64_t)(mantissa * mantissa);
    for (uint32_t k = 0; mantissa != 0 && k < layout->square_limbs; k++) {
        if (square[k] != 0) { /* settled, and a sum of squares: not negative */
            llmfp_moments_add_square(moments, (llmfp_u128)square[k] * squared,
                                     layout->square_exponent + (int)k * LIMB_BITS + 2 * exponent);
        }
    }
    add_scaled_range(moments, other, mantissa, exponent);
}

static void settle_limbs(int64_t *limbs, uint32_t n)
{
    int64_t carry = 0;
    for (uint32_t k = 0; k + 1 < n; k++) {
        const int64_t value = limbs[k] + carry;
        limbs[k] = (int64_t)(uint32_t)value;
        carry = value >> LIMB_BITS;
    }
    if (n > 0) {
        limbs[n - 1] += carry;
    }
}

void llmfp_moments_settle(struct llmfp_moments *moments)
{
    settle_limbs(sum_limbs(moments), moments->layout->sum_limbs);
    settle_limbs(square_limbs(moments), moments->layout->square_limbs);
    moments->pending = 0;
}

/* The bits of a double, as sign and magnitude, compare as the doubles do; finite
 * magnitudes are below 2^63 - 1, so keys and their negatives never reach LLMFP_NO_KEY. */
int64_t llmfp_key_from_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const int64_t magnitude = (int64_t)(bits & INT64_MAX);
    return bits >> 63 != 0 ? -magnitude : magnitude;
}

double llmfp_key_to_double(int64_t key)
{
    const uint64_t bits = key < 0 ? (uint64_t)-key | UINT64_C(1) << 63 : (uint64_t)key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
