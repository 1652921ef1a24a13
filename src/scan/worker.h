/* worker.h - a thread that does one job at a time while its owner goes on. */
#ifndef LLMFP_WORKER_H
#define LLMFP_WORKER_H

#include <stdbool.h>

#include "llmfp/error.h"

struct worker; /* opaque */

/* What the thread is to do. It makes no MPI calls, and shares nothing with the owner that
 * the owner touches before worker_end.                                              */
typedef enum llmfp_status worker_job(void *context, struct llmfp_error *error);

/* All functions are Local, and for the owner's thread alone.                        */

/* NULL without memory or without a thread: then the owner does its jobs by itself. The
 * thread handles no signals.                                                        */
struct worker *worker_new(void);

/* Begin a job; nothing may be under way.                                            */
void worker_begin(struct worker *worker, worker_job *job, void *context);

/* Whether a job was begun and not ended.                                            */
bool worker_is_begun(const struct worker *worker);

/* Wait for the job, if one was begun. Errors: the job's; LLMFP_OK without a job.
 *   error  may be NULL                                                              */
enum llmfp_status worker_end(struct worker *worker, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Waits for what is under way. NULL is fine.                                        */
void worker_free(struct worker *worker);

#endif
