/* command_scan.c - the main command: scan, results file, summary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "llmfp/results.h"
#include "llmfp/scan.h"
#include "start.h"
#include "stop_signal.h"
#include "summary.h"
#include "timings.h"
#include "write_results.h"

/* ---- what the scan tells ---- */

static void on_failed(void *context, const char *label, const char *text)
{
    message_error(context, label, text);
}

static void on_note(void *context, const char *label, const char *text)
{
    message_note(context, label, text);
}

static void on_done(void *context, const char *label, const char *text)
{
    message_detail(context, label, text);
}

static void on_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct messages *messages = context;
    messages->progress.total_bytes = total_bytes;
    progress_update(&messages->progress, done_bytes, MPI_Wtime());
}

/* ---- steps ---- */

/* Seconds between two savings of a rank's progress: LLMFP_SAVE_SECONDS, for tests and for
 * file systems that are slow or costly to write to. */
static enum llmfp_status save_seconds(double *seconds, struct llmfp_error *error)
{
    const char *text = getenv("LLMFP_SAVE_SECONDS");
    *seconds = 20.0;
    if (text == NULL || text[0] == '\0') {
        return LLMFP_OK;
    }
    char *end;
    const double value = strtod(text, &end);
    if (*end != '\0' || !(value >= 0.0 && value <= 86400.0)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "LLMFP_SAVE_SECONDS is '%s'; give seconds from 0 to 86400, or unset it",
                          text);
    }
    *seconds = value;
    return LLMFP_OK;
}

/* Rank 0 knows what is done, and how often to save; tell the others. */
static enum llmfp_status share_entries(const struct command *command,
                                       struct llmfp_scan_entry *entries, bool *nothing_new,
                                       double *seconds, struct llmfp_error *error)
{
    struct llmfp_buffer packed = {0};
    if (command->communicator->rank == 0) {
        llmfp_buffer_put_u32(&packed, *nothing_new ? 1 : 0);
        llmfp_buffer_put_double(&packed, *seconds);
        llmfp_buffer_put(&packed, entries, command->manifest->n_entries * sizeof *entries);
    }
    const enum llmfp_status status = llmfp_broadcast(command->communicator, &packed, 0, error);
    if (status == LLMFP_OK) {
        struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
        const size_t size_bytes = command->manifest->n_entries * sizeof *entries;
        *nothing_new = llmfp_cursor_u32(&cursor) != 0;
        *seconds = llmfp_cursor_double(&cursor);
        const void *bytes = llmfp_cursor_bytes(&cursor, size_bytes);
        if (bytes != NULL) {
            memcpy(entries, bytes, size_bytes);
        }
    }
    llmfp_buffer_clear(&packed);
    return status;
}

static enum llmfp_status prepare(const struct command *command, struct start *start,
                                 struct llmfp_scan_entry *entries, double *seconds,
                                 struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    if (command->communicator->rank == 0) {
        status = save_seconds(seconds, error);
        if (status == LLMFP_OK) {
            status = start_prepare(command->options, command->own_rules, &command->part->split,
                                   command->manifest, start, entries, error);
        }
    }
    status = llmfp_agree(command->communicator, status, error);
    if (status == LLMFP_OK) {
        status = share_entries(command, entries, &start->nothing_new, seconds, error);
    }
    if (status == LLMFP_OK && start->n_damaged > 0) {
        message_note(command->messages, NULL,
                     "some of the saved progress is damaged; what it covered is scanned anew");
    }
    return status;
}

/* The models of the results file, in its order, and the file. */
static enum llmfp_status write_models(const struct command *command, const struct start *start,
                                      const struct llmfp_scan_entry *entries,
                                      struct summary_content *content, struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    if (command->communicator->rank == 0) {
        status = start_models(start, command->manifest, entries, &content->places,
                              &content->n_models, error);
    }
    status = llmfp_agree(command->communicator, status, error);
    return status == LLMFP_OK ? write_results(command, content, error) : status;
}

static bool any_failed(const struct command *command, const struct llmfp_scan_entry *entries)
{
    for (size_t i = 0; i < command->manifest->n_entries; i++) {
        if (entries[i].failed) {
            return true;
        }
    }
    return false;
}

/* Say why the run ends early, and what can be done. Rank 0's journal stays unless it holds
 * nothing. */
static int give_up(const struct command *command, const struct start *start,
                   enum llmfp_status status, const struct llmfp_error *error)
{
    char text[LLMFP_ERROR_TEXT_BYTES + 256];
    struct llmfp_error said = *error;
    const bool has_journal = start->journal.descriptor >= 0;
    if (status == LLMFP_INTERRUPTED) {
        (void)snprintf(text, sizeof text,
                       "%s; progress is saved in '%s': run again with --resume to go on", said.text,
                       start->journal_path == NULL ? "" : start->journal_path);
    } else if (status == LLMFP_CHECKPOINT) {
        (void)snprintf(text, sizeof text,
                       "%s; stopped here because of --strict, and no results were written",
                       said.text);
    } else {
        (void)snprintf(text, sizeof text, "%s", said.text);
    }
    message_error(command->messages, NULL, text);
    if (has_journal && status != LLMFP_INTERRUPTED) {
        if (start->journal.size_bytes <= 24 && !llmfp_partials_exist(start->journal_path)) {
            unlink(start->journal_path); /* nothing but its header */
        } else if (status != LLMFP_USAGE) {
            message_note(command->messages, NULL,
                         "what was done so far is saved; --resume goes on with it");
        }
    }
    return status == LLMFP_CHECKPOINT ? LLMFP_FATAL : (int)status;
}

/* With -v: how much there is to do, and with how many ranks. */
static void tell_start(const struct command *command, const struct llmfp_scan_entry *entries)
{
    size_t n_done = 0;
    for (size_t i = 0; i < command->manifest->n_entries; i++) {
        n_done += entries[i].done;
    }
    char text[128];
    (void)snprintf(text, sizeof text, "%zu checkpoints, %zu of them scanned already; %d ranks",
                   command->manifest->n_entries, n_done, command->communicator->size);
    message_detail(command->messages, NULL, text);
}

/* The scan, its results and its summary; the status that all ranks agree on. */
static enum llmfp_status run(struct command *command, struct start *start,
                             struct llmfp_scan_entry *entries, double seconds,
                             struct llmfp_error *error)
{
    struct messages *messages = command->messages;
    char *journal_path = start_journal_path(command->options->output);
    enum llmfp_status status =
        journal_path == NULL ? llmfp_fail_memory(error, 0, "a path") : LLMFP_OK;
    const struct llmfp_scan_settings settings = {
        .filter = command->filter,
        .own_rules = command->own_rules,
        .chunk_bytes = command->options->chunk_bytes,
        .io = command->options->io,
        .strict = command->options->strict,
        .saving = {journal_path,
                   start_key(command->options, command->own_rules, &command->part->split), seconds,
                   &start->partials},
        .split = command->part->split,
        .stop = &stop_signal_came};
    const struct llmfp_scan_listener listener = {messages, on_failed, on_note, on_done,
                                                 on_progress};
    struct llmfp_scan_timings timings = {0};
    const double start_s = MPI_Wtime();
    status = llmfp_agree(command->communicator, status, error);
    if (status == LLMFP_OK) {
        status =
            llmfp_scan_recheck(command->communicator, command->manifest, &listener, entries, error);
    }
    if (status == LLMFP_OK) {
        tell_start(command, entries);
        if (messages->speaks) {
            progress_start(&messages->progress, stderr, command->options->progress, 0, start_s);
        }
        status =
            llmfp_scan_run(command->communicator, command->manifest, &settings, &listener, entries,
                           messages->speaks ? &start->journal : NULL, &timings, error);
        if (messages->speaks) {
            progress_finish(&messages->progress, MPI_Wtime());
        }
    }
    struct summary_content content = {.output = command->options->output,
                                      .journal = &start->journal};
    const double write_s = MPI_Wtime();
    if (status == LLMFP_OK) {
        status = write_models(command, start, entries, &content, error);
    }
    if (status == LLMFP_OK && messages->speaks) {
        struct llmfp_error why = {LLMFP_OK, ""};
        if (summary_print(command->options, &content, stdout, &why) != LLMFP_OK) {
            /* The results are in place: the exit status is theirs. */
            message_error(messages, NULL, why.text);
        }
        start_remove_journal(start);
    }
    status = llmfp_agree(command->communicator, status, error);
    if (status == LLMFP_OK && command->options->timings) {
        timings_print(command->communicator, &timings, MPI_Wtime() - write_s, MPI_Wtime() - start_s,
                      stderr);
    }
    free(journal_path);
    free(content.places);
    free(content.likeness.group);
    return status;
}

int command_scan(struct command *command)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    struct start start = {.journal = {.descriptor = -1}};
    double seconds = 0.0;
    const size_t n = command->manifest->n_entries;
    struct llmfp_scan_entry *entries = calloc(n + 1, sizeof *entries);
    enum llmfp_status status = LLMFP_OK;
    if (entries == NULL) {
        status = llmfp_fail_memory(&error, n * sizeof *entries, "the list of checkpoints");
    }
    status = llmfp_agree(command->communicator, status, &error);
    for (size_t i = 0; status == LLMFP_OK && command->part->slices != NULL && i < n; i++) {
        entries[i].slice = command->part->slices[i];
    }
    if (status == LLMFP_OK) {
        status = prepare(command, &start, entries, &seconds, &error);
    }
    int exit_status;
    if (status == LLMFP_OK && start.nothing_new) {
        message_note(command->messages, NULL,
                     "every checkpoint of the manifest, or of this part of it, is in the results "
                     "file already; it is left as it is");
        if (command->messages->speaks) {
            start_remove_journal(&start);
        }
        exit_status = 0;
    } else {
        status = status == LLMFP_OK ? run(command, &start, entries, seconds, &error) : status;
        exit_status = status == LLMFP_OK ? (any_failed(command, entries) ? LLMFP_CHECKPOINT : 0)
                                         : give_up(command, &start, status, &error);
    }
    start_clear(&start);
    free(entries);
    return exit_status;
}
