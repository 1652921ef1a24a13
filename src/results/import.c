/* import.c - an existing results file back into records. Rank 0 alone, without MPI-IO. The
 * file may be damaged or forged: its structure is checked first, and no cell is taken whose
 * numbers do not follow from its exact sums. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell_check.h"
#include "llmfp/results.h"
#include "part_group.h"
#include "reading.h"
#include "role_order.h"

enum { APPENDED_BYTES = 4 << 20, PLACE_BYTES = 512, SHOWN_BYTES = 160 };

enum { N_NUMBERS = 7, N_INTEGERS = 3, N_REALS = N_NUMBERS - N_INTEGERS };
static const char *const number_names[N_NUMBERS] = {"count", "zeros", "nonfinite", "mean",
                                                    "std",   "min",   "max"};

struct importer {
    struct results_file results;
    struct findings findings;
    char first_finding[LLMFP_ERROR_TEXT_BYTES];
    struct llmfp_error *error;
    size_t n_models;
    size_t n_roles;
    size_t n_layers;
    size_t n_cells;
    const char **roles;          /* owned array, [n_roles] */
    struct llmfp_record *models; /* owned, [n_models]; strings in their arenas */
    int32_t *cells;              /* owned, [n_cells][3] */
    hid_t numbers[N_NUMBERS];    /* open datasets */
    hid_t sums;
    hid_t squares;
    hid_t divisors; /* negative where the file has none */
    struct cell_check check;
    struct part_slices slices; /* of checkpoints that are in the file in part only */
    size_t n_slices_used;
};

static enum llmfp_status damaged(const struct importer *importer, const char *what)
{
    return llmfp_fail(importer->error, LLMFP_FATAL,
                      "'%s': %s; it is not a results file of schema %s %s, or damaged "
                      "(llmfp-scan --verify says more)",
                      importer->results.path, what, LLMFP_SCHEMA, LLMFP_SCHEMA_VERSION);
}

static enum llmfp_status no_memory(const struct importer *importer)
{
    return llmfp_fail(importer->error, LLMFP_FATAL, "out of memory while '%s' is read",
                      importer->results.path);
}

static void keep_first(void *context, const char *text)
{
    struct importer *importer = context;
    if (importer->first_finding[0] == '\0') {
        (void)snprintf(importer->first_finding, sizeof importer->first_finding, "%s", text);
    }
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
        const char **strings = NULL;
        status = results_read_strings(&importer->results, names[c], &strings);
        for (size_t i = 0; status == LLMFP_OK && i < importer->n_models; i++) {
            struct llmfp_record *record = &importer->models[i];
            const char **const fields[] = {
                &record->label,        &record->path,   &record->family,  &record->parent,
                &record->architecture, &record->format, &record->message, NULL,
                &record->source_digest};
            if (c == STATUS) {
                record->failed = strcmp(strings[i], "ok") != 0;
            } else {
                *fields[c] = llmfp_arena_string(&record->arena, strings[i], strlen(strings[i]));
                status = *fields[c] == NULL ? no_memory(importer) : LLMFP_OK;
            }
        }
        free(strings);
    }
    return status;
}

static enum llmfp_status import_layers(struct importer *importer)
{
    int32_t *layers = calloc(importer->n_models + 1, sizeof *layers);
    enum llmfp_status status = layers == NULL ? no_memory(importer) : LLMFP_OK;
    if (status == LLMFP_OK) {
        status = results_read_all(&importer->results, "n_layers", H5T_NATIVE_INT32, layers);
    }
    for (size_t i = 0; status == LLMFP_OK && i < importer->n_models; i++) {
        importer->models[i].tally.n_layers = layers[i];
        importer->models[i].kept = true;
        if (layers[i] < 0) {
            status = damaged(importer, "a model has a negative number of layers");
        }
    }
    free(layers);
    return status;
}

/* A dataset of one or of N_FILE_REASONS uint64 a model; put(tally, values of a model). */
static enum llmfp_status import_numbers(struct importer *importer, const char *name, size_t n_each,
                                        void (*put)(struct llmfp_tally *, const uint64_t *))
{
    uint64_t *values = calloc(importer->n_models * n_each + 1, sizeof *values);
    enum llmfp_status status = values == NULL ? no_memory(importer) : LLMFP_OK;
    if (status == LLMFP_OK) {
        status = results_read_all(&importer->results, name, H5T_NATIVE_UINT64, values);
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

static bool in_order(const int32_t *a, const int32_t *b)
{
    for (int i = 0; i < N_COORDINATES; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i];
        }
    }
    return false;
}

static enum llmfp_status check_rows(const struct importer *importer)
{
    const size_t most[N_COORDINATES] = {importer->n_models, importer->n_roles, importer->n_layers};
    for (size_t k = 0; k < importer->n_cells; k++) {
        const int32_t *row = importer->cells + N_COORDINATES * k;
        for (int i = 0; i < N_COORDINATES; i++) {
            if (row[i] < 0 || (size_t)row[i] >= most[i]) {
                return damaged(importer, "a row of the exact sums is out of range");
            }
        }
        if (k > 0 && !in_order(row - N_COORDINATES, row)) {
            return damaged(importer, "the rows of the exact sums are not in order");
        }
    }
    return LLMFP_OK;
}

static enum llmfp_status open_cells(struct importer *importer)
{
    for (int i = 0; i < N_NUMBERS; i++) {
        importer->numbers[i] = results_open(&importer->results, number_names[i]);
    }
    importer->sums = results_open(&importer->results, "exact/sum");
    importer->squares = results_open(&importer->results, "exact/sum_squares");
    if (importer->results.length[AXIS_DIVISOR_LIMB] > 0) {
        importer->divisors = results_open(&importer->results, "exact/divisor");
    }
    importer->n_cells = (size_t)importer->results.length[AXIS_ROW];
    importer->cells = calloc(importer->n_cells * N_COORDINATES + 1, sizeof *importer->cells);
    if (importer->cells == NULL || !cell_check_begin(&importer->check, &importer->results)) {
        return no_memory(importer);
    }
    const enum llmfp_status status =
        results_read_all(&importer->results, "exact/cell", H5T_NATIVE_INT32, importer->cells);
    return status == LLMFP_OK ? check_rows(importer) : status;
}

/* All numbers of one model, and the limbs of its cells. */
struct one_model {
    uint64_t *integers; /* [N_INTEGERS][n_roles * n_layers] */
    double *reals;      /* [N_REALS][n_roles * n_layers] */
    int64_t *sums;      /* [n_cells of the model][limbs] */
    int64_t *squares;
    int64_t *divisors;
};

static void clear_one(struct one_model *one)
{
    free(one->integers);
    free(one->reals);
    free(one->sums);
    free(one->squares);
    free(one->divisors);
}

static enum llmfp_status read_one(const struct importer *importer, size_t model, size_t first,
                                  size_t n, struct one_model *one)
{
    const struct results_file *results = &importer->results;
    const size_t plane = importer->n_roles * importer->n_layers;
    const hsize_t row[] = {first, 0};
    const hsize_t of_sums[] = {n, results->length[AXIS_SUM_LIMB]};
    const hsize_t of_squares[] = {n, results->length[AXIS_SQUARE_LIMB]};
    const hsize_t of_divisors[] = {n, results->length[AXIS_DIVISOR_LIMB]};
    one->integers = calloc(N_INTEGERS * plane + 1, sizeof *one->integers);
    one->reals = calloc(N_REALS * plane + 1, sizeof *one->reals);
    one->sums = calloc(n * of_sums[1] + 1, sizeof *one->sums);
    one->squares = calloc(n * of_squares[1] + 1, sizeof *one->squares);
    one->divisors = calloc(n * of_divisors[1] + 1, sizeof *one->divisors);
    if (one->integers == NULL || one->reals == NULL || one->sums == NULL || one->squares == NULL ||
        one->divisors == NULL) {
        return no_memory(importer);
    }
    const hsize_t start[] = {model, 0, 0};
    const hsize_t count[] = {1, importer->n_roles, importer->n_layers};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < N_NUMBERS; i++) {
        const bool is_integer = i < N_INTEGERS;
        void *values = is_integer ? (void *)(one->integers + i * plane)
                                  : (void *)(one->reals + (i - N_INTEGERS) * plane);
        status = results_read(results, importer->numbers[i],
                              is_integer ? H5T_NATIVE_UINT64 : H5T_NATIVE_DOUBLE, 3, start, count,
                              values);
    }
    if (status == LLMFP_OK) {
        status =
            results_read(results, importer->sums, H5T_NATIVE_INT64, 2, row, of_sums, one->sums);
    }
    if (status == LLMFP_OK) {
        status = results_read(results, importer->squares, H5T_NATIVE_INT64, 2, row, of_squares,
                              one->squares);
    }
    if (status == LLMFP_OK && importer->divisors > 0) {
        status = results_read(results, importer->divisors, H5T_NATIVE_INT64, 2, row, of_divisors,
                              one->divisors);
    }
    return status;
}

/* The cell of row `where`; its sums are still as they are in the file. */
static struct claimed_cell claimed_at(const struct importer *importer, const int32_t *where,
                                      const struct one_model *one, size_t k)
{
    const size_t plane = importer->n_roles * importer->n_layers;
    const size_t at = (size_t)where[1] * importer->n_layers + (size_t)where[2];
    const uint64_t *length = importer->results.length;
    return (struct claimed_cell){.statistics = {.count = one->integers[at],
                                                .zeros = one->integers[plane + at],
                                                .nonfinite = one->integers[2 * plane + at],
                                                .mean = one->reals[at],
                                                .std = one->reals[plane + at],
                                                .min = one->reals[2 * plane + at],
                                                .max = one->reals[3 * plane + at]},
                                 .sum = one->sums + k * length[AXIS_SUM_LIMB],
                                 .squares = one->squares + k * length[AXIS_SQUARE_LIMB],
                                 .divisor = one->divisors + k * length[AXIS_DIVISOR_LIMB]};
}

static enum llmfp_status check_cell(struct importer *importer, const struct llmfp_record *record,
                                    const int32_t *where, const struct claimed_cell *claimed)
{
    char label[SHOWN_BYTES];
    char role[SHOWN_BYTES];
    char place[PLACE_BYTES];
    llmfp_escape(label, sizeof label, record->label, strlen(record->label));
    llmfp_escape(role, sizeof role, importer->roles[where[1]], strlen(importer->roles[where[1]]));
    (void)snprintf(place, sizeof place, "model %s, role %s, layer %d", label, role, where[2]);
    cell_check(&importer->check, claimed, place, &importer->findings);
    return findings_total(&importer->findings) == 0 ? LLMFP_OK
                                                    : damaged(importer, importer->first_finding);
}

static int by_role_and_layer(const void *item_a, const void *item_b)
{
    const struct llmfp_record_cell *a = item_a;
    const struct llmfp_record_cell *b = item_b;
    const int order = strcmp(a->role, b->role) == 0 ? 0 : llmfp_role_compare(a->role, b->role);
    return order != 0 ? order : (a->layer > b->layer) - (a->layer < b->layer);
}

/* Fill record->cells from what was read. Limbs stay borrowed from `one`. */
static enum llmfp_status fill_record(struct importer *importer, struct llmfp_record *record,
                                     size_t first, size_t n, struct one_model *one)
{
    const struct results_file *results = &importer->results;
    const uint32_t sum_limbs = (uint32_t)results->length[AXIS_SUM_LIMB];
    const uint32_t square_limbs = (uint32_t)results->length[AXIS_SQUARE_LIMB];
    record->cells = llmfp_arena_new(&record->arena, n * sizeof *record->cells);
    if (record->cells == NULL) {
        return no_memory(importer);
    }
    for (size_t k = 0; k < n; k++) {
        const int32_t *where = importer->cells + N_COORDINATES * (first + k);
        const struct claimed_cell claimed = claimed_at(importer, where, one, k);
        const enum llmfp_status status = check_cell(importer, record, where, &claimed);
        if (status != LLMFP_OK) {
            return status;
        }
        record->cells[k] = (struct llmfp_record_cell){
            .role = importer->roles[where[1]],
            .layer = where[2],
            .statistics = claimed.statistics,
            .sum = llmfp_sum_shortest(one->sums + k * sum_limbs, sum_limbs, results->sum_exponent),
            .squares = llmfp_sum_shortest(one->squares + k * square_limbs, square_limbs,
                                          results->square_exponent),
            .divisor =
                divisor_of_row(claimed.divisor, (uint32_t)results->length[AXIS_DIVISOR_LIMB]),
        };
    }
    /* A file of another version of this program may have its roles in another order. */
    qsort(record->cells, n, sizeof *record->cells, by_role_and_layer);
    record->n_cells = n;
    return LLMFP_OK;
}

/* Rows of a model are consecutive: those from `first` on. */
static size_t rows_of(const struct importer *importer, size_t model, size_t first)
{
    size_t n = 0;
    while (first + n < importer->n_cells &&
           importer->cells[N_COORDINATES * (first + n)] == (int32_t)model) {
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
    if (n > 0 && record->failed) {
        status = damaged(importer, "a failed model has cells");
    }
    if (status == LLMFP_OK && n > 0) {
        status = read_one(importer, model, first, n, &one);
    }
    if (status == LLMFP_OK && n > 0) {
        status = fill_record(importer, record, first, n, &one);
    }
    const struct llmfp_record *slice = part_slices_find(&importer->slices, record->label);
    if (status == LLMFP_OK && slice != NULL && !record->failed) {
        status = damaged(importer, "a model of which it has a part only does not say so");
    }
    importer->n_slices_used += slice != NULL;
    if (status == LLMFP_OK) {
        llmfp_journal_frame(slice != NULL ? slice : record, frames, place);
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
    return status;
}

/* ---- all of it ---- */

static enum llmfp_status import_everything(struct importer *importer, struct llmfp_journal *journal,
                                           struct llmfp_journal_place **places,
                                           struct llmfp_split *split)
{
    if (!results_check_structure(&importer->results, &importer->findings)) {
        return damaged(importer, importer->first_finding);
    }
    const struct llmfp_split *found = &importer->results.split;
    if (split == NULL && found->n > 0) {
        return llmfp_fail(importer->error, LLMFP_USAGE,
                          "'%s' is part %" PRIu32 " of %" PRIu32 " of a scan: merge the parts with "
                          "--merge, and go on with the whole",
                          importer->results.path, found->number, found->n);
    }
    if (split != NULL) {
        *split = *found;
    }
    importer->n_models = (size_t)importer->results.length[AXIS_MODEL];
    importer->n_roles = (size_t)importer->results.length[AXIS_ROLE];
    importer->n_layers = (size_t)importer->results.length[AXIS_LAYER];
    /* Scales that are missing, or datasets of others, do no harm. */
    importer->findings = (struct findings){.tell = keep_first, .context = importer};
    importer->first_finding[0] = '\0';
    importer->models = calloc(importer->n_models + 1, sizeof *importer->models);
    *places = calloc(importer->n_models + 1, sizeof **places);
    if (importer->models == NULL || *places == NULL) {
        return no_memory(importer);
    }
    enum llmfp_status status = import_models(importer);
    if (status == LLMFP_OK) {
        status = results_read_strings(&importer->results, "role", &importer->roles);
    }
    if (status == LLMFP_OK) {
        status = open_cells(importer);
    }
    if (status == LLMFP_OK) {
        status = part_slices_read(&importer->results, &importer->slices, importer->error);
    }
    if (status == LLMFP_OK) {
        status = append_models(importer, journal, *places);
    }
    return status == LLMFP_OK && importer->n_slices_used != importer->slices.n
               ? damaged(importer, "it has parts of checkpoints that it does not list")
               : status;
}

static void close_importer(struct importer *importer)
{
    for (int i = 0; i < N_NUMBERS; i++) {
        if (importer->numbers[i] > 0) {
            H5Dclose(importer->numbers[i]);
        }
    }
    if (importer->sums > 0) {
        H5Dclose(importer->sums);
    }
    if (importer->squares > 0) {
        H5Dclose(importer->squares);
    }
    if (importer->divisors > 0) {
        H5Dclose(importer->divisors);
    }
    for (size_t i = 0; importer->models != NULL && i < importer->n_models; i++) {
        llmfp_record_clear(&importer->models[i]);
    }
    free(importer->models);
    free(importer->cells);
    free(importer->roles);
    cell_check_end(&importer->check);
    part_slices_clear(&importer->slices);
    results_file_close(&importer->results);
}

enum llmfp_status llmfp_results_import(const char *path, struct llmfp_journal *journal,
                                       struct llmfp_journal_place **places, size_t *n_models,
                                       struct llmfp_split *split, struct llmfp_error *error)
{
    struct importer importer = {.error = error};
    importer.findings = (struct findings){.tell = keep_first, .context = &importer};
    *places = NULL;
    enum llmfp_status status = results_file_open(&importer.results, path, error);
    if (status == LLMFP_OK) {
        status = import_everything(&importer, journal, places, split);
    }
    *n_models = importer.n_models;
    close_importer(&importer);
    if (status != LLMFP_OK) {
        free(*places);
        *places = NULL;
    }
    return status;
}
