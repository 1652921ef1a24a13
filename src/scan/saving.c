/* saving.c - partial sums to files, and back into moments. */
#include "saving.h"

#include <stdlib.h>
#include <string.h>

enum { LIMB_BITS = 32 };

/* Saving may take this part of a rank's time at most. */
static const double most_share = 0.05;

/* ---- taking up what is there ---- */

static bool sum_fits(const struct llmfp_sum *sum, int32_t exponent, uint32_t n_limbs)
{
    const int64_t first = ((int64_t)sum->exponent - exponent) / LIMB_BITS;
    return sum->n_limbs == 0 || (sum->exponent >= exponent && first + sum->n_limbs <= n_limbs);
}

/* Whether a partial belongs to what is about to be scanned, and its sums have room. */
static bool is_usable(const struct saving *saving, size_t checkpoint,
                      const struct llmfp_partial *partial, const struct llmfp_coverage *left_out)
{
    const uint64_t low = saving->parts[checkpoint].low;
    if (!llmfp_partial_same_source(&partial->source, &saving->sources[checkpoint])) {
        return false;
    }
    const struct llmfp_plan_cell *cells =
        saving->plan->cells + saving->parts[checkpoint].first_cell;
    for (uint32_t i = 0; i < partial->source.n_cells; i++) {
        const struct llmfp_moments_layout *layout = &cells[i].layout;
        if (!sum_fits(&partial->cells[i].sum, layout->sum_exponent, layout->sum_limbs) ||
            !sum_fits(&partial->cells[i].squares, layout->square_exponent, layout->square_limbs)) {
            return false;
        }
    }
    for (size_t i = 0; i < partial->coverage.n; i++) {
        const struct llmfp_range *range = &partial->coverage.ranges[i];
        if (llmfp_coverage_overlaps(left_out, low + range->low, low + range->high)) {
            return false;
        }
    }
    return true;
}

/* Rank 0: what is there for a checkpoint, and its ranges into `ranges`. */
static void look_for(struct saving *saving, size_t checkpoint,
                     const struct llmfp_scan_listener *listener,
                     const struct llmfp_coverage *left_out, struct llmfp_buffer *ranges)
{
    const char *label = saving->sources[checkpoint].label;
    struct llmfp_partial *partial = llmfp_partials_find(saving->settings->partials, label);
    if (partial == NULL) {
        return;
    }
    if (!is_usable(saving, checkpoint, partial, left_out)) {
        listener->checkpoint_note(listener->context, label,
                                  "has changed since a part of it was scanned; it is scanned anew");
        return;
    }
    saving->found[checkpoint] = partial;
    const uint64_t low = saving->parts[checkpoint].low;
    for (size_t i = 0; i < partial->coverage.n; i++) {
        llmfp_buffer_put_u64(ranges, low + partial->coverage.ranges[i].low);
        llmfp_buffer_put_u64(ranges, low + partial->coverage.ranges[i].high);
    }
}

static void describe(struct saving *saving, const struct llmfp_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        const struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        saving->parts[i] = llmfp_plan_part_of(saving->plan, i);
        saving->found[i] = NULL;
        saving->sources[i] = (struct llmfp_partial_source){
            .label = checkpoint->entry->label,
            .fingerprint = checkpoint->fingerprint,
            .digest = checkpoint->digest,
            .plan = llmfp_plan_digest(saving->plan, &saving->parts[i]),
            .stream_bytes = saving->parts[i].high - saving->parts[i].low,
            .n_cells = (uint32_t)saving->parts[i].n_cells,
        };
    }
    saving->n = batch->n;
}

enum llmfp_status saving_begin(struct saving *saving, const struct llmfp_batch *batch,
                               const struct llmfp_plan *plan,
                               const struct llmfp_scan_listener *listener,
                               struct llmfp_coverage *done, struct llmfp_error *error)
{
    struct llmfp_buffer ranges = {0};
    saving->plan = plan;
    describe(saving, batch);
    /* Ranks save at different times, so that the file system sees them one by one. */
    const int rank = saving->communicator->rank;
    saving->next_s =
        MPI_Wtime() +
        saving->settings->seconds * (0.5 + 0.5 * (double)(rank + 1) / saving->communicator->size);
    saving->saved_bytes = 0;
    for (size_t i = 0; rank == 0 && i < batch->n; i++) {
        if (!batch->checkpoints[i].failed && saving->settings->partials != NULL) {
            look_for(saving, i, listener, done, &ranges);
        }
    }
    enum llmfp_status status = llmfp_broadcast(saving->communicator, &ranges, 0, error);
    struct llmfp_cursor cursor = llmfp_cursor_over(ranges.bytes, ranges.size_bytes);
    while (status == LLMFP_OK && cursor.offset_bytes < cursor.size_bytes) {
        const uint64_t low = llmfp_cursor_u64(&cursor);
        const uint64_t high = llmfp_cursor_u64(&cursor);
        if (!llmfp_coverage_add(done, low, high)) {
            status = llmfp_fail_memory(error, ranges.size_bytes, "what was scanned before");
        }
    }
    llmfp_buffer_clear(&ranges);
    return llmfp_agree(saving->communicator, status, error);
}

/* Room for the limbs of any cell of the plan. */
static int64_t *new_scratch(const struct llmfp_plan *plan)
{
    size_t most = 1;
    for (size_t i = 0; i < plan->n_cells; i++) {
        const size_t size = llmfp_moments_size(&plan->cells[i].layout);
        most = size > most ? size : most;
    }
    return malloc(most * sizeof(int64_t));
}

static void merge_cell(const struct llmfp_partial_cell *cell, struct llmfp_moments *moments,
                       int64_t *scratch)
{
    const struct llmfp_moments_layout *layout = moments->layout;
    int64_t extreme[LLMFP_N_EXTREMES];
    memcpy(scratch, cell->counters, sizeof cell->counters);
    memcpy(extreme, cell->extremes, sizeof extreme);
    int64_t *sum = scratch + LLMFP_N_COUNTERS;
    llmfp_sum_place(&cell->sum, sum, layout->sum_limbs, layout->sum_exponent);
    llmfp_sum_place(&cell->squares, sum + layout->sum_limbs, layout->square_limbs,
                    layout->square_exponent);
    const struct llmfp_moments other = {layout, scratch, extreme, 0};
    llmfp_moments_merge(moments, &other);
}

enum llmfp_status saving_merge(const struct saving *saving, struct stream *stream,
                               struct llmfp_error *error)
{
    int64_t *scratch = new_scratch(saving->plan);
    if (scratch == NULL) {
        return llmfp_fail_memory(error, 1024, "what was scanned before");
    }
    for (size_t i = 0; i < saving->n; i++) {
        const struct llmfp_partial *partial = saving->found[i];
        for (uint32_t k = 0; partial != NULL && k < partial->source.n_cells; k++) {
            if (partial->cells[k].counters[LLMFP_COUNT] != 0) {
                merge_cell(&partial->cells[k], &stream->moments[saving->parts[i].first_cell + k],
                           scratch);
            }
        }
    }
    free(scratch);
    return LLMFP_OK;
}

/* ---- saving ---- */

/* A cell as it is saved; limbs are borrowed from the scratch. */
static struct llmfp_partial_cell cell_of(struct llmfp_moments *moments, int64_t *scratch)
{
    const struct llmfp_moments_layout *layout = moments->layout;
    struct llmfp_partial_cell cell;
    llmfp_moments_settle(moments);
    memcpy(scratch, moments->additive, llmfp_moments_size(layout) * sizeof *scratch);
    memcpy(cell.counters, scratch, sizeof cell.counters);
    memcpy(cell.extremes, moments->extreme, sizeof cell.extremes);
    int64_t *sum = scratch + LLMFP_N_COUNTERS;
    cell.sum = llmfp_sum_shortest(sum, layout->sum_limbs, layout->sum_exponent);
    cell.squares =
        llmfp_sum_shortest(sum + layout->sum_limbs, layout->square_limbs, layout->square_exponent);
    return cell;
}

/* What of the stream's ranges from *at on lies in a part, relative to its start. False
 * without memory. */
static bool ranges_of(const struct stream *stream, const struct llmfp_plan_part *part, size_t *at,
                      struct llmfp_coverage *own)
{
    const struct llmfp_coverage *done = &stream->done;
    while (*at < done->n && done->ranges[*at].low < part->high) {
        const struct llmfp_range *range = &done->ranges[*at];
        const uint64_t low = range->low > part->low ? range->low : part->low;
        const uint64_t high = range->high < part->high ? range->high : part->high;
        if (low < high && !llmfp_coverage_add(own, low - part->low, high - part->low)) {
            return false;
        }
        if (range->high > part->high) {
            break; /* the rest of it is the next checkpoint's */
        }
        ++*at;
    }
    return true;
}

static void frame_part(const struct saving *saving, size_t checkpoint, struct stream *stream,
                       const struct llmfp_coverage *own, int64_t *scratch,
                       struct llmfp_buffer *frames)
{
    const struct llmfp_plan_part *part = &saving->parts[checkpoint];
    struct llmfp_moments *moments = stream->moments + part->first_cell;
    uint32_t n_filled = 0;
    for (size_t k = 0; k < part->n_cells; k++) {
        n_filled += moments[k].additive[LLMFP_COUNT] != 0;
    }
    const size_t frame = llmfp_partial_frame_begin(&saving->sources[checkpoint], own->ranges,
                                                   own->n, n_filled, frames);
    for (uint32_t k = 0; k < part->n_cells; k++) {
        if (moments[k].additive[LLMFP_COUNT] != 0) {
            const struct llmfp_partial_cell cell = cell_of(&moments[k], scratch);
            llmfp_partial_frame_cell(k, &cell, frames);
        }
    }
    llmfp_partial_frame_end(frames, frame);
}

/* Every checkpoint of which this rank has added something, unless it has failed here: then
 * its sums may lack what could not be read. */
static enum llmfp_status frame_all(const struct saving *saving, struct stream *stream,
                                   struct llmfp_buffer *frames, struct llmfp_error *error)
{
    int64_t *scratch = new_scratch(saving->plan);
    bool good = scratch != NULL;
    size_t at = 0;
    for (size_t i = 0; good && i < saving->n; i++) {
        struct llmfp_coverage own = {0};
        good = ranges_of(stream, &saving->parts[i], &at, &own);
        if (good && own.n > 0 && stream->messages[i] == NULL) {
            frame_part(saving, i, stream, &own, scratch, frames);
        }
        llmfp_coverage_clear(&own);
    }
    free(scratch);
    return good && !frames->failed
               ? LLMFP_OK
               : llmfp_fail(error, LLMFP_FATAL, "out of memory while progress is saved");
}

enum llmfp_status saving_save(struct saving *saving, struct stream *stream,
                              struct llmfp_error *error)
{
    const uint64_t done_bytes = llmfp_coverage_bytes(&stream->done);
    if (done_bytes == saving->saved_bytes || stream->torn) {
        return LLMFP_OK;
    }
    const double start_s = MPI_Wtime();
    struct llmfp_buffer frames = {0};
    enum llmfp_status status = frame_all(saving, stream, &frames, error);
    if (status == LLMFP_OK) {
        status = llmfp_partial_save(saving->settings->journal_path, saving->settings->key,
                                    saving->communicator->rank, &frames, error);
    }
    llmfp_buffer_clear(&frames);
    const double now_s = MPI_Wtime();
    const double rest_s = (now_s - start_s) / most_share;
    saving->next_s =
        now_s + (rest_s > saving->settings->seconds ? rest_s : saving->settings->seconds);
    if (status == LLMFP_OK) {
        saving->saved_bytes = done_bytes;
    }
    return status;
}

void saving_tick(struct saving *saving, struct stream *stream)
{
    if (MPI_Wtime() >= saving->next_s) {
        struct llmfp_error why = {LLMFP_OK, ""};
        saving->trouble = saving_save(saving, stream, &why) == LLMFP_OK
                              ? (struct llmfp_error){LLMFP_OK, ""}
                              : why;
    }
}
