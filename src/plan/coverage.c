/* coverage.c - sets of ranges of a stream. See llmfp/coverage.h. */
#include "llmfp/coverage.h"

#include <stdlib.h>
#include <string.h>

void llmfp_coverage_clear(struct llmfp_coverage *coverage)
{
    free(coverage->ranges);
    *coverage = (struct llmfp_coverage){0};
}

/* The first range that ends behind `position`; coverage->n when there is none. */
static size_t first_behind(const struct llmfp_coverage *coverage, uint64_t position)
{
    size_t low = 0;
    size_t high = coverage->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (coverage->ranges[middle].high > position) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

bool llmfp_coverage_overlaps(const struct llmfp_coverage *coverage, uint64_t low, uint64_t high)
{
    const size_t at = first_behind(coverage, low);
    return low < high && at < coverage->n && coverage->ranges[at].low < high;
}

/* Room for one more range at `at`. */
static bool open_gap(struct llmfp_coverage *coverage, size_t at)
{
    if (coverage->n == coverage->capacity) {
        const size_t capacity = coverage->capacity == 0 ? 16 : coverage->capacity * 2;
        struct llmfp_range *grown = capacity > SIZE_MAX / sizeof *grown
                                        ? NULL
                                        : realloc(coverage->ranges, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        coverage->ranges = grown;
        coverage->capacity = capacity;
    }
    memmove(coverage->ranges + at + 1, coverage->ranges + at,
            (coverage->n - at) * sizeof *coverage->ranges);
    coverage->n++;
    return true;
}

bool llmfp_coverage_add(struct llmfp_coverage *coverage, uint64_t low, uint64_t high)
{
    if (low == high) {
        return true;
    }
    const size_t at = first_behind(coverage, low);
    struct llmfp_range *before = at > 0 ? &coverage->ranges[at - 1] : NULL;
    struct llmfp_range *behind = at < coverage->n ? &coverage->ranges[at] : NULL;
    const bool joins_before = before != NULL && before->high == low;
    const bool joins_behind = behind != NULL && behind->low == high;
    if (joins_before && joins_behind) {
        before->high = behind->high;
        memmove(behind, behind + 1, (coverage->n - at - 1) * sizeof *behind);
        coverage->n--;
    } else if (joins_before) {
        before->high = high;
    } else if (joins_behind) {
        behind->low = low;
    } else {
        if (!open_gap(coverage, at)) {
            return false;
        }
        coverage->ranges[at] = (struct llmfp_range){low, high};
    }
    return true;
}

uint64_t llmfp_coverage_bytes(const struct llmfp_coverage *coverage)
{
    uint64_t size_bytes = 0;
    for (size_t i = 0; i < coverage->n; i++) {
        size_bytes += coverage->ranges[i].high - coverage->ranges[i].low;
    }
    return size_bytes;
}

/* ---- what is left ---- */

void llmfp_work_clear(struct llmfp_work *work)
{
    llmfp_coverage_clear(&work->left);
    free(work->before);
    *work = (struct llmfp_work){0};
}

enum llmfp_status llmfp_work_make(struct llmfp_work *work, const struct llmfp_coverage *done,
                                  uint64_t end, struct llmfp_error *error)
{
    *work = (struct llmfp_work){0};
    uint64_t low = 0;
    bool fits = true;
    for (size_t i = 0; fits && i <= done->n; i++) {
        const uint64_t high = i < done->n ? done->ranges[i].low : end;
        fits = llmfp_coverage_add(&work->left, low, high);
        low = i < done->n ? done->ranges[i].high : end;
    }
    work->before = malloc((work->left.n + 1) * sizeof *work->before);
    if (!fits || work->before == NULL) {
        return llmfp_fail_memory(error, done->n * sizeof *done->ranges, "what is left to be read");
    }
    for (size_t i = 0; i < work->left.n; i++) {
        work->before[i] = work->size_bytes;
        work->size_bytes += work->left.ranges[i].high - work->left.ranges[i].low;
    }
    return LLMFP_OK;
}

uint64_t llmfp_work_n_chunks(const struct llmfp_work *work, uint64_t chunk_bytes)
{
    return work->size_bytes / chunk_bytes + (work->size_bytes % chunk_bytes != 0);
}

/* The range that holds what stands at `position` among what is left. */
static size_t range_at(const struct llmfp_work *work, uint64_t position)
{
    size_t low = 0;
    size_t high = work->left.n;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (work->before[middle] <= position) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

bool llmfp_work_next(const struct llmfp_work *work, uint64_t chunk_bytes, uint64_t chunk,
                     uint64_t *offset, struct llmfp_range *range)
{
    const uint64_t start = chunk * chunk_bytes;
    const uint64_t rest = work->size_bytes - start;
    const uint64_t size_bytes = rest < chunk_bytes ? rest : chunk_bytes;
    if (*offset >= size_bytes) {
        return false;
    }
    const size_t at = range_at(work, start + *offset);
    const struct llmfp_range *left = &work->left.ranges[at];
    const uint64_t wanted = size_bytes - *offset;
    range->low = left->low + (start + *offset - work->before[at]);
    range->high = left->high - range->low < wanted ? left->high : range->low + wanted;
    *offset += range->high - range->low;
    return true;
}
