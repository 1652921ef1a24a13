/* quantised.c - finding codes and their scales by name, and joining them. */
#include "llmfp/quantised.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash_index.h"
#include "scheme.h"

#define ADDRESS(name) &scheme_##name,
static const struct quantisation_scheme *const schemes[] = {QUANTISATION_SCHEMES(ADDRESS)};
#undef ADDRESS
enum { N_SCHEMES = sizeof schemes / sizeof schemes[0], MOST_NAME_BYTES = 4096 };

struct work {
    struct llmfp_catalog *catalog;
    struct quantisation_settings settings;
    struct hash_index names; /* number = index of the tensor */
    bool *used;              /* [n_tensors] is a side of another one */
};

static bool ends_with(const char *name, size_t length, const char *ending)
{
    const size_t n = strlen(ending);
    return length > n && memcmp(name + length - n, ending, n) == 0;
}

/* The tensor whose name is that of the codes with another ending, or NULL. */
static const struct llmfp_tensor *find(const struct work *work, const char *name, size_t base_bytes,
                                       const char *ending)
{
    char other[MOST_NAME_BYTES];
    const size_t n = strlen(ending);
    if (base_bytes + n >= sizeof other) {
        return NULL;
    }
    memcpy(other, name, base_bytes);
    memcpy(other + base_bytes, ending, n + 1);
    const uint32_t i = hash_index_find(&work->names, other, base_bytes + n);
    return i == HASH_INDEX_NONE ? NULL : &work->catalog->tensors[i];
}

/* The scheme that codes and their neighbours by name are of, or NULL. */
static const struct quantisation_scheme *scheme_of(const struct work *work,
                                                   struct assembly *assembly)
{
    const char *name = assembly->codes->name;
    const size_t length = strlen(name);
    for (size_t s = 0; s < N_SCHEMES; s++) {
        const struct quantisation_scheme *scheme = schemes[s];
        if (!ends_with(name, length, scheme->codes)) {
            continue;
        }
        bool complete = true;
        for (unsigned i = 0; i < SCHEME_MOST_SIDES; i++) {
            assembly->found[i] =
                scheme->sides[i] == NULL
                    ? NULL
                    : find(work, name, length - strlen(scheme->codes), scheme->sides[i]);
            complete = complete && (i >= scheme->n_required || assembly->found[i] != NULL);
        }
        if (complete && scheme->recognise(assembly)) {
            return scheme;
        }
    }
    return NULL;
}

static enum llmfp_status fail_name(const struct llmfp_tensor *codes, struct llmfp_error *error)
{
    char name[256];
    llmfp_escape(name, sizeof name, codes->name, strlen(codes->name));
    return llmfp_error_prefix(error, "quantised tensor \"%s\"", name);
}

/* The name of the weight, in the catalog's arena; refused when it is there already. */
static enum llmfp_status name_weight(const struct work *work,
                                     const struct quantisation_scheme *scheme,
                                     struct assembly *assembly, struct llmfp_error *error)
{
    const char *name = assembly->codes->name;
    const size_t base_bytes = strlen(name) - strlen(scheme->codes);
    const size_t n = strlen(scheme->weight);
    if (strcmp(scheme->codes, scheme->weight) == 0) {
        return LLMFP_OK;
    }
    if (find(work, name, base_bytes, scheme->weight) != NULL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "it stands beside the same weight in another form (\"...%s\"); keep one "
                          "of them",
                          scheme->weight);
    }
    char *weight = llmfp_arena_new(&work->catalog->arena, base_bytes + n + 1);
    if (weight == NULL) {
        return llmfp_fail_memory(error, base_bytes + n + 1, "a tensor name");
    }
    (void)snprintf(weight, base_bytes + n + 1, "%.*s%s", (int)base_bytes, name, scheme->weight);
    assembly->tensor.name = weight;
    return LLMFP_OK;
}

/* Shape, storage and sides into the arena, and the tensor into the place of its codes. */
static enum llmfp_status put(struct work *work, struct assembly *assembly,
                             struct llmfp_error *error)
{
    struct llmfp_tensor *tensor = &assembly->tensor;
    struct llmfp_arena *arena = &work->catalog->arena;
    struct llmfp_side *sides = llmfp_arena_new(arena, SCHEME_MOST_SIDES * sizeof *sides);
    uint64_t *shape = llmfp_arena_new(arena, (tensor->n_dimensions + 1) * sizeof *shape);
    struct llmfp_storage *storage = llmfp_arena_new(arena, sizeof *storage);
    if (sides == NULL || shape == NULL || storage == NULL) {
        return llmfp_fail_memory(error, SCHEME_MOST_SIDES * sizeof *sides, "a quantised tensor");
    }
    memcpy(shape, tensor->shape, tensor->n_dimensions * sizeof *shape);
    *storage = assembly->storage;
    tensor->shape = shape;
    tensor->storage = storage;
    tensor->sides = sides;
    for (unsigned i = 0; i < SCHEME_MOST_SIDES; i++) {
        const struct llmfp_tensor *side = assembly->found[i];
        if (side != NULL) {
            sides[tensor->n_sides++] =
                (struct llmfp_side){i == 0 ? LLMFP_SIDE_SCALE : LLMFP_SIDE_CODEBOOK, side->encoding,
                                    side->data, side->n_dimensions, side->shape};
            work->used[side - work->catalog->tensors] = true;
        }
    }
    work->catalog->tensors[assembly->codes - work->catalog->tensors] = *tensor;
    return LLMFP_OK;
}

/* Codes and scales are found by their places in rows one behind another; PyTorch can store
 * views and transposed matrices. */
static enum llmfp_status check_storage(const struct assembly *assembly, struct llmfp_error *error)
{
    bool usual = assembly->codes->storage == NULL;
    for (unsigned i = 0; i < SCHEME_MOST_SIDES; i++) {
        usual = usual && (assembly->found[i] == NULL || assembly->found[i]->storage == NULL);
    }
    return usual ? LLMFP_OK
                 : llmfp_fail(error, LLMFP_CHECKPOINT,
                              "its codes or scales are stored as a view or transposed; save them "
                              "with .contiguous()");
}

static enum llmfp_status join(struct work *work, size_t i, struct llmfp_error *error)
{
    struct assembly assembly = {
        .catalog = work->catalog, .settings = &work->settings, .codes = &work->catalog->tensors[i]};
    if (work->used[i] || assembly.codes->n_sides > 0) {
        return LLMFP_OK;
    }
    const struct quantisation_scheme *scheme = scheme_of(work, &assembly);
    if (scheme == NULL) {
        return LLMFP_OK;
    }
    assembly.tensor = *assembly.codes;
    assembly.tensor.storage = &assembly.storage;
    enum llmfp_status status = check_storage(&assembly, error);
    if (status == LLMFP_OK) {
        status = name_weight(work, scheme, &assembly, error);
    }
    if (status == LLMFP_OK) {
        status = scheme->assemble(&assembly, error);
    }
    if (status == LLMFP_OK) {
        status = put(work, &assembly, error);
    }
    return status == LLMFP_CHECKPOINT ? fail_name(assembly.codes, error) : status;
}

static enum llmfp_status index_names(struct work *work, struct llmfp_error *error)
{
    const struct llmfp_catalog *catalog = work->catalog;
    work->used = calloc(catalog->n_tensors + 1, sizeof *work->used);
    bool complete = work->used != NULL;
    for (size_t i = 0; complete && i < catalog->n_tensors; i++) {
        const char *name = catalog->tensors[i].name;
        complete = hash_index_add(&work->names, name, strlen(name), NULL) != HASH_INDEX_NONE;
    }
    return complete ? LLMFP_OK
                    : llmfp_fail_memory(error, catalog->n_tensors * 64, "the names of tensors");
}

/* Names that only packed weights have, of methods that are not read. */
static bool is_packed_name(const char *name)
{
    static const char *const endings[] = {".W_q", ".q_weight",     ".codebooks",     ".Qidxs",
                                          ".SCB", ".weight._data", ".weight_scales", ".qweight",
                                          ".wf",  ".weight_packed"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (ends_with(name, strlen(name), endings[i])) {
            return true;
        }
    }
    return false;
}

/* What no scheme took: integers in place of a weight are codes of some other method, and a
 * result without them would look complete. */
static enum llmfp_status refuse_rest(const struct work *work, struct llmfp_error *error)
{
    const bool quantised = work->settings.present;
    for (size_t i = 0; i < work->catalog->n_tensors; i++) {
        const struct llmfp_tensor *tensor = &work->catalog->tensors[i];
        const bool integers = llmfp_encoding(tensor->encoding)->kind == LLMFP_KIND_INTEGER;
        const bool packed =
            is_packed_name(tensor->name) ||
            (quantised && integers && ends_with(tensor->name, strlen(tensor->name), ".weight"));
        if (packed && !work->used[i]) {
            (void)llmfp_fail(error, LLMFP_CHECKPOINT,
                             "it holds packed weights (%s) in a form that is not read "
                             "(quant_method in config.json: \"%s\"); scan the checkpoint that it "
                             "was made from",
                             llmfp_encoding(tensor->encoding)->name, work->settings.method);
            return fail_name(tensor, error);
        }
    }
    return LLMFP_OK;
}

static void drop_used(struct work *work)
{
    struct llmfp_catalog *catalog = work->catalog;
    size_t n = 0;
    for (size_t i = 0; i < catalog->n_tensors; i++) {
        if (!work->used[i]) {
            catalog->tensors[n++] = catalog->tensors[i];
        }
    }
    catalog->n_tensors = n;
}

/* Most checkpoints are not quantised: the names are indexed only where some name ends
 * as codes do. */
static bool may_be_quantised(const struct llmfp_catalog *catalog,
                             const struct quantisation_settings *settings)
{
    if (settings->present) {
        return true;
    }
    for (size_t i = 0; i < catalog->n_tensors; i++) {
        const char *name = catalog->tensors[i].name;
        const size_t length = strlen(name);
        if (is_packed_name(name)) {
            return true;
        }
        for (size_t s = 0; s < N_SCHEMES; s++) {
            if (schemes[s]->n_required == 0 && ends_with(name, length, schemes[s]->codes)) {
                return true;
            }
            for (unsigned k = 0; k < schemes[s]->n_required; k++) {
                if (ends_with(name, length, schemes[s]->sides[k])) {
                    return true;
                }
            }
        }
    }
    return false;
}

enum llmfp_status llmfp_quantised_assemble(struct llmfp_catalog *catalog, const char *configuration,
                                           size_t configuration_bytes, struct llmfp_error *error)
{
    struct work work = {.catalog = catalog};
    enum llmfp_status status =
        quantisation_settings_read(configuration, configuration_bytes, &work.settings, error);
    if (status == LLMFP_OK && !may_be_quantised(catalog, &work.settings)) {
        return LLMFP_OK;
    }
    if (status == LLMFP_OK) {
        status = index_names(&work, error);
    }
    for (size_t i = 0; status == LLMFP_OK && i < catalog->n_tensors; i++) {
        status = join(&work, i, error);
    }
    if (status == LLMFP_OK) {
        status = refuse_rest(&work, error);
    }
    if (status == LLMFP_OK) {
        drop_used(&work);
    }
    hash_index_clear(&work.names);
    free(work.used);
    return status;
}
