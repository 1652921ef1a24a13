/* finish.c - summing a batch up over the ranks, and recording it. */
#include "finish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Checkpoint i of n belongs to this rank: consecutive checkpoints to ascending ranks,
 * so that each rank's cells are consecutive too. */
static int owner_of(size_t checkpoint, size_t n, int n_ranks)
{
    return (int)(checkpoint * (size_t)n_ranks / n);
}

struct finishing {
    size_t n; /* checkpoints under way; the records of all, without cells: */
    struct llmfp_record records[LLMFP_BATCH_MOST];
    size_t numbers[LLMFP_BATCH_MOST]; /* in the manifest */
    struct llmfp_plan plan;           /* taken over; its tensors are gone with their catalogs */
    int64_t *additive;                /* of all cells, added up by this rank; owned */
    int64_t *extreme;                 /* owned */
    size_t first_cell;                /* of those that this rank owns: */
    size_t n_cells;
    int64_t *owned_additive;                    /* summed over all ranks; owned */
    int64_t *owned_extreme;                     /* owned */
    MPI_Request requests[2 * LLMFP_BATCH_MOST]; /* the sums that are under way */
    int n_requests;
};

struct finishing *finish_new(void)
{
    return calloc(1, sizeof(struct finishing));
}

void finish_forget(struct finishing *finishing)
{
    for (size_t i = 0; i < finishing->n; i++) {
        llmfp_record_clear(&finishing->records[i]);
    }
    llmfp_plan_clear(&finishing->plan);
    free(finishing->additive);
    free(finishing->extreme);
    free(finishing->owned_additive);
    free(finishing->owned_extreme);
    *finishing = (struct finishing){0};
}

void finish_free(struct finishing *finishing)
{
    if (finishing != NULL) {
        finish_forget(finishing);
        free(finishing);
    }
}

size_t finish_n(const struct finishing *finishing)
{
    return finishing->n;
}

const struct llmfp_record *finish_record(const struct finishing *finishing, size_t i)
{
    return &finishing->records[i];
}

/* ---- what the records say beside the cells ---- */

static const char *copy(struct llmfp_record *record, const char *text)
{
    return llmfp_arena_string(&record->arena, text, strlen(text));
}

static bool describe(struct llmfp_record *record, const struct llmfp_batch_checkpoint *checkpoint)
{
    const struct llmfp_manifest_entry *entry = checkpoint->entry;
    char digest[17] = "";
    record->label = entry->label;
    record->path = entry->path;
    record->family = entry->family;
    record->parent = entry->parent;
    record->failed = checkpoint->failed;
    record->message = checkpoint->failed ? copy(record, checkpoint->message) : "";
    record->format =
        checkpoint->files.format == NULL ? "" : llmfp_format_name(checkpoint->files.format);
    record->architecture = copy(record, checkpoint->configuration.architecture);
    record->fingerprint = checkpoint->fingerprint;
    if (!checkpoint->failed) {
        record->tally = checkpoint->tally;
        (void)snprintf(digest, sizeof digest, "%016" PRIx64, checkpoint->digest);
    }
    record->source_digest = copy(record, digest);
    return record->message != NULL && record->architecture != NULL && record->source_digest != NULL;
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

/* Everything but the cells, while the batch and the catalogs of its plan are there. */
static enum llmfp_status describe_all(struct finishing *finishing, const struct llmfp_split *split,
                                      const struct llmfp_batch *batch,
                                      const struct llmfp_plan *plan,
                                      const struct llmfp_scan_entry *entries,
                                      struct llmfp_error *error)
{
    finishing->n = batch->n;
    for (uint32_t i = 0; i < batch->n; i++) {
        const struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        struct llmfp_record *record = &finishing->records[i];
        finishing->numbers[i] = checkpoint->number;
        if (!describe(record, checkpoint)) {
            return llmfp_fail_memory(error, sizeof checkpoint->message, "a record");
        }
        note_part(record, split, &entries[checkpoint->number].slice, plan, i);
    }
    return LLMFP_OK;
}

/* ---- the sums over all ranks ---- */

/* The cells of a rank's checkpoints, and where their int64 values are among all. */
struct share {
    size_t first_cell;
    size_t n_cells;
    size_t additive;
    size_t n_additive;
};

static struct share share_of(const struct llmfp_plan *plan, size_t n_checkpoints, int n_ranks,
                             int rank, size_t first_cell)
{
    struct share share = {.first_cell = first_cell};
    size_t i = first_cell;
    while (i < plan->n_cells &&
           owner_of(plan->cells[i].checkpoint, n_checkpoints, n_ranks) == rank) {
        share.n_additive += llmfp_moments_size(&plan->cells[i].layout);
        i++;
    }
    share.n_cells = i - first_cell;
    share.additive = share.n_cells == 0 ? 0 : plan->cells[first_cell].additive;
    return share;
}

/* Room for what this rank is to receive. */
static enum llmfp_status make_room(struct finishing *finishing, const struct llmfp_plan *plan,
                                   int n_ranks, int this_rank, struct llmfp_error *error)
{
    struct share share = {0};
    for (int rank = 0; rank <= this_rank; rank++) {
        share = share_of(plan, finishing->n, n_ranks, rank, share.first_cell + share.n_cells);
    }
    finishing->first_cell = share.first_cell;
    finishing->n_cells = share.n_cells;
    finishing->owned_additive = malloc((share.n_additive + 1) * sizeof(int64_t));
    finishing->owned_extreme = malloc((share.n_cells * LLMFP_N_EXTREMES + 1) * sizeof(int64_t));
    return finishing->owned_additive == NULL || finishing->owned_extreme == NULL
               ? llmfp_fail_memory(error, share.n_additive * sizeof(int64_t), "the reduction")
               : LLMFP_OK;
}

/* Collective; returns at once. One sum for each rank that owns something: it needs no room
 * for what others own, and no rank but the owners adds at the end of the way. */
static void start_sums(struct finishing *finishing, const struct llmfp_communicator *communicator)
{
    const struct llmfp_plan *plan = &finishing->plan;
    struct share share = {0};
    for (int rank = 0; rank < communicator->size; rank++) {
        share = share_of(plan, finishing->n, communicator->size, rank,
                         share.first_cell + share.n_cells);
        if (share.n_cells > 0) {
            MPI_Request *requests = finishing->requests + finishing->n_requests;
            MPI_Ireduce(finishing->additive + share.additive, finishing->owned_additive,
                        (int)share.n_additive, MPI_INT64_T, MPI_SUM, rank, communicator->handle,
                        &requests[0]);
            MPI_Ireduce(finishing->extreme + share.first_cell * LLMFP_N_EXTREMES,
                        finishing->owned_extreme, (int)(share.n_cells * LLMFP_N_EXTREMES),
                        MPI_INT64_T, MPI_MAX, rank, communicator->handle, &requests[1]);
            finishing->n_requests += 2;
        }
    }
}

enum llmfp_status finish_begin(struct finishing *finishing,
                               const struct llmfp_communicator *communicator,
                               const struct llmfp_split *split, const struct llmfp_batch *batch,
                               struct llmfp_plan *plan, struct stream *stream,
                               const struct llmfp_scan_entry *entries,
                               struct llmfp_scan_timings *timings, struct llmfp_error *error)
{
    const double start_s = MPI_Wtime();
    enum llmfp_status status = describe_all(finishing, split, batch, plan, entries, error);
    if (status == LLMFP_OK) {
        status = make_room(finishing, plan, communicator->size, communicator->rank, error);
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        for (size_t i = 0; i < plan->n_cells; i++) {
            llmfp_moments_settle(&stream->moments[i]);
        }
        finishing->plan = *plan;
        finishing->additive = stream->additive;
        finishing->extreme = stream->extreme;
        *plan = (struct llmfp_plan){0};
        stream->additive = NULL;
        stream->extreme = NULL;
        start_sums(finishing, communicator);
    } else {
        finish_forget(finishing);
    }
    timings->reduce_s += MPI_Wtime() - start_s;
    return status;
}

/* ---- records ---- */

/* Limbs are borrowed from the moments. */
static void set_sums(struct llmfp_record_cell *cell, const struct llmfp_moments *moments)
{
    const struct llmfp_moments_layout *layout = moments->layout;
    int64_t *sum = moments->additive + LLMFP_N_COUNTERS;
    cell->sum = llmfp_sum_shortest(sum, layout->sum_limbs, layout->sum_exponent);
    cell->squares =
        llmfp_sum_shortest(sum + layout->sum_limbs, layout->square_limbs, layout->square_exponent);
}

/* The reduced values of a planned cell. */
static struct llmfp_moments reduced(const struct finishing *finishing, size_t cell)
{
    const struct llmfp_plan_cell *cells = finishing->plan.cells;
    const size_t first = finishing->first_cell;
    return (struct llmfp_moments){&cells[cell].layout,
                                  finishing->owned_additive +
                                      (cells[cell].additive - cells[first].additive),
                                  finishing->owned_extreme + (cell - first) * LLMFP_N_EXTREMES, 0};
}

/* A cell of the record from n planned ones, which differ in their divisors. False without
 * memory. */
static bool fill_divided(struct llmfp_record_cell *cell, const struct finishing *finishing,
                         size_t first, size_t n, struct llmfp_arena *arena)
{
    struct llmfp_moments *moments = llmfp_arena_new(arena, n * sizeof *moments);
    struct llmfp_quotients *parts = llmfp_arena_new(arena, n * sizeof *parts);
    struct llmfp_pooled pooled;
    if (moments == NULL || parts == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        moments[i] = reduced(finishing, first + i);
        llmfp_moments_settle(&moments[i]);
        parts[i] = (struct llmfp_quotients){&moments[i], finishing->plan.cells[first + i].divisor};
    }
    if (!llmfp_quotients_pool(parts, n, arena, &pooled)) {
        return false;
    }
    llmfp_statistics_compute_quotients(&pooled.moments, &pooled.divisor, &cell->statistics);
    cell->statistics.min = pooled.least;
    cell->statistics.max = pooled.most;
    cell->divisor = pooled.divisor;
    set_sums(cell, &pooled.moments);
    return true;
}

/* A cell of the record from n planned ones. Limbs are borrowed from the reduced values, or
 * belong to the arena. False without memory. */
static bool fill_cell(struct llmfp_record_cell *cell, const struct finishing *finishing,
                      size_t first, size_t n, struct llmfp_arena *arena)
{
    const struct llmfp_plan_cell *planned = &finishing->plan.cells[first];
    cell->role = finishing->plan.roles[planned->role];
    cell->layer = planned->layer;
    if (n > 1 || planned->divisor != 1) {
        return fill_divided(cell, finishing, first, n, arena);
    }
    struct llmfp_moments moments = reduced(finishing, first);
    llmfp_statistics_compute(&moments, &cell->statistics);
    set_sums(cell, &moments);
    return true;
}

static size_t cells_of(const struct llmfp_plan *plan, size_t first, uint32_t checkpoint)
{
    size_t n = 0;
    while (first + n < plan->n_cells && plan->cells[first + n].checkpoint == checkpoint) {
        n++;
    }
    return n;
}

/* How many planned cells from `first` on have its role and layer. */
static size_t cells_at(const struct llmfp_plan *plan, size_t first)
{
    const struct llmfp_plan_cell *cell = &plan->cells[first];
    size_t n = 1;
    while (first + n < plan->n_cells && cell[n].checkpoint == cell->checkpoint &&
           cell[n].role == cell->role && cell[n].layer == cell->layer) {
        n++;
    }
    return n;
}

/* The cells of checkpoint i, the first of them `cell`. */
static enum llmfp_status fill_cells(struct finishing *finishing, size_t cell, size_t n_cells,
                                    struct llmfp_record *record, struct llmfp_error *error)
{
    record->cells = llmfp_arena_new(&record->arena, (n_cells + 1) * sizeof *record->cells);
    bool good = record->cells != NULL;
    for (size_t k = cell; good && k < cell + n_cells && !record->failed;) {
        const size_t same = cells_at(&finishing->plan, k);
        good = fill_cell(&record->cells[record->n_cells++], finishing, k, same, &record->arena);
        k += same;
    }
    return good ? LLMFP_OK : llmfp_fail_memory(error, n_cells * sizeof *record->cells, "a record");
}

/* Pack the records of this rank's checkpoints, in order. */
static enum llmfp_status make_records(struct finishing *finishing, int n_ranks, int rank,
                                      struct llmfp_buffer *frames, struct llmfp_error *error)
{
    size_t cell = finishing->first_cell;
    for (uint32_t i = 0; i < finishing->n; i++) {
        if (owner_of(i, finishing->n, n_ranks) != rank) {
            continue;
        }
        struct llmfp_record *record = &finishing->records[i];
        const size_t n_cells = cells_of(&finishing->plan, cell, i);
        const enum llmfp_status status = fill_cells(finishing, cell, n_cells, record, error);
        if (status != LLMFP_OK) {
            return status;
        }
        llmfp_journal_frame(record, frames, NULL);
        cell += n_cells;
    }
    return frames->failed ? llmfp_fail(error, LLMFP_FATAL, "out of memory, or a record above 4 GiB")
                          : LLMFP_OK;
}

/* Rank 0: all ranks' records, which are in manifest order, are on their way to the journal
 * when the last ones are there; note their places. */
static enum llmfp_status
append_records(const struct finishing *finishing, struct llmfp_buffer *frames,
               struct llmfp_scan_entry *entries, struct recording *recording,
               struct llmfp_scan_timings *timings, struct llmfp_error *error)
{
    const double start_s = MPI_Wtime();
    const enum llmfp_status status = recording_end(recording, error);
    timings->wait_s += MPI_Wtime() - start_s;
    if (status != LLMFP_OK) {
        return status;
    }
    const uint64_t base = recording->journal->size_bytes;
    struct llmfp_cursor cursor = llmfp_cursor_over(frames->bytes, frames->size_bytes);
    for (size_t i = 0; i < finishing->n; i++) {
        const uint32_t size_bytes = llmfp_cursor_u32(&cursor);
        const uint32_t check = llmfp_cursor_u32(&cursor);
        entries[finishing->numbers[i]].place =
            (struct llmfp_journal_place){base + cursor.offset_bytes, size_bytes, check};
        (void)llmfp_cursor_bytes(&cursor, size_bytes);
    }
    if (cursor.failed || cursor.offset_bytes != cursor.size_bytes) {
        return llmfp_fail(error, LLMFP_FATAL, "the ranks' records do not fit the batch");
    }
    return recording_begin(recording, frames, error);
}

enum llmfp_status finish_end(struct finishing *finishing,
                             const struct llmfp_communicator *communicator,
                             struct llmfp_scan_entry *entries, struct recording *recording,
                             struct llmfp_scan_timings *timings, struct llmfp_error *error)
{
    struct llmfp_buffer frames = {0};
    struct llmfp_buffer all = {0};
    const double start_s = MPI_Wtime();
    for (int i = 0; i < finishing->n_requests; i++) {
        /* Not MPI_Waitall: MPICH's MPI_STATUSES_IGNORE looks to gcc like an array that is too short. */
        MPI_Wait(&finishing->requests[i], MPI_STATUS_IGNORE);
    }
    const double reduced_s = MPI_Wtime();
    timings->reduce_s += reduced_s - start_s;
    enum llmfp_status status =
        make_records(finishing, communicator->size, communicator->rank, &frames, error);
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = llmfp_gather(communicator, &frames, &all, NULL, error);
    }
    timings->journal_s += MPI_Wtime() - reduced_s;
    if (status == LLMFP_OK) {
        if (communicator->rank == 0) {
            status = append_records(finishing, &all, entries, recording, timings, error);
        }
        status = llmfp_agree(communicator, status, error);
    }
    for (size_t i = 0; status == LLMFP_OK && i < finishing->n; i++) {
        entries[finishing->numbers[i]].done = true;
        entries[finishing->numbers[i]].failed = finishing->records[i].failed;
    }
    llmfp_buffer_clear(&frames);
    llmfp_buffer_clear(&all);
    return status;
}
