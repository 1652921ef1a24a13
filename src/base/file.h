/* file.h - reading files of unknown origin: checked sizes, no hangs, clear messages.
 *
 * Symbolic links are followed (download caches are full of them). Only regular
 * files are opened: a FIFO or a device is refused without waiting for it. Every
 * message is a sentence that names the path. All functions are Local; errors are
 * LLMFP_CHECKPOINT (the file), LLMFP_FATAL (memory).                            */
#ifndef LLMFP_FILE_H
#define LLMFP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"

enum llmfp_path_kind {
    LLMFP_PATH_MISSING,
    LLMFP_PATH_DANGLING, /* a symbolic link to nothing */
    LLMFP_PATH_FILE,
    LLMFP_PATH_FOLDER,
    LLMFP_PATH_OTHER /* FIFO, socket, device */
};

/* What stands at a path. Errors: it cannot be looked at (permission, ...).     */
enum llmfp_status llmfp_path_look(const char *path, enum llmfp_path_kind *kind,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Whether the file at a path still has this size and time. Errors: as for looking.  */
enum llmfp_status llmfp_path_is_unchanged(const char *path, uint64_t size_bytes,
                                          int64_t modified_ns, bool *unchanged,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

/* "folder/name" in the arena; an empty folder stands for the working directory.
 * NULL without memory.                                                         */
char *llmfp_path_join(struct llmfp_arena *arena, const char *folder, const char *name);

struct llmfp_open_file {
    int descriptor;
    const char *path; /* borrowed, for messages */
    uint64_t size_bytes;
    int64_t modified_ns; /* nanoseconds since 1970 */
};

enum llmfp_status llmfp_file_open(const char *path, struct llmfp_open_file *file,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;
void llmfp_file_close(struct llmfp_open_file *file);

/* Read exactly size_bytes from offset on. Errors: the system's, and a file that
 * ends too early because it shrank.                                            */
enum llmfp_status llmfp_file_read(const struct llmfp_open_file *file, uint64_t offset_bytes,
                                  void *out, size_t size_bytes,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;

/* A whole file of at most limit_bytes, appended to `buffer` with a NUL behind it
 * that buffer->size_bytes does not count.                                      */
enum llmfp_status llmfp_file_read_whole(const char *path, uint64_t limit_bytes,
                                        struct llmfp_buffer *buffer,
                                        struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The system's text for an errno value.                                        */
#define LLMFP_SYSTEM_TEXT_BYTES 128
const char *llmfp_system_text(int number, char text[LLMFP_SYSTEM_TEXT_BYTES]);

#endif
