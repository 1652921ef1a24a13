/* part.c - what of a plan belongs to one checkpoint, and a digest of it. */
#include "llmfp/plan.h"
#include "mix.h"

/* Arrays of a plan are in order of checkpoints: the first of n entries that belongs to
 * `checkpoint` or a later one. */
static size_t first_of(const struct llmfp_plan *plan, size_t n, uint32_t checkpoint,
                       uint32_t (*checkpoint_of)(const struct llmfp_plan *plan, size_t i))
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (checkpoint_of(plan, middle) >= checkpoint) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static uint32_t of_cell(const struct llmfp_plan *plan, size_t i)
{
    return plan->cells[i].checkpoint;
}

static uint32_t of_tensor(const struct llmfp_plan *plan, size_t i)
{
    return plan->tensors[i].checkpoint;
}

static uint32_t of_segment(const struct llmfp_plan *plan, size_t i)
{
    return plan->tensors[plan->segments[i].tensor].checkpoint;
}

static uint64_t start_of(const struct llmfp_plan *plan, size_t segment)
{
    return segment < plan->n_segments ? plan->segments[segment].start_bytes : plan->stream_bytes;
}

struct llmfp_plan_part llmfp_plan_part_of(const struct llmfp_plan *plan, uint32_t checkpoint)
{
    struct llmfp_plan_part part = {0};
    part.first_cell = first_of(plan, plan->n_cells, checkpoint, of_cell);
    part.n_cells = first_of(plan, plan->n_cells, checkpoint + 1, of_cell) - part.first_cell;
    part.first_tensor = first_of(plan, plan->n_tensors, checkpoint, of_tensor);
    part.n_tensors = first_of(plan, plan->n_tensors, checkpoint + 1, of_tensor) - part.first_tensor;
    part.first_segment = first_of(plan, plan->n_segments, checkpoint, of_segment);
    const size_t end = first_of(plan, plan->n_segments, checkpoint + 1, of_segment);
    part.n_segments = end - part.first_segment;
    part.low = start_of(plan, part.first_segment);
    part.high = start_of(plan, end);
    return part;
}

static uint64_t mix_cell(uint64_t digest, const struct llmfp_plan *plan,
                         const struct llmfp_plan_cell *cell)
{
    const struct llmfp_moments_layout *layout = &cell->layout;
    digest = mix(mix_text(digest, plan->roles[cell->role]), (uint64_t)cell->layer);
    digest = cell->divisor == 1 ? digest : mix(digest, cell->divisor);
    digest = mix(mix(digest, (uint64_t)layout->sum_exponent), layout->sum_limbs);
    return mix(mix(digest, (uint64_t)layout->square_exponent), layout->square_limbs);
}

static uint64_t mix_extent(uint64_t digest, const struct llmfp_extent *extent)
{
    return mix(mix(mix(digest, extent->file), extent->offset_bytes), extent->size_bytes);
}

static uint64_t mix_tensor(uint64_t digest, const struct llmfp_plan_tensor *planned,
                           size_t first_cell)
{
    const struct llmfp_tensor *tensor = planned->tensor;
    digest = mix(mix_text(digest, tensor->name), (uint64_t)tensor->encoding);
    digest = mix_extent(mix(digest, tensor->n_elements), &tensor->data);
    const struct llmfp_storage *storage = llmfp_tensor_storage(tensor);
    digest = mix(mix(digest, (uint64_t)storage->order), storage->interleave);
    digest = mix(mix(digest, storage->block.elements), storage->block.bytes);
    digest = mix(mix(digest, storage->run_elements), storage->pitch_bytes);
    for (size_t i = 0; i < LLMFP_N_PARAMETERS; i++) {
        digest = mix(digest, storage->parameters[i]);
    }
    for (uint32_t i = 0; i < tensor->n_sides; i++) {
        digest =
            mix_extent(mix(digest, (uint64_t)tensor->sides[i].encoding), &tensor->sides[i].extent);
    }
    for (uint32_t i = 0; i < planned->n_targets; i++) {
        const struct llmfp_plan_target *target = &planned->targets[i];
        const bool wanted = target->cell != LLMFP_NO_CELL;
        digest = mix(digest, wanted ? target->cell - first_cell : UINT64_MAX);
        digest = mix(digest, target->run_elements);
    }
    return digest;
}

uint64_t llmfp_plan_digest(const struct llmfp_plan *plan, const struct llmfp_plan_part *part)
{
    uint64_t digest = mix(mix(0, part->n_cells), part->n_tensors);
    for (size_t i = 0; i < part->n_cells; i++) {
        digest = mix_cell(digest, plan, &plan->cells[part->first_cell + i]);
    }
    for (size_t i = 0; i < part->n_tensors; i++) {
        digest = mix_tensor(digest, &plan->tensors[part->first_tensor + i], part->first_cell);
    }
    for (size_t i = 0; i < part->n_segments; i++) {
        const struct llmfp_plan_segment *segment = &plan->segments[part->first_segment + i];
        digest = mix(mix(digest, segment->tensor - part->first_tensor),
                     segment->start_bytes - part->low);
        digest = mix(mix(digest, segment->first_element), segment->n_elements);
    }
    return digest;
}
