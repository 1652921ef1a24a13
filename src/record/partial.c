/* partial.c - packing, unpacking and merging of partial sums. */
#include "llmfp/partial.h"

#include <stdlib.h>
#include <string.h>

#include "llmfp/journal.h"
#include "llmfp/plan.h"

enum {
    PARTIAL_VERSION = 0x50000001, /* no record of a finished checkpoint begins so */
    /* No cell needs fewer int64 values; so many cells fit into the accumulators of a plan. */
    LEAST_CELL_VALUES = 8,
    MOST_CELLS = LLMFP_PLAN_MOST_BYTES / (LEAST_CELL_VALUES * (int)sizeof(int64_t)),
    LEAST_PACKED_CELL = 4 + 8 * (LLMFP_N_COUNTERS + LLMFP_N_EXTREMES) + 2 * 8
};

bool llmfp_partial_same_source(const struct llmfp_partial_source *a,
                               const struct llmfp_partial_source *b)
{
    return strcmp(a->label, b->label) == 0 && a->fingerprint == b->fingerprint &&
           a->digest == b->digest && a->plan == b->plan && a->stream_bytes == b->stream_bytes &&
           a->n_cells == b->n_cells;
}

void llmfp_partial_clear(struct llmfp_partial *partial)
{
    llmfp_coverage_clear(&partial->coverage);
    free(partial->cells);
    llmfp_arena_clear(&partial->arena);
    *partial = (struct llmfp_partial){0};
}

/* ---- packing ---- */

size_t llmfp_partial_frame_begin(const struct llmfp_partial_source *source,
                                 const struct llmfp_range *ranges, size_t n_ranges,
                                 uint32_t n_filled, struct llmfp_buffer *frames)
{
    const size_t frame = llmfp_journal_frame_begin(frames);
    llmfp_buffer_put_u32(frames, PARTIAL_VERSION);
    llmfp_buffer_put_string(frames, source->label);
    llmfp_buffer_put_u64(frames, source->fingerprint);
    llmfp_buffer_put_u64(frames, source->digest);
    llmfp_buffer_put_u64(frames, source->plan);
    llmfp_buffer_put_u64(frames, source->stream_bytes);
    llmfp_buffer_put_u32(frames, source->n_cells);
    llmfp_buffer_put_u64(frames, n_ranges);
    for (size_t i = 0; i < n_ranges; i++) {
        llmfp_buffer_put_u64(frames, ranges[i].low);
        llmfp_buffer_put_u64(frames, ranges[i].high);
    }
    llmfp_buffer_put_u32(frames, n_filled);
    return frame;
}

void llmfp_partial_frame_cell(uint32_t number, const struct llmfp_partial_cell *cell,
                              struct llmfp_buffer *frames)
{
    llmfp_buffer_put_u32(frames, number);
    for (int i = 0; i < LLMFP_N_COUNTERS; i++) {
        llmfp_buffer_put_u64(frames, (uint64_t)cell->counters[i]);
    }
    for (int i = 0; i < LLMFP_N_EXTREMES; i++) {
        llmfp_buffer_put_u64(frames, (uint64_t)cell->extremes[i]);
    }
    llmfp_sum_pack(&cell->sum, frames);
    llmfp_sum_pack(&cell->squares, frames);
}

void llmfp_partial_frame_end(struct llmfp_buffer *frames, size_t frame)
{
    llmfp_journal_frame_end(frames, frame, NULL);
}

/* ---- unpacking ---- */

static bool unpack_source(struct llmfp_partial *partial, struct llmfp_cursor *cursor)
{
    struct llmfp_partial_source *source = &partial->source;
    const bool version_fits = llmfp_cursor_u32(cursor) == PARTIAL_VERSION;
    source->label = version_fits ? llmfp_cursor_string(cursor, &partial->arena) : NULL;
    source->fingerprint = llmfp_cursor_u64(cursor);
    source->digest = llmfp_cursor_u64(cursor);
    source->plan = llmfp_cursor_u64(cursor);
    source->stream_bytes = llmfp_cursor_u64(cursor);
    source->n_cells = llmfp_cursor_u32(cursor);
    return source->label != NULL && !cursor->failed && source->n_cells <= MOST_CELLS;
}

static bool unpack_coverage(struct llmfp_partial *partial, struct llmfp_cursor *cursor)
{
    const uint64_t n = llmfp_cursor_u64(cursor);
    uint64_t end = 0;
    for (uint64_t i = 0; i < n && !cursor->failed; i++) {
        const uint64_t low = llmfp_cursor_u64(cursor);
        const uint64_t high = llmfp_cursor_u64(cursor);
        if (low < end || low >= high || high > partial->source.stream_bytes ||
            !llmfp_coverage_add(&partial->coverage, low, high)) {
            return false;
        }
        end = high;
    }
    return !cursor->failed;
}

static bool unpack_cell(struct llmfp_partial *partial, struct llmfp_cursor *cursor,
                        struct llmfp_partial_cell *cell)
{
    for (int i = 0; i < LLMFP_N_COUNTERS; i++) {
        cell->counters[i] = (int64_t)llmfp_cursor_u64(cursor);
    }
    for (int i = 0; i < LLMFP_N_EXTREMES; i++) {
        cell->extremes[i] = (int64_t)llmfp_cursor_u64(cursor);
    }
    llmfp_sum_unpack(cursor, &partial->arena, &cell->sum);
    llmfp_sum_unpack(cursor, &partial->arena, &cell->squares);
    return !cursor->failed && cell->counters[LLMFP_COUNT] > 0;
}

static bool unpack_cells(struct llmfp_partial *partial, struct llmfp_cursor *cursor)
{
    const uint32_t n = llmfp_cursor_u32(cursor);
    uint32_t next = 0;
    if (n > (cursor->size_bytes - cursor->offset_bytes) / LEAST_PACKED_CELL) {
        return false;
    }
    partial->cells = calloc((size_t)partial->source.n_cells + 1, sizeof *partial->cells);
    if (partial->cells == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t number = llmfp_cursor_u32(cursor);
        if (number < next || number >= partial->source.n_cells ||
            !unpack_cell(partial, cursor, &partial->cells[number])) {
            return false;
        }
        next = number + 1;
    }
    return !cursor->failed && cursor->offset_bytes == cursor->size_bytes;
}

enum llmfp_status llmfp_partial_unpack(struct llmfp_partial *partial, struct llmfp_cursor *cursor,
                                       struct llmfp_error *error)
{
    *partial = (struct llmfp_partial){0};
    if (unpack_source(partial, cursor) && unpack_coverage(partial, cursor) &&
        unpack_cells(partial, cursor)) {
        return LLMFP_OK;
    }
    llmfp_partial_clear(partial);
    return llmfp_fail(error, LLMFP_FATAL,
                      "saved progress of a checkpoint cannot be read (cut short, of another "
                      "version, or out of memory)");
}

/* ---- merging ---- */

static bool overlap(const struct llmfp_coverage *a, const struct llmfp_coverage *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (llmfp_coverage_overlaps(a, b->ranges[i].low, b->ranges[i].high)) {
            return true;
        }
    }
    return false;
}

static bool add_cell(struct llmfp_partial_cell *to, const struct llmfp_partial_cell *from,
                     struct llmfp_arena *arena)
{
    const bool empty = to->counters[LLMFP_COUNT] == 0;
    for (int i = 0; i < LLMFP_N_COUNTERS; i++) {
        to->counters[i] = (int64_t)((uint64_t)to->counters[i] + (uint64_t)from->counters[i]);
    }
    for (int i = 0; i < LLMFP_N_EXTREMES; i++) {
        if (empty || from->extremes[i] > to->extremes[i]) {
            to->extremes[i] = from->extremes[i];
        }
    }
    return llmfp_sum_add(&to->sum, &from->sum, arena, &to->sum) &&
           llmfp_sum_add(&to->squares, &from->squares, arena, &to->squares);
}

enum llmfp_status llmfp_partial_merge(struct llmfp_partial *to, const struct llmfp_partial *from,
                                      bool *merged, struct llmfp_error *error)
{
    *merged = llmfp_partial_same_source(&to->source, &from->source) &&
              !overlap(&to->coverage, &from->coverage);
    if (!*merged) {
        return LLMFP_OK;
    }
    bool good = true;
    for (size_t i = 0; good && i < from->coverage.n; i++) {
        const struct llmfp_range *range = &from->coverage.ranges[i];
        good = llmfp_coverage_add(&to->coverage, range->low, range->high);
    }
    for (uint32_t i = 0; good && i < from->source.n_cells; i++) {
        if (from->cells[i].counters[LLMFP_COUNT] != 0) {
            good = add_cell(&to->cells[i], &from->cells[i], &to->arena);
        }
    }
    return good ? LLMFP_OK
                : llmfp_fail(error, LLMFP_FATAL,
                             "out of memory while saved progress is put together");
}
