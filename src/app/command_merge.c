/* command_merge.c - llmfp-scan --merge: several results files into one, without a scan. */
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "llmfp/results.h"
#include "start.h"
#include "summary.h"
#include "write_results.h"

/* Rank 0: name every checkpoint that failed, as the scan did; how many there are. */
static size_t tell_failed(const struct command *command, const struct summary_content *content)
{
    size_t n_failed = 0;
    for (size_t i = 0; i < content->n_models; i++) {
        struct llmfp_record record = {0};
        struct llmfp_error why = {LLMFP_OK, ""};
        if (llmfp_journal_read(content->journal, &content->places[i], &record, &why) == LLMFP_OK &&
            record.failed) {
            message_error(command->messages, record.label, record.message);
            n_failed++;
        }
        llmfp_record_clear(&record);
    }
    return n_failed;
}

/* Rank 0: the results are in place. */
static void tell_outcome(const struct command *command, const struct summary_content *content)
{
    struct llmfp_error why = {LLMFP_OK, ""};
    if (summary_print(command->options, content, stdout, &why) != LLMFP_OK) {
        message_error(command->messages, NULL, why.text);
    }
}

int command_merge(struct command *command)
{
    const bool first = command->communicator->rank == 0;
    struct llmfp_error error = {LLMFP_OK, ""};
    struct start start = {.journal = {.descriptor = -1}};
    struct summary_content content = {.output = command->options->output,
                                      .journal = &start.journal};
    size_t n_failed = 0;
    enum llmfp_status status = LLMFP_OK;
    if (first) {
        status = start_merge(command->options, &start, &error);
        if (status == LLMFP_OK) {
            status =
                llmfp_results_merge(command->options->operands, command->options->n_operands,
                                    &start.journal, &content.places, &content.n_models, &error);
        }
    }
    status = llmfp_agree(command->communicator, status, &error);
    if (status == LLMFP_OK) {
        status = write_results(command, &content, &error);
    }
    if (status == LLMFP_OK && first) {
        n_failed = tell_failed(command, &content);
        tell_outcome(command, &content);
    }
    if (status == LLMFP_INTERRUPTED) {
        message_error(command->messages, NULL,
                      "interrupted by a signal, and nothing was written: run the merge again");
    } else if (status != LLMFP_OK) {
        message_error(command->messages, NULL, error.text);
    }
    if (first && start.journal.descriptor >= 0) {
        unlink(start.journal_path); /* all of it is in the files that were merged */
    }
    start_clear(&start);
    free(content.places);
    free(content.likeness.group);
    n_failed = (size_t)llmfp_largest(command->communicator, n_failed);
    return status != LLMFP_OK ? (int)status : n_failed > 0 ? LLMFP_CHECKPOINT : 0;
}
