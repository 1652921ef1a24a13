/* stream.c - the inner loop of a scan: bytes to moments. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "bus_guard.h"
#include "reader.h"

enum {
    /* Pieces of one file with less than this between them are read as one. */
    MOST_GAP_BYTES = 4096,
    /* Runs shorter than this are put together before a kernel sees them. */
    SHORT_RUN_BYTES = 4096,
    STAGING_BYTES = 64 << 10, /* per part */
    STAGING_PARTS = LLMFP_MAX_PARTS
};

void stream_clear(struct stream *stream)
{
    reader_free(stream->reader);
    sides_clear(&stream->sides);
    llmfp_coverage_clear(&stream->done);
    free(stream->additive);
    free(stream->extreme);
    free(stream->moments);
    free(stream->staging);
    for (size_t i = 0; i < LLMFP_BATCH_MOST; i++) {
        free(stream->messages[i]);
    }
    *stream = (struct stream){0};
}

static uint64_t most_block_bytes(const struct llmfp_plan *plan)
{
    uint64_t most = 0;
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const uint64_t bytes = llmfp_tensor_block(plan->tensors[i].tensor).bytes;
        most = bytes > most ? bytes : most;
    }
    return most;
}

enum llmfp_status stream_open(struct stream *stream, const struct llmfp_plan *plan,
                              const struct llmfp_work *work, struct llmfp_batch *batch,
                              uint64_t chunk_bytes, enum llmfp_io io,
                              struct llmfp_scan_timings *timings, struct llmfp_error *error)
{
    *stream = (struct stream){
        .plan = plan, .work = work, .batch = batch, .chunk_bytes = chunk_bytes, .timings = timings};
    stream->additive = calloc(plan->n_additive + 1, sizeof *stream->additive);
    stream->extreme = calloc(plan->n_cells * LLMFP_N_EXTREMES + 1, sizeof *stream->extreme);
    stream->moments = calloc(plan->n_cells + 1, sizeof *stream->moments);
    stream->staging = malloc((size_t)STAGING_PARTS * STAGING_BYTES);
    int threads = MPI_THREAD_SINGLE;
    MPI_Query_thread(&threads);
    /* A chunk begins at the start of a block, so it may hold almost one block more. */
    stream->reader =
        reader_new(chunk_bytes + most_block_bytes(plan), io, threads >= MPI_THREAD_FUNNELED);
    if (stream->additive == NULL || stream->extreme == NULL || stream->moments == NULL ||
        stream->staging == NULL || stream->reader == NULL) {
        return llmfp_fail_memory(error,
                                 plan->n_additive * sizeof(int64_t) + (size_t)chunk_bytes +
                                     (size_t)STAGING_PARTS * STAGING_BYTES,
                                 "accumulators and the chunk");
    }
    for (size_t i = 0; i < plan->n_cells; i++) {
        stream->moments[i] =
            llmfp_moments_begin(&plan->cells[i].layout, stream->additive + plan->cells[i].additive,
                                stream->extreme + i * LLMFP_N_EXTREMES);
    }
    return LLMFP_OK;
}

/* ---- one piece: runs of a tensor to their cells ---- */

static void add_run(struct stream *stream, const struct llmfp_plan_tensor *tensor, uint32_t cell,
                    const unsigned char *bytes, uint64_t first_element, uint64_t n_elements)
{
    const struct llmfp_elements elements = {.bytes = bytes,
                                            .n_elements = n_elements,
                                            .first_element = first_element,
                                            .sides = sides_of(&stream->sides, tensor->tensor)};
    llmfp_encoding(tensor->tensor->encoding)->add(&stream->moments[cell], &elements);
}

/* Bytes of short runs that wait, one part after the other. */
struct staged {
    size_t size_bytes[STAGING_PARTS];
};

static void flush_staged(struct stream *stream, const struct llmfp_plan_tensor *tensor,
                         struct staged *staged, uint32_t part)
{
    const struct llmfp_block block = llmfp_tensor_block(tensor->tensor);
    if (staged->size_bytes[part] > 0) {
        add_run(stream, tensor, tensor->targets[part].cell,
                stream->staging + (size_t)part * STAGING_BYTES, 0,
                staged->size_bytes[part] / block.bytes * block.elements);
        staged->size_bytes[part] = 0;
    }
}

static void stage(struct stream *stream, const struct llmfp_plan_tensor *tensor,
                  struct staged *staged, uint32_t part, const unsigned char *bytes,
                  size_t size_bytes)
{
    if (staged->size_bytes[part] + size_bytes > STAGING_BYTES) {
        flush_staged(stream, tensor, staged, part);
    }
    memcpy(stream->staging + (size_t)part * STAGING_BYTES + staged->size_bytes[part], bytes,
           size_bytes);
    staged->size_bytes[part] += size_bytes;
}

/* The part, and how much of its run lies before it, at an element of a fused tensor. */
static uint32_t part_at(const struct llmfp_plan_tensor *tensor, uint64_t element, uint64_t *done)
{
    uint64_t position = element % tensor->period_elements;
    uint32_t part = 0;
    while (position >= tensor->targets[part].run_elements) {
        position -= tensor->targets[part].run_elements;
        part++;
    }
    *done = position;
    return part;
}

static void add_fused(struct stream *stream, const struct llmfp_plan_piece *piece,
                      const unsigned char *bytes)
{
    const struct llmfp_plan_tensor *tensor = piece->tensor;
    /* Where scales depend on the place of an element, it must be known. */
    const bool may_stage = tensor->tensor->n_sides == 0;
    struct staged staged = {{0}};
    uint64_t done;
    uint32_t part = part_at(tensor, piece->first_element, &done);
    uint64_t rest = piece->n_elements;
    while (rest > 0) {
        const struct llmfp_plan_target *target = &tensor->targets[part];
        uint64_t n = target->run_elements - done;
        n = n < rest ? n : rest;
        const size_t size_bytes = (size_t)llmfp_tensor_bytes(tensor->tensor, n);
        if (target->cell == LLMFP_NO_CELL || n == 0) {
            /* not wanted */
        } else if (may_stage && size_bytes < SHORT_RUN_BYTES) {
            stage(stream, tensor, &staged, part, bytes, size_bytes);
        } else {
            add_run(stream, tensor, target->cell, bytes,
                    piece->first_element + (piece->n_elements - rest), n);
        }
        bytes += size_bytes;
        rest -= n;
        done = 0;
        part = part + 1 == tensor->n_targets ? 0 : part + 1;
    }
    for (uint32_t i = 0; i < tensor->n_targets; i++) {
        flush_staged(stream, tensor, &staged, i);
    }
}

static void add_piece(struct stream *stream, const struct llmfp_plan_piece *piece,
                      const unsigned char *bytes)
{
    if (piece->tensor->n_targets == 1) {
        add_run(stream, piece->tensor, piece->tensor->targets[0].cell, bytes, piece->first_element,
                piece->n_elements);
    } else {
        add_fused(stream, piece, bytes);
    }
}

/* ---- one chunk: pieces that lie close together are read as one ---- */

enum { MOST_IN_GROUP = 64 };

struct group {
    struct llmfp_plan_piece pieces[MOST_IN_GROUP];
    size_t n;
    uint64_t end_bytes; /* in the file */
};

static const struct llmfp_file *file_of(const struct stream *stream,
                                        const struct llmfp_plan_piece *piece)
{
    const struct llmfp_catalog *catalog =
        &stream->batch->checkpoints[piece->tensor->checkpoint].catalog;
    return &catalog->files[piece->tensor->tensor->data.file];
}

static bool joins(const struct stream *stream, const struct group *group,
                  const struct llmfp_plan_piece *piece)
{
    const struct llmfp_plan_piece *first = &group->pieces[0];
    const bool needs_sides =
        first->tensor->tensor->n_sides > 0 || piece->tensor->tensor->n_sides > 0;
    return !needs_sides && group->n < MOST_IN_GROUP &&
           file_of(stream, piece) == file_of(stream, first) &&
           piece->offset_bytes >= group->end_bytes &&
           piece->offset_bytes - group->end_bytes < MOST_GAP_BYTES &&
           piece->offset_bytes + piece->size_bytes - first->offset_bytes <= stream->chunk_bytes;
}

static enum llmfp_status note_failure(struct stream *stream, uint32_t checkpoint,
                                      const struct llmfp_plan_piece *piece, struct llmfp_error *why,
                                      struct llmfp_error *error)
{
    if (why->status == LLMFP_FATAL) {
        *error = *why;
        return LLMFP_FATAL;
    }
    if (stream->messages[checkpoint] == NULL) {
        (void)llmfp_error_prefix(why, "tensor '%s'", piece->tensor->tensor->name);
        stream->messages[checkpoint] = strdup(why->text);
        if (stream->messages[checkpoint] == NULL) {
            return llmfp_fail_memory(error, strlen(why->text), "a message");
        }
    }
    return LLMFP_OK;
}

/* ---- the groups of a chunk, one after the other ---- */

struct walk {
    uint64_t chunk;
    uint64_t offset; /* in the chunk, of the ranges that are left */
    struct llmfp_range range;
    bool in_range;
    struct llmfp_plan_cursor cursor;
    struct llmfp_plan_piece piece; /* the next one, with has_piece */
    bool has_piece;
};

static void next_piece(const struct stream *stream, struct walk *walk)
{
    walk->has_piece =
        walk->in_range && llmfp_plan_next_between(stream->plan, walk->range.low, walk->range.high,
                                                  &walk->cursor, &walk->piece);
}

/* The next pieces that are read as one; none when the chunk is at its end. Groups end with
 * ranges: what lies between has been read before. */
static void next_group(const struct stream *stream, struct walk *walk, struct group *group)
{
    group->n = 0;
    while (!walk->has_piece) {
        walk->in_range = llmfp_work_next(stream->work, stream->chunk_bytes, walk->chunk,
                                         &walk->offset, &walk->range);
        if (!walk->in_range) {
            return;
        }
        walk->cursor = (struct llmfp_plan_cursor){0};
        next_piece(stream, walk);
    }
    while (walk->has_piece && (group->n == 0 || joins(stream, group, &walk->piece))) {
        group->pieces[group->n++] = walk->piece;
        group->end_bytes = walk->piece.offset_bytes + walk->piece.size_bytes;
        next_piece(stream, walk);
    }
}

static void expect_group(struct stream *stream, const struct group *group)
{
    if (group->n > 0) {
        const uint64_t offset_bytes = group->pieces[0].offset_bytes;
        reader_expect(stream->reader, file_of(stream, &group->pieces[0]), offset_bytes,
                      group->end_bytes - offset_bytes);
    }
}

/* ---- reading and adding ---- */

/* A group and its bytes, as work under the bus guard. */
struct group_work {
    struct stream *stream;
    const struct group *group;
    const unsigned char *bytes; /* of the first piece on */
};

static void add_group(void *context)
{
    const struct group_work *work = context;
    for (size_t i = 0; i < work->group->n; i++) {
        const struct llmfp_plan_piece *piece = &work->group->pieces[i];
        add_piece(work->stream, piece,
                  work->bytes + (piece->offset_bytes - work->group->pieces[0].offset_bytes));
    }
}

/* Get the bytes of a group and add them to the moments, while the next one is read. */
static enum llmfp_status take_group(struct stream *stream, const struct group *group,
                                    const struct group *next, struct llmfp_error *why)
{
    const struct llmfp_plan_piece *first = &group->pieces[0];
    const struct llmfp_file *file = file_of(stream, first);
    const uint64_t size_bytes = group->end_bytes - first->offset_bytes;
    struct group_work work = {stream, group, NULL};
    bool mapped;
    const double start_s = MPI_Wtime();
    enum llmfp_status status = sides_load(
        &stream->sides, stream->reader,
        &stream->batch->checkpoints[first->tensor->checkpoint].catalog, first->tensor->tensor, why);
    if (status == LLMFP_OK) {
        status = reader_get(stream->reader, file, first->offset_bytes, size_bytes, &work.bytes,
                            &mapped, why);
    }
    if (status == LLMFP_OK) {
        expect_group(stream, next);
    }
    stream->timings->read_s += MPI_Wtime() - start_s;
    if (status != LLMFP_OK) {
        return status;
    }
    stream->timings->read_bytes += size_bytes;
    if (!mapped) {
        add_group(&work);
        return LLMFP_OK;
    }
    return bus_guard_run(add_group, &work) ? LLMFP_OK : reader_lost(file, why);
}

static enum llmfp_status read_group(struct stream *stream, const struct group *group,
                                    const struct group *next, struct llmfp_error *error)
{
    const struct llmfp_plan_piece *first = &group->pieces[0];
    struct llmfp_error why = {LLMFP_OK, ""};
    /* A checkpoint that is known to be bad needs no more reading. */
    if (stream->messages[first->tensor->checkpoint] != NULL ||
        take_group(stream, group, next, &why) == LLMFP_OK) {
        return LLMFP_OK;
    }
    return note_failure(stream, first->tensor->checkpoint, first, &why, error);
}

/* What has been read of a chunk once all of it has. */
static enum llmfp_status note_done(struct stream *stream, uint64_t chunk, struct llmfp_error *error)
{
    struct llmfp_range range;
    uint64_t offset = 0;
    while (llmfp_work_next(stream->work, stream->chunk_bytes, chunk, &offset, &range)) {
        if (!llmfp_coverage_add(&stream->done, range.low, range.high)) {
            return llmfp_fail_memory(error, stream->done.n * sizeof range, "what has been read");
        }
    }
    return LLMFP_OK;
}

/* next_chunk: the chunk that will probably follow, or the same one when none will. */
static enum llmfp_status scan_chunk(struct stream *stream, uint64_t chunk, uint64_t next_chunk,
                                    struct llmfp_error *error)
{
    struct group groups[2];
    struct group *group = &groups[0];
    struct group *next = &groups[1];
    struct walk walk = {.chunk = chunk};
    enum llmfp_status status = LLMFP_OK;
    next_group(stream, &walk, group);
    while (group->n > 0 && status == LLMFP_OK) {
        next_group(stream, &walk, next);
        if (next->n == 0 && next_chunk != chunk) {
            struct walk following = {.chunk = next_chunk};
            struct group first;
            next_group(stream, &following, &first);
            status = read_group(stream, group, &first, error);
        } else {
            status = read_group(stream, group, next, error);
        }
        struct group *done = group;
        group = next;
        next = done;
    }
    if (status == LLMFP_OK) {
        status = note_done(stream, chunk, error);
    }
    stream->torn = status != LLMFP_OK;
    return status;
}

enum llmfp_status stream_run(struct stream *stream, struct llmfp_shares *shares,
                             const volatile sig_atomic_t *stop, bool *stopped,
                             void (*tick)(void *context), void *context, struct llmfp_error *error)
{
    uint64_t chunk;
    *stopped = false;
    while (llmfp_shares_claim(shares, stop, &chunk)) {
        if (*stop != 0) { /* this chunk is left for the next run */
            *stopped = true;
            llmfp_shares_stop(shares);
            return LLMFP_OK;
        }
        const bool follows = llmfp_shares_is_own(shares, chunk + 1);
        const enum llmfp_status status =
            scan_chunk(stream, chunk, follows ? chunk + 1 : chunk, error);
        if (status != LLMFP_OK) {
            llmfp_shares_stop(shares);
            return status;
        }
        if (tick != NULL) {
            tick(context);
        }
    }
    return LLMFP_OK;
}
