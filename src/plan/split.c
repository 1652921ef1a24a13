/* split.c - shares of a scan. See llmfp/split.h. */
#include "llmfp/split.h"

/* Every checkpoint counts as this much more than its bytes: opening it takes time, too, and
 * so every part has a share, even of checkpoints that are not there. */
#define LEAST_UNITS ((uint64_t)LLMFP_SPLIT_MOST)

static uint64_t units_of(uint64_t size_bytes)
{
    return size_bytes + LEAST_UNITS;
}

/* floor(total * k / n), k <= n <= 2^16, total < 2^63: the product is split. */
static uint64_t cut_at(uint64_t total, uint32_t k, uint32_t n)
{
    return total / n * k + total % n * k / n;
}

void llmfp_split_slices(const uint64_t *sizes, size_t n, uint32_t number, uint32_t n_parts,
                        struct llmfp_slice *slices)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += units_of(sizes[i]);
    }
    const uint64_t low = cut_at(total, number - 1, n_parts);
    const uint64_t high = cut_at(total, number, n_parts);
    uint64_t start = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t units = units_of(sizes[i]);
        const uint64_t end = start + units;
        const uint64_t from = low > start ? low : start;
        const uint64_t to = high < end ? high : end;
        slices[i] = from < to ? (struct llmfp_slice){from - start, to - start, units}
                              : (struct llmfp_slice){0, 0, units};
        start = end;
    }
}

static uint64_t position_of(uint64_t units, uint64_t of, uint64_t stream_bytes)
{
    if (units >= of) {
        return stream_bytes;
    }
    /* Rounding does no harm: it is the same for both neighbours. */
    const double position = (double)stream_bytes * ((double)units / (double)of);
    return position < (double)stream_bytes ? (uint64_t)position : stream_bytes;
}

uint64_t llmfp_slice_low(const struct llmfp_slice *slice, uint64_t stream_bytes)
{
    return slice->of == 0 ? 0 : position_of(slice->low, slice->of, stream_bytes);
}

uint64_t llmfp_slice_high(const struct llmfp_slice *slice, uint64_t stream_bytes)
{
    return slice->of == 0 ? stream_bytes : position_of(slice->high, slice->of, stream_bytes);
}
