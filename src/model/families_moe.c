/* families_moe.c - mixtures of experts in blocks named as llama names them.
 *
 * Routed experts feed mlp.gate, mlp.up and mlp.down of their layer; experts that
 * every token passes feed moe.shared.*. `mlp.gate` is a router, `mlp.gate_proj`
 * the gate of a dense feed-forward part.
 * Source: the public modelling code and converters of each family.             */
#include "rules.h"

#define ERNIE_VL "ernie4_5_moe_vl ernie4_5_vl_moe ernie4_5_moe_vl_text ernie4_5_vl_moe_text"
#define QWEN_VL  "qwen3_vl_moe qwen3_vl_moe_text qwen3_omni_moe_text"
/* Families that PyTorch-side tools save with all experts in one tensor, rows first. */
#define STACKABLE                                                                                  \
    "mixtral minimax qwen2_moe qwen3_moe qwen3_next qwen3_5_moe qwen3_5_moe_text olmoe "           \
    "deepseek_v2 deepseek_v3 deepseek_v32 kimi_k2 glm4_moe glm4_moe_lite glm_moe_dsa dots1 "       \
    "exaone_moe solar_open ernie4_5_moe hunyuan_v1_moe minimax_m2 phimoe jamba flex_olmo"

static const struct llmfp_rule rules[] = {
    /* routed experts, one tensor each; first, because most tensors are these.
     * Experts past the language model's are those of the vision part. */
    RULE_IF("mlp.experts.{E}.gate_proj", MLP_GATE, .models = ERNIE_VL, .when = WHEN_TEXT_EXPERT),
    RULE_IF("mlp.experts.{E}.gate_proj", ROLE_OTHER, .models = ERNIE_VL),
    RULE("mlp.experts.{E}.gate_proj", MLP_GATE),
    RULE_IF("mlp.experts.{E}.up_proj", MLP_UP, .models = ERNIE_VL, .when = WHEN_TEXT_EXPERT),
    RULE_IF("mlp.experts.{E}.up_proj", ROLE_OTHER, .models = ERNIE_VL),
    RULE("mlp.experts.{E}.up_proj", MLP_UP),
    RULE_IF("mlp.experts.{E}.down_proj", MLP_DOWN, .models = ERNIE_VL, .when = WHEN_TEXT_EXPERT),
    RULE_IF("mlp.experts.{E}.down_proj", ROLE_OTHER, .models = ERNIE_VL),
    RULE("mlp.experts.{E}.down_proj", MLP_DOWN),
    RULE("mlp.experts.{E}.w1", MLP_GATE),
    RULE("mlp.experts.{E}.w3", MLP_UP),
    RULE("mlp.experts.{E}.w2", MLP_DOWN),
    RULE_IF("mlp.experts.{E}.gate_and_up_proj", ROLE_OTHER, .layout = &llmfp_half_up_gate),
    RULE_IF("mlp.experts.{E}.up_gate_proj", ROLE_OTHER, .models = "ernie4_5_moe",
            .layout = &llmfp_half_gate_up_either),
    RULE("block_sparse_moe.experts.{E}.w1", MLP_GATE),
    RULE("block_sparse_moe.experts.{E}.w3", MLP_UP),
    RULE("block_sparse_moe.experts.{E}.w2", MLP_DOWN),
    RULE("block_sparse_moe.experts.{E}.gate", MLP_GATE),
    RULE("block_sparse_moe.experts.{E}.up", MLP_UP),
    RULE("block_sparse_moe.experts.{E}.down", MLP_DOWN),
    RULE("feed_forward.experts.{E}.gate_proj", MLP_GATE),
    RULE("feed_forward.experts.{E}.up_proj", MLP_UP),
    RULE("feed_forward.experts.{E}.down_proj", MLP_DOWN),

    /* all experts in one tensor, [E, 2 I, H] or [E, H, 2 I] */
    RULE_IF("mlp.experts.gate_up_proj", ROLE_OTHER, .leaves = LEAF_BARE, .models = "gpt_oss",
            .layout = &llmfp_stack_alternate_gate_up_columns),
    RULE_IF("mlp.experts.gate_up_proj_bias", ROLE_OTHER, .leaves = LEAF_BARE_BIAS,
            .models = "gpt_oss", .layout = &llmfp_stack_alternate_gate_up_columns),
    RULE_IF("mlp.experts.gate_up_proj_blocks", ROLE_OTHER, .leaves = LEAF_BARE, .models = "gpt_oss",
            .layout = &llmfp_stack_alternate_gate_up),
    RULE_IF("mlp.experts.gate_up_proj", ROLE_OTHER, .leaves = LEAF_BARE, .models = QWEN_VL,
            .layout = &llmfp_stack_half_gate_up_either),
    RULE_IF("mlp.experts.gate_up_proj", ROLE_OTHER, .leaves = LEAF_BARE, .models = STACKABLE,
            .layout = &llmfp_stack_half_gate_up),
    RULE_IF("mlp.experts.gate_up_proj", ROLE_OTHER, .leaves = LEAF_BARE,
            .layout = &llmfp_unknown_mlp),
    RULE_IF("mlp.experts.down_proj", MLP_DOWN, .leaves = LEAF_BARE),
    /* MLX stacks the experts of every family, one tensor for each matrix */
    RULE("mlp.switch_mlp.gate_proj", MLP_GATE),
    RULE("mlp.switch_mlp.up_proj", MLP_UP),
    RULE("mlp.switch_mlp.down_proj", MLP_DOWN),
    RULE("block_sparse_moe.switch_mlp.gate_proj", MLP_GATE),
    RULE("block_sparse_moe.switch_mlp.up_proj", MLP_UP),
    RULE("block_sparse_moe.switch_mlp.down_proj", MLP_DOWN),
    RULE_IF("mlp.experts.down_proj_bias", MLP_DOWN, .leaves = LEAF_BARE_BIAS),
    RULE_IF("mlp.experts.down_proj_blocks", MLP_DOWN, .leaves = LEAF_BARE),
    RULE_IF("feed_forward.experts.gate_up_proj", ROLE_OTHER, .leaves = LEAF_BARE,
            .models = "llama4 llama4_text", .layout = &llmfp_stack_half_gate_up_columns),
    RULE_IF("feed_forward.experts.gate_up_proj", ROLE_OTHER, .leaves = LEAF_BARE,
            .models = STACKABLE, .layout = &llmfp_stack_half_gate_up),
    RULE_IF("feed_forward.experts.gate_up_proj", ROLE_OTHER, .leaves = LEAF_BARE,
            .layout = &llmfp_unknown_mlp),
    RULE_IF("feed_forward.experts.down_proj", MLP_DOWN, .leaves = LEAF_BARE),
    RULE_IF("block_sparse_moe.input_linear", ROLE_OTHER, .layout = &llmfp_stack_half_gate_up),
    RULE("block_sparse_moe.output_linear", MLP_DOWN),
    RULE_IF("mlp.input_linear", ROLE_OTHER, .models = "jetmoe",
            .layout = &llmfp_stack_half_gate_up),
    RULE_IF("mlp.output_linear", MLP_DOWN, .models = "jetmoe"),
    /* aria: [E, H, 2 I]; the half that passes the activation stands first */
    RULE_IF("mlp.experts.fc1", ROLE_OTHER, .models = "aria aria_text",
            .layout = &llmfp_stack_half_gate_up_columns),
    RULE_IF("mlp.experts.fc2", MLP_DOWN, .models = "aria aria_text"),
    RULE("block_sparse_moe.w1", MLP_GATE),
    RULE("block_sparse_moe.w3", MLP_UP),
    RULE("block_sparse_moe.w2", MLP_DOWN),

    /* routers and their score corrections */
    RULE_IF("mlp.gate", MOE_ROUTER, .when = WHEN_ROUTER),
    RULE_IF("mlp.router", MOE_ROUTER, .when = WHEN_ROUTER),
    RULE("mlp.gate.wg", MOE_ROUTER),
    RULE_IF("block_sparse_moe.gate", MOE_ROUTER, .when = WHEN_ROUTER),
    RULE("block_sparse_moe.router.layer", MOE_ROUTER),
    RULE("feed_forward.router", MOE_ROUTER),
    RULE("block_sparse_moe.primary_router", MOE_ROUTER),
    RULE("mlp.router.gate", MOE_ROUTER),
    RULE("mlp.router.classifier", MOE_ROUTER),
    RULE_IF("mlp.router.layer", MOE_ROUTER, .models = "jetmoe"),
    RULE_IF("mlp.router.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("mlp.expert_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("mlp.gate.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("mlp.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("mlp.moe_statics.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("mlp.gate.expert_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("block_sparse_moe.gate.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE_IF("block_sparse_moe.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),

    /* shared experts */
    RULE("mlp.shared_expert.gate_proj", MOE_SHARED_GATE),
    RULE("mlp.shared_expert.up_proj", MOE_SHARED_UP),
    RULE("mlp.shared_expert.down_proj", MOE_SHARED_DOWN),
    RULE("mlp.shared_experts.gate_proj", MOE_SHARED_GATE),
    RULE("mlp.shared_experts.up_proj", MOE_SHARED_UP),
    RULE("mlp.shared_experts.down_proj", MOE_SHARED_DOWN),
    RULE_IF("mlp.shared_experts.up_gate_proj", ROLE_OTHER, .models = "ernie4_5_moe",
            .part_roles = PARTS_SHARED, .layout = &llmfp_half_gate_up_either),
    RULE("block_sparse_moe.shared_experts.gate_proj", MOE_SHARED_GATE),
    RULE("block_sparse_moe.shared_experts.up_proj", MOE_SHARED_UP),
    RULE("block_sparse_moe.shared_experts.down_proj", MOE_SHARED_DOWN),
    RULE("mlp.shared_mlp.gate_proj", MOE_SHARED_GATE),
    RULE("mlp.shared_mlp.up_proj", MOE_SHARED_UP),
    RULE("mlp.shared_mlp.down_proj", MOE_SHARED_DOWN),
    RULE_IF("mlp.shared_mlp.gate_and_up_proj", ROLE_OTHER, .part_roles = PARTS_SHARED,
            .layout = &llmfp_half_up_gate),
    RULE("feed_forward.shared_expert.gate_proj", MOE_SHARED_GATE),
    RULE("feed_forward.shared_expert.up_proj", MOE_SHARED_UP),
    RULE("feed_forward.shared_expert.down_proj", MOE_SHARED_DOWN),
    RULE("mlp.shared_expert_gate", MOE_SHARED_ROUTER),
    /* granite: the shared expert, or without experts the whole feed-forward part */
    RULE_IF("shared_mlp.input_linear", ROLE_OTHER, .when = WHEN_DENSE,
            .layout = &llmfp_half_gate_up),
    RULE_IF("shared_mlp.input_linear", ROLE_OTHER, .when = WHEN_MIXTURE, .part_roles = PARTS_SHARED,
            .layout = &llmfp_half_gate_up),
    RULE_IF("shared_mlp.output_linear", MLP_DOWN, .when = WHEN_DENSE),
    RULE_IF("shared_mlp.output_linear", MOE_SHARED_DOWN, .when = WHEN_MIXTURE),
};

const struct llmfp_rules llmfp_rules_moe = RULES(rules);
