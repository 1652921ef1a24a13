/* test_communicator.c - ranks agree on one outcome, and exchange bytes of any size. */
#include <string.h>

#include "llmfp/communicator.h"
#include "mpi_main.h"

/* From mildest to most severe. */
static const enum llmfp_status severities[] = {LLMFP_OK, LLMFP_CHECKPOINT, LLMFP_INTERRUPTED,
                                               LLMFP_USAGE, LLMFP_FATAL};
enum { N_SEVERITIES = sizeof severities / sizeof severities[0] };

/* All ranks agree when rank r brings severities[pattern[r]]; what comes out is held
 * against the rule, worked out here by looking at every rank. */
static void check_agreement(const int *pattern)
{
    struct llmfp_error error = {LLMFP_OK, "untouched"};
    const enum llmfp_status mine = severities[pattern[ranks.rank]];
    if (mine != LLMFP_OK) {
        CU_ASSERT_EQUAL(llmfp_fail(&error, mine, "rank %d fails with %d", ranks.rank, (int)mine),
                        mine);
    }
    int winner = 0;
    for (int rank = 1; rank < ranks.size; rank++) {
        winner = pattern[rank] > pattern[winner] ? rank : winner;
    }
    const enum llmfp_status wanted = severities[pattern[winner]];
    char text[64] = "untouched";
    if (wanted != LLMFP_OK) {
        snprintf(text, sizeof text, "rank %d fails with %d", winner, (int)wanted);
    }
    CU_ASSERT_EQUAL(llmfp_agree(&ranks, mine, &error), wanted);
    CU_ASSERT_EQUAL(error.status, wanted);
    CU_ASSERT_STRING_EQUAL(error.text, text);
}

/* Which ranks fail: every subset, all with the same status. */
static void every_set_of_failing_ranks_agrees(void)
{
    for (unsigned set = 0; set < 1U << ranks.size; set++) {
        int pattern[16] = {0};
        for (int rank = 0; rank < ranks.size; rank++) {
            pattern[rank] = set >> rank & 1U ? 1 : 0;
        }
        check_agreement(pattern);
    }
}

/* How they fail: every assignment of statuses to the first four ranks, the others
 * going on with the same in turn. */
static void the_most_severe_of_the_lowest_rank_wins(void)
{
    const int varied = ranks.size < 4 ? ranks.size : 4;
    int patterns = 1;
    for (int i = 0; i < varied; i++) {
        patterns *= N_SEVERITIES;
    }
    for (int number = 0; number < patterns; number++) {
        int pattern[16];
        int rest = number;
        for (int rank = 0; rank < ranks.size; rank++) {
            pattern[rank] = rank < varied ? rest % N_SEVERITIES : pattern[rank - varied];
            rest /= N_SEVERITIES;
        }
        check_agreement(pattern);
    }
}

/* Bytes of rank r: n of them, different for each rank and place. */
static unsigned char byte_of(int rank, size_t at)
{
    return (unsigned char)((size_t)rank * 37 + at * 11 + (at >> 8));
}

static void fill(struct llmfp_buffer *buffer, int rank, size_t n_bytes)
{
    buffer->size_bytes = 0;
    unsigned char *bytes = n_bytes > 0 ? llmfp_buffer_extend(buffer, n_bytes) : NULL;
    for (size_t i = 0; i < n_bytes && bytes != NULL; i++) {
        bytes[i] = byte_of(rank, i);
    }
    CU_ASSERT_EQUAL(buffer->size_bytes, n_bytes);
}

static bool holds(const struct llmfp_buffer *buffer, size_t begin, int rank, size_t n_bytes)
{
    if (begin + n_bytes > buffer->size_bytes) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        if (buffer->bytes[begin + i] != byte_of(rank, i)) {
            return false;
        }
    }
    return true;
}

static void every_root_broadcasts(void)
{
    static const size_t sizes[] = {0, 1, 1000, (size_t)3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int root = 0; root < ranks.size; root++) {
            struct llmfp_buffer buffer = {0};
            struct llmfp_error error = {LLMFP_OK, ""};
            /* What the others had before goes. */
            fill(&buffer, ranks.rank, ranks.rank == root ? sizes[i] : 77);
            CU_ASSERT_EQUAL(llmfp_broadcast(&ranks, &buffer, root, &error), LLMFP_OK);
            CU_ASSERT_EQUAL(buffer.size_bytes, sizes[i]);
            CU_ASSERT_TRUE(holds(&buffer, 0, root, sizes[i]));
            llmfp_buffer_clear(&buffer);
        }
    }
}

/* Sizes of the ranks' bytes, by pattern: none at all, only one rank has some, unequal,
 * and equal. */
enum { N_PATTERNS = 5 };

static size_t size_in(int pattern, int rank)
{
    switch (pattern) {
    case 0:
        return 0;
    case 1:
        return rank == 0 ? 500 : 0;
    case 2:
        return rank == ranks.size - 1 ? 70001 : 0;
    case 3:
        return (size_t)rank * (size_t)rank * 1013;
    default:
        return 4096;
    }
}

typedef enum llmfp_status (*collect)(const struct llmfp_communicator *, const struct llmfp_buffer *,
                                     struct llmfp_buffer *, uint64_t *, struct llmfp_error *);

static void check_collected(const struct llmfp_buffer *all, const uint64_t *offsets, int pattern,
                            bool receives)
{
    size_t begin = 0;
    for (int rank = 0; rank < ranks.size; rank++) {
        CU_ASSERT_EQUAL(offsets[rank], begin);
        if (receives) {
            CU_ASSERT_TRUE(holds(all, begin, rank, size_in(pattern, rank)));
        }
        begin += size_in(pattern, rank);
    }
    CU_ASSERT_EQUAL(offsets[ranks.size], begin);
    CU_ASSERT_EQUAL(all->size_bytes, receives ? begin : 0);
}

static void check_collect(collect function, bool receives)
{
    struct llmfp_buffer mine = {0};
    struct llmfp_buffer all = {0};
    for (int pattern = 0; pattern < N_PATTERNS; pattern++) {
        struct llmfp_error error = {LLMFP_OK, ""};
        uint64_t offsets[17] = {0};
        fill(&mine, ranks.rank, size_in(pattern, ranks.rank));
        /* `all` keeps what the last pattern left: it must be replaced. */
        CU_ASSERT_EQUAL(function(&ranks, &mine, &all, offsets, &error), LLMFP_OK);
        check_collected(&all, offsets, pattern, receives);
        CU_ASSERT_EQUAL(function(&ranks, &mine, &all, NULL, &error), LLMFP_OK);
        check_collected(&all, offsets, pattern, receives);
        CU_ASSERT_TRUE(holds(&mine, 0, ranks.rank, size_in(pattern, ranks.rank)));
    }
    llmfp_buffer_clear(&mine);
    llmfp_buffer_clear(&all);
}

static void exchange_brings_everything_to_all(void)
{
    check_collect(llmfp_exchange, true);
}

static void gather_brings_everything_to_rank_0(void)
{
    check_collect(llmfp_gather, ranks.rank == 0);
}

/* A buffer that ran out of memory on one rank fails the exchange on all of them. */
static void a_failed_buffer_fails_on_every_rank(void)
{
    for (int bad = 0; bad < ranks.size; bad++) {
        struct llmfp_buffer mine = {0};
        struct llmfp_buffer all = {0};
        struct llmfp_error error = {LLMFP_OK, ""};
        fill(&mine, ranks.rank, 10);
        mine.failed = ranks.rank == bad;
        CU_ASSERT_EQUAL(llmfp_exchange(&ranks, &mine, &all, NULL, &error), LLMFP_FATAL);
        CU_ASSERT_EQUAL(error.status, LLMFP_FATAL);
        CU_ASSERT_NOT_EQUAL(error.text[0], '\0');
        CU_ASSERT_EQUAL(llmfp_gather(&ranks, &mine, &all, NULL, &error), LLMFP_FATAL);
        CU_ASSERT_EQUAL(llmfp_broadcast(&ranks, &mine, bad, &error), LLMFP_FATAL);
        llmfp_buffer_clear(&mine);
        llmfp_buffer_clear(&all);
    }
}

static void the_largest_value_is_found_on_any_rank(void)
{
    for (int top = 0; top < ranks.size; top++) {
        const uint64_t mine = ranks.rank == top ? UINT64_MAX - 1 : (uint64_t)ranks.rank;
        CU_ASSERT_EQUAL(llmfp_largest(&ranks, mine), UINT64_MAX - 1);
    }
    CU_ASSERT_EQUAL(llmfp_largest(&ranks, (uint64_t)ranks.rank), (uint64_t)(ranks.size - 1));
    CU_ASSERT_EQUAL(llmfp_largest(&ranks, 0), 0);
}

/* Messages on the caller's communicator and on ours do not meet. */
static void the_communicator_is_a_duplicate(void)
{
    int relation = MPI_UNEQUAL;
    MPI_Comm_compare(MPI_COMM_WORLD, ranks.handle, &relation);
    CU_ASSERT_EQUAL(relation, MPI_CONGRUENT);
}

MPI_TEST_PROGRAM("communicator", TEST(every_set_of_failing_ranks_agrees),
                 TEST(the_most_severe_of_the_lowest_rank_wins), TEST(every_root_broadcasts),
                 TEST(exchange_brings_everything_to_all), TEST(gather_brings_everything_to_rank_0),
                 TEST(a_failed_buffer_fails_on_every_rank),
                 TEST(the_largest_value_is_found_on_any_rank),
                 TEST(the_communicator_is_a_duplicate))
