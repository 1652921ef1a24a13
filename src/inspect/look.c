/* look.c - headers of one checkpoint, and sums over its tensors. */
#include "look.h"

#include <stdlib.h>
#include <string.h>

#include "llmfp/quantised.h"
#include "llmfp/slices.h"
#include "role_order.h"

uint64_t look_part_elements(const struct llmfp_mapping *mapping, uint32_t part)
{
    return mapping->repeat * mapping->parts[part].run_elements;
}

uint64_t look_part_bytes(const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping,
                         uint32_t part)
{
    return llmfp_tensor_bytes(tensor, look_part_elements(mapping, part));
}

uint64_t look_scale_bytes(const struct llmfp_tensor *tensor)
{
    uint64_t size_bytes = 0;
    for (uint32_t i = 0; i < tensor->n_sides; i++) {
        size_bytes += tensor->sides[i].extent.size_bytes;
    }
    return size_bytes;
}

void look_clear(struct look *look)
{
    llmfp_checkpoint_clear(&look->files);
    llmfp_catalog_clear(&look->catalog);
    llmfp_arena_clear(&look->arena);
    free(look->cells);
    free(look->unmapped);
    *look = (struct look){0};
}

/* The steps of a scan up to a checked catalog, in its order. */
static enum llmfp_status read_headers(const char *path, struct look *look,
                                      struct llmfp_error *error)
{
    struct llmfp_checkpoint *files = &look->files;
    enum llmfp_status status = llmfp_checkpoint_locate(path, files, error);
    for (size_t f = 0; status == LLMFP_OK && f < files->n_files; f++) {
        status = llmfp_catalog_add_file(&look->catalog, &files->files[f], error);
    }
    for (size_t f = 0; status == LLMFP_OK && f < files->n_files; f++) {
        status = llmfp_checkpoint_header(files->format, &look->catalog, (uint32_t)f, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_configuration_read(files->configuration, files->configuration_bytes,
                                          &look->configuration, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_slices_join(&look->catalog, &look->configuration, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_catalog_finish(&look->catalog, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_checkpoint_check(files, &look->catalog, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_quantised_assemble(&look->catalog, files->configuration,
                                          files->configuration_bytes, error);
    }
    return status;
}

/* What a scan would do: its tally, and its refusal of what it could not hold. */
static enum llmfp_status tally(struct look *look, struct llmfp_error *error)
{
    struct llmfp_plan plan = {0};
    const enum llmfp_status status =
        llmfp_plan_add(&plan, 0, &look->configuration, &look->catalog, NULL, &look->tally, error);
    llmfp_plan_clear(&plan);
    return status;
}

static bool role_seen(const struct llmfp_mapping *mapping, uint32_t part)
{
    for (uint32_t i = 0; i < part; i++) {
        if (strcmp(mapping->parts[i].role, mapping->parts[part].role) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_parts(struct look *look, size_t *capacity, const struct llmfp_tensor *tensor,
                      const struct llmfp_mapping *mapping)
{
    if (look->n_cells + mapping->n_parts > *capacity) {
        const size_t larger = 2 * *capacity + LLMFP_MAX_PARTS;
        struct look_cell *cells = realloc(look->cells, larger * sizeof *cells);
        if (cells == NULL) {
            return false;
        }
        look->cells = cells;
        *capacity = larger;
    }
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        look->cells[look->n_cells++] = (struct look_cell){
            .role = mapping->parts[i].role,
            .layer = mapping->parts[i].layer,
            .tensors = !role_seen(mapping, i),
            .parameters = look_part_elements(mapping, i),
            .size_bytes = look_part_bytes(tensor, mapping, i),
        };
    }
    return true;
}

static int compare_cells(const void *a, const void *b)
{
    const struct look_cell *x = a;
    const struct look_cell *y = b;
    const int roles = llmfp_role_compare(x->role, y->role);
    return roles != 0 ? roles : (x->layer > y->layer) - (x->layer < y->layer);
}

/* Each (role, layer) once. */
static void merge_cells(struct look *look)
{
    size_t n = 0;
    if (look->n_cells > 0) {
        qsort(look->cells, look->n_cells, sizeof *look->cells, compare_cells);
    }
    for (size_t i = 0; i < look->n_cells; i++) {
        if (n > 0 && compare_cells(&look->cells[n - 1], &look->cells[i]) == 0) {
            look->cells[n - 1].tensors += look->cells[i].tensors;
            look->cells[n - 1].parameters += look->cells[i].parameters;
            look->cells[n - 1].size_bytes += look->cells[i].size_bytes;
        } else {
            look->cells[n++] = look->cells[i];
        }
    }
    look->n_cells = n;
}

static enum llmfp_status map_all(struct look *look, struct llmfp_error *error)
{
    size_t capacity = 0;
    const size_t n = look->catalog.n_tensors;
    look->unmapped = calloc(n + 1, sizeof *look->unmapped);
    if (look->unmapped == NULL) {
        return llmfp_fail_memory(error, n * sizeof *look->unmapped, "the tensors");
    }
    for (size_t i = 0; i < n; i++) {
        const struct llmfp_tensor *tensor = &look->catalog.tensors[i];
        struct look_encoding *encoding = &look->encodings[tensor->encoding];
        encoding->tensors++;
        encoding->elements += tensor->n_elements;
        encoding->scale_bytes += look_scale_bytes(tensor);
        encoding->size_bytes += tensor->data.size_bytes + look_scale_bytes(tensor);
        struct llmfp_mapping mapping;
        const enum llmfp_status status =
            llmfp_roles_map(&look->configuration, tensor, &look->arena, &mapping, error);
        if (status != LLMFP_OK) {
            return status;
        }
        if (mapping.reason != LLMFP_SCANNED) {
            look->unmapped[look->n_unmapped++] = (struct look_unmapped){tensor, mapping.reason};
        } else if (!add_parts(look, &capacity, tensor, &mapping)) {
            return llmfp_fail_memory(error, capacity * sizeof *look->cells, "the roles");
        }
    }
    merge_cells(look);
    return LLMFP_OK;
}

enum llmfp_status look_at(const char *path, const struct llmfp_own_rules *own_rules,
                          struct look *look, struct llmfp_error *error)
{
    *look = (struct look){0};
    enum llmfp_status status = read_headers(path, look, error);
    look->configuration.own_rules = own_rules;
    if (status == LLMFP_OK) {
        status = tally(look, error);
    }
    return status == LLMFP_OK ? map_all(look, error) : status;
}
