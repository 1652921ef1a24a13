/* layout.c - the arithmetic of fused tensors. A cut is made only when every size
 * that it needs is known and they add up to the axis; otherwise a note says what
 * was expected and what was found.                                             */
#include "layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "stored_axis.h"

enum { NOTE_BYTES = 320 };

/* The axis that is cut, and what the head counts are in this block.            */
struct axis {
    struct llmfp_stored_axis stored;
    uint64_t heads;
    uint64_t kv_heads;
    char note[NOTE_BYTES]; /* "" while all is well */
};

static const char *const size_names[N_SIZES] = {
    [SIZE_HEADS] = "the number of attention heads",
    [SIZE_KV_HEADS] = "the number of key/value heads",
    [SIZE_HEAD] = "the head size",
    [SIZE_ALL_HEADS] = "the number of attention heads or the head size",
    [SIZE_ALL_KV_HEADS] = "the number of key/value heads or the head size",
    [SIZE_GROUP_HEADS] = "the number of attention heads per key/value head, or the head size",
    [SIZE_THIRD_OF_HEAD] = "the number of attention heads",
    [SIZE_QUARTER_HEADS] = "the number of attention heads or the head size",
};

/* a / b when that is a whole number, else 0. */
static uint64_t whole_quotient(uint64_t a, uint64_t b)
{
    return b != 0 && a % b == 0 ? a / b : 0;
}

/* The size in rows of the axis; 0 when it is not known or not whole. Sizes of a
 * configuration are at most 2^31, so a product of two fits.                    */
static uint64_t size_value(const struct llmfp_configuration *configuration, const struct axis *axis,
                           enum llmfp_size size)
{
    const uint64_t head = configuration->head_size;
    switch (size) {
    case SIZE_ONE:
        return 1;
    case SIZE_FOUR:
        return 4;
    case SIZE_HEADS:
        return axis->heads;
    case SIZE_KV_HEADS:
        return axis->kv_heads;
    case SIZE_HEAD:
        return head;
    case SIZE_ALL_HEADS:
        return axis->heads * head;
    case SIZE_ALL_KV_HEADS:
        return axis->kv_heads * head;
    case SIZE_GROUP_HEADS:
        return whole_quotient(axis->heads, axis->kv_heads) * head;
    case SIZE_QUARTER_HEADS:
        return whole_quotient(axis->heads * head, 4);
    case SIZE_HALF_OF_AXIS:
        return whole_quotient(axis->stored.length, 2);
    case SIZE_THIRD_OF_AXIS:
        return whole_quotient(axis->stored.length, 3);
    case SIZE_THIRD_OF_HEAD:
        return whole_quotient(axis->stored.length, 3 * axis->heads);
    case N_SIZES:
        break;
    }
    return 0;
}

/* Which of the last two axes is cut; false (with a note) when that is not clear. */
static bool choose_axis(const struct llmfp_layout *layout, uint64_t hidden, uint64_t rows,
                        uint64_t columns, bool *cut_columns, char *note)
{
    *cut_columns = layout->axis == AXIS_COLUMNS;
    if (layout->axis == AXIS_ROWS || layout->axis == AXIS_COLUMNS) {
        return true;
    }
    if (hidden == 0) {
        (void)snprintf(note, NOTE_BYTES,
                       "not split: which axis holds the outputs follows from the hidden size, "
                       "which is not known");
        return false;
    }
    *cut_columns = rows == hidden && columns != hidden;
    const bool both = rows == hidden && columns == hidden;
    if ((rows != hidden && columns != hidden) || (both && layout->axis == AXIS_NOT_HIDDEN)) {
        (void)snprintf(note, NOTE_BYTES,
                       "not split: one axis of %" PRIu64 " x %" PRIu64
                       " must be the hidden size %" PRIu64 ", and only one",
                       rows, columns, hidden);
        return false;
    }
    return true;
}

/* Find the axis in the shape. */
static bool find_axis(const struct llmfp_layout *layout, uint64_t hidden,
                      const struct llmfp_tensor *tensor, bool is_bias, struct axis *axis)
{
    const uint32_t n = tensor->n_dimensions;
    const uint32_t matrix_axes = is_bias ? 1 : 2;
    if (layout->stacked ? n <= matrix_axes : n != matrix_axes) {
        (void)snprintf(
            axis->note, NOTE_BYTES, "not split: %s%" PRIu32 " axes expected, %" PRIu32 " found",
            layout->stacked ? "at least " : "", layout->stacked ? matrix_axes + 1 : matrix_axes, n);
        return false;
    }
    if (llmfp_tensor_storage(tensor)->order == LLMFP_ORDER_OTHER) {
        (void)snprintf(axis->note, NOTE_BYTES,
                       "not split: the axes are stored in an order that is neither by rows nor by "
                       "columns");
        return false;
    }
    if (is_bias) {
        axis->stored = llmfp_stored_axis(tensor, true);
        return true;
    }
    const uint64_t rows = tensor->shape[n - 2];
    const uint64_t columns = tensor->shape[n - 1];
    bool cut_columns = false;
    if (!choose_axis(layout, hidden, rows, columns, &cut_columns, axis->note)) {
        return false;
    }
    axis->stored = llmfp_stored_axis(tensor, cut_columns);
    if (layout->inputs_are_hidden && hidden != 0 && axis->stored.across != hidden) {
        (void)snprintf(axis->note, NOTE_BYTES,
                       "not split: %s of %" PRIu64 " expected (the hidden size in config.json), "
                       "%" PRIu64 " found",
                       cut_columns ? "rows" : "columns", hidden, axis->stored.across);
        return false;
    }
    return true;
}

/* What the axis must be in all, beside the sum of the parts. */
static bool check_whole(const struct llmfp_layout *layout,
                        const struct llmfp_configuration *configuration, struct axis *axis)
{
    uint64_t expected = 0;
    const char *what = "";
    if (layout->whole == WHOLE_3_HIDDEN) {
        expected = 3 * configuration->hidden;
        what = "3 times the hidden size";
    } else if (layout->whole == WHOLE_2_FEED_FORWARD) {
        expected = 2 * configuration->feed_forward;
        what = "twice the feed-forward width";
    }
    if (expected == 0 || expected == axis->stored.length) {
        return true;
    }
    (void)snprintf(axis->note, NOTE_BYTES,
                   "not split: %" PRIu64 " outputs expected (%s in config.json), %" PRIu64 " found",
                   expected, what, axis->stored.length);
    return false;
}

static bool note_unknown(struct axis *axis, const struct llmfp_configuration *configuration,
                         enum llmfp_size size)
{
    if (size == SIZE_HALF_OF_AXIS || size == SIZE_THIRD_OF_AXIS) {
        (void)snprintf(axis->note, NOTE_BYTES,
                       "not split: %" PRIu64 " outputs are no multiple of %d", axis->stored.length,
                       size == SIZE_HALF_OF_AXIS ? 2 : 3);
    } else if (!configuration->present) {
        (void)snprintf(axis->note, NOTE_BYTES,
                       "not split: %s is not known, there is no config.json", size_names[size]);
    } else {
        (void)snprintf(axis->note, NOTE_BYTES,
                       "not split: %s does not follow from config.json (heads %" PRIu64
                       ", key/value heads %" PRIu64 ", head size %" PRIu64 "; 0: not known)",
                       size_names[size], axis->heads, axis->kv_heads, configuration->head_size);
    }
    return false;
}

static bool note_sum(struct axis *axis, const struct llmfp_configuration *configuration,
                     bool fits_64_bits, uint64_t expected)
{
    char sum[32] = "too many";
    if (fits_64_bits) {
        (void)snprintf(sum, sizeof sum, "%" PRIu64, expected);
    }
    (void)snprintf(axis->note, NOTE_BYTES,
                   "not split: %s outputs expected from config.json (heads %" PRIu64
                   ", key/value heads %" PRIu64 ", head size %" PRIu64 "), %" PRIu64 " found",
                   sum, axis->heads, axis->kv_heads, configuration->head_size, axis->stored.length);
    return false;
}

/* Repeat, and the parts in rows of the axis (not yet elements); they must add up. */
static bool size_parts(const struct llmfp_layout *layout,
                       const struct llmfp_configuration *configuration, struct axis *axis,
                       struct llmfp_cut *cut)
{
    /* An empty axis has no halves: it is cut into empty parts. */
    const bool of_axis = layout->parts[0].size == SIZE_HALF_OF_AXIS ||
                         layout->parts[0].size == SIZE_THIRD_OF_AXIS ||
                         layout->repeat == SIZE_HALF_OF_AXIS;
    if (axis->stored.length == 0 && of_axis) {
        cut->repeat = 1;
        return true;
    }
    cut->repeat = size_value(configuration, axis, layout->repeat);
    if (cut->repeat == 0) {
        return note_unknown(axis, configuration, layout->repeat);
    }
    uint64_t group = 0;
    for (unsigned i = 0; i < layout->n_parts; i++) {
        const uint64_t size = size_value(configuration, axis, layout->parts[i].size);
        if (size == 0) {
            return note_unknown(axis, configuration, layout->parts[i].size);
        }
        if (!llmfp_add_u64(group, size, &group)) {
            return note_sum(axis, configuration, false, 0);
        }
        cut->run_elements[i] = size;
    }
    uint64_t expected = 0;
    const bool fits = llmfp_multiply_u64(cut->repeat, group, &expected);
    return (fits && expected == axis->stored.length) ||
           note_sum(axis, configuration, fits, expected);
}

/* Parts must end where blocks and stored runs end, or the bytes cannot be told apart. */
static bool check_runs(const struct llmfp_layout *layout, const struct llmfp_tensor *tensor,
                       struct axis *axis, const struct llmfp_cut *cut)
{
    const uint64_t block = llmfp_tensor_block(tensor).elements;
    const uint64_t unit = axis->stored.unit;
    for (unsigned i = 0; i < layout->n_parts; i++) {
        const uint64_t run = cut->run_elements[i];
        if (!llmfp_stored_axis_fits(&axis->stored, tensor, run)) {
            (void)snprintf(axis->note, NOTE_BYTES,
                           "not split: a part of %" PRIu64 " elements ends inside one of its "
                           "blocks of %" PRIu64 " elements",
                           run, unit > block ? unit : block);
            return false;
        }
    }
    return true;
}

static enum llmfp_status keep_note(struct llmfp_cut *cut, const char *note,
                                   struct llmfp_arena *arena, struct llmfp_error *error)
{
    cut->note = llmfp_arena_string(arena, note, strlen(note));
    return cut->note == NULL ? llmfp_fail_memory(error, strlen(note) + 1, "a note") : LLMFP_OK;
}

enum llmfp_status llmfp_layout_cut(const struct llmfp_layout *layout,
                                   const struct llmfp_configuration *configuration, uint64_t layer,
                                   const struct llmfp_tensor *tensor, bool is_bias,
                                   struct llmfp_arena *arena, struct llmfp_cut *cut,
                                   struct llmfp_error *error)
{
    *cut = (struct llmfp_cut){.note = layout->unknown};
    if (layout->unknown != NULL) {
        return LLMFP_OK;
    }
    struct axis axis = {.heads = configuration->heads, .kv_heads = configuration->kv_heads};
    if (configuration->n_listed_layers != 0) {
        const bool listed = layer < configuration->n_listed_layers;
        axis.heads = listed ? configuration->layer_heads[layer] : 0;
        axis.kv_heads = listed ? configuration->layer_kv_heads[layer] : 0;
    }
    if (!find_axis(layout, configuration->hidden, tensor, is_bias, &axis) ||
        !check_whole(layout, configuration, &axis) ||
        !size_parts(layout, configuration, &axis, cut)) {
        return keep_note(cut, axis.note, arena, error);
    }
    if (tensor->n_elements == 0) {
        *cut = (struct llmfp_cut){.repeat = 1};
        return LLMFP_OK;
    }
    /* All factors divide n_elements: no product here can wrap. */
    cut->repeat *= tensor->n_elements / (axis.stored.length * axis.stored.inner);
    for (unsigned i = 0; i < layout->n_parts; i++) {
        cut->run_elements[i] *= axis.stored.inner;
    }
    return check_runs(layout, tensor, &axis, cut) ? LLMFP_OK
                                                  : keep_note(cut, axis.note, arena, error);
}
