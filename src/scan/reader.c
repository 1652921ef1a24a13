/* reader.c - reading by pread into one buffer; the last file stays open. */
#include "reader.h"

#include <stdlib.h>

#include "file.h"

struct reader {
    unsigned char *buffer;
    uint64_t buffer_bytes;
    const struct llmfp_file *current; /* the file that is open, or NULL */
    struct llmfp_open_file open;
};

struct reader *reader_new(uint64_t most_bytes)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        /* Aligned to pages, as kernels and file systems like it. */
        void *buffer = NULL;
        if (posix_memalign(&buffer, 4096, (size_t)most_bytes + 4096) != 0) {
            free(reader);
            return NULL;
        }
        reader->buffer = buffer;
        reader->buffer_bytes = most_bytes;
    }
    return reader;
}

static void close_current(struct reader *reader)
{
    if (reader->current != NULL) {
        llmfp_file_close(&reader->open);
        reader->current = NULL;
    }
}

static enum llmfp_status open_current(struct reader *reader, const struct llmfp_file *file,
                                      struct llmfp_error *error)
{
    close_current(reader);
    const enum llmfp_status status = llmfp_file_open(file->path, &reader->open, error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (reader->open.size_bytes != file->size_bytes ||
        reader->open.modified_ns != file->modified_ns) {
        llmfp_file_close(&reader->open);
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "'%s' has changed since its header was read (%llu bytes then, %llu now); "
                          "scan it again when it is complete",
                          file->path, (unsigned long long)file->size_bytes,
                          (unsigned long long)reader->open.size_bytes);
    }
    reader->current = file;
    return LLMFP_OK;
}

enum llmfp_status reader_get(struct reader *reader, const struct llmfp_file *file,
                             uint64_t offset_bytes, uint64_t size_bytes,
                             const unsigned char **bytes, struct llmfp_error *error)
{
    if (reader->current != file) {
        const enum llmfp_status status = open_current(reader, file, error);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    if (size_bytes > reader->buffer_bytes) {
        return llmfp_fail(error, LLMFP_FATAL, "%llu bytes asked from a reader of %llu",
                          (unsigned long long)size_bytes, (unsigned long long)reader->buffer_bytes);
    }
    *bytes = reader->buffer;
    return llmfp_file_read(&reader->open, offset_bytes, reader->buffer, (size_t)size_bytes, error);
}

void reader_free(struct reader *reader)
{
    if (reader != NULL) {
        close_current(reader);
        free(reader->buffer);
        free(reader);
    }
}
