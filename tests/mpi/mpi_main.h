/* mpi_main.h - one suite of CUnit tests as a program that runs on any number of ranks.
 *
 *   MPI_TEST_PROGRAM("shares", TEST(deals_all), TEST(...))
 *
 * Every rank runs every test, with `ranks` open over all of them. Use CU_ASSERT and
 * its kind only, not the _FATAL ones: a rank that left a test would leave the others
 * waiting. Exit status 0 on every rank only when no rank saw a failure, all ran the
 * same number of tests, and LLMFP_TEST_RANKS, where set, is the number of ranks.  */
#ifndef LLMFP_MPI_MAIN_H
#define LLMFP_MPI_MAIN_H

#include <stdlib.h>

#include "cunit_main.h"
#include "llmfp/communicator.h"

static struct llmfp_communicator ranks;

static inline int mpi_ranks_as_wanted(void)
{
    const char *wanted = getenv("LLMFP_TEST_RANKS");
    if (wanted == NULL || strtol(wanted, NULL, 10) == ranks.size) {
        return 1;
    }
    fprintf(stderr, "%d ranks, wanted %s\n", ranks.size, wanted);
    return 0;
}

static inline int mpi_run(const char *suite_name, const struct cunit_case *cases, size_t n)
{
    MPI_Init(NULL, NULL);
    llmfp_communicator_open(&ranks, MPI_COMM_WORLD);
    const int mine = cunit_run(suite_name, cases, n) == 0 && mpi_ranks_as_wanted() ? 0 : 1;
    int failed_ranks = 0;
    MPI_Allreduce(&mine, &failed_ranks, 1, MPI_INT, MPI_SUM, ranks.handle);
    if (ranks.rank == 0) {
        printf("%d of %d ranks failed\n", failed_ranks, ranks.size);
    }
    llmfp_communicator_close(&ranks);
    MPI_Finalize();
    return failed_ranks == 0 ? 0 : 1;
}

#define MPI_TEST_PROGRAM(suite, ...)                                                               \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct cunit_case cases[] = {__VA_ARGS__};                                    \
        return mpi_run(suite, cases, sizeof cases / sizeof cases[0]);                              \
    }

#endif
