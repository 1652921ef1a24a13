/* roles_support.h - one line in, one line out: how tests write mappings.
 *
 * A shape is "8x24" ("" for a scalar). A mapping is written as
 *   2 * attn.q[3] 64 + attn.k[3] 32 + attn.v[3] 32        repeat, role, layer, run
 * with #7 behind the layer for routed expert 7, " aside" at the end when it is
 * not in the main stack, " noted" when a note says why it was not split, and
 * "none" or the reason's text for a tensor without parts.                      */
#ifndef LLMFP_ROLES_SUPPORT_H
#define LLMFP_ROLES_SUPPORT_H

#include <CUnit/Basic.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llmfp/roles.h"

enum { ROLES_AXES = 6, ROLES_LINE = 1024 };

struct roles_case {
    const char *configuration; /* NULL: no config.json */
    const char *name;
    const char *shape;
    const char *expected;
};

static inline void roles_shape(const char *text, uint64_t *shape, struct llmfp_tensor *tensor)
{
    tensor->n_dimensions = 0;
    tensor->n_elements = 1;
    while (*text != '\0') {
        char *end = NULL;
        shape[tensor->n_dimensions] = strtoull(text, &end, 10);
        tensor->n_elements *= shape[tensor->n_dimensions++];
        text = *end == 'x' ? end + 1 : end;
    }
    tensor->shape = shape;
}

static inline void roles_write(const struct llmfp_mapping *mapping, char *line)
{
    if (mapping->n_parts == 0) {
        (void)snprintf(line, ROLES_LINE, "%s",
                       mapping->reason == LLMFP_NO_ROLE ? "none"
                                                        : llmfp_reason_text(mapping->reason));
        return;
    }
    int used = snprintf(line, ROLES_LINE, "%" PRIu64 " *", mapping->repeat);
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        const struct llmfp_part *part = &mapping->parts[i];
        char expert[16] = "";
        if (part->expert >= 0) {
            (void)snprintf(expert, sizeof expert, "#%" PRId32, part->expert);
        }
        used += snprintf(line + used, (size_t)(ROLES_LINE - used), "%s %s[%" PRId32 "]%s %" PRIu64,
                         i == 0 ? "" : " +", part->role, part->layer, expert, part->run_elements);
    }
    (void)snprintf(line + used, (size_t)(ROLES_LINE - used), "%s%s",
                   mapping->main_stack ? "" : " aside", mapping->note != NULL ? " noted" : "");
}

/* Every element belongs to exactly one part. */
static inline bool roles_complete(const struct llmfp_mapping *mapping, uint64_t n_elements)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        sum += mapping->parts[i].run_elements;
    }
    return mapping->n_parts == 0 || mapping->repeat * sum == n_elements;
}

static inline bool roles_map_line(const struct roles_case *given, enum llmfp_encoding_id encoding,
                                  char *line)
{
    struct llmfp_configuration configuration;
    struct llmfp_error error = {LLMFP_OK, ""};
    const char *text = given->configuration;
    if (llmfp_configuration_read(text, text == NULL ? 0 : strlen(text), &configuration, &error) !=
        LLMFP_OK) {
        (void)snprintf(line, ROLES_LINE, "%s", error.text);
        return false;
    }
    uint64_t shape[ROLES_AXES];
    struct llmfp_tensor tensor = {.name = given->name, .encoding = encoding};
    roles_shape(given->shape, shape, &tensor);
    struct llmfp_arena arena = {NULL, 0};
    struct llmfp_mapping mapping;
    const bool mapped =
        llmfp_roles_map(&configuration, &tensor, &arena, &mapping, &error) == LLMFP_OK;
    const bool complete = mapped && roles_complete(&mapping, tensor.n_elements);
    (void)snprintf(line, ROLES_LINE, "%s", error.text);
    if (mapped) {
        roles_write(&mapping, line);
    }
    llmfp_arena_clear(&arena);
    return complete;
}

/* Assert all cases; a wrong one is printed. */
static inline void roles_check(const struct roles_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char line[ROLES_LINE];
        const bool complete = roles_map_line(&cases[i], LLMFP_BF16, line);
        const bool same = complete && strcmp(line, cases[i].expected) == 0;
        if (!same) {
            printf("\n    %s %s\n      expected %s\n      found    %s%s\n", cases[i].name,
                   cases[i].shape, cases[i].expected, line, complete ? "" : " (incomplete)");
        }
        CU_ASSERT(same);
    }
}

#define ROLES_CHECK(cases) roles_check((cases), sizeof(cases) / sizeof((cases)[0]))

#endif
