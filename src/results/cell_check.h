/* cell_check.h - whether the numbers of one cell follow from its exact sums. */
#ifndef LLMFP_RESULTS_CELL_CHECK_H
#define LLMFP_RESULTS_CELL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/divisor.h"
#include "llmfp/statistics.h"
#include "reading.h"

/* A cell as a file has it. */
struct claimed_cell {
    struct llmfp_statistics statistics;
    const int64_t *sum;     /* [layout->sum_limbs] */
    const int64_t *squares; /* [layout->square_limbs] */
    const int64_t *divisor; /* [divisor_limbs] */
};

/* Room for one population at a time. */
struct cell_check {
    struct llmfp_moments_layout layout;
    uint32_t divisor_limbs; /* 0: the file has no divisors */
    int64_t *additive;      /* owned */
};

/* All Local. False without memory. */
bool cell_check_begin(struct cell_check *check, const struct results_file *results);
void cell_check_end(struct cell_check *check);

/* Add what is wrong with a cell to the findings; `where` names it. */
void cell_check(struct cell_check *check, const struct claimed_cell *cell, const char *where,
                struct findings *findings);

/* A row of exact/divisor, n limbs, as a divisor that borrows them; no limbs: 1. */
struct llmfp_divisor divisor_of_row(const int64_t *limbs, uint32_t n);

/* The same double: equal bits, or both NaN. */
bool same_double(double a, double b);

#endif
