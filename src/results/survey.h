/* survey.h - what all records together need of the results file. */
#ifndef LLMFP_SURVEY_H
#define LLMFP_SURVEY_H

#include <stddef.h>
#include <stdint.h>

#include "hash_index.h"
#include "llmfp/communicator.h"
#include "llmfp/journal.h"
#include "llmfp/results.h"

/* The layers of one role that one model has, as far as they have elements. */
struct survey_curve {
    uint32_t role; /* index into the file's roles */
    uint32_t n_layers;
    size_t start; /* in survey.values */
};

struct survey {
    struct llmfp_journal journal;       /* open for reading, on every rank */
    struct llmfp_journal_place *places; /* owned, [n_models], the same on every rank */
    size_t n_models;
    size_t first; /* this rank's models: first .. first + n - 1 */
    size_t n;
    /* the same on every rank */
    struct hash_index role_numbers; /* role name -> index in `roles` */
    const char **roles;             /* owned array; names belong to role_numbers */
    size_t n_roles;
    uint64_t n_layers; /* most layers of any role and model */
    uint64_t n_cells;
    uint64_t first_cell; /* rows before this rank's models */
    int32_t sum_exponent;
    uint32_t sum_limbs;
    int32_t square_exponent;
    uint32_t square_limbs;
    uint32_t divisor_limbs; /* 0: no cell has a divisor */
    /* this rank's models */
    double *values; /* owned: standard deviations of all curves, one behind the other */
    size_t n_values;
    struct survey_curve *curves; /* owned, by (model, role) */
    size_t *curves_of;           /* owned, [n + 1]: where each model's curves begin */
    /* rank 0: records without their cells, in the file's order; owned */
    struct llmfp_record *models;
};

/* Collective. Errors, the same on every rank: LLMFP_FATAL. survey_clear after success
 * and failure.                                                                     */
enum llmfp_status survey_make(const struct llmfp_communicator *communicator,
                              const struct llmfp_results_request *request, struct survey *survey,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. A model's record, as the results file shows it. Errors: LLMFP_FATAL.       */
enum llmfp_status survey_read(const struct survey *survey, size_t model,
                              struct llmfp_record *record,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

void survey_clear(struct survey *survey);

#endif
