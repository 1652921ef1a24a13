/* stored_axis.h - where the outputs of a matrix lie among its stored elements. */
#ifndef LLMFP_STORED_AXIS_H
#define LLMFP_STORED_AXIS_H

#include <stdbool.h>
#include <stdint.h>

#include "llmfp/catalog.h"

struct llmfp_stored_axis {
    uint64_t length;
    uint64_t across; /* length of the matrix's other axis; 0 where there is none */
    uint64_t inner;  /* stored elements between neighbours on the axis */
    uint64_t unit;   /* stored elements that cannot be cut */
};

/* The last axis but one (rows) or the last one (columns) of a tensor, which has axes, and
 * not the order LLMFP_ORDER_OTHER. Of a tensor with one axis, that one.        Local. */
struct llmfp_stored_axis llmfp_stored_axis(const struct llmfp_tensor *tensor, bool columns);

/* Whether consecutive runs of so many elements end where blocks end, so that their bytes
 * can be told apart.                                                     Local. */
bool llmfp_stored_axis_fits(const struct llmfp_stored_axis *axis, const struct llmfp_tensor *tensor,
                            uint64_t run_elements);

#endif
