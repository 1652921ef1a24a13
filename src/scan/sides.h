/* sides.h - the scales, zeros and codebooks of one tensor at a time, whole, in memory. */
#ifndef LLMFP_SIDES_H
#define LLMFP_SIDES_H

#include "llmfp/catalog.h"
#include "llmfp/error.h"
#include "reader.h"

enum {
    SIDES_MOST_BYTES = 192 << 20 /* of one tensor, all together */
};

/* A zeroed struct is valid and empty.                                                  */
struct sides {
    const struct llmfp_tensor *tensor; /* whose they are, or NULL */
    unsigned char *memory;             /* owned; the sides one behind another */
    uint64_t capacity_bytes;
    struct llmfp_sides all;
};

/* All Local.                                                                           */

/* Read the sides of `tensor` unless they are there already, and check them as its
 * encoding asks.
 * Errors: LLMFP_CHECKPOINT: unreadable, more than SIDES_MOST_BYTES, values that make no
 * sense; LLMFP_FATAL without memory.                                                   */
enum llmfp_status sides_load(struct sides *sides, struct reader *reader,
                             const struct llmfp_catalog *catalog, const struct llmfp_tensor *tensor,
                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The sides of a tensor, as kernels take them; NULL for a tensor without.              */
const struct llmfp_sides *sides_of(const struct sides *sides, const struct llmfp_tensor *tensor);

void sides_clear(struct sides *sides);

#endif
