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

/* ---- the oracle: what element i of an axis is, h = 4, k = 2, d = 3 ---- */

typedef char axis_view(uint64_t index, uint64_t axis);

static char view_cat(uint64_t index, uint64_t axis)
{
    (void)axis;
    return index < 12 ? 'q' : index < 18 ? 'k' : 'v';
}

static char view_thirds(uint64_t index, uint64_t axis)
{
    return "qkv"[index / (axis / 3)];
}

static char view_head3(uint64_t index, uint64_t axis) /* [h, 3, d] */
{
    (void)axis;
    return "qkv"[index / 3 % 3];
}

static char view_group(uint64_t index, uint64_t axis) /* [k, r + 2, d] */
{
    (void)axis;
    return "qqkv"[index / 3 % 4];
}

static char view_group_gate(uint64_t index, uint64_t axis) /* [k, 2 r + 2, d] */
{
    (void)axis;
    return "qqxxkv"[index / 3 % 6];
}

static char view_codegen(uint64_t index, uint64_t axis) /* [4, 3, h d / 4] */
{
    (void)axis;
    return "qvk"[index / 3 % 3];
}

static char view_q_gate(uint64_t index, uint64_t axis) /* [h, 2, d] */
{
    (void)axis;
    return "qx"[index / 3 % 2];
}

static char view_head_k_v(uint64_t index, uint64_t axis) /* [k, 2, d] */
{
    (void)axis;
    return "kv"[index / 3 % 2];
}

static char view_half_gate_up(uint64_t index, uint64_t axis)
{
    return index < axis / 2 ? 'g' : 'u';
}

static char view_half_up_gate(uint64_t index, uint64_t axis)
{
    return index < axis / 2 ? 'u' : 'g';
}

static char view_alternate(uint64_t index, uint64_t axis)
{
    (void)axis;
    return index % 2 == 0 ? 'g' : 'u';
}

static char letter_of(const char *role)
{
    static const struct {
        const char *role;
        char letter;
    } letters[] = {{"attn.q", 'q'},    {"attn.k", 'k'},   {"attn.v", 'v'},
                   {"attn.gate", 'x'}, {"mlp.gate", 'g'}, {"mlp.up", 'u'}};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        const size_t length = strlen(letters[i].role);
        if (strncmp(role, letters[i].role, length) == 0 &&
            (role[length] == '\0' || strcmp(role + length, ".bias") == 0)) {
            return letters[i].letter;
        }
    }
    return '?';
}

/* The part of each element, in row-major order, from a mapping. */
static void write_letters(const struct llmfp_mapping *mapping, char *letters)
{
    for (uint64_t i = 0; i < mapping->repeat; i++) {
        for (uint32_t part = 0; part < mapping->n_parts; part++) {
            const uint64_t n = mapping->parts[part].run_elements;
            memset(letters, letter_of(mapping->parts[part].role), n);
            letters += n;
        }
    }
}

struct view_case {
    const char *more; /* behind H = 12, h = 4, d = 3 */
    const char *name;
    const char *shape;
    axis_view *view;
    int axis; /* which axis the view cuts, counted from the last: 1, 2 */
};

static void check_view(const struct view_case *given)
{
    enum { MOST = 4096 };
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"hidden_size\":12,\"num_attention_heads\":4,\"head_dim\":3%s}", given->more);
    struct llmfp_configuration configuration;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_FATAL(llmfp_configuration_read(text, strlen(text), &configuration, &error) ==
                    LLMFP_OK);
    uint64_t shape[ROLES_AXES];
    struct llmfp_tensor tensor = {.name = given->name, .encoding = LLMFP_F32};
    roles_shape(given->shape, shape, &tensor);
    CU_ASSERT_FATAL(tensor.n_elements < MOST);
    struct llmfp_arena arena = {NULL, 0};
    struct llmfp_mapping mapping;
    CU_ASSERT_FATAL(llmfp_roles_map(&configuration, &tensor, &arena, &mapping, &error) == LLMFP_OK);
    CU_ASSERT_FATAL(roles_complete(&mapping, tensor.n_elements));
    char found[MOST] = "";
    char expected[MOST] = "";
    write_letters(&mapping, found);
    const uint64_t axis = shape[tensor.n_dimensions - (uint32_t)given->axis];
    const uint64_t inner = given->axis == 1 ? 1 : shape[tensor.n_dimensions - 1];
    for (uint64_t i = 0; i < tensor.n_elements; i++) {
        expected[i] = given->view(i / inner % axis, axis);
    }
    if (strcmp(found, expected) != 0) {
        printf("\n    %s %s\n", given->name, given->shape);
    }
    CU_ASSERT_STRING_EQUAL(found, expected);
    llmfp_arena_clear(&arena);
}

#define K2                ",\"num_key_value_heads\":2"
#define TYPE(type)        ",\"model_type\":\"" type "\""
#define BLOCK(name, leaf) "model.layers.0." name leaf

static void every_element_has_its_part(void)
{
    static const struct view_case cases[] = {
        {TYPE("gpt2"), "h.0.attn.c_attn.weight", "12x36", view_thirds, 1},
        {TYPE("gpt2"), "h.0.attn.c_attn.bias", "36", view_thirds, 1},
        {TYPE("baichuan"), BLOCK("self_attn.W_pack", ".weight"), "36x12", view_thirds, 2},
        {TYPE("phi3") K2, BLOCK("self_attn.qkv_proj", ".weight"), "24x12", view_cat, 2},
        {TYPE("phi3") K2, BLOCK("self_attn.qkv_proj", ".bias"), "24", view_cat, 1},
        {TYPE("ernie4_5") K2, BLOCK("self_attn.qkv_proj", ".weight"), "12x24", view_cat, 1},
        {TYPE("gpt_neox"), "gpt_neox.layers.0.attention.query_key_value.weight", "36x12",
         view_head3, 2},
        {TYPE("gpt_neox"), "gpt_neox.layers.0.attention.query_key_value.bias", "36", view_head3, 1},
        {TYPE("internlm2") K2, BLOCK("attention.wqkv", ".weight"), "24x12", view_group, 2},
        {TYPE("internlm2") K2, BLOCK("attention.wqkv", ".bias"), "24", view_group, 1},
        {",\"num_query_groups\":2,\"attention_output_gate\":true",
         "decoder.layers.0.self_attention.linear_qkv.weight", "36x12", view_group_gate, 2},
        {TYPE("codegen"), "transformer.h.0.attn.qkv_proj.weight", "36x12", view_codegen, 2},
        {TYPE("qwen3_next") K2, BLOCK("self_attn.q_proj", ".weight"), "24x12", view_q_gate, 2},
        {TYPE("telechat") K2, "transformer.h.0.self_attention.key_value.weight", "12x12",
         view_head_k_v, 2},
        {TYPE("glm4"), BLOCK("mlp.gate_up_proj", ".weight"), "20x12", view_half_gate_up, 2},
        {TYPE("hf_olmo"), "model.transformer.blocks.0.ff_proj.weight", "20x12", view_half_up_gate,
         2},
        {TYPE("phi3small"), BLOCK("mlp.up_proj", ".weight"), "20x12", view_alternate, 2},
        {TYPE("gpt_oss"), BLOCK("mlp.experts.gate_up_proj", ""), "3x12x20", view_alternate, 1},
        {TYPE("gpt_oss"), BLOCK("mlp.experts.gate_up_proj_bias", ""), "3x20", view_alternate, 1},
        {"", "block.0.mlp.mlp1_weight", "3x20x12", view_alternate, 2},
        {TYPE("llama4_text"), BLOCK("feed_forward.experts.gate_up_proj", ""), "3x12x20",
         view_half_gate_up, 1},
        {TYPE("qwen3_vl_moe"), BLOCK("mlp.experts.gate_up_proj", ""), "3x20x12", view_half_gate_up,
         2},
        /* more leading axes than experts */
        {TYPE("granitemoe"), BLOCK("block_sparse_moe.input_linear", ".weight"), "2x3x20x12",
         view_half_gate_up, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_view(&cases[i]);
    }
}

TEST_PROGRAM("layouts", TEST(gpt2), TEST(neox), TEST(phi3), TEST(notes_say_what_was_found),
             TEST(every_element_has_its_part))
