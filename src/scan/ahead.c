/* ahead.c - see ahead.h. */
#include "ahead.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker.h"

/* ---- one reading ---- */

static uint64_t first_page(const struct reading *reading)
{
    return reading->offset_bytes / READING_PAGE_BYTES * READING_PAGE_BYTES;
}

const unsigned char *reading_bytes(const struct reading *reading)
{
    return reading->direct ? reading->to + (reading->offset_bytes - first_page(reading))
                           : reading->to;
}

static enum llmfp_status read_direct(const struct reading *reading, struct llmfp_error *error)
{
    enum { PAGE = READING_PAGE_BYTES };
    const uint64_t first = first_page(reading);
    const uint64_t wanted = reading->offset_bytes - first + reading->size_bytes;
    const uint64_t rounded = (wanted + PAGE - 1) / PAGE * PAGE;
    uint64_t done = 0;
    while (done < wanted) {
        const ssize_t got = pread(reading->file.descriptor, reading->to + done,
                                  (size_t)(rounded - done), (off_t)(first + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            char text[LLMFP_SYSTEM_TEXT_BYTES];
            return llmfp_fail(error, LLMFP_CHECKPOINT, "cannot read %s with direct I/O: %s",
                              reading->file.path, llmfp_system_text(errno, text));
        }
        done += (uint64_t)got;
        if (got == 0 || (done < wanted && done % PAGE != 0)) { /* the end of the file */
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "'%s' shrank while it was read; scan it again when it is complete",
                              reading->file.path);
        }
    }
    return LLMFP_OK;
}

enum llmfp_status reading_do(const struct reading *reading, struct llmfp_error *error)
{
    return reading->direct ? read_direct(reading, error)
                           : llmfp_file_read(&reading->file, reading->offset_bytes, reading->to,
                                             (size_t)reading->size_bytes, error);
}

/* ---- the thread ---- */

struct ahead {
    struct worker *worker; /* owned */
    struct reading reading;
};

static enum llmfp_status read_job(void *context, struct llmfp_error *error)
{
    const struct ahead *ahead = context;
    return reading_do(&ahead->reading, error);
}

struct ahead *ahead_new(void)
{
    struct ahead *ahead = calloc(1, sizeof *ahead);
    struct worker *worker = worker_new();
    if (ahead == NULL || worker == NULL) {
        worker_free(worker);
        free(ahead);
        return NULL;
    }
    ahead->worker = worker;
    return ahead;
}

void ahead_begin(struct ahead *ahead, const struct reading *reading)
{
    ahead->reading = *reading;
    worker_begin(ahead->worker, read_job, ahead);
}

const struct reading *ahead_begun(const struct ahead *ahead)
{
    return worker_is_begun(ahead->worker) ? &ahead->reading : NULL;
}

enum llmfp_status ahead_end(struct ahead *ahead, struct llmfp_error *error)
{
    return worker_end(ahead->worker, error);
}

void ahead_free(struct ahead *ahead)
{
    if (ahead != NULL) {
        worker_free(ahead->worker);
        free(ahead);
    }
}
