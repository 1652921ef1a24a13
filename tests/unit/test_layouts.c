/* test_layouts.c - fused tensors, cut and not cut.
 *
 * The oracle says for every element which role it has, from the definition of each
 * layout as a view of the axis, and shares nothing with the product.           */
#include "cunit_main.h"
#include "roles_support.h"

/* h = 4, k = 2, r = 2, d = 3, H = 12 unless said otherwise */
#define GPT2 "{\"model_type\":\"gpt2\",\"n_embd\":12,\"n_head\":4,\"n_layer\":9}"
#define NEOX                                                                                       \
    "{\"model_type\":\"gpt_neox\",\"hidden_size\":12,\"num_attention_heads\":4,"                   \
    "\"num_hidden_layers\":9}"
#define PHI3                                                                                       \
    "{\"model_type\":\"phi3\",\"hidden_size\":12,\"num_attention_heads\":4,"                       \
    "\"num_key_value_heads\":2,\"intermediate_size\":10}"

static void gpt2(void)
{
    static const struct roles_case cases[] = {
        {GPT2, "h.3.attn.c_attn.weight", "12x36",
         "12 * attn.q[3] 12 + attn.k[3] 12 + attn.v[3] 12"},
        {GPT2, "transformer.h.3.attn.c_attn.weight", "12x36",
         "12 * attn.q[3] 12 + attn.k[3] 12 + attn.v[3] 12"},
        {GPT2, "h.3.attn.c_attn.bias", "36",
         "1 * attn.q.bias[3] 12 + attn.k.bias[3] 12 + attn.v.bias[3] 12"},
        {GPT2, "h.3.attn.c_proj.weight", "12x12", "1 * attn.o[3] 144"},
        {GPT2, "h.3.mlp.c_fc.weight", "12x48", "1 * mlp.up[3] 576"},
        {GPT2, "h.3.mlp.c_proj.bias", "12", "1 * mlp.down.bias[3] 12"},
        {GPT2, "h.3.ln_1.weight", "12", "1 * norm.attn[3] 12"},
        {GPT2, "h.3.ln_2.bias", "12", "1 * norm.mlp.bias[3] 12"},
        {GPT2, "wte.weight", "50x12", "1 * embed[0] 600 aside"},
        {GPT2, "transformer.ln_f.bias", "12", "1 * norm.final.bias[0] 12 aside"},
        {GPT2, "wpe.weight", "50x12", "none"},
        /* without config.json the shape of the weight alone is certain */
        {NULL, "h.3.attn.c_attn.weight", "12x36",
         "12 * attn.q[3] 12 + attn.k[3] 12 + attn.v[3] 12"},
        {NULL, "h.3.attn.c_attn.weight", "36x12", "1 * attn.qkv[3] 432 noted"},
        {NULL, "h.3.attn.c_attn.bias", "36", "1 * attn.qkv.bias[3] 36 noted"},
        {"{\"model_type\":\"unheard_of\"}", "h.3.attn.c_attn.weight", "12x36",
         "1 * attn.qkv[3] 432 noted"},
        /* what does not fit */
        {GPT2, "h.3.attn.c_attn.weight", "36x12", "1 * attn.qkv[3] 432 noted"},
        {GPT2, "h.3.attn.c_attn.weight", "12x39", "1 * attn.qkv[3] 468 noted"},
        {GPT2, "h.3.attn.c_attn.weight", "432", "1 * attn.qkv[3] 432 noted"},
        {GPT2, "h.3.attn.c_attn.weight", "1x12x36", "1 * attn.qkv[3] 432 noted"},
        {GPT2, "h.3.attn.c_attn.weight", "", "1 * attn.qkv[3] 1 noted"},
        /* nothing in it */
        {"{\"model_type\":\"gpt2\"}", "h.3.attn.c_attn.weight", "0x36",
         "1 * attn.q[3] 0 + attn.k[3] 0 + attn.v[3] 0"},
        {"{\"model_type\":\"gpt2\"}", "h.3.attn.c_attn.weight", "12x0",
         "1 * attn.q[3] 0 + attn.k[3] 0 + attn.v[3] 0"},
    };
    ROLES_CHECK(cases);
}

static void neox(void)
{
    static const struct roles_case cases[] = {
        {NEOX, "gpt_neox.layers.3.attention.query_key_value.weight", "36x12",
         "4 * attn.q[3] 36 + attn.k[3] 36 + attn.v[3] 36"},
        {NEOX, "gpt_neox.layers.3.attention.query_key_value.bias", "36",
         "4 * attn.q.bias[3] 3 + attn.k.bias[3] 3 + attn.v.bias[3] 3"},
        {NEOX, "layers.3.attention.query_key_value.bias", "36",
         "4 * attn.q.bias[3] 3 + attn.k.bias[3] 3 + attn.v.bias[3] 3"},
        {NEOX, "gpt_neox.layers.3.attention.dense.weight", "12x12", "1 * attn.o[3] 144"},
        {NEOX, "gpt_neox.layers.3.mlp.dense_h_to_4h.weight", "48x12", "1 * mlp.up[3] 576"},
        {NEOX, "gpt_neox.layers.3.mlp.dense_4h_to_h.bias", "12", "1 * mlp.down.bias[3] 12"},
        {NEOX, "gpt_neox.layers.3.post_attention_layernorm.bias", "12", "1 * norm.mlp.bias[3] 12"},
        {NEOX, "gpt_neox.embed_in.weight", "50x12", "1 * embed[0] 600 aside"},
        {NEOX, "embed_out.weight", "50x12", "1 * lm_head[0] 600 aside"},
        {NEOX, "gpt_neox.final_layer_norm.weight", "12", "1 * norm.final[0] 12 aside"},
        {NULL, "gpt_neox.layers.3.attention.query_key_value.weight", "36x12",
         "1 * attn.qkv[3] 432 noted"},
        {NEOX, "gpt_neox.layers.3.attention.query_key_value.weight", "39x12",
         "1 * attn.qkv[3] 468 noted"},
        {NEOX, "gpt_neox.layers.3.attention.query_key_value.weight", "36x13",
         "1 * attn.qkv[3] 468 noted"},
    };
    ROLES_CHECK(cases);
}

static void phi3(void)
{
    static const struct roles_case cases[] = {
        {PHI3, "model.layers.3.self_attn.qkv_proj.weight", "24x12",
         "1 * attn.q[3] 144 + attn.k[3] 72 + attn.v[3] 72"},
        {PHI3, "model.layers.3.mlp.gate_up_proj.weight", "20x12",
         "1 * mlp.gate[3] 120 + mlp.up[3] 120"},
        {PHI3, "model.layers.3.mlp.down_proj.weight", "12x10", "1 * mlp.down[3] 120"},
        {PHI3, "model.layers.3.mlp.gate_up_proj.weight", "22x12",
         "1 * other:model.layers.*.mlp.gate_up_proj.weight[3] 264 noted"},
        {PHI3, "model.layers.3.self_attn.qkv_proj.weight", "36x12", "1 * attn.qkv[3] 432 noted"},
        /* sizes are not known, but halves are halves */
        {NULL, "model.layers.3.self_attn.qkv_proj.weight", "24x12", "1 * attn.qkv[3] 288 noted"},
        {NULL, "model.layers.3.mlp.gate_up_proj.weight", "22x12",
         "1 * mlp.gate[3] 132 + mlp.up[3] 132"},
        {NULL, "model.layers.3.mlp.gate_up_proj.weight", "21x12",
         "1 * other:model.layers.*.mlp.gate_up_proj.weight[3] 252 noted"},
        /* k does not divide h, and sizes whose product wraps around 2^64 */
        {"{\"model_type\":\"phi3\",\"num_attention_heads\":2147483648,"
         "\"num_key_value_heads\":2147483648,\"head_dim\":2147483648}",
         "model.layers.3.self_attn.qkv_proj.weight", "24x12", "1 * attn.qkv[3] 288 noted"},
        {"{\"model_type\":\"hunyuan\",\"num_attention_heads\":5,\"num_key_value_heads\":2,"
         "\"head_dim\":3}",
         "model.layers.3.self_attn.qkv_proj.weight", "27x12", "1 * attn.qkv[3] 324 noted"},
    };
    ROLES_CHECK(cases);
}

static void notes_say_what_was_found(void)
{
    struct llmfp_configuration configuration;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT(llmfp_configuration_read(PHI3, strlen(PHI3), &configuration, &error) == LLMFP_OK);
    const uint64_t shape[] = {36, 12};
    const struct llmfp_tensor tensor = {.name = "model.layers.3.self_attn.qkv_proj.weight",
                                        .encoding = LLMFP_F16,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = 36 * 12};
    struct llmfp_arena arena = {NULL, 0};
    struct llmfp_mapping mapping;
    CU_ASSERT(llmfp_roles_map(&configuration, &tensor, &arena, &mapping, &error) == LLMFP_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mapping.note);
    CU_ASSERT_PTR_NOT_NULL(strstr(mapping.note, "24 outputs expected"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mapping.note, "36 found"));
    CU_ASSERT_STRING_EQUAL(mapping.rule, "self_attn.qkv_proj");
    llmfp_arena_clear(&arena);
}

TEST_PROGRAM("layouts", TEST(gpt2), TEST(neox), TEST(phi3), TEST(notes_say_what_was_found))
