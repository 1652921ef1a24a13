/* command_verify.c - llmfp-scan --verify FILE: does a results file hold what it should? One
 * process does it, without MPI. A damaged file may crash the HDF5 library, so the work is done
 * in a child. */
#include "command_verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "llmfp/verify.h"
#include "messages.h"

struct verification {
    struct messages *messages;
    const struct options *options;
};

static void on_finding(void *context, const char *text)
{
    const struct verification *verification = context;
    message_error(verification->messages, verification->options->verify, text);
}

/* One line on standard output. */
static void print_outcome(const struct options *options, const struct llmfp_verify_outcome *outcome)
{
    char path[LLMFP_ERROR_TEXT_BYTES];
    llmfp_escape(path, sizeof path, options->verify, strlen(options->verify));
    (void)printf(
        "%s: %" PRIu64 " models, %" PRIu64 " roles, %" PRIu64 " cells, %" PRIu64 " correlations",
        path, outcome->n_models, outcome->n_roles, outcome->n_cells, outcome->n_correlations);
    if (options->with_checkpoints) {
        (void)printf(", %" PRIu64 " checkpoints", outcome->n_checkpoints);
    }
    if (outcome->n_findings == 0) {
        (void)printf(": everything holds\n");
    } else {
        (void)printf(": findings: %zu\n", outcome->n_findings);
    }
}

static int verify(void *context)
{
    struct verification *verification = context;
    struct llmfp_verify_outcome outcome;
    struct llmfp_error error = {LLMFP_OK, ""};
    const struct llmfp_verify_request request = {
        .path = verification->options->verify,
        .with_checkpoints = verification->options->with_checkpoints,
        .with_correlations = true,
        .finding = on_finding,
        .context = verification,
    };
    const enum llmfp_status status = llmfp_results_verify(&request, &outcome, &error);
    if (status != LLMFP_OK) {
        message_error(verification->messages, NULL, error.text);
        return (int)status;
    }
    if (!verification->options->quiet) {
        print_outcome(verification->options, &outcome);
    }
    return outcome.n_findings == 0 ? 0 : VERIFY_FOUND_SOMETHING;
}

int command_verify(const struct options *options)
{
    struct messages messages = {.progress = {.out = stderr, .mode = PROGRESS_NONE},
                                .quiet = options->quiet,
                                .verbose = options->verbose,
                                .speaks = true};
    struct verification verification = {&messages, options};
    const int status = guard_run(verify, &verification);
    if (status < 0) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "the HDF5 library crashed on it (signal %d): the file is damaged", -status);
        message_error(&messages, options->verify, text);
    }
    return status < 0 ? LLMFP_FATAL : status;
}

/* ---- before --append ---- */

static void drop_finding(void *context, const char *text)
{
    (void)context;
    (void)text;
}

/* Everything that an import reads. What is wrong will be said by the import. */
static int read_through(void *context)
{
    struct llmfp_verify_outcome outcome;
    const char *const *path = context;
    const struct llmfp_verify_request request = {.path = *path, .finding = drop_finding};
    const enum llmfp_status status = llmfp_results_verify(&request, &outcome, NULL);
    return status == LLMFP_OK ? 0 : (int)status;
}

enum llmfp_status verify_can_be_read(const char *path, struct llmfp_error *error)
{
    const int status = guard_run(read_through, &path);
    if (status < 0) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "'%s': the HDF5 library crashes on it (signal %d): the file is damaged; "
                          "nothing was changed",
                          path, -status);
    }
    return LLMFP_OK;
}
