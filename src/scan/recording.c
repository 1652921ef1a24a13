/* recording.c - see recording.h.
 *
 * A journal is synced to disk before its records count, which takes milliseconds on a local
 * disk and may take seconds on a busy parallel file system: nobody waits for it meanwhile. */
#include "recording.h"

#include <time.h>

/* Not MPI_Wtime: this thread makes no MPI calls. */
static double now(void)
{
    struct timespec time = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static enum llmfp_status append(void *context, struct llmfp_error *error)
{
    struct recording *recording = context;
    const double start_s = now();
    const enum llmfp_status status =
        llmfp_journal_append(recording->journal, &recording->frames, error);
    recording->append_s += now() - start_s;
    return status;
}

enum llmfp_status recording_begin(struct recording *recording, struct llmfp_buffer *frames,
                                  struct llmfp_error *error)
{
    recording->frames = *frames;
    *frames = (struct llmfp_buffer){0};
    if (recording->worker == NULL && recording->with_thread) {
        recording->worker = worker_new();
        recording->with_thread = recording->worker != NULL;
    }
    if (recording->worker != NULL) {
        worker_begin(recording->worker, append, recording);
        return LLMFP_OK;
    }
    const enum llmfp_status status = append(recording, error);
    llmfp_buffer_clear(&recording->frames);
    return status;
}

enum llmfp_status recording_end(struct recording *recording, struct llmfp_error *error)
{
    if (recording->worker == NULL) {
        return LLMFP_OK;
    }
    const enum llmfp_status status = worker_end(recording->worker, error);
    llmfp_buffer_clear(&recording->frames);
    return status;
}

void recording_clear(struct recording *recording)
{
    worker_free(recording->worker);
    llmfp_buffer_clear(&recording->frames);
    *recording = (struct recording){0};
}
