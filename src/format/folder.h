/* folder.h - which files of a directory are the checkpoint.
 *
 * All functions are Local; errors are LLMFP_CHECKPOINT (one sentence that names
 * the directory and what is wrong) and LLMFP_FATAL (memory).                    */
#ifndef LLMFP_FOLDER_H
#define LLMFP_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"

/* File names without their folder. The strings belong to someone's arena.       */
struct llmfp_names {
    const char **names; /* owned */
    size_t n_names;
    size_t capacity;
};

void llmfp_names_clear(struct llmfp_names *names);
enum llmfp_status llmfp_names_add(struct llmfp_names *names, const char *name,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;
void llmfp_names_sort(struct llmfp_names *names); /* by bytes */

/* Whether `name` ends in `suffix`.                                              */
bool llmfp_ends_with(const char *name, const char *suffix);

/* For a directory without model.safetensors and without model.safetensors.index.json:
 * choose among its other files, as llmfp/checkpoint.h says: weights, or one index. */
enum llmfp_status llmfp_folder_choose(const char *folder, struct llmfp_arena *arena,
                                      struct llmfp_names *chosen,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
