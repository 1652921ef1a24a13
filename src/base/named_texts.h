/* named_texts.h - several small files as one text, and one of them out of it again.
 *
 * Each is a line "\1NAME LENGTH\n" and LENGTH bytes. A text that does not begin with the
 * byte 1, which no JSON text does, is one file alone.                              */
#ifndef LLMFP_NAMED_TEXTS_H
#define LLMFP_NAMED_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "llmfp/buffer.h"

/* Append a file; its name has no blank and no line end. Errors are in the buffer. Local. */
void llmfp_named_texts_put(struct llmfp_buffer *texts, const char *name, const char *text,
                           size_t n_bytes);

/* The text called `name`, in place, and its length; NULL: it is not there. A text alone is
 * called `alone`. Bytes that are no such texts hold nothing behind the first wrong one.
 *                                                                             Local. */
const char *llmfp_named_texts_find(const char *texts, size_t n_bytes, const char *alone,
                                   const char *name, size_t *found_bytes);

#endif
