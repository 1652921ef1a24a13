/* verify.h - the parts of the verification of a results file. */
#ifndef LLMFP_RESULTS_VERIFY_H
#define LLMFP_RESULTS_VERIFY_H

#include "llmfp/verify.h"
#include "reading.h"

struct verifier {
    struct results_file *results;
    struct findings *findings;
    struct llmfp_verify_outcome *outcome;
    struct llmfp_error *error;
    const char **models; /* owned arrays; strings belong to results */
    const char **roles;
    const char **status;
    uint64_t *counted; /* owned, [n_models]: elements of all cells */
    uint64_t *rows;    /* owned, [n_models]: rows of exact/cell */
};

/* All Local. Errors: LLMFP_FATAL; what is wrong with the file goes to the findings. */

/* Labels: unique, not empty, UTF-8; counting scales; fixed strings. Reads models, roles and
 * status. */
enum llmfp_status verify_labels(struct verifier *verifier) LLMFP_MUST_CHECK;

/* All cells, and signatures. Fills counted and rows. */
enum llmfp_status verify_cells(struct verifier *verifier) LLMFP_MUST_CHECK;

/* What is one value a model. After verify_cells. */
enum llmfp_status verify_models(struct verifier *verifier) LLMFP_MUST_CHECK;

/* Of a part of a split scan: the records of checkpoints that it has a slice of. */
enum llmfp_status verify_slices(struct verifier *verifier) LLMFP_MUST_CHECK;

/* correlation and correlation_qkvo from std. */
enum llmfp_status verify_correlations(struct verifier *verifier) LLMFP_MUST_CHECK;

/* The files on disk against source_digest. */
enum llmfp_status verify_checkpoints(struct verifier *verifier) LLMFP_MUST_CHECK;

enum { PLACE_BYTES = 512 };

/* "model LABEL, role ROLE, layer N", printable. */
void verify_place(const struct verifier *verifier, size_t model, size_t role, size_t layer,
                  char place[PLACE_BYTES]);

#endif
