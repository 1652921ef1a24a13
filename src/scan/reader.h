/* reader.h - bytes of checkpoint files for the stream, with few files open at a time. */
#ifndef LLMFP_READER_H
#define LLMFP_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "llmfp/catalog.h"
#include "llmfp/error.h"
#include "llmfp/io.h"

struct reader; /* opaque */

/* All Local.                                                                      */

/* A reader for up to most_bytes at a time; with_thread: it may use a thread. NULL without
 * memory.                                                                          */
struct reader *reader_new(uint64_t most_bytes, enum llmfp_io io, bool with_thread);

/* size_bytes of a file from offset on; valid until the next call of this or reader_copy.
 * A file whose size or time is no longer what the catalog says has changed during the scan.
 *   bytes   [out] borrowed
 *   mapped  [out] the bytes are a mapping of the file: touch them under a bus_guard only
 * Errors: LLMFP_CHECKPOINT names the file; LLMFP_FATAL without memory.             */
enum llmfp_status reader_get(struct reader *reader, const struct llmfp_file *file,
                             uint64_t offset_bytes, uint64_t size_bytes,
                             const unsigned char **bytes, bool *mapped,
                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* What the next reader_get will probably ask for: where mappings do not serve, a thread
 * reads it meanwhile. A hint; the bytes of the last reader_get stay valid.         */
void reader_expect(struct reader *reader, const struct llmfp_file *file, uint64_t offset_bytes,
                   uint64_t size_bytes);

/* The same into the caller's memory, of any size, and never by a mapping.          */
enum llmfp_status reader_copy(struct reader *reader, const struct llmfp_file *file,
                              uint64_t offset_bytes, uint64_t size_bytes, unsigned char *to,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The error of mapped bytes that could not be read after all.                      */
enum llmfp_status reader_lost(const struct llmfp_file *file, struct llmfp_error *error);

void reader_free(struct reader *reader);

#endif
