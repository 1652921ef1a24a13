/* slices.c - join the slices of consolidated.NN.pth; see llmfp/slices.h. */
#include "llmfp/slices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "by_name.h"
#include "folder.h"
#include "utf8.h"

/* What one slice must measure; SLICE_ANY: whatever all of them do. */
enum size { SLICE_ANY, SLICE_HIDDEN, SLICE_HEADS, SLICE_KV_HEADS };

/* How names end, and what each slice of a matrix is: [rows, columns]. */
static const struct {
    const char *ending;
    bool whole; /* the same in every file */
    enum size rows;
    enum size columns;
} kinds[] = {
    {"attention.wq.weight", false, SLICE_HEADS, SLICE_HIDDEN},
    {"attention.wk.weight", false, SLICE_KV_HEADS, SLICE_HIDDEN},
    {"attention.wv.weight", false, SLICE_KV_HEADS, SLICE_HIDDEN},
    {"attention.wo.weight", false, SLICE_HIDDEN, SLICE_HEADS},
    {"feed_forward.w1.weight", false, SLICE_ANY, SLICE_HIDDEN},
    {"feed_forward.w3.weight", false, SLICE_ANY, SLICE_HIDDEN},
    {"feed_forward.w2.weight", false, SLICE_HIDDEN, SLICE_ANY},
    {"tok_embeddings.weight", false, SLICE_ANY, SLICE_ANY}, /* by columns, newer by rows */
    {"output.weight", false, SLICE_ANY, SLICE_HIDDEN},
    {"norm.weight", true, SLICE_ANY, SLICE_ANY},
    {"rope.freqs", true, SLICE_ANY, SLICE_ANY},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static bool is_slice(const char *path)
{
    static const char stem[] = "consolidated.";
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const size_t digits =
        strspn(name + (strlen(name) < sizeof stem ? 0 : sizeof stem - 1), "0123456789");
    return strncmp(name, stem, sizeof stem - 1) == 0 && digits > 0 &&
           strcmp(name + sizeof stem - 1 + digits, ".pth") == 0;
}

static bool is_sliced(const struct llmfp_catalog *catalog)
{
    bool all = catalog->n_files > 1 && catalog->n_tensors > 0;
    for (size_t f = 0; all && f < catalog->n_files; f++) {
        all = is_slice(catalog->files[f].path);
    }
    return all;
}

/* The row for a name, or N_KINDS. */
static size_t kind_of(const char *name)
{
    size_t i = 0;
    while (i < N_KINDS && !llmfp_ends_with(name, kinds[i].ending)) {
        i++;
    }
    return i;
}

/* Every slice has 1 / n of the heads; 0: not known, or they cannot be shared out. */
static uint64_t size_value(const struct llmfp_configuration *configuration, uint64_t n,
                           enum size size)
{
    switch (size) {
    case SLICE_HEADS:
        return configuration->heads % n == 0 ? configuration->heads / n * configuration->head_size
                                             : 0;
    case SLICE_KV_HEADS:
        return configuration->kv_heads % n == 0
                   ? configuration->kv_heads / n * configuration->head_size
                   : 0;
    case SLICE_HIDDEN:
        return configuration->hidden;
    case SLICE_ANY:
        break;
    }
    return 0;
}

static enum llmfp_status refuse(const struct llmfp_catalog *catalog,
                                const struct llmfp_tensor *tensor, const char *why,
                                struct llmfp_error *error)
{
    char name[256];
    llmfp_escape(name, sizeof name, tensor->name, strlen(tensor->name));
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "%s is one of %zu slices of a model, and it is not certain how they fit "
                      "together: tensor \"%s\" %s; give the converted checkpoint instead",
                      catalog->files[tensor->data.file].path, catalog->n_files, name, why);
}

/* A slice's shape is that which the sizes of the model make. */
static enum llmfp_status check_slice(const struct llmfp_catalog *catalog,
                                     const struct llmfp_configuration *configuration,
                                     const struct llmfp_tensor *tensor, struct llmfp_error *error)
{
    const size_t kind = kind_of(tensor->name);
    if (kind == N_KINDS) {
        return refuse(catalog, tensor, "is none that is known to be cut or to be whole", error);
    }
    if (kinds[kind].whole) {
        return LLMFP_OK;
    }
    if (tensor->n_dimensions != 2) {
        return refuse(catalog, tensor, "is no matrix", error);
    }
    const enum size sizes[] = {kinds[kind].rows, kinds[kind].columns};
    for (int axis = 0; axis < 2; axis++) {
        const uint64_t wanted = size_value(configuration, catalog->n_files, sizes[axis]);
        if (sizes[axis] != SLICE_ANY && (wanted == 0 || wanted != tensor->shape[axis])) {
            char why[200];
            (void)snprintf(why, sizeof why,
                           "has %" PRIu64 " %s, where params.json makes that %" PRIu64
                           " a slice (0: not known)",
                           tensor->shape[axis], axis == 0 ? "rows" : "columns", wanted);
            return refuse(catalog, tensor, why, error);
        }
    }
    return LLMFP_OK;
}

static bool alike(const struct llmfp_tensor *a, const struct llmfp_tensor *b)
{
    return a->encoding == b->encoding && a->n_dimensions == b->n_dimensions &&
           (a->n_dimensions == 0 ||
            memcmp(a->shape, b->shape, a->n_dimensions * sizeof *a->shape) == 0);
}

/* Every name stands once in every file, with the same shape. */
static enum llmfp_status check_names(const struct llmfp_catalog *catalog, struct llmfp_error *error)
{
    struct llmfp_named *order = llmfp_catalog_by_name(catalog, error);
    bool *seen = calloc(catalog->n_files, sizeof *seen);
    enum llmfp_status status = LLMFP_OK;
    if (order == NULL || seen == NULL) {
        status = order == NULL ? LLMFP_FATAL
                               : llmfp_fail_memory(error, catalog->n_files, "slices of a model");
    }
    for (size_t i = 0; status == LLMFP_OK && i < catalog->n_tensors;) {
        const struct llmfp_tensor *first = order[i].tensor;
        memset(seen, 0, catalog->n_files * sizeof *seen);
        size_t n = 0;
        bool same = true;
        for (; i < catalog->n_tensors && strcmp(order[i].tensor->name, first->name) == 0; i++) {
            const struct llmfp_tensor *tensor = order[i].tensor;
            same = same && alike(first, tensor) && !seen[tensor->data.file];
            seen[tensor->data.file] = true;
            n++;
        }
        if (!same || n != catalog->n_files) {
            status =
                refuse(catalog, first, "is not once in every slice, with the same shape", error);
        }
    }
    free(seen);
    free(order);
    return status;
}

enum llmfp_status llmfp_slices_join(struct llmfp_catalog *catalog,
                                    const struct llmfp_configuration *configuration,
                                    struct llmfp_error *error)
{
    if (!is_sliced(catalog)) {
        return LLMFP_OK;
    }
    enum llmfp_status status = check_names(catalog, error);
    for (size_t i = 0; status == LLMFP_OK && i < catalog->n_tensors; i++) {
        status = check_slice(catalog, configuration, &catalog->tensors[i], error);
    }
    size_t kept = 0;
    for (size_t i = 0; status == LLMFP_OK && i < catalog->n_tensors; i++) {
        const struct llmfp_tensor tensor = catalog->tensors[i];
        if (!kinds[kind_of(tensor.name)].whole || tensor.data.file == 0) {
            catalog->tensors[kept++] = tensor;
        }
    }
    if (status == LLMFP_OK) {
        catalog->n_tensors = kept;
        catalog->sliced = true;
    }
    return status;
}
