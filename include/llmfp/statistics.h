/* llmfp/statistics.h - the numbers that are printed, from exact moments.
 *                                                                core, no MPI
 * Only here does anything round: each of mean and std is the double nearest to
 * the exact real result, ties to even, subnormal results included.             */
#ifndef LLMFP_STATISTICS_H
#define LLMFP_STATISTICS_H

#include <stdint.h>

#include "llmfp/moments.h"

struct llmfp_statistics {
    uint64_t count; /* all elements */
    uint64_t zeros; /* +0 and -0 */
    uint64_t nonfinite;
    double mean; /* sum / count; NaN when count is 0 or nonfinite is not */
    double
        std; /* sqrt((n Q - S^2) / (n (n - 1))), S = sum, Q = sum of squares; NaN also for n = 1 */
    double min; /* over the finite elements; NaN when there are none */
    double max;
};

/* Settle `moments` and compute its statistics. Local; cannot fail (GMP and MPFR
 * end the process when a few hundred bytes cannot be had).                     */
void llmfp_statistics_compute(struct llmfp_moments *moments, struct llmfp_statistics *statistics);

/* Whether numbers exist that have these settled sums and counts, and lie in least .. most
 * (looked at when both are finite): NULL, or what speaks against it, as a phrase. A
 * contradiction must not be given to llmfp_statistics_compute.
 *   moments  from anywhere: exponents within +-2^16, no more nonfinite elements than all
 * Local.                                                                       */
const char *llmfp_statistics_contradiction(const struct llmfp_moments *moments, double least,
                                           double most);

#endif
