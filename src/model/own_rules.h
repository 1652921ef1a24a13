/* own_rules.h - the user's rules in memory. */
#ifndef LLMFP_OWN_RULES_INTERNAL_H
#define LLMFP_OWN_RULES_INTERNAL_H

#include "llmfp/buffer.h"
#include "llmfp/own_rules.h"

struct own_rule {
    const char *name; /* the pattern */
    uint32_t n_parts; /* 0: not scanned */
    struct {
        const char *role;
        uint64_t size;
    } parts[LLMFP_MAX_PARTS];
    bool cut;        /* parts have sizes */
    bool columns;    /* which axis is cut */
    bool layered;    /* {layer} stands in the name */
    bool main_stack; /* the roles are of the main stack */
    uint64_t repeat;
};

struct llmfp_own_rules {
    struct own_rule *rules; /* owned */
    size_t n_rules;
    uint64_t digest;          /* of the text */
    struct llmfp_arena arena; /* strings */
};

#endif
