/* batch.c - locating checkpoints and reading their headers on all ranks. */
#include "llmfp/batch.h"

#include <stdlib.h>
#include <string.h>

#include "batch_exchange.h"
#include "headers.h"
#include "llmfp/quantised.h"
#include "llmfp/slices.h"
#include "mix.h"

enum {
    /* Headers of a batch: their tensors take a few times as much memory on each rank. */
    MOST_HEADER_BYTES = 24 << 20
};

/* Data of a batch per rank: what a kill may cost at most, unless one checkpoint is larger. */
static const uint64_t most_data_bytes = UINT64_C(2) << 30;

void llmfp_batch_fail(struct llmfp_batch_checkpoint *checkpoint, const char *text)
{
    if (!checkpoint->failed) {
        checkpoint->failed = true;
        llmfp_escape(checkpoint->message, sizeof checkpoint->message, text, strlen(text));
    }
}

static void clear_checkpoint(struct llmfp_batch_checkpoint *checkpoint)
{
    llmfp_checkpoint_clear(&checkpoint->files);
    llmfp_catalog_clear(&checkpoint->catalog);
    *checkpoint = (struct llmfp_batch_checkpoint){0};
}

void llmfp_batch_clear(struct llmfp_batch *batch)
{
    for (size_t i = 0; i < batch->n_located; i++) {
        clear_checkpoint(&batch->checkpoints[i]);
    }
    batch->n_located = 0;
    batch->n = 0;
}

void llmfp_batch_advance(struct llmfp_batch *batch)
{
    const size_t rest = batch->n_located - batch->n;
    for (size_t i = 0; i < batch->n; i++) {
        clear_checkpoint(&batch->checkpoints[i]);
    }
    memmove(batch->checkpoints, batch->checkpoints + batch->n, rest * sizeof *batch->checkpoints);
    memset(batch->checkpoints + rest, 0, batch->n * sizeof *batch->checkpoints);
    batch->n_located = rest;
    batch->n = 0;
}

static void pack_failure(struct llmfp_buffer *buffer, size_t checkpoint, const char *text)
{
    llmfp_buffer_put_u32(buffer, (uint32_t)checkpoint);
    llmfp_buffer_put_string(buffer, text);
}

enum llmfp_status llmfp_batch_agree_failures(const struct llmfp_communicator *communicator,
                                             struct llmfp_batch *batch, const char *const *mine,
                                             struct llmfp_error *error)
{
    struct llmfp_buffer packed = {0};
    struct llmfp_buffer all = {0};
    for (size_t i = 0; i < batch->n; i++) {
        if (mine[i] != NULL) {
            pack_failure(&packed, i, mine[i]);
        }
    }
    enum llmfp_status status = llmfp_exchange(communicator, &packed, &all, NULL, error);
    struct llmfp_cursor cursor = llmfp_cursor_over(all.bytes, all.size_bytes);
    struct llmfp_arena texts = {0};
    bool heard[LLMFP_BATCH_MOST] = {false};
    while (status == LLMFP_OK && cursor.offset_bytes < cursor.size_bytes) {
        const uint32_t i = llmfp_cursor_u32(&cursor);
        const char *text = llmfp_cursor_string(&cursor, &texts);
        if (text == NULL || i >= batch->n) {
            status = bad_exchange(error);
        } else if (!heard[i]) { /* ranks speak in order: the lowest one's message counts */
            heard[i] = true;
            batch->checkpoints[i].failed = false;
            llmfp_batch_fail(&batch->checkpoints[i], text);
        }
    }
    llmfp_arena_clear(&texts);
    llmfp_buffer_clear(&packed);
    llmfp_buffer_clear(&all);
    return llmfp_agree(communicator, status, error);
}

/* ---- locating ---- */

enum { LOCATED, NOT_LOCATED };

static enum llmfp_status locate_mine(const struct llmfp_communicator *communicator,
                                     struct llmfp_batch *batch, struct llmfp_buffer *packed,
                                     struct llmfp_error *error)
{
    for (size_t i = (size_t)communicator->rank; i < batch->n_located;
         i += (size_t)communicator->size) {
        struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        struct llmfp_error why = {LLMFP_OK, ""};
        const enum llmfp_status status =
            llmfp_checkpoint_locate(checkpoint->entry->path, &checkpoint->files, &why);
        if (status == LLMFP_FATAL) {
            *error = why;
            return status;
        }
        llmfp_buffer_put_u32(packed, (uint32_t)i);
        llmfp_buffer_put_u32(packed, status == LLMFP_OK ? LOCATED : NOT_LOCATED);
        if (status == LLMFP_OK) {
            llmfp_checkpoint_pack(&checkpoint->files, packed);
        } else {
            llmfp_buffer_put_string(packed, why.text);
            llmfp_batch_fail(checkpoint, why.text);
        }
    }
    return LLMFP_OK;
}

/* One rank's findings. This rank's own are there already. */
static enum llmfp_status unpack_located(struct llmfp_batch *batch, struct llmfp_cursor *cursor,
                                        struct llmfp_error *error)
{
    struct llmfp_arena texts = {0};
    enum llmfp_status status = LLMFP_OK;
    while (status == LLMFP_OK && cursor->offset_bytes < cursor->size_bytes) {
        const uint32_t i = llmfp_cursor_u32(cursor);
        const uint32_t kind = llmfp_cursor_u32(cursor);
        if (i >= batch->n_located) {
            status = bad_exchange(error);
        } else if (kind == LOCATED) {
            status = llmfp_checkpoint_unpack(&batch->checkpoints[i].files, cursor, error);
        } else {
            const char *text = llmfp_cursor_string(cursor, &texts);
            llmfp_batch_fail(&batch->checkpoints[i], text == NULL ? "" : text);
        }
    }
    llmfp_arena_clear(&texts);
    return status;
}

enum llmfp_status llmfp_batch_locate(const struct llmfp_communicator *communicator,
                                     const struct llmfp_manifest *manifest, const size_t *numbers,
                                     size_t n, struct llmfp_batch *batch, struct llmfp_error *error)
{
    for (size_t i = 0; i < n; i++) {
        batch->checkpoints[i].entry = &manifest->entries[numbers[i]];
        batch->checkpoints[i].number = numbers[i];
    }
    batch->n_located = n;
    batch->n = 0;
    struct llmfp_buffer packed = {0};
    enum llmfp_status status = locate_mine(communicator, batch, &packed, error);
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = exchange_and_unpack(communicator, batch, &packed, unpack_located, error);
        status = llmfp_agree(communicator, status, error);
    }
    llmfp_buffer_clear(&packed);
    return status;
}

void llmfp_batch_choose(struct llmfp_batch *batch, int n_ranks)
{
    uint64_t header_bytes = 0;
    uint64_t data_bytes = 0;
    batch->n = 0;
    while (batch->n < batch->n_located) {
        const struct llmfp_checkpoint *files = &batch->checkpoints[batch->n].files;
        for (size_t f = 0; f < files->n_files; f++) {
            header_bytes += files->files[f].header_bytes;
            data_bytes += files->files[f].size_bytes;
        }
        if (batch->n > 0 && (header_bytes > MOST_HEADER_BYTES ||
                             data_bytes / (uint64_t)n_ranks > most_data_bytes)) {
            break;
        }
        batch->n++;
    }
}

/* ---- headers ---- */

static uint64_t mix_name(uint64_t digest, const char *path)
{
    const char *slash = strrchr(path, '/');
    for (const char *c = slash == NULL ? path : slash + 1; *c != '\0'; c++) {
        digest = mix(digest, (unsigned char)*c);
    }
    return digest;
}

uint64_t llmfp_batch_fingerprint(const struct llmfp_checkpoint *files)
{
    uint64_t fingerprint = 0;
    for (size_t f = 0; f < files->n_files; f++) {
        const struct llmfp_file *file = &files->files[f];
        fingerprint = mix(mix(mix_name(fingerprint, file->path), file->size_bytes),
                          (uint64_t)file->modified_ns);
    }
    return fingerprint == 0 ? 1 : fingerprint; /* 0 means "none" */
}

uint64_t llmfp_batch_digest(const struct llmfp_catalog *catalog)
{
    uint64_t digest = 0;
    for (size_t f = 0; f < catalog->n_files; f++) {
        const struct llmfp_file *file = &catalog->files[f];
        digest = mix(mix(mix_name(digest, file->path), file->size_bytes), file->digest);
    }
    return digest;
}

static void digest_files(struct llmfp_batch_checkpoint *checkpoint)
{
    checkpoint->digest = llmfp_batch_digest(&checkpoint->catalog);
    checkpoint->fingerprint = llmfp_batch_fingerprint(&checkpoint->files);
}

/* What every rank can check by itself, with the same outcome. */
static enum llmfp_status finish_catalogs(struct llmfp_batch *batch, struct llmfp_error *error)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        if (checkpoint->failed) {
            continue;
        }
        struct llmfp_error why = {LLMFP_OK, ""};
        enum llmfp_status status = llmfp_configuration_read(checkpoint->files.configuration,
                                                            checkpoint->files.configuration_bytes,
                                                            &checkpoint->configuration, &why);
        if (status == LLMFP_OK) {
            status = llmfp_slices_join(&checkpoint->catalog, &checkpoint->configuration, &why);
        }
        if (status == LLMFP_OK) {
            status = llmfp_catalog_finish(&checkpoint->catalog, &why);
        }
        if (status == LLMFP_FATAL) {
            *error = why;
            return status;
        }
        if (status != LLMFP_OK) {
            llmfp_batch_fail(checkpoint, why.text);
        }
        checkpoint->configuration.own_rules = batch->own_rules;
        digest_files(checkpoint);
    }
    return LLMFP_OK;
}

/* Index files are checked by the rank that has read them. */
static enum llmfp_status check_indexes(const struct llmfp_communicator *communicator,
                                       struct llmfp_batch *batch, struct llmfp_error *error)
{
    struct llmfp_error *why = calloc(LLMFP_BATCH_MOST, sizeof *why);
    const char *mine[LLMFP_BATCH_MOST] = {NULL};
    enum llmfp_status status =
        why == NULL ? llmfp_fail_memory(error, sizeof *why, "checking index files") : LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < batch->n; i++) {
        struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        if (checkpoint->failed || checkpoint->files.n_index == 0) {
            continue;
        }
        const enum llmfp_status checked =
            llmfp_checkpoint_check(&checkpoint->files, &checkpoint->catalog, &why[i]);
        if (checked == LLMFP_FATAL) {
            *error = why[i];
            status = checked;
        } else if (checked != LLMFP_OK) {
            mine[i] = why[i].text;
        }
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = llmfp_batch_agree_failures(communicator, batch, mine, error);
    }
    free(why);
    return status;
}

/* Codes and their scales become one tensor. After the indexes, which speak of the tensors
 * as they are stored; every rank does the same. */
static enum llmfp_status assemble_quantised(const struct llmfp_communicator *communicator,
                                            struct llmfp_batch *batch, struct llmfp_error *error)
{
    const char *mine[LLMFP_BATCH_MOST] = {NULL};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; i < batch->n && status == LLMFP_OK; i++) {
        struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        struct llmfp_error why = {LLMFP_OK, ""};
        const enum llmfp_status assembled =
            checkpoint->failed
                ? LLMFP_OK
                : llmfp_quantised_assemble(&checkpoint->catalog, checkpoint->files.configuration,
                                           checkpoint->files.configuration_bytes, &why);
        if (assembled == LLMFP_FATAL) {
            *error = why;
            status = assembled;
        } else if (assembled != LLMFP_OK) {
            llmfp_batch_fail(checkpoint, why.text);
            mine[i] = checkpoint->message;
        }
    }
    status = llmfp_agree(communicator, status, error);
    /* Small texts were read: a file may have failed one rank and not the others. */
    return status == LLMFP_OK ? llmfp_batch_agree_failures(communicator, batch, mine, error)
                              : status;
}

enum llmfp_status llmfp_batch_headers(const struct llmfp_communicator *communicator,
                                      struct llmfp_batch *batch, struct llmfp_error *error)
{
    enum llmfp_status status = read_headers(communicator, batch, error);
    if (status == LLMFP_OK) {
        status = finish_catalogs(batch, error);
        status = llmfp_agree(communicator, status, error);
    }
    if (status == LLMFP_OK) {
        status = check_indexes(communicator, batch, error);
    }
    if (status == LLMFP_OK) {
        status = assemble_quantised(communicator, batch, error);
    }
    return status;
}
