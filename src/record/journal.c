/* journal.c - the append-only file of records. Format: see llmfp/journal.h. */
#include "llmfp/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "bytes.h"
#include "file.h"

static const char magic[16] = "llmfp journal 1\n";

enum { HEADER_BYTES = 24, FRAME_BYTES = 8 };

uint32_t llmfp_journal_check(const void *bytes, size_t size_bytes)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), bytes, size_bytes);
}

static enum llmfp_status fail_here(const char *path, const char *what, struct llmfp_error *error)
{
    char text[LLMFP_SYSTEM_TEXT_BYTES];
    return llmfp_fail(error, LLMFP_FATAL, "journal '%s': %s: %s", path, what,
                      llmfp_system_text(errno, text));
}

static enum llmfp_status write_all(struct llmfp_journal *journal, const unsigned char *bytes,
                                   size_t size_bytes, struct llmfp_error *error)
{
    size_t done = 0;
    while (done < size_bytes) {
        const ssize_t wrote = pwrite(journal->descriptor, bytes + done, size_bytes - done,
                                     (off_t)(journal->size_bytes + done));
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            errno = wrote == 0 ? ENOSPC : errno;
            return fail_here(journal->path, "cannot write", error);
        }
        done += (size_t)wrote;
    }
    if (fdatasync(journal->descriptor) != 0) {
        return fail_here(journal->path, "cannot sync to disk", error);
    }
    journal->size_bytes += size_bytes;
    return LLMFP_OK;
}

/* Read up to size_bytes at an offset; *got is less only at the end of the file. */
static enum llmfp_status read_at(const struct llmfp_journal *journal, void *bytes,
                                 size_t size_bytes, uint64_t offset_bytes, size_t *got,
                                 struct llmfp_error *error)
{
    *got = 0;
    while (*got < size_bytes) {
        const ssize_t n = pread(journal->descriptor, (unsigned char *)bytes + *got,
                                size_bytes - *got, (off_t)(offset_bytes + *got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_here(journal->path, "cannot read", error);
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return LLMFP_OK;
}

static enum llmfp_status open_file(struct llmfp_journal *journal, const char *path, int flags,
                                   struct llmfp_error *error)
{
    *journal = (struct llmfp_journal){.descriptor = -1, .path = strdup(path)};
    if (journal->path == NULL) {
        return llmfp_fail_memory(error, strlen(path), "the journal's name");
    }
    journal->descriptor = open(path, flags | O_CLOEXEC, 0666);
    if (journal->descriptor < 0) {
        const enum llmfp_status status =
            (flags & O_CREAT) != 0
                ? fail_here(path,
                            "cannot be made (the folder of --output must exist and be writable)",
                            error)
                : fail_here(path, "cannot open", error);
        llmfp_journal_close(journal);
        return status;
    }
    return LLMFP_OK;
}

void llmfp_journal_close(struct llmfp_journal *journal)
{
    if (journal->path != NULL) {
        if (journal->descriptor >= 0) {
            close(journal->descriptor);
        }
        free(journal->path);
    }
    *journal = (struct llmfp_journal){.descriptor = -1};
}

/* Whether another file, or none, has the name of the one that is open: between opening and
 * locking another scan may have finished and removed it. */
static bool was_removed(const struct llmfp_journal *journal)
{
    struct stat named;
    struct stat opened;
    if (fstat(journal->descriptor, &opened) != 0) {
        return false;
    }
    if (stat(journal->path, &named) != 0) {
        return errno == ENOENT;
    }
    return opened.st_ino != named.st_ino || opened.st_dev != named.st_dev;
}

static enum llmfp_status fail_in_use(const char *path, struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_USAGE,
                      "'%s' is in use: another scan writes the same results file; wait for it, or "
                      "choose another --output",
                      path);
}

/* One scan at a time may write. Where locks do not work nothing is refused. */
static enum llmfp_status lock_file(struct llmfp_journal *journal, struct llmfp_error *error)
{
    const bool locked = flock(journal->descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (locked && !was_removed(journal)) {
        return LLMFP_OK;
    }
    return fail_in_use(journal->path, error);
}

enum llmfp_status llmfp_journal_check_unused(const char *path, struct llmfp_error *error)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return LLMFP_OK; /* opening it properly will say what is wrong */
    }
    const bool used = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(descriptor);
    return used ? fail_in_use(path, error) : LLMFP_OK;
}

/* An emptied file with room for its header. */
static enum llmfp_status clear_file(struct llmfp_journal *journal, struct llmfp_error *error)
{
    static const unsigned char nothing[HEADER_BYTES] = {0};
    if (ftruncate(journal->descriptor, 0) != 0) {
        return fail_here(journal->path, "cannot empty", error);
    }
    return write_all(journal, nothing, sizeof nothing, error);
}

enum llmfp_status llmfp_journal_begin(struct llmfp_journal *journal, const char *path,
                                      struct llmfp_error *error)
{
    enum llmfp_status status = open_file(journal, path, O_RDWR | O_CREAT, error);
    if (status != LLMFP_OK) {
        return status;
    }
    status = lock_file(journal, error);
    if (status == LLMFP_OK) {
        status = clear_file(journal, error);
        if (status != LLMFP_OK) {
            unlink(path);
        }
    }
    if (status != LLMFP_OK) {
        llmfp_journal_close(journal);
    }
    return status;
}

enum llmfp_status llmfp_journal_complete(struct llmfp_journal *journal, uint64_t key,
                                         struct llmfp_error *error)
{
    unsigned char header[HEADER_BYTES];
    memcpy(header, magic, sizeof magic);
    llmfp_store_u64(header + sizeof magic, key);
    const uint64_t size_bytes = journal->size_bytes;
    journal->size_bytes = 0;
    const enum llmfp_status status = write_all(journal, header, sizeof header, error);
    journal->size_bytes = size_bytes;
    return status;
}

enum llmfp_status llmfp_journal_create(struct llmfp_journal *journal, const char *path,
                                       uint64_t key, struct llmfp_error *error)
{
    enum llmfp_status status = llmfp_journal_begin(journal, path, error);
    if (status == LLMFP_OK) {
        status = llmfp_journal_complete(journal, key, error);
        if (status != LLMFP_OK) {
            unlink(path);
            llmfp_journal_close(journal);
        }
    }
    return status;
}

bool llmfp_journal_is_complete(const char *path)
{
    static const unsigned char nothing[HEADER_BYTES] = {0};
    unsigned char header[HEADER_BYTES];
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return errno != ENOENT; /* opening it properly will say what is wrong */
    }
    const ssize_t got = pread(descriptor, header, sizeof header, 0);
    close(descriptor);
    return got < 0 ||
           (got == (ssize_t)sizeof header && memcmp(header, nothing, sizeof header) != 0);
}

size_t llmfp_journal_frame_begin(struct llmfp_buffer *frames)
{
    const size_t frame = frames->size_bytes;
    llmfp_buffer_put_u64(frames, 0); /* length and check, known at the end */
    return frame;
}

void llmfp_journal_frame_end(struct llmfp_buffer *frames, size_t frame,
                             struct llmfp_journal_place *place)
{
    if (frames->failed) {
        return;
    }
    const size_t start = frame + FRAME_BYTES;
    const size_t size_bytes = frames->size_bytes - start;
    if (size_bytes > UINT32_MAX) {
        frames->failed = true;
        return;
    }
    const uint32_t check = llmfp_journal_check(frames->bytes + start, size_bytes);
    llmfp_store_u32(frames->bytes + frame, (uint32_t)size_bytes);
    llmfp_store_u32(frames->bytes + frame + 4, check);
    if (place != NULL) {
        *place = (struct llmfp_journal_place){start, (uint32_t)size_bytes, check};
    }
}

void llmfp_journal_frame(const struct llmfp_record *record, struct llmfp_buffer *frames,
                         struct llmfp_journal_place *place)
{
    const size_t frame = llmfp_journal_frame_begin(frames);
    llmfp_record_pack(record, frames);
    llmfp_journal_frame_end(frames, frame, place);
}

enum llmfp_status llmfp_journal_append(struct llmfp_journal *journal,
                                       const struct llmfp_buffer *frames, struct llmfp_error *error)
{
    return frames->size_bytes == 0 ? LLMFP_OK
                                   : write_all(journal, frames->bytes, frames->size_bytes, error);
}

/* ---- reading ---- */

static enum llmfp_status check_header(const struct llmfp_journal *journal, uint64_t key,
                                      struct llmfp_error *error)
{
    unsigned char header[HEADER_BYTES];
    size_t got;
    const enum llmfp_status status = read_at(journal, header, sizeof header, 0, &got, error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (got < sizeof header || memcmp(header, magic, sizeof magic) != 0) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "'%s' is not a journal of this program's version; move it away, or start "
                          "anew with --overwrite",
                          journal->path);
    }
    if (llmfp_load_u64(header + sizeof magic) != key) {
        return llmfp_fail(
            error, LLMFP_USAGE,
            "journal '%s' belongs to a scan with other --roles, --rules or --part (or, of a part, "
            "with other checkpoints); give the same options, or start anew with --overwrite",
            journal->path);
    }
    return LLMFP_OK;
}

struct found {
    struct llmfp_journal_place *places;
    size_t n;
    size_t capacity;
    size_t n_damaged;
};

static bool note_place(struct found *found, struct llmfp_journal_place place)
{
    if (found->n == found->capacity) {
        const size_t capacity = found->capacity == 0 ? 64 : found->capacity * 2;
        struct llmfp_journal_place *grown = realloc(found->places, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        found->places = grown;
        found->capacity = capacity;
    }
    found->places[found->n++] = place;
    return true;
}

/* Whether the bytes of a record fit its check; *whole is false at a torn end. */
static enum llmfp_status check_record(const struct llmfp_journal *journal,
                                      const struct llmfp_journal_place *place, bool *whole,
                                      bool *intact, struct llmfp_error *error)
{
    unsigned char *bytes = malloc((size_t)place->size_bytes + 1);
    if (bytes == NULL) {
        return llmfp_fail_memory(error, place->size_bytes, "a journal record");
    }
    size_t got;
    const enum llmfp_status status =
        read_at(journal, bytes, place->size_bytes, place->offset_bytes, &got, error);
    *whole = got == place->size_bytes;
    *intact = *whole && llmfp_journal_check(bytes, place->size_bytes) == place->check;
    free(bytes);
    return status;
}

static enum llmfp_status find_records(struct llmfp_journal *journal, uint64_t file_bytes,
                                      struct found *found, struct llmfp_error *error)
{
    journal->size_bytes = HEADER_BYTES;
    for (;;) {
        unsigned char frame[FRAME_BYTES];
        size_t got;
        enum llmfp_status status =
            read_at(journal, frame, sizeof frame, journal->size_bytes, &got, error);
        if (status != LLMFP_OK || got < sizeof frame) {
            return status;
        }
        const struct llmfp_journal_place place = {journal->size_bytes + FRAME_BYTES,
                                                  llmfp_load_u32(frame), llmfp_load_u32(frame + 4)};
        bool whole = false;
        bool intact = false;
        /* No record is empty: a length of zero is what a crash may leave behind a file's end. */
        if (place.size_bytes > 0 && place.size_bytes <= file_bytes - place.offset_bytes) {
            status = check_record(journal, &place, &whole, &intact, error);
        }
        if (status != LLMFP_OK || !whole) {
            return status;
        }
        if (!intact) {
            found->n_damaged++;
        } else if (!note_place(found, place)) {
            return llmfp_fail_memory(error, sizeof place, "the journal's index");
        }
        journal->size_bytes = place.offset_bytes + place.size_bytes;
    }
}

enum llmfp_status llmfp_journal_open(struct llmfp_journal *journal, const char *path, uint64_t key,
                                     bool writable, struct llmfp_journal_place **places,
                                     size_t *n_places, size_t *n_damaged, struct llmfp_error *error)
{
    enum llmfp_status status = open_file(journal, path, writable ? O_RDWR : O_RDONLY, error);
    if (status != LLMFP_OK) {
        return status;
    }
    struct found found = {0};
    struct stat file;
    if (fstat(journal->descriptor, &file) != 0) {
        status = fail_here(path, "cannot be examined", error);
    } else {
        status = writable ? lock_file(journal, error) : LLMFP_OK;
    }
    if (status == LLMFP_OK) {
        status = check_header(journal, key, error);
    }
    if (status == LLMFP_OK) {
        status = find_records(journal, (uint64_t)file.st_size, &found, error);
    }
    if (status == LLMFP_OK && writable &&
        ftruncate(journal->descriptor, (off_t)journal->size_bytes) != 0) {
        status = fail_here(path, "cannot cut off a torn record", error);
    }
    if (status != LLMFP_OK) {
        free(found.places);
        llmfp_journal_close(journal);
        return status;
    }
    *places = found.places;
    *n_places = found.n;
    *n_damaged = found.n_damaged;
    return LLMFP_OK;
}

enum llmfp_status llmfp_journal_open_reader(struct llmfp_journal *journal, const char *path,
                                            struct llmfp_error *error)
{
    return open_file(journal, path, O_RDONLY, error);
}

enum llmfp_status llmfp_journal_read_bytes(const struct llmfp_journal *journal,
                                           const struct llmfp_journal_place *place,
                                           struct llmfp_buffer *bytes, struct llmfp_error *error)
{
    bytes->size_bytes = 0;
    unsigned char *room = llmfp_buffer_extend(bytes, place->size_bytes);
    if (room == NULL) {
        return llmfp_fail_memory(error, place->size_bytes, "a journal record");
    }
    size_t got;
    const enum llmfp_status status =
        read_at(journal, room, place->size_bytes, place->offset_bytes, &got, error);
    if (status == LLMFP_OK && (got != place->size_bytes ||
                               llmfp_journal_check(room, place->size_bytes) != place->check)) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "journal '%s': the record at byte %llu is damaged; run again with "
                          "--resume to scan that checkpoint anew",
                          journal->path, (unsigned long long)place->offset_bytes);
    }
    return status;
}

enum llmfp_status llmfp_journal_read(const struct llmfp_journal *journal,
                                     const struct llmfp_journal_place *place,
                                     struct llmfp_record *record, struct llmfp_error *error)
{
    struct llmfp_buffer bytes = {0};
    enum llmfp_status status = llmfp_journal_read_bytes(journal, place, &bytes, error);
    if (status == LLMFP_OK) {
        struct llmfp_cursor cursor = llmfp_cursor_over(bytes.bytes, bytes.size_bytes);
        status = llmfp_record_unpack(record, &cursor, error);
    }
    llmfp_buffer_clear(&bytes);
    return status;
}
