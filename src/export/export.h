/* export.h - a results file as CSV or JSON. What the stream cannot take shows in ferror(). */
#ifndef LLMFP_EXPORT_H
#define LLMFP_EXPORT_H

#include <stdio.h>

#include "results_file.h"

/* All Local. Errors: LLMFP_CHECKPOINT for a damaged file, LLMFP_FATAL without memory. */

/* A line a cell: model, role, layer, count, ..., signature. NaN is an empty field. */
enum llmfp_status export_cells(const struct results_file *results, FILE *out,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

/* A line a role and pair of models: role, first, second, correlation; then those of "qkvo". */
enum llmfp_status export_pairs(const struct results_file *results, FILE *out,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

/* One object: everything but the exact sums. */
enum llmfp_status export_json(const struct results_file *results, FILE *out,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
