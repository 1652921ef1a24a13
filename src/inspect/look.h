/* look.h - what one checkpoint holds, from its headers alone, by one process without MPI. */
#ifndef LLMFP_LOOK_H
#define LLMFP_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/catalog.h"
#include "llmfp/checkpoint.h"
#include "llmfp/configuration.h"
#include "llmfp/own_rules.h"
#include "llmfp/plan.h"

/* The part of a role that one layer has. */
struct look_cell {
    const char *role;
    int32_t layer;
    uint64_t tensors; /* a fused tensor counts in each of its roles */
    uint64_t parameters;
    uint64_t size_bytes; /* without scales */
};

struct look_encoding {
    uint64_t tensors;
    uint64_t elements;
    uint64_t size_bytes; /* with scales */
    uint64_t scale_bytes;
};

struct look_unmapped {
    const struct llmfp_tensor *tensor;
    enum llmfp_reason reason;
};

struct look {
    struct llmfp_checkpoint files;
    struct llmfp_catalog catalog;
    struct llmfp_configuration configuration;
    struct llmfp_tally tally;
    struct look_encoding encodings[LLMFP_N_ENCODINGS];
    struct look_cell *cells; /* owned, by (role, layer), each pair once */
    size_t n_cells;
    struct look_unmapped *unmapped; /* owned, in the order of the catalog */
    size_t n_unmapped;
    struct llmfp_arena arena; /* names of roles */
};

/* Local. Read the headers of the checkpoint at `path`, check them as a scan does, and map every
 * tensor; own_rules may be NULL. `look` may be uninitialised; look_clear it in any case.
 * Errors: those of a scan: LLMFP_CHECKPOINT with one sentence, LLMFP_FATAL without memory. */
enum llmfp_status look_at(const char *path, const struct llmfp_own_rules *own_rules,
                          struct look *look, struct llmfp_error *error) LLMFP_MUST_CHECK;

void look_clear(struct look *look);

/* Local. Elements and bytes of one part of a mapped tensor; bytes of all scales of a tensor. */
uint64_t look_part_elements(const struct llmfp_mapping *mapping, uint32_t part);
uint64_t look_part_bytes(const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping,
                         uint32_t part);
uint64_t look_scale_bytes(const struct llmfp_tensor *tensor);

#endif
