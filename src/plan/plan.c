/* plan.c - building a plan: cells by (checkpoint, role, layer), segments in file order. */
#include "llmfp/plan.h"

#include <stdlib.h>
#include <string.h>

#include "divisors.h"
#include "hash_index.h"
#include "role_order.h"

enum {
    /* A gap of unwanted bytes shorter than this is read through: skipping it would
     * cost more than reading it. */
    SHORTEST_GAP_BYTES = 4096,
    SHOWN_BYTES = 200
};

struct cell_key {
    uint32_t checkpoint;
    uint32_t role;
    int32_t layer;
    uint32_t divisor;
};

struct llmfp_plan_work {
    struct hash_index roles;
    struct hash_index cells; /* by struct cell_key; number = entry of cell_of */
    uint32_t *cell_of;       /* [cells.n_keys] index into plan->cells */
    size_t cell_of_capacity;
    struct llmfp_arena arena; /* targets */
    /* Which roles the checkpoint that is being added has: seen_in[role] is its serial number. */
    uint32_t *seen_in;
    size_t seen_capacity;
    uint32_t serial;
    size_t n_roles_here;
    size_t cell_capacity;
    size_t tensor_capacity;
    size_t segment_capacity;
    /* sizes before the last checkpoint was added */
    size_t last_cells;
    size_t last_tensors;
    size_t last_segments;
    uint64_t last_stream_bytes;
    size_t last_additive;
};

void llmfp_plan_clear(struct llmfp_plan *plan)
{
    if (plan->work != NULL) {
        hash_index_clear(&plan->work->roles);
        hash_index_clear(&plan->work->cells);
        llmfp_arena_clear(&plan->work->arena);
        free(plan->work->cell_of);
        free(plan->work->seen_in);
        free(plan->work);
    }
    free(plan->cells);
    free(plan->tensors);
    free(plan->segments);
    free(plan->roles);
    *plan = (struct llmfp_plan){0};
}

/* Room for one more entry of `size` bytes behind n; returns the array or NULL. */
static void *room_for_one(void *array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity) {
        return array;
    }
    const size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    if (wanted > SIZE_MAX / size) {
        return NULL;
    }
    void *grown = realloc(array, wanted * size);
    if (grown != NULL) {
        *capacity = wanted;
    }
    return grown;
}

static enum llmfp_status no_memory(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_FATAL,
                      "out of memory while planning the scan; give each rank more memory");
}

static bool start_work(struct llmfp_plan *plan)
{
    if (plan->work == NULL) {
        plan->work = calloc(1, sizeof *plan->work);
    }
    return plan->work != NULL;
}

/* Count a role once a checkpoint. False without memory. */
static bool count_role(struct llmfp_plan_work *work, uint32_t role, bool added)
{
    if (added) {
        uint32_t *grown =
            room_for_one(work->seen_in, role, &work->seen_capacity, sizeof *work->seen_in);
        if (grown == NULL) {
            return false;
        }
        work->seen_in = grown;
        grown[role] = 0;
    }
    work->n_roles_here += work->seen_in[role] != work->serial;
    work->seen_in[role] = work->serial;
    return true;
}

/* The cell for a part, made if it is new; LLMFP_NO_CELL without memory. */
static uint32_t cell_for(struct llmfp_plan *plan, uint32_t checkpoint,
                         const struct llmfp_part *part, uint32_t divisor)
{
    struct llmfp_plan_work *work = plan->work;
    bool added = false;
    const uint32_t role = hash_index_add(&work->roles, part->role, strlen(part->role), &added);
    if (role == HASH_INDEX_NONE || !count_role(work, role, added)) {
        return LLMFP_NO_CELL;
    }
    const struct cell_key key = {checkpoint, role, part->layer, divisor};
    const uint32_t number = hash_index_add(&work->cells, &key, sizeof key, &added);
    if (number == HASH_INDEX_NONE) {
        return LLMFP_NO_CELL;
    }
    if (!added) {
        return work->cell_of[number];
    }
    void *cells =
        room_for_one(plan->cells, plan->n_cells, &work->cell_capacity, sizeof *plan->cells);
    void *cell_of = room_for_one(work->cell_of, number, &work->cell_of_capacity, sizeof(uint32_t));
    plan->cells = cells == NULL ? plan->cells : cells;
    work->cell_of = cell_of == NULL ? work->cell_of : cell_of;
    if (cells == NULL || cell_of == NULL || plan->n_cells >= LLMFP_NO_CELL) {
        return LLMFP_NO_CELL;
    }
    plan->cells[plan->n_cells] = (struct llmfp_plan_cell){
        .checkpoint = checkpoint, .role = role, .layer = part->layer, .divisor = divisor};
    work->cell_of[number] = (uint32_t)plan->n_cells;
    return (uint32_t)plan->n_cells++;
}

static bool add_segment(struct llmfp_plan *plan, uint64_t first_element, uint64_t n_elements,
                        const struct llmfp_tensor *tensor)
{
    if (n_elements == 0) {
        return true;
    }
    struct llmfp_plan_segment *segments = room_for_one(
        plan->segments, plan->n_segments, &plan->work->segment_capacity, sizeof *plan->segments);
    if (segments == NULL) {
        return false;
    }
    plan->segments = segments;
    segments[plan->n_segments++] = (struct llmfp_plan_segment){
        plan->stream_bytes, first_element, n_elements, (uint32_t)plan->n_tensors};
    plan->stream_bytes += llmfp_tensor_bytes(tensor, n_elements);
    return true;
}

/* Whether the unwanted parts are worth skipping. Parts end where blocks do: layouts see
 * to that. A view with gaps is not cut further. */
static bool has_gaps(const struct llmfp_plan_tensor *tensor)
{
    bool gap = false;
    for (uint32_t i = 0; i < tensor->n_targets; i++) {
        const struct llmfp_plan_target *target = &tensor->targets[i];
        gap |= target->cell == LLMFP_NO_CELL &&
               llmfp_tensor_bytes(tensor->tensor, target->run_elements) >= SHORTEST_GAP_BYTES;
    }
    return gap && llmfp_tensor_storage(tensor->tensor)->run_elements == 0;
}

/* One segment for each stored run of a view with gaps. */
static bool add_stored_runs(struct llmfp_plan *plan, const struct llmfp_tensor *tensor)
{
    const uint64_t run = llmfp_tensor_storage(tensor)->run_elements;
    for (uint64_t first = 0; first < tensor->n_elements; first += run) {
        if (!add_segment(plan, first, run, tensor)) {
            return false;
        }
    }
    return true;
}

/* Segments around the gaps: every run that is wanted or too short to skip. */
static bool add_segments(struct llmfp_plan *plan, const struct llmfp_plan_tensor *tensor)
{
    if (!has_gaps(tensor)) {
        return llmfp_tensor_storage(tensor->tensor)->run_elements == 0
                   ? add_segment(plan, 0, tensor->tensor->n_elements, tensor->tensor)
                   : add_stored_runs(plan, tensor->tensor);
    }
    uint64_t position = 0;
    uint64_t start = 0; /* of the segment that is being put together */
    while (position < tensor->tensor->n_elements) {
        for (uint32_t i = 0; i < tensor->n_targets; i++) {
            const struct llmfp_plan_target *target = &tensor->targets[i];
            const uint64_t run_bytes = llmfp_tensor_bytes(tensor->tensor, target->run_elements);
            if (target->cell == LLMFP_NO_CELL && run_bytes >= SHORTEST_GAP_BYTES) {
                if (!add_segment(plan, start, position - start, tensor->tensor)) {
                    return false;
                }
                start = position + target->run_elements;
            }
            position += target->run_elements;
        }
    }
    return add_segment(plan, start, position - start, tensor->tensor);
}

/* Targets of a mapped tensor; cells get room for its encoding. NULL without memory. */
static struct llmfp_plan_target *make_targets(struct llmfp_plan *plan, uint32_t checkpoint,
                                              const struct llmfp_tensor *tensor,
                                              const struct llmfp_mapping *mapping,
                                              const struct llmfp_role_filter *filter,
                                              uint64_t *wanted_per_period)
{
    const struct llmfp_encoding *encoding = llmfp_encoding(tensor->encoding);
    const uint32_t divisor = llmfp_tensor_divisor(tensor);
    struct llmfp_plan_target *targets =
        llmfp_arena_new(&plan->work->arena, mapping->n_parts * sizeof *targets);
    *wanted_per_period = 0;
    for (uint32_t i = 0; targets != NULL && i < mapping->n_parts; i++) {
        const struct llmfp_part *part = &mapping->parts[i];
        targets[i] = (struct llmfp_plan_target){LLMFP_NO_CELL, part->run_elements};
        if (filter != NULL && !llmfp_role_wanted(filter, part->role)) {
            continue;
        }
        targets[i].cell = cell_for(plan, checkpoint, part, divisor);
        if (targets[i].cell == LLMFP_NO_CELL) {
            return NULL;
        }
        llmfp_moments_layout_cover(&plan->cells[targets[i].cell].layout, encoding);
        *wanted_per_period += part->run_elements;
    }
    return targets;
}

static bool any_wanted(const struct llmfp_plan_target *targets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (targets[i].cell != LLMFP_NO_CELL) {
            return true;
        }
    }
    return false;
}

static void count_tensor(struct llmfp_tally *tally, enum llmfp_reason reason, uint64_t size_bytes)
{
    tally->tensors[reason]++;
    tally->bytes[reason] += size_bytes;
}

/* Bytes of the scales and zeros, which are part of the tensor. */
static uint64_t side_bytes(const struct llmfp_tensor *tensor)
{
    uint64_t size_bytes = 0;
    for (uint32_t i = 0; i < tensor->n_sides; i++) {
        size_bytes += tensor->sides[i].extent.size_bytes;
    }
    return size_bytes;
}

/* Put one mapped tensor into the plan. False without memory. */
static bool add_tensor(struct llmfp_plan *plan, uint32_t checkpoint,
                       const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping,
                       const struct llmfp_role_filter *filter, struct llmfp_tally *tally)
{
    uint64_t wanted_per_period;
    struct llmfp_plan_target *targets =
        make_targets(plan, checkpoint, tensor, mapping, filter, &wanted_per_period);
    if (targets == NULL) {
        return false;
    }
    if (!any_wanted(targets, mapping->n_parts)) {
        count_tensor(tally, LLMFP_ROLE_NOT_WANTED, tensor->data.size_bytes + side_bytes(tensor));
        return true;
    }
    const uint64_t wanted_bytes = llmfp_tensor_bytes(tensor, wanted_per_period * mapping->repeat);
    tally->tensors[LLMFP_SCANNED]++;
    tally->bytes[LLMFP_SCANNED] += wanted_bytes + side_bytes(tensor);
    tally->bytes[LLMFP_ROLE_NOT_WANTED] +=
        llmfp_tensor_bytes(tensor, tensor->n_elements) - wanted_bytes;
    struct llmfp_plan_tensor *tensors =
        room_for_one(plan->tensors, plan->n_tensors, &plan->work->tensor_capacity, sizeof *tensors);
    if (tensors == NULL) {
        return false;
    }
    plan->tensors = tensors;
    struct llmfp_plan_tensor *added = &tensors[plan->n_tensors];
    *added = (struct llmfp_plan_tensor){tensor, checkpoint, mapping->n_parts, targets, 0};
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        added->period_elements += targets[i].run_elements;
    }
    const uint64_t before = plan->stream_bytes;
    if (!add_segments(plan, added)) {
        return false;
    }
    tally->wanted_bytes += plan->stream_bytes - before + side_bytes(tensor);
    plan->n_tensors++;
    return true;
}

/* "TENSOR: NOTE" of the first tensor that has a note, and how many have one. */
static void note_unsplit(struct llmfp_tally *tally, const struct llmfp_tensor *tensor,
                         const struct llmfp_mapping *mapping)
{
    if (mapping->note != NULL && tally->n_unsplit++ == 0) {
        struct llmfp_error text = {LLMFP_OK, ""};
        (void)llmfp_fail(&text, LLMFP_OK, "'%s': %s", tensor->name, mapping->note);
        memcpy(tally->unsplit_note, text.text, sizeof tally->unsplit_note);
    }
}

/* Names that quantisers give to the scales of a weight. Where they were not joined with it
 * (llmfp/quantised.h), the stored codes are not its values. */
static bool is_scale(const char *name)
{
    static const char *const endings[] = {".weight_scale", ".weight_scale_inv"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const size_t n = strlen(endings[i]);
        if (length > n && strcmp(name + length - n, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void note_layers(struct llmfp_tally *tally, const struct llmfp_mapping *mapping)
{
    for (uint32_t i = 0; mapping->main_stack && i < mapping->n_parts; i++) {
        const int32_t layer = mapping->parts[i].layer;
        if (layer >= tally->n_layers && layer < LLMFP_PLAN_MOST_LAYERS) {
            tally->n_layers = layer + 1;
        }
    }
}

static void remember_sizes(struct llmfp_plan *plan)
{
    struct llmfp_plan_work *work = plan->work;
    work->last_cells = plan->n_cells;
    work->last_tensors = plan->n_tensors;
    work->last_segments = plan->n_segments;
    work->last_stream_bytes = plan->stream_bytes;
    work->last_additive = plan->n_additive;
    work->serial++;
    work->n_roles_here = 0;
}

void llmfp_plan_drop_last(struct llmfp_plan *plan)
{
    if (plan->work != NULL) {
        plan->n_cells = plan->work->last_cells;
        plan->n_tensors = plan->work->last_tensors;
        plan->n_segments = plan->work->last_segments;
        plan->stream_bytes = plan->work->last_stream_bytes;
        plan->n_additive = plan->work->last_additive;
    }
}

static enum llmfp_status check_size(struct llmfp_plan *plan, struct llmfp_error *error)
{
    size_t n = 0;
    for (size_t i = plan->work->last_cells; i < plan->n_cells; i++) {
        n += llmfp_moments_size(&plan->cells[i].layout);
    }
    plan->n_additive += n;
    if (n > LLMFP_PLAN_MOST_BYTES / sizeof(int64_t)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its %zu cells need %zu bytes of accumulators, more than %d; "
                          "scan it in parts with --roles",
                          plan->n_cells - plan->work->last_cells, n * sizeof(int64_t),
                          LLMFP_PLAN_MOST_BYTES);
    }
    bool too_many;
    struct llmfp_plan_cell cell = {0};
    if (!plan_find_too_divided(plan->cells + plan->work->last_cells,
                               plan->n_cells - plan->work->last_cells, &too_many, &cell)) {
        return no_memory(error);
    }
    if (!too_many) {
        return LLMFP_OK;
    }
    char role[SHOWN_BYTES];
    const struct hash_index_key *key = &plan->work->roles.keys[cell.role];
    llmfp_escape(role, sizeof role, key->bytes, key->n_bytes);
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "the values of role %s in layer %d are divided by so many different numbers "
                      "that these have more than %d bits together; leave the role out with --roles",
                      role, (int)cell.layer, LLMFP_DIVISOR_MOST_BITS);
}

/* The arrays of the results file hold every role and every layer of any model for all models:
 * one checkpoint with absurd names must not make them absurd. */
static enum llmfp_status check_tensor(const struct llmfp_plan *plan,
                                      const struct llmfp_catalog *catalog,
                                      const struct llmfp_tensor *tensor,
                                      const struct llmfp_mapping *mapping,
                                      struct llmfp_error *error)
{
    char name[SHOWN_BYTES];
    const char *path = catalog->files[tensor->data.file].path;
    llmfp_escape(name, sizeof name, tensor->name, strlen(tensor->name));
    const struct llmfp_plan_target *targets = plan->tensors[plan->n_tensors - 1].targets;
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        if (targets[i].cell != LLMFP_NO_CELL && mapping->parts[i].layer >= LLMFP_PLAN_MOST_LAYERS) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s: tensor \"%s\" names layer %d, and a model may have at most "
                              "%d layers; leave it out with --roles",
                              path, name, mapping->parts[i].layer, LLMFP_PLAN_MOST_LAYERS);
        }
    }
    if (plan->work->n_roles_here > LLMFP_PLAN_MOST_ROLES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s: tensor \"%s\" brings the roles of this checkpoint to more than %d; "
                          "scan it in parts with --roles",
                          path, name, LLMFP_PLAN_MOST_ROLES);
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_plan_add(struct llmfp_plan *plan, uint32_t checkpoint,
                                 const struct llmfp_configuration *configuration,
                                 const struct llmfp_catalog *catalog,
                                 const struct llmfp_role_filter *filter, struct llmfp_tally *tally,
                                 struct llmfp_error *error)
{
    if (!start_work(plan)) {
        return no_memory(error);
    }
    remember_sizes(plan);
    *tally = (struct llmfp_tally){0};
    struct llmfp_arena names = {0}; /* role names live until the hash index has copied them */
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < catalog->n_tensors; i++) {
        const struct llmfp_tensor *tensor = &catalog->tensors[i];
        const size_t n_before = plan->n_tensors;
        struct llmfp_mapping mapping;
        status = llmfp_roles_map(configuration, tensor, &names, &mapping, error);
        if (status != LLMFP_OK) {
            break;
        }
        tally->parameters += tensor->n_elements;
        tally->size_bytes += tensor->data.size_bytes + side_bytes(tensor);
        note_layers(tally, &mapping);
        note_unsplit(tally, tensor, &mapping);
        tally->n_scales += is_scale(tensor->name);
        if (mapping.reason != LLMFP_SCANNED) {
            count_tensor(tally, mapping.reason, tensor->data.size_bytes + side_bytes(tensor));
        } else if (!add_tensor(plan, checkpoint, tensor, &mapping, filter, tally)) {
            status = no_memory(error);
        } else if (plan->n_tensors > n_before) {
            status = check_tensor(plan, catalog, tensor, &mapping, error);
        }
        if (names.used_bytes > (size_t)1 << 20) { /* nothing refers to them any more */
            llmfp_arena_clear(&names);
        }
    }
    llmfp_arena_clear(&names);
    return status == LLMFP_OK ? check_size(plan, error) : status;
}

/* ---- finish: cells in order ---- */

/* Cells are sorted through their index, so that targets can be told the new places. */
struct sort_entry {
    const struct llmfp_plan_cell *cell;
    const char *role;
};

static int compare_entries(const void *a, const void *b)
{
    const struct sort_entry *x = a;
    const struct sort_entry *y = b;
    if (x->cell->checkpoint != y->cell->checkpoint) {
        return x->cell->checkpoint < y->cell->checkpoint ? -1 : 1;
    }
    if (x->cell->role != y->cell->role) {
        return llmfp_role_compare(x->role, y->role);
    }
    if (x->cell->layer != y->cell->layer) {
        return x->cell->layer < y->cell->layer ? -1 : 1;
    }
    return (x->cell->divisor > y->cell->divisor) - (x->cell->divisor < y->cell->divisor);
}

static void renumber_targets(struct llmfp_plan *plan, const uint32_t *new_number)
{
    for (size_t t = 0; t < plan->n_tensors; t++) {
        /* The targets were made here, in the plan's arena. */
        struct llmfp_plan_target *targets =
            (struct llmfp_plan_target *)(uintptr_t)plan->tensors[t].targets;
        for (uint32_t i = 0; i < plan->tensors[t].n_targets; i++) {
            if (targets[i].cell != LLMFP_NO_CELL) {
                targets[i].cell = new_number[targets[i].cell];
            }
        }
    }
}

static void place_cells(struct llmfp_plan *plan, const struct sort_entry *entries,
                        struct llmfp_plan_cell *sorted, uint32_t *new_number)
{
    plan->n_additive = 0;
    for (size_t i = 0; i < plan->n_cells; i++) {
        sorted[i] = *entries[i].cell;
        sorted[i].additive = plan->n_additive;
        plan->n_additive += llmfp_moments_size(&sorted[i].layout);
        new_number[entries[i].cell - plan->cells] = (uint32_t)i;
    }
}

enum llmfp_status llmfp_plan_finish(struct llmfp_plan *plan, struct llmfp_error *error)
{
    if (!start_work(plan)) {
        return no_memory(error);
    }
    const struct hash_index *roles = &plan->work->roles;
    struct sort_entry *entries = calloc(plan->n_cells + 1, sizeof *entries);
    struct llmfp_plan_cell *sorted = calloc(plan->n_cells + 1, sizeof *sorted);
    uint32_t *new_number = calloc(plan->n_cells + 1, sizeof *new_number);
    plan->roles = calloc((size_t)roles->n_keys + 1, sizeof *plan->roles);
    if (entries == NULL || sorted == NULL || new_number == NULL || plan->roles == NULL) {
        free(entries);
        free(sorted);
        free(new_number);
        return no_memory(error);
    }
    plan->n_roles = roles->n_keys;
    for (uint32_t r = 0; r < roles->n_keys; r++) {
        plan->roles[r] = roles->keys[r].bytes; /* NUL-terminated by the arena */
    }
    for (size_t i = 0; i < plan->n_cells; i++) {
        entries[i] = (struct sort_entry){&plan->cells[i], plan->roles[plan->cells[i].role]};
    }
    qsort(entries, plan->n_cells, sizeof *entries, compare_entries);
    place_cells(plan, entries, sorted, new_number);
    renumber_targets(plan, new_number);
    free(plan->cells);
    plan->cells = sorted;
    free(entries);
    free(new_number);
    return LLMFP_OK;
}
