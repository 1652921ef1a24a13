/* llmfp/plan.h - from catalogs and roles to cells and a stream of wanted bytes.
 *                                                                core, no MPI
 * A plan covers a batch of checkpoints. It lists the cells to be computed, and
 * lays all wanted bytes end to end in one virtual stream, in file order. The
 * stream is cut into chunks of equal size without regard to tensors, files or
 * ranks; a cut inside a tensor moves down to an element boundary, the same for
 * both sides. The number of ranks plays no part here: every rank builds the same
 * plan and then claims chunks of it.                                            */
#ifndef LLMFP_PLAN_H
#define LLMFP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/catalog.h"
#include "llmfp/configuration.h"
#include "llmfp/divisor.h"
#include "llmfp/error.h"
#include "llmfp/moments.h"
#include "llmfp/roles.h"

/* What a checkpoint holds and what of it is not scanned.                        */
struct llmfp_tally {
    int32_t n_layers;      /* blocks of the main stack: highest index + 1 */
    uint64_t parameters;   /* elements of all tensors */
    uint64_t size_bytes;   /* bytes of all tensors */
    uint64_t wanted_bytes; /* bytes that the plan reads */
    /* By enum llmfp_reason; [LLMFP_SCANNED] is what is scanned. A fused tensor of
     * which only some parts are wanted counts as scanned, and its other bytes under
     * LLMFP_ROLE_NOT_WANTED.                                                     */
    uint64_t tensors[LLMFP_N_REASONS];
    uint64_t bytes[LLMFP_N_REASONS];
    /* Fused tensors that could not be split for certain, and why, for the first of them. */
    uint64_t n_unsplit;
    char unsplit_note[LLMFP_ERROR_TEXT_BYTES];
    uint64_t n_scales; /* tensors that scale another one (X.weight_scale...); not applied */
};

/* A cell, or the tensors of a cell that have one divisor: such entries are neighbours.  */
struct llmfp_plan_cell {
    uint32_t checkpoint; /* number within the batch */
    uint32_t role;       /* index into roles */
    int32_t layer;
    uint32_t divisor; /* of all its tensors: see llmfp/divisor.h */
    struct llmfp_moments_layout layout;
    size_t additive; /* first int64 of this cell in an array of n_additive */
};

#define LLMFP_NO_CELL UINT32_MAX

struct llmfp_plan_target {
    uint32_t cell; /* LLMFP_NO_CELL: these elements are not wanted */
    uint64_t run_elements;
};

struct llmfp_plan_tensor {
    const struct llmfp_tensor *tensor; /* borrowed from the catalog */
    uint32_t checkpoint;
    uint32_t n_targets;
    const struct llmfp_plan_target *targets; /* one period of the tensor; see roles.h */
    uint64_t period_elements;                /* sum of run_elements */
};

/* Consecutive wanted elements of one tensor.                                    */
struct llmfp_plan_segment {
    uint64_t start_bytes; /* position in the stream */
    uint64_t first_element;
    uint64_t n_elements;
    uint32_t tensor; /* index into tensors */
};

struct llmfp_plan {
    struct llmfp_plan_cell *cells; /* owned; after finish by (checkpoint, role, layer, divisor) */
    size_t n_cells;
    struct llmfp_plan_tensor *tensors; /* owned */
    size_t n_tensors;
    struct llmfp_plan_segment *segments; /* owned, by start_bytes */
    size_t n_segments;
    const char **roles; /* owned by the plan, in the order of first use */
    size_t n_roles;
    uint64_t stream_bytes;        /* all wanted bytes */
    size_t n_additive;            /* int64 values for all cells */
    struct llmfp_plan_work *work; /* private */
};

/* All functions are Local. A zeroed struct is a valid empty plan.               */

void llmfp_plan_clear(struct llmfp_plan *plan);

/* Map every tensor of a checkpoint (number `checkpoint` of the batch, added in
 * ascending order) and append its cells and segments. `catalog` must outlive the
 * plan. `filter` may be NULL. `tally` is filled.
 * Errors: LLMFP_CHECKPOINT when the accumulators of this checkpoint alone need more
 * than LLMFP_PLAN_MOST_BYTES, it has more roles or layers than allowed (wanted ones
 * count), or the divisors of a cell have more than LLMFP_DIVISOR_MOST_BITS bits together;
 * LLMFP_FATAL without memory. On error, or to put the checkpoint off, call
 * llmfp_plan_drop_last.                                                          */
enum {
    LLMFP_PLAN_MOST_BYTES = 64 << 20,
    LLMFP_PLAN_MOST_ROLES = 4096,
    LLMFP_PLAN_MOST_LAYERS = 4096
};
enum llmfp_status llmfp_plan_add(struct llmfp_plan *plan, uint32_t checkpoint,
                                 const struct llmfp_configuration *configuration,
                                 const struct llmfp_catalog *catalog,
                                 const struct llmfp_role_filter *filter, struct llmfp_tally *tally,
                                 struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Take the checkpoint that was added last out of the plan again.                 */
void llmfp_plan_drop_last(struct llmfp_plan *plan);

/* Sort the cells and give them their places. Call once, after the last add.
 * Errors: LLMFP_FATAL without memory.                                            */
enum llmfp_status llmfp_plan_finish(struct llmfp_plan *plan,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Chunks of chunk_bytes (> 0) in the stream.                                     */
uint64_t llmfp_plan_n_chunks(const struct llmfp_plan *plan, uint64_t chunk_bytes);

/* Walk the pieces of a chunk: consecutive elements of one segment.
 *   cursor  start with {0}; kept between calls
 * Returns false when the chunk has no more pieces.                               */
struct llmfp_plan_piece {
    const struct llmfp_plan_tensor *tensor;
    uint64_t first_element; /* in the tensor */
    uint64_t n_elements;
    uint64_t offset_bytes; /* in the tensor's file */
    uint64_t size_bytes;
};
struct llmfp_plan_cursor {
    size_t segment; /* next one to look at */
    bool started;
};
bool llmfp_plan_next_piece(const struct llmfp_plan *plan, uint64_t chunk_bytes, uint64_t chunk,
                           struct llmfp_plan_cursor *cursor, struct llmfp_plan_piece *piece);

/* The same for stream positions [low, high): any cut will do, as long as every position
 * is taken once.                                                                */
bool llmfp_plan_next_between(const struct llmfp_plan *plan, uint64_t low, uint64_t high,
                             struct llmfp_plan_cursor *cursor, struct llmfp_plan_piece *piece);

/* Which part of a finished plan is one checkpoint's.                             */
struct llmfp_plan_part {
    uint64_t low; /* stream positions */
    uint64_t high;
    size_t first_cell;
    size_t n_cells;
    size_t first_tensor;
    size_t n_tensors;
    size_t first_segment;
    size_t n_segments;
};
struct llmfp_plan_part llmfp_plan_part_of(const struct llmfp_plan *plan, uint32_t checkpoint);

/* A digest of how the bytes of a checkpoint become its cells: equal digests mean that
 * positions relative to its part, and numbers of its cells, mean the same in both plans,
 * whatever else the plans hold.                                                  */
uint64_t llmfp_plan_digest(const struct llmfp_plan *plan, const struct llmfp_plan_part *part);

#endif
