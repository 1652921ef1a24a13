/* layouts.c - how fused tensors are cut: one description per layout. */
#include "rules.h"

#define QKV(q_size, k_size)                                                                        \
    .n_parts = 3, .parts = {{ATTN_Q, (q_size)}, {ATTN_K, (k_size)}, {ATTN_V, (k_size)}}
#define PAIR(first, second, part_size)                                                             \
    .n_parts = 2, .parts = {{(first), (part_size)}, {(second), (part_size)}}

/* ---- attention ---- */

const struct llmfp_layout llmfp_cat_qkv = {
    .inputs_are_hidden = true,
    .repeat = SIZE_ONE,
    QKV(SIZE_ALL_HEADS, SIZE_ALL_KV_HEADS),
};

const struct llmfp_layout llmfp_cat_qkv_either = {
    .axis = AXIS_NOT_HIDDEN,
    .repeat = SIZE_ONE,
    QKV(SIZE_ALL_HEADS, SIZE_ALL_KV_HEADS),
};

/* k = h by the architecture: the head counts are not needed.                   */
const struct llmfp_layout llmfp_cat_thirds = {
    .inputs_are_hidden = true,
    .whole = WHOLE_3_HIDDEN,
    .repeat = SIZE_ONE,
    QKV(SIZE_THIRD_OF_AXIS, SIZE_THIRD_OF_AXIS),
};

const struct llmfp_layout llmfp_cat_thirds_columns = {
    .axis = AXIS_COLUMNS,
    .inputs_are_hidden = true,
    .whole = WHOLE_3_HIDDEN,
    .repeat = SIZE_ONE,
    QKV(SIZE_THIRD_OF_AXIS, SIZE_THIRD_OF_AXIS),
};

const struct llmfp_layout llmfp_head3_qkv = {
    .inputs_are_hidden = true,
    .repeat = SIZE_HEADS,
    QKV(SIZE_HEAD, SIZE_HEAD),
};

/* The same where the head size is nowhere stated, and k = h by the architecture.   */
const struct llmfp_layout llmfp_head3_thirds = {
    .inputs_are_hidden = true,
    .whole = WHOLE_3_HIDDEN,
    .repeat = SIZE_HEADS,
    QKV(SIZE_THIRD_OF_HEAD, SIZE_THIRD_OF_HEAD),
};

const struct llmfp_layout llmfp_group_qkv = {
    .inputs_are_hidden = true,
    .repeat = SIZE_KV_HEADS,
    QKV(SIZE_GROUP_HEADS, SIZE_HEAD),
};

const struct llmfp_layout llmfp_group_q_gate_k_v = {
    .inputs_are_hidden = true,
    .repeat = SIZE_KV_HEADS,
    .n_parts = 4,
    .parts = {{ATTN_Q, SIZE_GROUP_HEADS},
              {ATTN_GATE, SIZE_GROUP_HEADS},
              {ATTN_K, SIZE_HEAD},
              {ATTN_V, SIZE_HEAD}},
};

/* Cut for 4 accelerators once and for all, and v stands before k.              */
const struct llmfp_layout llmfp_codegen_qvk = {
    .inputs_are_hidden = true,
    .repeat = SIZE_FOUR,
    .n_parts = 3,
    .parts = {{ATTN_Q, SIZE_QUARTER_HEADS},
              {ATTN_V, SIZE_QUARTER_HEADS},
              {ATTN_K, SIZE_QUARTER_HEADS}},
};

const struct llmfp_layout llmfp_head_q_gate = {
    .inputs_are_hidden = true,
    .repeat = SIZE_HEADS,
    PAIR(ATTN_Q, ATTN_GATE, SIZE_HEAD),
};

const struct llmfp_layout llmfp_half_k_v = {
    .inputs_are_hidden = true,
    .repeat = SIZE_ONE,
    PAIR(ATTN_K, ATTN_V, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_half_k_v_columns = {
    .axis = AXIS_COLUMNS,
    .inputs_are_hidden = true,
    .repeat = SIZE_ONE,
    PAIR(ATTN_K, ATTN_V, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_head_k_v = {
    .inputs_are_hidden = true,
    .repeat = SIZE_KV_HEADS,
    PAIR(ATTN_K, ATTN_V, SIZE_HEAD),
};

const struct llmfp_layout llmfp_unknown_qkv = {
    .unknown = "not split: families that use this name order q, k and v differently, and the "
               "model_type in config.json is absent or names none of them",
};

/* ---- feed-forward ---- */

const struct llmfp_layout llmfp_half_gate_up = {
    .inputs_are_hidden = true,
    .repeat = SIZE_ONE,
    PAIR(MLP_GATE, MLP_UP, SIZE_HALF_OF_AXIS),
};

/* Where `intermediate_size` is the width of this very matrix.                  */
const struct llmfp_layout llmfp_half_gate_up_of_2i = {
    .inputs_are_hidden = true,
    .whole = WHOLE_2_FEED_FORWARD,
    .repeat = SIZE_ONE,
    PAIR(MLP_GATE, MLP_UP, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_half_up_gate = {
    .inputs_are_hidden = true,
    .repeat = SIZE_ONE,
    PAIR(MLP_UP, MLP_GATE, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_half_gate_up_either = {
    .axis = AXIS_NOT_HIDDEN,
    .repeat = SIZE_ONE,
    PAIR(MLP_GATE, MLP_UP, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_alternate_gate_up = {
    .inputs_are_hidden = true,
    .repeat = SIZE_HALF_OF_AXIS,
    PAIR(MLP_GATE, MLP_UP, SIZE_ONE),
};

const struct llmfp_layout llmfp_stack_half_gate_up = {
    .stacked = true,
    .inputs_are_hidden = true,
    .repeat = SIZE_ONE,
    PAIR(MLP_GATE, MLP_UP, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_stack_half_gate_up_columns = {
    .axis = AXIS_COLUMNS,
    .stacked = true,
    .inputs_are_hidden = true,
    .repeat = SIZE_ONE,
    PAIR(MLP_GATE, MLP_UP, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_stack_half_gate_up_either = {
    .axis = AXIS_NOT_HIDDEN_ELSE_ROWS,
    .stacked = true,
    .repeat = SIZE_ONE,
    PAIR(MLP_GATE, MLP_UP, SIZE_HALF_OF_AXIS),
};

const struct llmfp_layout llmfp_stack_alternate_gate_up = {
    .stacked = true,
    .inputs_are_hidden = true,
    .repeat = SIZE_HALF_OF_AXIS,
    PAIR(MLP_GATE, MLP_UP, SIZE_ONE),
};

const struct llmfp_layout llmfp_stack_alternate_gate_up_columns = {
    .axis = AXIS_COLUMNS,
    .stacked = true,
    .inputs_are_hidden = true,
    .repeat = SIZE_HALF_OF_AXIS,
    PAIR(MLP_GATE, MLP_UP, SIZE_ONE),
};

const struct llmfp_layout llmfp_unknown_mlp = {
    .unknown = "not split: families that use this name order gate and up differently, and "
               "config.json does not say which one this is",
};
