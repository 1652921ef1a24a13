/* llmfp/verify.h - whether a results file holds what it should.                  HDF5
 *
 * Structure, types and scales against the schema; ranges and counts; mean and std from the
 * exact sums, signatures and correlations from std, all to the last bit; and, when asked,
 * that the checkpoints on disk are those that were scanned. The file may come from anyone. */
#ifndef LLMFP_VERIFY_H
#define LLMFP_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/error.h"

struct llmfp_verify_request {
    const char *path;
    bool with_checkpoints;
    bool with_correlations;
    /* Called for every finding with a sentence that does not name the file; of each kind
     * only the first five, then how many more there are.                            */
    void (*finding)(void *context, const char *text);
    void *context;
};

struct llmfp_verify_outcome {
    size_t n_findings;
    uint64_t n_models;
    uint64_t n_roles;
    uint64_t n_cells;        /* whose numbers have been computed again */
    uint64_t n_correlations; /* likewise */
    uint64_t n_checkpoints;  /* that were compared with what is on disk */
};

/* Local; needs no MPI. When the structure is wrong, values are not looked at.
 * Errors: LLMFP_FATAL when it is no HDF5 file, cannot be read, or memory is short.  */
enum llmfp_status llmfp_results_verify(const struct llmfp_verify_request *request,
                                       struct llmfp_verify_outcome *outcome,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
