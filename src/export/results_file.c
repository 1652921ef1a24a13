/* results_file.c - see results_file.h. */
#include "results_file.h"

#include <stdlib.h>
#include <string.h>

#include "hdf5_error.h"
#include "llmfp/results.h"

enum { ROWS_AT_ONCE = 4096, MOST_PLANE = 1 << 27, MOST_REASONS = 64 };

const char *const results_text_names[N_TEXTS] = {
    "architecture", "path", "format", "status", "message", "family", "parent", "source_digest"};
const char *const results_whole_names[N_WHOLE] = {"count", "zeros", "nonfinite"};
const char *const results_real_names[N_REAL] = {"mean", "std", "min", "max", "signature"};
const char *const results_number_names[N_NUMBERS] = {"parameters", "bytes", "unmapped_bytes"};

static enum llmfp_status unreadable(const struct results_file *results, const char *what,
                                    struct llmfp_error *error)
{
    (void)hdf5_fail(error, results->path, what);
    error->status = LLMFP_CHECKPOINT;
    return LLMFP_CHECKPOINT;
}

static enum llmfp_status damaged(const struct results_file *results, const char *name,
                                 struct llmfp_error *error)
{
    H5Eclear2(H5E_DEFAULT);
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "'%s': %s is missing or does not fit; it is not a results file of schema "
                      "%s %s, or damaged",
                      results->path, name, LLMFP_SCHEMA, LLMFP_SCHEMA_VERSION);
}

/* Open a dataset of these sizes; a size of SIZE_MAX fits any and is set. -1 when it does not fit. */
static hid_t open_dataset(const struct results_file *results, const char *name, int n_axes,
                          size_t *sizes)
{
    hsize_t found[3] = {0, 0, 0};
    const hid_t dataset = H5Dopen2(results->file, name, H5P_DEFAULT);
    if (dataset < 0) {
        return -1;
    }
    const hid_t space = H5Dget_space(dataset);
    bool fits = H5Sget_simple_extent_ndims(space) == n_axes &&
                H5Sget_simple_extent_dims(space, found, NULL) == n_axes;
    for (int i = 0; fits && i < n_axes; i++) {
        if (sizes[i] == SIZE_MAX && found[i] < SIZE_MAX) {
            sizes[i] = (size_t)found[i];
        }
        fits = found[i] == sizes[i];
    }
    H5Sclose(space);
    if (!fits) {
        H5Dclose(dataset);
        return -1;
    }
    return dataset;
}

/* A whole dataset into new memory of `each` bytes a value. */
static enum llmfp_status read_whole(const struct results_file *results, const char *name,
                                    int n_axes, size_t *sizes, hid_t type, size_t each,
                                    void **values, struct llmfp_error *error)
{
    const hid_t dataset = open_dataset(results, name, n_axes, sizes);
    if (dataset < 0) {
        return damaged(results, name, error);
    }
    enum llmfp_status status = LLMFP_OK;
    const size_t n = n_axes == 1 ? sizes[0] : sizes[0] * sizes[1];
    *values = calloc(n + 1, each);
    if (*values == NULL) {
        status = llmfp_fail_memory(error, n, name);
    } else if (n > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values) < 0) {
        status = unreadable(results, "read a dataset", error);
    }
    H5Dclose(dataset);
    return status;
}

static enum llmfp_status read_strings(const struct results_file *results, const char *name,
                                      size_t *n, char ***strings, struct llmfp_error *error)
{
    void *values = NULL;
    const enum llmfp_status status =
        read_whole(results, name, 1, n, results->string_type, sizeof(char *), &values, error);
    *strings = values;
    for (size_t i = 0; status == LLMFP_OK && i < *n; i++) {
        if ((*strings)[i] == NULL) {
            return damaged(results, name, error);
        }
    }
    return status;
}

static void free_strings(char **strings, size_t n)
{
    for (size_t i = 0; strings != NULL && i < n; i++) {
        H5free_memory(strings[i]);
    }
    free(strings);
}

static enum llmfp_status read_attributes(struct results_file *results, struct llmfp_error *error)
{
    static const char *const names[] = {"schema", "schema_version", "generator", "created"};
    for (int i = 0; i < 4; i++) {
        const hid_t attribute = H5Aopen(results->file, names[i], H5P_DEFAULT);
        bool fits = false;
        if (attribute >= 0) {
            const hid_t space = H5Aget_space(attribute);
            fits = H5Sget_simple_extent_npoints(space) == 1 &&
                   H5Aread(attribute, results->string_type, &results->attributes[i]) >= 0 &&
                   results->attributes[i] != NULL;
            H5Sclose(space);
            H5Aclose(attribute);
        }
        if (!fits || (i == 0 && strcmp(results->attributes[i], LLMFP_SCHEMA) != 0) ||
            (i == 1 && !llmfp_schema_version_is_known(results->attributes[i]))) {
            return damaged(results, names[i], error);
        }
    }
    return LLMFP_OK;
}

static enum llmfp_status read_labels(struct results_file *results, struct llmfp_error *error)
{
    results->n_models = results->n_roles = results->n_layers = results->n_reasons = SIZE_MAX;
    const hid_t layers = open_dataset(results, "layer", 1, &results->n_layers);
    if (layers < 0) {
        results->n_models = results->n_roles = results->n_reasons = 0;
        return damaged(results, "layer", error);
    }
    H5Dclose(layers);
    struct {
        const char *name;
        size_t *n;
        char ***strings;
    } labels[] = {{"model", &results->n_models, &results->models},
                  {"role", &results->n_roles, &results->roles},
                  {"unscanned_reason", &results->n_reasons, &results->reasons}};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        const enum llmfp_status status =
            read_strings(results, labels[i].name, labels[i].n, labels[i].strings, error);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    if (results->n_reasons > MOST_REASONS) {
        return damaged(results, "unscanned_reason", error);
    }
    if (results->n_layers > MOST_PLANE || results->n_roles > MOST_PLANE ||
        results->n_layers * results->n_roles > MOST_PLANE) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "'%s': %zu roles and %zu layers are more than any model has; the file is "
                          "damaged",
                          results->path, results->n_roles, results->n_layers);
    }
    return LLMFP_OK;
}

static enum llmfp_status read_models(struct results_file *results, struct llmfp_error *error)
{
    void *values = NULL;
    enum llmfp_status status = LLMFP_OK;
    size_t sizes[2] = {results->n_models, results->n_reasons};
    for (int i = 0; status == LLMFP_OK && i < N_TEXTS; i++) {
        status = read_strings(results, results_text_names[i], sizes, &results->texts[i], error);
    }
    if (status == LLMFP_OK) {
        status = read_whole(results, "n_layers", 1, sizes, H5T_NATIVE_INT32, sizeof(int32_t),
                            &values, error);
        results->model_layers = values;
    }
    for (int i = 0; status == LLMFP_OK && i < N_NUMBERS; i++) {
        values = NULL;
        status = read_whole(results, results_number_names[i], 1, sizes, H5T_NATIVE_UINT64,
                            sizeof(uint64_t), &values, error);
        results->numbers[i] = values;
    }
    if (status == LLMFP_OK) {
        values = NULL;
        status = read_whole(results, "unscanned_tensors", 2, sizes, H5T_NATIVE_UINT64,
                            sizeof(uint64_t), &values, error);
        results->unscanned_tensors = values;
    }
    if (status == LLMFP_OK) {
        values = NULL;
        status = read_whole(results, "unscanned_bytes", 2, sizes, H5T_NATIVE_UINT64,
                            sizeof(uint64_t), &values, error);
        results->unscanned_bytes = values;
    }
    return status;
}

static enum llmfp_status open_arrays(struct results_file *results, struct llmfp_error *error)
{
    size_t cube[3] = {results->n_models, results->n_roles, results->n_layers};
    size_t pairs[3] = {results->n_roles, results->n_models, results->n_models};
    size_t rows[2] = {SIZE_MAX, 3};
    struct {
        const char *name;
        hid_t *dataset;
        int n_axes;
        size_t *sizes;
    } arrays[N_WHOLE + N_REAL + 3];
    size_t n = 0;
    for (int i = 0; i < N_WHOLE; i++, n++) {
        arrays[n].name = results_whole_names[i];
        arrays[n].dataset = &results->whole[i];
    }
    for (int i = 0; i < N_REAL; i++, n++) {
        arrays[n].name = results_real_names[i];
        arrays[n].dataset = &results->real[i];
    }
    for (size_t i = 0; i < n; i++) {
        arrays[i].n_axes = 3;
        arrays[i].sizes = cube;
    }
    arrays[n].name = "correlation";
    arrays[n].dataset = &results->correlation;
    arrays[n].n_axes = 3;
    arrays[n++].sizes = pairs;
    arrays[n].name = "correlation_qkvo";
    arrays[n].dataset = &results->correlation_qkvo;
    arrays[n].n_axes = 2;
    arrays[n++].sizes = pairs + 1;
    arrays[n].name = "exact/cell";
    arrays[n].dataset = &results->cells;
    arrays[n].n_axes = 2;
    arrays[n++].sizes = rows;
    for (size_t i = 0; i < n; i++) {
        *arrays[i].dataset =
            open_dataset(results, arrays[i].name, arrays[i].n_axes, arrays[i].sizes);
        if (*arrays[i].dataset < 0) {
            return damaged(results, arrays[i].name, error);
        }
    }
    results->n_cells = rows[0];
    return LLMFP_OK;
}

enum llmfp_status results_file_open(const char *path, struct results_file *results,
                                    struct llmfp_error *error)
{
    hdf5_be_quiet();
    *results = (struct results_file){.path = path};
    results->string_type = H5Tcopy(H5T_C_S1);
    H5Tset_size(results->string_type, H5T_VARIABLE);
    H5Tset_cset(results->string_type, H5T_CSET_UTF8);
    results->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (results->file < 0) {
        return unreadable(results, "open the results file", error);
    }
    enum llmfp_status status = read_attributes(results, error);
    if (status == LLMFP_OK) {
        status = read_labels(results, error);
    }
    if (status == LLMFP_OK) {
        status = read_models(results, error);
    }
    return status == LLMFP_OK ? open_arrays(results, error) : status;
}

static void close_dataset(hid_t dataset)
{
    if (dataset > 0) {
        H5Dclose(dataset);
    }
}

void results_file_close(struct results_file *results)
{
    for (int i = 0; i < N_WHOLE; i++) {
        close_dataset(results->whole[i]);
    }
    for (int i = 0; i < N_REAL; i++) {
        close_dataset(results->real[i]);
    }
    close_dataset(results->correlation);
    close_dataset(results->correlation_qkvo);
    close_dataset(results->cells);
    for (int i = 0; i < 4; i++) {
        H5free_memory(results->attributes[i]);
    }
    free_strings(results->models, results->n_models);
    free_strings(results->roles, results->n_roles);
    free_strings(results->reasons, results->n_reasons);
    for (int i = 0; i < N_TEXTS; i++) {
        free_strings(results->texts[i], results->n_models);
    }
    for (int i = 0; i < N_NUMBERS; i++) {
        free(results->numbers[i]);
    }
    free(results->model_layers);
    free(results->unscanned_tensors);
    free(results->unscanned_bytes);
    if (results->string_type > 0) {
        H5Tclose(results->string_type);
    }
    if (results->file > 0) {
        H5Fclose(results->file);
    }
    *results = (struct results_file){0};
}

/* ---- arrays, piece by piece ---- */

static bool read_block(hid_t dataset, hid_t type, int n_axes, const hsize_t *start,
                       const hsize_t *count, void *values)
{
    hsize_t n = 1;
    for (int i = 0; i < n_axes; i++) {
        n *= count[i];
    }
    if (n == 0) {
        return true;
    }
    const hid_t in_file = H5Dget_space(dataset);
    const hid_t in_memory = H5Screate_simple(1, &n, NULL);
    const bool got = H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                     H5Dread(dataset, type, in_memory, in_file, H5P_DEFAULT, values) >= 0;
    H5Sclose(in_memory);
    H5Sclose(in_file);
    return got;
}

static enum llmfp_status make_room(struct results_cells *cells, struct llmfp_error *error)
{
    const size_t plane = cells->file->n_roles * cells->file->n_layers;
    bool there = true;
    for (int i = 0; i < N_WHOLE; i++) {
        cells->whole[i] = calloc(plane + 1, sizeof *cells->whole[i]);
        there = there && cells->whole[i] != NULL;
    }
    for (int i = 0; i < N_REAL; i++) {
        cells->real[i] = calloc(plane + 1, sizeof *cells->real[i]);
        there = there && cells->real[i] != NULL;
    }
    cells->rows = calloc(ROWS_AT_ONCE, sizeof *cells->rows);
    return there && cells->rows != NULL
               ? LLMFP_OK
               : llmfp_fail_memory(error, plane * (N_WHOLE + N_REAL) * 8, "the cells of a model");
}

enum llmfp_status results_cells_model(struct results_cells *cells, size_t model,
                                      struct llmfp_error *error)
{
    const struct results_file *file = cells->file;
    const enum llmfp_status status = cells->rows == NULL ? make_room(cells, error) : LLMFP_OK;
    if (status != LLMFP_OK) {
        return status;
    }
    const hsize_t start[] = {model, 0, 0};
    const hsize_t count[] = {1, file->n_roles, file->n_layers};
    bool got = true;
    for (int i = 0; i < N_WHOLE; i++) {
        got =
            got && read_block(file->whole[i], H5T_NATIVE_UINT64, 3, start, count, cells->whole[i]);
    }
    for (int i = 0; i < N_REAL; i++) {
        got = got && read_block(file->real[i], H5T_NATIVE_DOUBLE, 3, start, count, cells->real[i]);
    }
    return got ? LLMFP_OK : unreadable(file, "read the cells of a model", error);
}

/* Whether row a stands before row b. */
static bool in_order(const int32_t *a, const int32_t *b)
{
    for (int i = 0; i < 3; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i];
        }
    }
    return false;
}

static enum llmfp_status more_rows(struct results_cells *cells, struct llmfp_error *error)
{
    const struct results_file *file = cells->file;
    int32_t last[3] = {-1, -1, -1};
    if (cells->n_rows > 0) {
        memcpy(last, cells->rows[cells->n_rows - 1], sizeof last);
    }
    cells->first += cells->n_rows;
    const uint64_t left = file->n_cells - cells->first;
    cells->n_rows = left < ROWS_AT_ONCE ? (size_t)left : ROWS_AT_ONCE;
    cells->next = 0;
    const hsize_t start[] = {cells->first, 0};
    const hsize_t count[] = {cells->n_rows, 3};
    if (!read_block(file->cells, H5T_NATIVE_INT32, 2, start, count, cells->rows)) {
        return unreadable(file, "read the list of cells", error);
    }
    for (size_t i = 0; i < cells->n_rows; i++) {
        const int32_t *row = cells->rows[i];
        const bool within = row[0] >= 0 && (size_t)row[0] < file->n_models && row[1] >= 0 &&
                            (size_t)row[1] < file->n_roles && row[2] >= 0 &&
                            (size_t)row[2] < file->n_layers;
        if (!within || !in_order(i == 0 ? last : cells->rows[i - 1], row)) {
            return damaged(file, "a row of exact/cell", error);
        }
    }
    return LLMFP_OK;
}

enum llmfp_status results_cells_next(struct results_cells *cells, size_t model, bool *found,
                                     size_t *role, size_t *layer, struct llmfp_error *error)
{
    *found = false;
    if (cells->next == cells->n_rows && cells->first + cells->n_rows < cells->file->n_cells) {
        const enum llmfp_status status = more_rows(cells, error);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    if (cells->next < cells->n_rows && (size_t)cells->rows[cells->next][0] == model) {
        *role = (size_t)cells->rows[cells->next][1];
        *layer = (size_t)cells->rows[cells->next][2];
        cells->next++;
        *found = true;
    }
    return LLMFP_OK;
}

void results_cells_clear(struct results_cells *cells)
{
    for (int i = 0; i < N_WHOLE; i++) {
        free(cells->whole[i]);
    }
    for (int i = 0; i < N_REAL; i++) {
        free(cells->real[i]);
    }
    free(cells->rows);
    *cells = (struct results_cells){0};
}

enum llmfp_status results_correlations(const struct results_file *results, size_t role,
                                       size_t model, double *values, struct llmfp_error *error)
{
    const bool qkvo = role == results->n_roles;
    const hsize_t start[] = {role, model, 0};
    const hsize_t count[] = {1, 1, results->n_models};
    return read_block(qkvo ? results->correlation_qkvo : results->correlation, H5T_NATIVE_DOUBLE,
                      qkvo ? 2 : 3, qkvo ? start + 1 : start, qkvo ? count + 1 : count, values)
               ? LLMFP_OK
               : unreadable(results, "read the correlations", error);
}
