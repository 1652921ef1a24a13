/* own_rules.c - mapping tensors by the user's rules. */
#include "own_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stored_axis.h"

enum { SUM_BYTES = 96 }; /* three numbers of 64 bits and words */

#define LAYER_WORD  "{layer}"
#define EXPERT_WORD "{expert}"

void llmfp_own_rules_free(struct llmfp_own_rules *rules)
{
    if (rules != NULL) {
        llmfp_arena_clear(&rules->arena);
        free(rules->rules);
        free(rules);
    }
}

uint64_t llmfp_own_rules_digest(const struct llmfp_own_rules *rules)
{
    return rules->digest;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

struct numbers {
    int32_t layer;
    int32_t expert;
};

/* The decimal number that begins at `text` and does not go on before it; its length, or 0. */
static size_t number_at(const char *name, const char *text, int32_t *value)
{
    const char *end = text;
    if (text > name && is_digit(text[-1])) {
        return 0;
    }
    int64_t number = 0;
    while (is_digit(*end) && number <= INT32_MAX) {
        number = number * 10 + (*end++ - '0');
    }
    if (end == text || is_digit(*end) || number > INT32_MAX) {
        return 0;
    }
    *value = (int32_t)number;
    return (size_t)(end - text);
}

/* One step of the pattern: how many characters of the name it takes; false: it does not fit. */
static bool step(const char *name, const char **pattern, const char **text, struct numbers *numbers)
{
    const bool layer = strncmp(*pattern, LAYER_WORD, strlen(LAYER_WORD)) == 0;
    if (layer || strncmp(*pattern, EXPERT_WORD, strlen(EXPERT_WORD)) == 0) {
        const size_t n = number_at(name, *text, layer ? &numbers->layer : &numbers->expert);
        *pattern += layer ? strlen(LAYER_WORD) : strlen(EXPERT_WORD);
        *text += n;
        return n > 0;
    }
    if (**pattern != **text) {
        return false;
    }
    (*pattern)++;
    (*text)++;
    return true;
}

/* Keeps only the last `*` to come back to: a number is a token of its own, which no `*`
 * can cut, so an earlier `*` never needs to take more. */
static bool name_fits(const char *pattern, const char *name, struct numbers *numbers)
{
    const char *text = name;
    const char *star = NULL;
    const char *resume = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '\0' || !step(name, &pattern, &text, numbers)) {
            if (star == NULL) {
                return false;
            }
            pattern = star;
            text = ++resume;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

static enum llmfp_status fail_parts(const struct own_rule *rule, const struct llmfp_tensor *tensor,
                                    const char *what, struct llmfp_error *error)
{
    char name[256];
    llmfp_escape(name, sizeof name, tensor->name, strlen(tensor->name));
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "the parts of the rule \"%s\" (--rules) do not fit tensor '%s': %s",
                      rule->name, name, what);
}

static enum llmfp_status cut(const struct own_rule *rule, const struct llmfp_tensor *tensor,
                             struct llmfp_mapping *mapping, struct llmfp_error *error)
{
    if (tensor->n_dimensions == 0 || llmfp_tensor_storage(tensor)->order == LLMFP_ORDER_OTHER) {
        return fail_parts(rule, tensor, "it has no axes, or they are stored in no known order",
                          error);
    }
    const struct llmfp_stored_axis axis = llmfp_stored_axis(tensor, rule->columns);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rule->n_parts; i++) { /* sizes are at most 2^31, parts at most 8 */
        sum += rule->parts[i].size;
    }
    if (sum * rule->repeat != axis.length) { /* below 2^34 * 2^29: no overflow */
        char what[SUM_BYTES];
        (void)snprintf(what, sizeof what, "%" PRIu64 " times %" PRIu64 " is not %" PRIu64,
                       rule->repeat, sum, axis.length);
        return fail_parts(rule, tensor, what, error);
    }
    const bool empty = tensor->n_elements == 0;
    mapping->n_parts = rule->n_parts;
    mapping->repeat = empty ? 1 : tensor->n_elements / (sum * axis.inner);
    for (uint32_t i = 0; i < rule->n_parts; i++) {
        const uint64_t run = empty ? 0 : rule->parts[i].size * axis.inner;
        if (!llmfp_stored_axis_fits(&axis, tensor, run)) {
            return fail_parts(rule, tensor, "a part ends inside a block of its encoding", error);
        }
        mapping->parts[i].role = rule->parts[i].role;
        mapping->parts[i].run_elements = run;
    }
    return LLMFP_OK;
}

static void fill(const struct own_rule *rule, const struct llmfp_tensor *tensor,
                 const struct numbers *numbers, struct llmfp_mapping *mapping)
{
    mapping->rule = rule->name;
    mapping->n_parts = 1;
    mapping->repeat = 1;
    mapping->main_stack = rule->layered && rule->main_stack;
    mapping->parts[0] = (struct llmfp_part){rule->parts[0].role, 0, -1, tensor->n_elements};
    for (uint32_t i = 0; i < rule->n_parts; i++) {
        mapping->parts[i].layer = rule->layered ? numbers->layer : 0;
        mapping->parts[i].expert = numbers->expert;
    }
}

enum llmfp_status llmfp_own_rules_map(const struct llmfp_own_rules *rules,
                                      const struct llmfp_tensor *tensor,
                                      struct llmfp_mapping *mapping, bool *taken,
                                      struct llmfp_error *error)
{
    *taken = false;
    for (size_t i = 0; i < rules->n_rules; i++) {
        const struct own_rule *rule = &rules->rules[i];
        struct numbers numbers = {0, -1};
        if (!name_fits(rule->name, tensor->name, &numbers)) {
            continue;
        }
        *taken = true;
        fill(rule, tensor, &numbers, mapping);
        if (rule->n_parts == 0) {
            mapping->reason = LLMFP_NO_ROLE;
            mapping->n_parts = 0;
            return LLMFP_OK;
        }
        return rule->cut ? cut(rule, tensor, mapping, error) : LLMFP_OK;
    }
    return LLMFP_OK;
}
