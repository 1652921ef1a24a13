/* survey.c - every rank reads the records of its models once, and all agree on roles,
 * layers and limbs. Of the cells only the curves stay in memory: 8 bytes a cell. */
#include "survey.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "role_order.h"

enum { LIMB_BITS = 32 };

void survey_clear(struct survey *survey)
{
    llmfp_journal_close(&survey->journal);
    free(survey->places);
    hash_index_clear(&survey->role_numbers);
    free(survey->roles);
    free(survey->values);
    free(survey->curves);
    free(survey->curves_of);
    for (size_t i = 0; survey->models != NULL && i < survey->n_models; i++) {
        llmfp_record_clear(&survey->models[i]);
    }
    free(survey->models);
    *survey = (struct survey){.journal = {.descriptor = -1}};
}

/* Bounds of the limbs of sums, as exponents of the lowest and of one above the highest. */
struct span {
    int64_t low;
    int64_t high;
};

static void widen_span(struct span *span, const struct llmfp_sum *sum)
{
    if (sum->n_limbs > 0) {
        const int64_t high = sum->exponent + (int64_t)LIMB_BITS * sum->n_limbs;
        span->low = sum->exponent < span->low ? sum->exponent : span->low;
        span->high = high > span->high ? high : span->high;
    }
}

/* What this rank finds in its records. Roles are numbered in order of arrival first. */
struct findings {
    struct hash_index roles;
    struct span sums;
    struct span squares;
    uint32_t divisor_limbs;
    uint64_t n_layers;
    uint64_t n_cells;
    struct llmfp_buffer models; /* packed records without cells */
    size_t curve_capacity;
    size_t value_capacity;
};

static bool grow(void **array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity) {
        return true;
    }
    const size_t wanted = *capacity == 0 ? 256 : *capacity * 2;
    void *grown = wanted > SIZE_MAX / size ? NULL : realloc(*array, wanted * size);
    if (grown != NULL) {
        *array = grown;
        *capacity = wanted;
    }
    return grown != NULL;
}

static enum llmfp_status no_memory(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_FATAL,
                      "out of memory while the results are put together; use more ranks or give "
                      "each more memory");
}

static bool note_curve_value(struct survey *survey, struct findings *findings, uint32_t role,
                             double std)
{
    const size_t n_curves = survey->curves_of[survey->n];
    const size_t own = survey->curves_of[survey->n - 1]; /* where this model's begin */
    struct survey_curve *last = n_curves > own ? &survey->curves[n_curves - 1] : NULL;
    if (last == NULL || last->role != role) {
        void *curves = survey->curves;
        if (!grow(&curves, n_curves, &findings->curve_capacity, sizeof *survey->curves)) {
            return false;
        }
        survey->curves = curves;
        last = &survey->curves[n_curves];
        *last = (struct survey_curve){role, 0, survey->n_values};
        survey->curves_of[survey->n]++;
    }
    void *values = survey->values;
    if (!grow(&values, survey->n_values, &findings->value_capacity, sizeof *survey->values)) {
        return false;
    }
    survey->values = values;
    survey->values[survey->n_values++] = std;
    last->n_layers++;
    return true;
}

/* What a results file says of a checkpoint of which it has a slice only: no numbers, which
 * would be those of no checkpoint. */
static bool hide_slice(struct llmfp_record *record)
{
    char text[LLMFP_ERROR_TEXT_BYTES];
    const struct llmfp_record_part *part = &record->part;
    record->n_cells = 0;
    if (record->failed) {
        return true;
    }
    (void)snprintf(text, sizeof text,
                   "part %" PRIu32 " of %" PRIu32 " of a scan: bytes %" PRIu64 " to %" PRIu64
                   " of %" PRIu64 "; llmfp-scan --merge joins the parts",
                   part->number, part->n, part->low, part->high, part->stream_bytes);
    record->failed = true;
    record->source_digest = "";
    record->message = llmfp_arena_string(&record->arena, text, strlen(text));
    return record->message != NULL;
}

enum llmfp_status survey_read(const struct survey *survey, size_t model,
                              struct llmfp_record *record, struct llmfp_error *error)
{
    const enum llmfp_status status =
        llmfp_journal_read(&survey->journal, &survey->places[model], record, error);
    if (status == LLMFP_OK && record->part.n > 0 && !hide_slice(record)) {
        llmfp_record_clear(record);
        return no_memory(error);
    }
    return status;
}

static enum llmfp_status survey_record(struct survey *survey, struct findings *findings,
                                       struct llmfp_record *record, struct llmfp_error *error)
{
    for (size_t k = 0; k < record->n_cells; k++) {
        const struct llmfp_record_cell *cell = &record->cells[k];
        const uint32_t role =
            hash_index_add(&findings->roles, cell->role, strlen(cell->role), NULL);
        if (role == HASH_INDEX_NONE) {
            return no_memory(error);
        }
        if (cell->statistics.count > 0 &&
            !note_curve_value(survey, findings, role, cell->statistics.std)) {
            return no_memory(error);
        }
        const uint64_t layers = (uint64_t)cell->layer + 1;
        findings->n_layers = layers > findings->n_layers ? layers : findings->n_layers;
        widen_span(&findings->sums, &cell->sum);
        widen_span(&findings->squares, &cell->squares);
        if (cell->divisor.n_limbs > findings->divisor_limbs) {
            findings->divisor_limbs = cell->divisor.n_limbs;
        }
    }
    findings->n_cells += record->n_cells;
    record->n_cells = 0; /* the rest is what rank 0 needs */
    llmfp_record_pack(record, &findings->models);
    return LLMFP_OK;
}

/* Local. Read all records of this rank's models. */
static enum llmfp_status read_own(struct survey *survey, size_t n, struct findings *findings,
                                  const volatile sig_atomic_t *stop, struct llmfp_error *error)
{
    survey->curves_of = calloc(n + 1, sizeof *survey->curves_of);
    if (survey->curves_of == NULL) {
        return no_memory(error);
    }
    survey->n = 0;
    while (survey->n < n) {
        if (*stop != 0) {
            return llmfp_fail(error, LLMFP_INTERRUPTED, "interrupted by a signal");
        }
        struct llmfp_record record = {0};
        enum llmfp_status status = survey_read(survey, survey->first + survey->n, &record, error);
        if (status != LLMFP_OK) {
            return status;
        }
        survey->n++;
        survey->curves_of[survey->n] = survey->curves_of[survey->n - 1];
        status = survey_record(survey, findings, &record, error);
        llmfp_record_clear(&record);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    return LLMFP_OK;
}

/* ---- agreement ---- */

static enum llmfp_status share_places(const struct llmfp_communicator *communicator,
                                      const struct llmfp_results_request *request,
                                      struct survey *survey, struct llmfp_error *error)
{
    struct llmfp_buffer packed = {0};
    const size_t size_bytes = request->n_models * sizeof *survey->places;
    if (communicator->rank == 0) {
        llmfp_buffer_put(&packed, request->places, size_bytes);
    }
    enum llmfp_status status = llmfp_broadcast(communicator, &packed, 0, error);
    if (status == LLMFP_OK) {
        survey->n_models = request->n_models;
        survey->places = malloc(size_bytes + 1);
        if (survey->places == NULL || packed.size_bytes != size_bytes) {
            status = no_memory(error);
        } else if (size_bytes > 0) {
            memcpy(survey->places, packed.bytes, size_bytes);
        }
        status = llmfp_agree(communicator, status, error);
    }
    llmfp_buffer_clear(&packed);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return llmfp_role_compare(*(const char *const *)a, *(const char *const *)b);
}

/* The union of all ranks' roles, sorted, on every rank. */
static enum llmfp_status merge_roles(struct survey *survey, const struct llmfp_buffer *all,
                                     struct llmfp_error *error)
{
    struct hash_index seen = {0};
    struct llmfp_arena names = {0};
    struct llmfp_cursor cursor = llmfp_cursor_over(all->bytes, all->size_bytes);
    bool good = true;
    while (good && cursor.offset_bytes < cursor.size_bytes) {
        const char *name = llmfp_cursor_string(&cursor, &names);
        good = name != NULL && hash_index_add(&seen, name, strlen(name), NULL) != HASH_INDEX_NONE;
    }
    const char **sorted = calloc((size_t)seen.n_keys + 1, sizeof *sorted);
    survey->roles = calloc((size_t)seen.n_keys + 1, sizeof *survey->roles);
    good = good && sorted != NULL && survey->roles != NULL;
    for (uint32_t r = 0; good && r < seen.n_keys; r++) {
        sorted[r] = seen.keys[r].bytes;
    }
    if (good) {
        qsort(sorted, seen.n_keys, sizeof *sorted, compare_names);
    }
    for (uint32_t r = 0; good && r < seen.n_keys; r++) {
        good = hash_index_add(&survey->role_numbers, sorted[r], strlen(sorted[r]), NULL) == r;
        survey->roles[r] = good ? survey->role_numbers.keys[r].bytes : NULL;
    }
    survey->n_roles = seen.n_keys;
    free(sorted);
    hash_index_clear(&seen);
    llmfp_arena_clear(&names);
    return good ? LLMFP_OK : no_memory(error);
}

static enum llmfp_status agree_on_roles(const struct llmfp_communicator *communicator,
                                        struct survey *survey, const struct findings *findings,
                                        struct llmfp_error *error)
{
    struct llmfp_buffer mine = {0};
    struct llmfp_buffer all = {0};
    for (uint32_t r = 0; r < findings->roles.n_keys; r++) {
        llmfp_buffer_put_string(&mine, findings->roles.keys[r].bytes);
    }
    enum llmfp_status status = llmfp_exchange(communicator, &mine, &all, NULL, error);
    if (status == LLMFP_OK) {
        status = merge_roles(survey, &all, error);
        status = llmfp_agree(communicator, status, error);
    }
    /* From this rank's own numbering to the file's. */
    const size_t n_curves =
        status == LLMFP_OK && survey->curves_of != NULL ? survey->curves_of[survey->n] : 0;
    for (size_t i = 0; i < n_curves; i++) {
        const struct hash_index_key *key = &findings->roles.keys[survey->curves[i].role];
        survey->curves[i].role = hash_index_find(&survey->role_numbers, key->bytes, key->n_bytes);
    }
    llmfp_buffer_clear(&mine);
    llmfp_buffer_clear(&all);
    return status;
}

static void limbs_of_span(const struct span *span, int32_t *exponent, uint32_t *n_limbs)
{
    const bool empty = span->low > span->high; /* all sums are zero: one limb of 2^0 */
    *exponent = empty ? 0 : (int32_t)span->low;
    *n_limbs = empty ? 1 : (uint32_t)((span->high - span->low) / LIMB_BITS);
}

static void agree_on_sizes(const struct llmfp_communicator *communicator, struct survey *survey,
                           const struct findings *findings)
{
    /* Lows are negated, so that one maximum serves for all. */
    int64_t mine[] = {-findings->sums.low,    findings->sums.high,         -findings->squares.low,
                      findings->squares.high, (int64_t)findings->n_layers, findings->divisor_limbs};
    int64_t all[6];
    MPI_Allreduce(mine, all, 6, MPI_INT64_T, MPI_MAX, communicator->handle);
    const struct span sums = {-all[0], all[1]};
    const struct span squares = {-all[2], all[3]};
    limbs_of_span(&sums, &survey->sum_exponent, &survey->sum_limbs);
    limbs_of_span(&squares, &survey->square_exponent, &survey->square_limbs);
    survey->n_layers = (uint64_t)all[4];
    survey->divisor_limbs = (uint32_t)all[5];
    MPI_Allreduce(&findings->n_cells, &survey->n_cells, 1, MPI_UINT64_T, MPI_SUM,
                  communicator->handle);
    MPI_Exscan(&findings->n_cells, &survey->first_cell, 1, MPI_UINT64_T, MPI_SUM,
               communicator->handle);
    if (communicator->rank == 0) {
        survey->first_cell = 0; /* undefined there */
    }
}

/* Rank 0 gets every model's record without its cells. */
static enum llmfp_status collect_models(const struct llmfp_communicator *communicator,
                                        struct survey *survey, const struct findings *findings,
                                        struct llmfp_error *error)
{
    struct llmfp_buffer all = {0};
    enum llmfp_status status = llmfp_gather(communicator, &findings->models, &all, NULL, error);
    if (status == LLMFP_OK && communicator->rank == 0) {
        struct llmfp_cursor cursor = llmfp_cursor_over(all.bytes, all.size_bytes);
        survey->models = calloc(survey->n_models + 1, sizeof *survey->models);
        status = survey->models == NULL ? no_memory(error) : LLMFP_OK;
        for (size_t i = 0; status == LLMFP_OK && i < survey->n_models; i++) {
            status = llmfp_record_unpack(&survey->models[i], &cursor, error);
        }
    }
    llmfp_buffer_clear(&all);
    return llmfp_agree(communicator, status, error);
}

static void clear_findings(struct findings *findings)
{
    hash_index_clear(&findings->roles);
    llmfp_buffer_clear(&findings->models);
}

enum llmfp_status survey_make(const struct llmfp_communicator *communicator,
                              const struct llmfp_results_request *request, struct survey *survey,
                              struct llmfp_error *error)
{
    *survey = (struct survey){.journal = {.descriptor = -1}};
    enum llmfp_status status = share_places(communicator, request, survey, error);
    if (status != LLMFP_OK) {
        return status;
    }
    struct findings findings = {.sums = {INT32_MAX, INT32_MIN}, .squares = {INT32_MAX, INT32_MIN}};
    const size_t n_ranks = (size_t)communicator->size;
    const size_t rank = (size_t)communicator->rank;
    survey->first = survey->n_models * rank / n_ranks;
    const size_t n = survey->n_models * (rank + 1) / n_ranks - survey->first;
    status = llmfp_journal_open_reader(&survey->journal, request->journal_path, error);
    if (status == LLMFP_OK) {
        status = read_own(survey, n, &findings, request->stop, error);
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = agree_on_roles(communicator, survey, &findings, error);
    }
    if (status == LLMFP_OK) {
        agree_on_sizes(communicator, survey, &findings);
        status = collect_models(communicator, survey, &findings, error);
    }
    clear_findings(&findings);
    return status;
}
