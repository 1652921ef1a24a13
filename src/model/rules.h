/* rules.h - the shape of the data that maps tensor names to roles.
 *
 * A name is matched in four steps, all of them tables in families.c:
 *   exclusions  prefixes of what is not the language model (vision towers, ...)
 *   shells      prefixes of multimodal wrappers around the language model
 *   stacks      where the layer index stands, and which rule tables hold behind it
 *   globals     names outside any block: embedding, head, final norm
 * Rule tables (families_*.c) say what the rest of a name means inside a block.
 * The first rule that holds wins, so a narrow rule stands before a wide one.
 * Adding a family: rows here where its names or layouts differ, and their tests. */
#ifndef LLMFP_RULES_H
#define LLMFP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/configuration.h"
#include "role_names.h"

/* ---- layouts of fused tensors: see layout.h for the arithmetic ---- */

/* Which axis is cut. Rows are the outputs of a Linear `[out, in]`; columns those
 * of a Conv1D `[in, out]`. A bias, which has outputs only, is cut likewise.    */
enum llmfp_axis {
    AXIS_ROWS,
    AXIS_COLUMNS,
    /* Both orders occur: the axis that is not H is cut. Where both are H, that is
     * not known, or the order of newer files, rows.                            */
    AXIS_NOT_HIDDEN,
    AXIS_NOT_HIDDEN_ELSE_ROWS
};

/* h query heads, k key/value heads, d head size, H hidden, I feed-forward.     */
enum llmfp_size {
    SIZE_ONE,
    SIZE_FOUR,
    SIZE_HEADS,         /* h */
    SIZE_KV_HEADS,      /* k */
    SIZE_HEAD,          /* d */
    SIZE_ALL_HEADS,     /* h d */
    SIZE_ALL_KV_HEADS,  /* k d */
    SIZE_GROUP_HEADS,   /* (h / k) d */
    SIZE_QUARTER_HEADS, /* h d / 4 */
    SIZE_HALF_OF_AXIS,  /* whatever the axis is long */
    SIZE_THIRD_OF_AXIS,
    SIZE_THIRD_OF_HEAD, /* the axis by 3 h */
    N_SIZES
};

/* What the whole axis must be where config.json says so.                       */
enum llmfp_whole { WHOLE_ANY, WHOLE_3_HIDDEN, WHOLE_2_FEED_FORWARD };

enum { LLMFP_LAYOUT_PARTS = 4 };

struct llmfp_layout {
    enum llmfp_axis axis;
    bool stacked;           /* leading axes (experts) stand before the two of the matrix */
    bool inputs_are_hidden; /* the axis that is not cut is H */
    enum llmfp_whole whole;
    enum llmfp_size repeat; /* how many equal groups the axis holds */
    unsigned n_parts;
    struct {
        enum llmfp_role role;
        enum llmfp_size size;
    } parts[LLMFP_LAYOUT_PARTS];
    const char *unknown; /* why the order is not known at all, or NULL */
};

/* CAT: blocks one after another. HEAD3: q, k, v of each head. GROUP: for each
 * key/value head its query heads, then k, then v. HALF: two halves. ALTERNATE:
 * even and odd. STACK: with leading experts. COLUMNS: stored [in, out].        */
extern const struct llmfp_layout llmfp_cat_qkv, llmfp_cat_qkv_either, llmfp_cat_thirds,
    llmfp_cat_thirds_columns, llmfp_head3_qkv, llmfp_head3_thirds, llmfp_group_qkv,
    llmfp_group_q_gate_k_v, llmfp_codegen_qvk, llmfp_head_q_gate, llmfp_half_k_v,
    llmfp_half_k_v_columns, llmfp_head_k_v, llmfp_unknown_qkv;
extern const struct llmfp_layout llmfp_half_gate_up, llmfp_half_gate_up_of_2i, llmfp_half_up_gate,
    llmfp_alternate_gate_up, llmfp_half_gate_up_either, llmfp_stack_half_gate_up,
    llmfp_stack_half_gate_up_columns, llmfp_stack_half_gate_up_either,
    llmfp_stack_alternate_gate_up, llmfp_stack_alternate_gate_up_columns, llmfp_unknown_mlp;

/* ---- rules ---- */

/* The last component of a name.                                                */
enum llmfp_leaf {
    LEAF_WEIGHT = 1, /* .weight, .gamma, .scale */
    LEAF_BIAS = 2,   /* .bias, .beta */
    LEAF_BARE = 4,   /* a parameter without either, named by the pattern itself */
    /* The same, and it is a bias: `.bias` goes behind the role.                */
    LEAF_BARE_BIAS = 8
};

/* Conditions on configuration and shape, beside the model type.                */
enum llmfp_when {
    WHEN_ALWAYS,
    WHEN_MULTI_QUERY,
    WHEN_NOT_MULTI_QUERY,
    WHEN_NEW_DECODER,
    WHEN_GROUPED,      /* more than one key/value head */
    WHEN_ONE_GROUP,    /* one key/value head */
    WHEN_SANDWICH,     /* norms on both sides of each half */
    WHEN_POST_NORM,    /* norms behind attention and feed-forward */
    WHEN_OUTPUT_GATE,  /* the query projection also makes an output gate */
    WHEN_LATENT,       /* latent attention */
    WHEN_PAST_LAST,    /* behind the last block */
    WHEN_DENSE,        /* config.json states that there are no experts */
    WHEN_MIXTURE,      /* there are experts */
    WHEN_ROUTER,       /* a matrix has one axis as long as there are experts, where known */
    WHEN_TEXT_EXPERT,  /* the expert's index is below the number of experts */
    WHEN_THREE_WIDE,   /* a matrix whose last axis is 3 times the one before */
    WHEN_GATED,        /* the outputs are 2 I */
    WHEN_UNGATED,      /* the outputs are I */
    WHEN_SHARED_GATED, /* likewise, of the shared expert */
    WHEN_SHARED_UNGATED,
    WHEN_LINEAR_LAYER, /* the layer's attention is linear */
    WHEN_PUBLISHER     /* sizes come from the publisher's own params.json */
};

/* Layouts speak of attn.k or mlp.gate; here of which attention or feed-forward.  */
enum llmfp_part_roles { PARTS_AS_NAMED, PARTS_SHARED, PARTS_CROSS };

struct llmfp_rule {
    /* Without leaf and stack; a component {E} is a number, a routed expert's.  */
    const char *pattern;
    const char *models; /* words: model types it holds for, "-" without one; NULL: all */
    const struct llmfp_layout *layout; /* NULL: the tensor is one part */
    uint8_t length;                    /* of pattern */
    uint8_t leaves;                    /* enum llmfp_leaf, or-ed; 0: weight and bias */
    uint8_t role;                      /* enum llmfp_role; of the whole tensor if not split */
    uint8_t when;                      /* enum llmfp_when */
    uint8_t part_roles;                /* enum llmfp_part_roles */
    bool number_is_head;               /* {E} is no expert */
};

struct llmfp_rules {
    const struct llmfp_rule *rules;
    size_t n;
};

/* RULE("mlp.up_proj", MLP_UP), and RULE_IF with further fields.                */
#define RULE(text, identifier)                                                                     \
    {                                                                                              \
        .pattern = (text), .length = sizeof(text) - 1, .role = (identifier)                        \
    }
#define RULE_IF(text, identifier, ...)                                                             \
    {                                                                                              \
        .pattern = (text), .length = sizeof(text) - 1, .role = (identifier), __VA_ARGS__           \
    }
#define RULES(array)                                                                               \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

/* What stands behind the layer index, by naming style; in families_*.c.        */
extern const struct llmfp_rules llmfp_rules_layers, llmfp_rules_moe; /* llama and its kin */
extern const struct llmfp_rules llmfp_rules_h, llmfp_rules_blocks; /* gpt2, bloom, mpt, dbrx, ... */
extern const struct llmfp_rules llmfp_rules_neox, llmfp_rules_chatglm_first, llmfp_rules_chatglm,
    llmfp_rules_openelm;
extern const struct llmfp_rules llmfp_rules_mixer, llmfp_rules_plamo_mixer, llmfp_rules_grok,
    llmfp_rules_sequential;
extern const struct llmfp_rules llmfp_rules_meta, llmfp_rules_deepseek, llmfp_rules_gpt_oss;
extern const struct llmfp_rules llmfp_rules_megatron, llmfp_rules_megatron_old;
extern const struct llmfp_rules llmfp_rules_gguf;
extern const struct llmfp_rules llmfp_rules_bert, llmfp_rules_distilbert, llmfp_rules_packed_bert;
extern const struct llmfp_rules llmfp_rules_t5_attention, llmfp_rules_t5_cross,
    llmfp_rules_t5_feed_forward;

/* ---- stacks, shells, exclusions, globals: in families.c ---- */

enum { LLMFP_STACK_TABLES = 6 };

struct llmfp_stack {
    const char *head; /* up to the layer index */
    const char *tail; /* behind it, from its dot on */
    uint8_t head_length;
    uint8_t tail_length;
    uint8_t kind;  /* enum llmfp_stack_kind */
    uint8_t first; /* index of block 0 */
    const char *models;
    const struct llmfp_rules *tables[LLMFP_STACK_TABLES];
};

struct llmfp_text {
    const char *text;
    size_t length;
};

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

struct llmfp_global {
    const char *pattern; /* without .weight or .bias */
    const char *models;
    uint8_t length;
    uint8_t role;
    uint8_t kind; /* enum llmfp_stack_kind */
};

extern const struct llmfp_text llmfp_exclusions[], llmfp_shells[];
extern const struct llmfp_stack llmfp_stacks[];
extern const struct llmfp_global llmfp_globals[];
extern const size_t llmfp_n_exclusions, llmfp_n_shells, llmfp_n_stacks, llmfp_n_globals;

#endif
