/* inject.c - calls that fail when they are told to.
 *
 * Linked into llmfp-scan-faults (option LLMFP_FAULTS) and nowhere else: the linker leads the
 * program's calls through the wrappers here, so that the program itself knows nothing of them.
 * MPI's and MPI-IO's calls are caught by MPI's profiling interface, HDF5's own ones too.
 *
 *   LLMFP_FAULT=SITE:RANK:N[:ACTION]   the N-th call (from 1) of SITE on rank RANK. N+ means
 *                                      every call from the N-th on. ACTION: `error` (default),
 *                                      `kill` (SIGKILL), `stop` (SIGUSR1, and go on).
 *   LLMFP_FAULT_TOO=SITE:RANK:N[:ACTION]   another one
 *   LLMFP_FAULT_COUNTS=PREFIX          write PREFIX.RANK at the end: how often each was called
 *   LLMFP_FAULT_DELAY=SITE:N[,SITE:N]  every call of SITE takes N microseconds more: a slow disk
 *
 * SITE is the name of a function. Others: short_pread (fewer bytes than asked for), end_pread
 * (none, as behind a file's end), short_pwrite.                                          */
#include <dirent.h>
#include <errno.h>
#include <hdf5.h>
#include <hdf5_hl.h>
#include <mpi.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SITES = 128 };

static struct {
    const char *site;
    long calls;
} counted[MOST_SITES];

static int this_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    const char *text = NULL;
    for (size_t i = 0; text == NULL && i < sizeof names / sizeof names[0]; i++) {
        text = getenv(names[i]);
    }
    return text == NULL ? 0 : (int)strtol(text, NULL, 10);
}

__attribute__((destructor)) static void write_counts(void)
{
    const char *prefix = getenv("LLMFP_FAULT_COUNTS");
    char path[4096];
    if (prefix == NULL) {
        return;
    }
    (void)snprintf(path, sizeof path, "%s.%d", prefix, this_rank());
    FILE *file = fopen(path, "w");
    for (int i = 0; file != NULL && i < MOST_SITES && counted[i].site != NULL; i++) {
        (void)fprintf(file, "%s %ld\n", counted[i].site, counted[i].calls);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* Threads call, too. */
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static long count(const char *site)
{
    int i = 0;
    (void)pthread_mutex_lock(&counting);
    while (i + 1 < MOST_SITES && counted[i].site != NULL && strcmp(counted[i].site, site) != 0) {
        i++;
    }
    counted[i].site = site;
    const long calls = ++counted[i].calls;
    (void)pthread_mutex_unlock(&counting);
    return calls;
}

/* Whether the setting "SITE:RANK:N..." means this call; *action is what stands behind it. */
static bool is_meant(const char *setting, const char *site, long calls, const char **action)
{
    const size_t length = strlen(site);
    if (strncmp(setting, site, length) != 0 || setting[length] != ':') {
        return false;
    }
    char *end;
    const long rank = strtol(setting + length + 1, &end, 10);
    const long n = *end == ':' ? strtol(end + 1, &end, 10) : 0;
    const bool on = *end == '+';
    *action = end + on;
    return rank == this_rank() && (calls == n || (on && calls > n));
}

static void delay(const char *site)
{
    const char *setting = getenv("LLMFP_FAULT_DELAY");
    const size_t length = strlen(site);
    while (setting != NULL && *setting != '\0') {
        if (strncmp(setting, site, length) == 0 && setting[length] == ':') {
            const long microseconds = strtol(setting + length + 1, NULL, 10);
            const struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
            (void)nanosleep(&time, NULL);
        }
        setting += strcspn(setting, ",");
        setting += *setting == ',';
    }
}

/* Count this call, and delay it; whether it is to fail. */
static bool fails(const char *site)
{
    const long calls = count(site);
    delay(site);
    const char *first = getenv("LLMFP_FAULT");
    const char *second = getenv("LLMFP_FAULT_TOO");
    const char *action = "";
    if ((first == NULL || !is_meant(first, site, calls, &action)) &&
        (second == NULL || !is_meant(second, site, calls, &action))) {
        return false;
    }
    if (calls > 0) {
        char text[128];
        const int n = snprintf(text, sizeof text, "faults: %s, call %ld\n", site, calls);
        if (write(STDERR_FILENO, text, (size_t)n) < 0) {
            return true;
        }
    }
    if (strcmp(action, ":kill") == 0) {
        (void)raise(SIGKILL);
    }
    if (strcmp(action, ":stop") == 0) {
        (void)kill(getpid(), SIGUSR1); /* whichever thread this is */
        return false;
    }
    return true;
}

#define WRAP(result, name, parameters, arguments, failure)                                         \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        if (fails(#name)) {                                                                        \
            failure;                                                                               \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

#define SYSTEM(number)                                                                             \
    errno = number;                                                                                \
    return -1
#define NO_MEMORY                                                                                  \
    errno = ENOMEM;                                                                                \
    return NULL

/* ---- the system ---- */

WRAP(int, fstat, (int descriptor, struct stat *out), (descriptor, out), SYSTEM(EIO))
WRAP(int, stat, (const char *path, struct stat *out), (path, out), SYSTEM(EACCES))
WRAP(int, fdatasync, (int descriptor), (descriptor), SYSTEM(EIO))
WRAP(int, fsync, (int descriptor), (descriptor), SYSTEM(EIO))
WRAP(int, rename, (const char *old, const char *new), (old, new), SYSTEM(EIO))
WRAP(int, ftruncate, (int descriptor, off_t size), (descriptor, size), SYSTEM(EIO))
WRAP(int, flock, (int descriptor, int operation), (descriptor, operation), SYSTEM(ENOLCK))
WRAP(int, posix_fallocate, (int descriptor, off_t offset, off_t size), (descriptor, offset, size),
     return ENOSPC)
WRAP(void *, mmap, (void *at, size_t size, int access, int flags, int descriptor, off_t offset),
     (at, size, access, flags, descriptor, offset), errno = ENODEV;
     return MAP_FAILED)
WRAP(int, madvise, (void *at, size_t size, int advice), (at, size, advice), SYSTEM(EINVAL))
WRAP(DIR *, opendir, (const char *path), (path), errno = EACCES; return NULL)
WRAP(void *, malloc, (size_t size), (size), NO_MEMORY)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NO_MEMORY)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NO_MEMORY)
WRAP(char *, strdup, (const char *text), (text), NO_MEMORY)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *context),
     (thread, how, run, context), return EAGAIN)
WRAP(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size),
     return ENOMEM)

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
    if (fails("open")) {
        SYSTEM(EIO);
    }
    return __real_open(path, flags, mode);
}

ssize_t __real_pread(int descriptor, void *to, size_t size, off_t offset);
ssize_t __wrap_pread(int descriptor, void *to, size_t size, off_t offset);
ssize_t __wrap_pread(int descriptor, void *to, size_t size, off_t offset)
{
    if (fails("pread")) {
        SYSTEM(EIO);
    }
    if (fails("end_pread")) {
        return 0;
    }
    return __real_pread(descriptor, to, fails("short_pread") && size > 1 ? size / 2 : size, offset);
}

ssize_t __real_pwrite(int descriptor, const void *from, size_t size, off_t offset);
ssize_t __wrap_pwrite(int descriptor, const void *from, size_t size, off_t offset);
ssize_t __wrap_pwrite(int descriptor, const void *from, size_t size, off_t offset)
{
    if (fails("pwrite")) {
        SYSTEM(ENOSPC);
    }
    return __real_pwrite(descriptor, from, fails("short_pwrite") && size > 1 ? size / 2 : size,
                         offset);
}

/* With 64-bit file offsets the C library has these under other names, which mean the same
 * where a long has 64 bits. */
#define LARGE(name)                                                                                \
    __typeof__(__wrap_##name) __wrap_##name##64 __attribute__((alias("__wrap_" #name)))
LARGE(open);
LARGE(stat);
LARGE(fstat);
LARGE(pread);
LARGE(pwrite);
LARGE(ftruncate);
LARGE(posix_fallocate);
LARGE(mmap);
_Static_assert(sizeof(long) == 8, "written for 64-bit machines");

/* ---- HDF5 ---- */

WRAP(hid_t, H5Fcreate, (const char *path, unsigned flags, hid_t made, hid_t access),
     (path, flags, made, access), return -1)
WRAP(hid_t, H5Fopen, (const char *path, unsigned flags, hid_t access), (path, flags, access),
     return -1)
WRAP(herr_t, H5Fclose, (hid_t id), (id), return -1)
WRAP(hid_t, H5Gcreate2, (hid_t at, const char *name, hid_t a, hid_t b, hid_t c),
     (at, name, a, b, c), return -1)
WRAP(hid_t, H5Dcreate2,
     (hid_t at, const char *name, hid_t type, hid_t space, hid_t a, hid_t b, hid_t c),
     (at, name, type, space, a, b, c), return -1)
WRAP(hid_t, H5Dopen2, (hid_t at, const char *name, hid_t access), (at, name, access), return -1)
WRAP(hid_t, H5Dget_space, (hid_t id), (id), return -1)
WRAP(herr_t, H5Dwrite,
     (hid_t id, hid_t type, hid_t memory, hid_t file, hid_t how, const void *values),
     (id, type, memory, file, how, values), return -1)
WRAP(herr_t, H5Dread, (hid_t id, hid_t type, hid_t memory, hid_t file, hid_t how, void *values),
     (id, type, memory, file, how, values), return -1)
WRAP(herr_t, H5Dclose, (hid_t id), (id), return -1)
WRAP(hid_t, H5Screate_simple, (int n, const hsize_t *size, const hsize_t *most), (n, size, most),
     return -1)
WRAP(hid_t, H5Screate, (H5S_class_t kind), (kind), return -1)
WRAP(herr_t, H5Sselect_none, (hid_t id), (id), return -1)
WRAP(herr_t, H5Sselect_hyperslab,
     (hid_t id, H5S_seloper_t how, const hsize_t *start, const hsize_t *step, const hsize_t *count,
      const hsize_t *block),
     (id, how, start, step, count, block), return -1)
WRAP(hid_t, H5Acreate2, (hid_t at, const char *name, hid_t type, hid_t space, hid_t a, hid_t b),
     (at, name, type, space, a, b), return -1)
WRAP(herr_t, H5Awrite, (hid_t id, hid_t type, const void *value), (id, type, value), return -1)
WRAP(hid_t, H5Aopen, (hid_t at, const char *name, hid_t access), (at, name, access), return -1)
WRAP(herr_t, H5Aread, (hid_t id, hid_t type, void *value), (id, type, value), return -1)
WRAP(hid_t, H5Pcreate, (hid_t kind), (kind), return -1)
WRAP(herr_t, H5Pset_fapl_mpio, (hid_t id, MPI_Comm comm, MPI_Info info), (id, comm, info),
     return -1)
WRAP(herr_t, H5DSattach_scale, (hid_t id, hid_t scale, unsigned axis), (id, scale, axis), return -1)
WRAP(herr_t, H5DSset_scale, (hid_t id, const char *name), (id, name), return -1)

/* ---- MPI: a call that fails reports to the communicator's error handler ---- */

#define MPI(name, comm, parameters, arguments)                                                     \
    int name parameters                                                                            \
    {                                                                                              \
        if (fails(#name)) {                                                                        \
            MPI_Comm_call_errhandler(comm, MPI_ERR_OTHER);                                         \
            return MPI_ERR_OTHER;                                                                  \
        }                                                                                          \
        return P##name arguments;                                                                  \
    }

MPI(MPI_Allreduce, comm,
    (const void *in, void *out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
    (in, out, n, type, op, comm))
MPI(MPI_Iallreduce, comm,
    (const void *in, void *out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
     MPI_Request *request),
    (in, out, n, type, op, comm, request))
MPI(MPI_Bcast, comm, (void *bytes, int n, MPI_Datatype type, int root, MPI_Comm comm),
    (bytes, n, type, root, comm))
MPI(MPI_Barrier, comm, (MPI_Comm comm), (comm))
MPI(MPI_Ireduce, comm,
    (const void *in, void *out, int n, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm,
     MPI_Request *request),
    (in, out, n, type, op, root, comm, request))
MPI(MPI_Win_allocate, comm,
    (MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *win),
    (size, unit, info, comm, base, win))
MPI(MPI_Gatherv, comm,
    (const void *in, int n, MPI_Datatype type, void *out, const int *counts, const int *starts,
     MPI_Datatype of, int root, MPI_Comm comm),
    (in, n, type, out, counts, starts, of, root, comm))

/* ---- MPI-IO, as HDF5 calls it: errors are returned ---- */

#define FILE_CALL(name, parameters, arguments)                                                     \
    int name parameters                                                                            \
    {                                                                                              \
        return fails(#name) ? MPI_ERR_IO : P##name arguments;                                      \
    }

FILE_CALL(MPI_File_open, (MPI_Comm comm, const char *path, int mode, MPI_Info info, MPI_File *file),
          (comm, path, mode, info, file))
FILE_CALL(MPI_File_write_at,
          (MPI_File file, MPI_Offset at, const void *from, int n, MPI_Datatype type, MPI_Status *s),
          (file, at, from, n, type, s))
FILE_CALL(MPI_File_write_at_all,
          (MPI_File file, MPI_Offset at, const void *from, int n, MPI_Datatype type, MPI_Status *s),
          (file, at, from, n, type, s))
FILE_CALL(MPI_File_read_at,
          (MPI_File file, MPI_Offset at, void *to, int n, MPI_Datatype type, MPI_Status *s),
          (file, at, to, n, type, s))
FILE_CALL(MPI_File_read_at_all,
          (MPI_File file, MPI_Offset at, void *to, int n, MPI_Datatype type, MPI_Status *s),
          (file, at, to, n, type, s))
FILE_CALL(MPI_File_set_view,
          (MPI_File file, MPI_Offset at, MPI_Datatype a, MPI_Datatype b, const char *how,
           MPI_Info i),
          (file, at, a, b, how, i))
FILE_CALL(MPI_File_set_size, (MPI_File file, MPI_Offset size), (file, size))
FILE_CALL(MPI_File_get_size, (MPI_File file, MPI_Offset *size), (file, size))
FILE_CALL(MPI_File_sync, (MPI_File file), (file))
FILE_CALL(MPI_File_close, (MPI_File * file), (file))
