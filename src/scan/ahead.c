/* ahead.c - a thread with one order at a time. See ahead.h. */
#include "ahead.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

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

enum state { IDLE, BEGUN, DONE, LEAVING };

struct ahead {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum state state;       /* guarded by the mutex, and with BEGUN and DONE what follows: */
    struct reading reading; /* written by the caller with IDLE */
    enum llmfp_status status;
    struct llmfp_error error;
};

static void *serve(void *context)
{
    struct ahead *ahead = context;
    (void)pthread_mutex_lock(&ahead->mutex);
    for (;;) {
        while (ahead->state != BEGUN && ahead->state != LEAVING) {
            (void)pthread_cond_wait(&ahead->changed, &ahead->mutex);
        }
        if (ahead->state == LEAVING) {
            break;
        }
        (void)pthread_mutex_unlock(&ahead->mutex);
        ahead->error = (struct llmfp_error){LLMFP_OK, ""};
        ahead->status = reading_do(&ahead->reading, &ahead->error);
        (void)pthread_mutex_lock(&ahead->mutex);
        ahead->state = DONE;
        (void)pthread_cond_broadcast(&ahead->changed);
    }
    (void)pthread_mutex_unlock(&ahead->mutex);
    return NULL;
}

struct ahead *ahead_new(void)
{
    struct ahead *ahead = calloc(1, sizeof *ahead);
    if (ahead == NULL || pthread_mutex_init(&ahead->mutex, NULL) != 0) {
        free(ahead);
        return NULL;
    }
    if (pthread_cond_init(&ahead->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&ahead->mutex);
        free(ahead);
        return NULL;
    }
    /* Signals are for the thread that looks at them: this one inherits a full mask. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool made = pthread_create(&ahead->thread, NULL, serve, ahead) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!made) {
        (void)pthread_cond_destroy(&ahead->changed);
        (void)pthread_mutex_destroy(&ahead->mutex);
        free(ahead);
        return NULL;
    }
    return ahead;
}

/* From one state to the next. */
static void change(struct ahead *ahead, enum state state)
{
    (void)pthread_mutex_lock(&ahead->mutex);
    ahead->state = state;
    (void)pthread_cond_broadcast(&ahead->changed);
    (void)pthread_mutex_unlock(&ahead->mutex);
}

static void wait_until_done(struct ahead *ahead)
{
    (void)pthread_mutex_lock(&ahead->mutex);
    while (ahead->state == BEGUN) {
        (void)pthread_cond_wait(&ahead->changed, &ahead->mutex);
    }
    (void)pthread_mutex_unlock(&ahead->mutex);
}

void ahead_begin(struct ahead *ahead, const struct reading *reading)
{
    ahead->reading = *reading;
    change(ahead, BEGUN);
}

const struct reading *ahead_begun(const struct ahead *ahead)
{
    return ahead->reading.to == NULL ? NULL : &ahead->reading;
}

enum llmfp_status ahead_end(struct ahead *ahead, struct llmfp_error *error)
{
    wait_until_done(ahead);
    const enum llmfp_status status = ahead->status;
    if (status != LLMFP_OK && error != NULL) {
        *error = ahead->error;
    }
    ahead->reading.to = NULL;
    change(ahead, IDLE);
    return status;
}

void ahead_free(struct ahead *ahead)
{
    if (ahead != NULL) {
        wait_until_done(ahead);
        change(ahead, LEAVING);
        (void)pthread_join(ahead->thread, NULL);
        (void)pthread_cond_destroy(&ahead->changed);
        (void)pthread_mutex_destroy(&ahead->mutex);
        free(ahead);
    }
}
