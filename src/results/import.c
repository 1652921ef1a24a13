/* import.c - an existing results file back into records. Rank 0 alone, without MPI-IO. */
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_error.h"
#include "llmfp/results.h"

enum {
    LIMB_BITS = 32,
    MOST_LIMBS = 4096,
    N_FILE_REASONS = LLMFP_N_REASONS - 1,
    APPENDED_BYTES = 4 << 20
};

struct importer {
    const char *path;
    hid_t file;
    hid_t string_type;
    struct llmfp_error *error;
    size_t n_models;
    size_t n_roles;
    size_t n_layers;
    size_t n_cells;
    char **roles;                /* owned by HDF5's allocator; [n_roles] */
    struct llmfp_record *models; /* owned, [n_models]; strings in their arenas */
    int32_t *cells;              /* owned, [n_cells][3] */
    hid_t numbers[7];            /* open datasets: count .. max */
    hid_t sums;
    hid_t squares;
    uint32_t sum_limbs;
    uint32_t square_limbs;
    int32_t sum_exponent;
    int32_t square_exponent;
};

static enum llmfp_status fail(const struct importer *importer, const char *what)
{
    return hdf5_fail(importer->error, importer->path, what);
}

static enum llmfp_status damaged(const struct importer *importer, const char *what)
{
    return llmfp_fail(importer->error, LLMFP_FATAL,
                      "'%s': %s; it is not a results file of schema %s %s, or damaged",
                      importer->path, what, LLMFP_SCHEMA, LLMFP_SCHEMA_VERSION);
}

static enum llmfp_status no_memory(const struct importer *importer)
{
    return llmfp_fail(importer->error, LLMFP_FATAL, "out of memory while '%s' is read",
                      importer->path);
}

/* Sizes of a dataset's axes; false when it is not there or has another rank. */
static bool sizes_of(const struct importer *importer, const char *name, int n_axes, hsize_t *sizes)
{
    const hid_t dataset = H5Dopen2(importer->file, name, H5P_DEFAULT);
    if (dataset < 0) {
        return false;
    }
    const hid_t space = H5Dget_space(dataset);
    const bool fits = H5Sget_simple_extent_ndims(space) == n_axes;
    if (fits) {
        H5Sget_simple_extent_dims(space, sizes, NULL);
    }
    H5Sclose(space);
    H5Dclose(dataset);
    return fits;
}

/* Read a whole dataset whose first axis has n entries. */
static enum llmfp_status read_whole(const struct importer *importer, const char *name, hid_t type,
                                    void *values)
{
    const hid_t dataset = H5Dopen2(importer->file, name, H5P_DEFAULT);
    herr_t got = -1;
    if (dataset >= 0) {
        got = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        H5Dclose(dataset);
    }
    return got < 0 ? fail(importer, "read a dataset of the existing results file") : LLMFP_OK;
}

/* Strings of a 1-D dataset of n; *strings is HDF5's memory (free_strings). */
static enum llmfp_status read_strings(const struct importer *importer, const char *name, size_t n,
                                      char ***strings)
{
    hsize_t size = 0;
    if (!sizes_of(importer, name, 1, &size) || size != n) {
        return damaged(importer, "a dataset of strings is missing or of another size");
    }
    *strings = calloc(n + 1, sizeof **strings);
    if (*strings == NULL) {
        return no_memory(importer);
    }
    return n == 0 ? LLMFP_OK : read_whole(importer, name, importer->string_type, *strings);
}

static void free_strings(char **strings, size_t n)
{
    for (size_t i = 0; strings != NULL && i < n; i++) {
        H5free_memory(strings[i]);
    }
    free(strings);
}

static enum llmfp_status check_schema(const struct importer *importer)
{
    char *schema[2] = {NULL, NULL};
    static const char *const names[2] = {"schema", "schema_version"};
    static const char *const wanted[2] = {LLMFP_SCHEMA, LLMFP_SCHEMA_VERSION};
    bool fits = true;
    for (int i = 0; i < 2; i++) {
        const hid_t attribute = H5Aopen(importer->file, names[i], H5P_DEFAULT);
        fits = fits && attribute >= 0 &&
               H5Aread(attribute, importer->string_type, &schema[i]) >= 0 && schema[i] != NULL &&
               strcmp(schema[i], wanted[i]) == 0;
        if (attribute >= 0) {
            H5Aclose(attribute);
        }
        H5free_memory(schema[i]);
    }
    return fits ? LLMFP_OK : damaged(importer, "its schema attributes do not fit");
}

/* ---- what is one value a model ---- */

static enum llmfp_status import_strings(struct importer *importer)
{
    static const char *const names[] = {"model",   "path",         "family",
                                        "parent",  "architecture", "format",
                                        "message", "status",       "source_digest"};
    enum { STATUS = 7 };
    enum llmfp_status status = LLMFP_OK;
    for (size_t c = 0; status == LLMFP_OK && c < sizeof names / sizeof names[0]; c++) {
        char **strings = NULL;
        status = read_strings(importer, names[c], importer->n_models, &strings);
        for (size_t i = 0; status == LLMFP_OK && i < importer->n_models; i++) {
            struct llmfp_record *record = &importer->models[i];
            const char **const fields[] = {
                &record->label,        &record->path,   &record->family,  &record->parent,
                &record->architecture, &record->format, &record->message, NULL,
                &record->source_digest};
            const char *text = strings[i] == NULL ? "" : strings[i];
            if (c == STATUS) {
                record->failed = strcmp(text, "ok") != 0;
            } else {
                *fields[c] = llmfp_arena_string(&record->arena, text, strlen(text));
                status = *fields[c] == NULL ? no_memory(importer) : LLMFP_OK;
            }
        }
        free_strings(strings, importer->n_models);
    }
    return status;
}

static enum llmfp_status import_layers(struct importer *importer)
{
    int32_t *layers = calloc(importer->n_models + 1, sizeof *layers);
    hsize_t size = 0;
    enum llmfp_status status = layers == NULL ? no_memory(importer) : LLMFP_OK;
    if (status == LLMFP_OK &&
        (!sizes_of(importer, "n_layers", 1, &size) || size != importer->n_models)) {
        status = damaged(importer, "n_layers is missing or of another size");
    }
    if (status == LLMFP_OK) {
        status = read_whole(importer, "n_layers", H5T_NATIVE_INT32, layers);
    }
    for (size_t i = 0; status == LLMFP_OK && i < importer->n_models; i++) {
        importer->models[i].tally.n_layers = layers[i];
        importer->models[i].kept = true;
    }
    free(layers);
    return status;
}

/* A dataset of one or of N_FILE_REASONS uint64 a model; put(tally, values of a model). */
static enum llmfp_status import_numbers(struct importer *importer, const char *name, size_t n_each,
                                        void (*put)(struct llmfp_tally *, const uint64_t *))
{
    hsize_t sizes[2] = {0, 1};
    uint64_t *values = calloc(importer->n_models * n_each + 1, sizeof *values);
    enum llmfp_status status = values == NULL ? no_memory(importer) : LLMFP_OK;
    if (status == LLMFP_OK && (!sizes_of(importer, name, n_each == 1 ? 1 : 2, sizes) ||
                               sizes[0] != importer->n_models || sizes[1] != n_each)) {
        status = damaged(importer, "a dataset of counts is missing or of another size");
    }
    if (status == LLMFP_OK) {
        status = read_whole(importer, name, H5T_NATIVE_UINT64, values);
    }
    for (size_t i = 0; status == LLMFP_OK && i < importer->n_models; i++) {
        put(&importer->models[i].tally, values + i * n_each);
    }
    free(values);
    return status;
}

static void put_parameters(struct llmfp_tally *tally, const uint64_t *value)
{
    tally->parameters = *value;
}
static void put_bytes(struct llmfp_tally *tally, const uint64_t *value)
{
    tally->size_bytes = *value;
}
static void put_unscanned_tensors(struct llmfp_tally *tally, const uint64_t *values)
{
    memcpy(tally->tensors + 1, values, N_FILE_REASONS * sizeof *values);
}
static void put_unscanned_bytes(struct llmfp_tally *tally, const uint64_t *values)
{
    memcpy(tally->bytes + 1, values, N_FILE_REASONS * sizeof *values);
}

static enum llmfp_status import_models(struct importer *importer)
{
    enum llmfp_status status = import_strings(importer);
    if (status == LLMFP_OK) {
        status = import_layers(importer);
    }
    if (status == LLMFP_OK) {
        status = import_numbers(importer, "parameters", 1, put_parameters);
    }
    if (status == LLMFP_OK) {
        status = import_numbers(importer, "bytes", 1, put_bytes);
    }
    if (status == LLMFP_OK) {
        status =
            import_numbers(importer, "unscanned_tensors", N_FILE_REASONS, put_unscanned_tensors);
    }
    if (status == LLMFP_OK) {
        status = import_numbers(importer, "unscanned_bytes", N_FILE_REASONS, put_unscanned_bytes);
    }
    return status;
}

/* ---- cells ---- */

static const char *const number_names[7] = {"count", "zeros", "nonfinite", "mean",
                                            "std",   "min",   "max"};

static enum llmfp_status read_exponent(const struct importer *importer, hid_t dataset,
                                       int32_t *exponent)
{
    const hid_t attribute = H5Aopen(dataset, "exponent", H5P_DEFAULT);
    const bool got = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_INT32, exponent) >= 0;
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    return got && *exponent % LIMB_BITS == 0
               ? LLMFP_OK
               : damaged(importer, "an exponent of the exact sums is missing or wrong");
}

static enum llmfp_status open_cells(struct importer *importer)
{
    hsize_t cells[2] = {0, 0};
    hsize_t sums[2] = {0, 0};
    hsize_t squares[2] = {0, 0};
    if (!sizes_of(importer, "exact/cell", 2, cells) || cells[1] != 3 ||
        !sizes_of(importer, "exact/sum", 2, sums) || sums[0] != cells[0] || sums[1] == 0 ||
        sums[1] > MOST_LIMBS || !sizes_of(importer, "exact/sum_squares", 2, squares) ||
        squares[0] != cells[0] || squares[1] == 0 || squares[1] > MOST_LIMBS) {
        return damaged(importer, "the exact sums are missing or their sizes do not fit");
    }
    importer->n_cells = (size_t)cells[0];
    importer->sum_limbs = (uint32_t)sums[1];
    importer->square_limbs = (uint32_t)squares[1];
    importer->cells = calloc(importer->n_cells * 3 + 1, sizeof *importer->cells);
    if (importer->cells == NULL) {
        return no_memory(importer);
    }
    for (int i = 0; i < 7; i++) {
        hsize_t sizes[3];
        if (!sizes_of(importer, number_names[i], 3, sizes) || sizes[0] != importer->n_models ||
            sizes[1] != importer->n_roles || sizes[2] != importer->n_layers) {
            return damaged(importer, "an array over models, roles and layers does not fit");
        }
        importer->numbers[i] = H5Dopen2(importer->file, number_names[i], H5P_DEFAULT);
    }
    importer->sums = H5Dopen2(importer->file, "exact/sum", H5P_DEFAULT);
    importer->squares = H5Dopen2(importer->file, "exact/sum_squares", H5P_DEFAULT);
    enum llmfp_status status = read_exponent(importer, importer->sums, &importer->sum_exponent);
    if (status == LLMFP_OK) {
        status = read_exponent(importer, importer->squares, &importer->square_exponent);
    }
    return status != LLMFP_OK || importer->n_cells == 0
               ? status
               : read_whole(importer, "exact/cell", H5T_NATIVE_INT32, importer->cells);
}

/* Read rows start .. start + n - 1 of a dataset into memory. */
static bool read_rows(hid_t dataset, hid_t type, int n_axes, const hsize_t *start,
                      const hsize_t *count, void *values)
{
    hsize_t n = 1;
    for (int i = 0; i < n_axes; i++) {
        n *= count[i];
    }
    const hid_t in_file = H5Dget_space(dataset);
    const hid_t in_memory = H5Screate_simple(1, &n, NULL);
    const bool got = H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                     H5Dread(dataset, type, in_memory, in_file, H5P_DEFAULT, values) >= 0;
    H5Sclose(in_memory);
    H5Sclose(in_file);
    return got;
}

/* All numbers of one model, and the limbs of its cells. */
struct one_model {
    uint64_t *integers; /* [3][n_roles * n_layers] */
    double *reals;      /* [4][n_roles * n_layers] */
    int64_t *sums;      /* [n_cells of the model][sum_limbs] */
    int64_t *squares;
};

static void clear_one(struct one_model *one)
{
    free(one->integers);
    free(one->reals);
    free(one->sums);
    free(one->squares);
}

static enum llmfp_status read_one(const struct importer *importer, size_t model, size_t first,
                                  size_t n, struct one_model *one)
{
    const size_t plane = importer->n_roles * importer->n_layers;
    one->integers = calloc(3 * plane + 1, sizeof *one->integers);
    one->reals = calloc(4 * plane + 1, sizeof *one->reals);
    one->sums = calloc(n * importer->sum_limbs + 1, sizeof *one->sums);
    one->squares = calloc(n * importer->square_limbs + 1, sizeof *one->squares);
    if (one->integers == NULL || one->reals == NULL || one->sums == NULL || one->squares == NULL) {
        return no_memory(importer);
    }
    const hsize_t start[] = {model, 0, 0};
    const hsize_t count[] = {1, importer->n_roles, importer->n_layers};
    bool got = true;
    for (size_t i = 0; i < 7; i++) {
        void *values =
            i < 3 ? (void *)(one->integers + i * plane) : (void *)(one->reals + (i - 3) * plane);
        got = got && read_rows(importer->numbers[i], i < 3 ? H5T_NATIVE_UINT64 : H5T_NATIVE_DOUBLE,
                               3, start, count, values);
    }
    const hsize_t row[] = {first, 0};
    const hsize_t of_sums[] = {n, importer->sum_limbs};
    const hsize_t of_squares[] = {n, importer->square_limbs};
    got = got && read_rows(importer->sums, H5T_NATIVE_INT64, 2, row, of_sums, one->sums) &&
          read_rows(importer->squares, H5T_NATIVE_INT64, 2, row, of_squares, one->squares);
    return got ? LLMFP_OK : fail(importer, "read the cells of the existing results file");
}

static bool limbs_fit(const int64_t *limbs, uint32_t n)
{
    for (uint32_t k = 0; k + 1 < n; k++) {
        if (limbs[k] < 0 || limbs[k] > UINT32_MAX) {
            return false;
        }
    }
    return true;
}

/* Fill record->cells from what was read. Limbs stay borrowed from `one`. */
static enum llmfp_status fill_record(const struct importer *importer, struct llmfp_record *record,
                                     size_t first, size_t n, struct one_model *one)
{
    const size_t plane = importer->n_roles * importer->n_layers;
    record->cells = llmfp_arena_new(&record->arena, n * sizeof *record->cells);
    if (record->cells == NULL) {
        return no_memory(importer);
    }
    for (size_t k = 0; k < n; k++) {
        const int32_t *where = importer->cells + 3 * (first + k);
        int64_t *sum = one->sums + k * importer->sum_limbs;
        int64_t *squares = one->squares + k * importer->square_limbs;
        if (where[1] < 0 || (size_t)where[1] >= importer->n_roles || where[2] < 0 ||
            (size_t)where[2] >= importer->n_layers || !limbs_fit(sum, importer->sum_limbs) ||
            !limbs_fit(squares, importer->square_limbs)) {
            return damaged(importer, "a row of the exact sums is out of range");
        }
        const size_t at = (size_t)where[1] * importer->n_layers + (size_t)where[2];
        record->cells[k] = (struct llmfp_record_cell){
            .role = importer->roles[where[1]],
            .layer = where[2],
            .statistics = {one->integers[at], one->integers[plane + at],
                           one->integers[2 * plane + at], one->reals[at], one->reals[plane + at],
                           one->reals[2 * plane + at], one->reals[3 * plane + at]},
            .sum = llmfp_sum_shortest(sum, importer->sum_limbs, importer->sum_exponent),
            .squares =
                llmfp_sum_shortest(squares, importer->square_limbs, importer->square_exponent),
        };
    }
    record->n_cells = n;
    return LLMFP_OK;
}

/* Rows of a model are consecutive: those from `first` on. */
static size_t rows_of(const struct importer *importer, size_t model, size_t first)
{
    size_t n = 0;
    while (first + n < importer->n_cells && importer->cells[3 * (first + n)] == (int32_t)model) {
        n++;
    }
    return n;
}

/* Pack one model's record behind what `frames` holds. */
static enum llmfp_status frame_model(struct importer *importer, size_t model, size_t first,
                                     size_t n, struct llmfp_buffer *frames,
                                     struct llmfp_journal_place *place)
{
    struct one_model one = {0};
    struct llmfp_record *record = &importer->models[model];
    enum llmfp_status status = LLMFP_OK;
    if (n > 0) {
        status = read_one(importer, model, first, n, &one);
    }
    if (status == LLMFP_OK && n > 0) {
        status = fill_record(importer, record, first, n, &one);
    }
    if (status == LLMFP_OK) {
        llmfp_journal_frame(record, frames, place);
        status = frames->failed ? no_memory(importer) : LLMFP_OK;
    }
    clear_one(&one);
    llmfp_record_clear(record);
    return status;
}

/* An append syncs to disk: do it for some megabytes of records at a time. */
static enum llmfp_status append_models(struct importer *importer, struct llmfp_journal *journal,
                                       struct llmfp_journal_place *places)
{
    struct llmfp_buffer frames = {0};
    enum llmfp_status status = LLMFP_OK;
    size_t first = 0;
    for (size_t i = 0; status == LLMFP_OK && i < importer->n_models; i++) {
        const size_t n = rows_of(importer, i, first);
        status = frame_model(importer, i, first, n, &frames, &places[i]);
        places[i].offset_bytes += journal->size_bytes;
        first += n;
        if (status == LLMFP_OK &&
            (i + 1 == importer->n_models || frames.size_bytes >= APPENDED_BYTES)) {
            status = llmfp_journal_append(journal, &frames, importer->error);
            frames.size_bytes = 0;
        }
    }
    llmfp_buffer_clear(&frames);
    if (status == LLMFP_OK && first != importer->n_cells) {
        status = damaged(importer, "the rows of the exact sums are not in order");
    }
    return status;
}

/* ---- all of it ---- */

static enum llmfp_status import_everything(struct importer *importer, struct llmfp_journal *journal,
                                           struct llmfp_journal_place **places)
{
    hsize_t n_models = 0;
    hsize_t n_roles = 0;
    hsize_t n_layers = 0;
    enum llmfp_status status = check_schema(importer);
    if (status != LLMFP_OK) {
        return status;
    }
    if (!sizes_of(importer, "model", 1, &n_models) || !sizes_of(importer, "role", 1, &n_roles) ||
        !sizes_of(importer, "layer", 1, &n_layers)) {
        return damaged(importer, "a dimension scale is missing");
    }
    importer->n_models = (size_t)n_models;
    importer->n_roles = (size_t)n_roles;
    importer->n_layers = (size_t)n_layers;
    importer->models = calloc(importer->n_models + 1, sizeof *importer->models);
    *places = calloc(importer->n_models + 1, sizeof **places);
    if (importer->models == NULL || *places == NULL) {
        return no_memory(importer);
    }
    status = import_models(importer);
    if (status == LLMFP_OK) {
        status = read_strings(importer, "role", importer->n_roles, &importer->roles);
    }
    if (status == LLMFP_OK) {
        status = open_cells(importer);
    }
    return status == LLMFP_OK ? append_models(importer, journal, *places) : status;
}

static void close_importer(struct importer *importer)
{
    hid_t datasets[9];
    memcpy(datasets, importer->numbers, sizeof importer->numbers);
    datasets[7] = importer->sums;
    datasets[8] = importer->squares;
    for (int i = 0; i < 9; i++) {
        if (datasets[i] > 0) {
            H5Dclose(datasets[i]);
        }
    }
    free_strings(importer->roles, importer->n_roles);
    for (size_t i = 0; importer->models != NULL && i < importer->n_models; i++) {
        llmfp_record_clear(&importer->models[i]);
    }
    free(importer->models);
    free(importer->cells);
    H5Tclose(importer->string_type);
    if (importer->file >= 0) {
        H5Fclose(importer->file);
    }
}

enum llmfp_status llmfp_results_import(const char *path, struct llmfp_journal *journal,
                                       struct llmfp_journal_place **places, size_t *n_models,
                                       struct llmfp_error *error)
{
    hdf5_be_quiet();
    struct importer importer = {.path = path, .error = error};
    *places = NULL;
    importer.string_type = H5Tcopy(H5T_C_S1);
    H5Tset_size(importer.string_type, H5T_VARIABLE);
    H5Tset_cset(importer.string_type, H5T_CSET_UTF8);
    importer.file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    enum llmfp_status status = importer.file < 0 ? fail(&importer, "open the existing results file")
                                                 : import_everything(&importer, journal, places);
    *n_models = importer.n_models;
    close_importer(&importer);
    if (status != LLMFP_OK) {
        free(*places);
        *places = NULL;
    }
    return status;
}
