/* gguf_stream.c - a buffered reader that goes forward only. */
#include "gguf_stream.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "bytes.h"

#define MOST_STRING_BYTES (UINT64_C(1) << 30) /* the reference's limit */

void gguf_stream_begin(struct gguf_stream *stream, const struct llmfp_open_file *file,
                       struct llmfp_error *error)
{
    stream->file = file;
    stream->error = error;
    stream->status = LLMFP_OK;
    stream->offset = 0;
    stream->digest = UINT64_C(0xcbf29ce484222325);
    stream->filled = 0;
    stream->n_filled = 0;
}

enum llmfp_status gguf_refuse(struct gguf_stream *stream, const char *format, ...)
{
    if (stream->status == LLMFP_OK) {
        char sentence[LLMFP_ERROR_TEXT_BYTES];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(sentence, sizeof sentence, format, arguments);
        va_end(arguments);
        stream->status =
            llmfp_fail(stream->error, LLMFP_CHECKPOINT, "%s: %s", stream->file->path, sentence);
    }
    return stream->status;
}

uint64_t gguf_bytes_left(const struct gguf_stream *stream)
{
    return stream->file->size_bytes - stream->offset;
}

static bool has_bytes(struct gguf_stream *stream, uint64_t n_bytes, const char *what)
{
    if (stream->status == LLMFP_OK && n_bytes > gguf_bytes_left(stream)) {
        (void)gguf_refuse(stream,
                          "the file is cut short: %s at byte %" PRIu64 " takes %" PRIu64
                          " bytes, but only %" PRIu64 " follow; fetch it again",
                          what, stream->offset, n_bytes, gguf_bytes_left(stream));
    }
    return stream->status == LLMFP_OK;
}

/* Fill the buffer from the current offset on. */
static bool refill(struct gguf_stream *stream)
{
    const uint64_t left = gguf_bytes_left(stream);
    const size_t n = left < GGUF_BUFFER_BYTES ? (size_t)left : GGUF_BUFFER_BYTES;
    stream->filled = stream->offset;
    stream->n_filled = 0;
    stream->status =
        llmfp_file_read(stream->file, stream->offset, stream->buffer, n, stream->error);
    stream->n_filled = stream->status == LLMFP_OK ? n : 0;
    return stream->status == LLMFP_OK;
}

const unsigned char *gguf_take(struct gguf_stream *stream, size_t n_bytes, const char *what)
{
    if (!has_bytes(stream, n_bytes, what)) {
        return NULL;
    }
    /* What was stepped over may lie beyond the buffer. */
    const uint64_t begin = stream->offset - stream->filled;
    if ((begin > stream->n_filled || n_bytes > stream->n_filled - begin) && !refill(stream)) {
        return NULL;
    }
    const unsigned char *bytes = stream->buffer + (stream->offset - stream->filled);
    for (size_t i = 0; i < n_bytes; i++) {
        stream->digest = (stream->digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    stream->offset += n_bytes;
    return bytes;
}

uint32_t gguf_u32(struct gguf_stream *stream, const char *what)
{
    const unsigned char *bytes = gguf_take(stream, 4, what);
    return bytes == NULL ? 0 : llmfp_load_u32(bytes);
}

uint64_t gguf_u64(struct gguf_stream *stream, const char *what)
{
    const unsigned char *bytes = gguf_take(stream, 8, what);
    return bytes == NULL ? 0 : llmfp_load_u64(bytes);
}

void gguf_skip(struct gguf_stream *stream, uint64_t n_bytes, const char *what)
{
    if (has_bytes(stream, n_bytes, what)) {
        stream->offset += n_bytes;
    }
}

const char *gguf_string(struct gguf_stream *stream, size_t most, size_t *n_bytes, const char *what)
{
    const uint64_t length = gguf_u64(stream, what);
    *n_bytes = 0;
    if (length > MOST_STRING_BYTES) {
        (void)gguf_refuse(stream,
                          "%s before byte %" PRIu64 " should have %" PRIu64
                          " bytes, and at most 2^30 are allowed",
                          what, stream->offset, length);
    }
    if (!has_bytes(stream, length, what)) {
        return NULL;
    }
    if (length > most) {
        (void)gguf_refuse(
            stream, "%s before byte %" PRIu64 " has %" PRIu64 " bytes, and at most %zu are allowed",
            what, stream->offset, length, most);
        return NULL;
    }
    *n_bytes = (size_t)length;
    return (const char *)gguf_take(stream, (size_t)length, what);
}
