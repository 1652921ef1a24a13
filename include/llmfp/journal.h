/* llmfp/journal.h - records of finished checkpoints, safe on disk.  core, no MPI
 *
 * The journal stands beside the results file (OUTPUT.journal) while a scan runs.
 * Records are only ever appended, each with its length and CRC-32, and are synced
 * to disk before the scan goes on; a torn or damaged one is recognised and costs
 * only itself (and, when torn, what follows it). The results file is made from the
 * journal, and --resume starts from it. One process writes; any may read.
 *
 * File: 16 bytes of magic and version, u64 key (a digest of what must not change
 * between a scan and its resumption), then records: u32 length, u32 CRC-32 of the
 * bytes, the bytes (llmfp/record.h). Little-endian.                             */
#ifndef LLMFP_JOURNAL_H
#define LLMFP_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"
#include "llmfp/record.h"

struct llmfp_journal {
    int descriptor; /* -1 when closed */
    char *path;     /* owned */
    uint64_t size_bytes;
};

struct llmfp_journal_place {
    uint64_t offset_bytes; /* of the record's bytes */
    uint32_t size_bytes;
    uint32_t check; /* CRC-32 */
};

/* All functions are Local. Errors are LLMFP_FATAL and name the file; LLMFP_USAGE when
 * another process has the journal open for writing.                             */

/* Make a new, empty journal (an old file of that name is replaced).              */
enum llmfp_status llmfp_journal_create(struct llmfp_journal *journal, const char *path,
                                       uint64_t key, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The same in two steps, for a journal that counts only with its first records: begin,
 * append, complete. One that was cut off before is as good as none.               */
enum llmfp_status llmfp_journal_begin(struct llmfp_journal *journal, const char *path,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;
enum llmfp_status llmfp_journal_complete(struct llmfp_journal *journal, uint64_t key,
                                         struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Whether there is a journal at `path` that was completed, or something else.      */
bool llmfp_journal_is_complete(const char *path);

/* LLMFP_USAGE when another process is writing the journal at `path`. Where there is none,
 * or it cannot be told, LLMFP_OK.                                                  */
enum llmfp_status llmfp_journal_check_unused(const char *path,
                                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Open an existing journal: to go on with it (`writable`: everything behind the last
 * whole record is cut off), or to read. LLMFP_USAGE when its key is another one.
 *   places    [out] owned by the caller (free); every intact record, in order
 *   n_damaged [out] records whose CRC does not fit; they are skipped              */
enum llmfp_status llmfp_journal_open(struct llmfp_journal *journal, const char *path, uint64_t key,
                                     bool writable, struct llmfp_journal_place **places,
                                     size_t *n_places, size_t *n_damaged,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Append packed records (each as put by llmfp_journal_frame) and sync.            */
enum llmfp_status llmfp_journal_append(struct llmfp_journal *journal,
                                       const struct llmfp_buffer *frames,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Pack a record with its length and CRC behind what `frames` holds. When places is
 * not NULL its offset_bytes is set relative to the start of `frames`.             */
void llmfp_journal_frame(const struct llmfp_record *record, struct llmfp_buffer *frames,
                         struct llmfp_journal_place *place);

/* The same for bytes of another kind: begin, put them into `frames`, end.          */
size_t llmfp_journal_frame_begin(struct llmfp_buffer *frames);
void llmfp_journal_frame_end(struct llmfp_buffer *frames, size_t frame,
                             struct llmfp_journal_place *place);

/* The CRC-32 that records are kept with.                                          */
uint32_t llmfp_journal_check(const void *bytes, size_t size_bytes);

/* Open for reading only, without looking at the records.                          */
enum llmfp_status llmfp_journal_open_reader(struct llmfp_journal *journal, const char *path,
                                            struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Read one record (its CRC is checked again).                                     */
enum llmfp_status llmfp_journal_read(const struct llmfp_journal *journal,
                                     const struct llmfp_journal_place *place,
                                     struct llmfp_record *record,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The bytes of one record, of whatever kind (their CRC is checked again). `bytes` is
 * replaced.                                                                       */
enum llmfp_status llmfp_journal_read_bytes(const struct llmfp_journal *journal,
                                           const struct llmfp_journal_place *place,
                                           struct llmfp_buffer *bytes,
                                           struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Close; the file stays. A zeroed or closed journal may be closed again.          */
void llmfp_journal_close(struct llmfp_journal *journal);

#endif
