/* write_results.h - from records in the journal to the results file in its place. */
#ifndef LLMFP_WRITE_RESULTS_H
#define LLMFP_WRITE_RESULTS_H

#include "command.h"
#include "summary.h"

/* Collective. Write the models of content->places (rank 0's), all of them in the journal of
 * the output, into the results file, and set content->likeness.
 * Errors, the same on every rank: as of llmfp_results_write.                        */
enum llmfp_status write_results(const struct command *command, struct summary_content *content,
                                struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
