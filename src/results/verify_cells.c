/* verify_cells.c - every cell against its exact sums, and signatures against curves. Rows of
 * `exact` and blocks of the arrays over cells are walked side by side, in their order. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cell_check.h"
#include "llmfp/curve.h"
#include "verify.h"

enum { BLOCK_VALUES = 64 << 10, ROWS_AT_A_TIME = 1024 };

enum column { COUNT, ZEROS, NONFINITE, MEAN, STD, MIN, MAX, SIGNATURE, N_COLUMNS };

static const char *const column_names[N_COLUMNS] = {"count", "zeros", "nonfinite", "mean",
                                                    "std",   "min",   "max",       "signature"};

/* ---- rows ---- */

struct rows {
    hid_t datasets[4]; /* cell, sum, sum_squares, divisor (may be missing) */
    int32_t *cells;    /* owned, [ROWS_AT_A_TIME][3] */
    int64_t *sums;     /* owned, [ROWS_AT_A_TIME][limbs] */
    int64_t *squares;
    int64_t *divisors;
    uint64_t n;     /* in the file */
    uint64_t first; /* of the file, that is in memory */
    uint64_t next;  /* of the file */
    uint64_t end;   /* of those in memory */
    bool broken;    /* out of order or range: no row after this one is looked at */
};

static enum llmfp_status open_rows(const struct verifier *verifier, struct rows *rows)
{
    static const char *const names[] = {"exact/cell", "exact/sum", "exact/sum_squares",
                                        "exact/divisor"};
    const struct results_file *results = verifier->results;
    const size_t sum_limbs = (size_t)results->length[AXIS_SUM_LIMB];
    const size_t square_limbs = (size_t)results->length[AXIS_SQUARE_LIMB];
    const size_t divisor_limbs = (size_t)results->length[AXIS_DIVISOR_LIMB];
    for (int i = 0; i < (divisor_limbs > 0 ? 4 : 3); i++) {
        rows->datasets[i] = results_open(results, names[i]);
    }
    rows->n = results->length[AXIS_ROW];
    const size_t most = rows->n < ROWS_AT_A_TIME ? (size_t)rows->n + 1 : ROWS_AT_A_TIME;
    rows->cells = calloc(3 * most, sizeof *rows->cells);
    rows->sums = calloc(sum_limbs * most, sizeof *rows->sums);
    rows->squares = calloc(square_limbs * most, sizeof *rows->squares);
    rows->divisors = calloc(divisor_limbs * most + 1, sizeof *rows->divisors);
    return rows->cells == NULL || rows->sums == NULL || rows->squares == NULL ||
                   rows->divisors == NULL
               ? llmfp_fail_memory(verifier->error, (sum_limbs + square_limbs) * most * 8,
                                   "exact sums")
               : LLMFP_OK;
}

static void close_rows(struct rows *rows)
{
    for (int i = 0; i < 4; i++) {
        if (rows->datasets[i] >= 0) {
            H5Dclose(rows->datasets[i]);
        }
    }
    free(rows->cells);
    free(rows->sums);
    free(rows->squares);
    free(rows->divisors);
}

static enum llmfp_status load_rows(const struct verifier *verifier, struct rows *rows)
{
    const struct results_file *results = verifier->results;
    const uint64_t left = rows->n - rows->next;
    const hsize_t n = left < ROWS_AT_A_TIME ? left : ROWS_AT_A_TIME;
    const hsize_t start[] = {rows->next, 0};
    const hsize_t of_cells[] = {n, N_COORDINATES};
    const hsize_t of_sums[] = {n, results->length[AXIS_SUM_LIMB]};
    const hsize_t of_squares[] = {n, results->length[AXIS_SQUARE_LIMB]};
    enum llmfp_status status =
        results_read(results, rows->datasets[0], H5T_NATIVE_INT32, 2, start, of_cells, rows->cells);
    if (status == LLMFP_OK) {
        status = results_read(results, rows->datasets[1], H5T_NATIVE_INT64, 2, start, of_sums,
                              rows->sums);
    }
    if (status == LLMFP_OK) {
        status = results_read(results, rows->datasets[2], H5T_NATIVE_INT64, 2, start, of_squares,
                              rows->squares);
    }
    if (status == LLMFP_OK && rows->datasets[3] >= 0) {
        const hsize_t of_divisors[] = {n, results->length[AXIS_DIVISOR_LIMB]};
        status = results_read(results, rows->datasets[3], H5T_NATIVE_INT64, 2, start, of_divisors,
                              rows->divisors);
    }
    rows->first = rows->next;
    rows->end = rows->next + n;
    return status;
}

static const int32_t *cell_of(const struct rows *rows, uint64_t row)
{
    return rows->cells + 3 * (row - rows->first);
}

static bool in_order(const int32_t *a, const int32_t *b)
{
    for (int i = 0; i < 3; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i];
        }
    }
    return false;
}

/* Look at the next row: *cell is NULL behind the last one. `before` is the one before it. */
static enum llmfp_status peek_row(const struct verifier *verifier, struct rows *rows,
                                  int32_t before[3], const int32_t **cell)
{
    const uint64_t *length = verifier->results->length;
    *cell = NULL;
    if (rows->broken || rows->next == rows->n) {
        return LLMFP_OK;
    }
    if (rows->next == rows->end) {
        const enum llmfp_status status = load_rows(verifier, rows);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    const int32_t *found = cell_of(rows, rows->next);
    if (found[0] < 0 || found[1] < 0 || found[2] < 0 || (uint64_t)found[0] >= length[AXIS_MODEL] ||
        (uint64_t)found[1] >= length[AXIS_ROLE] || (uint64_t)found[2] >= length[AXIS_LAYER]) {
        findings_add(verifier->findings, FINDING_ROW,
                     "row %" PRIu64
                     " of exact/cell, (%d, %d, %d), lies outside of the arrays; rows "
                     "from there on were not looked at",
                     rows->next, found[0], found[1], found[2]);
        rows->broken = true;
    } else if (!in_order(before, found)) {
        findings_add(verifier->findings, FINDING_ROW,
                     "row %" PRIu64 " of exact/cell, (%d, %d, %d), is not behind the one before it "
                     "in order; rows from there on were not looked at",
                     rows->next, found[0], found[1], found[2]);
        rows->broken = true;
    }
    *cell = rows->broken ? NULL : found;
    return LLMFP_OK;
}

/* ---- blocks of one model and some of its roles ---- */

struct block {
    size_t model;
    size_t first_role;
    size_t n_roles;
    size_t n_layers;
    uint64_t *integers; /* owned, [3][capacity] */
    double *reals;      /* owned, [5][capacity] */
    bool *has_row;      /* owned, [capacity] */
    double *curve;      /* owned, [n_layers] */
    size_t capacity;
    hid_t datasets[N_COLUMNS];
};

static uint64_t *integers_of(const struct block *block, enum column column)
{
    return block->integers + (size_t)column * block->capacity;
}

static double *reals_of(const struct block *block, enum column column)
{
    return block->reals + (size_t)(column - MEAN) * block->capacity;
}

static enum llmfp_status open_block(const struct verifier *verifier, struct block *block)
{
    const size_t n_roles = (size_t)verifier->results->length[AXIS_ROLE];
    block->n_layers = (size_t)verifier->results->length[AXIS_LAYER];
    const size_t row = block->n_layers == 0 ? 1 : block->n_layers;
    size_t roles = row < BLOCK_VALUES ? BLOCK_VALUES / row : 1;
    roles = roles < n_roles ? roles : n_roles;
    block->n_roles = roles == 0 ? 1 : roles;
    block->capacity = block->n_roles * row;
    for (int i = 0; i < N_COLUMNS; i++) {
        block->datasets[i] = results_open(verifier->results, column_names[i]);
    }
    block->integers = calloc(3 * block->capacity, sizeof *block->integers);
    block->reals = calloc((N_COLUMNS - MEAN) * block->capacity, sizeof *block->reals);
    block->has_row = calloc(block->capacity, sizeof *block->has_row);
    block->curve = calloc(row, sizeof *block->curve);
    return block->integers == NULL || block->reals == NULL || block->has_row == NULL ||
                   block->curve == NULL
               ? llmfp_fail_memory(verifier->error, 65 * block->capacity, "cells")
               : LLMFP_OK;
}

static void close_block(struct block *block)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        if (block->datasets[i] >= 0) {
            H5Dclose(block->datasets[i]);
        }
    }
    free(block->integers);
    free(block->reals);
    free(block->has_row);
    free(block->curve);
}

static enum llmfp_status load_block(const struct verifier *verifier, struct block *block)
{
    const hsize_t start[] = {block->model, block->first_role, 0};
    const hsize_t count[] = {1, block->n_roles, block->n_layers};
    enum llmfp_status status = LLMFP_OK;
    for (int i = 0; status == LLMFP_OK && i < N_COLUMNS; i++) {
        const enum column column = (enum column)i;
        const bool is_integer = column <= NONFINITE;
        status = results_read(verifier->results, block->datasets[i],
                              is_integer ? H5T_NATIVE_UINT64 : H5T_NATIVE_DOUBLE, 3, start, count,
                              is_integer ? (void *)integers_of(block, column)
                                         : (void *)reals_of(block, column));
    }
    memset(block->has_row, 0, block->capacity * sizeof *block->has_row);
    return status;
}

static struct llmfp_statistics statistics_at(const struct block *block, size_t at)
{
    return (struct llmfp_statistics){
        .count = integers_of(block, COUNT)[at],
        .zeros = integers_of(block, ZEROS)[at],
        .nonfinite = integers_of(block, NONFINITE)[at],
        .mean = reals_of(block, MEAN)[at],
        .std = reals_of(block, STD)[at],
        .min = reals_of(block, MIN)[at],
        .max = reals_of(block, MAX)[at],
    };
}

/* All rows of the block. */
static enum llmfp_status check_rows(struct verifier *verifier, struct block *block,
                                    struct rows *rows, struct cell_check *check, int32_t before[3])
{
    const uint64_t *length = verifier->results->length;
    const int32_t *cell = NULL;
    enum llmfp_status status = peek_row(verifier, rows, before, &cell);
    while (status == LLMFP_OK && cell != NULL && (size_t)cell[0] == block->model &&
           (size_t)cell[1] < block->first_role + block->n_roles) {
        char place[PLACE_BYTES];
        const size_t role = (size_t)cell[1];
        const size_t layer = (size_t)cell[2];
        const size_t at = (role - block->first_role) * block->n_layers + layer;
        const uint64_t in_memory = rows->next - rows->first;
        const struct claimed_cell claimed = {
            .statistics = statistics_at(block, at),
            .sum = rows->sums + in_memory * length[AXIS_SUM_LIMB],
            .squares = rows->squares + in_memory * length[AXIS_SQUARE_LIMB],
            .divisor = rows->divisors + in_memory * length[AXIS_DIVISOR_LIMB]};
        verify_place(verifier, block->model, role, layer, place);
        cell_check(check, &claimed, place, verifier->findings);
        block->has_row[at] = true;
        verifier->rows[block->model]++;
        verifier->outcome->n_cells++;
        memcpy(before, cell, 3 * sizeof *before);
        rows->next++;
        status = peek_row(verifier, rows, before, &cell);
    }
    return status;
}

/* A place without a row: nothing may be there. */
static void check_empty(const struct verifier *verifier, const struct block *block, size_t at,
                        const char *place)
{
    const struct llmfp_statistics found = statistics_at(block, at);
    if (found.count != 0 || found.zeros != 0 || found.nonfinite != 0) {
        findings_add(verifier->findings, FINDING_ROW,
                     "%s: there are %" PRIu64 " elements, but no row of exact/cell", place,
                     found.count);
    } else if (!isnan(found.mean) || !isnan(found.std) || !isnan(found.min) || !isnan(found.max)) {
        findings_add(verifier->findings, FINDING_NAN,
                     "%s: there is no cell, but mean, std, min or max are numbers", place);
    }
}

static void check_signature(struct verifier *verifier, const struct block *block, size_t role)
{
    const size_t start = role * block->n_layers;
    const uint64_t *counts = integers_of(block, COUNT) + start;
    const double *stds = reals_of(block, STD) + start;
    const double *signature = reals_of(block, SIGNATURE) + start;
    size_t n = 0;
    for (size_t layer = 0; layer < block->n_layers; layer++) {
        if (counts[layer] > 0) {
            block->curve[n++] = stds[layer];
        }
    }
    llmfp_curve_signature(block->curve, n, block->curve);
    n = 0;
    for (size_t layer = 0; layer < block->n_layers; layer++) {
        const double wanted = counts[layer] > 0 ? block->curve[n++] : (double)NAN;
        if (!same_double(signature[layer], wanted)) {
            char place[PLACE_BYTES];
            verify_place(verifier, block->model, block->first_role + role, layer, place);
            findings_add(verifier->findings, FINDING_SIGNATURE,
                         "%s: signature is %.17g, but the curve of std gives %.17g", place,
                         signature[layer], wanted);
        }
    }
}

static enum llmfp_status check_block(struct verifier *verifier, struct block *block,
                                     struct rows *rows, struct cell_check *check, int32_t before[3])
{
    enum llmfp_status status = load_block(verifier, block);
    if (status == LLMFP_OK) {
        status = check_rows(verifier, block, rows, check, before);
    }
    for (size_t at = 0; status == LLMFP_OK && at < block->n_roles * block->n_layers; at++) {
        const uint64_t count = integers_of(block, COUNT)[at];
        uint64_t *counted = &verifier->counted[block->model];
        *counted = count > UINT64_MAX - *counted ? UINT64_MAX : *counted + count;
        if (!block->has_row[at] && !rows->broken) {
            char place[PLACE_BYTES];
            verify_place(verifier, block->model, block->first_role + at / block->n_layers,
                         at % block->n_layers, place);
            check_empty(verifier, block, at, place);
        }
    }
    for (size_t role = 0; status == LLMFP_OK && role < block->n_roles; role++) {
        check_signature(verifier, block, role);
    }
    return status;
}

static enum llmfp_status check_all(struct verifier *verifier, struct block *block,
                                   struct rows *rows, struct cell_check *check)
{
    const size_t n_roles = (size_t)verifier->results->length[AXIS_ROLE];
    const size_t step = block->n_roles;
    int32_t before[3] = {-1, -1, -1};
    enum llmfp_status status = LLMFP_OK;
    for (size_t model = 0; model < verifier->outcome->n_models; model++) {
        for (size_t role = 0; status == LLMFP_OK && role < n_roles; role += step) {
            block->model = model;
            block->first_role = role;
            block->n_roles = n_roles - role < step ? n_roles - role : step;
            status = check_block(verifier, block, rows, check, before);
        }
    }
    if (status == LLMFP_OK && rows->next < rows->n && !rows->broken) {
        findings_add(verifier->findings, FINDING_ROW,
                     "row %" PRIu64 " of exact/cell belongs to no array", rows->next);
    }
    return status;
}

enum llmfp_status verify_cells(struct verifier *verifier)
{
    struct rows rows = {
        .datasets = {H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID}};
    struct block block = {0};
    struct cell_check check = {.additive = NULL};
    enum llmfp_status status = open_block(verifier, &block);
    if (status == LLMFP_OK) {
        status = open_rows(verifier, &rows);
    }
    if (status == LLMFP_OK && !cell_check_begin(&check, verifier->results)) {
        status = llmfp_fail_memory(verifier->error, 0, "exact sums");
    }
    if (status == LLMFP_OK) {
        status = check_all(verifier, &block, &rows, &check);
    }
    cell_check_end(&check);
    close_rows(&rows);
    close_block(&block);
    return status;
}
