/* pytorch.h - from the values of a PyTorch pickle to the tensors of a catalog.
 *
 * All functions are Local; errors are LLMFP_CHECKPOINT (one sentence) and LLMFP_FATAL
 * (memory).                                                                       */
#ifndef LLMFP_PYTORCH_H
#define LLMFP_PYTORCH_H

#include "llmfp/catalog.h"
#include "pickle.h"

enum {
    LLMFP_PYTORCH_MOST_TENSORS = 1 << 18, /* in one file */
    LLMFP_PYTORCH_MOST_RUNS = 1 << 20,    /* pieces of one tensor that is a view with gaps */
    LLMFP_PYTORCH_MOST_NAME = 1024,
    LLMFP_PYTORCH_MOST_LEVELS = 16 /* dictionaries and lists inside one another */
};

/* ---- which of the values are the model (pytorch_state.c) ---- */

/* Called for each tensor with its name (n_bytes, then a NUL).                      */
typedef enum llmfp_status (*llmfp_pytorch_each)(void *context, const char *name, size_t n_bytes,
                                                const struct llmfp_torch_tensor *tensor,
                                                struct llmfp_error *error);

/* Find the model's weights in what a file holds, and visit them in order:
 *   1. From the outermost dictionary on: the entry state_dict, model_state_dict, model,
 *      module, model_state, net, network, weights or params takes its place when it is a
 *      dictionary with more tensors (at any depth) than the present one has directly; of
 *      several, the one with the most (of equals, the first in this list). Where other
 *      entries hold tensors too, it must also have more of them directly: otherwise
 *      "model" and "lm_head" are two parts of one tree of modules.
 *   2. All tensors in the dictionary that is found so count, those in dictionaries and
 *      lists inside it too, with their keys or indices joined by dots. Without the
 *      entries that hold the state of training: containers whose key contains "optim",
 *      "sched", "rng_state", "scaler", "callbacks" or "loops", or begins or ends with "ema".
 * What is no tensor plays no part.                                                 */
enum llmfp_status llmfp_pytorch_state(const char *path, const struct llmfp_pickle_value *whole,
                                      llmfp_pytorch_each each, void *context,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* ---- how a tensor lies in its storage (pytorch_tensor.c) ---- */

struct llmfp_pytorch_data {
    uint64_t offset_bytes; /* of the storage in the file */
    uint64_t size_bytes;
};

/* Fill in encoding, shape (which takes 64 dimensions), extent and storage of `out`; where the
 * storage is the usual one, out->storage is NULL.
 * Errors are phrases to stand behind the tensor's name.                            */
enum llmfp_status llmfp_pytorch_place(const struct llmfp_torch_tensor *tensor,
                                      const struct llmfp_pytorch_data *data, uint64_t *shape,
                                      struct llmfp_storage *storage, struct llmfp_tensor *out,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* ---- both together (pytorch_catalog.c) ---- */

/* Where a storage lies. Errors are phrases to stand behind a tensor's name.        */
typedef enum llmfp_status (*llmfp_pytorch_find)(void *context,
                                                const struct llmfp_torch_storage *storage,
                                                struct llmfp_pytorch_data *data,
                                                struct llmfp_error *error);

/* Append the model's tensors to the catalog; none on errors.                       */
enum llmfp_status llmfp_pytorch_add(const char *path, uint64_t file_bytes, uint32_t file,
                                    const struct llmfp_pickle_value *whole, llmfp_pytorch_find find,
                                    void *context, struct llmfp_catalog *catalog,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Bytes that a storage should have by its type and number of elements; false when they
 * overflow.                                                                        */
bool llmfp_pytorch_storage_bytes(const struct llmfp_torch_storage *storage, uint64_t *size_bytes);

#endif
