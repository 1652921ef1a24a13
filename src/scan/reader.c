/* reader.c - reading by mmap, pread or direct I/O; the last file stays open.
 *
 * What is fastest depends on where the bytes are. In the page cache, computing on a
 * mapping saves the copy that pread makes. On a disk, pread of large pieces lets the
 * kernel read ahead in large folios, and a thread of our own reads the next piece while
 * this one is added: how far the kernel reads ahead depends on the site (128 KiB on many). (Announcing what comes next by POSIX_FADV_WILLNEED
 * made it use single pages instead: twice the CPU time, and two thirds of the speed with
 * two ranks.) On network and parallel file systems mappings are slow and their errors are
 * signals: always pread.
 *
 * Compiled with _GNU_SOURCE, for preadv2, O_DIRECT and madvise.                          */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ahead.h"
#include "file.h"

enum {
    PAGE = READING_PAGE_BYTES,
    /* Places of a piece that are looked up in the page cache. */
    PROBES = 4,
    /* After a miss the page cache is asked again only so much later, and for so much at
     * once: the kernel's readahead would pass for a cached file otherwise. */
    PROBED_BYTES = 64 << 20,
    /* Smaller pieces are not worth waking a thread; larger ones get no second buffer. */
    LEAST_AHEAD_BYTES = 128 << 10,
    MOST_AHEAD_BYTES = 64 << 20
};

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; older kernels refuse it and pages fault in */
#endif

struct reader {
    enum llmfp_io io;
    unsigned char *buffer;            /* page-aligned */
    unsigned char *spare;             /* likewise, for what is read ahead; NULL until needed */
    uint64_t buffer_bytes;            /* of data; two pages more are there for alignment */
    struct ahead *ahead;              /* NULL until needed */
    bool no_ahead;                    /* no thread or memory for it, or pieces are too large */
    const struct llmfp_file *current; /* the file that is open, or NULL */
    struct llmfp_open_file open;
    bool local;         /* its file system is good for mappings */
    unsigned char *map; /* the whole file, or NULL; of it the last piece has pages: */
    uint64_t mapped_offset;
    uint64_t mapped_bytes;  /* 0: none */
    int asked;              /* the same file opened for asking what is cached, or -1 */
    bool missed;            /* the page cache lacked something when it was last asked */
    uint64_t unasked_bytes; /* read since then */
    bool drop;              /* too large for the page cache to be of use afterwards */
};

static unsigned char *new_buffer(uint64_t size_bytes)
{
    void *buffer = NULL;
    return posix_memalign(&buffer, PAGE, (size_t)size_bytes + (size_t)2 * PAGE) == 0 ? buffer
                                                                                     : NULL;
}

struct reader *reader_new(uint64_t most_bytes, enum llmfp_io io, bool with_thread)
{
    struct reader *reader = calloc(1, sizeof *reader);
    unsigned char *buffer = new_buffer(most_bytes);
    if (reader == NULL || buffer == NULL) {
        free(reader);
        free(buffer);
        return NULL;
    }
    reader->io = io;
    reader->asked = -1;
    reader->buffer = buffer;
    reader->buffer_bytes = most_bytes;
    reader->no_ahead = !with_thread || most_bytes > MOST_AHEAD_BYTES;
    return reader;
}

/* Nothing is under way afterwards; what was read ahead is forgotten. */
static void forget_ahead(struct reader *reader)
{
    if (reader->ahead != NULL && ahead_begun(reader->ahead) != NULL) {
        (void)!ahead_end(reader->ahead, NULL);
    }
}

static void close_current(struct reader *reader)
{
    forget_ahead(reader);
    if (reader->current != NULL) {
        if (reader->map != NULL) {
            munmap(reader->map, (size_t)reader->open.size_bytes);
            reader->map = NULL;
            reader->mapped_bytes = 0;
        }
        if (reader->asked >= 0) {
            close(reader->asked);
            reader->asked = -1;
        }
        llmfp_file_close(&reader->open);
        reader->current = NULL;
    }
}

void reader_free(struct reader *reader)
{
    if (reader != NULL) {
        close_current(reader);
        ahead_free(reader->ahead);
        free(reader->spare);
        free(reader->buffer);
        free(reader);
    }
}

/* ---- opening ---- */

/* File systems whose pages come over a network or through another process. */
static bool is_local(int descriptor)
{
    static const unsigned long remote[] = {
        0x6969,     /* NFS */
        0x0BD00BD0, /* Lustre */
        0x47504653, /* GPFS */
        0xFF534D42, /* CIFS */
        0xFE534D42, /* SMB2 */
        0x65735546, /* FUSE */
        0x01021997, /* 9p */
        0x00C36400, /* Ceph */
        0x19830326, /* BeeGFS */
        0x786F4256, /* VirtualBox shared folders */
    };
    struct statfs system;
    if (fstatfs(descriptor, &system) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        if ((unsigned long)system.f_type == remote[i]) {
            return false;
        }
    }
    return true;
}

static bool larger_than_half_the_memory(uint64_t size_bytes)
{
    struct sysinfo memory;
    return sysinfo(&memory) == 0 &&
           size_bytes / 2 > (uint64_t)memory.totalram * memory.mem_unit / 4;
}

/* O_DIRECT is set after opening, so that the checks of llmfp_file_open hold. */
static enum llmfp_status go_direct(struct reader *reader, struct llmfp_error *error)
{
    const int flags = fcntl(reader->open.descriptor, F_GETFL);
    if (flags < 0 || fcntl(reader->open.descriptor, F_SETFL, flags | O_DIRECT) != 0) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s: its file system has no direct I/O; use --io auto or --io pread",
                          reader->open.path);
    }
    return LLMFP_OK;
}

static enum llmfp_status check_unchanged(const struct reader *reader, const struct llmfp_file *file,
                                         struct llmfp_error *error)
{
    if (reader->open.size_bytes != file->size_bytes ||
        reader->open.modified_ns != file->modified_ns) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "'%s' has changed since its header was read (%llu bytes then, %llu now); "
                          "scan it again when it is complete",
                          file->path, (unsigned long long)file->size_bytes,
                          (unsigned long long)reader->open.size_bytes);
    }
    return LLMFP_OK;
}

static enum llmfp_status open_current(struct reader *reader, const struct llmfp_file *file,
                                      struct llmfp_error *error)
{
    close_current(reader);
    enum llmfp_status status = llmfp_file_open(file->path, &reader->open, error);
    if (status != LLMFP_OK) {
        return status;
    }
    status = check_unchanged(reader, file, error);
    if (status == LLMFP_OK && reader->io == LLMFP_IO_DIRECT) {
        status = go_direct(reader, error);
    }
    if (status != LLMFP_OK) {
        llmfp_file_close(&reader->open);
        return status;
    }
    reader->current = file;
    reader->local = is_local(reader->open.descriptor);
    reader->drop = larger_than_half_the_memory(file->size_bytes);
    reader->missed = false;
    const bool maps = reader->io == LLMFP_IO_MMAP || (reader->io == LLMFP_IO_AUTO && reader->local);
    if (maps && file->size_bytes <= SIZE_MAX) {
        void *map =
            mmap(NULL, (size_t)file->size_bytes, PROT_READ, MAP_SHARED, reader->open.descriptor, 0);
        reader->map = map == MAP_FAILED ? NULL : map; /* then pread serves */
    }
    if (reader->map != NULL && reader->io == LLMFP_IO_AUTO) {
        reader->asked = open(reader->open.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        (void)posix_fadvise(reader->asked, 0, 0, POSIX_FADV_RANDOM);
    }
    return LLMFP_OK;
}

/* ---- the ways ---- */

enum llmfp_status reader_lost(const struct llmfp_file *file, struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "'%s' shrank or became unreadable while it was read; scan it again when it "
                      "is complete",
                      file->path);
}

/* Whether some bytes here and there are in the page cache. A read that may not wait
 * tells, also for files of other owners. It starts reading what is missing, so it has a
 * descriptor of its own: the kernel's readahead goes by what a descriptor reads. */
static bool is_cached(const struct reader *reader, uint64_t offset_bytes, uint64_t size_bytes)
{
    for (uint64_t i = 0; i < PROBES; i++) {
        unsigned char byte;
        const struct iovec one = {&byte, 1};
        const uint64_t place = offset_bytes + (size_bytes - 1) * i / (PROBES - 1);
        const ssize_t got = preadv2(reader->asked, &one, 1, (off_t)place, RWF_NOWAIT);
        if (got != 1 && errno != EOPNOTSUPP) { /* file systems in memory need no asking */
            return false;
        }
    }
    return true;
}

/* Whether a piece is better mapped than read. */
static bool is_to_be_mapped(struct reader *reader, uint64_t offset_bytes, uint64_t size_bytes)
{
    if (reader->map == NULL) {
        return false;
    }
    if (reader->io == LLMFP_IO_MMAP) {
        return true;
    }
    if (reader->asked < 0 || (reader->missed && reader->unasked_bytes < PROBED_BYTES)) {
        reader->unasked_bytes += size_bytes;
        return false;
    }
    const uint64_t rest_bytes = reader->open.size_bytes - offset_bytes;
    const uint64_t asked_bytes = reader->missed && size_bytes < PROBED_BYTES
                                     ? (rest_bytes < PROBED_BYTES ? rest_bytes : PROBED_BYTES)
                                     : size_bytes;
    reader->missed = !is_cached(reader, offset_bytes, asked_bytes);
    reader->unasked_bytes = 0;
    return !reader->missed;
}

/* Whether the thread is reading, or has read, just this. */
static bool is_ahead(const struct reader *reader, uint64_t offset_bytes, uint64_t size_bytes)
{
    const struct reading *begun = reader->ahead == NULL ? NULL : ahead_begun(reader->ahead);
    return begun != NULL && begun->offset_bytes == offset_bytes && begun->size_bytes == size_bytes;
}

/* Pages that are mapped count as memory of this rank: leave none behind. It costs what
 * unmapping the file at its end would. */
static void drop_mapped(struct reader *reader)
{
    if (reader->mapped_bytes > 0) {
        (void)madvise(reader->map + reader->mapped_offset, (size_t)reader->mapped_bytes,
                      MADV_DONTNEED);
        reader->mapped_bytes = 0;
    }
}

static enum llmfp_status get_mapped(struct reader *reader, uint64_t offset_bytes,
                                    uint64_t size_bytes, const unsigned char **bytes,
                                    struct llmfp_error *error)
{
    const uint64_t first = offset_bytes / PAGE * PAGE;
    *bytes = reader->map + offset_bytes;
    drop_mapped(reader);
    reader->mapped_offset = first;
    reader->mapped_bytes = offset_bytes - first + size_bytes;
    /* One call instead of a fault every few pages. EINVAL: an older kernel; they will fault. */
    if (madvise(reader->map + first, (size_t)reader->mapped_bytes, MADV_POPULATE_READ) != 0 &&
        errno != EINVAL && errno != ENOSYS) {
        return reader_lost(reader->current, error);
    }
    return LLMFP_OK;
}

static struct reading reading_of(const struct reader *reader, uint64_t offset_bytes,
                                 uint64_t size_bytes, unsigned char *to)
{
    return (struct reading){reader->open, offset_bytes, size_bytes, reader->io == LLMFP_IO_DIRECT,
                            to};
}

/* The piece into the buffer: by the thread, if that has begun it, or now. */
static enum llmfp_status get_read(struct reader *reader, uint64_t offset_bytes, uint64_t size_bytes,
                                  const unsigned char **bytes, struct llmfp_error *error)
{
    struct reading reading = reading_of(reader, offset_bytes, size_bytes, reader->buffer);
    enum llmfp_status status;
    if (is_ahead(reader, offset_bytes, size_bytes)) {
        status = ahead_end(reader->ahead, error);
        reading.to = reader->spare;
        reader->spare = reader->buffer;
        reader->buffer = reading.to;
    } else {
        forget_ahead(reader);
        status = reading_do(&reading, error);
    }
    *bytes = reading_bytes(&reading);
    if (reader->drop) { /* leave room for what others have in the page cache */
        (void)posix_fadvise(reader->open.descriptor, (off_t)offset_bytes, (off_t)size_bytes,
                            POSIX_FADV_DONTNEED);
    }
    return status;
}

/* A second buffer and the thread, when they are needed for the first time. */
static bool can_read_ahead(struct reader *reader)
{
    if (reader->ahead == NULL && !reader->no_ahead) {
        reader->spare = new_buffer(reader->buffer_bytes);
        reader->ahead = reader->spare == NULL ? NULL : ahead_new();
        reader->no_ahead = reader->ahead == NULL;
    }
    return reader->ahead != NULL;
}

void reader_expect(struct reader *reader, const struct llmfp_file *file, uint64_t offset_bytes,
                   uint64_t size_bytes)
{
    if (reader->current != file || size_bytes < LEAST_AHEAD_BYTES ||
        size_bytes > reader->buffer_bytes || is_to_be_mapped(reader, offset_bytes, size_bytes) ||
        !can_read_ahead(reader)) {
        return;
    }
    if (ahead_begun(reader->ahead) == NULL) {
        const struct reading reading = reading_of(reader, offset_bytes, size_bytes, reader->spare);
        ahead_begin(reader->ahead, &reading);
    }
}

enum llmfp_status reader_copy(struct reader *reader, const struct llmfp_file *file,
                              uint64_t offset_bytes, uint64_t size_bytes, unsigned char *to,
                              struct llmfp_error *error)
{
    enum llmfp_status status =
        reader->current == file ? LLMFP_OK : open_current(reader, file, error);
    if (status == LLMFP_OK && reader->io != LLMFP_IO_DIRECT) {
        return llmfp_file_read(&reader->open, offset_bytes, to, (size_t)size_bytes, error);
    }
    for (uint64_t done = 0; status == LLMFP_OK && done < size_bytes;) {
        const uint64_t rest = size_bytes - done;
        const uint64_t n = rest < reader->buffer_bytes ? rest : reader->buffer_bytes;
        const struct reading reading = reading_of(reader, offset_bytes + done, n, reader->buffer);
        status = reading_do(&reading, error);
        if (status == LLMFP_OK) {
            memcpy(to + done, reading_bytes(&reading), (size_t)n);
            done += n;
        }
    }
    return status;
}

enum llmfp_status reader_get(struct reader *reader, const struct llmfp_file *file,
                             uint64_t offset_bytes, uint64_t size_bytes,
                             const unsigned char **bytes, bool *mapped, struct llmfp_error *error)
{
    *mapped = false;
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
    if (!is_ahead(reader, offset_bytes, size_bytes) &&
        is_to_be_mapped(reader, offset_bytes, size_bytes)) {
        *mapped = true;
        return get_mapped(reader, offset_bytes, size_bytes, bytes, error);
    }
    return get_read(reader, offset_bytes, size_bytes, bytes, error);
}
