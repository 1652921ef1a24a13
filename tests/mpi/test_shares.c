/* test_shares.c - every chunk is claimed once, by whichever rank; a slow rank is relieved. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "llmfp/shares.h"
#include "mpi_main.h"

/* What a signal handler would set. */
static const volatile sig_atomic_t go_on = 0;
static const volatile sig_atomic_t stop_now = 1;

static void sleep_ms(long milliseconds)
{
    const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* Claim until there is nothing left, with a pause after each claim.
 *   times  [n_chunks] how often this rank claimed each chunk
 * Returns how many chunks this rank got. */
static uint64_t claim_all(struct llmfp_shares *shares, uint64_t n_chunks, int *times, long pause_ms)
{
    uint64_t claimed = 0;
    uint64_t chunk = 0;
    while (llmfp_shares_claim(shares, &go_on, &chunk)) {
        CU_ASSERT_TRUE(chunk < n_chunks);
        if (chunk < n_chunks) {
            times[chunk]++;
        }
        claimed++;
        if (pause_ms > 0) {
            sleep_ms(pause_ms);
        }
    }
    return claimed;
}

/* Collective. Over all ranks every chunk was claimed exactly once. */
static void check_each_once(int *times, uint64_t n_chunks)
{
    if (n_chunks > 0) {
        MPI_Allreduce(MPI_IN_PLACE, times, (int)n_chunks, MPI_INT, MPI_SUM, ranks.handle);
    }
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < n_chunks; i++) {
        wrong += times[i] != 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static struct llmfp_shares *opened(void)
{
    struct llmfp_shares *shares = NULL;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_EQUAL(llmfp_shares_open(&ranks, &shares, &error), LLMFP_OK);
    return shares;
}

static void every_chunk_is_claimed_once(void)
{
    static const uint64_t numbers[] = {0, 1, 2, 3, 5, 8, 13, 100, 1000, 20000, 0, 4};
    struct llmfp_shares *shares = opened();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const uint64_t n = numbers[i];
        int *times = calloc(n + 1, sizeof *times);
        llmfp_shares_deal(shares, n);
        claim_all(shares, n, times, 0);
        /* Once ended it stays ended. */
        uint64_t chunk = 0;
        CU_ASSERT_FALSE(llmfp_shares_claim(shares, &go_on, &chunk));
        MPI_Barrier(ranks.handle);
        CU_ASSERT_EQUAL(llmfp_shares_claimed(shares), n);
        check_each_once(times, n);
        free(times);
    }
    llmfp_shares_close(shares);
}

/* As the header says: n r / size .. n (r + 1) / size, in order, before anything else. */
static void own_share_comes_first_and_in_order(void)
{
    const uint64_t n = 10 * (uint64_t)ranks.size + 3;
    const uint64_t begin = n * (uint64_t)ranks.rank / (uint64_t)ranks.size;
    const uint64_t end = n * ((uint64_t)ranks.rank + 1) / (uint64_t)ranks.size;
    struct llmfp_shares *shares = opened();
    llmfp_shares_deal(shares, n);
    CU_ASSERT_TRUE(llmfp_shares_claimed(shares) <= n);
    for (uint64_t wanted = begin; wanted < end; wanted++) {
        uint64_t chunk = UINT64_MAX;
        CU_ASSERT_TRUE(llmfp_shares_claim(shares, &go_on, &chunk));
        CU_ASSERT_EQUAL(chunk, wanted);
    }
    MPI_Barrier(ranks.handle);
    CU_ASSERT_EQUAL(llmfp_shares_claimed(shares), n);
    llmfp_shares_close(shares);
}

/* One rank takes 100 ms for a chunk, the others 1 ms. Alone it would need 4 s for its
 * share; the others do most of that. */
static void a_slow_rank_is_relieved(void)
{
    const uint64_t share = 40;
    const uint64_t n = share * (uint64_t)ranks.size;
    for (int slow = 0; slow < ranks.size && ranks.size > 1; slow += ranks.size - 1) {
        struct llmfp_shares *shares = opened();
        int *times = calloc(n, sizeof *times);
        llmfp_shares_deal(shares, n);
        const uint64_t claimed = claim_all(shares, n, times, ranks.rank == slow ? 100 : 1);
        if (ranks.rank == slow) {
            CU_ASSERT_TRUE(claimed >= 1);
            CU_ASSERT_TRUE(claimed <= share / 2);
        }
        check_each_once(times, n);
        free(times);
        llmfp_shares_close(shares);
    }
    CU_ASSERT_TRUE(ranks.size >= 1);
}

/* A rank that claims nothing at all: the others do all of its share. */
static void a_stalled_rank_is_relieved(void)
{
    const uint64_t n = 10 * (uint64_t)ranks.size;
    const int stalled = ranks.size - 1;
    struct llmfp_shares *shares = opened();
    int *times = calloc(n, sizeof *times);
    llmfp_shares_deal(shares, n);
    if (ranks.rank != stalled || ranks.size == 1) {
        claim_all(shares, n, times, 0);
    }
    MPI_Barrier(ranks.handle);
    uint64_t chunk = 0;
    CU_ASSERT_FALSE(llmfp_shares_claim(shares, &go_on, &chunk));
    check_each_once(times, n);
    free(times);
    llmfp_shares_close(shares);
}

static void stop_leaves_nothing(void)
{
    const uint64_t n = 1000 * (uint64_t)ranks.size;
    for (int stopper = 0; stopper < ranks.size; stopper++) {
        struct llmfp_shares *shares = opened();
        llmfp_shares_deal(shares, n);
        uint64_t chunk = 0;
        CU_ASSERT_TRUE(llmfp_shares_claim(shares, &go_on, &chunk));
        MPI_Barrier(ranks.handle);
        if (ranks.rank == stopper) {
            llmfp_shares_stop(shares);
        }
        MPI_Barrier(ranks.handle);
        CU_ASSERT_FALSE(llmfp_shares_claim(shares, &go_on, &chunk));
        CU_ASSERT_FALSE(llmfp_shares_claim(shares, &go_on, &chunk));

        /* What was stopped can be dealt anew. */
        int *times = calloc(n, sizeof *times);
        llmfp_shares_deal(shares, n);
        claim_all(shares, n, times, 0);
        check_each_once(times, n);
        free(times);
        llmfp_shares_close(shares);
    }
}

/* A rank that was told to stop does not wait for others at work: it gets what is left
 * at once, of any rank, and then nothing. */
static void a_signal_ends_the_wait(void)
{
    const uint64_t n = 50 * (uint64_t)ranks.size;
    struct llmfp_shares *shares = opened();
    int *times = calloc(n, sizeof *times);
    llmfp_shares_deal(shares, n);
    if (ranks.rank == 0) {
        uint64_t chunk = 0;
        while (llmfp_shares_claim(shares, &stop_now, &chunk)) {
            CU_ASSERT_TRUE(chunk < n);
            times[chunk < n ? chunk : 0]++;
        }
    }
    MPI_Barrier(ranks.handle);
    uint64_t chunk = 0;
    CU_ASSERT_FALSE(llmfp_shares_claim(shares, &stop_now, &chunk));
    CU_ASSERT_FALSE(llmfp_shares_claim(shares, &go_on, &chunk));
    check_each_once(times, n);
    free(times);
    llmfp_shares_close(shares);
}

/* All ranks may stop at the same moment, as they do on a signal to the whole job. */
static void all_may_stop_at_once(void)
{
    struct llmfp_shares *shares = opened();
    llmfp_shares_deal(shares, 100);
    llmfp_shares_stop(shares);
    uint64_t chunk = 0;
    CU_ASSERT_FALSE(llmfp_shares_claim(shares, &go_on, &chunk));
    MPI_Barrier(ranks.handle);
    llmfp_shares_close(shares);
    llmfp_shares_close(NULL);
}

MPI_TEST_PROGRAM("shares", TEST(every_chunk_is_claimed_once),
                 TEST(own_share_comes_first_and_in_order), TEST(a_slow_rank_is_relieved),
                 TEST(a_stalled_rank_is_relieved), TEST(stop_leaves_nothing),
                 TEST(a_signal_ends_the_wait), TEST(all_may_stop_at_once))
