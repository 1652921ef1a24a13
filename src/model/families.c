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

#define LAYERS                                                                                     \
    {                                                                                              \
        &llmfp_rules_moe, &llmfp_rules_layers, &llmfp_rules_meta                                   \
    }

/* Rows with the same head are all tried, in this order. A row with `models` stands
 * before the row for all.                                                      */
const struct llmfp_stack llmfp_stacks[] = {
    {STACK("model.layers.", ".mixer.", STACK_MAIN), .models = "nemotron_h",
     .tables = {&llmfp_rules_mixer}},
    /* One block of attention, stored in the first layer that shares it or in each. */
    {STACK("model.layers.", ".shared_transf.", STACK_MAIN), .models = "zamba", .tables = LAYERS},
    {STACK("model.layers.", ".shared_transformer.", STACK_MAIN), .models = "zamba2",
     .tables = LAYERS},
    {STACK("model.layers.", ".", STACK_MAIN),
     .tables = {&llmfp_rules_moe, &llmfp_rules_layers, &llmfp_rules_meta,
                &llmfp_rules_packed_bert}},
    {STACK("layers.", ".", STACK_MAIN), .models = "gpt_neox", .tables = {&llmfp_rules_neox}},
    {STACK("layers.", ".", STACK_MAIN), .models = "mixformer-sequential", .first = 1,
     .tables = {&llmfp_rules_sequential}},
    {STACK("layers.", ".", STACK_MAIN),
     .tables = {&llmfp_rules_moe, &llmfp_rules_layers, &llmfp_rules_meta, &llmfp_rules_deepseek,
                &llmfp_rules_packed_bert}},
    {STACK("model.layers.layers.", ".mixer.", STACK_MAIN), .models = "plamo2 plamo3",
     .tables = {&llmfp_rules_plamo_mixer}},
    {STACK("model.layers.layers.", ".", STACK_MAIN), .tables = LAYERS},
    {STACK("ernie.layers.", ".", STACK_MAIN), .tables = LAYERS},

    {STACK("transformer.h.", ".", STACK_MAIN), .tables = {&llmfp_rules_h}},
    {STACK("h.", ".", STACK_MAIN), .tables = {&llmfp_rules_h}},
    {STACK("transformer.blocks.", ".", STACK_MAIN), .tables = {&llmfp_rules_blocks}},
    {STACK("model.transformer.blocks.", ".", STACK_MAIN), .tables = {&llmfp_rules_blocks}},
    {STACK("gpt_neox.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_neox}},
    {STACK("transformer.encoder.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_chatglm}},
    {STACK("transformer.layers.", ".", STACK_MAIN), .models = "chatglm",
     .tables = {&llmfp_rules_chatglm_first, &llmfp_rules_neox}},
    {STACK("transformer.layers.", ".", STACK_MAIN),
     .tables = {&llmfp_rules_openelm, &llmfp_rules_megatron_old}},
    {STACK("transformer.decoder_layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_grok}},
    {STACK("backbone.layers.", ".mixer.", STACK_MAIN), .tables = {&llmfp_rules_mixer}},
    {STACK("backbone.layers.", ".", STACK_MAIN)},
    {STACK("block.", ".", STACK_MAIN), .tables = {&llmfp_rules_gpt_oss}},
    {STACK("blk.", ".", STACK_MAIN), .tables = {&llmfp_rules_gguf}},

    /* layers that predict further tokens */
    {STACK("mtp.layers.", ".transformer_layer.", STACK_MTP),
     .tables = {&llmfp_rules_moe, &llmfp_rules_megatron}},
    {STACK("mtp.layers.", ".mtp_model_layer.", STACK_MTP),
     .tables = {&llmfp_rules_moe, &llmfp_rules_megatron}},
    {STACK("mtp.layers.", ".", STACK_MTP), .tables = LAYERS},
    {STACK("model.mtp.layers.", ".", STACK_MTP), .tables = LAYERS},
    {STACK("model.mtp_block.", ".", STACK_MTP), .tables = LAYERS},
    {STACK("ernie.mtp_block.", ".", STACK_MTP), .tables = LAYERS},
    {STACK("model.mtp_layers.", ".", STACK_MTP), .tables = LAYERS},

    /* decoders beside an encoder, and opt, which has none; Megatron core */
    {STACK("model.decoder.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_layers}},
    {STACK("decoder.layers.", ".", STACK_MAIN),
     .tables = {&llmfp_rules_moe, &llmfp_rules_megatron, &llmfp_rules_layers}},
    {STACK("decoder.block.", ".layer.0.", STACK_MAIN), .tables = {&llmfp_rules_t5_attention}},
    {STACK("decoder.block.", ".layer.1.", STACK_MAIN), .tables = {&llmfp_rules_t5_cross}},
    {STACK("decoder.block.", ".layer.2.", STACK_MAIN), .tables = {&llmfp_rules_t5_feed_forward}},
    {STACK("dec.blk.", ".", STACK_MAIN), .tables = {&llmfp_rules_gguf}},
    {STACK("language_model.encoder.layers.", ".", STACK_MAIN),
     .tables = {&llmfp_rules_megatron_old}},
    {STACK("language_model.transformer.layers.", ".", STACK_MAIN),
     .tables = {&llmfp_rules_megatron_old}},

    /* encoders alone: they are the main stack */
    {STACK("encoder.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_bert}},
    {STACK("bert.encoder.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_bert}},
    {STACK("roberta.encoder.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_bert}},
    {STACK("electra.encoder.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_bert}},
    {STACK("deberta.encoder.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_bert}},
    {STACK("transformer.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_distilbert}},
    {STACK("distilbert.transformer.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_distilbert}},
    {STACK("encoder.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_packed_bert}},
    {STACK("bert.encoder.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_packed_bert}},
    {STACK("roberta.encoder.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_packed_bert}},
    {STACK("new.encoder.layer.", ".", STACK_MAIN), .tables = {&llmfp_rules_bert}},
    {STACK("new.encoder.layers.", ".", STACK_MAIN), .tables = {&llmfp_rules_packed_bert}},

    /* encoders beside a decoder */
    {STACK("encoder.layers.", ".", STACK_ENCODER), .tables = {&llmfp_rules_layers}},
    {STACK("model.encoder.layers.", ".", STACK_ENCODER), .tables = {&llmfp_rules_layers}},
    {STACK("encoder.block.", ".layer.0.", STACK_ENCODER), .tables = {&llmfp_rules_t5_attention}},
    {STACK("encoder.block.", ".layer.1.", STACK_ENCODER), .tables = {&llmfp_rules_t5_feed_forward}},
    {STACK("enc.blk.", ".", STACK_ENCODER), .tables = {&llmfp_rules_gguf}},
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
    GLOBAL("ernie.embed_tokens", EMBED),
    GLOBAL("transformer.wte", EMBED),
    GLOBAL("wte", EMBED),
    GLOBAL("transformer.embd.wte", EMBED),
    GLOBAL("model.transformer.wte", EMBED),
    GLOBAL("transformer.word_embeddings", EMBED),
    GLOBAL("word_embeddings", EMBED),
    GLOBAL("model.word_embeddings", EMBED),
    GLOBAL("gpt_neox.embed_in", EMBED),
    GLOBAL("embed_in", EMBED),
    GLOBAL("tok_embeddings", EMBED),
    GLOBAL("model.tok_embeddings", EMBED),
    GLOBAL("transformer.embedding.word_embeddings", EMBED),
    GLOBAL("embedding.word_embeddings", EMBED),
    GLOBAL("language_model.embedding.word_embeddings", EMBED),
    GLOBAL("embeddings.word_embeddings", EMBED),
    GLOBAL("bert.embeddings.word_embeddings", EMBED),
    GLOBAL("roberta.embeddings.word_embeddings", EMBED),
    GLOBAL("electra.embeddings.word_embeddings", EMBED),
    GLOBAL("deberta.embeddings.word_embeddings", EMBED),
    GLOBAL("new.embeddings.word_embeddings", EMBED),
    GLOBAL("distilbert.embeddings.word_embeddings", EMBED),
    GLOBAL("embeddings.tok_embeddings", EMBED),
    GLOBAL("model.embeddings.tok_embeddings", EMBED),
    GLOBAL("shared", EMBED),
    GLOBAL("model.shared", EMBED),
    GLOBAL("backbone.embeddings", EMBED),
    GLOBAL("backbone.embedding", EMBED),
    GLOBAL("transformer.in_out_embed", EMBED),
    GLOBAL("transformer.token_embeddings", EMBED),
    GLOBAL("embedding", EMBED),
    GLOBAL("token_embd", EMBED),
    /* Where there is `shared`, this is a copy of it. */
    GLOBAL_IF("model.decoder.embed_tokens", EMBED, .models = "opt whisper -"),
    GLOBAL_IF("decoder.embed_tokens", EMBED, .models = "opt whisper -"),
    GLOBAL_IF("layers.{E}.wte", EMBED, .models = "mixformer-sequential"),
    GLOBAL_IF("embed", EMBED, .models = "deepseek_v2 deepseek_v3 deepseek_v32"),

    GLOBAL("lm_head", LM_HEAD),
    GLOBAL("embed_out", LM_HEAD),
    GLOBAL("output", LM_HEAD),
    GLOBAL("transformer.output_layer", LM_HEAD),
    GLOBAL("output_layer", LM_HEAD),
    GLOBAL("unembedding", LM_HEAD),
    GLOBAL("lm_head.linear", LM_HEAD),
    GLOBAL("model.transformer.ff_out", LM_HEAD),
    GLOBAL("cls.predictions.decoder", LM_HEAD),
    GLOBAL("lm_head.decoder", LM_HEAD),
    GLOBAL_IF("decoder", LM_HEAD, .models = "modernbert"),
    GLOBAL_IF("head", LM_HEAD, .models = "deepseek_v2 deepseek_v3 deepseek_v32"),
    GLOBAL_IF("proj_out", LM_HEAD, .models = "whisper"),

    GLOBAL("model.norm", NORM_FINAL),
    GLOBAL("norm", NORM_FINAL),
    GLOBAL("ernie.norm", NORM_FINAL),
    GLOBAL("transformer.ln_f", NORM_FINAL),
    GLOBAL("ln_f", NORM_FINAL),
    GLOBAL("model.transformer.ln_f", NORM_FINAL),
    GLOBAL("lm_head.ln", NORM_FINAL),
    GLOBAL("transformer.norm_f", NORM_FINAL),
    GLOBAL("transformer.norm", NORM_FINAL),
    GLOBAL("transformer.rms_norm", NORM_FINAL),
    GLOBAL("gpt_neox.final_layer_norm", NORM_FINAL),
    GLOBAL("model.final_layernorm", NORM_FINAL),
    GLOBAL("model.decoder.final_layer_norm", NORM_FINAL),
    GLOBAL("transformer.encoder.final_layernorm", NORM_FINAL),
    GLOBAL("transformer.final_layernorm", NORM_FINAL),
    GLOBAL("decoder.final_layernorm", NORM_FINAL),
    GLOBAL("decoder.final_layer_norm", NORM_FINAL),
    GLOBAL("model.decoder.layer_norm", NORM_FINAL),
    GLOBAL("model.decoder.norm", NORM_FINAL),
    GLOBAL("decoder.layer_norm", NORM_FINAL),
    GLOBAL("final_norm", NORM_FINAL),
    GLOBAL("model.final_norm", NORM_FINAL),
    GLOBAL_IF("model.embedding_norm", NORM_FINAL, .models = "lfm2 lfm2_moe lfm2_vl"),
    GLOBAL_IF("token_embd_norm", NORM_FINAL, .models = "lfm2 lfm2moe"),
    GLOBAL("backbone.norm_f", NORM_FINAL),
    GLOBAL("output_norm", NORM_FINAL),
    GLOBAL("dec.output_norm", NORM_FINAL),
    GLOBAL_IF("final_layer_norm", NORM_FINAL, .models = "gpt_neox"),
    GLOBAL_IF("encoder.final_layer_norm", NORM_FINAL, .kind = STACK_ENCODER),
    GLOBAL_IF("model.encoder.norm", NORM_FINAL, .kind = STACK_ENCODER),
    GLOBAL_IF("model.encoder.layer_norm", NORM_FINAL, .kind = STACK_ENCODER),
    GLOBAL_IF("encoder.layer_norm", NORM_FINAL, .kind = STACK_ENCODER),
    GLOBAL_IF("enc.output_norm", NORM_FINAL, .kind = STACK_ENCODER),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const size_t llmfp_n_exclusions = COUNT(llmfp_exclusions);
const size_t llmfp_n_shells = COUNT(llmfp_shells);
const size_t llmfp_n_stacks = COUNT(llmfp_stacks);
const size_t llmfp_n_globals = COUNT(llmfp_globals);
