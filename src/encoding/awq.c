/* awq.c - AWQ, version GEMM: codes of 4 bits, a scale and a zero point for each group of
 * inputs of an output.
 *
 * The weight is [outputs, inputs], stored as 32-bit words [inputs][outputs / 8]. Nibble k
 * of a word, lowest first, is output (0, 2, 4, 6, 1, 3, 5, 7)[k] of its 8.
 *   side 0      scales [groups, outputs], F16, BF16 or F32
 *   side 1      zero points [groups][outputs / 8] words, packed as the codes are
 *   parameters  inputs, outputs, inputs of a group
 * value = scale * (code - zero point).
 * Source: the dequantiser of AutoAWQ.                                                */
#include "columns.h"
#include "kernels.h"

/* Of the low nibble of each byte of a word; that of the high nibble is 2 more. */
static const uint8_t output_of_byte[4] = {0, 4, 1, 5};

struct task {
    const struct llmfp_sides *sides;
    uint64_t outputs;
    uint64_t group_inputs;
    const struct columns_kernels *kernels;
    struct column_sums *sums;
};

/* Zero points and scales of the nibbles of n bytes, from byte `first` of a group's row on. */
static void set_columns(const struct task *task, struct columns *columns, uint64_t group,
                        uint64_t first, size_t n)
{
    const unsigned char *zeros = task->sides->side[1].bytes + group * (task->outputs / 2) + first;
    const enum llmfp_encoding_id encoding = task->sides->side[0].encoding;
    const unsigned char *scales = task->sides->side[0].bytes;
    for (size_t p = 0; p < n; p++) {
        columns->zero_point[p] = zeros[p] & 15;
        columns->zero_point[COLUMNS_HALF + p] = zeros[p] >> 4;
    }
    const uint64_t output = group * task->outputs + 2 * first;
    for (size_t p = 0; p < n; p++) {
        const uint64_t low = output + p / 4 * 8 + output_of_byte[p % 4];
        columns->scale[p] = side_pattern_of(encoding, scales, low);
        columns->scale[COLUMNS_HALF + p] = side_pattern_of(encoding, scales, low + 2);
    }
}

/* Whole inputs from `input` on; of each, n bytes (whole words) from byte `first` on. */
static void add_inputs(const struct task *task, uint64_t input, uint64_t n_inputs, uint64_t first,
                       uint64_t n, const unsigned char *bytes)
{
    const enum llmfp_encoding_id scales = task->sides->side[0].encoding;
    while (n_inputs > 0) {
        const uint64_t group = input / task->group_inputs;
        uint64_t n_rows = (group + 1) * task->group_inputs - input;
        n_rows = n_rows < n_inputs ? n_rows : n_inputs;
        n_rows = n_rows < COLUMNS_MOST_IN_BYTE ? n_rows : COLUMNS_MOST_IN_BYTE;
        for (uint64_t p = 0; p < n; p += COLUMNS_HALF) {
            struct columns columns;
            const size_t width = n - p < COLUMNS_HALF ? (size_t)(n - p) : COLUMNS_HALF;
            set_columns(task, &columns, group, first + p, width);
            task->kernels->add_nibbles(&columns, bytes + p, (size_t)task->outputs / 2,
                                       (size_t)n_rows, width);
            task->kernels->finish(task->sums, &columns, 0, width, (unsigned)n_rows, scales);
            task->kernels->finish(task->sums, &columns, COLUMNS_HALF, width, (unsigned)n_rows,
                                  scales);
        }
        bytes += n_rows * (task->outputs / 2);
        input += n_rows;
        n_inputs -= n_rows;
    }
}

void llmfp_add_awq(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct column_sums sums;
    column_sums_begin(&sums);
    const uint64_t *p = elements->sides->parameters;
    const struct task task = {elements->sides, p[1], p[2], columns_kernels_chosen(), &sums};
    const uint64_t row_bytes = task.outputs / 2;
    uint64_t rest = elements->n_elements / 2; /* bytes */
    uint64_t at = elements->first_element / 2;
    const unsigned char *bytes = elements->bytes;
    while (rest > 0) {
        const uint64_t first = at % row_bytes;
        uint64_t n_inputs = 1;
        const uint64_t n = row_bytes - first < rest ? row_bytes - first : rest;
        if (first == 0 && rest >= row_bytes) {
            n_inputs = rest / row_bytes;
        }
        add_inputs(&task, at / row_bytes, n_inputs, first, n, bytes);
        bytes += n_inputs * n;
        at += n_inputs * n;
        rest -= n_inputs * n;
    }
    column_sums_flush(&sums, moments);
}
