/* schema.h - the structure of the results file as a table, and its creation. */
#ifndef LLMFP_RESULTS_SCHEMA_H
#define LLMFP_RESULTS_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/error.h"
#include "llmfp/record.h"
#include "llmfp/split.h"
#include "schema_table.h"

struct schema_content {
    uint64_t length[N_AXES];
    int32_t sum_exponent;
    int32_t square_exponent;
    const char *generator;
    const char *created;
    struct llmfp_split split;
    const struct llmfp_buffer *slices; /* packed, for a part of a split scan (part_group.h) */
    const struct llmfp_record *models; /* [length[AXIS_MODEL]], cells not looked at */
    const char *const *roles;          /* [length[AXIS_ROLE]] */
};

/* Local. Create the file with every group, dataset, attribute and scale, and everything
 * that is one value a model; the arrays over cells and pairs are allocated, not filled.
 * The file is written by this process alone and closed again.
 * Errors: LLMFP_FATAL.                                                             */
enum llmfp_status schema_create(const char *path, const struct schema_content *content,
                                struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
