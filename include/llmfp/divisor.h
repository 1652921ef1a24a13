/* llmfp/divisor.h - exact sums of values that are quotients.        core, no MPI
 *
 * Some encodings stand for quotients that are no binary fractions: value = x / d, where x is
 * an integer times a power of two, and the divisor d a positive odd integer that is the same
 * for the whole tensor (a power of two in the denominator belongs to x). The moments are
 * those of the numerators x. With S the sum and Q the sum of squares of n numerators,
 *   mean = S / (n d)        std = sqrt((n Q - S^2) / (n (n - 1) d^2))
 * are quotients of integers like those without a divisor, and rounded once like them.
 * A population that pools tensors of several divisors has their least common multiple D:
 * S and Q of a tensor go in times D / d and (D / d)^2, which are integers.       */
#ifndef LLMFP_DIVISOR_H
#define LLMFP_DIVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/moments.h"
#include "llmfp/statistics.h"

/* A positive odd integer: limb k counts units of 2^(32 k), all limbs lie in 0 .. 2^32 - 1,
 * and the last is not 0. The number 1 has no limbs. Borrowed memory.             */
struct llmfp_divisor {
    const int64_t *limbs;
    uint32_t n_limbs;
};

/* Divisors are below 2^LLMFP_DIVISOR_MOST_BITS: this bounds the limbs of sums.   */
enum { LLMFP_DIVISOR_MOST_BITS = 4096, LLMFP_DIVISOR_MOST_LIMBS = LLMFP_DIVISOR_MOST_BITS / 32 };

/* All functions are Local.                                                       */

/* Whether a divisor is as described above.                                       */
bool llmfp_divisor_is_sound(const struct llmfp_divisor *divisor);
bool llmfp_divisor_equal(const struct llmfp_divisor *a, const struct llmfp_divisor *b);

/* Statistics of the quotients from the settled moments of their numerators; the moments'
 * extremes are not looked at: min and max are NaN. See llmfp/statistics.h for the rest. */
void llmfp_statistics_compute_quotients(struct llmfp_moments *moments,
                                        const struct llmfp_divisor *divisor,
                                        struct llmfp_statistics *statistics);

/* llmfp_statistics_contradiction for quotients; `least` and `most` are those of the quotients,
 * each rounded to the nearest double.                                            */
const char *llmfp_statistics_contradiction_of_quotients(const struct llmfp_moments *moments,
                                                        const struct llmfp_divisor *divisor,
                                                        double least, double most);

/* Settled moments of numerators over one small divisor (odd, positive).          */
struct llmfp_quotients {
    const struct llmfp_moments *moments;
    uint32_t divisor;
};

/* Several of them as one population over the least common multiple of their divisors.
 *   moments  settled; refers to `layout`; its extremes are not set
 *   least    the extremes of the quotients, each rounded to the nearest double: rounding
 *   most     keeps their order. NaN when there is no finite element.
 * Arrays belong to the arena.                                                    */
struct llmfp_pooled {
    struct llmfp_moments_layout layout;
    struct llmfp_moments moments;
    struct llmfp_divisor divisor;
    double least;
    double most;
};

/* Pool n > 0 of them. False without memory.                                      */
bool llmfp_quotients_pool(const struct llmfp_quotients *parts, size_t n, struct llmfp_arena *arena,
                          struct llmfp_pooled *pooled) LLMFP_MUST_CHECK;

#endif
