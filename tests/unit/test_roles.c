/* test_roles.c - names to roles: llama shape, experts, wrappers, fallback. */
#include "cunit_main.h"
#include "roles_support.h"

#define LLAMA                                                                                      \
    "{\"model_type\":\"llama\",\"num_hidden_layers\":4,\"hidden_size\":8,"                         \
    "\"num_attention_heads\":2}"
#define OF_TYPE(type) "{\"model_type\":\"" type "\",\"num_hidden_layers\":4}"

static void llama_shape(void)
{
    static const struct roles_case cases[] = {
        {LLAMA, "model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {LLAMA, "model.layers.0.self_attn.k_proj.weight", "4x8", "1 * attn.k[0] 32"},
        {LLAMA, "model.layers.0.self_attn.v_proj.weight", "4x8", "1 * attn.v[0] 32"},
        {LLAMA, "model.layers.0.self_attn.o_proj.weight", "8x8", "1 * attn.o[0] 64"},
        {LLAMA, "model.layers.0.self_attn.q_proj.bias", "8", "1 * attn.q.bias[0] 8"},
        {LLAMA, "model.layers.0.self_attn.o_proj.bias", "8", "1 * attn.o.bias[0] 8"},
        {LLAMA, "model.layers.2.mlp.gate_proj.weight", "16x8", "1 * mlp.gate[2] 128"},
        {LLAMA, "model.layers.2.mlp.up_proj.weight", "16x8", "1 * mlp.up[2] 128"},
        {LLAMA, "model.layers.2.mlp.down_proj.weight", "8x16", "1 * mlp.down[2] 128"},
        {LLAMA, "model.layers.2.input_layernorm.weight", "8", "1 * norm.attn[2] 8"},
        {LLAMA, "model.layers.2.post_attention_layernorm.weight", "8", "1 * norm.mlp[2] 8"},
        {LLAMA, "model.layers.2.self_attn.q_norm.weight", "4", "1 * attn.q_norm[2] 4"},
        {LLAMA, "model.layers.2.self_attn.k_norm.weight", "4", "1 * attn.k_norm[2] 4"},
        {LLAMA, "model.embed_tokens.weight", "32x8", "1 * embed[0] 256 aside"},
        {LLAMA, "lm_head.weight", "32x8", "1 * lm_head[0] 256 aside"},
        {LLAMA, "lm_head.bias", "32", "1 * lm_head.bias[0] 32 aside"},
        {LLAMA, "model.norm.weight", "8", "1 * norm.final[0] 8 aside"},
        /* saved from the bare base model */
        {LLAMA, "layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {LLAMA, "embed_tokens.weight", "32x8", "1 * embed[0] 256 aside"},
        {LLAMA, "norm.weight", "8", "1 * norm.final[0] 8 aside"},
        /* without config.json: the same, and no layer is past the last */
        {NULL, "model.layers.77.self_attn.q_proj.weight", "8x8", "1 * attn.q[77] 64"},
        {NULL, "model.layers.7.post_attention_layernorm.weight", "8", "1 * norm.mlp[7] 8"},
        {NULL, "model.layers.7.pre_feedforward_layernorm.weight", "8", "1 * norm.mlp[7] 8"},
        {NULL, "model.layers.7.post_feedforward_layernorm.weight", "8", "1 * norm.mlp_post[7] 8"},
        /* empty, and a scalar */
        {LLAMA, "model.layers.0.mlp.up_proj.weight", "0x8", "1 * mlp.up[0] 0"},
        {LLAMA, "model.layers.0.mlp.up_proj.weight", "", "1 * mlp.up[0] 1"},
    };
    ROLES_CHECK(cases);
}

static void norms_by_family(void)
{
    static const struct roles_case cases[] = {
        {OF_TYPE("gemma"), "model.layers.1.post_attention_layernorm.weight", "8",
         "1 * norm.mlp[1] 8"},
        {OF_TYPE("gemma2"), "model.layers.1.post_attention_layernorm.weight", "8",
         "1 * norm.attn_post[1] 8"},
        {OF_TYPE("gemma2"), "model.layers.1.pre_feedforward_layernorm.weight", "8",
         "1 * norm.mlp[1] 8"},
        {OF_TYPE("gemma3_text"), "model.layers.1.post_attention_layernorm.weight", "8",
         "1 * norm.attn_post[1] 8"},
        {OF_TYPE("gemma3_text"), "model.layers.1.post_feedforward_layernorm.weight", "8",
         "1 * norm.mlp_post[1] 8"},
        {OF_TYPE("olmo2"), "model.layers.1.post_attention_layernorm.weight", "8",
         "1 * norm.attn_post[1] 8"},
        {OF_TYPE("exaone4"), "model.layers.1.post_attention_layernorm.weight", "8",
         "1 * norm.attn_post[1] 8"},
        {OF_TYPE("glm4"), "model.layers.1.post_attention_layernorm.weight", "8",
         "1 * norm.mlp[1] 8"},
        {OF_TYPE("glm4"), "model.layers.1.post_self_attn_layernorm.weight", "8",
         "1 * norm.attn_post[1] 8"},
        {OF_TYPE("glm4"), "model.layers.1.post_mlp_layernorm.weight", "8",
         "1 * norm.mlp_post[1] 8"},
        {"{\"model_type\":\"pangu_ultra_moe\",\"sandwich_norm\":true}",
         "model.layers.1.post_attention_layernorm.weight", "8", "1 * norm.attn_post[1] 8"},
        {"{\"model_type\":\"pangu_ultra_moe\",\"sandwich_norm\":true}",
         "model.layers.1.pre_mlp_layernorm.weight", "8", "1 * norm.mlp[1] 8"},
        {"{\"model_type\":\"pangu_ultra_moe\"}", "model.layers.1.post_attention_layernorm.weight",
         "8", "1 * norm.mlp[1] 8"},
        {OF_TYPE("stablelm"), "model.layers.1.self_attn.q_layernorm.norms.5.weight", "8",
         "1 * attn.q_norm[1] 8"},
        {OF_TYPE("cohere"), "model.layers.1.self_attn.k_norm.weight", "2x4",
         "1 * attn.k_norm[1] 8"},
        {OF_TYPE("phi"), "model.layers.1.input_layernorm.bias", "8", "1 * norm.attn.bias[1] 8"},
    };
    ROLES_CHECK(cases);
}

#define QWEN_MOE "{\"model_type\":\"qwen2_moe\",\"num_hidden_layers\":4,\"num_experts\":6}"
#define DEEPSEEK                                                                                   \
    "{\"model_type\":\"deepseek_v3\",\"num_hidden_layers\":4,\"hidden_size\":8,"                   \
    "\"n_routed_experts\":6,\"num_attention_heads\":2,\"head_dim\":2,\"kv_lora_rank\":4,"          \
    "\"qk_nope_head_dim\":3,\"qk_rope_head_dim\":2,\"num_nextn_predict_layers\":1}"

static void experts(void)
{
    static const struct roles_case cases[] = {
        {OF_TYPE("mixtral"), "model.layers.1.block_sparse_moe.experts.7.w1.weight", "16x8",
         "1 * mlp.gate[1]#7 128"},
        {OF_TYPE("mixtral"), "model.layers.1.block_sparse_moe.experts.7.w2.weight", "8x16",
         "1 * mlp.down[1]#7 128"},
        {OF_TYPE("mixtral"), "model.layers.1.block_sparse_moe.experts.0.w3.weight", "16x8",
         "1 * mlp.up[1]#0 128"},
        {OF_TYPE("mixtral"), "model.layers.1.block_sparse_moe.gate.weight", "8x8",
         "1 * moe.router[1] 64"},
        {QWEN_MOE, "model.layers.1.mlp.experts.5.down_proj.weight", "8x4", "1 * mlp.down[1]#5 32"},
        {QWEN_MOE, "model.layers.1.mlp.gate.weight", "6x8", "1 * moe.router[1] 48"},
        {QWEN_MOE, "model.layers.1.mlp.gate_proj.weight", "16x8", "1 * mlp.gate[1] 128"},
        {QWEN_MOE, "model.layers.1.mlp.shared_expert.gate_proj.weight", "4x8",
         "1 * moe.shared.gate[1] 32"},
        {QWEN_MOE, "model.layers.1.mlp.shared_expert.up_proj.weight", "4x8",
         "1 * moe.shared.up[1] 32"},
        {QWEN_MOE, "model.layers.1.mlp.shared_expert.down_proj.weight", "8x4",
         "1 * moe.shared.down[1] 32"},
        {QWEN_MOE, "model.layers.1.mlp.shared_expert_gate.weight", "1x8",
         "1 * moe.shared.router[1] 8"},
        {DEEPSEEK, "model.layers.3.mlp.gate.weight", "6x8", "1 * moe.router[3] 48"},
        {DEEPSEEK, "model.layers.3.mlp.gate.e_score_correction_bias", "6",
         "1 * moe.router.bias[3] 6"},
        {DEEPSEEK, "model.layers.3.mlp.shared_experts.up_proj.weight", "4x8",
         "1 * moe.shared.up[3] 32"},
        /* an `mlp.gate` that is no router */
        {DEEPSEEK, "model.layers.3.mlp.gate.weight", "16x8",
         "1 * other:model.layers.*.mlp.gate.weight[3] 128"},
        {"{\"num_local_experts\":0}", "model.layers.3.mlp.gate.weight", "16x8",
         "1 * other:model.layers.*.mlp.gate.weight[3] 128"},
        {NULL, "model.layers.3.mlp.gate.weight", "6x8", "1 * moe.router[3] 48"},
        {NULL, "model.layers.3.mlp.experts.2147483647.up_proj.weight", "6x8",
         "1 * mlp.up[3]#2147483647 48"},
        {NULL, "model.layers.3.mlp.experts.2147483648.up_proj.weight", "6x8",
         "1 * other:model.layers.*.mlp.experts.2147483648.up_proj.weight[3] 48"},
    };
    ROLES_CHECK(cases);
}

static void latent_attention_and_next_tokens(void)
{
    static const struct roles_case cases[] = {
        {DEEPSEEK, "model.layers.0.self_attn.q_a_proj.weight", "4x8", "1 * attn.q_a[0] 32"},
        {DEEPSEEK, "model.layers.0.self_attn.q_a_layernorm.weight", "4", "1 * attn.q_a_norm[0] 4"},
        {DEEPSEEK, "model.layers.0.self_attn.q_b_proj.weight", "10x4", "1 * attn.q_b[0] 40"},
        {DEEPSEEK, "model.layers.0.self_attn.kv_a_proj_with_mqa.weight", "6x8",
         "1 * attn.kv_a[0] 48"},
        {DEEPSEEK, "model.layers.0.self_attn.kv_a_layernorm.weight", "4",
         "1 * attn.kv_a_norm[0] 4"},
        {DEEPSEEK, "model.layers.0.self_attn.kv_b_proj.weight", "12x4", "1 * attn.kv_b[0] 48"},
        {DEEPSEEK, "model.layers.0.self_attn.q_proj.weight", "10x8", "1 * attn.q[0] 80"},
        /* layer 4 of 4 is the first next-token layer */
        {DEEPSEEK, "model.layers.4.self_attn.q_a_proj.weight", "4x8",
         "1 * mtp.attn.q_a[0] 32 aside"},
        {DEEPSEEK, "model.layers.5.mlp.experts.2.up_proj.weight", "4x8",
         "1 * mtp.mlp.up[1]#2 32 aside"},
        {DEEPSEEK, "model.layers.4.mlp.gate.e_score_correction_bias", "6",
         "1 * mtp.moe.router.bias[0] 6 aside"},
        {DEEPSEEK, "model.layers.4.eh_proj.weight", "8x16",
         "1 * other:model.layers.*.eh_proj.weight[4] 128 aside"},
        {DEEPSEEK, "model.layers.4.shared_head.norm.weight", "8",
         "1 * other:model.layers.*.shared_head.norm.weight[4] 8 aside"},
        {OF_TYPE("qwen3_next"), "mtp.layers.0.mlp.gate_proj.weight", "16x8",
         "1 * mtp.mlp.gate[0] 128 aside"},
        {OF_TYPE("qwen3_next"), "mtp.layers.0.input_layernorm.weight", "8",
         "1 * mtp.norm.attn[0] 8 aside"},
        {OF_TYPE("qwen3_next"), "mtp.fc.weight", "8x16", "none"},
    };
    ROLES_CHECK(cases);
}

static void multimodal_wrappers(void)
{
    static const struct roles_case cases[] = {
        {NULL, "language_model.model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {NULL, "model.language_model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {NULL, "model.text_model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {NULL, "language.model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {NULL, "llm.model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {NULL, "thinker.model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {NULL, "language_model.lm_head.weight", "32x8", "1 * lm_head[0] 256 aside"},
        {NULL, "model.language_model.embed_tokens.weight", "32x8", "1 * embed[0] 256 aside"},
        {NULL, "language_model.model.norm.weight", "8", "1 * norm.final[0] 8 aside"},
        {NULL, "language_model.model.layers.3.cross_attn.k_proj.weight", "4x8",
         "1 * xattn.k[3] 32"},
        {NULL, "language_model.model.layers.3.cross_attn_attn_gate", "1",
         "1 * other:language_model.model.layers.*.cross_attn_attn_gate[3] 1"},
        /* the configuration of the language model is the one inside */
        {"{\"model_type\":\"gemma3\",\"text_config\":{\"model_type\":\"gemma3_text\"}}",
         "language_model.model.layers.3.post_attention_layernorm.weight", "8",
         "1 * norm.attn_post[3] 8"},
    };
    ROLES_CHECK(cases);
}

static void towers_are_never_the_language_model(void)
{
    static const char *const names[] = {
        "vision_model.model.layers.3.self_attn.q_proj.weight",
        "vision_tower.vision_model.encoder.layers.3.self_attn.q_proj.weight",
        "model.vision_tower.encoder.layer.3.attention.q_proj.weight",
        "model.visual.blocks.3.attn.qkv.weight",
        "visual.blocks.3.attn.qkv.weight",
        "vision_encoder.transformer.layers.3.attention.wq.weight",
        "model.vision_model.encoder.layers.3.self_attn.q_proj.weight",
        "audio_tower.layers.3.self_attn.q_proj.weight",
        "model.audio_tower.conformer.3.attention.q_proj.weight",
        "talker.model.layers.3.self_attn.q_proj.weight",
        "thinker.audio_tower.layers.3.self_attn.q_proj.weight",
        "thinker.visual.blocks.3.attn.q.weight",
        "vpm.encoder.layers.3.self_attn.q_proj.weight",
        "apm.layers.3.self_attn.q_proj.weight",
        "tts.model.layers.3.self_attn.q_proj.weight",
        "model.vision_embed_tokens.img_processor.layers.3.mlp.fc1.weight",
        "transformer.visual.transformer.resblocks.3.attn.in_proj_weight",
        "transformer.vision.transformer.layers.3.attention.query_key_value.weight",
        "vision.blocks.3.attn.qkv.weight",
        "model.vision_backbone.image_vit.transformer.resblocks.3.attention.wq.weight",
        "multi_modal_projector.layers.3.mlp.up_proj.weight",
        "some_model.layers.3.self_attn.q_proj.weight",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char expected[ROLES_LINE];
        const char *index = strchr(names[i], '3');
        (void)snprintf(expected, sizeof expected, "1 * other:%.*s*%s[3] 64 aside",
                       (int)(index - names[i]), names[i], index + 1);
        const struct roles_case given = {NULL, names[i], "8x8", expected};
        roles_check(&given, 1);
    }
}

static void wrappers_are_stripped(void)
{
    static const struct roles_case cases[] = {
        {NULL, "module.model.layers.3.self_attn.q_proj.weight", "8x8", "1 * attn.q[3] 64"},
        {NULL, "_orig_mod.module.model.layers.3.self_attn.q_proj.weight", "8x8",
         "1 * attn.q[3] 64"},
        {NULL,
         "_fsdp_wrapped_module.model.layers.3._fsdp_wrapped_module._checkpoint_wrapped_module."
         "self_attn.q_proj.weight",
         "8x8", "1 * attn.q[3] 64"},
        {NULL, "_forward_module.lm_head.weight", "8x8", "1 * lm_head[0] 64 aside"},
        {NULL, "state_dict.module.model.norm.weight", "8", "1 * norm.final[0] 8 aside"},
        {NULL, "model_state_dict.model.layers.0.mlp._orig_mod.up_proj.weight", "8x8",
         "1 * mlp.up[0] 64"},
        {NULL, "model.layers.0.self_attn.q_proj.base_layer.weight", "8x8", "1 * attn.q[0] 64"},
        /* whole components only */
        {NULL, "modules.model.layers.3.self_attn.q_proj.weight", "8x8",
         "1 * other:modules.model.layers.*.self_attn.q_proj.weight[3] 64 aside"},
        /* adapters are no weights of the model */
        {NULL, "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight", "8x8",
         "1 * other:base_model.model.model.layers.*.self_attn.q_proj.lora_A.weight[3] 64"},
        {NULL, "module.base_model.model.model.layers.3.self_attn.q_proj.base_layer.weight", "8x8",
         "1 * attn.q[3] 64"},
        {NULL, "base_model.model.lm_head.weight", "32x8", "1 * lm_head[0] 256 aside"},
        {NULL, "model.base_model.model.layers.3.self_attn.q_proj.weight", "8x8",
         "1 * other:model.base_model.model.layers.*.self_attn.q_proj.weight[3] 64 aside"},
        {NULL, "model.layers.3.self_attn.q_proj.lora_B.default.weight", "8x8",
         "1 * other:model.layers.*.self_attn.q_proj.lora_B.default.weight[3] 64"},
        /* the fallback keeps the name as it is in the file */
        {NULL, "module.model.layers.3.mlp.surprise", "8",
         "1 * other:module.model.layers.*.mlp.surprise[3] 8"},
    };
    ROLES_CHECK(cases);
}

static void fallback_and_no_role(void)
{
    static const struct roles_case cases[] = {
        {NULL, "a.1.b.2.c", "8", "1 * other:a.*.b.2.c[1] 8 aside"},
        {NULL, "7", "8", "1 * other:*[7] 8 aside"},
        {NULL, "blocks.2147483647.x", "8", "1 * other:blocks.*.x[2147483647] 8 aside"},
        {NULL, "blocks.2147483648.x", "8", "none"},
        {NULL, "blocks.99999999999999999999999.x.3", "8", "none"},
        {NULL, "image_newline", "8", "none"},
        {NULL, "model.layers.3.mlp.experts.{E}.up_proj.weight", "8",
         "1 * other:model.layers.*.mlp.experts.{E}.up_proj.weight[3] 8"},
        {NULL, "layer3.weight", "8", "none"},
        {NULL, "model.layers.x3.weight", "8", "none"},
        {NULL, "model.layers..self_attn.q_proj.weight", "8x8", "none"},
        {NULL, "", "8", "none"},
        {NULL, ".", "8", "none"},
        {NULL, "model.layers.3", "8", "1 * other:model.layers.*[3] 8 aside"},
        {NULL, "model.layers.3.", "8", "1 * other:model.layers.*.[3] 8"},
        {NULL, "transformer.wpe.weight", "8x8", "none"},
        /* buffers that look like biases */
        {NULL, "h.3.attn.bias", "1x1x8x8", "1 * other:h.*.attn.bias[3] 64"},
        {NULL, "transformer.h.3.attn.masked_bias", "",
         "1 * other:transformer.h.*.attn.masked_bias[3] 1"},
        {NULL, "gpt_neox.layers.3.attention.bias", "1x1x8x8",
         "1 * other:gpt_neox.layers.*.attention.bias[3] 64"},
        {NULL, "model.layers.3.self_attn.rotary_emb.inv_freq", "4",
         "1 * other:model.layers.*.self_attn.rotary_emb.inv_freq[3] 4"},
    };
    ROLES_CHECK(cases);
}

static void long_names_fall_back(void)
{
    enum { LENGTH = 100000 };
    char *name = malloc(LENGTH + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(name);
    memset(name, '.', LENGTH);
    memcpy(name, "model.layers.3.", 15);
    name[LENGTH] = '\0';
    struct llmfp_configuration none;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT(llmfp_configuration_read(NULL, 0, &none, &error) == LLMFP_OK);
    const uint64_t shape[] = {2};
    const struct llmfp_tensor tensor = {
        .name = name, .encoding = LLMFP_F32, .n_dimensions = 1, .shape = shape, .n_elements = 2};
    struct llmfp_arena arena = {NULL, 0};
    struct llmfp_mapping mapping;
    CU_ASSERT(llmfp_roles_map(&none, &tensor, &arena, &mapping, &error) == LLMFP_OK);
    CU_ASSERT(mapping.n_parts == 1 && mapping.parts[0].layer == 3);
    CU_ASSERT_STRING_EQUAL(mapping.rule, "fallback");
    CU_ASSERT(mapping.n_parts == 1 && strlen(mapping.parts[0].role) == LENGTH + strlen("other:"));
    llmfp_arena_clear(&arena);
    free(name);
}

static void encodings_without_values(void)
{
    static const struct roles_case given = {NULL, "model.layers.3.self_attn.q_proj.weight", "8x8",
                                            ""};
    char line[ROLES_LINE];
    CU_ASSERT(roles_map_line(&given, LLMFP_I32, line));
    CU_ASSERT_STRING_EQUAL(line, "integer or boolean encoding");
    CU_ASSERT(roles_map_line(&given, LLMFP_BOOL, line));
    CU_ASSERT_STRING_EQUAL(line, "integer or boolean encoding");
    CU_ASSERT(roles_map_line(&given, LLMFP_C64, line));
    CU_ASSERT_STRING_EQUAL(line, "encoding that cannot be summed");
    CU_ASSERT(roles_map_line(&given, LLMFP_F8_E5M2, line));
    CU_ASSERT_STRING_EQUAL(line, "1 * attn.q[3] 64");
}

static void reasons_have_texts(void)
{
    for (int i = 0; i < LLMFP_N_REASONS; i++) {
        for (int j = 0; j < i; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(llmfp_reason_text((enum llmfp_reason)i),
                                       llmfp_reason_text((enum llmfp_reason)j));
        }
    }
}

TEST_PROGRAM("roles", TEST(llama_shape), TEST(norms_by_family), TEST(experts),
             TEST(latent_attention_and_next_tokens), TEST(multimodal_wrappers),
             TEST(towers_are_never_the_language_model), TEST(wrappers_are_stripped),
             TEST(fallback_and_no_role), TEST(long_names_fall_back), TEST(encodings_without_values),
             TEST(reasons_have_texts))
