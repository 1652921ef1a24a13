/* join.c - the slices of a checkpoint that several parts of a scan have scanned, as one record.
 * Sums are integers, so the whole is what one scan would have found. The records may have
 * been forged: nothing is computed from numbers that contradict each other. */
#include <math.h>
#include <string.h>

#include "llmfp/record.h"

static enum llmfp_status no_memory(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_FATAL, "out of memory while parts of a checkpoint are joined");
}

/* ---- do they fit together? ---- */

static bool same_cells(const struct llmfp_record *a, const struct llmfp_record *b)
{
    bool same = a->n_cells == b->n_cells;
    for (size_t i = 0; same && i < a->n_cells; i++) {
        same = a->cells[i].layer == b->cells[i].layer &&
               strcmp(a->cells[i].role, b->cells[i].role) == 0 &&
               llmfp_divisor_equal(&a->cells[i].divisor, &b->cells[i].divisor);
    }
    return same;
}

static bool same_checkpoint(const struct llmfp_record *a, const struct llmfp_record *b)
{
    return a->fingerprint == b->fingerprint && strcmp(a->source_digest, b->source_digest) == 0 &&
           a->part.plan == b->part.plan && a->part.stream_bytes == b->part.stream_bytes &&
           same_cells(a, b);
}

static const char *what_is_wrong(const struct llmfp_record *slices, size_t n)
{
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const struct llmfp_record_part *part = &slices[i].part;
        if (!same_checkpoint(&slices[0], &slices[i])) {
            return "the files have changed between the parts of the scan: scan all of it anew";
        }
        if (part->low < end) {
            return "two parts cover the same bytes";
        }
        if (part->low > end) {
            return "no part covers some of the bytes";
        }
        end = part->high;
    }
    return end == slices[0].part.stream_bytes ? NULL : "no part covers the last bytes";
}

/* ---- one cell ---- */

static bool add_count(uint64_t *count, uint64_t more)
{
    const bool fits = more <= (uint64_t)INT64_MAX - *count;
    *count += fits ? more : 0;
    return fits;
}

/* Add counts, extremes and sums; mean and std are left for later. False: the numbers are
 * absurd, or there is no memory. */
static bool add_cell(struct llmfp_record_cell *cell, const struct llmfp_record_cell *more,
                     struct llmfp_arena *arena)
{
    struct llmfp_statistics *all = &cell->statistics;
    const struct llmfp_statistics *added = &more->statistics;
    all->min = isnan(all->min) || added->min < all->min ? added->min : all->min;
    all->max = isnan(all->max) || added->max > all->max ? added->max : all->max;
    return add_count(&all->count, added->count) && add_count(&all->zeros, added->zeros) &&
           add_count(&all->nonfinite, added->nonfinite) &&
           llmfp_sum_add(&cell->sum, &more->sum, arena, &cell->sum) &&
           llmfp_sum_add(&cell->squares, &more->squares, arena, &cell->squares);
}

/* Mean and std of what has been added up. */
static const char *finish_cell(struct llmfp_record_cell *cell, struct llmfp_arena *arena,
                               bool *no_room)
{
    struct llmfp_statistics *all = &cell->statistics;
    const struct llmfp_moments_layout layout = {cell->sum.exponent, cell->squares.exponent,
                                                cell->sum.n_limbs + 1, cell->squares.n_limbs + 1};
    int64_t *additive = llmfp_arena_new(arena, llmfp_moments_size(&layout) * sizeof *additive);
    *no_room = additive == NULL;
    if (additive == NULL) {
        return NULL;
    }
    if (all->zeros > all->count || all->nonfinite > all->count - all->zeros) {
        return "more elements of a cell are zero or not finite than there are";
    }
    int64_t extreme[LLMFP_N_EXTREMES];
    struct llmfp_moments moments = llmfp_moments_begin(&layout, additive, extreme);
    llmfp_moments_add_counts(&moments, all->count, all->zeros, all->nonfinite);
    int64_t *limbs = additive + LLMFP_N_COUNTERS;
    llmfp_sum_place(&cell->sum, limbs, layout.sum_limbs, layout.sum_exponent);
    llmfp_sum_place(&cell->squares, limbs + layout.sum_limbs, layout.square_limbs,
                    layout.square_exponent);
    const char *problem =
        llmfp_statistics_contradiction_of_quotients(&moments, &cell->divisor, all->min, all->max);
    if (problem == NULL) {
        const double least = all->min;
        const double most = all->max;
        llmfp_statistics_compute_quotients(&moments, &cell->divisor, all);
        all->min = least; /* the moments know no extremes */
        all->max = most;
    }
    return problem;
}

/* ---- the record ---- */

/* Everything but the cells' numbers, from the first slice. */
static bool copy_head(const struct llmfp_record *from, struct llmfp_record *to)
{
    const char *const texts[] = {from->label,   from->path,         from->family,
                                 from->parent,  from->architecture, from->format,
                                 from->message, from->source_digest};
    const char **const copies[] = {&to->label,   &to->path,         &to->family,
                                   &to->parent,  &to->architecture, &to->format,
                                   &to->message, &to->source_digest};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *copies[i] = llmfp_arena_string(&to->arena, texts[i], strlen(texts[i]));
        if (*copies[i] == NULL) {
            return false;
        }
    }
    to->fingerprint = from->fingerprint;
    to->failed = from->failed;
    to->kept = from->kept;
    to->tally = from->tally;
    return true;
}

static bool copy_divisor(const struct llmfp_divisor *from, struct llmfp_arena *arena,
                         struct llmfp_divisor *to)
{
    const size_t size_bytes = from->n_limbs * sizeof *from->limbs;
    int64_t *limbs = llmfp_arena_new(arena, size_bytes + 1);
    if (limbs != NULL && size_bytes > 0) {
        memcpy(limbs, from->limbs, size_bytes);
    }
    *to = (struct llmfp_divisor){limbs, from->n_limbs};
    return limbs != NULL;
}

static enum llmfp_status join_cells(const struct llmfp_record *slices, size_t n,
                                    struct llmfp_record *whole, const char **problem,
                                    struct llmfp_error *error)
{
    const size_t n_cells = slices[0].n_cells;
    whole->cells = llmfp_arena_new(&whole->arena, n_cells * sizeof *whole->cells);
    if (whole->cells == NULL) {
        return no_memory(error);
    }
    for (size_t k = 0; *problem == NULL && k < n_cells; k++) {
        const struct llmfp_record_cell *first = &slices[0].cells[k];
        struct llmfp_record_cell *cell = &whole->cells[k];
        *cell = (struct llmfp_record_cell){.layer = first->layer,
                                           .statistics = {.min = NAN, .max = NAN}};
        cell->role = llmfp_arena_string(&whole->arena, first->role, strlen(first->role));
        bool good =
            cell->role != NULL && copy_divisor(&first->divisor, &whole->arena, &cell->divisor);
        for (size_t i = 0; good && i < n; i++) {
            good = add_cell(cell, &slices[i].cells[k], &whole->arena);
        }
        bool no_room = false;
        *problem = good ? finish_cell(cell, &whole->arena, &no_room) : NULL;
        if (!good || no_room) {
            return no_memory(error);
        }
    }
    whole->n_cells = n_cells;
    return LLMFP_OK;
}

enum llmfp_status llmfp_record_join(const struct llmfp_record *slices, size_t n,
                                    struct llmfp_record *whole, const char **problem,
                                    struct llmfp_error *error)
{
    *whole = (struct llmfp_record){0};
    *problem = NULL;
    const struct llmfp_record *failed = NULL;
    for (size_t i = 0; failed == NULL && i < n; i++) {
        failed = slices[i].failed ? &slices[i] : NULL;
    }
    enum llmfp_status status = LLMFP_OK;
    if (failed == NULL) {
        *problem = what_is_wrong(slices, n);
    }
    if (*problem == NULL && !copy_head(failed != NULL ? failed : &slices[0], whole)) {
        status = no_memory(error);
    }
    if (status == LLMFP_OK && *problem == NULL && failed == NULL) {
        status = join_cells(slices, n, whole, problem, error);
    }
    if (status != LLMFP_OK || *problem != NULL) {
        llmfp_record_clear(whole);
    }
    return status;
}
