/* recording.h - appending records to the journal while the scan goes on. */
#ifndef LLMFP_RECORDING_H
#define LLMFP_RECORDING_H

#include <stdbool.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"
#include "llmfp/journal.h"
#include "worker.h"

/* Of a whole scan; for the rank that has the journal. Between begin and end a thread is at
 * the journal, and nobody else may be.                                              */
struct recording {
    struct llmfp_journal *journal; /* borrowed; NULL on the other ranks */
    bool with_thread;              /* MPI allows for one */
    struct worker *worker;         /* owned; NULL until needed, and where there is no thread */
    struct llmfp_buffer frames;    /* owned: what is being appended */
    double append_s;               /* seconds it took, in all; to be read after an end */
};

/* Local. Append frames (moved: the caller's buffer is empty then) and sync, by a thread if
 * there can be one. What was begun before must have been ended.
 * Errors: LLMFP_FATAL names the journal, at once only without a thread.             */
enum llmfp_status recording_begin(struct recording *recording, struct llmfp_buffer *frames,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Wait until what was begun, if anything, is on disk. LLMFP_OK on ranks without a
 * journal. Errors: LLMFP_FATAL names the journal.                                   */
enum llmfp_status recording_end(struct recording *recording,
                                struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. After recording_end.                                                       */
void recording_clear(struct recording *recording);

#endif
