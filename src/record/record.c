/* record.c - packing and unpacking of records. */
#include "llmfp/record.h"

#include <string.h>

#include "llmfp/split.h"
#include "role_order.h"
#include "utf8.h"

enum {
    LIMB_BITS = 32,
    RECORD_VERSION = 1, /* of a whole checkpoint */
    SLICE_VERSION = 2,
    DIVIDED_VERSIONS = 2, /* more than the two above: every cell has a divisor */
    FLAG_FAILED = 1,
    FLAG_KEPT = 2
};

void llmfp_record_clear(struct llmfp_record *record)
{
    llmfp_arena_clear(&record->arena);
    *record = (struct llmfp_record){0};
}

/* ---- packing ---- */

static void pack_divisor(struct llmfp_buffer *buffer, const struct llmfp_divisor *divisor)
{
    llmfp_buffer_put_u32(buffer, divisor->n_limbs);
    for (uint32_t k = 0; k < divisor->n_limbs; k++) {
        llmfp_buffer_put_u32(buffer, (uint32_t)divisor->limbs[k]);
    }
}

static void pack_cell(struct llmfp_buffer *buffer, const struct llmfp_record_cell *cell,
                      bool divided)
{
    llmfp_buffer_put_string(buffer, cell->role);
    llmfp_buffer_put_u32(buffer, (uint32_t)cell->layer);
    llmfp_buffer_put_u64(buffer, cell->statistics.count);
    llmfp_buffer_put_u64(buffer, cell->statistics.zeros);
    llmfp_buffer_put_u64(buffer, cell->statistics.nonfinite);
    llmfp_buffer_put_double(buffer, cell->statistics.mean);
    llmfp_buffer_put_double(buffer, cell->statistics.std);
    llmfp_buffer_put_double(buffer, cell->statistics.min);
    llmfp_buffer_put_double(buffer, cell->statistics.max);
    llmfp_sum_pack(&cell->sum, buffer);
    llmfp_sum_pack(&cell->squares, buffer);
    if (divided) {
        pack_divisor(buffer, &cell->divisor);
    }
}

static bool any_divisor(const struct llmfp_record *record)
{
    bool any = false;
    for (size_t i = 0; i < record->n_cells; i++) {
        any = any || record->cells[i].divisor.n_limbs > 0;
    }
    return any;
}

static void pack_tally(struct llmfp_buffer *buffer, const struct llmfp_tally *tally)
{
    llmfp_buffer_put_u32(buffer, (uint32_t)tally->n_layers);
    llmfp_buffer_put_u64(buffer, tally->parameters);
    llmfp_buffer_put_u64(buffer, tally->size_bytes);
    llmfp_buffer_put_u64(buffer, tally->wanted_bytes);
    for (int i = 0; i < LLMFP_N_REASONS; i++) {
        llmfp_buffer_put_u64(buffer, tally->tensors[i]);
        llmfp_buffer_put_u64(buffer, tally->bytes[i]);
    }
}

static void pack_part(struct llmfp_buffer *buffer, const struct llmfp_record_part *part)
{
    llmfp_buffer_put_u32(buffer, part->number);
    llmfp_buffer_put_u32(buffer, part->n);
    llmfp_buffer_put_u64(buffer, part->low);
    llmfp_buffer_put_u64(buffer, part->high);
    llmfp_buffer_put_u64(buffer, part->stream_bytes);
    llmfp_buffer_put_u64(buffer, part->plan);
}

void llmfp_record_pack(const struct llmfp_record *record, struct llmfp_buffer *buffer)
{
    const bool divided = any_divisor(record);
    const uint32_t version = record->part.n == 0 ? RECORD_VERSION : SLICE_VERSION;
    llmfp_buffer_put_u32(buffer, divided ? version + DIVIDED_VERSIONS : version);
    if (record->part.n != 0) {
        pack_part(buffer, &record->part);
    }
    llmfp_buffer_put_string(buffer, record->label);
    llmfp_buffer_put_string(buffer, record->path);
    llmfp_buffer_put_string(buffer, record->family);
    llmfp_buffer_put_string(buffer, record->parent);
    llmfp_buffer_put_string(buffer, record->architecture);
    llmfp_buffer_put_string(buffer, record->format);
    llmfp_buffer_put_string(buffer, record->message);
    llmfp_buffer_put_string(buffer, record->source_digest);
    llmfp_buffer_put_u64(buffer, record->fingerprint);
    llmfp_buffer_put_u32(buffer,
                         (record->failed ? FLAG_FAILED : 0U) | (record->kept ? FLAG_KEPT : 0U));
    pack_tally(buffer, &record->tally);
    llmfp_buffer_put_u64(buffer, record->n_cells);
    for (size_t i = 0; i < record->n_cells; i++) {
        pack_cell(buffer, &record->cells[i], divided);
    }
}

/* ---- unpacking ---- */

static void unpack_divisor(struct llmfp_cursor *cursor, struct llmfp_arena *arena,
                           struct llmfp_divisor *divisor)
{
    const uint32_t n = llmfp_cursor_u32(cursor);
    int64_t *limbs =
        n > LLMFP_DIVISOR_MOST_LIMBS ? NULL : llmfp_arena_new(arena, (n + 1) * sizeof *limbs);
    for (uint32_t k = 0; limbs != NULL && k < n; k++) {
        limbs[k] = llmfp_cursor_u32(cursor);
    }
    if (limbs != NULL) {
        *divisor = (struct llmfp_divisor){limbs, n};
    }
    cursor->failed = cursor->failed || limbs == NULL || !llmfp_divisor_is_sound(divisor);
}

static void unpack_cell(struct llmfp_cursor *cursor, struct llmfp_arena *arena, bool divided,
                        struct llmfp_record_cell *cell)
{
    cell->role = llmfp_cursor_string(cursor, arena);
    cell->layer = (int32_t)llmfp_cursor_u32(cursor);
    cell->statistics.count = llmfp_cursor_u64(cursor);
    cell->statistics.zeros = llmfp_cursor_u64(cursor);
    cell->statistics.nonfinite = llmfp_cursor_u64(cursor);
    cell->statistics.mean = llmfp_cursor_double(cursor);
    cell->statistics.std = llmfp_cursor_double(cursor);
    cell->statistics.min = llmfp_cursor_double(cursor);
    cell->statistics.max = llmfp_cursor_double(cursor);
    llmfp_sum_unpack(cursor, arena, &cell->sum);
    llmfp_sum_unpack(cursor, arena, &cell->squares);
    if (divided) {
        unpack_divisor(cursor, arena, &cell->divisor);
    }
}

static void unpack_tally(struct llmfp_cursor *cursor, struct llmfp_tally *tally)
{
    tally->n_layers = (int32_t)llmfp_cursor_u32(cursor);
    tally->parameters = llmfp_cursor_u64(cursor);
    tally->size_bytes = llmfp_cursor_u64(cursor);
    tally->wanted_bytes = llmfp_cursor_u64(cursor);
    for (int i = 0; i < LLMFP_N_REASONS; i++) {
        tally->tensors[i] = llmfp_cursor_u64(cursor);
        tally->bytes[i] = llmfp_cursor_u64(cursor);
    }
}

/* Whether a sum is what llmfp/record.h says. Its exponents have the range that the double of
 * the widest encoding needs for its square, and much more. */
static bool sum_is_sound(const struct llmfp_sum *sum)
{
    enum { MOST_EXPONENT = 1 << 16, MOST_LIMBS = 1 << 12 };
    if (sum->exponent % LIMB_BITS != 0 || sum->exponent < -MOST_EXPONENT ||
        sum->exponent > MOST_EXPONENT || sum->n_limbs > MOST_LIMBS ||
        (sum->n_limbs == 0 && sum->exponent != 0)) {
        return false;
    }
    for (uint32_t k = 0; k + 1 < sum->n_limbs; k++) {
        if (sum->limbs[k] < 0 || sum->limbs[k] > UINT32_MAX) {
            return false;
        }
    }
    return true;
}

/* What follows uses layers as indices, and takes cells of one role for neighbours. */
static bool cells_are_sound(const struct llmfp_record *record)
{
    for (size_t i = 0; i < record->n_cells; i++) {
        const struct llmfp_record_cell *cell = &record->cells[i];
        if (cell->role[0] == '\0' || cell->layer < 0 || cell->layer >= LLMFP_PLAN_MOST_LAYERS ||
            !sum_is_sound(&cell->sum) || !sum_is_sound(&cell->squares)) {
            return false;
        }
        const struct llmfp_record_cell *before = i == 0 ? NULL : cell - 1;
        if (before != NULL && (strcmp(before->role, cell->role) == 0
                                   ? before->layer >= cell->layer
                                   : llmfp_role_compare(before->role, cell->role) >= 0)) {
            return false;
        }
    }
    return true;
}

static bool unpack_strings(struct llmfp_record *record, struct llmfp_cursor *cursor)
{
    const char **const strings[] = {&record->label,   &record->path,         &record->family,
                                    &record->parent,  &record->architecture, &record->format,
                                    &record->message, &record->source_digest};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        *strings[i] = llmfp_cursor_string(cursor, &record->arena);
        if (*strings[i] == NULL || !llmfp_utf8_valid(*strings[i], strlen(*strings[i]))) {
            return false;
        }
    }
    return true;
}

static bool unpack_cells(struct llmfp_record *record, struct llmfp_cursor *cursor, bool divided)
{
    enum { LEAST_CELL_BYTES = 4 + 4 + 7 * 8 + 2 * 8 };
    const uint64_t n_cells = llmfp_cursor_u64(cursor);
    if (n_cells > (cursor->size_bytes - cursor->offset_bytes) / LEAST_CELL_BYTES) {
        return false;
    }
    record->cells = llmfp_arena_new(&record->arena, (size_t)n_cells * sizeof *record->cells);
    if (record->cells == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < n_cells && !cursor->failed; i++) {
        unpack_cell(cursor, &record->arena, divided, &record->cells[i]);
    }
    record->n_cells = (size_t)n_cells;
    return !cursor->failed;
}

static bool unpack_part(struct llmfp_cursor *cursor, struct llmfp_record_part *part)
{
    part->number = llmfp_cursor_u32(cursor);
    part->n = llmfp_cursor_u32(cursor);
    part->low = llmfp_cursor_u64(cursor);
    part->high = llmfp_cursor_u64(cursor);
    part->stream_bytes = llmfp_cursor_u64(cursor);
    part->plan = llmfp_cursor_u64(cursor);
    return !cursor->failed && part->number >= 1 && part->number <= part->n &&
           part->n <= LLMFP_SPLIT_MOST && part->low <= part->high &&
           part->high <= part->stream_bytes;
}

enum llmfp_status llmfp_record_unpack(struct llmfp_record *record, struct llmfp_cursor *cursor,
                                      struct llmfp_error *error)
{
    *record = (struct llmfp_record){0};
    const uint32_t found = llmfp_cursor_u32(cursor);
    const bool divided = found > SLICE_VERSION;
    const uint32_t version = divided ? found - DIVIDED_VERSIONS : found;
    bool good = version == RECORD_VERSION ||
                (version == SLICE_VERSION && unpack_part(cursor, &record->part));
    good = good && unpack_strings(record, cursor);
    if (good) {
        record->fingerprint = llmfp_cursor_u64(cursor);
        const uint32_t flags = llmfp_cursor_u32(cursor);
        record->failed = (flags & FLAG_FAILED) != 0;
        record->kept = (flags & FLAG_KEPT) != 0;
        unpack_tally(cursor, &record->tally);
        good = record->tally.n_layers >= 0 && unpack_cells(record, cursor, divided) &&
               cells_are_sound(record);
    }
    if (!good) {
        llmfp_record_clear(record);
        return llmfp_fail(error, LLMFP_FATAL,
                          "a record of a finished checkpoint cannot be read (damaged, of another "
                          "version, or out of memory)");
    }
    return LLMFP_OK;
}
