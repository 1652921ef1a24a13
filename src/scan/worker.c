/* worker.c - a thread with one job at a time. See worker.h. */
#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum state { IDLE, BEGUN, DONE, LEAVING };

struct worker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool begun;       /* the owner's own note */
    enum state state; /* guarded by the mutex, and by its order what follows: */
    worker_job *job;  /* written by the owner with IDLE */
    void *context;
    enum llmfp_status status; /* written by the thread with BEGUN */
    struct llmfp_error error;
};

static void *serve(void *context)
{
    struct worker *worker = context;
    (void)pthread_mutex_lock(&worker->mutex);
    for (;;) {
        while (worker->state != BEGUN && worker->state != LEAVING) {
            (void)pthread_cond_wait(&worker->changed, &worker->mutex);
        }
        if (worker->state == LEAVING) {
            break;
        }
        (void)pthread_mutex_unlock(&worker->mutex);
        worker->error = (struct llmfp_error){LLMFP_OK, ""};
        worker->status = worker->job(worker->context, &worker->error);
        (void)pthread_mutex_lock(&worker->mutex);
        worker->state = DONE;
        (void)pthread_cond_broadcast(&worker->changed);
    }
    (void)pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

/* Signals are for the thread that looks at them: the new one inherits a full mask. */
static bool start_thread(struct worker *worker)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool made = pthread_create(&worker->thread, NULL, serve, worker) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return made;
}

struct worker *worker_new(void)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL || pthread_mutex_init(&worker->mutex, NULL) != 0) {
        free(worker);
        return NULL;
    }
    if (pthread_cond_init(&worker->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&worker->mutex);
        free(worker);
        return NULL;
    }
    if (!start_thread(worker)) {
        (void)pthread_cond_destroy(&worker->changed);
        (void)pthread_mutex_destroy(&worker->mutex);
        free(worker);
        return NULL;
    }
    return worker;
}

/* From one state to the next. */
static void change(struct worker *worker, enum state state)
{
    (void)pthread_mutex_lock(&worker->mutex);
    worker->state = state;
    (void)pthread_cond_broadcast(&worker->changed);
    (void)pthread_mutex_unlock(&worker->mutex);
}

static void wait_until_done(struct worker *worker)
{
    (void)pthread_mutex_lock(&worker->mutex);
    while (worker->state == BEGUN) {
        (void)pthread_cond_wait(&worker->changed, &worker->mutex);
    }
    (void)pthread_mutex_unlock(&worker->mutex);
}

void worker_begin(struct worker *worker, worker_job *job, void *context)
{
    worker->job = job;
    worker->context = context;
    worker->begun = true;
    change(worker, BEGUN);
}

bool worker_is_begun(const struct worker *worker)
{
    return worker->begun;
}

enum llmfp_status worker_end(struct worker *worker, struct llmfp_error *error)
{
    if (!worker->begun) {
        return LLMFP_OK;
    }
    wait_until_done(worker);
    const enum llmfp_status status = worker->status;
    if (status != LLMFP_OK && error != NULL) {
        *error = worker->error;
    }
    worker->begun = false;
    change(worker, IDLE);
    return status;
}

void worker_free(struct worker *worker)
{
    if (worker != NULL) {
        wait_until_done(worker);
        change(worker, LEAVING);
        (void)pthread_join(worker->thread, NULL);
        (void)pthread_cond_destroy(&worker->changed);
        (void)pthread_mutex_destroy(&worker->mutex);
        free(worker);
    }
}
