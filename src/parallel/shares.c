/* shares.c - claims by fetch-and-add on one counter a rank. */
#include "llmfp/shares.h"

#include <stdlib.h>
#include <time.h>

/* Put into a counter to end it: larger than any number of chunks, and far from overflow when
 * claims still add to it. */
#define STOPPED (INT64_C(1) << 60)

/* A rank is relieved only when its rest would take it longer than both of these. */
static const double shortest_wait_s = 0.25;
static const double wait_fraction = 0.03; /* of the time since the chunks were dealt */

struct llmfp_shares {
    const struct llmfp_communicator *communicator;
    MPI_Win window;   /* int64: chunks claimed from this rank's share */
    int64_t *claimed; /* this rank's counter, in the window */
    int64_t n_chunks;
    double dealt_s;
    bool own_done;
};

enum llmfp_status llmfp_shares_open(const struct llmfp_communicator *communicator,
                                    struct llmfp_shares **shares, struct llmfp_error *error)
{
    struct llmfp_shares *made = calloc(1, sizeof *made);
    enum llmfp_status status =
        made == NULL ? llmfp_fail_memory(error, sizeof *made, "the shares") : LLMFP_OK;
    status = llmfp_agree(communicator, status, error);
    if (status != LLMFP_OK) {
        free(made);
        return status;
    }
    made->communicator = communicator;
    MPI_Win_allocate(sizeof *made->claimed, sizeof *made->claimed, MPI_INFO_NULL,
                     communicator->handle, (void *)&made->claimed, &made->window);
    MPI_Win_lock_all(MPI_MODE_NOCHECK, made->window);
    *shares = made;
    return LLMFP_OK;
}

void llmfp_shares_close(struct llmfp_shares *shares)
{
    if (shares != NULL) {
        MPI_Win_unlock_all(shares->window);
        MPI_Win_free(&shares->window);
        free(shares);
    }
}

static int64_t begin_of(const struct llmfp_shares *shares, int rank)
{
    /* n_chunks < 2^44 (2^64 bytes in chunks of 2^20), size < 2^31: split the product. */
    const int64_t size = shares->communicator->size;
    return shares->n_chunks / size * rank + shares->n_chunks % size * rank / size;
}

static int64_t share_of(const struct llmfp_shares *shares, int rank)
{
    return begin_of(shares, rank + 1) - begin_of(shares, rank);
}

static int64_t fetch_and(struct llmfp_shares *shares, MPI_Op operation, int rank, int64_t value)
{
    int64_t before = 0;
    MPI_Fetch_and_op(&value, &before, MPI_INT64_T, rank, 0, operation, shares->window);
    MPI_Win_flush(rank, shares->window);
    return before;
}

void llmfp_shares_deal(struct llmfp_shares *shares, uint64_t n_chunks)
{
    /* Nobody may still take from the last deal, and nobody may take from this one
     * before every counter stands at zero. */
    MPI_Barrier(shares->communicator->handle);
    fetch_and(shares, MPI_REPLACE, shares->communicator->rank, 0);
    shares->n_chunks = (int64_t)n_chunks;
    shares->own_done = false;
    MPI_Barrier(shares->communicator->handle);
    shares->dealt_s = MPI_Wtime();
}

static bool claim_from(struct llmfp_shares *shares, int rank, uint64_t *chunk)
{
    const int64_t n = fetch_and(shares, MPI_SUM, rank, 1);
    if (n >= share_of(shares, rank)) {
        return false;
    }
    *chunk = (uint64_t)(begin_of(shares, rank) + n);
    return true;
}

/* Seconds that a rank will need for the rest of its share, at its pace so far. */
static double wait_for(const struct llmfp_shares *shares, int rank, int64_t claimed,
                       double elapsed_s)
{
    const int64_t rest = share_of(shares, rank) - claimed;
    if (rest <= 0) {
        return 0.0;
    }
    /* One claim may still be in the making. */
    const double done = claimed > 1 ? (double)(claimed - 1) : 0.5;
    return (double)rest * elapsed_s / done;
}

/* The rank that would keep everybody waiting the longest; -1 when none would for long.
 * *all_claimed says whether every share has been claimed to its end. */
static int slowest_rank(struct llmfp_shares *shares, bool *all_claimed)
{
    const double elapsed_s = MPI_Wtime() - shares->dealt_s;
    double longest_s = elapsed_s * wait_fraction;
    longest_s = longest_s > shortest_wait_s ? longest_s : shortest_wait_s;
    int slowest = -1;
    *all_claimed = true;
    for (int step = 1; step < shares->communicator->size; step++) {
        /* Start behind this rank, so that not all fall upon the same one. */
        const int rank = (shares->communicator->rank + step) % shares->communicator->size;
        const int64_t claimed = fetch_and(shares, MPI_NO_OP, rank, 0);
        const double wait_s = wait_for(shares, rank, claimed, elapsed_s);
        *all_claimed = *all_claimed && claimed >= share_of(shares, rank);
        if (wait_s > longest_s) {
            longest_s = wait_s;
            slowest = rank;
        }
    }
    return slowest;
}

static void pause_for(long microseconds)
{
    const struct timespec pause = {0, microseconds * 1000};
    nanosleep(&pause, NULL);
}

/* Any chunk that is left, of whatever rank. */
static bool claim_any(struct llmfp_shares *shares, uint64_t *chunk)
{
    for (int rank = 0; rank < shares->communicator->size; rank++) {
        if (claim_from(shares, rank, chunk)) {
            return true;
        }
    }
    return false;
}

/* Take a chunk from a rank that is slow. While others are still at work and not slow,
 * keep an eye on them: one may stall. */
static bool relieve(struct llmfp_shares *shares, const volatile sig_atomic_t *stop, uint64_t *chunk)
{
    long pause_us = 100;
    for (;;) {
        if (*stop != 0) { /* the caller then ends what is left at once */
            return claim_any(shares, chunk);
        }
        bool all_claimed;
        const int slowest = slowest_rank(shares, &all_claimed);
        if (all_claimed) {
            return false;
        }
        if (slowest >= 0 && claim_from(shares, slowest, chunk)) {
            return true;
        }
        pause_for(pause_us);
        pause_us = pause_us < 10000 ? pause_us * 2 : pause_us;
    }
}

bool llmfp_shares_claim(struct llmfp_shares *shares, const volatile sig_atomic_t *stop,
                        uint64_t *chunk)
{
    if (!shares->own_done) {
        if (claim_from(shares, shares->communicator->rank, chunk)) {
            return true;
        }
        shares->own_done = true;
    }
    return relieve(shares, stop, chunk);
}

void llmfp_shares_stop(struct llmfp_shares *shares)
{
    for (int rank = 0; rank < shares->communicator->size; rank++) {
        fetch_and(shares, MPI_REPLACE, rank, STOPPED); /* any number of ranks may do so */
    }
}

uint64_t llmfp_shares_claimed(struct llmfp_shares *shares)
{
    uint64_t all = 0;
    for (int rank = 0; rank < shares->communicator->size; rank++) {
        int64_t claimed = fetch_and(shares, MPI_NO_OP, rank, 0);
        const int64_t share = share_of(shares, rank);
        claimed = claimed > share ? share : claimed;
        all += claimed > 0 ? (uint64_t)claimed : 0;
    }
    return all;
}
