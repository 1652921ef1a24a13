/* divisors.h - whether the divisors of a cell's tensors have a common multiple of bounded size. */
#ifndef LLMFP_PLAN_DIVISORS_H
#define LLMFP_PLAN_DIVISORS_H

#include "llmfp/plan.h"

/* Of n entries of one checkpoint, in any order: *too_many says whether the divisors of some
 * cell have more than LLMFP_DIVISOR_MOST_BITS bits together, and *found is then an entry of
 * it. False without memory.                                                    Local. */
bool plan_find_too_divided(const struct llmfp_plan_cell *cells, size_t n, bool *too_many,
                           struct llmfp_plan_cell *found) LLMFP_MUST_CHECK;

#endif
