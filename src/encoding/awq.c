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
#include "code_lanes.h"
#include "integer_groups.h"
#include "kernels.h"

static const uint8_t output_of_nibble[8] = {0, 2, 4, 6, 1, 3, 5, 7};

struct task {
    const struct llmfp_sides *sides;
    uint64_t outputs;
    uint64_t group_inputs;
    struct scaled_bins *bins;
};

/* n_rows inputs of one group; n <= LANES bytes from byte `first` of the rows on. */
static void add_tile(const struct task *task, uint64_t group, uint64_t first,
                     const unsigned char *bytes, size_t n_rows, size_t n)
{
    struct lanes lanes;
    const unsigned char *zeros = task->sides->side[1].bytes + group * task->outputs / 2 + first;
    for (unsigned half = 0; half < 2; half++) {
        for (size_t p = 0; p < n; p++) {
            lanes.zero_point[p] = (uint8_t)(zeros[p] >> (4 * half) & 15);
        }
        lanes_reset(&lanes, n);
        lanes_add(&lanes, bytes, (size_t)task->outputs / 2, n_rows, n, 4 * half, 4);
        for (size_t p = 0; p < n; p++) {
            const uint64_t output =
                (first + p) / 4 * 8 + output_of_nibble[2 * ((first + p) % 4) + half];
            const struct integers integers =
                lanes_integers(&lanes, p, (int64_t)n_rows, lanes.zero_point[p]);
            scaled_bins_add_integers(task->bins,
                                     side_scale_at(task->sides, 0, group * task->outputs + output),
                                     &integers);
        }
    }
}

/* Whole inputs from `input` on; of each, n bytes from `first` on. */
static void add_inputs(const struct task *task, uint64_t input, uint64_t n_inputs, uint64_t first,
                       uint64_t n, const unsigned char *bytes)
{
    while (n_inputs > 0) {
        const uint64_t group = input / task->group_inputs;
        uint64_t n_rows = (group + 1) * task->group_inputs - input;
        n_rows = n_rows < n_inputs ? n_rows : n_inputs;
        n_rows = n_rows < LANES_MOST_ROWS ? n_rows : LANES_MOST_ROWS;
        for (uint64_t p = 0; p < n; p += LANES) {
            add_tile(task, group, first + p, bytes + p, (size_t)n_rows,
                     n - p < LANES ? (size_t)(n - p) : LANES);
        }
        bytes += n_rows * (task->outputs / 2);
        input += n_rows;
        n_inputs -= n_rows;
    }
}

void llmfp_add_awq(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct scaled_bins bins;
    scaled_bins_begin(&bins, GROUPS_LOWEST, GROUPS_BINS);
    const uint64_t *p = elements->sides->parameters;
    const struct task task = {elements->sides, p[1], p[2], &bins};
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
    scaled_bins_flush(&bins, moments);
}
