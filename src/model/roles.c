/* roles.c - map a tensor to its role by the tables of rules.h; see llmfp/roles.h. */
#include "llmfp/roles.h"

#include <string.h>

#include "layout.h"
#include "llmfp/own_rules.h"
#include "rules.h"
#include "tensor_name.h"
#include "words.h"

/* Where a name stands, and the rule that holds for it. */
struct place {
    const struct llmfp_configuration *configuration;
    const struct llmfp_tensor *tensor;
    const struct llmfp_rule *rule; /* NULL: none */
    enum llmfp_stack_kind kind;
    int32_t layer;
    int32_t number; /* of a component {E}, or -1 */
    bool bias;
    bool main_stack;
};

const char *llmfp_reason_text(enum llmfp_reason reason)
{
    static const char *const texts[LLMFP_N_REASONS] = {
        [LLMFP_SCANNED] = "scanned",
        [LLMFP_NO_ROLE] = "no role",
        [LLMFP_INTEGER] = "integer or boolean encoding",
        [LLMFP_NO_KERNEL] = "encoding that cannot be summed",
        [LLMFP_ROLE_NOT_WANTED] = "left out by --roles",
    };
    return (unsigned)reason < LLMFP_N_REASONS ? texts[reason] : "unknown";
}

/* ---- conditions ---- */

static bool model_is(const struct llmfp_configuration *configuration, const char *models)
{
    const char *type = configuration->model_type;
    return models == NULL || llmfp_word_in(models, type[0] == '\0' ? "-" : type);
}

/* One of a matrix's axes is as long as there are experts. */
static bool fits_router(const struct place *place)
{
    const struct llmfp_tensor *tensor = place->tensor;
    const uint64_t experts = place->configuration->experts;
    if (place->configuration->dense) {
        return false;
    }
    if (experts == 0 || tensor->n_dimensions != 2) {
        return true;
    }
    return tensor->shape[0] == experts || tensor->shape[1] == experts;
}

/* The width of a dense feed-forward part, or of one routed expert. */
static uint64_t feed_forward_of(const struct place *place)
{
    const struct llmfp_configuration *configuration = place->configuration;
    return place->number >= 0 && configuration->expert_feed_forward != 0
               ? configuration->expert_feed_forward
               : configuration->feed_forward;
}

/* The number of outputs is `times` the width, which is known. */
static bool outputs_are(const struct place *place, uint64_t times, uint64_t width)
{
    const struct llmfp_tensor *tensor = place->tensor;
    const uint32_t axes = place->bias ? 1 : 2;
    return width != 0 && tensor->n_dimensions == axes && tensor->shape[0] == times * width;
}

/* Listed as such, or without key/value heads where those are listed. */
static bool layer_is_linear(const struct place *place)
{
    const struct llmfp_configuration *configuration = place->configuration;
    const uint64_t layer = (uint64_t)place->layer;
    return (layer < LLMFP_LISTED_LAYERS && configuration->layer_linear[layer]) ||
           (layer < configuration->n_listed_layers && configuration->layer_kv_heads[layer] == 0);
}

static bool three_wide(const struct llmfp_tensor *tensor)
{
    return tensor->n_dimensions == 2 && tensor->shape[1] % 3 == 0 &&
           tensor->shape[1] / 3 == tensor->shape[0];
}

static bool condition_holds(const struct place *place, enum llmfp_when when)
{
    const struct llmfp_configuration *configuration = place->configuration;
    switch (when) {
    case WHEN_ALWAYS:
        return true;
    case WHEN_MULTI_QUERY:
        return configuration->multi_query;
    case WHEN_NOT_MULTI_QUERY:
        return !configuration->multi_query;
    case WHEN_NEW_DECODER:
        return configuration->new_decoder_architecture;
    case WHEN_GROUPED:
        return configuration->kv_heads > 1;
    case WHEN_ONE_GROUP:
        return configuration->kv_heads == 1;
    case WHEN_SANDWICH:
        return configuration->sandwich_norm;
    case WHEN_POST_NORM:
        return configuration->post_norm;
    case WHEN_OUTPUT_GATE:
        return configuration->output_gate;
    case WHEN_LATENT:
        return configuration->latent_attention;
    case WHEN_PAST_LAST:
        return place->kind == STACK_MTP;
    case WHEN_DENSE:
        return configuration->dense;
    case WHEN_MIXTURE:
        return configuration->experts > 0;
    case WHEN_ROUTER:
        return fits_router(place);
    case WHEN_TEXT_EXPERT:
        return configuration->experts == 0 || (uint64_t)place->number < configuration->experts;
    case WHEN_THREE_WIDE:
        return three_wide(place->tensor);
    case WHEN_GATED:
        return outputs_are(place, 2, feed_forward_of(place));
    case WHEN_UNGATED:
        return outputs_are(place, 1, feed_forward_of(place));
    case WHEN_SHARED_GATED:
        return outputs_are(place, 2, configuration->shared_feed_forward);
    case WHEN_SHARED_UNGATED:
        return outputs_are(place, 1, configuration->shared_feed_forward);
    case WHEN_LINEAR_LAYER:
        return layer_is_linear(place);
    case WHEN_PUBLISHER:
        return configuration->publisher_sizes;
    }
    return false;
}

/* ---- finding the rule ---- */

static bool leaf_fits(const struct llmfp_rule *rule, uint8_t leaf)
{
    const unsigned allowed = rule->leaves == 0 ? LEAF_WEIGHT | LEAF_BIAS : rule->leaves;
    return (leaf & allowed) != 0 || (leaf == LEAF_BARE && (allowed & LEAF_BARE_BIAS) != 0);
}

/* The first rule of a table that holds; fills place->rule and place->bias. */
static bool find_rule(struct place *place, const struct llmfp_rules *table,
                      const struct llmfp_name_rest *rest)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct llmfp_rule *rule = &table->rules[i];
        if (rule->length != rest->length ||
            memcmp(rule->pattern, rest->pattern, rest->length) != 0 ||
            !leaf_fits(rule, rest->leaf) || !model_is(place->configuration, rule->models)) {
            continue;
        }
        place->bias = rest->leaf == LEAF_BIAS ||
                      (rest->leaf == LEAF_BARE && (rule->leaves & LEAF_BARE_BIAS) != 0);
        place->number = rest->number;
        if (condition_holds(place, (enum llmfp_when)rule->when)) {
            place->rule = rule;
            return true;
        }
    }
    return false;
}

/* Match head, index and tail of a stack; returns what stands behind, or NULL. */
static const char *match_stack(const struct llmfp_stack *stack, const char *name, size_t length,
                               int32_t *index)
{
    if (length < stack->head_length || memcmp(name, stack->head, stack->head_length) != 0) {
        return NULL;
    }
    const char *end = name + length;
    const char *number = name + stack->head_length;
    const size_t digits = llmfp_name_number(number, end, index);
    const char *tail = number + digits;
    if (digits == 0 || *index < stack->first || (size_t)(end - tail) < stack->tail_length ||
        memcmp(tail, stack->tail, stack->tail_length) != 0) {
        return NULL;
    }
    *index -= stack->first;
    return tail + stack->tail_length;
}

/* Layers past the last one of the main stack predict further tokens. */
static void settle_layer(struct place *place, const struct llmfp_stack *stack, int32_t index)
{
    const uint64_t n_layers = place->configuration->n_layers;
    place->kind = (enum llmfp_stack_kind)stack->kind;
    place->layer = index;
    if (place->kind == STACK_MAIN && n_layers != 0 && (uint64_t)index >= n_layers) {
        place->kind = STACK_MTP;
        place->layer = (int32_t)((uint64_t)index - n_layers);
    }
    place->main_stack = place->kind == STACK_MAIN;
}

/* Search all stacks. Without a rule, place->main_stack is still set when each stack
 * that the name may stand in is a main one.                                    */
static bool find_in_stacks(struct place *place, const char *name, size_t length)
{
    bool seen = false;
    bool all_main = true;
    for (size_t i = 0; i < llmfp_n_stacks; i++) {
        const struct llmfp_stack *stack = &llmfp_stacks[i];
        int32_t index = -1;
        const char *behind = match_stack(stack, name, length, &index);
        if (behind == NULL || !model_is(place->configuration, stack->models)) {
            continue;
        }
        settle_layer(place, stack, index);
        seen = true;
        all_main = all_main && place->main_stack;
        struct llmfp_name_rest rest;
        const bool readable = llmfp_name_rest(behind, length - (size_t)(behind - name), &rest);
        for (size_t t = 0; readable && t < LLMFP_STACK_TABLES && stack->tables[t] != NULL; t++) {
            if (find_rule(place, stack->tables[t], &rest)) {
                return true;
            }
        }
    }
    place->main_stack = seen && all_main;
    return false;
}

static const struct llmfp_global *find_global(const struct place *place, const char *name,
                                              size_t length, bool *bias)
{
    struct llmfp_name_rest rest;
    if (!llmfp_name_rest(name, length, &rest) || rest.leaf == LEAF_BARE) {
        return NULL;
    }
    for (size_t i = 0; i < llmfp_n_globals; i++) {
        const struct llmfp_global *global = &llmfp_globals[i];
        if (global->length == rest.length &&
            memcmp(global->pattern, rest.pattern, rest.length) == 0 &&
            model_is(place->configuration, global->models)) {
            *bias = rest.leaf == LEAF_BIAS;
            return global;
        }
    }
    return NULL;
}

/* The length of the first of `texts` that `name` begins with, or 0. */
static size_t beginning(const struct llmfp_text *texts, size_t n, const char *name, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        if (texts[i].length <= length && texts[i].text[0] == name[0] &&
            memcmp(texts[i].text, name, texts[i].length) == 0) {
            return texts[i].length;
        }
    }
    return 0;
}

/* ---- filling the mapping ---- */

static void one_part(struct llmfp_mapping *mapping, const char *role, int32_t layer, int32_t expert,
                     uint64_t n_elements)
{
    mapping->repeat = 1;
    mapping->n_parts = 1;
    mapping->parts[0] = (struct llmfp_part){role, layer, expert, n_elements};
}

/* `other:` and the name with its first number as `*`; or no role without one. */
static enum llmfp_status fall_back(const struct llmfp_tensor *tensor, struct llmfp_arena *arena,
                                   struct llmfp_mapping *mapping, struct llmfp_error *error)
{
    const char *name = tensor->name;
    const size_t length = strlen(name);
    const char *end = name + length;
    const char *component = name;
    size_t digits = 0;
    int32_t layer = -1;
    while (digits == 0 && component != NULL) {
        digits = llmfp_name_number(component, end, &layer);
        if (digits == 0) {
            const char *dot = strchr(component, '.');
            component = dot == NULL ? NULL : dot + 1;
        }
    }
    if (digits == 0 || layer < 0) {
        mapping->reason = LLMFP_NO_ROLE;
        mapping->n_parts = 0;
        return LLMFP_OK;
    }
    const size_t prefix = strlen(LLMFP_OTHER_PREFIX);
    const size_t before = (size_t)(component - name);
    const size_t behind = length - before - digits;
    char *role = llmfp_arena_new(arena, prefix + before + 1 + behind + 1);
    if (role == NULL) {
        return llmfp_fail_memory(error, prefix + length + 2, "a role");
    }
    memcpy(role, LLMFP_OTHER_PREFIX, sizeof LLMFP_OTHER_PREFIX);
    memcpy(role + prefix, name, before);
    role[prefix + before] = '*';
    memcpy(role + prefix + before + 1, component + digits, behind);
    mapping->rule = "fallback";
    one_part(mapping, role, layer, -1, tensor->n_elements);
    return LLMFP_OK;
}

static enum llmfp_role part_role(enum llmfp_role role, enum llmfp_part_roles part_roles)
{
    static const enum llmfp_role shared[N_ROLES] = {
        [MLP_GATE] = MOE_SHARED_GATE, [MLP_UP] = MOE_SHARED_UP, [MLP_DOWN] = MOE_SHARED_DOWN};
    static const enum llmfp_role cross[N_ROLES] = {
        [ATTN_Q] = XATTN_Q, [ATTN_K] = XATTN_K, [ATTN_V] = XATTN_V};
    switch (part_roles) {
    case PARTS_SHARED:
        return shared[role];
    case PARTS_CROSS:
        return cross[role];
    case PARTS_AS_NAMED:
        break;
    }
    return role;
}

/* A block tensor by its rule: cut it, or say why not. */
static enum llmfp_status fill(const struct place *place, struct llmfp_arena *arena,
                              struct llmfp_mapping *mapping, struct llmfp_error *error)
{
    const struct llmfp_rule *rule = place->rule;
    const struct llmfp_tensor *tensor = place->tensor;
    const int32_t expert = rule->number_is_head ? -1 : place->number;
    mapping->rule = rule->pattern;
    struct llmfp_cut cut = {.repeat = 0};
    if (rule->layout != NULL) {
        const enum llmfp_status status =
            llmfp_layout_cut(rule->layout, place->configuration, (uint64_t)place->layer, tensor,
                             place->bias, arena, &cut, error);
        if (status != LLMFP_OK) {
            return status;
        }
        mapping->note = cut.note;
    }
    if (rule->layout == NULL || cut.note != NULL) {
        if (rule->role == ROLE_OTHER) {
            return fall_back(tensor, arena, mapping, error);
        }
        const char *role = llmfp_role_name(place->kind, (enum llmfp_role)rule->role, place->bias);
        one_part(mapping, role, place->layer, expert, tensor->n_elements);
        return LLMFP_OK;
    }
    mapping->repeat = cut.repeat;
    mapping->n_parts = rule->layout->n_parts;
    for (unsigned i = 0; i < rule->layout->n_parts; i++) {
        const enum llmfp_role role =
            part_role(rule->layout->parts[i].role, (enum llmfp_part_roles)rule->part_roles);
        mapping->parts[i] = (struct llmfp_part){llmfp_role_name(place->kind, role, place->bias),
                                                place->layer, expert, cut.run_elements[i]};
    }
    return LLMFP_OK;
}

/* Embedding, head and final norm have one cell, wherever they stand. */
static bool is_global_role(enum llmfp_role role)
{
    return role == EMBED || role == LM_HEAD || role == NORM_FINAL;
}

static enum llmfp_status map_by_name(struct place *place, const char *name, size_t length,
                                     struct llmfp_arena *arena, struct llmfp_mapping *mapping,
                                     struct llmfp_error *error)
{
    const size_t shell = beginning(llmfp_shells, llmfp_n_shells, name, length);
    bool found = find_in_stacks(place, name, length);
    const bool main_outside = place->main_stack;
    if (!found && shell != 0) {
        found = find_in_stacks(place, name + shell, length - shell);
        place->main_stack = place->main_stack || (!found && main_outside);
    }
    if (found) {
        if (is_global_role((enum llmfp_role)place->rule->role)) {
            place->kind = STACK_MAIN;
            place->layer = 0;
            place->main_stack = false;
        }
        mapping->main_stack = place->main_stack;
        return fill(place, arena, mapping, error);
    }
    mapping->main_stack = place->main_stack;
    bool bias = false;
    const struct llmfp_global *global = find_global(place, name, length, &bias);
    if (global == NULL && shell != 0) {
        global = find_global(place, name + shell, length - shell, &bias);
    }
    if (global == NULL) {
        return fall_back(place->tensor, arena, mapping, error);
    }
    mapping->rule = global->pattern;
    mapping->main_stack = false;
    one_part(
        mapping,
        llmfp_role_name((enum llmfp_stack_kind)global->kind, (enum llmfp_role)global->role, bias),
        0, -1, place->tensor->n_elements);
    return LLMFP_OK;
}

enum llmfp_status llmfp_roles_map(const struct llmfp_configuration *configuration,
                                  const struct llmfp_tensor *tensor, struct llmfp_arena *arena,
                                  struct llmfp_mapping *mapping, struct llmfp_error *error)
{
    *mapping = (struct llmfp_mapping){.reason = LLMFP_SCANNED, .rule = "none", .repeat = 1};
    const struct llmfp_encoding *encoding = llmfp_encoding(tensor->encoding);
    if (encoding->kind == LLMFP_KIND_INTEGER) {
        mapping->reason = LLMFP_INTEGER;
        return LLMFP_OK;
    }
    if (encoding->add == NULL) {
        mapping->reason = LLMFP_NO_KERNEL;
        return LLMFP_OK;
    }
    if (configuration->own_rules != NULL) {
        bool taken;
        const enum llmfp_status status =
            llmfp_own_rules_map(configuration->own_rules, tensor, mapping, &taken, error);
        if (taken || status != LLMFP_OK) {
            return status;
        }
    }
    char name[LLMFP_NAME_MOST];
    const size_t length = llmfp_name_unwrap(tensor->name, name);
    if (length == 0 || beginning(llmfp_exclusions, llmfp_n_exclusions, name, length) != 0) {
        return fall_back(tensor, arena, mapping, error);
    }
    struct place place = {.configuration = configuration, .tensor = tensor, .number = -1};
    return map_by_name(&place, name, length, arena, mapping, error);
}
