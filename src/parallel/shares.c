/* shares.c - claims by fetch-and-add on two counters a rank. */
#include "llmfp/shares.h"

#include <stdlib.h>
#include <time.h>

/* Put into a counter to end it: larger than any number of chunks, and far from overflow when
 * claims still add to it. */
#define STOPPED (INT64_C(1) << 60)

/* A rank is relieved only when its rest would take it longer than both of these. */
static const double shortest_wait_s = 0.25;
static const double wait_fraction = 0.03; /* of the time since the chunks were dealt */

/* Ranks differ a little in pace, above all where they share cores. For that a rank takes no
 * more than this part of its own share on top of it. Only for a rank that is slow indeed,
 * by what it did while it was watched, there is no such bound. */
static const double most_extra = 0.05;
static const double shortest_watch_s = 0.5;
static const double longest_watch_s = 1.0;
static const double slow_wait_s = 1.0;
static const double slow_wait_fraction = 0.5; /* of the time since the chunks were dealt */

enum { CLAIMED, OWN, N_COUNTERS }; /* by whichever rank; by the share's own rank */

struct watched {
    int64_t own; /* when the watch began */
    bool slow;
};

struct llmfp_shares {
    const struct llmfp_communicator *communicator;
    MPI_Win window;    /* int64 [N_COUNTERS]: chunks claimed from this rank's share */
    int64_t *counters; /* this rank's, in the window */
    int64_t n_chunks;
    double dealt_s;
    bool own_done;
    int64_t n_extra;         /* chunks taken from others */
    struct watched *watched; /* owned, [size] */
    double watch_s;          /* when the watch began */
};

enum llmfp_status llmfp_shares_open(const struct llmfp_communicator *communicator,
                                    struct llmfp_shares **shares, struct llmfp_error *error)
{
    struct llmfp_shares *made = calloc(1, sizeof *made);
    struct watched *watched = calloc((size_t)communicator->size, sizeof *watched);
    enum llmfp_status status = LLMFP_OK;
    if (made == NULL || watched == NULL) {
        status =
            llmfp_fail_memory(error, (size_t)communicator->size * sizeof *watched, "the shares");
    }
    status = llmfp_agree(communicator, status, error);
    if (status != LLMFP_OK) {
        free(watched);
        free(made);
        return status;
    }
    made->communicator = communicator;
    made->watched = watched;
    MPI_Win_allocate(N_COUNTERS * sizeof *made->counters, sizeof *made->counters, MPI_INFO_NULL,
                     communicator->handle, (void *)&made->counters, &made->window);
    MPI_Win_lock_all(MPI_MODE_NOCHECK, made->window);
    *shares = made;
    return LLMFP_OK;
}

void llmfp_shares_close(struct llmfp_shares *shares)
{
    if (shares != NULL) {
        MPI_Win_unlock_all(shares->window);
        MPI_Win_free(&shares->window);
        free(shares->watched);
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

static int64_t fetch_and(struct llmfp_shares *shares, MPI_Op operation, int rank, int counter,
                         int64_t value)
{
    int64_t before = 0;
    MPI_Fetch_and_op(&value, &before, MPI_INT64_T, rank, counter, operation, shares->window);
    MPI_Win_flush(rank, shares->window);
    return before;
}

void llmfp_shares_deal(struct llmfp_shares *shares, uint64_t n_chunks)
{
    /* Nobody may still take from the last deal, and nobody may take from this one
     * before every counter stands at zero. */
    MPI_Barrier(shares->communicator->handle);
    fetch_and(shares, MPI_REPLACE, shares->communicator->rank, CLAIMED, 0);
    fetch_and(shares, MPI_REPLACE, shares->communicator->rank, OWN, 0);
    shares->n_chunks = (int64_t)n_chunks;
    shares->own_done = false;
    shares->n_extra = 0;
    MPI_Barrier(shares->communicator->handle);
    shares->dealt_s = MPI_Wtime();
}

static bool claim_from(struct llmfp_shares *shares, int rank, uint64_t *chunk)
{
    const int64_t n = fetch_and(shares, MPI_SUM, rank, CLAIMED, 1);
    if (n >= share_of(shares, rank)) {
        return false;
    }
    *chunk = (uint64_t)(begin_of(shares, rank) + n);
    return true;
}

/* Seconds for `rest` chunks at the pace of `done` chunks in elapsed_s. */
static double wait_for(int64_t rest, int64_t done, double elapsed_s)
{
    return rest <= 0 ? 0.0 : (double)rest * elapsed_s / (done > 0 ? (double)done : 0.5);
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Begin to watch what every rank does of its own share. */
static void watch(struct llmfp_shares *shares, bool anew)
{
    for (int rank = 0; rank < shares->communicator->size; rank++) {
        shares->watched[rank].own = fetch_and(shares, MPI_NO_OP, rank, OWN, 0);
        shares->watched[rank].slow = !anew && shares->watched[rank].slow;
    }
    shares->watch_s = MPI_Wtime();
}

/* Whether a rank has shown that it holds everybody: it stays so until the next deal. */
static bool is_slow(struct llmfp_shares *shares, int rank, int64_t rest, int64_t own)
{
    struct watched *watched = &shares->watched[rank];
    const double now_s = MPI_Wtime();
    const double watched_s = now_s - shares->watch_s;
    if (!watched->slow && watched_s >= shortest_watch_s) {
        const double most_s = larger(slow_wait_s, slow_wait_fraction * (now_s - shares->dealt_s));
        watched->slow = wait_for(rest, own - watched->own, watched_s) > most_s;
    }
    return watched->slow;
}

/* Whether this rank may take one more chunk on top of its share from any other. */
static bool has_allowance(const struct llmfp_shares *shares)
{
    const int64_t share = share_of(shares, shares->communicator->rank);
    return (double)(shares->n_extra + 1) <= most_extra * (double)share;
}

/* The rank to be relieved: the one that would keep everybody waiting the longest; -1 for
 * none. *all_claimed says whether every share has been claimed to its end. */
static int slowest_rank(struct llmfp_shares *shares, bool *all_claimed)
{
    const double elapsed_s = MPI_Wtime() - shares->dealt_s;
    double longest_s = larger(shortest_wait_s, elapsed_s * wait_fraction);
    const bool any = has_allowance(shares);
    int slowest = -1;
    *all_claimed = true;
    for (int step = 1; step < shares->communicator->size; step++) {
        /* Start behind this rank, so that not all fall upon the same one. */
        const int rank = (shares->communicator->rank + step) % shares->communicator->size;
        const int64_t rest =
            share_of(shares, rank) - fetch_and(shares, MPI_NO_OP, rank, CLAIMED, 0);
        if (rest <= 0) {
            continue;
        }
        *all_claimed = false;
        const int64_t own = fetch_and(shares, MPI_NO_OP, rank, OWN, 0);
        const bool slow = is_slow(shares, rank, rest, own);
        /* One claim may still be in the making. */
        const double wait_s = wait_for(rest, own - 1, elapsed_s);
        if ((slow || any) && wait_s > longest_s) {
            longest_s = wait_s;
            slowest = rank;
        }
    }
    if (MPI_Wtime() - shares->watch_s > longest_watch_s) {
        watch(shares, false);
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
            shares->n_extra++;
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
            fetch_and(shares, MPI_SUM, shares->communicator->rank, OWN, 1);
            return true;
        }
        shares->own_done = true;
        watch(shares, true);
    }
    return relieve(shares, stop, chunk);
}

bool llmfp_shares_is_own(const struct llmfp_shares *shares, uint64_t chunk)
{
    const int rank = shares->communicator->rank;
    return !shares->own_done && (int64_t)chunk >= begin_of(shares, rank) &&
           (int64_t)chunk < begin_of(shares, rank + 1);
}

void llmfp_shares_stop(struct llmfp_shares *shares)
{
    for (int rank = 0; rank < shares->communicator->size; rank++) {
        fetch_and(shares, MPI_REPLACE, rank, CLAIMED, STOPPED); /* any number of ranks may do so */
    }
}

uint64_t llmfp_shares_claimed(struct llmfp_shares *shares)
{
    uint64_t all = 0;
    for (int rank = 0; rank < shares->communicator->size; rank++) {
        int64_t claimed = fetch_and(shares, MPI_NO_OP, rank, CLAIMED, 0);
        const int64_t share = share_of(shares, rank);
        claimed = claimed > share ? share : claimed;
        all += claimed > 0 ? (uint64_t)claimed : 0;
    }
    return all;
}
