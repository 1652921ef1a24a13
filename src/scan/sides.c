/* sides.c - reading what a quantised tensor needs beside its codes. */
#include "sides.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 }; /* of each side in memory */

void sides_clear(struct sides *sides)
{
    free(sides->memory);
    *sides = (struct sides){0};
}

static uint64_t aligned(uint64_t size_bytes)
{
    return (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The extents lie inside their files, whose sizes are below 2^63. */
static enum llmfp_status measure(const struct llmfp_tensor *tensor, uint64_t *all_bytes,
                                 struct llmfp_error *error)
{
    *all_bytes = 0;
    for (uint32_t i = 0; i < tensor->n_sides; i++) {
        const uint64_t size_bytes = tensor->sides[i].extent.size_bytes;
        if (size_bytes > SIDES_MOST_BYTES || *all_bytes + aligned(size_bytes) > SIDES_MOST_BYTES) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "its scales and zeros take more than %d bytes, which is more than "
                              "a rank keeps in memory; leave its role out with --roles",
                              SIDES_MOST_BYTES);
        }
        *all_bytes += aligned(size_bytes);
    }
    return LLMFP_OK;
}

static enum llmfp_status grow(struct sides *sides, uint64_t size_bytes, struct llmfp_error *error)
{
    if (size_bytes <= sides->capacity_bytes) {
        return LLMFP_OK;
    }
    void *memory = NULL;
    if (posix_memalign(&memory, ALIGNMENT, (size_t)size_bytes) != 0) {
        return llmfp_fail_memory(error, (size_t)size_bytes, "the scales of a tensor");
    }
    free(sides->memory);
    sides->memory = memory;
    sides->capacity_bytes = size_bytes;
    return LLMFP_OK;
}

enum llmfp_status sides_load(struct sides *sides, struct reader *reader,
                             const struct llmfp_catalog *catalog, const struct llmfp_tensor *tensor,
                             struct llmfp_error *error)
{
    if (tensor->n_sides == 0 || sides->tensor == tensor) {
        return LLMFP_OK;
    }
    sides->tensor = NULL;
    uint64_t all_bytes = 0;
    enum llmfp_status status = measure(tensor, &all_bytes, error);
    if (status == LLMFP_OK) {
        status = grow(sides, all_bytes, error);
    }
    sides->all.n = tensor->n_sides < LLMFP_MOST_SIDES ? tensor->n_sides : LLMFP_MOST_SIDES;
    memcpy(sides->all.parameters, llmfp_tensor_storage(tensor)->parameters,
           sizeof sides->all.parameters);
    uint64_t place = 0;
    for (uint32_t i = 0; status == LLMFP_OK && i < sides->all.n; i++) {
        const struct llmfp_extent *extent = &tensor->sides[i].extent;
        status = reader_copy(reader, &catalog->files[extent->file], extent->offset_bytes,
                             extent->size_bytes, sides->memory + place, error);
        sides->all.side[i].encoding = tensor->sides[i].encoding;
        sides->all.side[i].bytes = sides->memory + place;
        sides->all.side[i].size_bytes = extent->size_bytes;
        place += aligned(extent->size_bytes);
    }
    const struct llmfp_encoding *encoding = llmfp_encoding(tensor->encoding);
    if (status == LLMFP_OK && encoding->check != NULL) {
        status = encoding->check(&sides->all, error);
    }
    sides->tensor = status == LLMFP_OK ? tensor : NULL;
    return status;
}

const struct llmfp_sides *sides_of(const struct sides *sides, const struct llmfp_tensor *tensor)
{
    return tensor->n_sides == 0 ? NULL : &sides->all;
}
