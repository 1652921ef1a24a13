/* file.c - opening and reading files that may be anything. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *llmfp_system_text(int number, char text[LLMFP_SYSTEM_TEXT_BYTES])
{
    if (strerror_r(number, text, LLMFP_SYSTEM_TEXT_BYTES) != 0) {
        (void)snprintf(text, LLMFP_SYSTEM_TEXT_BYTES, "error %d", number);
    }
    return text;
}

static enum llmfp_status fail_system(const char *verb, const char *path, int number,
                                     struct llmfp_error *error)
{
    char text[LLMFP_SYSTEM_TEXT_BYTES];
    return llmfp_fail(error, LLMFP_CHECKPOINT, "cannot %s %s: %s", verb, path,
                      llmfp_system_text(number, text));
}

/* Unsigned, because some file systems hold times that 64 bits of nanoseconds do not; those
 * wrap, which still tells a changed time from an unchanged one. */
static int64_t modified_ns_of(const struct stat *found)
{
    return (int64_t)((uint64_t)found->st_mtim.tv_sec * 1000000000U +
                     (uint64_t)found->st_mtim.tv_nsec);
}

enum llmfp_status llmfp_path_is_unchanged(const char *path, uint64_t size_bytes,
                                          int64_t modified_ns, bool *unchanged,
                                          struct llmfp_error *error)
{
    struct stat found;
    if (stat(path, &found) != 0) {
        return fail_system("look at", path, errno, error);
    }
    *unchanged = (uint64_t)found.st_size == size_bytes && modified_ns_of(&found) == modified_ns;
    return LLMFP_OK;
}

enum llmfp_status llmfp_path_look(const char *path, enum llmfp_path_kind *kind,
                                  struct llmfp_error *error)
{
    struct stat found;
    if (stat(path, &found) == 0) {
        *kind = S_ISREG(found.st_mode)   ? LLMFP_PATH_FILE
                : S_ISDIR(found.st_mode) ? LLMFP_PATH_FOLDER
                                         : LLMFP_PATH_OTHER;
        return LLMFP_OK;
    }
    const int number = errno;
    if (number != ENOENT && number != ENOTDIR) {
        return fail_system("look at", path, number, error);
    }
    *kind = lstat(path, &found) == 0 ? LLMFP_PATH_DANGLING : LLMFP_PATH_MISSING;
    return LLMFP_OK;
}

char *llmfp_path_join(struct llmfp_arena *arena, const char *folder, const char *name)
{
    const size_t folder_bytes = strlen(folder);
    const char *slash = folder_bytes > 0 && folder[folder_bytes - 1] != '/' ? "/" : "";
    const size_t size_bytes = folder_bytes + strlen(slash) + strlen(name) + 1;
    char *path = llmfp_arena_new(arena, size_bytes);
    if (path != NULL) {
        (void)snprintf(path, size_bytes, "%s%s%s", folder, slash, name);
    }
    return path;
}

static enum llmfp_status fail_open(const char *path, int number, struct llmfp_error *error)
{
    struct stat found;
    if (number == ENOENT && lstat(path, &found) == 0) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is a symbolic link to a file that is not there; complete the "
                          "download or copy the files themselves",
                          path);
    }
    if (number == ENOENT) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "there is no file %s", path);
    }
    return fail_system("open", path, number, error);
}

/* Check that the open descriptor is a regular file, and note its size and time. */
static enum llmfp_status inspect(struct llmfp_open_file *file, struct llmfp_error *error)
{
    struct stat found;
    if (fstat(file->descriptor, &found) != 0) {
        return fail_system("look at", file->path, errno, error);
    }
    if (!S_ISREG(found.st_mode)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "%s is %s, not a regular file", file->path,
                          S_ISDIR(found.st_mode) ? "a directory" : "a FIFO, socket or device");
    }
    file->size_bytes = (uint64_t)found.st_size;
    file->modified_ns = modified_ns_of(&found);
    return LLMFP_OK;
}

enum llmfp_status llmfp_file_open(const char *path, struct llmfp_open_file *file,
                                  struct llmfp_error *error)
{
    int descriptor;
    do {
        /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        return fail_open(path, errno, error);
    }
    *file = (struct llmfp_open_file){.descriptor = descriptor, .path = path};
    const enum llmfp_status status = inspect(file, error);
    if (status != LLMFP_OK) {
        llmfp_file_close(file);
    }
    return status;
}

void llmfp_file_close(struct llmfp_open_file *file)
{
    /* Nothing was written, so a failing close loses nothing. */
    (void)close(file->descriptor);
    file->descriptor = -1;
}

enum llmfp_status llmfp_file_read(const struct llmfp_open_file *file, uint64_t offset_bytes,
                                  void *out, size_t size_bytes, struct llmfp_error *error)
{
    enum { MOST_BYTES = 1 << 30 }; /* Linux moves at most 2 GiB - 4 KiB at a time */
    unsigned char *place = out;
    if (offset_bytes > INT64_MAX || size_bytes > INT64_MAX - offset_bytes) {
        return fail_system("read", file->path, EOVERFLOW, error);
    }
    size_t done = 0;
    while (done < size_bytes) {
        const size_t left = size_bytes - done;
        const ssize_t got =
            pread(file->descriptor, place + done, left < MOST_BYTES ? left : MOST_BYTES,
                  (off_t)(offset_bytes + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_system("read", file->path, errno, error);
        }
        if (got == 0) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s shrank while it was read: it ends at byte %" PRIu64
                              ", but byte %" PRIu64 " is needed",
                              file->path, offset_bytes + done, offset_bytes + size_bytes - 1);
        }
        done += (size_t)got;
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_file_read_whole(const char *path, uint64_t limit_bytes,
                                        struct llmfp_buffer *buffer, struct llmfp_error *error)
{
    struct llmfp_open_file file;
    enum llmfp_status status = llmfp_file_open(path, &file, error);
    if (status != LLMFP_OK) {
        return status;
    }
    const uint64_t size_bytes = file.size_bytes;
    if (size_bytes > limit_bytes || size_bytes >= SIZE_MAX) {
        status =
            llmfp_fail(error, LLMFP_CHECKPOINT,
                       "%s has %" PRIu64 " bytes; at most %" PRIu64 " are read from such a file",
                       path, size_bytes, limit_bytes);
    } else {
        unsigned char *place = llmfp_buffer_extend(buffer, (size_t)size_bytes + 1);
        if (place == NULL) {
            status = llmfp_fail_memory(error, (size_t)size_bytes + 1, path);
        } else {
            status = llmfp_file_read(&file, 0, place, (size_t)size_bytes, error);
            place[size_bytes] = '\0';
            buffer->size_bytes--;
        }
    }
    llmfp_file_close(&file);
    return status;
}
