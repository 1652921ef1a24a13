/* fuzz_journal.c - journals and records. The first byte chooses: 0, the rest is the file;
 * else the rest is a record, which is framed with the right check, as a forger would.
 * A record that is taken keeps every promise of llmfp/record.h, and packs to the same bytes. */
#include <math.h>

#include "fuzz.h"
#include "llmfp/journal.h"
#include "role_order.h"

enum { KEY = 7 };

static void check_sum(const struct llmfp_sum *sum)
{
    FUZZ_CHECK(sum->exponent % 32 == 0);
    FUZZ_CHECK(sum->n_limbs > 0 || sum->exponent == 0);
    for (uint32_t k = 0; k < sum->n_limbs; k++) {
        FUZZ_CHECK(k + 1 == sum->n_limbs || (sum->limbs[k] >= 0 && sum->limbs[k] <= UINT32_MAX));
    }
    /* It can be placed where the results file has it, and taken from there again. */
    enum { WIDE = 40 };
    int64_t limbs[WIDE];
    int64_t again[WIDE];
    int64_t copy[WIDE];
    if (sum->n_limbs < WIDE - 2) {
        llmfp_sum_place(sum, limbs, WIDE, sum->exponent);
        memcpy(copy, limbs, sizeof copy);
        const struct llmfp_sum same = llmfp_sum_shortest(copy, WIDE, sum->exponent);
        llmfp_sum_place(&same, again, WIDE, sum->exponent);
        FUZZ_CHECK(memcmp(limbs, again, sizeof limbs) == 0);
    }
}

static void check_record(const struct llmfp_record *record)
{
    const char *const texts[] = {record->label,        record->path,         record->family,
                                 record->parent,       record->format,       record->message,
                                 record->architecture, record->source_digest};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        FUZZ_CHECK(texts[i] != NULL);
    }
    FUZZ_CHECK(record->tally.n_layers >= 0);
    for (size_t i = 0; i < record->n_cells; i++) {
        const struct llmfp_record_cell *cell = &record->cells[i];
        FUZZ_CHECK(cell->role != NULL && cell->role[0] != '\0' && cell->layer >= 0);
        check_sum(&cell->sum);
        check_sum(&cell->squares);
        if (i > 0) {
            const struct llmfp_record_cell *before = &record->cells[i - 1];
            const int order = llmfp_role_compare(before->role, cell->role);
            FUZZ_CHECK(order < 0 || (order == 0 && before->layer < cell->layer));
        }
    }
}

static void check_packing(const struct llmfp_record *record)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_buffer packed = {0};
    struct llmfp_buffer again = {0};
    struct llmfp_record copy = {0};
    llmfp_record_pack(record, &packed);
    FUZZ_CHECK(!packed.failed);
    struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
    FUZZ_CHECK(llmfp_record_unpack(&copy, &cursor, &error) == LLMFP_OK);
    llmfp_record_pack(&copy, &again);
    FUZZ_CHECK(packed.size_bytes == again.size_bytes);
    FUZZ_CHECK(memcmp(packed.bytes, again.bytes, packed.size_bytes) == 0);
    llmfp_record_clear(&copy);
    llmfp_buffer_clear(&packed);
    llmfp_buffer_clear(&again);
}

/* Open a journal, and read every record that it says is whole. */
static void read_journal(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_journal journal;
    struct llmfp_journal_place *places = NULL;
    size_t n = 0;
    size_t n_damaged = 0;
    fuzz_file_begin(&file, data, size);
    const enum llmfp_status status =
        llmfp_journal_open(&journal, file.path, KEY, true, &places, &n, &n_damaged, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, error.status, file.path);
        FUZZ_CHECK(status == LLMFP_FATAL || status == LLMFP_USAGE);
        fuzz_file_end(&file);
        return;
    }
    FUZZ_CHECK(journal.size_bytes <= size);
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        struct llmfp_record record = {0};
        FUZZ_CHECK(places[i].offset_bytes >= end && places[i].size_bytes > 0);
        end = places[i].offset_bytes + places[i].size_bytes;
        FUZZ_CHECK(end <= journal.size_bytes);
        if (llmfp_journal_read(&journal, &places[i], &record, &error) == LLMFP_OK) {
            check_record(&record);
            llmfp_record_clear(&record);
        } else {
            fuzz_check_error(error.status, &error, LLMFP_FATAL, "");
        }
    }
    free(places);
    llmfp_journal_close(&journal);
    fuzz_file_end(&file);
}

static void read_record(const uint8_t *data, size_t size)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_record record = {0};
    struct llmfp_cursor cursor = llmfp_cursor_over(data, size);
    const enum llmfp_status status = llmfp_record_unpack(&record, &cursor, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_FATAL, "");
        return;
    }
    check_record(&record);
    check_packing(&record);
    llmfp_record_clear(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 0) {
        read_journal(data + 1, size - 1);
    } else if (size > 0) {
        read_record(data + 1, size - 1);
    }
    return 0;
}
