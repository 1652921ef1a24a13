/* llmfp/scan.h - scanning checkpoints on all ranks.                       MPI
 *
 * Checkpoints are scanned in batches, in manifest order. Of a batch all ranks
 * together find the files and read the headers; every rank makes the same plan;
 * chunks are claimed (shares.h), read and added to this rank's moments; moments are
 * summed to the rank that owns a checkpoint, which makes its record; rank 0 appends
 * the records to the journal, while the next batch is scanned. A checkpoint that cannot be read fails alone. Now and then
 * each rank saves its sums of the checkpoints in work, so that little is read again after
 * an interruption, and nothing after an orderly one.                              */
#ifndef LLMFP_SCAN_H
#define LLMFP_SCAN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "llmfp/communicator.h"
#include "llmfp/io.h"
#include "llmfp/journal.h"
#include "llmfp/manifest.h"
#include "llmfp/partial.h"
#include "llmfp/roles.h"
#include "llmfp/split.h"

/* What a scan tells its caller, on rank 0 only.                                  */
struct llmfp_scan_listener {
    void *context;
    /* `text` is a whole sentence that names the checkpoint's label.              */
    void (*checkpoint_failed)(void *context, const char *label, const char *text);
    /* Something to know about a checkpoint that does not fail it.                */
    void (*checkpoint_note)(void *context, const char *label, const char *text);
    /* A checkpoint is finished, and its record on its way to the journal; `text` says
     * what was read.                                                             */
    void (*checkpoint_done)(void *context, const char *label, const char *text);
    /* total_bytes may be an estimate until all headers have been read.           */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
};

/* Seconds of this rank, by phase.                                                */
struct llmfp_scan_timings {
    double locate_s;
    double headers_s;
    double plan_s;
    double stream_s; /* reading and computing */
    double read_s;   /* part of stream_s */
    double wait_s;   /* for the other ranks and the journal, after the own work on a batch */
    double reduce_s;
    double journal_s; /* making records; and appending them, beside what else is done */
    uint64_t read_bytes;
};

/* Where and how often ranks save their sums of checkpoints in work (llmfp/partial.h). */
struct llmfp_scan_saving {
    const char *journal_path;
    uint64_t key;                    /* the journal's */
    double seconds;                  /* between two savings of a rank, at least */
    struct llmfp_partials *partials; /* rank 0's: what an interrupted scan has left, or NULL */
};

struct llmfp_scan_settings {
    const struct llmfp_role_filter *filter;  /* NULL: all roles */
    const struct llmfp_own_rules *own_rules; /* NULL: none */
    uint64_t chunk_bytes;                    /* 0: chosen from the data */
    enum llmfp_io io;                        /* how bytes are read */
    bool strict;                             /* stop at the first checkpoint that fails */
    struct llmfp_scan_saving saving;
    struct llmfp_split split; /* which part of a split scan this is; entries have its slices */
    const volatile sig_atomic_t *stop; /* becomes non-zero when the scan is to stop */
};

/* One entry per manifest entry; the same on every rank, but `place` is rank 0's.  */
struct llmfp_scan_entry {
    bool done;            /* a record is in the journal */
    bool failed;          /* and says that the checkpoint could not be read */
    uint64_t fingerprint; /* in: of the record that is there already; 0 when there is none */
    uint64_t digest;      /* in: of names, sizes and headers, likewise */
    struct llmfp_journal_place place;
    struct llmfp_slice slice; /* in: what of the checkpoint is to be scanned */
};

/* Collective. Bytes of the files of every entry; 0 for a checkpoint that is not there.
 *   sizes  [manifest->n_entries] out, the same on every rank
 * Errors, the same on every rank: LLMFP_FATAL.                                     */
enum llmfp_status llmfp_scan_sizes(const struct llmfp_communicator *communicator,
                                   const struct llmfp_manifest *manifest, uint64_t *sizes,
                                   struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Look at the files of every entry that is `done` and has a fingerprint: one
 * whose files have changed since (names, sizes, times, headers), or are gone, is no longer
 * done, and the listener hears of it.
 * Errors, the same on every rank: LLMFP_FATAL.                                     */
enum llmfp_status llmfp_scan_recheck(const struct llmfp_communicator *communicator,
                                     const struct llmfp_manifest *manifest,
                                     const struct llmfp_scan_listener *listener,
                                     struct llmfp_scan_entry *entries,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Scan every entry that is not `done`.
 *   entries   [manifest->n_entries], in and out
 *   journal   rank 0's, open for appending; others pass NULL
 *   timings   filled on every rank
 * Errors, the same on every rank: LLMFP_FATAL; LLMFP_INTERRUPTED after *stop;
 * LLMFP_CHECKPOINT with `strict`. Finished checkpoints are in the journal then, and what
 * the ranks have added up of others is saved, if it can be.                       */
enum llmfp_status llmfp_scan_run(const struct llmfp_communicator *communicator,
                                 const struct llmfp_manifest *manifest,
                                 const struct llmfp_scan_settings *settings,
                                 const struct llmfp_scan_listener *listener,
                                 struct llmfp_scan_entry *entries, struct llmfp_journal *journal,
                                 struct llmfp_scan_timings *timings,
                                 struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
