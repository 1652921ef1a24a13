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

#include "code_lanes.h"
#include "integer_groups.h"
#include "kernels.h"

enum { TILE = LANES / 4, MOST_BAND_ROWS = 32, MIXED = -1 };

struct task {
    const struct llmfp_sides *sides;
    uint64_t inputs;
    uint64_t outputs;
    uint64_t group_inputs;
    unsigned bits;
    unsigned zero_offset; /* added to a stored zero point */
    unsigned band_rows;   /* inputs of a band */
    unsigned band_words;
    struct scaled_bins *bins;
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

static void join(struct integers *all, const struct integers *more)
{
    const bool first = all->n == 0;
    all->least = first || more->least < all->least ? more->least : all->least;
    all->largest = first || more->largest > all->largest ? more->largest : all->largest;
    all->n += more->n;
    all->zeros += more->zeros;
    all->sum += more->sum;
    all->squares += more->squares;
}

static void give(const struct task *task, uint64_t group, uint64_t output,
                 const struct integers *integers, size_t n)
{
    for (size_t c = 0; c < n; c++) {
        scaled_bins_add_integers(task->bins,
                                 side_scale_at(task->sides, 0, group * task->outputs + output + c),
                                 &integers[c]);
    }
}

/* n_rows of words, n <= TILE outputs, all of one group; 2, 4 or 8 bits. */
static void add_tile(const struct task *task, uint64_t group, uint64_t output,
                     const unsigned char *bytes, size_t n_rows, size_t n)
{
    struct lanes lanes;
    struct integers integers[TILE];
    memset(integers, 0, n * sizeof integers[0]);
    unsigned zero[TILE];
    for (size_t c = 0; c < n; c++) {
        zero[c] = stored_zero(task, group, output + c) + task->zero_offset;
        memset(lanes.zero_point + 4 * c, (int)zero[c], 4);
    }
    for (unsigned shift = 0; shift < 8; shift += task->bits) {
        lanes_reset(&lanes, 4 * n);
        lanes_add(&lanes, bytes, 4 * (size_t)task->outputs, n_rows, 4 * n, shift, task->bits);
        for (size_t lane = 0; lane < 4 * n; lane++) {
            const struct integers one =
                lanes_integers(&lanes, lane, (int64_t)n_rows, zero[lane / 4]);
            join(&integers[lane / 4], &one);
        }
    }
    give(task, group, output, integers, n);
}

/* The codes of one band, one byte each: [band_rows][TILE]. */
static void unpack(const struct task *task, const unsigned char *bytes, size_t n,
                   unsigned char codes[MOST_BAND_ROWS][TILE])
{
    const size_t stride = 4 * (size_t)task->outputs;
    const uint64_t mask = (1U << task->bits) - 1;
    for (size_t c = 0; c < n; c++) {
        uint64_t low = llmfp_load_u32(bytes + 4 * c);
        uint64_t high = 0;
        if (task->band_words == 3) {
            low |= (uint64_t)llmfp_load_u32(bytes + stride + 4 * c) << 32;
            high = llmfp_load_u32(bytes + 2 * stride + 4 * c);
        }
        for (unsigned r = 0; r < task->band_rows; r++) {
            codes[r][c] = (unsigned char)(low & mask);
            low = low >> task->bits | high << (64 - task->bits);
            high >>= task->bits;
        }
    }
}

/* One band of any bits and of any groups. */
static void add_band(const struct task *task, uint64_t band, uint64_t output,
                     const unsigned char *bytes, size_t n)
{
    unsigned char codes[MOST_BAND_ROWS][TILE];
    unpack(task, bytes, n, codes);
    struct lanes lanes;
    struct integers integers[TILE];
    for (unsigned r = 0; r < task->band_rows;) {
        const int64_t group = group_of(task, band * task->band_rows + r);
        unsigned end = r + 1;
        while (end < task->band_rows && group_of(task, band * task->band_rows + end) == group) {
            end++;
        }
        for (size_t c = 0; c < n; c++) {
            lanes.zero_point[c] =
                (uint8_t)(stored_zero(task, (uint64_t)group, output + c) + task->zero_offset);
        }
        lanes_reset(&lanes, n);
        lanes_add(&lanes, codes[r], TILE, end - r, n, 0, task->bits);
        for (size_t c = 0; c < n; c++) {
            integers[c] = lanes_integers(&lanes, c, end - r, lanes.zero_point[c]);
        }
        give(task, (uint64_t)group, output, integers, n);
        r = end;
    }
}

/* Whole bands; of each, n outputs from `output` on. `bytes` is the first word of the first. */
static void add_bands(const struct task *task, uint64_t band, uint64_t n_bands, uint64_t output,
                      uint64_t n, const unsigned char *bytes)
{
    const uint64_t band_bytes = 4 * task->outputs * task->band_words;
    const uint64_t last = band + n_bands;
    while (band < last) {
        const int64_t group = task->band_words == 1 ? group_of_band(task, band) : MIXED;
        uint64_t end = band + 1;
        while (group != MIXED && end < last && end - band < LANES_MOST_ROWS &&
               group_of_band(task, end) == group) {
            end++;
        }
        for (uint64_t c = 0; c < n; c += TILE) {
            const size_t width = n - c < TILE ? (size_t)(n - c) : TILE;
            if (group == MIXED) {
                add_band(task, band, output + c, bytes + 4 * c, width);
            } else {
                add_tile(task, (uint64_t)group, output + c, bytes + 4 * c, (size_t)(end - band),
                         width);
            }
        }
        bytes += (end - band) * band_bytes;
        band = end;
    }
}

void llmfp_add_gptq(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct scaled_bins bins;
    scaled_bins_begin(&bins, GROUPS_LOWEST, GROUPS_BINS);
    struct task task = task_of(elements->sides);
    task.bins = &bins;
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
    scaled_bins_flush(&bins, moments);
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
