/* families_moe.c - mixtures of experts in blocks named as llama names them.
 *
 * Routed experts feed mlp.gate, mlp.up and mlp.down of their layer; experts that
 * every token passes feed moe.shared.*. `mlp.gate` is a router, `mlp.gate_proj`
 * the gate of a dense feed-forward part.
 * Source: the public modelling code and converters of each family.             */
#include "rules.h"

static const struct llmfp_rule rules[] = {
    /* routed experts, one tensor each; first, because most tensors are these */
    RULE("mlp.experts.{E}.gate_proj", MLP_GATE),
    RULE("mlp.experts.{E}.up_proj", MLP_UP),
    RULE("mlp.experts.{E}.down_proj", MLP_DOWN),
    RULE("block_sparse_moe.experts.{E}.w1", MLP_GATE),
    RULE("block_sparse_moe.experts.{E}.w3", MLP_UP),
    RULE("block_sparse_moe.experts.{E}.w2", MLP_DOWN),

    /* routers and their score corrections */
    RULE_IF("mlp.gate", MOE_ROUTER, .when = WHEN_ROUTER),
    RULE_IF("mlp.gate.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("mlp.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("block_sparse_moe.gate", MOE_ROUTER, .when = WHEN_ROUTER),
    RULE_IF("block_sparse_moe.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),

    /* shared experts */
    RULE("mlp.shared_expert.gate_proj", MOE_SHARED_GATE),
    RULE("mlp.shared_expert.up_proj", MOE_SHARED_UP),
    RULE("mlp.shared_expert.down_proj", MOE_SHARED_DOWN),
    RULE("mlp.shared_experts.gate_proj", MOE_SHARED_GATE),
    RULE("mlp.shared_experts.up_proj", MOE_SHARED_UP),
    RULE("mlp.shared_experts.down_proj", MOE_SHARED_DOWN),
    RULE("mlp.shared_expert_gate", MOE_SHARED_ROUTER),
};

const struct llmfp_rules llmfp_rules_moe = RULES(rules);
