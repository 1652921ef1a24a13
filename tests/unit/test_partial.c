/* test_partial.c - ranges that are covered, what is left, and partial sums: packed, merged,
 * kept in files, damaged. */
#include "cunit_main.h"
#include "llmfp/coverage.h"
#include "llmfp/journal.h"
#include "llmfp/partial.h"
#include "scratch.h"

enum { STREAM_BYTES = 1000 };

/* ---- coverage ---- */

static void ranges_join(void)
{
    struct llmfp_coverage coverage = {0};
    CU_ASSERT_TRUE(llmfp_coverage_add(&coverage, 10, 20));
    CU_ASSERT_TRUE(llmfp_coverage_add(&coverage, 40, 50));
    CU_ASSERT_TRUE(llmfp_coverage_add(&coverage, 0, 5));
    CU_ASSERT_TRUE(llmfp_coverage_add(&coverage, 7, 7));
    CU_ASSERT_EQUAL(coverage.n, 3);
    CU_ASSERT_TRUE(llmfp_coverage_add(&coverage, 20, 30));
    CU_ASSERT_TRUE(llmfp_coverage_add(&coverage, 30, 40));
    CU_ASSERT_TRUE(llmfp_coverage_add(&coverage, 8, 10));
    CU_ASSERT_EQUAL_FATAL(coverage.n, 2);
    CU_ASSERT_EQUAL(coverage.ranges[1].low, 8);
    CU_ASSERT_EQUAL(coverage.ranges[1].high, 50);
    CU_ASSERT_EQUAL(llmfp_coverage_bytes(&coverage), 47);
    CU_ASSERT_TRUE(llmfp_coverage_overlaps(&coverage, 4, 6));
    CU_ASSERT_TRUE(llmfp_coverage_overlaps(&coverage, 5, 9));
    CU_ASSERT_TRUE(llmfp_coverage_overlaps(&coverage, 49, 60));
    CU_ASSERT_FALSE(llmfp_coverage_overlaps(&coverage, 5, 8));
    CU_ASSERT_FALSE(llmfp_coverage_overlaps(&coverage, 50, 60));
    CU_ASSERT_FALSE(llmfp_coverage_overlaps(&coverage, 9, 9));
    llmfp_coverage_clear(&coverage);
}

/* Every byte that is not covered is in exactly one chunk. */
static void left_in_chunks(void)
{
    uint32_t seed = 7;
    for (uint64_t chunk_bytes = 1; chunk_bytes < 70; chunk_bytes += 3) {
        struct llmfp_coverage done = {0};
        unsigned char seen[STREAM_BYTES] = {0};
        for (uint64_t low = 0; low + 40 < STREAM_BYTES;) {
            seed = seed * 1664525U + 1013904223U;
            const uint64_t high = low + 1 + (seed >> 24) % 40;
            if ((seed & 0x10000U) != 0) {
                CU_ASSERT_TRUE(llmfp_coverage_add(&done, low, high));
                memset(seen + low, 1, high - low);
            }
            low = high;
        }
        struct llmfp_work work;
        struct llmfp_error error;
        CU_ASSERT_EQUAL_FATAL(llmfp_work_make(&work, &done, STREAM_BYTES, &error), LLMFP_OK);
        CU_ASSERT_EQUAL(work.size_bytes, STREAM_BYTES - llmfp_coverage_bytes(&done));
        const uint64_t n = llmfp_work_n_chunks(&work, chunk_bytes);
        for (uint64_t chunk = 0; chunk < n; chunk++) {
            struct llmfp_range range;
            uint64_t offset = 0;
            while (llmfp_work_next(&work, chunk_bytes, chunk, &offset, &range)) {
                for (uint64_t at = range.low; at < range.high; at++) {
                    seen[at]++;
                }
            }
            CU_ASSERT_TRUE(offset == chunk_bytes || chunk + 1 == n);
        }
        for (size_t at = 0; at < STREAM_BYTES; at++) {
            CU_ASSERT_EQUAL(seen[at], 1);
        }
        llmfp_work_clear(&work);
        llmfp_coverage_clear(&done);
    }
}

static void nothing_left(void)
{
    struct llmfp_coverage done = {0};
    struct llmfp_work work;
    struct llmfp_error error;
    CU_ASSERT_TRUE(llmfp_coverage_add(&done, 0, 10));
    CU_ASSERT_EQUAL(llmfp_work_make(&work, &done, 10, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_work_n_chunks(&work, 4), 0);
    llmfp_work_clear(&work);
    llmfp_coverage_clear(&done);
}

/* ---- partials ---- */

/* A partial over one range, with one cell whose count is its size. */
static void frame(struct llmfp_buffer *frames, const char *label, uint64_t digest, uint64_t low,
                  uint64_t high, uint32_t number, int64_t limb)
{
    const struct llmfp_partial_source source = {label, 1, digest, 3, STREAM_BYTES, 5};
    const struct llmfp_range range = {low, high};
    const struct llmfp_partial_cell cell = {.counters = {(int64_t)(high - low), 1, 0},
                                            .extremes = {(int64_t)high, -(int64_t)low},
                                            .sum = {-32, 1, &limb},
                                            .squares = {32, 1, &limb}};
    const size_t begun = llmfp_partial_frame_begin(&source, &range, 1, 1, frames);
    llmfp_partial_frame_cell(number, &cell, frames);
    llmfp_partial_frame_end(frames, begun);
}

static void save(const char *journal, int rank, uint64_t key, const struct llmfp_buffer *frames)
{
    struct llmfp_error error;
    CU_ASSERT_EQUAL_FATAL(llmfp_partial_save(journal, key, rank, frames, &error), LLMFP_OK);
}

static void ranks_are_merged(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    const char *journal = scratch_path(&scratch, "out.h5.journal");
    struct llmfp_partials all;
    struct llmfp_error error;
    for (int rank = 0; rank < 12; rank++) {
        struct llmfp_buffer frames = {0};
        const uint64_t low = (uint64_t)rank * 50;
        frame(&frames, "a", 2, low, low + 50, (uint32_t)rank % 5, rank % 2 == 0 ? 7 : -9);
        save(journal, rank, 99, &frames);
        llmfp_buffer_clear(&frames);
    }
    CU_ASSERT_TRUE(llmfp_partials_exist(journal));
    for (int time = 0; time < 2; time++) { /* from the ranks' files, then from the merged one */
        CU_ASSERT_EQUAL_FATAL(llmfp_partials_gather(journal, 99, &all, &error), LLMFP_OK);
        CU_ASSERT_EQUAL(all.n_damaged, 0);
        const struct llmfp_partial *partial = llmfp_partials_find(&all, "a");
        CU_ASSERT_PTR_NOT_NULL_FATAL(partial);
        CU_ASSERT_PTR_NULL(llmfp_partials_find(&all, "b"));
        CU_ASSERT_EQUAL(llmfp_coverage_bytes(&partial->coverage), 600);
        CU_ASSERT_EQUAL(partial->coverage.n, 1);
        /* cell 0: ranks 0, 5, 10: 7 - 9 + 7 */
        CU_ASSERT_EQUAL(partial->cells[0].counters[LLMFP_COUNT], 150);
        CU_ASSERT_EQUAL(partial->cells[0].extremes[LLMFP_LARGEST], 550);
        CU_ASSERT_EQUAL(partial->cells[0].extremes[LLMFP_MINUS_SMALLEST], 0);
        CU_ASSERT_EQUAL_FATAL(partial->cells[0].sum.n_limbs, 1);
        CU_ASSERT_EQUAL(partial->cells[0].sum.limbs[0], 5);
        CU_ASSERT_EQUAL(partial->cells[0].sum.exponent, -32);
        /* cell 2: ranks 2, 7: 7 - 9 */
        CU_ASSERT_EQUAL(partial->cells[2].sum.limbs[0], -2);
        llmfp_partials_clear(&all);
    }
    llmfp_partials_remove(journal);
    CU_ASSERT_FALSE(llmfp_partials_exist(journal));
    scratch_end(&scratch);
}

/* A rank's file that is left behind after the merging does not count twice. */
static void overlaps_are_dropped(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    const char *journal = scratch_path(&scratch, "out.h5.journal");
    struct llmfp_partials all;
    struct llmfp_error error;
    struct llmfp_buffer frames = {0};
    frame(&frames, "a", 2, 100, 200, 1, 5);
    save(journal, 0, 1, &frames);
    CU_ASSERT_EQUAL_FATAL(llmfp_partials_gather(journal, 1, &all, &error), LLMFP_OK);
    llmfp_partials_clear(&all);
    save(journal, 0, 1, &frames);
    CU_ASSERT_EQUAL_FATAL(llmfp_partials_gather(journal, 1, &all, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_partials_find(&all, "a")->cells[1].counters[LLMFP_COUNT], 100);
    llmfp_partials_clear(&all);
    /* Newer files of the checkpoint: what was saved of the older ones is of no use. */
    frames.size_bytes = 0;
    frame(&frames, "a", 7, 0, 10, 1, 5);
    save(journal, 4, 1, &frames);
    CU_ASSERT_EQUAL_FATAL(llmfp_partials_gather(journal, 1, &all, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_partials_find(&all, "a")->source.digest, 7);
    CU_ASSERT_EQUAL(llmfp_coverage_bytes(&llmfp_partials_find(&all, "a")->coverage), 10);
    llmfp_partials_clear(&all);
    /* Other options. */
    CU_ASSERT_EQUAL_FATAL(llmfp_partials_gather(journal, 2, &all, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(all.n, 0);
    llmfp_partials_clear(&all);
    llmfp_partials_remove(journal);
    llmfp_buffer_clear(&frames);
    scratch_end(&scratch);
}

/* Any byte that is wrong, and any cut: nothing but that record is lost, and nothing crashes. */
static void damage(void)
{
    struct llmfp_buffer frames = {0};
    struct llmfp_partial partial;
    struct llmfp_error error;
    frame(&frames, "label", 2, 100, 200, 1, 5);
    const size_t size_bytes = frames.size_bytes - 8; /* without length and check */
    unsigned char *bytes = malloc(size_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memcpy(bytes, frames.bytes + 8, size_bytes);
    for (size_t n = 0; n < size_bytes; n++) {
        struct llmfp_cursor cursor = llmfp_cursor_over(bytes, n);
        CU_ASSERT_EQUAL(llmfp_partial_unpack(&partial, &cursor, &error), LLMFP_FATAL);
    }
    size_t refused = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        bytes[i] ^= 0xFF;
        struct llmfp_cursor cursor = llmfp_cursor_over(bytes, size_bytes);
        if (llmfp_partial_unpack(&partial, &cursor, &error) == LLMFP_OK) {
            llmfp_partial_clear(&partial);
        } else {
            refused++;
        }
        bytes[i] ^= 0xFF;
    }
    CU_ASSERT_TRUE(refused > 40);
    struct llmfp_cursor cursor = llmfp_cursor_over(bytes, size_bytes);
    CU_ASSERT_EQUAL(llmfp_partial_unpack(&partial, &cursor, &error), LLMFP_OK);
    llmfp_partial_clear(&partial);
    free(bytes);
    llmfp_buffer_clear(&frames);
}

static void damaged_file(void)
{
    char named[SCRATCH_PATH_BYTES + 16];
    struct scratch scratch;
    scratch_begin(&scratch);
    const char *journal = scratch_path(&scratch, "out.h5.journal");
    struct llmfp_partials all;
    struct llmfp_error error;
    struct llmfp_buffer frames = {0};
    frame(&frames, "a", 2, 0, 100, 1, 5);
    frame(&frames, "b", 2, 0, 100, 1, 5);
    save(journal, 3, 1, &frames);
    (void)snprintf(named, sizeof named, "%s.progress.3", journal);
    const int descriptor = open(named, O_RDWR);
    CU_ASSERT_EQUAL(pwrite(descriptor, "\xFF", 1, 24 + 8 + 20), 1); /* within the first record */
    close(descriptor);
    CU_ASSERT_EQUAL_FATAL(llmfp_partials_gather(journal, 1, &all, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(all.n_damaged, 1);
    CU_ASSERT_PTR_NULL(llmfp_partials_find(&all, "a"));
    CU_ASSERT_PTR_NOT_NULL(llmfp_partials_find(&all, "b"));
    llmfp_partials_clear(&all);
    llmfp_partials_remove(journal);
    llmfp_buffer_clear(&frames);
    scratch_end(&scratch);
}

/* ---- a journal that has not got to its first records ---- */

static void begun_journals(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    const char *name = scratch_path(&scratch, "out.h5.journal");
    struct llmfp_journal journal;
    struct llmfp_error error;
    CU_ASSERT_FALSE(llmfp_journal_is_complete(name));
    CU_ASSERT_EQUAL_FATAL(llmfp_journal_begin(&journal, name, &error), LLMFP_OK);
    CU_ASSERT_FALSE(llmfp_journal_is_complete(name));
    CU_ASSERT_EQUAL(llmfp_journal_complete(&journal, 5, &error), LLMFP_OK);
    CU_ASSERT_TRUE(llmfp_journal_is_complete(name));
    llmfp_journal_close(&journal);
    CU_ASSERT_EQUAL(truncate(name, 10), 0);
    CU_ASSERT_FALSE(llmfp_journal_is_complete(name));
    scratch_end(&scratch);
}

TEST_PROGRAM("partial", TEST(ranges_join), TEST(left_in_chunks), TEST(nothing_left),
             TEST(ranks_are_merged), TEST(overlaps_are_dropped), TEST(damage), TEST(damaged_file),
             TEST(begun_journals))
