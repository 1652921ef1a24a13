/* gptq.c - GPTQ: integer codes of 2, 3, 4 or 8 bits, a scale and a zero point for each
 * group of inputs of an output.
 *
 * The weight is [outputs, inputs]. Stored are 32-bit words [inputs * bits / 32][outputs]:
 * down a column of words, the codes of an output are one stream of bits, lowest first. A
 * band is the fewest rows of words that hold whole codes: 1, or 3 for 3 bits.
 *   side 0      scales [groups, outputs], F16, BF16 or F32
 *   side 1      zero points [groups, outputs], the same stream of bits along the outputs
 *   side 2      group of each input, I32 [inputs]; may be missing
 *   parameters  inputs, outputs, inputs of a group (without side 2), bits + 256 * version
 * value = scale * (code - zero), zero = stored + 1 in version 1 and stored in version 2.
 * Readers disagree about a stored zero of all ones in version 1: it is refused.
 * Source: the dequantisers of AutoGPTQ and GPTQModel.                                */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "code_lanes.h"
#include "columns.h"
#include "kernels.h"

enum { TILE = COLUMNS_HALF, MOST_BAND_ROWS = 32, MOST_BANDS = 256, MIXED = -1 };

struct task {
    const struct llmfp_sides *sides;
    uint64_t inputs;
    uint64_t outputs;
    uint64_t group_inputs;
    unsigned bits;
    unsigned zero_offset; /* added to a stored zero point */
    unsigned band_rows;   /* inputs of a band */
    unsigned band_words;
    const struct columns_kernels *kernels;
    struct column_sums *sums;
};

static struct task task_of(const struct llmfp_sides *sides)
{
    const uint64_t *p = sides->parameters;
    struct task task = {.sides = sides, .inputs = p[0], .outputs = p[1], .group_inputs = p[2]};
    task.bits = (unsigned)(p[3] & 0xFF);
    task.zero_offset = p[3] >> 8 == 1 ? 1 : 0;
    task.band_rows = task.bits == 3 ? 32 : 32 / task.bits;
    task.band_words = task.bits == 3 ? 3 : 1;
    return task;
}

static int64_t group_of(const struct task *task, uint64_t input)
{
    return task->sides->n > 2 ? (int32_t)llmfp_load_u32(task->sides->side[2].bytes + 4 * input)
                              : (int64_t)(input / task->group_inputs);
}

/* Rows of zero points are whole words, so a code that straddles bytes ends inside. */
static unsigned stored_zero(const struct task *task, uint64_t group, uint64_t output)
{
    const uint64_t bit = output * task->bits;
    const unsigned shift = (unsigned)(bit % 8);
    const unsigned char *bytes =
        task->sides->side[1].bytes + group * (task->outputs * task->bits / 8) + bit / 8;
    unsigned value = bytes[0];
    if (shift + task->bits > 8) {
        value |= (unsigned)bytes[1] << 8;
    }
    return value >> shift & ((1U << task->bits) - 1);
}

/* The group that all inputs of a band are in, or MIXED. */
static int64_t group_of_band(const struct task *task, uint64_t band)
{
    const uint64_t first = band * task->band_rows;
    const int64_t group = group_of(task, first);
    for (unsigned r = 1; r < task->band_rows; r++) {
        if (group_of(task, first + r) != group) {
            return MIXED;
        }
    }
    return group;
}

/* Zero points and scales of n <= TILE outputs of a group. */
static void set_columns(const struct task *task, struct columns *columns, uint64_t group,
                        uint64_t output, size_t n)
{
    const enum llmfp_encoding_id encoding = task->sides->side[0].encoding;
    const unsigned char *scales = task->sides->side[0].bytes;
    size_t c = 0;
    if (task->bits == 4 && output % 2 == 0) {
        const unsigned char *zeros =
            task->sides->side[1].bytes + group * (task->outputs / 2) + output / 2;
        for (; c + 2 <= n; c += 2) {
            columns->zero_point[c] = (uint8_t)((zeros[c / 2] & 15) + task->zero_offset);
            columns->zero_point[c + 1] = (uint8_t)((zeros[c / 2] >> 4) + task->zero_offset);
        }
    }
    for (; c < n; c++) {
        columns->zero_point[c] =
            (uint8_t)(stored_zero(task, group, output + c) + task->zero_offset);
    }
    if (encoding == LLMFP_F32) {
        for (size_t k = 0; k < n; k++) {
            columns->scale[k] = llmfp_load_u32(scales + 4 * (group * task->outputs + output + k));
        }
    } else {
        for (size_t k = 0; k < n; k++) {
            columns->scale[k] = llmfp_load_u16(scales + 2 * (group * task->outputs + output + k));
        }
    }
}

static void finish(const struct task *task, const struct columns *columns, size_t n, size_t count)
{
    task->kernels->finish(task->sums, columns, 0, n, (unsigned)count,
                          task->sides->side[0].encoding);
}

/* n_bands, of one group; of each, n outputs from `output` on. 2, 4 or 8 bits. */
static void add_group(const struct task *task, uint64_t group, uint64_t output,
                      const unsigned char *bytes, size_t n_bands, size_t n)
{
    struct columns columns;
    const size_t most = COLUMNS_MOST_IN_BYTE / (8 / task->bits);
    const size_t stride = 4 * (size_t)task->outputs;
    set_columns(task, &columns, group, output, n);
    for (size_t band = 0; band < n_bands; band += most) {
        const size_t rows = n_bands - band < most ? n_bands - band : most;
        task->kernels->add_words(&columns, bytes + band * stride, stride, rows, n, task->bits);
        finish(task, &columns, n, rows * task->band_rows);
    }
}

/* ---- bands of several groups ---- */

struct grouped_input {
    int64_t group;
    struct column_input input;
};

static int compare_groups(const void *a, const void *b)
{
    const struct grouped_input *x = a;
    const struct grouped_input *y = b;
    return (x->group > y->group) - (x->group < y->group);
}

/* The inputs of n_bands <= MOST_BANDS bands, group by group; 2, 4 or 8 bits. */
static size_t sort_inputs(const struct task *task, uint64_t band, size_t n_bands,
                          struct grouped_input *grouped)
{
    const size_t n = n_bands * task->band_rows;
    for (size_t i = 0; i < n; i++) {
        grouped[i].group = group_of(task, band * task->band_rows + i);
        grouped[i].input.row = (uint32_t)(i / task->band_rows);
        grouped[i].input.shift = (uint32_t)(i % task->band_rows) * task->bits;
    }
    qsort(grouped, n, sizeof *grouped, compare_groups);
    return n;
}

static void add_inputs(const struct task *task, const struct grouped_input *grouped,
                       size_t n_inputs, uint64_t output, const unsigned char *bytes, size_t n)
{
    struct columns columns;
    for (size_t i = 0; i < n_inputs;) {
        struct column_input inputs[COLUMNS_MOST_IN_BYTE];
        const int64_t group = grouped[i].group;
        size_t k = 0;
        for (; k < COLUMNS_MOST_IN_BYTE && i < n_inputs && grouped[i].group == group; k++, i++) {
            inputs[k] = grouped[i].input;
        }
        set_columns(task, &columns, (uint64_t)group, output, n);
        task->kernels->add_inputs(&columns, bytes, 4 * (size_t)task->outputs, inputs, k, n,
                                  task->bits);
        finish(task, &columns, n, k);
    }
}

static void add_mixed_bands(const struct task *task, uint64_t band, size_t n_bands, uint64_t output,
                            uint64_t n, const unsigned char *bytes)
{
    struct grouped_input grouped[MOST_BANDS * 16]; /* 2 bits: 16 inputs of a band */
    const size_t n_inputs = sort_inputs(task, band, n_bands, grouped);
    for (uint64_t c = 0; c < n; c += TILE) {
        add_inputs(task, grouped, n_inputs, output + c, bytes + 4 * c,
                   n - c < TILE ? (size_t)(n - c) : TILE);
    }
}

/* ---- 3 bits ---- */

/* The codes of one band, one byte each: [band_rows][TILE]. */
static void unpack(const struct task *task, const unsigned char *bytes, size_t n,
                   unsigned char codes[MOST_BAND_ROWS][TILE])
{
    const size_t stride = 4 * (size_t)task->outputs;
    const uint64_t mask = (1U << task->bits) - 1;
    for (size_t c = 0; c < n; c++) {
        uint64_t low =
            llmfp_load_u32(bytes + 4 * c) | (uint64_t)llmfp_load_u32(bytes + stride + 4 * c) << 32;
        uint64_t high = llmfp_load_u32(bytes + 2 * stride + 4 * c);
        for (unsigned r = 0; r < task->band_rows; r++) {
            codes[r][c] = (unsigned char)(low & mask);
            low = low >> task->bits | high << (64 - task->bits);
            high >>= task->bits;
        }
    }
}

/* One band, of any groups. */
static void add_band(const struct task *task, uint64_t band, uint64_t output,
                     const unsigned char *bytes, size_t n)
{
    unsigned char codes[MOST_BAND_ROWS][TILE];
    unpack(task, bytes, n, codes);
    struct lanes lanes;
    struct columns columns;
    for (unsigned r = 0; r < task->band_rows;) {
        const int64_t group = group_of(task, band * task->band_rows + r);
        unsigned end = r + 1;
        while (end < task->band_rows && group_of(task, band * task->band_rows + end) == group) {
            end++;
        }
        set_columns(task, &columns, (uint64_t)group, output, n);
        memcpy(lanes.zero_point, columns.zero_point, n);
        lanes_reset(&lanes, n);
        lanes_add(&lanes, codes[r], TILE, end - r, n, 0, task->bits);
        for (size_t c = 0; c < n; c++) {
            columns.sum[c] = lanes.sum[c];
            columns.squares[c] = lanes.squares[c];
            columns.zeros[c] = lanes.zeros[c];
        }
        memcpy(columns.least, lanes.least, n);
        memcpy(columns.largest, lanes.largest, n);
        finish(task, &columns, n, end - r);
        r = end;
    }
}

/* ---- all ---- */

/* How many bands from `band` on, up to `most`, are of one group, which is `group`, or each of
 * several groups (MIXED). */
static size_t count_bands(const struct task *task, uint64_t band, uint64_t most, int64_t group)
{
    uint64_t n = 1;
    while (n < most && group_of_band(task, band + n) == group) {
        n++;
    }
    return (size_t)n;
}

/* Whole bands; of each, n outputs from `output` on. `bytes` is the first word of the first. */
static void add_bands(const struct task *task, uint64_t band, uint64_t n_bands, uint64_t output,
                      uint64_t n, const unsigned char *bytes)
{
    const uint64_t last = band + n_bands;
    while (band < last) {
        const uint64_t most = last - band < MOST_BANDS ? last - band : MOST_BANDS;
        const int64_t group = task->bits == 3 ? MIXED : group_of_band(task, band);
        const size_t taken = task->bits == 3 ? 1 : count_bands(task, band, most, group);
        if (group == MIXED && task->bits != 3) {
            add_mixed_bands(task, band, taken, output, n, bytes);
        }
        for (uint64_t c = 0; c < n && (group != MIXED || task->bits == 3); c += TILE) {
            const size_t width = n - c < TILE ? (size_t)(n - c) : TILE;
            if (task->bits == 3) {
                add_band(task, band, output + c, bytes + 4 * c, width);
            } else {
                add_group(task, (uint64_t)group, output + c, bytes + 4 * c, taken, width);
            }
        }
        bytes += taken * 4 * task->outputs * task->band_words;
        band += taken;
    }
}

void llmfp_add_gptq(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct column_sums sums;
    column_sums_begin(&sums);
    struct task task = task_of(elements->sides);
    task.kernels = columns_kernels_chosen();
    task.sums = &sums;
    uint64_t rest = elements->n_elements / task.band_rows; /* columns of bands */
    uint64_t at = elements->first_element / task.band_rows;
    const unsigned char *bytes = elements->bytes;
    while (rest > 0) {
        const uint64_t output = at % task.outputs;
        uint64_t n_bands = 1;
        uint64_t n = task.outputs - output < rest ? task.outputs - output : rest;
        if (output == 0 && rest >= task.outputs) {
            n_bands = rest / task.outputs;
        }
        add_bands(&task, at / task.outputs, n_bands, output, n, bytes);
        bytes += 4 * (size_t)task.band_words * n_bands * n;
        at += n_bands * n;
        rest -= n_bands * n;
    }
    column_sums_flush(&sums, moments);
}

static enum llmfp_status check_groups(const struct task *task, uint64_t n_groups,
                                      struct llmfp_error *error)
{
    for (uint64_t i = 0; i < task->inputs; i++) {
        const int64_t group = group_of(task, i);
        if (group < 0 || (uint64_t)group >= n_groups) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "input %" PRIu64 " is in group %" PRId64 " (g_idx), but there are "
                              "%" PRIu64 " groups of scales",
                              i, group, n_groups);
        }
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_check_gptq(const struct llmfp_sides *sides, struct llmfp_error *error)
{
    const struct task task = task_of(sides);
    const uint64_t row_bytes = task.outputs * task.bits / 8;
    const uint64_t n_groups = sides->side[1].size_bytes / row_bytes;
    const unsigned all_ones = (1U << task.bits) - 1;
    for (uint64_t g = 0; task.zero_offset == 1 && g < n_groups; g++) {
        for (uint64_t c = 0; c < task.outputs; c++) {
            if (stored_zero(&task, g, c) == all_ones) {
                return llmfp_fail(error, LLMFP_CHECKPOINT,
                                  "the zero point of group %" PRIu64 ", output %" PRIu64
                                  " is stored as %u, which some readers of GPTQ take for 0 and "
                                  "others for %u; convert the checkpoint to the format gptq_v2",
                                  g, c, all_ones, all_ones + 1);
            }
        }
    }
    return check_groups(&task, n_groups, error);
}
