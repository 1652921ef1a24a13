/* test_record.c - sums in their shortest form, records packed and unpacked, the journal. */
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cunit_main.h"
#include "llmfp/journal.h"
#include "llmfp/record.h"
#include "scratch.h"

/* The value of limbs in units of 2^exponent, for values that fit 127 bits. */
static llmfp_i128 value_of(const int64_t *limbs, uint32_t n, int32_t exponent)
{
    llmfp_i128 value = 0;
    for (uint32_t k = n; k-- > 0;) {
        value = value * ((llmfp_i128)1 << 32) + limbs[k];
    }
    for (int32_t e = 0; e < exponent; e++) {
        value *= 2;
    }
    return value;
}

static void shortest_sums(void)
{
    static const struct {
        int64_t limbs[3];
        uint32_t n_limbs; /* of the shortest form */
        int32_t exponent;
    } cases[] = {
        {{0, 0, 0}, 0, 0},
        {{5, 0, 0}, 1, 0},
        {{0, 5, 0}, 1, 32},
        {{0, 0, -5}, 1, 64},
        {{7, 0, 9}, 3, 0},
        {{UINT32_MAX, UINT32_MAX, -1}, 1, 0}, /* -1 */
        {{1, UINT32_MAX, -1}, 1, 0},          /* 1 - 2^32 */
        {{0, UINT32_MAX, -1}, 1, 32},         /* -2^32 */
        {{3, 0, -1}, 2, 0},                   /* 3 - 2^64: the middle limb becomes -2^32 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t limbs[3];
        memcpy(limbs, cases[i].limbs, sizeof limbs);
        const llmfp_i128 wanted = value_of(limbs, 3, 0);
        const struct llmfp_sum sum = llmfp_sum_shortest(limbs, 3, 0);
        CU_ASSERT_EQUAL(sum.n_limbs, cases[i].n_limbs);
        CU_ASSERT_EQUAL(sum.exponent, cases[i].exponent);
        CU_ASSERT_TRUE(value_of(sum.limbs, sum.n_limbs, sum.exponent) == wanted);
        int64_t placed[4];
        llmfp_sum_place(&sum, placed, 4, 0);
        CU_ASSERT_TRUE(value_of(placed, 3, 0) + placed[3] * ((llmfp_i128)1 << 96) == wanted);
        for (int k = 0; k < 3; k++) {
            CU_ASSERT_TRUE(placed[k] >= 0 && placed[k] <= UINT32_MAX);
        }
        CU_ASSERT_EQUAL(placed[3], wanted < 0 ? -1 : 0);
    }
}

static struct llmfp_record_cell cells[2];
static const int64_t limbs[] = {4294967295, 0, -3};

static struct llmfp_record sample(const char *label)
{
    cells[0] = (struct llmfp_record_cell){.role = "attn.q",
                                          .statistics = {10, 2, 1, NAN, NAN, -1.5, 0x1p-1074},
                                          .sum = {-160, 3, limbs},
                                          .squares = {0, 0, limbs}};
    cells[1] = (struct llmfp_record_cell){.role = "other:x.*",
                                          .layer = 7,
                                          .statistics = {1, 0, 0, 2.0, NAN, 2.0, 2.0},
                                          .sum = {32, 1, limbs + 2},
                                          .squares = {-64, 2, limbs}};
    struct llmfp_record record = {.label = label,
                                  .path = "a/b \xC3\xA9",
                                  .family = "",
                                  .parent = "p",
                                  .architecture = "X",
                                  .format = "safetensors",
                                  .message = "",
                                  .source_digest = "0123456789abcdef",
                                  .fingerprint = 77,
                                  .kept = true,
                                  .cells = cells,
                                  .n_cells = 2};
    record.tally.n_layers = 3;
    record.tally.parameters = UINT64_MAX;
    record.tally.bytes[LLMFP_INTEGER] = 9;
    return record;
}

/* Equal when packed again: packing is a function of every field. */
static bool same_record(const struct llmfp_record *a, const struct llmfp_record *b)
{
    struct llmfp_buffer x = {0};
    struct llmfp_buffer y = {0};
    llmfp_record_pack(a, &x);
    llmfp_record_pack(b, &y);
    const bool same = x.size_bytes == y.size_bytes && memcmp(x.bytes, y.bytes, x.size_bytes) == 0;
    llmfp_buffer_clear(&x);
    llmfp_buffer_clear(&y);
    return same;
}

static void records_survive_packing(void)
{
    const struct llmfp_record record = sample("one");
    struct llmfp_buffer packed = {0};
    struct llmfp_record back = {0};
    llmfp_record_pack(&record, &packed);
    struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
    CU_ASSERT_EQUAL_FATAL(llmfp_record_unpack(&back, &cursor, NULL), LLMFP_OK);
    CU_ASSERT_STRING_EQUAL(back.label, "one");
    CU_ASSERT_EQUAL(back.tally.parameters, UINT64_MAX);
    CU_ASSERT_EQUAL(back.cells[0].statistics.max, 0x1p-1074);
    CU_ASSERT_EQUAL(back.cells[1].sum.limbs[0], -3);
    CU_ASSERT_TRUE(back.kept && !back.failed);
    CU_ASSERT_TRUE(same_record(&record, &back));
    llmfp_record_clear(&back);
    /* Cut anywhere, it is refused, not read past its end. */
    for (size_t n = 0; n < packed.size_bytes; n++) {
        unsigned char *part = malloc(n + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(part);
        memcpy(part, packed.bytes, n);
        cursor = llmfp_cursor_over(part, n);
        CU_ASSERT_EQUAL(llmfp_record_unpack(&back, &cursor, NULL), LLMFP_FATAL);
        free(part);
    }
    llmfp_buffer_clear(&packed);
}

/* Their version is their own: records without divisors are as they always were. */
static void divisors_survive_packing(void)
{
    static const int64_t divisor[] = {127, 5};
    for (int slice = 0; slice < 2; slice++) {
        struct llmfp_record record = sample("one");
        struct llmfp_record back = {0};
        struct llmfp_buffer packed = {0};
        record.part = (struct llmfp_record_part){1, slice == 0 ? 0 : 2, 0, 5, 10, 3};
        llmfp_record_pack(&record, &packed);
        CU_ASSERT_EQUAL(packed.bytes[0], slice + 1);
        packed.size_bytes = 0;
        cells[1].divisor = (struct llmfp_divisor){divisor, 2};
        llmfp_record_pack(&record, &packed);
        CU_ASSERT_EQUAL(packed.bytes[0], slice + 3);
        struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
        CU_ASSERT_EQUAL_FATAL(llmfp_record_unpack(&back, &cursor, NULL), LLMFP_OK);
        CU_ASSERT_EQUAL(back.cells[0].divisor.n_limbs, 0);
        CU_ASSERT_TRUE(llmfp_divisor_equal(&back.cells[1].divisor, &cells[1].divisor));
        CU_ASSERT_TRUE(same_record(&record, &back));
        llmfp_record_clear(&back);
        for (size_t n = 0; n < packed.size_bytes; n++) {
            cursor = llmfp_cursor_over(packed.bytes, n);
            CU_ASSERT_EQUAL(llmfp_record_unpack(&back, &cursor, NULL), LLMFP_FATAL);
        }
        llmfp_buffer_clear(&packed);
    }
}

/* Packed by a forger: sizes fit, but the content would lead others astray. */
static void unsound_records_are_refused(void)
{
    static const int64_t unsettled[] = {-1, 1};
    static const int64_t even = 6;
    static const int64_t one = 1;
    for (int change = 0; change <= 11; change++) {
        struct llmfp_record record = sample("one");
        switch (change) {
        case 0: /* as it was */
            break;
        case 1:
            cells[0].layer = -1;
            break;
        case 2:
            cells[1].layer = LLMFP_PLAN_MOST_LAYERS;
            break;
        case 3:
            cells[0].role = "";
            break;
        case 4:
            cells[1] = cells[0]; /* twice */
            break;
        case 5:
            cells[0].role = "mlp.up"; /* out of order */
            cells[1].role = "attn.q";
            break;
        case 6:
            cells[0].sum.exponent = 7;
            break;
        case 7:
            cells[0].squares.exponent = 32; /* of no limbs */
            break;
        case 8:
            cells[0].sum = (struct llmfp_sum){0, 2, unsettled};
            break;
        case 9:
            cells[0].divisor = (struct llmfp_divisor){&even, 1};
            break;
        case 10:
            cells[0].divisor = (struct llmfp_divisor){&one, 1};
            break;
        default:
            record.path = "a\xFF";
            break;
        }
        struct llmfp_error error = {LLMFP_OK, ""};
        struct llmfp_buffer packed = {0};
        struct llmfp_record back = {0};
        llmfp_record_pack(&record, &packed);
        struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
        CU_ASSERT_EQUAL(llmfp_record_unpack(&back, &cursor, &error),
                        change == 0 ? LLMFP_OK : LLMFP_FATAL);
        llmfp_record_clear(&back);
        llmfp_buffer_clear(&packed);
    }
}

/* ---- the journal ---- */

static struct scratch scratch;
static const char *path;

static void make_folder(void)
{
    scratch_begin(&scratch);
    path = scratch_path(&scratch, "x.journal");
}

static void remove_folder(void)
{
    scratch_end(&scratch);
}

/* A journal of three records, a, b and c, closed. */
static void make_journal(void)
{
    struct llmfp_journal journal;
    CU_ASSERT_EQUAL_FATAL(llmfp_journal_create(&journal, path, 5, NULL), LLMFP_OK);
    static const char *const labels[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        struct llmfp_buffer frames = {0};
        const struct llmfp_record record = sample(labels[i]);
        llmfp_journal_frame(&record, &frames, NULL);
        CU_ASSERT_EQUAL(llmfp_journal_append(&journal, &frames, NULL), LLMFP_OK);
        llmfp_buffer_clear(&frames);
    }
    llmfp_journal_close(&journal);
}

/* Open with key 5 for writing; the labels of the intact records as one string. */
static enum llmfp_status open_labels(char labels[8], size_t *n_damaged)
{
    struct llmfp_journal journal;
    struct llmfp_journal_place *places = NULL;
    size_t n = 0;
    struct llmfp_error error;
    const enum llmfp_status status =
        llmfp_journal_open(&journal, path, 5, true, &places, &n, n_damaged, &error);
    labels[0] = '\0';
    for (size_t i = 0; status == LLMFP_OK && i < n; i++) {
        struct llmfp_record record = {0};
        CU_ASSERT_EQUAL(llmfp_journal_read(&journal, &places[i], &record, NULL), LLMFP_OK);
        strncat(labels, record.label, 1);
        llmfp_record_clear(&record);
    }
    if (status == LLMFP_OK) {
        llmfp_journal_close(&journal);
    }
    free(places);
    return status;
}

static off_t size_of_file(void)
{
    struct stat file;
    CU_ASSERT_EQUAL_FATAL(stat(path, &file), 0);
    return file.st_size;
}

static void journal_keeps_records(void)
{
    make_folder();
    make_journal();
    char labels[8];
    size_t n_damaged = 9;
    CU_ASSERT_EQUAL(open_labels(labels, &n_damaged), LLMFP_OK);
    CU_ASSERT_STRING_EQUAL(labels, "abc");
    CU_ASSERT_EQUAL(n_damaged, 0);
    remove_folder();
}

/* Cut at every byte: whole records before the cut stay, and the torn one is cut off. */
static void journal_torn_anywhere(void)
{
    make_folder();
    make_journal();
    const off_t whole = size_of_file();
    const off_t record_bytes = (whole - 24) / 3;
    char labels[8];
    size_t n_damaged = 9;
    for (off_t cut = whole - 1; cut >= 24; cut -= 7) {
        CU_ASSERT_EQUAL_FATAL(truncate(path, cut), 0);
        CU_ASSERT_EQUAL(open_labels(labels, &n_damaged), LLMFP_OK);
        CU_ASSERT_EQUAL(strlen(labels), (size_t)((cut - 24) / record_bytes));
        CU_ASSERT_EQUAL(n_damaged, 0);
        CU_ASSERT_EQUAL(size_of_file(), 24 + (cut - 24) / record_bytes * record_bytes);
    }
    CU_ASSERT_EQUAL_FATAL(truncate(path, 10), 0);
    CU_ASSERT_EQUAL(open_labels(labels, &n_damaged), LLMFP_FATAL);
    remove_folder();
}

/* A flipped bit in a record costs that record alone. */
static void journal_damaged_record(void)
{
    make_folder();
    make_journal();
    const off_t record_bytes = (size_of_file() - 24) / 3;
    const int file = open(path, O_RDWR);
    unsigned char byte = 0;
    const off_t place = 24 + record_bytes + record_bytes / 2;
    CU_ASSERT_EQUAL(pread(file, &byte, 1, place), 1);
    byte ^= 4;
    CU_ASSERT_EQUAL(pwrite(file, &byte, 1, place), 1);
    close(file);
    char labels[8];
    size_t n_damaged = 0;
    CU_ASSERT_EQUAL(open_labels(labels, &n_damaged), LLMFP_OK);
    CU_ASSERT_STRING_EQUAL(labels, "ac");
    CU_ASSERT_EQUAL(n_damaged, 1);
    remove_folder();
}

static void journal_of_another_scan(void)
{
    make_folder();
    struct llmfp_journal journal;
    struct llmfp_journal second;
    struct llmfp_journal_place *places = NULL;
    size_t n;
    size_t n_damaged;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_EQUAL(llmfp_journal_create(&journal, path, 6, &error), LLMFP_OK);
    /* While it is open for writing nobody else may write. */
    CU_ASSERT_EQUAL(llmfp_journal_create(&second, path, 6, &error), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "in use"));
    llmfp_journal_close(&journal);
    CU_ASSERT_EQUAL(llmfp_journal_open(&journal, path, 5, true, &places, &n, &n_damaged, &error),
                    LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "--roles"));
    remove_folder();
    CU_ASSERT_EQUAL(llmfp_journal_open(&journal, path, 5, true, &places, &n, &n_damaged, &error),
                    LLMFP_FATAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, path));
}

TEST_PROGRAM("record", TEST(shortest_sums), TEST(records_survive_packing),
             TEST(divisors_survive_packing), TEST(unsound_records_are_refused),
             TEST(journal_keeps_records), TEST(journal_torn_anywhere), TEST(journal_damaged_record),
             TEST(journal_of_another_scan))
