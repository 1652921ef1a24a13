/* layout.h - from a layout and a shape to `repeat` times a list of runs. */
#ifndef LLMFP_LAYOUT_H
#define LLMFP_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "llmfp/catalog.h"
#include "llmfp/configuration.h"
#include "llmfp/error.h"
#include "rules.h"

struct llmfp_cut {
    const char *note; /* why it cannot be cut; the rest is then not set */
    uint64_t repeat;
    uint64_t run_elements[LLMFP_LAYOUT_PARTS]; /* of layout->parts[i] */
};

/* Cut `tensor`, a weight (whose last two axes are the matrix) or its bias (whose
 * last axis is the outputs), in block `layer`. A tensor without elements is cut
 * into empty runs once.
 * Errors: LLMFP_FATAL without memory for the note.                       Local. */
enum llmfp_status llmfp_layout_cut(const struct llmfp_layout *layout,
                                   const struct llmfp_configuration *configuration, uint64_t layer,
                                   const struct llmfp_tensor *tensor, bool is_bias,
                                   struct llmfp_arena *arena, struct llmfp_cut *cut,
                                   struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
