/* write_results.c - see write_results.h. */
#include "write_results.h"

#include <stdlib.h>
#include <time.h>

#include "start.h"
#include "stop_signal.h"
#include "version.h"

/* ISO 8601, UTC. SOURCE_DATE_EPOCH (reproducible-builds.org) replaces the clock. */
static void created_text(char text[32])
{
    time_t now = time(NULL);
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    if (fixed != NULL && fixed[0] != '\0') {
        char *end;
        const long long seconds = strtoll(fixed, &end, 10);
        now = *end == '\0' && seconds >= 0 ? (time_t)seconds : now;
    }
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

enum llmfp_status write_results(const struct command *command, struct summary_content *content,
                                struct llmfp_error *error)
{
    char created[32];
    created_text(created);
    char *journal_path = start_journal_path(command->options->output);
    enum llmfp_status status =
        journal_path == NULL ? llmfp_fail_memory(error, 0, "a path") : LLMFP_OK;
    status = llmfp_agree(command->communicator, status, error);
    if (status == LLMFP_OK) {
        const struct llmfp_results_request request = {
            .output = command->options->output,
            .journal_path = journal_path,
            .n_models = (size_t)llmfp_largest(command->communicator, content->n_models),
            .places = content->places,
            .generator = version_generator(),
            .created = created,
            .split = command->part->split,
            .stop = &stop_signal_came,
        };
        status = llmfp_results_write(command->communicator, &request, &content->likeness, error);
    }
    free(journal_path);
    return status;
}
