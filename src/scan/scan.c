/* scan.c - the loop over batches. */
#include "llmfp/scan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "finish.h"
#include "llmfp/batch.h"
#include "llmfp/shares.h"
#include "recording.h"
#include "saving.h"
#include "stream.h"
#include "unchanged.h"

enum {
    LEAST_CHUNK_BYTES = 64 << 10,
    MOST_CHUNK_BYTES = 4 << 20,
    CHUNKS_PER_RANK = 32, /* at least, while chunks are not too small for it */
    /* Accumulators of a batch; one checkpoint alone may need this much too. */
    MOST_ACCUMULATOR_BYTES = LLMFP_PLAN_MOST_BYTES
};

struct scan {
    const struct llmfp_communicator *communicator;
    const struct llmfp_manifest *manifest;
    const struct llmfp_scan_settings *settings;
    const struct llmfp_scan_listener *listener;
    struct llmfp_scan_entry *entries;
    struct llmfp_scan_timings *timings;
    struct recording recording;  /* of finished batches */
    struct finishing *finishing; /* the batch before the one in work */
    struct llmfp_shares *shares;
    struct llmfp_batch *batch; /* on the heap: it is large */
    struct saving *saving;     /* likewise */
    struct stream *stream;     /* of the batch in work */
    size_t next;               /* first manifest entry that has not been located */
    size_t n_left;             /* entries that are not done */
    /* for progress */
    uint64_t done_bytes;
    size_t n_planned; /* checkpoints, and their bytes, whose headers have been read */
    uint64_t planned_bytes;
    uint64_t batch_chunks;
    uint64_t chunk_bytes;
    double last_progress_s;
};

/* Add the time since *mark_s to *phase_s, and set the mark to now. */
static void lap(double *phase_s, double *mark_s)
{
    const double now_s = MPI_Wtime();
    *phase_s += now_s - *mark_s;
    *mark_s = now_s;
}

/* ---- progress ---- */

static void report_progress(struct scan *scan, uint64_t in_batch_bytes)
{
    const double per_checkpoint =
        scan->n_planned == 0 ? 0.0 : (double)scan->planned_bytes / (double)scan->n_planned;
    const size_t unplanned = scan->n_left > scan->n_planned ? scan->n_left - scan->n_planned : 0;
    const uint64_t total = scan->planned_bytes + (uint64_t)(per_checkpoint * (double)unplanned);
    scan->listener->progress(scan->listener->context, scan->done_bytes + in_batch_bytes, total);
}

/* After each chunk; looks at the other ranks' counters a few times a second. */
static void tick(void *context)
{
    struct scan *scan = context;
    const double now_s = MPI_Wtime();
    saving_tick(scan->saving, scan->stream);
    if (scan->communicator->rank == 0 && scan->listener->progress != NULL &&
        now_s - scan->last_progress_s > 0.3) {
        scan->last_progress_s = now_s;
        const uint64_t claimed = llmfp_shares_claimed(scan->shares);
        report_progress(scan, claimed * scan->chunk_bytes);
    }
}

/* ---- one batch ---- */

/* Collective. Locate the next entries when nothing is waiting. */
static enum llmfp_status locate_next(struct scan *scan, struct llmfp_error *error)
{
    if (scan->batch->n_located > 0) {
        return LLMFP_OK;
    }
    size_t numbers[LLMFP_BATCH_MOST];
    size_t n = 0;
    while (n < LLMFP_BATCH_MOST && scan->next < scan->manifest->n_entries) {
        if (!scan->entries[scan->next].done) {
            numbers[n++] = scan->next;
        }
        scan->next++;
    }
    return n == 0 ? LLMFP_OK
                  : llmfp_batch_locate(scan->communicator, scan->manifest, numbers, n, scan->batch,
                                       error);
}

/* Local, the same on every rank. Checkpoints that no longer fit are put off. */
static enum llmfp_status make_plan(struct scan *scan, struct llmfp_plan *plan,
                                   struct llmfp_error *error)
{
    for (uint32_t i = 0; i < scan->batch->n; i++) {
        struct llmfp_batch_checkpoint *checkpoint = &scan->batch->checkpoints[i];
        if (checkpoint->failed) {
            continue;
        }
        struct llmfp_error why = {LLMFP_OK, ""};
        const enum llmfp_status status =
            llmfp_plan_add(plan, i, &checkpoint->configuration, &checkpoint->catalog,
                           scan->settings->filter, &checkpoint->tally, &why);
        if (status == LLMFP_FATAL) {
            *error = why;
            return status;
        }
        if (status != LLMFP_OK) {
            llmfp_plan_drop_last(plan);
            llmfp_batch_fail(checkpoint, why.text);
        } else if (i > 0 && plan->n_additive > MOST_ACCUMULATOR_BYTES / sizeof(int64_t)) {
            llmfp_plan_drop_last(plan);
            for (size_t k = i; k < scan->batch->n; k++) { /* its headers are read again later */
                llmfp_catalog_clear(&scan->batch->checkpoints[k].catalog);
            }
            scan->batch->n = i;
        }
    }
    return llmfp_plan_finish(plan, error);
}

static uint64_t choose_chunk(const struct scan *scan, uint64_t size_bytes)
{
    if (scan->settings->chunk_bytes > 0) {
        return scan->settings->chunk_bytes;
    }
    const uint64_t even = size_bytes / (CHUNKS_PER_RANK * (uint64_t)scan->communicator->size);
    if (even < LEAST_CHUNK_BYTES) {
        return LEAST_CHUNK_BYTES;
    }
    return even > MOST_CHUNK_BYTES ? MOST_CHUNK_BYTES : even;
}

/* Collective. Before all leave early: save what was added up since the last time. */
static enum llmfp_status save_and_leave(struct scan *scan, struct stream *stream,
                                        enum llmfp_status status, struct llmfp_error *error)
{
    struct llmfp_error why = {LLMFP_OK, ""};
    enum llmfp_status saved = saving_save(scan->saving, stream, &why);
    saved = llmfp_agree(scan->communicator, saved, &why);
    if (status != LLMFP_INTERRUPTED || saved == LLMFP_OK) {
        return status;
    }
    return llmfp_fail(error, LLMFP_FATAL,
                      "interrupted by a signal, and the progress of checkpoints in work could not "
                      "be saved: %s",
                      why.text);
}

/* Rank 0 speaks, for the lowest rank that could not save its progress the last time. */
static void tell_trouble(struct scan *scan)
{
    struct llmfp_error *trouble = &scan->saving->trouble;
    if (llmfp_agree(scan->communicator, trouble->status, trouble) != LLMFP_OK &&
        scan->communicator->rank == 0) {
        struct llmfp_error text = *trouble;
        (void)llmfp_error_prefix(&text, "progress within checkpoints could not be saved, and the "
                                        "scan goes on without");
        scan->listener->checkpoint_note(scan->listener->context, NULL, text.text);
    }
    *trouble = (struct llmfp_error){LLMFP_OK, ""};
}

/* Collective. Read and add up what is left of the plan, and agree on what failed. */
static enum llmfp_status stream_work(struct scan *scan, struct stream *stream,
                                     struct llmfp_error *error)
{
    double mark_s = MPI_Wtime();
    scan->batch_chunks = llmfp_work_n_chunks(stream->work, scan->chunk_bytes);
    llmfp_shares_deal(scan->shares, scan->batch_chunks);
    lap(&scan->timings->wait_s, &mark_s);
    bool stopped = false;
    enum llmfp_status status =
        stream_run(stream, scan->shares, scan->settings->stop, &stopped, tick, scan, error);
    lap(&scan->timings->stream_s, &mark_s);
    if (status == LLMFP_OK && stopped) {
        status = llmfp_fail(error, LLMFP_INTERRUPTED, "interrupted by a signal");
    }
    status = llmfp_agree(scan->communicator, status, error);
    lap(&scan->timings->wait_s, &mark_s);
    if (status != LLMFP_OK) {
        return save_and_leave(scan, stream, status, error);
    }
    tell_trouble(scan);
    status = look_for_changes(scan->communicator, scan->batch, stream->messages, error);
    if (status == LLMFP_OK) {
        const char *const *messages = (const char *const *)stream->messages;
        status = llmfp_batch_agree_failures(scan->communicator, scan->batch, messages, error);
    }
    return status;
}

static void count_planned(struct scan *scan, uint64_t size_bytes)
{
    scan->planned_bytes += size_bytes;
    scan->n_planned += scan->batch->n;
}

/* Local, the same on every rank. Cover what other parts of a split scan read.
 *   left_out_bytes  out: of the plan's stream                                        */
static enum llmfp_status leave_out(const struct scan *scan, const struct llmfp_plan *plan,
                                   struct llmfp_coverage *done, uint64_t *left_out_bytes,
                                   struct llmfp_error *error)
{
    for (uint32_t i = 0; i < scan->batch->n; i++) {
        const struct llmfp_slice *slice = &scan->entries[scan->batch->checkpoints[i].number].slice;
        const struct llmfp_plan_part part = llmfp_plan_part_of(plan, i);
        const uint64_t low = part.low + llmfp_slice_low(slice, part.high - part.low);
        const uint64_t high = part.low + llmfp_slice_high(slice, part.high - part.low);
        if (!llmfp_coverage_add(done, part.low, low) ||
            !llmfp_coverage_add(done, high, part.high)) {
            return llmfp_fail_memory(error, sizeof *done->ranges, "what other parts scan");
        }
    }
    *left_out_bytes = llmfp_coverage_bytes(done);
    return LLMFP_OK;
}

/* Collective. All of a plan: what earlier runs have added up, and what is left. */
static enum llmfp_status stream_plan(struct scan *scan, const struct llmfp_plan *plan,
                                     struct stream *stream, struct llmfp_error *error)
{
    struct llmfp_coverage done = {0};
    struct llmfp_work work = {0};
    uint64_t left_out_bytes = 0;
    enum llmfp_status status = leave_out(scan, plan, &done, &left_out_bytes, error);
    status = llmfp_agree(scan->communicator, status, error);
    if (status == LLMFP_OK) {
        count_planned(scan, plan->stream_bytes - left_out_bytes);
        status = saving_begin(scan->saving, scan->batch, plan, scan->listener, &done, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_work_make(&work, &done, plan->stream_bytes, error);
        scan->chunk_bytes = choose_chunk(scan, work.size_bytes);
        scan->done_bytes += plan->stream_bytes - left_out_bytes - work.size_bytes;
        if (status == LLMFP_OK) {
            status = stream_open(stream, plan, &work, scan->batch, scan->chunk_bytes,
                                 scan->settings->io, scan->timings, error);
        }
        status = llmfp_agree(scan->communicator, status, error);
    }
    if (status == LLMFP_OK) {
        scan->stream = stream;
        status = stream_work(scan, stream, error);
    }
    if (status == LLMFP_OK) {
        status = saving_merge(scan->saving, stream, error);
        status = llmfp_agree(scan->communicator, status, error);
    }
    scan->done_bytes += work.size_bytes;
    stream->work = NULL;
    llmfp_work_clear(&work);
    llmfp_coverage_clear(&done);
    return status;
}

static void tell_one(const struct scan *scan, const struct llmfp_record *record)
{
    const struct llmfp_scan_listener *listener = scan->listener;
    const struct llmfp_tally *tally = &record->tally;
    struct llmfp_error text = {LLMFP_OK, ""};
    if (record->failed) {
        listener->checkpoint_failed(listener->context, record->label, record->message);
        return;
    }
    if (tally->n_unsplit > 0) {
        (void)llmfp_fail(&text, LLMFP_OK, "%" PRIu64 " fused tensors are not split: %s",
                         tally->n_unsplit, tally->unsplit_note);
        listener->checkpoint_note(listener->context, record->label, text.text);
    }
    (void)llmfp_fail(
        &text, LLMFP_OK, "%d layers, %" PRIu64 " parameters; %" PRIu64 " of %" PRIu64 " bytes read",
        (int)tally->n_layers, tally->parameters, tally->wanted_bytes, tally->size_bytes);
    listener->checkpoint_done(listener->context, record->label, text.text);
}

/* Collective. The batch before the one in work is summed up: on with it to the journal.
 *   tells  whether rank 0 says what has become of its checkpoints                    */
static enum llmfp_status end_previous(struct scan *scan, bool tells, struct llmfp_error *error)
{
    if (finish_n(scan->finishing) == 0) {
        return LLMFP_OK;
    }
    const enum llmfp_status status = finish_end(scan->finishing, scan->communicator, scan->entries,
                                                &scan->recording, scan->timings, error);
    for (size_t i = 0; status == LLMFP_OK && tells && scan->communicator->rank == 0 &&
                       i < finish_n(scan->finishing);
         i++) {
        tell_one(scan, finish_record(scan->finishing, i));
    }
    finish_forget(scan->finishing);
    return status;
}

/* With `strict`: the error of the first checkpoint of the batch that has failed. */
static enum llmfp_status strict_error(const struct scan *scan, struct llmfp_error *error)
{
    for (size_t i = 0; scan->settings->strict && i < scan->batch->n; i++) {
        const struct llmfp_batch_checkpoint *checkpoint = &scan->batch->checkpoints[i];
        if (checkpoint->failed) {
            return llmfp_fail(error, LLMFP_CHECKPOINT, "%s: %s", checkpoint->entry->label,
                              checkpoint->message);
        }
    }
    return LLMFP_OK;
}

/* Collective. Everything from the plan of a batch to its sums, which then are on their way. */
static enum llmfp_status scan_batch(struct scan *scan, struct llmfp_error *error)
{
    struct llmfp_plan plan = {0};
    struct stream stream = {0};
    double mark_s = MPI_Wtime();
    enum llmfp_status status = make_plan(scan, &plan, error);
    lap(&scan->timings->plan_s, &mark_s);
    status = llmfp_agree(scan->communicator, status, error);
    if (status == LLMFP_OK) {
        status = strict_error(scan, error);
    }
    if (status == LLMFP_OK) {
        /* Not later: there is room for the accumulators of one batch. */
        status = end_previous(scan, true, error);
    }
    if (status == LLMFP_OK) {
        status = stream_plan(scan, &plan, &stream, error);
    }
    if (status == LLMFP_OK) {
        status = finish_begin(scan->finishing, scan->communicator, &scan->settings->split,
                              scan->batch, &plan, &stream, scan->entries, scan->timings, error);
    }
    if (status == LLMFP_OK) {
        status = strict_error(scan, error);
    }
    stream_clear(&stream);
    llmfp_plan_clear(&plan);
    return status;
}

/* Collective. Whether any rank has been told to stop. */
static enum llmfp_status check_stop(const struct scan *scan, struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    if (*scan->settings->stop != 0) {
        status = llmfp_fail(error, LLMFP_INTERRUPTED, "interrupted by a signal");
    }
    return llmfp_agree(scan->communicator, status, error);
}

static enum llmfp_status run_batches(struct scan *scan, struct llmfp_error *error)
{
    for (;;) {
        enum llmfp_status status = check_stop(scan, error);
        double mark_s = MPI_Wtime();
        if (status == LLMFP_OK) {
            status = locate_next(scan, error);
        }
        if (status != LLMFP_OK || scan->batch->n_located == 0) {
            return status;
        }
        llmfp_batch_choose(scan->batch, scan->communicator->size);
        lap(&scan->timings->locate_s, &mark_s);
        status = llmfp_batch_headers(scan->communicator, scan->batch, error);
        lap(&scan->timings->headers_s, &mark_s);
        if (status == LLMFP_OK) {
            status = scan_batch(scan, error);
        }
        if (status != LLMFP_OK) {
            return status;
        }
        llmfp_batch_advance(scan->batch);
        if (scan->communicator->rank == 0 && scan->listener->progress != NULL) {
            report_progress(scan, 0);
        }
    }
}

/* Collective. Whatever the scan came to, what is finished of it goes to the journal, and is on
 * disk afterwards. A failure of this is worse than an interruption, or a checkpoint that stops
 * the scan (which is not told twice): progress is not saved. */
static enum llmfp_status end_batches(struct scan *scan, enum llmfp_status status,
                                     struct llmfp_error *error)
{
    struct llmfp_error why = {LLMFP_OK, ""};
    enum llmfp_status ended = end_previous(scan, status != LLMFP_CHECKPOINT, &why);
    double mark_s = MPI_Wtime();
    struct llmfp_error journal_why = {LLMFP_OK, ""};
    enum llmfp_status recorded = recording_end(&scan->recording, &journal_why);
    lap(&scan->timings->wait_s, &mark_s);
    scan->timings->journal_s += scan->recording.append_s;
    recorded = llmfp_agree(scan->communicator, recorded, &journal_why);
    if (ended == LLMFP_OK) {
        ended = recorded;
        why = journal_why;
    }
    if (ended == LLMFP_OK || status == LLMFP_FATAL) {
        return status;
    }
    *error = why;
    return ended;
}

/* Whether MPI lets other threads do what has nothing to do with MPI. */
static bool threads_are_allowed(void)
{
    int threads = MPI_THREAD_SINGLE;
    MPI_Query_thread(&threads);
    return threads >= MPI_THREAD_FUNNELED;
}

enum llmfp_status llmfp_scan_run(const struct llmfp_communicator *communicator,
                                 const struct llmfp_manifest *manifest,
                                 const struct llmfp_scan_settings *settings,
                                 const struct llmfp_scan_listener *listener,
                                 struct llmfp_scan_entry *entries, struct llmfp_journal *journal,
                                 struct llmfp_scan_timings *timings, struct llmfp_error *error)
{
    struct scan scan = {.communicator = communicator,
                        .manifest = manifest,
                        .settings = settings,
                        .listener = listener,
                        .entries = entries,
                        .recording = {.journal = journal, .with_thread = threads_are_allowed()},
                        .timings = timings};
    for (size_t i = 0; i < manifest->n_entries; i++) {
        scan.n_left += !entries[i].done;
    }
    scan.batch = calloc(1, sizeof *scan.batch);
    scan.saving = calloc(1, sizeof *scan.saving);
    scan.finishing = finish_new();
    enum llmfp_status status = LLMFP_OK;
    if (scan.batch == NULL || scan.saving == NULL || scan.finishing == NULL) {
        status = llmfp_fail_memory(error, sizeof *scan.batch, "a batch");
    } else {
        scan.batch->own_rules = settings->own_rules;
        scan.saving->communicator = communicator;
        scan.saving->settings = &settings->saving;
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = llmfp_shares_open(communicator, &scan.shares, error);
    }
    if (status == LLMFP_OK) {
        status = run_batches(&scan, error);
        status = end_batches(&scan, status, error);
        llmfp_shares_close(scan.shares);
    }
    if (scan.batch != NULL) {
        llmfp_batch_clear(scan.batch);
        free(scan.batch);
    }
    recording_clear(&scan.recording);
    finish_free(scan.finishing);
    free(scan.saving);
    return status;
}
