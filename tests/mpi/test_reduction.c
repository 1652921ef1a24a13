/* test_reduction.c - moments of several ranks, summed by MPI, equal those of one. */
#include <stdlib.h>
#include <string.h>

#include "llmfp/encoding.h"
#include "llmfp/moments.h"
#include "llmfp/statistics.h"
#include "mpi_main.h"

enum { N_VALUES = 30011, MOST_ADDITIVE = 1024 };

struct population {
    struct llmfp_moments_layout layout;
    int64_t additive[MOST_ADDITIVE];
    int64_t extreme[LLMFP_N_EXTREMES];
    struct llmfp_moments moments;
};

static void begin(struct population *population, enum llmfp_encoding_id id)
{
    memset(population, 0, sizeof *population);
    llmfp_moments_layout_cover(&population->layout, llmfp_encoding(id));
    CU_ASSERT_TRUE(llmfp_moments_size(&population->layout) <= MOST_ADDITIVE);
    population->moments =
        llmfp_moments_begin(&population->layout, population->additive, population->extreme);
}

/* Elements first .. first + n - 1 of the bytes, of whatever encoding. */
static void add(struct population *population, enum llmfp_encoding_id id,
                const unsigned char *bytes, uint64_t first, uint64_t n)
{
    const struct llmfp_encoding *encoding = llmfp_encoding(id);
    const struct llmfp_elements elements = {
        .bytes = bytes + first * encoding->block_bytes, .n_elements = n, .first_element = first};
    encoding->add(&population->moments, &elements);
}

static void settle(struct population *population)
{
    llmfp_moments_settle(&population->moments);
}

/* Collective. What the scan does: each rank's settled limbs, added and settled. */
static void reduce(struct population *population)
{
    settle(population);
    MPI_Allreduce(MPI_IN_PLACE, population->additive, (int)llmfp_moments_size(&population->layout),
                  MPI_INT64_T, MPI_SUM, ranks.handle);
    MPI_Allreduce(MPI_IN_PLACE, population->extreme, LLMFP_N_EXTREMES, MPI_INT64_T, MPI_MAX,
                  ranks.handle);
    settle(population);
}

static void check_same(const struct population *found, const struct population *wanted)
{
    const size_t size = llmfp_moments_size(&wanted->layout) * sizeof(int64_t);
    CU_ASSERT_EQUAL(memcmp(found->additive, wanted->additive, size), 0);
    CU_ASSERT_EQUAL(memcmp(found->extreme, wanted->extreme, sizeof wanted->extreme), 0);
}

/* The same pseudo-random bytes on every rank (splitmix64): every sign, exponent,
 * infinity and NaN of the encoding. */
static unsigned char *random_bytes(size_t n_bytes, uint64_t state)
{
    unsigned char *bytes = malloc(n_bytes);
    for (size_t i = 0; i < n_bytes && bytes != NULL; i++) {
        state += 0x9e3779b97f4a7c15U;
        uint64_t z = state;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
        z = (z ^ z >> 27) * 0x94d049bb133111ebU;
        bytes[i] = (unsigned char)(z >> 56);
    }
    return bytes;
}

static const enum llmfp_encoding_id encodings[] = {LLMFP_F64,  LLMFP_F32,     LLMFP_F16,
                                                   LLMFP_BF16, LLMFP_F8_E4M3, LLMFP_F8_E5M2};
enum { N_ENCODINGS = sizeof encodings / sizeof encodings[0] };

static void check_cut(enum llmfp_encoding_id id, uint64_t begin_element, uint64_t end_element)
{
    const size_t n_bytes = (size_t)N_VALUES * llmfp_encoding(id)->block_bytes;
    unsigned char *bytes = random_bytes(n_bytes, (uint64_t)id + 1);
    CU_ASSERT_PTR_NOT_NULL(bytes);
    struct population whole;
    struct population part;
    begin(&whole, id);
    begin(&part, id);
    if (bytes != NULL) {
        add(&whole, id, bytes, 0, N_VALUES);
        add(&part, id, bytes, begin_element, end_element - begin_element);
    }
    settle(&whole);
    reduce(&part);
    CU_ASSERT_EQUAL(whole.additive[LLMFP_COUNT], N_VALUES);
    check_same(&part, &whole);
    free(bytes);
}

static void equal_parts_sum_to_the_whole(void)
{
    const uint64_t size = (uint64_t)ranks.size;
    const uint64_t rank = (uint64_t)ranks.rank;
    for (size_t i = 0; i < N_ENCODINGS; i++) {
        check_cut(encodings[i], N_VALUES * rank / size, N_VALUES * (rank + 1) / size);
    }
}

/* All but the last rank have one element or none. */
static void unequal_parts_sum_to_the_whole(void)
{
    const uint64_t last = (uint64_t)ranks.size - 1;
    const uint64_t rank = (uint64_t)ranks.rank;
    for (size_t i = 0; i < N_ENCODINGS; i++) {
        check_cut(encodings[i], (rank + 1) / 2, rank == last ? N_VALUES : (rank + 2) / 2);
    }
}

/* Negative sums on every rank: the last limb carries the sign through MPI. */
static void negative_sums_add_up(void)
{
    struct population one;
    struct population all;
    begin(&one, LLMFP_F32);
    begin(&all, LLMFP_F32);
    for (int rank = 0; rank < ranks.size; rank++) {
        llmfp_moments_add_sum(&one.moments, -1 - rank, -149);
        llmfp_moments_add_sum(&one.moments, -1, 100);
    }
    llmfp_moments_add_sum(&all.moments, -1 - ranks.rank, -149);
    llmfp_moments_add_sum(&all.moments, -1, 100);
    settle(&one);
    reduce(&all);
    check_same(&all, &one);
    CU_ASSERT_TRUE(all.additive[LLMFP_N_COUNTERS + all.layout.sum_limbs - 1] < 0);
}

/* Ranks that got nothing of a population change nothing, not even minimum and maximum. */
static void empty_parts_change_nothing(void)
{
    const float values[] = {-3.0F, 0.0F, 2.5F};
    unsigned char bytes[sizeof values];
    memcpy(bytes, values, sizeof values);
    for (int owner = 0; owner < ranks.size; owner++) {
        struct population one;
        struct population all;
        begin(&one, LLMFP_F32);
        begin(&all, LLMFP_F32);
        add(&one, LLMFP_F32, bytes, 0, 3);
        add(&all, LLMFP_F32, bytes, 0, ranks.rank == owner ? 3 : 0);
        settle(&one);
        reduce(&all);
        check_same(&all, &one);
        CU_ASSERT_TRUE(llmfp_key_to_double(all.extreme[LLMFP_LARGEST]) == 2.5);
        CU_ASSERT_TRUE(-llmfp_key_to_double(all.extreme[LLMFP_MINUS_SMALLEST]) == -3.0);
    }
}

MPI_TEST_PROGRAM("reduction", TEST(equal_parts_sum_to_the_whole),
                 TEST(unequal_parts_sum_to_the_whole), TEST(negative_sums_add_up),
                 TEST(empty_parts_change_nothing))
