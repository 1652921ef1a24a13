/* gguf_stream.h - reading the header of a GGUF file forward, piece by piece.
 *
 * Memory is one buffer, whatever the header's length; long arrays are stepped over without
 * being read. The first error is kept (`status`, and the sentence in `error`), and
 * every later call fails at once, so a caller may read on and look once.           */
#ifndef LLMFP_GGUF_STREAM_H
#define LLMFP_GGUF_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file.h"

enum { GGUF_BUFFER_BYTES = 1 << 16 };

struct gguf_stream {
    const struct llmfp_open_file *file; /* borrowed */
    struct llmfp_error *error;          /* borrowed */
    enum llmfp_status status;
    uint64_t offset; /* in the file, of the next byte to be taken */
    uint64_t digest; /* FNV-1a of the bytes taken so far */
    uint64_t filled; /* offset of buffer[0] */
    size_t n_filled;
    unsigned char buffer[GGUF_BUFFER_BYTES];
};

/* All Local. `what` names in messages what is read ("the number of tensors").       */

void gguf_stream_begin(struct gguf_stream *stream, const struct llmfp_open_file *file,
                       struct llmfp_error *error);

uint64_t gguf_bytes_left(const struct gguf_stream *stream);

/* The next n_bytes (at most GGUF_BUFFER_BYTES), valid until the next call; NULL on errors. */
const unsigned char *gguf_take(struct gguf_stream *stream, size_t n_bytes, const char *what);

/* Integers, little-endian; 0 on errors.                                              */
uint32_t gguf_u32(struct gguf_stream *stream, const char *what);
uint64_t gguf_u64(struct gguf_stream *stream, const char *what);

/* Step over bytes without reading them.                                              */
void gguf_skip(struct gguf_stream *stream, uint64_t n_bytes, const char *what);

/* A string's length and bytes. Longer than `most` (below GGUF_BUFFER_BYTES) is an error. */
const char *gguf_string(struct gguf_stream *stream, size_t most, size_t *n_bytes, const char *what);

/* Set the error: "PATH: sentence". Returns its status.                               */
enum llmfp_status gguf_refuse(struct gguf_stream *stream, const char *format, ...)
    LLMFP_PRINTF(2, 3);

#endif
