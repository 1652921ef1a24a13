/* finish.c - reducing a batch and recording it. */
#include "finish.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Checkpoint i of n belongs to this rank: consecutive checkpoints to ascending ranks,
 * so that each rank's cells are consecutive too. */
static int owner_of(size_t checkpoint, size_t n, int n_ranks)
{
    return (int)(checkpoint * (size_t)n_ranks / n);
}

struct owned {
    size_t first_cell;
    size_t n_cells;
    int64_t *additive; /* of these cells, summed over all ranks; owned */
    int64_t *extreme;  /* owned */
};

/* Cells and int64 values that each rank is to receive. */
static void count_owned(const struct llmfp_batch *batch, const struct llmfp_plan *plan, int n_ranks,
                        int *n_additive, int *n_extreme)
{
    memset(n_additive, 0, (size_t)n_ranks * sizeof *n_additive);
    memset(n_extreme, 0, (size_t)n_ranks * sizeof *n_extreme);
    for (size_t i = 0; i < plan->n_cells; i++) {
        const int owner = owner_of(plan->cells[i].checkpoint, batch->n, n_ranks);
        n_additive[owner] += (int)llmfp_moments_size(&plan->cells[i].layout);
        n_extreme[owner] += LLMFP_N_EXTREMES;
    }
}

/* Collective. */
static enum llmfp_status reduce(const struct llmfp_communicator *communicator,
                                const struct llmfp_batch *batch, const struct llmfp_plan *plan,
                                struct stream *stream, struct owned *owned,
                                struct llmfp_error *error)
{
    const size_t n_ranks = (size_t)communicator->size;
    int *n_additive = malloc(2 * n_ranks * sizeof *n_additive);
    enum llmfp_status status = LLMFP_OK;
    if (n_additive == NULL) {
        status = llmfp_fail_memory(error, n_ranks * 8, "the reduction");
    } else {
        int *n_extreme = n_additive + n_ranks;
        count_owned(batch, plan, communicator->size, n_additive, n_extreme);
        for (int rank = 0; rank < communicator->rank; rank++) {
            owned->first_cell += (size_t)n_extreme[rank] / LLMFP_N_EXTREMES;
        }
        const size_t mine = (size_t)n_additive[communicator->rank];
        owned->n_cells = (size_t)n_extreme[communicator->rank] / LLMFP_N_EXTREMES;
        owned->additive = malloc((mine + 1) * sizeof *owned->additive);
        owned->extreme = malloc((owned->n_cells + 1) * LLMFP_N_EXTREMES * sizeof *owned->extreme);
        if (owned->additive == NULL || owned->extreme == NULL) {
            status = llmfp_fail_memory(error, mine * 8, "the reduction");
        }
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        for (size_t i = 0; i < plan->n_cells; i++) {
            llmfp_moments_settle(&stream->moments[i]);
        }
        MPI_Reduce_scatter(stream->additive, owned->additive, n_additive, MPI_INT64_T, MPI_SUM,
                           communicator->handle);
        MPI_Reduce_scatter(stream->extreme, owned->extreme, n_additive + n_ranks, MPI_INT64_T,
                           MPI_MAX, communicator->handle);
    }
    free(n_additive);
    return status;
}

/* ---- records ---- */

static void describe(struct llmfp_record *record, const struct llmfp_batch_checkpoint *checkpoint,
                     char digest[17])
{
    const struct llmfp_manifest_entry *entry = checkpoint->entry;
    record->label = entry->label;
    record->path = entry->path;
    record->family = entry->family;
    record->parent = entry->parent;
    record->failed = checkpoint->failed;
    record->message = checkpoint->failed ? checkpoint->message : "";
    record->format =
        checkpoint->files.format == NULL ? "" : llmfp_format_name(checkpoint->files.format);
    record->architecture = checkpoint->configuration.architecture;
    record->fingerprint = checkpoint->fingerprint;
    digest[0] = '\0';
    if (!checkpoint->failed) {
        record->tally = checkpoint->tally;
        (void)snprintf(digest, 17, "%016" PRIx64, checkpoint->digest);
    }
    record->source_digest = digest;
}

/* What of a split scan's checkpoint this part has scanned, if that is not all. */
static void note_part(struct llmfp_record *record, const struct llmfp_split *split,
                      const struct llmfp_slice *slice, const struct llmfp_plan *plan,
                      uint32_t checkpoint)
{
    if (slice->low == 0 && slice->high == slice->of) {
        return;
    }
    record->part = (struct llmfp_record_part){.number = split->number, .n = split->n};
    if (!record->failed) {
        const struct llmfp_plan_part part = llmfp_plan_part_of(plan, checkpoint);
        record->part.stream_bytes = part.high - part.low;
        record->part.low = llmfp_slice_low(slice, record->part.stream_bytes);
        record->part.high = llmfp_slice_high(slice, record->part.stream_bytes);
        record->part.plan = llmfp_plan_digest(plan, &part);
    }
}

/* A cell of the record, over the reduced values. Limbs are borrowed from them. */
static void fill_cell(struct llmfp_record_cell *cell, const struct llmfp_plan *plan,
                      const struct llmfp_plan_cell *planned, int64_t *additive, int64_t *extreme)
{
    const struct llmfp_moments_layout *layout = &planned->layout;
    struct llmfp_moments moments = {layout, additive, extreme, 0};
    cell->role = plan->roles[planned->role];
    cell->layer = planned->layer;
    llmfp_statistics_compute(&moments, &cell->statistics);
    int64_t *sum = additive + LLMFP_N_COUNTERS;
    cell->sum = llmfp_sum_shortest(sum, layout->sum_limbs, layout->sum_exponent);
    cell->squares =
        llmfp_sum_shortest(sum + layout->sum_limbs, layout->square_limbs, layout->square_exponent);
}

static size_t cells_of(const struct llmfp_plan *plan, size_t first, uint32_t checkpoint)
{
    size_t n = 0;
    while (first + n < plan->n_cells && plan->cells[first + n].checkpoint == checkpoint) {
        n++;
    }
    return n;
}

/* Pack the records of this rank's checkpoints, in order. */
static enum llmfp_status make_records(const struct llmfp_communicator *communicator,
                                      const struct llmfp_split *split,
                                      const struct llmfp_scan_entry *entries,
                                      const struct llmfp_batch *batch,
                                      const struct llmfp_plan *plan, struct owned *owned,
                                      struct llmfp_buffer *frames, struct llmfp_error *error)
{
    size_t cell = owned->first_cell;
    const size_t start =
        plan->n_cells == 0 ? 0 : plan->cells[cell < plan->n_cells ? cell : 0].additive;
    for (uint32_t i = 0; i < batch->n; i++) {
        if (owner_of(i, batch->n, communicator->size) != communicator->rank) {
            continue;
        }
        struct llmfp_record record = {0};
        char digest[17];
        const size_t n_cells = cells_of(plan, cell, i);
        describe(&record, &batch->checkpoints[i], digest);
        note_part(&record, split, &entries[batch->checkpoints[i].number].slice, plan, i);
        record.cells = calloc(n_cells + 1, sizeof *record.cells);
        if (record.cells == NULL) {
            return llmfp_fail_memory(error, n_cells * sizeof *record.cells, "a record");
        }
        for (size_t k = 0; k < n_cells && !record.failed; k++) {
            const struct llmfp_plan_cell *planned = &plan->cells[cell + k];
            fill_cell(&record.cells[k], plan, planned,
                      owned->additive + (planned->additive - start),
                      owned->extreme + (cell + k - owned->first_cell) * LLMFP_N_EXTREMES);
            record.n_cells++;
        }
        llmfp_journal_frame(&record, frames, NULL);
        free(record.cells);
        cell += n_cells;
    }
    return frames->failed ? llmfp_fail(error, LLMFP_FATAL, "out of memory, or a record above 4 GiB")
                          : LLMFP_OK;
}

/* Rank 0: all ranks' records, which are in manifest order, are on their way to the journal
 * when the last ones are there; note their places. */
static enum llmfp_status append_records(const struct llmfp_batch *batch,
                                        struct llmfp_buffer *frames,
                                        struct llmfp_scan_entry *entries,
                                        struct recording *recording, struct llmfp_error *error)
{
    const enum llmfp_status status = recording_end(recording, error);
    if (status != LLMFP_OK) {
        return status;
    }
    const uint64_t base = recording->journal->size_bytes;
    struct llmfp_cursor cursor = llmfp_cursor_over(frames->bytes, frames->size_bytes);
    for (size_t i = 0; i < batch->n; i++) {
        const uint32_t size_bytes = llmfp_cursor_u32(&cursor);
        const uint32_t check = llmfp_cursor_u32(&cursor);
        entries[batch->checkpoints[i].number].place =
            (struct llmfp_journal_place){base + cursor.offset_bytes, size_bytes, check};
        (void)llmfp_cursor_bytes(&cursor, size_bytes);
    }
    if (cursor.failed || cursor.offset_bytes != cursor.size_bytes) {
        return llmfp_fail(error, LLMFP_FATAL, "the ranks' records do not fit the batch");
    }
    return recording_begin(recording, frames, error);
}

enum llmfp_status finish_batch(const struct llmfp_communicator *communicator,
                               const struct llmfp_split *split, struct llmfp_batch *batch,
                               const struct llmfp_plan *plan, struct stream *stream,
                               struct llmfp_scan_entry *entries, struct recording *recording,
                               struct llmfp_scan_timings *timings, struct llmfp_error *error)
{
    struct owned owned = {0};
    struct llmfp_buffer frames = {0};
    struct llmfp_buffer all = {0};
    double start_s = MPI_Wtime();
    enum llmfp_status status = reduce(communicator, batch, plan, stream, &owned, error);
    timings->reduce_s += MPI_Wtime() - start_s;
    start_s = MPI_Wtime();
    if (status == LLMFP_OK) {
        status = make_records(communicator, split, entries, batch, plan, &owned, &frames, error);
        status = llmfp_agree(communicator, status, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_gather(communicator, &frames, &all, NULL, error);
    }
    if (status == LLMFP_OK) {
        if (communicator->rank == 0) {
            status = append_records(batch, &all, entries, recording, error);
        }
        status = llmfp_agree(communicator, status, error);
    }
    for (size_t i = 0; status == LLMFP_OK && i < batch->n; i++) {
        struct llmfp_scan_entry *entry = &entries[batch->checkpoints[i].number];
        entry->done = true;
        entry->failed = batch->checkpoints[i].failed;
    }
    timings->journal_s += MPI_Wtime() - start_s;
    free(owned.additive);
    free(owned.extreme);
    llmfp_buffer_clear(&frames);
    llmfp_buffer_clear(&all);
    return status;
}
