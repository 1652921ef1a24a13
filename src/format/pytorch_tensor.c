/* pytorch_tensor.c - sizes and strides of a tensor as order, runs and extent.
 *
 * Axes of one element play no part. The others, sorted by falling strides, are the
 * order in memory. Going inwards from there, strides that follow from the sizes are
 * dense; one larger stride is a gap, which makes the tensor a series of runs.      */
#include <inttypes.h>

#include "bytes.h"
#include "pytorch.h"
#include "size.h"

enum { MOST_AXES = 64 };

struct axis {
    uint64_t size;
    uint64_t stride; /* in elements */
    uint32_t number; /* in the shape */
};

#define SAVE_DENSE "save the model with every tensor made .contiguous()"

bool llmfp_pytorch_storage_bytes(const struct llmfp_torch_storage *storage, uint64_t *size_bytes)
{
    const uint64_t width =
        storage->type->use == LLMFP_USE_STORAGE ? storage->type->element_bytes : 1;
    return storage->n_elements >= 0 &&
           llmfp_multiply_u64((uint64_t)storage->n_elements, width, size_bytes);
}

static enum llmfp_status copy_shape(const struct llmfp_torch_tensor *tensor, uint64_t *shape,
                                    struct llmfp_tensor *out, struct llmfp_error *error)
{
    out->n_dimensions = tensor->sizes->n_items;
    for (uint32_t i = 0; i < out->n_dimensions; i++) {
        const int64_t size = tensor->sizes->items[i].as.integer;
        const int64_t stride = tensor->strides->items[i].as.integer;
        if (size < 0 || stride < 0) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "has a negative size or stride (%" PRId64 ", %" PRId64
                              " at axis %" PRIu32 ")",
                              size, stride, i);
        }
        shape[i] = (uint64_t)size;
    }
    out->shape = shape;
    if (tensor->first_element < 0) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "begins before its storage, at element %" PRId64,
                          tensor->first_element);
    }
    const enum llmfp_status status = llmfp_tensor_size(out, error);
    return status == LLMFP_OK ? status : llmfp_error_prefix(error, "has impossible sizes");
}

/* Elements from the first to the last; false when they overflow. */
static bool span_of(const struct llmfp_torch_tensor *tensor, uint64_t *span)
{
    *span = 1;
    for (uint32_t i = 0; i < tensor->sizes->n_items; i++) {
        const uint64_t size = (uint64_t)tensor->sizes->items[i].as.integer;
        const uint64_t stride = (uint64_t)tensor->strides->items[i].as.integer;
        uint64_t reach;
        if (!llmfp_multiply_u64(size - 1, stride, &reach) || !llmfp_add_u64(*span, reach, span)) {
            return false;
        }
    }
    return true;
}

/* The extent, which must lie in the storage. */
static enum llmfp_status place(const struct llmfp_torch_tensor *tensor,
                               const struct llmfp_pytorch_data *data, uint64_t width,
                               struct llmfp_tensor *out, struct llmfp_error *error)
{
    const struct llmfp_torch_storage *storage = tensor->storage;
    const uint64_t storage_width =
        storage->type->use == LLMFP_USE_STORAGE ? storage->type->element_bytes : 1;
    /* A view lies in its storage, whose bytes did not overflow. */
    const uint64_t view_offset = (uint64_t)storage->view_first * storage_width;
    const uint64_t view_bytes = (uint64_t)storage->view_elements * storage_width;
    const uint64_t first = (uint64_t)tensor->first_element;
    const uint64_t held = view_bytes / width;
    uint64_t span;
    if (!span_of(tensor, &span) || first > held || span > held - first ||
        view_offset > data->size_bytes || view_bytes > data->size_bytes - view_offset) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "does not lie in its storage: by its offset (%" PRIu64
                          "), sizes and strides it reaches beyond the %" PRIu64
                          " elements that are there",
                          first, held);
    }
    out->data.offset_bytes = data->offset_bytes + view_offset + first * width;
    out->data.size_bytes = span * width;
    return LLMFP_OK;
}

/* The axes with more than one element, the largest stride first. */
static uint32_t sort_axes(const struct llmfp_torch_tensor *tensor, struct axis *axes)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < tensor->sizes->n_items; i++) {
        const struct axis axis = {(uint64_t)tensor->sizes->items[i].as.integer,
                                  (uint64_t)tensor->strides->items[i].as.integer, i};
        if (axis.size == 1) {
            continue;
        }
        uint32_t at = n++;
        for (; at > 0 && axes[at - 1].stride < axis.stride; at--) {
            axes[at] = axes[at - 1];
        }
        axes[at] = axis;
    }
    return n;
}

static enum llmfp_order order_of(const struct axis *axes, uint32_t n, uint32_t n_dimensions)
{
    uint32_t misplaced = 0;
    for (uint32_t i = 1; i < n; i++) {
        misplaced += axes[i].number < axes[i - 1].number;
    }
    if (misplaced == 0) {
        return LLMFP_ORDER_ROWS;
    }
    const bool last_two = misplaced == 1 && axes[n - 1].number == n_dimensions - 2 &&
                          axes[n - 2].number == n_dimensions - 1;
    return last_two ? LLMFP_ORDER_COLUMNS : LLMFP_ORDER_OTHER;
}

/* Runs and pitch, from the innermost axis outwards. */
static enum llmfp_status find_runs(const struct axis *axes, uint32_t n, uint64_t width,
                                   uint64_t n_elements, struct llmfp_storage *storage,
                                   struct llmfp_error *error)
{
    uint64_t run = 1;
    uint64_t dense = 1; /* the stride that leaves no gap */
    uint64_t pitch = 0;
    for (uint32_t i = n; i-- > 0;) {
        const struct axis *axis = &axes[i];
        if (axis->stride < dense) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "is expanded, or overlaps itself (stride %" PRIu64 " at axis %" PRIu32
                              "); " SAVE_DENSE,
                              axis->stride, axis->number);
        }
        if (axis->stride > dense && pitch != 0) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "is a view with gaps along more than one axis, which is not "
                              "supported; " SAVE_DENSE);
        }
        pitch = axis->stride > dense ? axis->stride : pitch;
        run *= pitch == 0 ? axis->size : 1;
        /* The span did not overflow, so this cannot exceed twice of it by much. */
        if (!llmfp_multiply_u64(axis->stride, axis->size, &dense)) {
            dense = UINT64_MAX;
        }
    }
    if (pitch == 0) {
        return LLMFP_OK;
    }
    if (n_elements / run > LLMFP_PYTORCH_MOST_RUNS) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "is a view in %" PRIu64
                          " pieces, of which at most %d are read; " SAVE_DENSE,
                          n_elements / run, LLMFP_PYTORCH_MOST_RUNS);
    }
    storage->run_elements = run;
    storage->pitch_bytes = pitch * width;
    return LLMFP_OK;
}

enum llmfp_status llmfp_pytorch_place(const struct llmfp_torch_tensor *tensor,
                                      const struct llmfp_pytorch_data *data, uint64_t *shape,
                                      struct llmfp_storage *storage, struct llmfp_tensor *out,
                                      struct llmfp_error *error)
{
    struct axis axes[MOST_AXES];
    const uint64_t width = tensor->type->element_bytes;
    out->encoding = tensor->type->encoding;
    enum llmfp_status status = copy_shape(tensor, shape, out, error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (out->n_elements == 0) {
        out->data.offset_bytes = data->offset_bytes;
        return LLMFP_OK;
    }
    status = place(tensor, data, width, out, error);
    if (status != LLMFP_OK) {
        return status;
    }
    const uint32_t n = sort_axes(tensor, axes);
    *storage = (struct llmfp_storage){.order = order_of(axes, n, out->n_dimensions)};
    status = find_runs(axes, n, width, out->n_elements, storage, error);
    const bool usual = storage->order == LLMFP_ORDER_ROWS && storage->run_elements == 0;
    out->storage = usual ? NULL : storage;
    return status;
}
