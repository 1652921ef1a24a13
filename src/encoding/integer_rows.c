/* integer_rows.c - the integers of compressed-tensors, and of bitsandbytes' LLM.int8: codes row
 * by row, a scale for each group of a row.
 *
 * The weight is [rows, columns] in row-major order. Codes of 4 bits lie in 32-bit words,
 * lowest first, and each row begins a word; codes of 8 bits are bytes.
 *   side 0      scales [scale rows, groups], F16, BF16 or F32; one scale row: of all rows
 *   side z      zero points, may be missing: I8 [scale rows, groups], or I32
 *               [ceil(scale rows * bits / 32), groups] with codes along the rows
 *   side g      group of each column, I32 [columns]; may be missing
 *   parameters  columns, columns of a group (without side g), groups + 2^32 where each row
 *               has scales of its own, bits + 2^8 * kind + 2^16 * z + 2^24 * g (0: missing)
 * value = scale * (code - zero point). Of kind 0 (packed) 2^(bits - 1) is taken off codes
 * and packed zero points first; codes of kinds 1 and 2 are signed bytes. The scales of kind 2
 * are magnitudes, and the tensor has a divisor (llmfp/divisor.h): what is added are numerators.
 * Sources: compressed-tensors' pack-quantized and int-quantized; bitsandbytes' int8_vectorwise
 * functions, whose value is code * absmax of the row / 127.                          */
#include <inttypes.h>
#include <math.h>

#include "integer_groups.h"
#include "kernels.h"

struct task {
    const struct llmfp_sides *sides;
    uint64_t columns;
    uint64_t group_columns;
    uint64_t groups;
    bool rows_have_scales;
    unsigned bits;
    bool packed;
    bool magnitudes; /* scales are the largest magnitudes of rows */
    unsigned zero_side;
    unsigned group_side;
    struct scaled_bins *bins;
};

static struct task task_of(const struct llmfp_sides *sides)
{
    const uint64_t *p = sides->parameters;
    return (struct task){.sides = sides,
                         .columns = p[0],
                         .group_columns = p[1],
                         .groups = (uint32_t)p[2],
                         .rows_have_scales = p[2] >> 32 != 0,
                         .bits = (unsigned)(p[3] & 0xFF),
                         .packed = (p[3] >> 8 & 0xFF) == 0,
                         .magnitudes = (p[3] >> 8 & 0xFF) == 2,
                         .zero_side = (unsigned)(p[3] >> 16 & 0xFF),
                         .group_side = (unsigned)(p[3] >> 24 & 0xFF)};
}

static int64_t group_of(const struct task *task, uint64_t column)
{
    return task->group_side != 0
               ? (int32_t)llmfp_load_u32(task->sides->side[task->group_side].bytes + 4 * column)
               : (int64_t)(column / task->group_columns);
}

static int64_t zero_at(const struct task *task, uint64_t row, uint64_t group)
{
    if (task->zero_side == 0) {
        return 0;
    }
    const unsigned char *bytes = task->sides->side[task->zero_side].bytes;
    if (task->sides->side[task->zero_side].encoding == LLMFP_I8) {
        return (int8_t)bytes[row * task->groups + group];
    }
    const uint64_t per_word = 32 / task->bits;
    const uint32_t word = llmfp_load_u32(bytes + 4 * (row / per_word * task->groups + group));
    const uint32_t code = word >> (row % per_word * task->bits) & ((1U << task->bits) - 1);
    return (int64_t)code - (INT64_C(1) << (task->bits - 1));
}

/* Code `i` from the byte `bytes` on. */
static int64_t code_at(const struct task *task, const unsigned char *bytes, uint64_t i)
{
    if (task->bits == 4) {
        return (bytes[i / 2] >> (i % 2 * 4) & 15) - 8;
    }
    return task->packed ? bytes[i] - 128 : (int8_t)bytes[i];
}

/* Codes `first` to `end` from `bytes` on, which share a scale. */
static void add_codes(const struct task *task, const unsigned char *bytes, uint64_t first,
                      uint64_t end, uint64_t row, uint64_t group)
{
    const uint64_t scale_row = task->rows_have_scales ? row : 0;
    const int64_t zero = zero_at(task, scale_row, group);
    struct integers all = {.n = (int64_t)(end - first), .least = INT64_MAX, .largest = INT64_MIN};
    for (uint64_t i = first; i < end; i++) {
        const int64_t d = code_at(task, bytes, i) - zero;
        all.sum += d;
        all.squares += d * d;
        all.zeros += d == 0 ? 1 : 0;
        all.least = d < all.least ? d : all.least;
        all.largest = d > all.largest ? d : all.largest;
    }
    scaled_bins_add_integers(task->bins,
                             side_scale_at(task->sides, 0, scale_row * task->groups + group), &all);
}

/* Columns `column` to `end` of a row; `bytes` is where the first of them lies. */
static void add_row(const struct task *task, const unsigned char *bytes, uint64_t row,
                    uint64_t column, uint64_t end)
{
    const uint64_t start = column;
    while (column < end) {
        const int64_t group = group_of(task, column);
        uint64_t stop = column + 1;
        if (task->group_side == 0) {
            stop = ((uint64_t)group + 1) * task->group_columns;
            stop = stop < end ? stop : end;
        }
        while (task->group_side != 0 && stop < end && group_of(task, stop) == group) {
            stop++;
        }
        add_codes(task, bytes, column - start, stop - start, row, (uint64_t)group);
        column = stop;
    }
}

void llmfp_add_integer_rows(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct scaled_bins bins;
    scaled_bins_begin(&bins, GROUPS_LOWEST, GROUPS_BINS);
    struct task task = task_of(elements->sides);
    task.bins = &bins;
    const uint64_t per_byte = 8 / task.bits;
    const uint64_t words = task.columns / (4 * per_byte) + (task.columns % (4 * per_byte) != 0);
    const uint64_t row_bytes = task.packed ? 4 * words : task.columns;
    uint64_t at = elements->first_element;
    uint64_t rest = elements->n_elements;
    const unsigned char *bytes = elements->bytes;
    while (rest > 0) {
        const uint64_t column = at % task.columns;
        const uint64_t n = task.columns - column < rest ? task.columns - column : rest;
        add_row(&task, bytes, at / task.columns, column, column + n);
        bytes += row_bytes - column / per_byte;
        at += n;
        rest -= n;
    }
    scaled_bins_flush(&bins, moments);
}

static enum llmfp_status check_magnitudes(const struct llmfp_sides *sides,
                                          struct llmfp_error *error)
{
    const uint64_t n = sides->side[0].size_bytes / sizeof(float);
    for (uint64_t row = 0; row < n; row++) {
        const struct side_scale scale = side_scale_at(sides, 0, row);
        if (scale.finite && scale.mantissa < 0) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "the largest magnitude of row %" PRIu64
                              " (SCB) is negative, %.9g: the file is damaged",
                              row, ldexp((double)scale.mantissa, scale.exponent));
        }
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_check_integer_rows(const struct llmfp_sides *sides,
                                           struct llmfp_error *error)
{
    const struct task task = task_of(sides);
    if (task.magnitudes) {
        return check_magnitudes(sides, error);
    }
    for (uint64_t i = 0; task.group_side != 0 && i < task.columns; i++) {
        const int64_t group = group_of(&task, i);
        if (group < 0 || (uint64_t)group >= task.groups) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "column %" PRIu64 " is in group %" PRId64
                              " (weight_g_idx), but there "
                              "are %" PRIu64 " groups of scales",
                              i, group, task.groups);
        }
    }
    return LLMFP_OK;
}
