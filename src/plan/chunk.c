/* chunk.c - cutting the stream of a plan into chunks, and walking one chunk. */
#include "llmfp/plan.h"

uint64_t llmfp_plan_n_chunks(const struct llmfp_plan *plan, uint64_t chunk_bytes)
{
    return plan->stream_bytes / chunk_bytes + (plan->stream_bytes % chunk_bytes != 0);
}

/* The segment that holds stream position `position`. */
static size_t find_segment(const struct llmfp_plan *plan, uint64_t position)
{
    size_t low = 0;
    size_t high = plan->n_segments;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (plan->segments[middle].start_bytes <= position) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Elements of the segment that lie before stream position `position`. A cut inside
 * a block moves down to its start. */
static uint64_t elements_before(const struct llmfp_plan_segment *segment,
                                const struct llmfp_block *block, uint64_t position)
{
    if (position <= segment->start_bytes) {
        return 0;
    }
    const uint64_t elements = (position - segment->start_bytes) / block->bytes * block->elements;
    return elements < segment->n_elements ? elements : segment->n_elements;
}

bool llmfp_plan_next_between(const struct llmfp_plan *plan, uint64_t low, uint64_t high,
                             struct llmfp_plan_cursor *cursor, struct llmfp_plan_piece *piece)
{
    if (!cursor->started) {
        cursor->segment = find_segment(plan, low);
        cursor->started = true;
    }
    while (cursor->segment < plan->n_segments &&
           plan->segments[cursor->segment].start_bytes < high) {
        const struct llmfp_plan_segment *segment = &plan->segments[cursor->segment++];
        const struct llmfp_plan_tensor *tensor = &plan->tensors[segment->tensor];
        const struct llmfp_block block = llmfp_tensor_block(tensor->tensor);
        const uint64_t first = elements_before(segment, &block, low);
        const uint64_t end = elements_before(segment, &block, high);
        if (end > first) {
            const uint64_t element = segment->first_element + first;
            *piece = (struct llmfp_plan_piece){
                .tensor = tensor,
                .first_element = element,
                .n_elements = end - first,
                .offset_bytes = llmfp_tensor_offset(tensor->tensor, element),
                .size_bytes = llmfp_tensor_bytes(tensor->tensor, end - first),
            };
            return true;
        }
    }
    return false;
}

bool llmfp_plan_next_piece(const struct llmfp_plan *plan, uint64_t chunk_bytes, uint64_t chunk,
                           struct llmfp_plan_cursor *cursor, struct llmfp_plan_piece *piece)
{
    const uint64_t low = chunk * chunk_bytes;
    const uint64_t rest = plan->stream_bytes - low;
    return llmfp_plan_next_between(plan, low, low + (rest < chunk_bytes ? rest : chunk_bytes),
                                   cursor, piece);
}
