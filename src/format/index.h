/* index.h - the index of a sharded checkpoint (model.safetensors.index.json).
 *
 *   {"metadata": {...}, "weight_map": {"tensor": "shard", ...}}
 *
 * Only weight_map counts. Shards lie beside the index: a name that could lead
 * elsewhere is refused, and so are keys that occur twice.                        */
#ifndef LLMFP_INDEX_H
#define LLMFP_INDEX_H

#include "folder.h"
#include "llmfp/checkpoint.h"
#include "llmfp/error.h"

/* Read an index: its shards, sorted, into `shards`, and its tensors, sorted by
 * name, into the checkpoint's index members. Strings belong to the checkpoint's
 * arena.                                                                  Local.
 * Errors: LLMFP_CHECKPOINT names the index, the tensor and the offending value.  */
enum llmfp_status llmfp_index_read(const char *path, struct llmfp_checkpoint *checkpoint,
                                   struct llmfp_names *shards,
                                   struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
