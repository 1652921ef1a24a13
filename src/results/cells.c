/* cells.c - the arrays over cells, filled in blocks of models from their records. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llmfp/curve.h"
#include "writer.h"

enum {
    BLOCK_VALUES = 128 << 10 /* of each array at a time: 1 MiB */
};

static enum llmfp_status no_memory(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_FATAL,
                      "out of memory while the results are written; use more ranks or give each "
                      "more memory");
}

/* ---- (model, role, layer) ---- */

/* The arrays of WRITER_COUNT ... WRITER_SIGNATURE, in this order. */
enum column { COUNT, ZEROS, NONFINITE, MEAN, STD, MIN, MAX, SIGNATURE, N_COLUMNS };
_Static_assert((int)SIGNATURE == (int)WRITER_SIGNATURE, "columns are arrays of the file");

static bool is_integer(enum column column)
{
    return column <= NONFINITE;
}

/* A block: models first .. first + n - 1, roles first_role .. first_role + n_roles - 1. */
struct block {
    size_t first;
    size_t n;
    size_t first_role;
    size_t n_roles;
    size_t n_layers;
    uint64_t *integers; /* [3][capacity], owned */
    double *reals;      /* [5][capacity], owned */
    size_t capacity;
};

static uint64_t *integers_of(const struct block *block, enum column column)
{
    return block->integers + (size_t)column * block->capacity;
}

static double *reals_of(const struct block *block, enum column column)
{
    return block->reals + (size_t)(column - MEAN) * block->capacity;
}

static void empty_block(const struct block *block)
{
    memset(block->integers, 0, 3 * block->capacity * sizeof *block->integers);
    for (size_t i = 0; i < (N_COLUMNS - MEAN) * block->capacity; i++) {
        block->reals[i] = NAN;
    }
}

/* The signature of the curve that the cells [begin, end) of one role make. */
static void put_signature(const struct llmfp_record *record, size_t begin, size_t end,
                          double *curve, double *signature)
{
    size_t n = 0;
    for (size_t k = begin; k < end; k++) {
        if (record->cells[k].statistics.count > 0) {
            curve[n++] = record->cells[k].statistics.std;
        }
    }
    llmfp_curve_signature(curve, n, curve);
    n = 0;
    for (size_t k = begin; k < end; k++) {
        if (record->cells[k].statistics.count > 0) {
            signature[record->cells[k].layer] = curve[n++];
        }
    }
}

static void put_statistics(const struct block *block, size_t at,
                           const struct llmfp_statistics *statistics)
{
    integers_of(block, COUNT)[at] = statistics->count;
    integers_of(block, ZEROS)[at] = statistics->zeros;
    integers_of(block, NONFINITE)[at] = statistics->nonfinite;
    reals_of(block, MEAN)[at] = statistics->mean;
    reals_of(block, STD)[at] = statistics->std;
    reals_of(block, MIN)[at] = statistics->min;
    reals_of(block, MAX)[at] = statistics->max;
}

/* Put the cells of one record into row `model` of the block. */
static void put_record(const struct block *block, size_t model, const struct survey *survey,
                       const struct llmfp_record *record, double *curve)
{
    size_t begin = 0;
    while (begin < record->n_cells) {
        const char *role = record->cells[begin].role;
        size_t end = begin + 1;
        while (end < record->n_cells && strcmp(record->cells[end].role, role) == 0) {
            end++;
        }
        const size_t number = hash_index_find(&survey->role_numbers, role, strlen(role));
        if (number >= block->first_role && number < block->first_role + block->n_roles) {
            const size_t row =
                (model * block->n_roles + number - block->first_role) * block->n_layers;
            for (size_t k = begin; k < end; k++) {
                put_statistics(block, row + (size_t)record->cells[k].layer,
                               &record->cells[k].statistics);
            }
            put_signature(record, begin, end, curve, reals_of(block, SIGNATURE) + row);
        }
        begin = end;
    }
}

static enum llmfp_status fill_block(const struct block *block, const struct survey *survey,
                                    double *curve, struct llmfp_error *error)
{
    empty_block(block);
    for (size_t i = 0; i < block->n; i++) {
        struct llmfp_record record = {0};
        const enum llmfp_status status = survey_read(survey, block->first + i, &record, error);
        if (status != LLMFP_OK) {
            return status;
        }
        put_record(block, i, survey, &record, curve);
        llmfp_record_clear(&record);
    }
    return LLMFP_OK;
}

/* Local. */
static enum llmfp_status write_block(struct writer *writer, const struct block *block,
                                     struct llmfp_error *error)
{
    const uint64_t start[] = {block->first, block->first_role, 0};
    const uint64_t count[] = {block->n, block->n_roles, block->n_layers};
    enum llmfp_status status = LLMFP_OK;
    for (int column = 0; status == LLMFP_OK && column < N_COLUMNS; column++) {
        const enum column c = (enum column)column;
        const void *values =
            is_integer(c) ? (const void *)integers_of(block, c) : (const void *)reals_of(block, c);
        status = writer_put(writer, (enum writer_array)column, start, count, values, error);
    }
    return status;
}

/* Local. How to cut: whole models while a few fit, else one model and some of its roles. */
static void size_block(const struct survey *survey, size_t *models, size_t *roles)
{
    const size_t row = (size_t)survey->n_layers;
    *roles = survey->n_roles;
    if (row * survey->n_roles <= BLOCK_VALUES) {
        *models = BLOCK_VALUES / (row * survey->n_roles);
    } else {
        *models = 1;
        *roles = row < BLOCK_VALUES ? BLOCK_VALUES / row : 1;
        *roles = *roles < survey->n_roles ? *roles : survey->n_roles;
    }
    *models = *models < survey->n || survey->n == 0 ? *models : survey->n;
}

static enum llmfp_status write_all_blocks(struct writer *writer, const struct survey *survey,
                                          struct block *block, struct llmfp_error *error)
{
    const size_t models = block->n;
    const size_t roles = block->n_roles;
    double *curve = malloc((block->n_layers + 1) * sizeof *curve);
    enum llmfp_status status = curve == NULL ? no_memory(error) : LLMFP_OK;
    status = writer_agree(writer, status, error);
    const uint64_t rounds = llmfp_largest(writer->communicator, (survey->n + models - 1) / models);
    for (uint64_t round = 0; status == LLMFP_OK && round < rounds; round++) {
        const size_t done = (size_t)round * models;
        const size_t left = done < survey->n ? survey->n - done : 0;
        for (size_t role = 0; status == LLMFP_OK && role < survey->n_roles; role += roles) {
            block->first = survey->first + (left > 0 ? done : 0);
            block->n = left < models ? left : models;
            block->first_role = role;
            block->n_roles = survey->n_roles - role < roles ? survey->n_roles - role : roles;
            status = fill_block(block, survey, curve, error);
            if (status == LLMFP_OK) {
                status = write_block(writer, block, error);
            }
            status = writer_agree(writer, status, error);
        }
    }
    free(curve);
    return status;
}

enum llmfp_status write_cells(struct writer *writer, const struct survey *survey,
                              struct llmfp_error *error)
{
    if (survey->n_roles == 0 || survey->n_layers == 0) {
        return LLMFP_OK;
    }
    struct block block = {.n_layers = (size_t)survey->n_layers};
    size_block(survey, &block.n, &block.n_roles);
    /* All ranks cut alike, or their rounds would not match. */
    uint64_t models = block.n;
    MPI_Allreduce(MPI_IN_PLACE, &models, 1, MPI_UINT64_T, MPI_MIN, writer->communicator->handle);
    block.n = models == 0 ? 1 : (size_t)models;
    block.capacity = block.n * block.n_roles * block.n_layers;
    block.integers = malloc(3 * block.capacity * sizeof *block.integers);
    block.reals = malloc((N_COLUMNS - MEAN) * block.capacity * sizeof *block.reals);
    enum llmfp_status status = LLMFP_OK;
    if (block.integers == NULL || block.reals == NULL) {
        status = no_memory(error);
    }
    status = writer_agree(writer, status, error);
    if (status == LLMFP_OK) {
        status = write_all_blocks(writer, survey, &block, error);
    }
    free(block.integers);
    free(block.reals);
    return status;
}

/* ---- exact sums: rows by (model, role, layer) ---- */

/* Rows that wait to be written, and where this rank is in its records. */
struct rows {
    size_t capacity;
    size_t n;
    uint64_t first; /* row of the file */
    int32_t *cells; /* [capacity][3], owned */
    int64_t *sums;  /* [capacity][sum_limbs], owned */
    int64_t *squares;
    int64_t *divisors;          /* [capacity][divisor_limbs], owned */
    struct llmfp_record record; /* being worked on; n_cells 0 when none is */
    size_t model;               /* number of that record within this rank's models */
    size_t cell;                /* next cell of it */
};

static void put_divisor(const struct llmfp_divisor *divisor, int64_t *limbs, uint32_t n_limbs)
{
    for (uint32_t k = 0; k < n_limbs; k++) {
        limbs[k] = k < divisor->n_limbs ? divisor->limbs[k] : 0;
    }
    if (divisor->n_limbs == 0 && n_limbs > 0) {
        limbs[0] = 1;
    }
}

static void put_row(const struct survey *survey, struct rows *rows)
{
    const struct llmfp_record_cell *cell = &rows->record.cells[rows->cell++];
    int32_t *where = rows->cells + 3 * rows->n;
    where[0] = (int32_t)(survey->first + rows->model);
    where[1] = (int32_t)hash_index_find(&survey->role_numbers, cell->role, strlen(cell->role));
    where[2] = cell->layer;
    llmfp_sum_place(&cell->sum, rows->sums + rows->n * survey->sum_limbs, survey->sum_limbs,
                    survey->sum_exponent);
    llmfp_sum_place(&cell->squares, rows->squares + rows->n * survey->square_limbs,
                    survey->square_limbs, survey->square_exponent);
    put_divisor(&cell->divisor, rows->divisors + rows->n * survey->divisor_limbs,
                survey->divisor_limbs);
    rows->n++;
}

/* Local. Fill the rows as far as there are cells and room. */
static enum llmfp_status fill_rows(const struct survey *survey, struct rows *rows,
                                   struct llmfp_error *error)
{
    while (rows->n < rows->capacity && rows->model < survey->n) {
        if (rows->record.label == NULL) {
            const enum llmfp_status status =
                survey_read(survey, survey->first + rows->model, &rows->record, error);
            if (status != LLMFP_OK) {
                return status;
            }
            rows->cell = 0;
        }
        while (rows->n < rows->capacity && rows->cell < rows->record.n_cells) {
            put_row(survey, rows);
        }
        if (rows->cell == rows->record.n_cells) {
            llmfp_record_clear(&rows->record);
            rows->model++;
        }
    }
    return LLMFP_OK;
}

/* Local. */
static enum llmfp_status write_rows(struct writer *writer, const struct survey *survey,
                                    struct rows *rows, struct llmfp_error *error)
{
    const uint64_t start[] = {rows->first, 0};
    const uint64_t of_cells[] = {rows->n, 3};
    const uint64_t of_sums[] = {rows->n, survey->sum_limbs};
    const uint64_t of_squares[] = {rows->n, survey->square_limbs};
    enum llmfp_status status =
        writer_put(writer, WRITER_EXACT_CELL, start, of_cells, rows->cells, error);
    if (status == LLMFP_OK) {
        status = writer_put(writer, WRITER_EXACT_SUM, start, of_sums, rows->sums, error);
    }
    if (status == LLMFP_OK) {
        status = writer_put(writer, WRITER_EXACT_SQUARES, start, of_squares, rows->squares, error);
    }
    if (status == LLMFP_OK && survey->divisor_limbs > 0) {
        const uint64_t of_divisors[] = {rows->n, survey->divisor_limbs};
        status =
            writer_put(writer, WRITER_EXACT_DIVISOR, start, of_divisors, rows->divisors, error);
    }
    rows->first += rows->n;
    rows->n = 0;
    return status;
}

static bool make_rows(const struct survey *survey, struct rows *rows)
{
    const size_t values =
        3 + (size_t)survey->sum_limbs + survey->square_limbs + survey->divisor_limbs;
    rows->capacity = BLOCK_VALUES / values + 1;
    rows->first = survey->first_cell;
    rows->cells = malloc(rows->capacity * 3 * sizeof *rows->cells);
    rows->sums = malloc(rows->capacity * survey->sum_limbs * sizeof *rows->sums);
    rows->squares = malloc(rows->capacity * survey->square_limbs * sizeof *rows->squares);
    rows->divisors = malloc((rows->capacity * survey->divisor_limbs + 1) * sizeof *rows->divisors);
    return rows->cells != NULL && rows->sums != NULL && rows->squares != NULL &&
           rows->divisors != NULL;
}

enum llmfp_status write_exact(struct writer *writer, const struct survey *survey,
                              struct llmfp_error *error)
{
    if (survey->n_cells == 0) {
        return LLMFP_OK;
    }
    struct rows rows = {0};
    enum llmfp_status status = LLMFP_OK;
    if (!make_rows(survey, &rows)) {
        status = no_memory(error);
    }
    status = writer_agree(writer, status, error);
    while (status == LLMFP_OK) {
        status = fill_rows(survey, &rows, error);
        const uint64_t n = rows.n;
        if (status == LLMFP_OK) {
            status = write_rows(writer, survey, &rows, error);
        }
        status = writer_agree(writer, status, error);
        if (status != LLMFP_OK || llmfp_largest(writer->communicator, n) == 0) {
            break;
        }
    }
    llmfp_record_clear(&rows.record);
    free(rows.cells);
    free(rows.sums);
    free(rows.squares);
    free(rows.divisors);
    return status;
}
