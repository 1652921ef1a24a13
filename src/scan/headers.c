/* headers.c - the headers of a batch's files: each rank reads some, and tells the others. */
#include "headers.h"

#include <stdlib.h>
#include <string.h>

#include "batch_exchange.h"

enum {
    /* Tensors are told in rounds: one header of 100 MB makes a catalog of about as much on
     * every rank, and there should not be a second and a third copy of it on the way. */
    ROUND_BYTES = 8 << 20,
    STEP_TENSORS = 4096 /* packed at a time */
};

enum { GOOD_HEADER, BAD_HEADER };

/* The header of one file, read by this rank: tensors [next, end) of its checkpoint's catalog
 * are still to be told, or why it is bad. */
struct piece {
    size_t checkpoint;
    uint32_t file;
    size_t next;
    size_t end;
    char *text; /* owned; NULL: the header is good */
};

struct pieces {
    struct piece *at;
    size_t n;
    size_t capacity;
    size_t done; /* told completely */
};

static void clear_pieces(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->n; i++) {
        free(pieces->at[i].text);
    }
    free(pieces->at);
}

static enum llmfp_status add_files(struct llmfp_batch *batch, struct llmfp_error *error)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        for (size_t f = 0; !checkpoint->failed && f < checkpoint->files.n_files; f++) {
            const enum llmfp_status status =
                llmfp_catalog_add_file(&checkpoint->catalog, &checkpoint->files.files[f], error);
            if (status != LLMFP_OK) {
                return status;
            }
        }
    }
    return LLMFP_OK;
}

/* Of several bad files the first one's message counts, whichever rank has read it. */
static void fail_header(struct llmfp_batch_checkpoint *checkpoint, uint32_t file, const char *text)
{
    if (!checkpoint->failed || file < checkpoint->failed_file) {
        checkpoint->failed = false;
        checkpoint->failed_file = file;
        llmfp_batch_fail(checkpoint, text);
    }
}

static enum llmfp_status add_piece(struct pieces *pieces, const struct piece *piece,
                                   const char *text, struct llmfp_error *error)
{
    if (pieces->n == pieces->capacity) {
        const size_t capacity = pieces->capacity == 0 ? 64 : 2 * pieces->capacity;
        struct piece *at = realloc(pieces->at, capacity * sizeof *at);
        if (at == NULL) {
            return llmfp_fail_memory(error, capacity * sizeof *at, "the list of headers");
        }
        pieces->at = at;
        pieces->capacity = capacity;
    }
    struct piece *added = &pieces->at[pieces->n];
    *added = *piece;
    added->text = text == NULL ? NULL : strdup(text);
    if (text != NULL && added->text == NULL) {
        return llmfp_fail_memory(error, strlen(text), "a message");
    }
    pieces->n++;
    return LLMFP_OK;
}

static enum llmfp_status read_one(struct llmfp_batch_checkpoint *checkpoint, size_t number,
                                  uint32_t file, struct pieces *pieces, struct llmfp_error *error)
{
    struct piece piece = {number, file, checkpoint->catalog.n_tensors, 0, NULL};
    struct llmfp_error why = {LLMFP_OK, ""};
    const enum llmfp_status status =
        llmfp_checkpoint_header(checkpoint->files.format, &checkpoint->catalog, file, &why);
    if (status == LLMFP_FATAL) {
        *error = why;
        return status;
    }
    piece.end = status == LLMFP_OK ? checkpoint->catalog.n_tensors : piece.next;
    if (status != LLMFP_OK) {
        fail_header(checkpoint, file, why.text);
    }
    return add_piece(pieces, &piece, status == LLMFP_OK ? NULL : why.text, error);
}

/* Every size-th file of the batch is this rank's. */
static enum llmfp_status read_mine(const struct llmfp_communicator *communicator,
                                   struct llmfp_batch *batch, struct pieces *pieces,
                                   struct llmfp_error *error)
{
    size_t turn = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        const size_t n_files = checkpoint->catalog.n_files;
        for (uint32_t f = 0; f < n_files; f++, turn++) {
            if (turn % (size_t)communicator->size != (size_t)communicator->rank ||
                checkpoint->failed) {
                continue;
            }
            const enum llmfp_status status = read_one(checkpoint, i, f, pieces, error);
            if (status != LLMFP_OK) {
                return status;
            }
        }
    }
    return LLMFP_OK;
}

/* The next steps of a piece, until it or the round is full. */
static void pack_piece(const struct llmfp_batch *batch, struct piece *piece,
                       struct llmfp_buffer *packed)
{
    const struct llmfp_catalog *catalog = &batch->checkpoints[piece->checkpoint].catalog;
    do {
        const size_t rest = piece->end - piece->next;
        const size_t step = rest < STEP_TENSORS ? rest : STEP_TENSORS;
        llmfp_buffer_put_u32(packed, (uint32_t)piece->checkpoint);
        llmfp_buffer_put_u32(packed, piece->file);
        llmfp_buffer_put_u32(packed, piece->text == NULL ? GOOD_HEADER : BAD_HEADER);
        if (piece->text != NULL) {
            llmfp_buffer_put_string(packed, piece->text);
        } else {
            llmfp_buffer_put_u64(packed, catalog->files[piece->file].digest);
            llmfp_catalog_pack_tensors(catalog, piece->next, piece->next + step, packed);
        }
        piece->next += step;
    } while (piece->next < piece->end && packed->size_bytes < ROUND_BYTES && !packed->failed);
}

static void pack_round(const struct llmfp_batch *batch, struct pieces *pieces,
                       struct llmfp_buffer *packed)
{
    while (pieces->done < pieces->n && packed->size_bytes < ROUND_BYTES && !packed->failed) {
        struct piece *piece = &pieces->at[pieces->done];
        pack_piece(batch, piece, packed);
        pieces->done += piece->next == piece->end;
    }
}

static enum llmfp_status unpack_headers(struct llmfp_batch *batch, struct llmfp_cursor *cursor,
                                        struct llmfp_error *error)
{
    struct llmfp_arena texts = {0};
    enum llmfp_status status = LLMFP_OK;
    while (status == LLMFP_OK && cursor->offset_bytes < cursor->size_bytes) {
        const uint32_t i = llmfp_cursor_u32(cursor);
        const uint32_t file = llmfp_cursor_u32(cursor);
        const uint32_t kind = llmfp_cursor_u32(cursor);
        if (i >= batch->n || file >= batch->checkpoints[i].catalog.n_files) {
            status = bad_exchange(error);
        } else if (kind == GOOD_HEADER) {
            batch->checkpoints[i].catalog.files[file].digest = llmfp_cursor_u64(cursor);
            status = llmfp_catalog_unpack_tensors(&batch->checkpoints[i].catalog, cursor, error);
        } else {
            const char *text = llmfp_cursor_string(cursor, &texts);
            fail_header(&batch->checkpoints[i], file, text == NULL ? "" : text);
        }
    }
    llmfp_arena_clear(&texts);
    return status;
}

/* Collective. Tell all others, in rounds, until nobody has anything left. */
static enum llmfp_status share(const struct llmfp_communicator *communicator,
                               struct llmfp_batch *batch, struct pieces *pieces,
                               struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    while (status == LLMFP_OK &&
           llmfp_largest(communicator, pieces->done < pieces->n ? 1 : 0) > 0) {
        struct llmfp_buffer packed = {0};
        pack_round(batch, pieces, &packed);
        status = exchange_and_unpack(communicator, batch, &packed, unpack_headers, error);
        status = llmfp_agree(communicator, status, error);
        llmfp_buffer_clear(&packed);
    }
    return status;
}

enum llmfp_status read_headers(const struct llmfp_communicator *communicator,
                               struct llmfp_batch *batch, struct llmfp_error *error)
{
    struct pieces pieces = {0};
    enum llmfp_status status = add_files(batch, error);
    if (status == LLMFP_OK) {
        status = read_mine(communicator, batch, &pieces, error);
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK && communicator->size > 1) {
        status = share(communicator, batch, &pieces, error);
    }
    clear_pieces(&pieces);
    return status;
}
