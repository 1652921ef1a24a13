/* stored_axis.c - see stored_axis.h; the orders are those of llmfp/catalog.h. */
#include "stored_axis.h"

struct llmfp_stored_axis llmfp_stored_axis(const struct llmfp_tensor *tensor, bool columns)
{
    const struct llmfp_storage *storage = llmfp_tensor_storage(tensor);
    const uint32_t n = tensor->n_dimensions;
    const uint64_t last = tensor->shape[n - 1];
    if (n == 1) {
        return (struct llmfp_stored_axis){.length = last, .inner = 1, .unit = 1};
    }
    const uint64_t before = tensor->shape[n - 2];
    struct llmfp_stored_axis axis = {.length = columns ? last : before,
                                     .across = columns ? before : last,
                                     .inner = columns ? 1 : last,
                                     .unit = 1};
    if (storage->order == LLMFP_ORDER_COLUMNS) {
        axis.unit = storage->interleave == 0 ? 1 : storage->interleave;
        axis.inner = columns ? before : axis.unit;
        axis.unit *= columns ? before : 1;
    }
    return axis;
}

bool llmfp_stored_axis_fits(const struct llmfp_stored_axis *axis, const struct llmfp_tensor *tensor,
                            uint64_t run_elements)
{
    return run_elements % llmfp_tensor_block(tensor).elements == 0 &&
           (run_elements == 0 || run_elements % axis->unit == 0);
}
