/* configuration_defaults.c - class defaults of model types, for keys that config.json
 * leaves out. Source: the public configuration class of each family. A family
 * whose default is not documented is not listed: its sizes are then not known. */
#include "configuration_defaults.h"

#include <stddef.h>

#include "words.h"

static const struct llmfp_defaults table[] = {
    /* fused q, k, v: here the counts decide where tensors split */
    {.models = "gpt2 imagegpt openai-gpt bloom", .kv_heads = KV_AS_QUERY, .tied = true},
    {.models = "gpt_neox gptj codegen moss jais persimmon fuyu baichuan "
               "deberta megatron_gpt2",
     .kv_heads = KV_AS_QUERY},
    {.models = "qwen", .kv_heads = KV_AS_QUERY, .head_size = 128},
    {.models = "gpt_bigcode", .rule = KV_MULTI_QUERY, .multi_query = true, .tied = true},
    {.models = "falcon RefinedWebModel", .rule = KV_FALCON, .multi_query = true, .tied = true},
    {.models = "RefinedWeb", .kv_heads = KV_UNKNOWN, .tied = true},
    {.models = "mpt", .rule = KV_MPT, .tied = true},
    {.models = "dbrx", .kv_heads = 1},
    {.models = "chatglm", .rule = KV_CHATGLM, .kv_heads = 1, .head_size = 128},
    {.models = "hf_olmo", .rule = KV_OLMO},
    {.models = "phi3 phi3_v phi4mm phi4_multimodal phi phi-msft mixformer-sequential internlm2 "
               "hunyuan molmo "
               "bailing_moe bailing_moe_v2 cogvlm telechat telechat2 codeshell",
     .kv_heads = KV_AS_QUERY},
    {.models = "gpt_neo opt modernbert bert roberta electra camembert xlm-roberta distilbert "
               "nomic_bert t5 mt5 umt5",
     .kv_heads = KV_AS_QUERY,
     .tied = true},
    /* separate q, k, v */
    {.models = "llama granite olmo olmo2 olmo3 olmoe nemotron "
               "exaone internlm internlm3 minicpm minicpm3 hunyuan_v1_dense hunyuan_v1_moe",
     .kv_heads = KV_AS_QUERY},
    {.models = "granitemoe granitemoeshared granitemoehybrid",
     .kv_heads = KV_AS_QUERY,
     .experts = 8},
    {.models = "mistral mixtral phimoe jamba", .kv_heads = 8},
    {.models = "qwen2 qwen2_vl_text qwen2_5_vl_text", .kv_heads = 32},
    {.models = "qwen2_moe", .kv_heads = 16},
    {.models = "qwen3", .kv_heads = 32, .head_size = 128},
    {.models = "qwen3_moe", .kv_heads = 4},
    {.models = "qwen3_next", .kv_heads = 2, .head_size = 256},
    {.models = "qwen3_5 qwen3_5_text", .kv_heads = 4, .head_size = 256},
    {.models = "qwen3_5_moe qwen3_5_moe_text", .kv_heads = 2, .head_size = 256},
    {.models = "llama4 llama4_text", .kv_heads = 8, .head_size = 128},
    {.models = "gpt_oss", .kv_heads = 8, .head_size = 64},
    {.models = "gemma", .kv_heads = 16, .heads = 16, .head_size = 256, .tied = true},
    {.models = "gemma2", .kv_heads = 4, .heads = 8, .head_size = 256, .tied = true},
    {.models = "gemma3 gemma3_text",
     .kv_heads = 4,
     .heads = 8,
     .head_size = 256,
     .hidden = 2304,
     .tied = true},
    {.models = "gemma3n gemma3n_text", .kv_heads = KV_UNKNOWN, .head_size = 256, .tied = true},
    {.models = "glm glm4", .kv_heads = 2, .head_size = 128},
    {.models = "starcoder2", .kv_heads = 2, .tied = true},
    {.models = "cohere cohere2", .kv_heads = KV_AS_QUERY, .tied = true},
    {.models = "ernie4_5", .kv_heads = 2, .head_size = 128, .tied = true},
    {.models = "ernie4_5_moe", .kv_heads = 4, .tied = true},
    {.models = "jetmoe", .kv_heads = KV_UNKNOWN, .tied = true},
};

static const struct llmfp_defaults unlisted = {.kv_heads = KV_UNKNOWN};

const struct llmfp_defaults *llmfp_defaults_of(const char *model_type)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (model_type[0] != '\0' && llmfp_word_in(table[i].models, model_type)) {
            return &table[i];
        }
    }
    return &unlisted;
}
