/* test_configuration.c - config.json to sizes: aliases, defaults, hostile values. */
#include <inttypes.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/configuration.h"

static struct llmfp_configuration read_text(const char *text)
{
    struct llmfp_configuration configuration;
    struct llmfp_error error = {LLMFP_OK, ""};
    const enum llmfp_status status =
        llmfp_configuration_read(text, strlen(text), &configuration, &error);
    if (status != LLMFP_OK) {
        printf("\n    %s: %s\n", text, error.text);
    }
    CU_ASSERT_FATAL(status == LLMFP_OK);
    return configuration;
}

static void refuses_bytes(const char *text, size_t n_bytes, const char *const *in_message, size_t n)
{
    struct llmfp_configuration configuration;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT(llmfp_configuration_read(text, n_bytes, &configuration, &error) == LLMFP_CHECKPOINT);
    CU_ASSERT(error.status == LLMFP_CHECKPOINT);
    CU_ASSERT(!configuration.present && configuration.heads == 0);
    for (size_t i = 0; i < n; i++) {
        if (strstr(error.text, in_message[i]) == NULL) {
            printf("\n    %s: %s\n", text, error.text);
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, in_message[i]));
    }
}

static void refuses(const char *text, const char *key, const char *value)
{
    const char *const in_message[] = {key, value};
    refuses_bytes(text, strlen(text), in_message, 2);
}

static void nothing_is_unknown(void)
{
    struct llmfp_configuration configuration;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT(llmfp_configuration_read(NULL, 0, &configuration, &error) == LLMFP_OK);
    CU_ASSERT(!configuration.present && configuration.heads == 0 && configuration.kv_heads == 0);
    CU_ASSERT_STRING_EQUAL(configuration.model_type, "");
    configuration = read_text("{}");
    CU_ASSERT(configuration.present && configuration.heads == 0 && configuration.kv_heads == 0);
    CU_ASSERT(configuration.head_size == 0 && configuration.n_layers == 0);
}

/* text, then what it means: layers, H, h, k, d */
struct sizes_case {
    const char *text;
    uint64_t n_layers, hidden, heads, kv_heads, head_size;
};

static void sizes_are(const struct sizes_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct llmfp_configuration found = read_text(cases[i].text);
        const bool same = found.n_layers == cases[i].n_layers && found.hidden == cases[i].hidden &&
                          found.heads == cases[i].heads && found.kv_heads == cases[i].kv_heads &&
                          found.head_size == cases[i].head_size;
        if (!same) {
            printf("\n    %s: found %" PRIu64 " layers, H %" PRIu64 ", h %" PRIu64 ", k %" PRIu64
                   ", d %" PRIu64 "\n",
                   cases[i].text, found.n_layers, found.hidden, found.heads, found.kv_heads,
                   found.head_size);
        }
        CU_ASSERT(same);
    }
}

#define SIZES_ARE(cases) sizes_are((cases), sizeof(cases) / sizeof((cases)[0]))

static void names_of_keys(void)
{
    static const struct sizes_case cases[] = {
        {"{\"num_hidden_layers\":4,\"hidden_size\":64,\"num_attention_heads\":8,"
         "\"num_key_value_heads\":2}",
         4, 64, 8, 2, 8},
        {"{\"model_type\":\"gpt2\",\"n_layer\":3,\"n_embd\":48,\"n_head\":6}", 3, 48, 6, 6, 8},
        {"{\"n_layers\":5,\"dim\":32,\"n_heads\":4,\"n_kv_heads\":2}", 5, 32, 4, 2, 8},
        {"{\"model_type\":\"mpt\",\"n_layers\":2,\"d_model\":64,\"n_heads\":4,"
         "\"attn_config\":{\"kv_n_heads\":2}}",
         2, 64, 4, 2, 16},
        {"{\"model_type\":\"mpt\",\"d_model\":64,\"n_heads\":4,"
         "\"attn_config\":{\"attn_type\":\"multiquery_attention\"}}",
         0, 64, 4, 1, 16},
        {"{\"model_type\":\"mpt\",\"d_model\":64,\"n_heads\":4}", 0, 64, 4, 4, 16},
        {"{\"model_type\":\"t5\",\"num_layers\":6,\"num_decoder_layers\":4,\"d_model\":64,"
         "\"num_heads\":8,\"d_kv\":4}",
         4, 64, 8, 8, 4},
        {"{\"model_type\":\"dbrx\",\"n_layers\":2,\"d_model\":64,\"n_heads\":4}", 2, 64, 4, 1, 16},
        {"{\"model_type\":\"chatglm\",\"num_layers\":2,\"hidden_size\":64,"
         "\"num_attention_heads\":8,\"kv_channels\":8,\"multi_query_attention\":true,"
         "\"multi_query_group_num\":2}",
         2, 64, 8, 2, 8},
        {"{\"model_type\":\"chatglm\",\"num_layers\":2,\"hidden_size\":64,"
         "\"num_attention_heads\":8,\"kv_channels\":8,\"multi_query_group_num\":2}",
         2, 64, 8, 8, 8},
        /* a fraction without a fractional part is whole */
        {"{\"num_hidden_layers\":4.0,\"hidden_size\":1e3}", 4, 1000, 0, 0, 0},
        /* the last of two members counts, as in Python */
        {"{\"num_hidden_layers\":4,\"num_hidden_layers\":6}", 6, 0, 0, 0, 0},
        {"{\"num_hidden_layers\":2147483648}", 2147483648, 0, 0, 0, 0},
        /* lists: alike, and not alike */
        {"{\"num_attention_heads\":[4,4,4],\"num_key_value_heads\":[1,2]}", 0, 0, 4, 0, 0},
    };
    SIZES_ARE(cases);
}

#define TEXT_PART                                                                                  \
    "{\"model_type\":\"qwen3\",\"num_hidden_layers\":4,\"hidden_size\":64,"                        \
    "\"num_attention_heads\":8}"

static void publishers_sizes(void)
{
    static const struct sizes_case cases[] = {
        {"\1params.json 58\n{\"dim\": 64, \"n_layers\": 5, \"n_heads\": 4, \"vocab_size\": -1}", 5,
         64, 4, 4, 16},
        {"\1params.json 73\n{\"dim\": 64, \"n_layers\": 5, \"n_heads\": 4, \"n_kv_heads\": 2, "
         "\"head_dim\": 32}",
         5, 64, 4, 2, 32},
        /* config.json goes before */
        {"\1params.json 9\n{\"dim\":3}\1config.json 9\n{\"dim\":5}", 0, 5, 0, 0, 0},
    };
    SIZES_ARE(cases);
    CU_ASSERT(read_text(cases[0].text).publisher_sizes);
    CU_ASSERT(!read_text(cases[2].text).publisher_sizes);
    CU_ASSERT(!read_text("{\"dim\":5}").publisher_sizes);
    const struct llmfp_configuration found =
        read_text("\1params.json 69\n{\"hidden_dim\": 28, \"moe\": {\"num_experts\": 8, "
                  "\"expert_hidden_dim\": 7}}");
    CU_ASSERT(found.feed_forward == 28 && found.experts == 8 && found.expert_feed_forward == 7);
    refuses("\1params.json 12\n{\"dim\": 1.5}", "params.json", "1.5");
    refuses("\1params.json 2\n[]", "params.json", "no JSON object");
    struct llmfp_configuration none;
    CU_ASSERT(llmfp_configuration_read("\1quant_config.json 2\n{}", 22, &none, NULL) == LLMFP_OK);
    CU_ASSERT(!none.present);
}

/* Without a model type, the class of the architecture names it, where it is certain. */
static void type_by_class(void)
{
    static const struct {
        const char *text;
        const char *type;
    } cases[] = {
        {"{\"architectures\":[\"GPT2LMHeadModel\"]}", "gpt2"},
        {"{\"architectures\":[\"GPTNeoXForCausalLM\"],\"model_type\":null}", "gpt_neox"},
        {"{\"architectures\":[\"GPTNeoForCausalLM\"]}", "gpt_neo"},
        {"{\"architectures\":[\"Phi3ForCausalLM\"]}", "phi3"},
        {"{\"architectures\":[\"Phi3SmallForCausalLM\"]}", "phi3small"},
        {"{\"architectures\":[\"ChatGLMModel\"]}", "chatglm"},
        {"{\"architectures\":[\"ChatGLMForConditionalGeneration\"]}", "chatglm"},
        {"{\"architectures\":[\"OLMoForCausalLM\"]}", "hf_olmo"},
        {"{\"architectures\":[\"OlmoForCausalLM\"]}", "olmo"},
        {"{\"architectures\":[\"MptForCausalLM\"]}", "mpt"},
        {"{\"architectures\":[\"T5EncoderModel\"]}", "t5"},
        {"{\"architectures\":[\"Ernie4_5_MoeForCausalLM\"]}", "ernie4_5_moe"},
        {"{\"architectures\":[\"ModernBertForMaskedLM\"]}", "modernbert"},
        /* the type counts where it is stated, and the language model's own class */
        {"{\"architectures\":[\"GPT2LMHeadModel\"],\"model_type\":\"x\"}", "x"},
        {"{\"architectures\":[\"InternVLChatModel\"],"
         "\"llm_config\":{\"architectures\":[\"InternLM2ForCausalLM\"]}}",
         "internlm2"},
        {"{\"architectures\":[\"Qwen3VLMoeForConditionalGeneration\"],\"text_config\":{}}",
         "qwen3_vl_moe"},
        /* two families with different layouts; nothing but a head; unheard of */
        {"{\"architectures\":[\"RWForCausalLM\"]}", ""},
        {"{\"architectures\":[\"ForCausalLM\"]}", ""},
        {"{\"architectures\":[\"GPT2\"]}", ""},
        {"{\"architectures\":[\"SurpriseForCausalLM\"]}", ""},
        {"{\"architectures\":[]}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_STRING_EQUAL(read_text(cases[i].text).model_type, cases[i].type);
    }
    /* class defaults hold, too */
    const struct llmfp_configuration multi =
        read_text("{\"architectures\":[\"GPTBigCodeForCausalLM\"],\"n_head\":8}");
    CU_ASSERT(multi.multi_query && multi.kv_heads == 1);
    refuses("{\"llm_config\":{\"architectures\":3}}", "architectures", "3");
    refuses("{\"linear_attn_config\":{\"kda_layers\":[1,\"two\"]}}", "kda_layers", "two");
    CU_ASSERT(!read_text("{\"linear_attn_config\":{\"kda_layers\":[0,257]}}").layer_linear[0]);
}

static void language_part_of_multimodal(void)
{
    static const char *const texts[] = {
        "{\"model_type\":\"x\",\"hidden_size\":9,\"text_config\":" TEXT_PART "}",
        "{\"model_type\":\"x\",\"llm_config\":" TEXT_PART ",\"vision_config\":{\"hidden_size\":1}}",
        "{\"model_type\":\"x\",\"text_config\":null,\"language_config\":" TEXT_PART "}",
        "{\"model_type\":\"x\",\"thinker_config\":{\"text_config\":" TEXT_PART "}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct sizes_case expected = {texts[i], 4, 64, 8, 32, 128};
        sizes_are(&expected, 1);
        const struct llmfp_configuration found = read_text(texts[i]);
        CU_ASSERT_STRING_EQUAL(found.model_type, "qwen3");
        CU_ASSERT_STRING_EQUAL(found.architecture, "x");
    }
    const struct llmfp_configuration outer =
        read_text("{\"architectures\":[\"A\",\"B\"],\"model_type\":\"llava\",\"text_config\":{}}");
    CU_ASSERT_STRING_EQUAL(outer.architecture, "A");
    CU_ASSERT_STRING_EQUAL(outer.model_type, "llava");
}

#define SIZED(type, more)                                                                          \
    "{\"model_type\":\"" type "\",\"hidden_size\":1024,\"num_attention_heads\":16" more "}"

static void absent_and_null(void)
{
    static const struct sizes_case cases[] = {
        {SIZED("llama", ""), 0, 1024, 16, 16, 64},
        {SIZED("unheard_of", ""), 0, 1024, 16, 0, 64},
        {SIZED("mistral", ""), 0, 1024, 16, 8, 64},
        {SIZED("mistral", ",\"num_key_value_heads\":null"), 0, 1024, 16, 16, 64},
        {SIZED("phi3", ""), 0, 1024, 16, 16, 64},
        {SIZED("gemma2", ""), 0, 1024, 16, 4, 256},
        {SIZED("gemma2", ",\"head_dim\":null"), 0, 1024, 16, 4, 64},
        {SIZED("glm4", ""), 0, 1024, 16, 2, 128},
        {SIZED("qwen", ""), 0, 1024, 16, 16, 128},
        {"{\"model_type\":\"gemma3_text\"}", 0, 2304, 8, 4, 256},
        /* heads do not divide the width: the head size is not known */
        {"{\"model_type\":\"llama\",\"hidden_size\":100,\"num_attention_heads\":16}", 0, 100, 16,
         16, 0},
    };
    SIZES_ARE(cases);
}

static void families_with_flags(void)
{
    static const struct sizes_case cases[] = {
        {SIZED("gpt_bigcode", ""), 0, 1024, 16, 1, 64},
        {SIZED("gpt_bigcode", ",\"multi_query\":false"), 0, 1024, 16, 16, 64},
        {SIZED("falcon", ""), 0, 1024, 16, 1, 64},
        /* falcon-7b states num_kv_heads, and means one */
        {SIZED("falcon", ",\"num_kv_heads\":16"), 0, 1024, 16, 1, 64},
        {SIZED("falcon", ",\"multi_query\":false"), 0, 1024, 16, 16, 64},
        {SIZED("falcon", ",\"new_decoder_architecture\":true,\"num_kv_heads\":8"), 0, 1024, 16, 8,
         64},
        {SIZED("falcon", ",\"new_decoder_architecture\":true"), 0, 1024, 16, 16, 64},
        {SIZED("RefinedWeb", ",\"n_head_kv\":4"), 0, 1024, 16, 4, 64},
        {SIZED("hf_olmo", ",\"multi_query_attention\":true"), 0, 1024, 16, 1, 64},
        {SIZED("hf_olmo", ""), 0, 1024, 16, 16, 64},
        /* latent attention: head_dim is only the rotary part */
        {SIZED("deepseek_v3", ",\"num_key_value_heads\":16,\"head_dim\":64,\"kv_lora_rank\":512,"
                              "\"qk_nope_head_dim\":128,\"qk_rope_head_dim\":64"),
         0, 1024, 16, 16, 192},
        {SIZED("deepseek_v3", ",\"num_key_value_heads\":16,\"head_dim\":64,\"kv_lora_rank\":512"),
         0, 1024, 16, 16, 0},
    };
    SIZES_ARE(cases);
    CU_ASSERT(read_text("{\"model_type\":\"gpt_bigcode\"}").multi_query);
    CU_ASSERT(!read_text("{\"model_type\":\"gpt_bigcode\",\"multi_query\":0}").multi_query);
    CU_ASSERT(read_text("{\"new_decoder_architecture\":true}").new_decoder_architecture);
    CU_ASSERT(read_text("{\"do_layer_norm_before\":false}").post_norm);
    CU_ASSERT(!read_text("{}").post_norm);
}

static void other_sizes(void)
{
    CU_ASSERT(read_text("{\"intermediate_size\":300}").feed_forward == 300);
    CU_ASSERT(read_text("{\"n_inner\":null,\"d_ff\":7}").feed_forward == 7);
    CU_ASSERT(read_text("{\"num_local_experts\":8}").experts == 8);
    CU_ASSERT(read_text("{\"ffn_config\":{\"moe_num_experts\":16}}").experts == 16);
    CU_ASSERT(read_text("{\"moe_num_experts\":[64,32]}").experts == 64);
    CU_ASSERT(read_text("{\"num_local_experts\":0}").dense);
    CU_ASSERT(!read_text("{}").dense);
    CU_ASSERT(read_text("{\"model_type\":\"gemma\"}").tied_embeddings);
    CU_ASSERT(!read_text("{\"model_type\":\"llama\"}").tied_embeddings);
    CU_ASSERT(
        !read_text("{\"model_type\":\"gemma\",\"tie_word_embeddings\":false}").tied_embeddings);
    CU_ASSERT(read_text("{\"tie_word_embeddings\":true,\"text_config\":{}}").tied_embeddings);
    const struct llmfp_configuration lists =
        read_text("{\"num_query_heads\":[4,6,8],\"num_kv_heads\":[1,2]}");
    CU_ASSERT(lists.n_listed_layers == 2);
    CU_ASSERT(lists.layer_heads[1] == 6 && lists.layer_kv_heads[1] == 2);
}

static void more_listed_layers_than_fit(void)
{
    char text[4096] = "{\"num_query_heads\":[1";
    for (int i = 0; i < LLMFP_LISTED_LAYERS; i++) {
        strcat(text, ",1");
    }
    strcat(text, "],\"num_kv_heads\":[1");
    for (int i = 0; i < LLMFP_LISTED_LAYERS; i++) {
        strcat(text, ",1");
    }
    strcat(text, "]}");
    CU_ASSERT(read_text(text).n_listed_layers == LLMFP_LISTED_LAYERS);
}

static void impossible_values(void)
{
    refuses("{\"hidden_size\":-5}", "hidden_size", "-5");
    refuses("{\"hidden_size\":2.5}", "hidden_size", "2.5");
    refuses("{\"hidden_size\":2147483649}", "hidden_size", "2147483649");
    refuses("{\"hidden_size\":1e400}", "hidden_size", "inf");
    refuses("{\"hidden_size\":NaN}", "hidden_size", "NaN");
    refuses("{\"n_embd\":Infinity}", "n_embd", "Infinity");
    refuses("{\"n_embd\":-Infinity}", "n_embd", "-Infinity");
    refuses("{\"num_attention_heads\":\"12\"}", "num_attention_heads", "\"12\"");
    refuses("{\"num_attention_heads\":true}", "num_attention_heads", "true");
    refuses("{\"num_attention_heads\":{}}", "num_attention_heads", "an object");
    refuses("{\"num_attention_heads\":[4,-4]}", "num_attention_heads", "-4");
    refuses("{\"num_attention_heads\":[[4]]}", "num_attention_heads", "a list");
    refuses("{\"num_attention_heads\":[null]}", "num_attention_heads", "null");
    refuses("{\"attn_config\":{\"kv_n_heads\":-1}}", "attn_config.kv_n_heads", "-1");
    refuses("{\"multi_query\":\"yes\"}", "multi_query", "\"yes\"");
    refuses("{\"multi_query\":2}", "multi_query", "2");
    refuses("{\"model_type\":7}", "model_type", "7");
    refuses("{\"architectures\":\"A\"}", "architectures", "\"A\"");
    refuses("{\"architectures\":[7]}", "architectures", "7");
    refuses("{\"text_config\":[]}", "text_config", "a list");
    refuses("{\"kv_lora_rank\":512,\"qk_nope_head_dim\":-1}", "qk_nope_head_dim", "-1");
    refuses("{\"num_query_heads\":[-3],\"num_kv_heads\":[1]}", "num_query_heads", "-3");
    /* the first error is the one that is told */
    refuses("{\"num_hidden_layers\":-1,\"hidden_size\":-2}", "num_hidden_layers", "-1");
}

static void not_json(void)
{
    refuses("", "config.json", "line 1");
    refuses("[]", "config.json", "object");
    refuses("7", "config.json", "object");
    refuses("{\"a\":1,\n\"b\":}", "config.json", "line 2");
    refuses("{\"a\":1}\n x", "config.json", "line");
    refuses("{\"a\":\"", "config.json", "line 1");
    refuses("{\"a\":NaNx}", "config.json", "line 1");
    refuses("\xff\xfe{", "config.json", "UTF-8");
    const char *const in_message[] = {"line 1"};
    refuses_bytes("{}\0{}", 5, in_message, 1);
    static char deep[200001];
    memset(deep, '[', 200000);
    refuses(deep, "config.json", "line 1");
}

static void odd_but_valid(void)
{
    CU_ASSERT(read_text(" \n{\"x\":[0.0,Infinity,NaN],\"n_layer\":2}\r\n").n_layers == 2);
    CU_ASSERT(read_text("{\"NaN\":\"\\\"NaN\",\"n_layer\":2}").n_layers == 2);
    CU_ASSERT(read_text("\xef\xbb\xbf{\"n_layer\":2}").n_layers == 2);
    char text[1024] = "{\"model_type\":\"";
    memset(text + strlen(text), 'm', 500);
    memcpy(text + 515, "\"}", 3);
    const struct llmfp_configuration named = read_text(text);
    CU_ASSERT(strlen(named.model_type) < LLMFP_NAME_BYTES);
    CU_ASSERT_PTR_NOT_NULL(strstr(named.model_type, "..."));
    CU_ASSERT_STRING_EQUAL(read_text("{\"model_type\":\"a\\u001bb\"}").model_type, "a\\x1bb");
}

TEST_PROGRAM("configuration", TEST(nothing_is_unknown), TEST(names_of_keys), TEST(publishers_sizes),
             TEST(type_by_class), TEST(language_part_of_multimodal), TEST(absent_and_null),
             TEST(families_with_flags), TEST(other_sizes), TEST(more_listed_layers_than_fit),
             TEST(impossible_values), TEST(not_json), TEST(odd_but_valid))
