/* llmfp/shares.h - dealing chunks out, and taking from a rank that is slow.  MPI
 *
 * Chunks 0 .. n - 1 are dealt evenly: rank r's share is n r / size .. n (r + 1) / size.
 * A rank claims chunks of its own share first, in order. When that is done it takes
 * from ranks whose remaining share would otherwise hold everybody: those that, at
 * their pace so far, need clearly longer than a moment. It takes at most a twentieth
 * of its own share in this way, so that no rank reads more than 1.05 times the mean
 * plus one chunk, unless a rank is slow indeed: when, watched for half a second, it
 * would hold the others for half of the time so far, it is relieved without bound.
 * Two counters a rank, in a one-sided MPI window, are all the traffic there is.   */
#ifndef LLMFP_SHARES_H
#define LLMFP_SHARES_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "llmfp/communicator.h"

struct llmfp_shares; /* opaque */

/* Collective. The communicator must outlive the shares.
 * Errors, the same on every rank: LLMFP_FATAL without memory.                    */
enum llmfp_status llmfp_shares_open(const struct llmfp_communicator *communicator,
                                    struct llmfp_shares **shares,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;
void llmfp_shares_close(struct llmfp_shares *shares); /* Collective */

/* Collective. Deal n_chunks out (the same number on all ranks).                  */
void llmfp_shares_deal(struct llmfp_shares *shares, uint64_t n_chunks);

/* Local (one-sided). The next chunk to work on; false when there is none left for
 * this rank. Waits while others are at work on their last chunks. *stop != 0 ends the
 * wait: then any chunk that is left is handed out, so that the caller learns that the
 * work is not done.                                                              */
bool llmfp_shares_claim(struct llmfp_shares *shares, const volatile sig_atomic_t *stop,
                        uint64_t *chunk);

/* Local. Whether a chunk is of this rank's own share, which is not used up: then the one
 * behind the last claim is likely to be the next.                                */
bool llmfp_shares_is_own(const struct llmfp_shares *shares, uint64_t chunk);

/* Local (one-sided). Leave no chunk for anybody: every rank's next claim ends.   */
void llmfp_shares_stop(struct llmfp_shares *shares);

/* Local (one-sided). How many chunks all ranks have claimed so far (a moment ago). */
uint64_t llmfp_shares_claimed(struct llmfp_shares *shares);

#endif
