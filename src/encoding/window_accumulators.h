/* window_accumulators.h - vectors of doubles as exact accumulators of a fixed unit; for files that
 * define TARGET, VECTOR_BYTES, and multiply_add (window_template.h).
 *
 * An accumulator with a unit u starts at 1.5 2^52 u. While what it receives stays below
 * 2^51 u in all, it is in [2^52 u, 2^53 u), where doubles are the multiples of u: adding q
 * gives q rounded to a multiple h of u, h is the exact difference of the new and the old
 * accumulator, and the rest q - h is exact and at most u / 2. The rests go into an
 * accumulator of a finer unit. One that starts at 0 and receives multiples of its unit in all
 * at most 2^53 of them needs no rounding.                                       */
#ifndef LLMFP_WINDOW_ACCUMULATORS_H
#define LLMFP_WINDOW_ACCUMULATORS_H

#include <string.h>

static double power_of_two(int exponent)
{
    const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Where an accumulator starts. */
static double anchor_of(int unit)
{
    return 1.5 * power_of_two(52 + unit);
}

/* Add to an accumulator; returns the rest. */
INLINE vector_f64 add_upper_bits(vector_f64 *accumulator, vector_f64 value, vector_f64 one)
{
    const vector_f64 s = *accumulator + value;
    const vector_f64 h = s - *accumulator;
    *accumulator = s;
    return multiply_add(-h, one, value);
}

INLINE vector_f64 square_upper_bits(vector_f64 *accumulator, vector_f64 x)
{
    const vector_f64 s = multiply_add(x, x, *accumulator);
    const vector_f64 h = s - *accumulator;
    *accumulator = s;
    return multiply_add(x, x, -h);
}

/* From doubles that are whole multiples of the units to integers. */
INLINE int64_t total_of(vector_f64 accumulator, double anchor, int unit)
{
    const double per_unit = power_of_two(-unit);
    int64_t total = 0;
    for (int lane = 0; lane < LANES; lane++) {
        total += (int64_t)((accumulator[lane] - anchor) * per_unit);
    }
    return total;
}

/* 1 in all lanes, unknown to the compiler. Many processors add and multiply in different units:
 * where additions abound, half of them are multiplications by this. */
INLINE vector_f64 hidden_one(void)
{
    vector_f64 one = 1.0 - (vector_f64){0};
    __asm__("" : "+m"(one));
    return one;
}

#endif
