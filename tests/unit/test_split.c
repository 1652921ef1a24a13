/* test_split.c - shares of a split scan, and slices of a checkpoint joined again. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/record.h"
#include "llmfp/split.h"

enum { N = 5, MOST_PARTS = 97 };

static const uint64_t sizes[N] = {1000000, 0, UINT64_C(1) << 42, 7, 123456789};

static void every_byte_is_in_one_part(void)
{
    const uint64_t streams[N] = {999000, 0, (UINT64_C(1) << 42) - 100, 3, 123456000};
    for (uint32_t n_parts = 1; n_parts <= MOST_PARTS; n_parts++) {
        uint64_t end[N] = {0};
        for (uint32_t number = 1; number <= n_parts; number++) {
            struct llmfp_slice slices[N];
            llmfp_split_slices(sizes, N, number, n_parts, slices);
            bool any = false;
            for (size_t i = 0; i < N; i++) {
                if (slices[i].low < slices[i].high) {
                    CU_ASSERT_EQUAL(llmfp_slice_low(&slices[i], streams[i]), end[i]);
                    end[i] = llmfp_slice_high(&slices[i], streams[i]);
                    any = true;
                }
            }
            CU_ASSERT_TRUE(any);
        }
        for (size_t i = 0; i < N; i++) {
            CU_ASSERT_EQUAL(end[i], streams[i]);
        }
    }
}

static void parts_are_equal(void)
{
    for (uint32_t number = 1; number <= 8; number++) {
        struct llmfp_slice slices[N];
        uint64_t units = 0;
        uint64_t all = 0;
        llmfp_split_slices(sizes, N, number, 8, slices);
        for (size_t i = 0; i < N; i++) {
            units += slices[i].high - slices[i].low;
            all += slices[i].of;
        }
        CU_ASSERT_TRUE(units >= all / 8 && units <= all / 8 + 1);
    }
}

static void every_part_has_a_share(void)
{
    const uint64_t nothing[1] = {0};
    struct llmfp_slice slice;
    for (uint32_t number = 1; number <= LLMFP_SPLIT_MOST; number += 6553) {
        llmfp_split_slices(nothing, 1, number, LLMFP_SPLIT_MOST, &slice);
        CU_ASSERT_TRUE(slice.low < slice.high);
    }
}

static void no_slice_is_everything(void)
{
    const struct llmfp_slice whole = {0, 0, 0};
    CU_ASSERT_EQUAL(llmfp_slice_low(&whole, 100), 0);
    CU_ASSERT_EQUAL(llmfp_slice_high(&whole, 100), 100);
}

/* ---- joining ---- */

static const int64_t one = 1;
static const int64_t four = 4;
static struct llmfp_record_cell cells[2];

/* Bytes low to high of 10, and one cell: the elements 1 and 2, or those twice negated. */
static struct llmfp_record slice_of(int k, uint64_t low, uint64_t high)
{
    static const int64_t sums[] = {3, -6};
    static const int64_t squares[] = {5, 20};
    cells[k] = (struct llmfp_record_cell){.role = "attn.q",
                                          .statistics = {2, 0, 0, 1.5, 0, 1, 2},
                                          .sum = {0, 1, &sums[k]},
                                          .squares = {0, 1, &squares[k]}};
    if (k == 1) {
        cells[k].statistics.min = -4;
        cells[k].statistics.max = -2;
    }
    return (struct llmfp_record){.label = "m",
                                 .path = "p",
                                 .family = "",
                                 .parent = "",
                                 .architecture = "",
                                 .format = "f",
                                 .message = "",
                                 .source_digest = "d",
                                 .fingerprint = 3,
                                 .part = {(uint32_t)k + 1, 2, low, high, 10, 77},
                                 .cells = &cells[k],
                                 .n_cells = 1};
}

static const char *join(const struct llmfp_record *a, const struct llmfp_record *b,
                        struct llmfp_record *whole)
{
    const struct llmfp_record slices[] = {*a, *b};
    struct llmfp_error error = {LLMFP_OK, ""};
    const char *problem = NULL;
    CU_ASSERT_EQUAL(llmfp_record_join(slices, 2, whole, &problem, &error), LLMFP_OK);
    return problem;
}

static void slices_add_up(void)
{
    struct llmfp_record a = slice_of(0, 0, 4);
    struct llmfp_record b = slice_of(1, 4, 10);
    struct llmfp_record whole;
    CU_ASSERT_PTR_NULL(join(&a, &b, &whole));
    CU_ASSERT_EQUAL_FATAL(whole.n_cells, 1);
    const struct llmfp_statistics *all = &whole.cells[0].statistics;
    CU_ASSERT_EQUAL(all->count, 4);
    CU_ASSERT_EQUAL(all->mean, -0.75);
    CU_ASSERT_EQUAL(all->std, sqrt(7.5833333333333333)); /* of 1, 2, -2, -4 */
    CU_ASSERT_EQUAL(all->min, -4);
    CU_ASSERT_EQUAL(all->max, 2);
    CU_ASSERT_EQUAL(whole.part.n, 0);
    CU_ASSERT_EQUAL(whole.fingerprint, 3);
    CU_ASSERT_STRING_EQUAL(whole.source_digest, "d");
    llmfp_record_clear(&whole);
    b.failed = true; /* then all has failed, whatever the rest says */
    b.message = "why";
    b.part.plan = 0;
    CU_ASSERT_PTR_NULL(join(&a, &b, &whole));
    CU_ASSERT_TRUE(whole.failed);
    CU_ASSERT_STRING_EQUAL(whole.message, "why");
    CU_ASSERT_EQUAL(whole.n_cells, 0);
    llmfp_record_clear(&whole);
}

/* 1/127, 2/127, -2/127 and -4/127. */
static void slices_of_quotients_add_up(void)
{
    static const int64_t divisors[] = {127, 129};
    struct llmfp_record a = slice_of(0, 0, 4);
    struct llmfp_record b = slice_of(1, 4, 10);
    struct llmfp_record whole;
    for (int k = 0; k < 2; k++) {
        cells[k].divisor = (struct llmfp_divisor){divisors, 1};
        cells[k].statistics.min /= 127;
        cells[k].statistics.max /= 127;
    }
    CU_ASSERT_PTR_NULL(join(&a, &b, &whole));
    CU_ASSERT_EQUAL_FATAL(whole.n_cells, 1);
    const struct llmfp_record_cell *cell = &whole.cells[0];
    CU_ASSERT_TRUE(llmfp_divisor_equal(&cell->divisor, &cells[0].divisor));
    CU_ASSERT_EQUAL(cell->statistics.mean, -3.0 / 508);
    CU_ASSERT_EQUAL(cell->statistics.min, -4.0 / 127);
    CU_ASSERT_EQUAL(cell->statistics.max, 2.0 / 127);
    llmfp_record_clear(&whole);
    cells[1].divisor.limbs = &divisors[1];
    const char *problem = join(&a, &b, &whole);
    CU_ASSERT_PTR_NOT_NULL_FATAL(problem);
    CU_ASSERT_PTR_NOT_NULL(strstr(problem, "have changed"));
}

static void refuses_what_does_not_fit(void)
{
    static const struct {
        uint64_t a_low, a_high, b_low, b_high;
        const char *words;
    } ranges[] = {{0, 5, 4, 10, "same bytes"},
                  {0, 3, 4, 10, "some of the bytes"},
                  {1, 4, 4, 10, "some of the bytes"},
                  {0, 4, 4, 9, "last bytes"}};
    struct llmfp_record whole;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct llmfp_record a = slice_of(0, ranges[i].a_low, ranges[i].a_high);
        struct llmfp_record b = slice_of(1, ranges[i].b_low, ranges[i].b_high);
        const char *problem = join(&a, &b, &whole);
        CU_ASSERT_PTR_NOT_NULL_FATAL(problem);
        CU_ASSERT_PTR_NOT_NULL(strstr(problem, ranges[i].words));
    }
    for (int i = 0; i < 6; i++) {
        struct llmfp_record a = slice_of(0, 0, 4);
        struct llmfp_record b = slice_of(1, 4, 10);
        b.fingerprint += i == 0;
        b.part.plan += i == 1;
        b.source_digest = i == 2 ? "e" : "d";
        cells[1].layer = i == 3;
        cells[1].role = i == 4 ? "attn.k" : "attn.q";
        b.n_cells = i == 5 ? 0 : 1;
        const char *problem = join(&a, &b, &whole);
        CU_ASSERT_PTR_NOT_NULL_FATAL(problem);
        CU_ASSERT_PTR_NOT_NULL(strstr(problem, "have changed"));
    }
}

static void refuses_numbers_that_cannot_be(void)
{
    struct llmfp_record whole;
    for (int i = 0; i < 3; i++) {
        struct llmfp_record a = slice_of(0, 0, 4);
        struct llmfp_record b = slice_of(1, 4, 10);
        if (i == 0) {
            cells[1].statistics.zeros = 5;
        } else if (i == 1) {
            cells[1].squares.limbs = &one;
        } else {
            cells[1].sum.limbs = &four;
            cells[1].statistics.min = -5;
            cells[0].statistics.max = cells[1].statistics.max = -1;
        }
        CU_ASSERT_PTR_NOT_NULL(join(&a, &b, &whole));
        CU_ASSERT_PTR_NULL(whole.cells);
    }
}

static void slices_are_packed(void)
{
    struct llmfp_record a = slice_of(0, 2, 4);
    struct llmfp_error error = {LLMFP_OK, ""};
    for (int i = 0; i < 5; i++) {
        a.part = (struct llmfp_record_part){
            i == 1 ? 0 : i == 2 ? 3 : 1, 2, i == 3 ? 5 : 2, i == 4 ? 11 : 4, 10, 77};
        struct llmfp_buffer buffer = {0};
        struct llmfp_record read;
        llmfp_record_pack(&a, &buffer);
        struct llmfp_cursor cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
        const enum llmfp_status status = llmfp_record_unpack(&read, &cursor, &error);
        CU_ASSERT_EQUAL(status, i == 0 ? LLMFP_OK : LLMFP_FATAL);
        if (status == LLMFP_OK) {
            CU_ASSERT_EQUAL(memcmp(&read.part, &a.part, sizeof a.part), 0);
        }
        llmfp_record_clear(&read);
        llmfp_buffer_clear(&buffer);
    }
}

TEST_PROGRAM("split", TEST(every_byte_is_in_one_part), TEST(parts_are_equal),
             TEST(every_part_has_a_share), TEST(no_slice_is_everything), TEST(slices_add_up),
             TEST(slices_of_quotients_add_up), TEST(refuses_what_does_not_fit),
             TEST(refuses_numbers_that_cannot_be), TEST(slices_are_packed))
