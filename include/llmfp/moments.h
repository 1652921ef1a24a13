/* llmfp/moments.h - exact sums of weights and of their squares.    core, no MPI
 *
 * Every encoded weight is an integer times a power of two, so sums and sums of
 * squares are integers in fixed point: limbs of 32 bits in int64, limb k counts
 * units of 2^(32 k + exponent). Integers add in any order, so the result never
 * depends on how elements were cut, shared out or merged. All state of one
 * population (a cell) is plain int64: `additive` merges by adding, `extreme` by
 * taking the larger, which is what MPI_SUM and MPI_MAX do.
 *
 * Invariants: after llmfp_moments_settle all limbs but the last lie in
 * 0 .. 2^32 - 1 and the last one carries the sign; then fewer than 2^31 settled
 * populations may be added limb by limb without overflow. Between settlings each
 * addition moves a limb by less than 2^32, and LLMFP_MOMENTS_BUDGET additions
 * are allowed; the adding functions count and settle by themselves.
 * Assumes two's complement and arithmetic right shift (asserted in moments.c).  */
#ifndef LLMFP_MOMENTS_H
#define LLMFP_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/encoding.h"

/* 128-bit integers: products of two 53-bit mantissas need 106 bits.            */
__extension__ typedef __int128 llmfp_i128;
__extension__ typedef unsigned __int128 llmfp_u128;

/* Limbs that hold the sums of one population. Exponents are multiples of 32, so
 * that layouts line up limb by limb.                                           */
struct llmfp_moments_layout {
    int32_t sum_exponent;
    int32_t square_exponent;
    uint32_t sum_limbs;
    uint32_t square_limbs;
};

/* Positions in `additive`, before the limbs of the sum and of the squares.     */
enum { LLMFP_COUNT, LLMFP_ZEROS, LLMFP_NONFINITE, LLMFP_N_COUNTERS };
/* Positions in `extreme`: order keys of the largest, and of minus the smallest. */
enum { LLMFP_LARGEST, LLMFP_MINUS_SMALLEST, LLMFP_N_EXTREMES };

/* One population. The arrays are the caller's; a view may be made over any part
 * of a larger array.                                                            */
struct llmfp_moments {
    const struct llmfp_moments_layout *layout;
    int64_t *additive; /* [llmfp_moments_size(layout)] counters, sum limbs, square limbs */
    int64_t *extreme;  /* [LLMFP_N_EXTREMES] */
    uint32_t pending;  /* additions since the last settling */
};

enum { LLMFP_MOMENTS_BUDGET = 1 << 30 };

/* All functions are Local and cannot fail.                                     */

/* Make `layout` wide enough for encoding too (zeroed layout: exactly wide enough),
 * for up to 2^64 elements.                                                      */
void llmfp_moments_layout_cover(struct llmfp_moments_layout *layout,
                                const struct llmfp_encoding *encoding);

/* int64 values that `additive` needs.                                           */
size_t llmfp_moments_size(const struct llmfp_moments_layout *layout);

/* An empty population over the caller's arrays (overwritten).                   */
struct llmfp_moments llmfp_moments_begin(const struct llmfp_moments_layout *layout,
                                         int64_t *additive, int64_t *extreme);

/* Add value * 2^exponent to the sum; |value| < 2^127. exponent >= the lowest
 * exponent of an encoding that the layout covers, and likewise (twice that) for
 * the sum of squares.                                                           */
void llmfp_moments_add_sum(struct llmfp_moments *moments, llmfp_i128 value, int exponent);
void llmfp_moments_add_square(struct llmfp_moments *moments, llmfp_u128 value, int exponent);

/* Counters and extremes. `smallest` and `largest` are finite doubles.           */
void llmfp_moments_add_counts(struct llmfp_moments *moments, uint64_t count, uint64_t zeros,
                              uint64_t nonfinite);
void llmfp_moments_add_range(struct llmfp_moments *moments, double smallest, double largest);

/* Add another population of any layout that fits into this one's.               */
void llmfp_moments_merge(struct llmfp_moments *moments, const struct llmfp_moments *other);

/* Add another population with each of its finite elements times mantissa * 2^exponent,
 * |mantissa| < 2^31. Elements that are not finite count as such. `other` is settled.
 * A limb of `other` may begin up to 32 bits below its lowest exponent, so the layout of
 * `moments` must cover 32 bits more than the products need. The products that are
 * extremes must be doubles exactly.                                             */
void llmfp_moments_add_scaled(struct llmfp_moments *moments, const struct llmfp_moments *other,
                              int64_t mantissa, int exponent);

/* Carry: bring all limbs to their canonical range.                              */
void llmfp_moments_settle(struct llmfp_moments *moments);

/* Order keys: int64 values that compare as the finite doubles do; -0 counts as +0.
 * LLMFP_NO_KEY is below every key ("no element").                               */
#define LLMFP_NO_KEY INT64_MIN
int64_t llmfp_key_from_double(double value);
double llmfp_key_to_double(int64_t key);

#endif
