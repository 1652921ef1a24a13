/* summary.h - what the program says at the end, on standard output of rank 0. */
#ifndef LLMFP_SUMMARY_H
#define LLMFP_SUMMARY_H

#include <stdio.h>

#include "llmfp/journal.h"
#include "llmfp/results.h"
#include "options.h"

struct summary_content {
    const char *output;
    const struct llmfp_journal *journal;
    struct llmfp_journal_place
        *places; /* [n_models], in the order of the file; owned by the caller */
    size_t n_models;
    struct llmfp_likeness likeness;
};

/* Local. Print as --summary says (nothing with --quiet).
 * Errors: LLMFP_FATAL when a record cannot be read or standard output not be written. */
enum llmfp_status summary_print(const struct options *options,
                                const struct summary_content *content, FILE *out,
                                struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
