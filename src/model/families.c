/* families.c - where the layers of each naming style stand, and what stands outside
 * of them. See rules.h for the order in which these tables are used.           */
#include "rules.h"

/* Towers, projectors and second language models: never the language model. Tested
 * first, because inside they reuse the names of language models.               */
const struct llmfp_text llmfp_exclusions[] = {
    TEXT("vision_tower."),
    TEXT("model.vision_tower."),
    TEXT("vision_model."),
    TEXT("model.vision_model."),
    TEXT("vision_encoder."),
    TEXT("vision_language_adapter."),
    TEXT("vision_embed_tokens."),
    TEXT("model.vision_embed_tokens."),
    TEXT("model.vision_backbone."),
    TEXT("vision."),
    TEXT("model.vision."),
    TEXT("visual."),
    TEXT("model.visual."),
    TEXT("visual_tokenizer."),
    TEXT("vte."),
    TEXT("transformer.visual."),
    TEXT("transformer.vision."),
    TEXT("vpm."),
    TEXT("apm."),
    TEXT("tts."),
    TEXT("resampler."),
    TEXT("resampler_model."),
    TEXT("model.resampler_model."),
    TEXT("audio_tower."),
    TEXT("model.audio_tower."),
    TEXT("model.embed_vision."),
    TEXT("model.embed_audio."),
    TEXT("model.embed_tokens_extend."),
    TEXT("mm_whisper_embeddings."),
    TEXT("multi_modal_projector."),
    TEXT("model.multi_modal_projector."),
    TEXT("mm_projector."),
    TEXT("model.mm_projector."),
    TEXT("model.connector."),
    TEXT("projector."),
    TEXT("patch_merger."),
    TEXT("pre_mm_projector_norm"),
    TEXT("mlp1."),
    TEXT("model.vqmodel."),
    TEXT("thinker.visual."),
    TEXT("thinker.audio_tower."),
    TEXT("talker."),
    TEXT("token2wav."),
    TEXT("code2wav."),
};

/* Multimodal wrappers: what follows is named as in the language model alone.   */
const struct llmfp_text llmfp_shells[] = {
    TEXT("model.language_model."),
    TEXT("language_model."),
    TEXT("model.text_model."),
    TEXT("language."),
    TEXT("llm."),
    TEXT("thinker."),
};

#define STACK(before, behind, stack_kind)                                                          \
    .head = (before), .tail = (behind), .head_length = sizeof(before) - 1,                         \
    .tail_length = sizeof(behind) - 1, .kind = (stack_kind)

const struct llmfp_stack llmfp_stacks[] = {
    {STACK("model.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_moe, &llmfp_rules_layers}},
    {STACK("layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_moe, &llmfp_rules_layers}},
    {STACK("mtp.layers.", ".", STACK_MTP), .tables = {&llmfp_rules_moe, &llmfp_rules_layers}},
    {STACK("model.mtp.layers.", ".", STACK_MTP), .tables = {&llmfp_rules_moe, &llmfp_rules_layers}},
    {STACK("transformer.h.", ".", STACK_MAIN), .tables = {&llmfp_rules_h}},
    {STACK("h.", ".", STACK_MAIN), .tables = {&llmfp_rules_h}},
    {STACK("gpt_neox.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_neox}},
    {STACK("layers.", ".", STACK_MAIN), .models = "gpt_neox", .tables = {&llmfp_rules_neox}},
};

#define GLOBAL(text, identifier)                                                                   \
    {                                                                                              \
        .pattern = (text), .length = sizeof(text) - 1, .role = (identifier)                        \
    }
#define GLOBAL_IF(text, identifier, ...)                                                           \
    {                                                                                              \
        .pattern = (text), .length = sizeof(text) - 1, .role = (identifier), __VA_ARGS__           \
    }

const struct llmfp_global llmfp_globals[] = {
    GLOBAL("model.embed_tokens", EMBED),
    GLOBAL("embed_tokens", EMBED),
    GLOBAL("transformer.wte", EMBED),
    GLOBAL("wte", EMBED),
    GLOBAL("gpt_neox.embed_in", EMBED),
    GLOBAL("embed_in", EMBED),
    GLOBAL("lm_head", LM_HEAD),
    GLOBAL("embed_out", LM_HEAD),
    GLOBAL("model.norm", NORM_FINAL),
    GLOBAL("norm", NORM_FINAL),
    GLOBAL("transformer.ln_f", NORM_FINAL),
    GLOBAL("ln_f", NORM_FINAL),
    GLOBAL("gpt_neox.final_layer_norm", NORM_FINAL),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const size_t llmfp_n_exclusions = COUNT(llmfp_exclusions);
const size_t llmfp_n_shells = COUNT(llmfp_shells);
const size_t llmfp_n_stacks = COUNT(llmfp_stacks);
const size_t llmfp_n_globals = COUNT(llmfp_globals);
