/* part.h - --part K/N: which checkpoints, and slices of them, this run scans. */
#ifndef LLMFP_APP_PART_H
#define LLMFP_APP_PART_H

#include "llmfp/communicator.h"
#include "llmfp/manifest.h"
#include "llmfp/own_rules.h"
#include "llmfp/split.h"
#include "options.h"

/* Zeroed: the whole scan. */
struct part {
    struct llmfp_slice *slices; /* owned, one per entry of the manifest that is left */
    struct llmfp_split split;
};

/* Collective. Look at the sizes of all checkpoints, and leave in the manifest those of which
 * this part scans something.
 * Errors, the same on every rank: LLMFP_FATAL. part_clear after success and failure.  */
enum llmfp_status part_take(const struct llmfp_communicator *communicator,
                            const struct options *options, const struct llmfp_own_rules *own_rules,
                            struct llmfp_manifest *manifest, struct part *part,
                            struct llmfp_error *error) LLMFP_MUST_CHECK;

void part_clear(struct part *part);

#endif
