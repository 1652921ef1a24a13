/* architecture_types.c - class names of architectures and their model types.
 * Left out are classes that several types with different layouts share: RWForCausalLM
 * (falcon of 7b and of 40b).                                                   */
#include "architecture_types.h"

#include <stddef.h>
#include <string.h>

/* A class is a family's name, and what its head is for. */
static const char *const heads[] = {
    "ForCausalLM",
    "LMHeadModel",
    "DoubleHeadsModel",
    "ForConditionalGeneration",
    "ForMaskedLM",
    "ForPreTraining",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "EncoderModel",
    "TextModel",
    "Model",
};

static const struct {
    const char *family;
    const char *type;
} families[] = {
    {"GPT2", "gpt2"},
    {"OpenAIGPT", "openai-gpt"},
    {"JAIS", "jais"},
    {"GPTBigCode", "gpt_bigcode"},
    {"GPTJ", "gptj"},
    {"GPTNeo", "gpt_neo"},
    {"GPTNeoX", "gpt_neox"},
    {"GPTRefact", "gpt_refact"},
    {"CodeGen", "codegen"},
    {"Moss", "moss"},
    {"CodeShell", "codeshell"},
    {"Bloom", "bloom"},
    {"Falcon", "falcon"},
    {"Telechat", "telechat"},
    {"TeleChat2", "telechat"},
    {"QWen", "qwen"},
    {"MPT", "mpt"},
    {"Mpt", "mpt"},
    {"Dbrx", "dbrx"},
    {"OLMo", "hf_olmo"},
    {"Molmo", "molmo"},
    {"LLaDA", "llada"},
    {"ChatGLM", "chatglm"},
    {"OpenELM", "openelm"},
    {"Opt", "opt"},
    {"OPT", "opt"},
    {"Llama", "llama"},
    {"LLaMA", "llama"},
    {"Llama4", "llama4"},
    {"Mistral", "mistral"},
    {"Mixtral", "mixtral"},
    {"Baichuan", "baichuan"},
    {"BaiChuan", "baichuan"},
    {"InternLM2", "internlm2"},
    {"InternLM3", "internlm3"},
    {"Qwen2", "qwen2"},
    {"Qwen2Moe", "qwen2_moe"},
    {"Qwen3", "qwen3"},
    {"Qwen3Moe", "qwen3_moe"},
    {"Qwen3Next", "qwen3_next"},
    {"Qwen3VLMoe", "qwen3_vl_moe"},
    {"Qwen3_5", "qwen3_5"},
    {"Qwen3_5Moe", "qwen3_5_moe"},
    {"Gemma", "gemma"},
    {"Gemma2", "gemma2"},
    {"Gemma3", "gemma3"},
    {"Gemma3n", "gemma3n"},
    {"Phi", "phi"},
    {"Phi3", "phi3"},
    {"Phi3V", "phi3_v"},
    {"Phi3Small", "phi3small"},
    {"Phi4MM", "phi4mm"},
    {"Phi4Multimodal", "phi4_multimodal"},
    {"PhiMoE", "phimoe"},
    {"Phimoe", "phimoe"},
    {"MixFormerSequential", "mixformer-sequential"},
    {"Persimmon", "persimmon"},
    {"Fuyu", "fuyu"},
    {"Starcoder2", "starcoder2"},
    {"Olmo", "olmo"},
    {"Olmo2", "olmo2"},
    {"Olmo3", "olmo3"},
    {"Olmoe", "olmoe"},
    {"Cohere", "cohere"},
    {"Cohere2", "cohere2"},
    {"Glm", "glm"},
    {"Glm4", "glm4"},
    {"Glm4Moe", "glm4_moe"},
    {"GlmMoeDsa", "glm_moe_dsa"},
    {"DeepseekV2", "deepseek_v2"},
    {"DeepseekV3", "deepseek_v3"},
    {"DeepseekV32", "deepseek_v32"},
    {"Dots1", "dots1"},
    {"GptOss", "gpt_oss"},
    {"Granite", "granite"},
    {"GraniteMoe", "granitemoe"},
    {"GraniteMoeShared", "granitemoeshared"},
    {"GraniteMoeHybrid", "granitemoehybrid"},
    {"Jamba", "jamba"},
    {"JetMoe", "jetmoe"},
    {"Bamba", "bamba"},
    {"FalconH1", "falcon_h1"},
    {"NemotronH", "nemotron_h"},
    {"Nemotron", "nemotron"},
    {"DeciLM", "nemotron-nas"},
    {"RecurrentGemma", "recurrent_gemma"},
    {"KimiLinear", "kimi_linear"},
    {"LongcatFlash", "longcat_flash"},
    {"MiniMaxText01", "minimax_text_01"},
    {"MiniMaxM1", "minimax_m1"},
    {"MiniMaxM2", "minimax_m2"},
    {"MiniMax", "minimax"},
    {"Ernie4_5", "ernie4_5"},
    {"Ernie4_5_", "ernie4_5"},
    {"Ernie4_5_Moe", "ernie4_5_moe"},
    {"HunYuan", "hunyuan"},
    {"HunYuanDenseV1", "hunyuan_v1_dense"},
    {"HunYuanMoEV1", "hunyuan_v1_moe"},
    {"BailingMoe", "bailing_moe"},
    {"BailingMoeV2", "bailing_moe_v2"},
    {"PanguProMoE", "PanguProMoE"},
    {"PanguUltraMoE", "pangu_ultra_moe"},
    {"PanguEmbedded", "PanguEmbedded"},
    {"Exaone", "exaone"},
    {"Exaone4", "exaone4"},
    {"Afmoe", "afmoe"},
    {"Aria", "aria"},
    {"Arctic", "arctic"},
    {"Apertus", "apertus"},
    {"SeedOss", "seed_oss"},
    {"SmolLM3", "smollm3"},
    {"Plamo2", "plamo2"},
    {"Lfm2", "lfm2"},
    {"Lfm2Moe", "lfm2_moe"},
    {"CogVLM", "cogvlm"},
    {"Bert", "bert"},
    {"Roberta", "roberta"},
    {"Deberta", "deberta"},
    {"DebertaV2", "deberta-v2"},
    {"DistilBert", "distilbert"},
    {"ModernBert", "modernbert"},
    {"NomicBert", "nomic_bert"},
    {"T5", "t5"},
    {"MT5", "mt5"},
    {"UMT5", "umt5"},
    {"Bart", "bart"},
    {"Whisper", "whisper"},
};

static const char *type_of_family(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strlen(families[i].family) == length && memcmp(families[i].family, name, length) == 0) {
            return families[i].type;
        }
    }
    return "";
}

const char *llmfp_type_of_architecture(const char *architecture)
{
    const size_t length = strlen(architecture);
    const char *type = "";
    for (size_t i = 0; i < sizeof heads / sizeof heads[0] && type[0] == '\0'; i++) {
        const size_t head = strlen(heads[i]);
        if (length > head && strcmp(architecture + length - head, heads[i]) == 0) {
            type = type_of_family(architecture, length - head);
        }
    }
    return type;
}
