/* pytorch_catalog.c - the model's tensors of one PyTorch file, into the catalog. */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "pytorch.h"

enum { MOST_DIMENSIONS = 64, SHOWN_BYTES = 200, MOST_NAMES_BYTES = 32 << 20 };
enum { MOST_ALL_RUNS = 2 * LLMFP_PYTORCH_MOST_RUNS };
/* Tensors that share storages may add up to more than the file, but a file that makes
 * a scan read it over and over is not a model. */
enum { MOST_SHARING = 256 };

struct adding {
    const char *path;
    uint64_t file_bytes;
    uint32_t file;
    llmfp_pytorch_find find;
    void *context;
    struct llmfp_catalog *catalog;
    size_t first_tensor;
    uint64_t names_bytes;
    uint64_t n_runs;
    uint64_t data_bytes;
};

static enum llmfp_status check_sums(struct adding *adding, const struct llmfp_tensor *tensor,
                                    size_t name_bytes, struct llmfp_error *error)
{
    adding->names_bytes += name_bytes;
    const uint64_t run = llmfp_tensor_storage(tensor)->run_elements;
    adding->n_runs += run == 0 ? 0 : tensor->n_elements / run;
    if (!llmfp_add_u64(adding->data_bytes, tensor->data.size_bytes, &adding->data_bytes)) {
        adding->data_bytes = UINT64_MAX;
    }
    if (adding->catalog->n_tensors - adding->first_tensor >= LLMFP_PYTORCH_MOST_TENSORS ||
        adding->names_bytes > MOST_NAMES_BYTES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "is one tensor, or name, too many: at most %d tensors with %d bytes of "
                          "names are read from one file",
                          LLMFP_PYTORCH_MOST_TENSORS, MOST_NAMES_BYTES);
    }
    if (adding->n_runs > MOST_ALL_RUNS) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "brings the pieces of all views in this file to more than %d; save the "
                          "model with every tensor made .contiguous()",
                          MOST_ALL_RUNS);
    }
    if (adding->data_bytes / MOST_SHARING > adding->file_bytes) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "brings the tensors, which share storages, to more than %d times the "
                          "size of the file",
                          MOST_SHARING);
    }
    return LLMFP_OK;
}

static enum llmfp_status locate(struct adding *adding, const struct llmfp_torch_tensor *tensor,
                                size_t name_bytes, uint64_t *shape, struct llmfp_storage *storage,
                                struct llmfp_tensor *out, struct llmfp_error *error)
{
    struct llmfp_pytorch_data data = {0};
    if (tensor->refusal != NULL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "%s", tensor->refusal);
    }
    enum llmfp_status status = adding->find(adding->context, tensor->storage, &data, error);
    if (status == LLMFP_OK) {
        status = llmfp_pytorch_place(tensor, &data, shape, storage, out, error);
    }
    return status == LLMFP_OK ? check_sums(adding, out, name_bytes, error) : status;
}

static enum llmfp_status add(void *context, const char *name, size_t n_bytes,
                             const struct llmfp_torch_tensor *tensor, struct llmfp_error *error)
{
    struct adding *adding = context;
    uint64_t shape[MOST_DIMENSIONS];
    struct llmfp_storage storage;
    struct llmfp_error why = {LLMFP_OK, ""};
    struct llmfp_tensor out = {.name = name, .data = {.file = adding->file}};
    const enum llmfp_status status = locate(adding, tensor, n_bytes, shape, &storage, &out, &why);
    if (status == LLMFP_OK) {
        return llmfp_catalog_add_tensor(adding->catalog, &out, error);
    }
    if (status != LLMFP_CHECKPOINT) {
        return llmfp_fail(error, status, "%s", why.text);
    }
    char shown[SHOWN_BYTES];
    llmfp_escape(shown, sizeof shown, name, n_bytes);
    return llmfp_fail(error, status, "%s: tensor \"%s\" %s", adding->path, shown, why.text);
}

enum llmfp_status llmfp_pytorch_add(const char *path, uint64_t file_bytes, uint32_t file,
                                    const struct llmfp_pickle_value *whole, llmfp_pytorch_find find,
                                    void *context, struct llmfp_catalog *catalog,
                                    struct llmfp_error *error)
{
    struct adding adding = {
        .path = path,
        .file_bytes = file_bytes,
        .file = file,
        .find = find,
        .context = context,
        .catalog = catalog,
        .first_tensor = catalog->n_tensors,
    };
    const enum llmfp_status status = llmfp_pytorch_state(path, whole, add, &adding, error);
    if (status != LLMFP_OK) {
        catalog->n_tensors = adding.first_tensor;
    }
    return status;
}
