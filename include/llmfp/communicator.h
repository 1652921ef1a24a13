/* llmfp/communicator.h - how ranks agree and exchange bytes.              MPI
 *
 * Errors of one rank never leave another waiting: local functions are called
 * first, then all ranks call llmfp_agree, and all leave together or go on
 * together. MPI's own errors end the job (the communicator's error handler).     */
#ifndef LLMFP_COMMUNICATOR_H
#define LLMFP_COMMUNICATOR_H

#include <mpi.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"

struct llmfp_communicator {
    MPI_Comm handle; /* owned duplicate */
    int rank;
    int size;
};

/* Collective over `parent`.                                                      */
void llmfp_communicator_open(struct llmfp_communicator *communicator, MPI_Comm parent);
void llmfp_communicator_close(struct llmfp_communicator *communicator);

/* Collective. Every rank returns the same status: LLMFP_OK when all brought that;
 * otherwise the most severe one (fatal, usage, interrupted, checkpoint), with the
 * text of the lowest rank that brought it.                                       */
enum llmfp_status llmfp_agree(const struct llmfp_communicator *communicator,
                              enum llmfp_status status, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. The root's bytes on every rank (others' `buffer` is replaced).
 * Errors, the same on every rank: LLMFP_FATAL without memory.                    */
enum llmfp_status llmfp_broadcast(const struct llmfp_communicator *communicator,
                                  struct llmfp_buffer *buffer, int root,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. All ranks' bytes, in rank order, on every rank (`all` is replaced).
 *   offsets  NULL or [size + 1] out: where each rank's bytes begin, and the end
 * Errors, the same on every rank: LLMFP_FATAL without memory, or above 1 GiB.    */
enum llmfp_status llmfp_exchange(const struct llmfp_communicator *communicator,
                                 const struct llmfp_buffer *mine, struct llmfp_buffer *all,
                                 uint64_t *offsets, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. As llmfp_exchange, but only rank 0 gets the bytes.                 */
enum llmfp_status llmfp_gather(const struct llmfp_communicator *communicator,
                               const struct llmfp_buffer *mine, struct llmfp_buffer *all,
                               uint64_t *offsets, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. The largest value of any rank.                                     */
uint64_t llmfp_largest(const struct llmfp_communicator *communicator, uint64_t value);

#endif
