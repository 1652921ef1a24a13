/* shards.h - sets of numbered files: NAME-00001-of-00003.safetensors.
 *
 * A set is all names with the same NAME, the same text behind "-of-" and the same
 * ending. Numbers may have any width, and begin at 1 or (some writers) at 0.     */
#ifndef LLMFP_SHARDS_H
#define LLMFP_SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "folder.h"

struct llmfp_shard_name {
    size_t stem_bytes;  /* NAME */
    size_t total_begin; /* where the number behind "-of-" begins */
    size_t total_end;
    uint32_t number;
    uint32_t total;
};

/* Take a name apart; false when it is not that of a shard.                Local. */
bool llmfp_shard_parse(const char *name, struct llmfp_shard_name *shard);

/* Whether two names belong to the same set.                               Local. */
bool llmfp_shard_same_set(const char *left, const char *right);

/* Check that every set that has a member in `names` (sorted) is complete. Local.
 * Errors: LLMFP_CHECKPOINT names the first missing shard; LLMFP_FATAL (memory).  */
enum llmfp_status llmfp_shards_complete(const char *folder, const struct llmfp_names *names,
                                        struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
