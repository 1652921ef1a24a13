/* ahead.h - one reading at a time, done by a thread while the caller computes. */
#ifndef LLMFP_AHEAD_H
#define LLMFP_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "file.h"
#include "llmfp/error.h"

/* What is to be read. The thread touches nothing but this and the bytes of `to`. */
struct reading {
    struct llmfp_open_file file; /* its path is borrowed */
    uint64_t offset_bytes;
    uint64_t size_bytes;
    bool direct; /* the descriptor has O_DIRECT: whole pages from the page of offset_bytes on */
    unsigned char *to;
};

enum { READING_PAGE_BYTES = 4096 }; /* a multiple of every block size that O_DIRECT asks for */

/* Read what `reading` says. Errors: LLMFP_CHECKPOINT names the file.               */
enum llmfp_status reading_do(const struct reading *reading,
                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Where the byte at offset_bytes is after reading.                                */
const unsigned char *reading_bytes(const struct reading *reading);

struct ahead; /* opaque */

/* NULL without memory or without a thread: then the caller reads by itself.        */
struct ahead *ahead_new(void);

/* Begin; nothing may be under way. */
void ahead_begin(struct ahead *ahead, const struct reading *reading);

/* Whether something has been begun and not ended; what it is. */
const struct reading *ahead_begun(const struct ahead *ahead);

/* Wait for what was begun. Errors: as reading_do.                                  */
enum llmfp_status ahead_end(struct ahead *ahead, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Waits for what is under way. NULL is fine.                                       */
void ahead_free(struct ahead *ahead);

#endif
