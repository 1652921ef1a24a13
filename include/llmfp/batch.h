/* llmfp/batch.h - some checkpoints, located and with their headers read by all
 * ranks together.                                                         MPI
 *
 * After each Collective function every rank holds the same batch, to the byte: the
 * plan can then be made on every rank without another word.                      */
#ifndef LLMFP_BATCH_H
#define LLMFP_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/checkpoint.h"
#include "llmfp/communicator.h"
#include "llmfp/configuration.h"
#include "llmfp/manifest.h"
#include "llmfp/plan.h"

struct llmfp_batch_checkpoint {
    const struct llmfp_manifest_entry *entry;
    size_t number; /* in the manifest */
    struct llmfp_checkpoint files;
    struct llmfp_catalog catalog;
    struct llmfp_configuration configuration;
    struct llmfp_tally tally;
    uint64_t digest;      /* over file names, sizes and headers */
    uint64_t fingerprint; /* over file names, sizes and times */
    bool failed;
    uint32_t failed_file;                 /* whose header is bad */
    char message[LLMFP_ERROR_TEXT_BYTES]; /* why; does not name the label */
};

enum { LLMFP_BATCH_MOST = 64 }; /* checkpoints */

struct llmfp_batch {
    struct llmfp_batch_checkpoint checkpoints[LLMFP_BATCH_MOST];
    size_t n_located; /* entries that are located and wait, in manifest order */
    const struct llmfp_own_rules *own_rules; /* borrowed; NULL: none */
    size_t n;                                /* of these, the first n are the current batch */
};

/* Note that a checkpoint has failed; the first message stays.              Local. */
void llmfp_batch_fail(struct llmfp_batch_checkpoint *checkpoint, const char *text);

/* Local. Digest of names, sizes and times of a located checkpoint's files; never 0.  */
uint64_t llmfp_batch_fingerprint(const struct llmfp_checkpoint *files);

/* Local. Digest of names, sizes and headers of a checkpoint's files, once all headers have
 * been read: the source_digest of the results file.                                  */
uint64_t llmfp_batch_digest(const struct llmfp_catalog *catalog);

/* Collective. Locate `n` entries (<= LLMFP_BATCH_MOST) of the manifest, given by their
 * numbers, into an empty batch. Checkpoints that cannot be located are marked failed.
 * Errors, the same on every rank: LLMFP_FATAL.                                    */
enum llmfp_status llmfp_batch_locate(const struct llmfp_communicator *communicator,
                                     const struct llmfp_manifest *manifest, const size_t *numbers,
                                     size_t n, struct llmfp_batch *batch,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Choose how many of the located checkpoints the next batch takes: few enough
 * that their catalogs fit into memory and that little is lost when the run is killed. */
void llmfp_batch_choose(struct llmfp_batch *batch, int n_ranks);

/* Collective. Read the headers of the current batch, configurations included, and
 * check them. Checkpoints that fail are marked so.
 * Errors, the same on every rank: LLMFP_FATAL.                                    */
enum llmfp_status llmfp_batch_headers(const struct llmfp_communicator *communicator,
                                      struct llmfp_batch *batch,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Bring what each rank has found out about failures together: where several
 * ranks have failed a checkpoint, the lowest rank's message counts. `mine[i]` is this
 * rank's message for checkpoint i, or NULL.
 * Errors, the same on every rank: LLMFP_FATAL.                                    */
enum llmfp_status llmfp_batch_agree_failures(const struct llmfp_communicator *communicator,
                                             struct llmfp_batch *batch, const char *const *mine,
                                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Forget the current batch; what is located and waits moves up.            */
void llmfp_batch_advance(struct llmfp_batch *batch);
void llmfp_batch_clear(struct llmfp_batch *batch);

#endif
