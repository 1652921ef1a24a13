/* configuration_defaults.h - what an absent key in config.json means, by model type. */
#ifndef LLMFP_CONFIGURATION_DEFAULTS_H
#define LLMFP_CONFIGURATION_DEFAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* Where the number of key/value heads comes from.                              */
enum llmfp_kv_rule {
    KV_STATED,      /* its own key; when absent, `kv_heads` below */
    KV_MULTI_QUERY, /* flag multi_query: 1, else as many as query heads */
    KV_FALCON,      /* the same, unless new_decoder_architecture: its own key */
    KV_CHATGLM,     /* flag multi_query_attention: multi_query_group_num, else as query heads */
    KV_MPT,         /* attn_config.kv_n_heads, else by attn_config.attn_type */
    KV_OLMO         /* its own key, else flag multi_query_attention: 1, else as query heads */
};

enum { KV_AS_QUERY = -1, KV_UNKNOWN = 0 };

struct llmfp_defaults {
    const char *models; /* words: model types */
    enum llmfp_kv_rule rule;
    int32_t kv_heads;   /* a number, KV_AS_QUERY or KV_UNKNOWN */
    uint32_t heads;     /* 0: must be stated */
    uint32_t head_size; /* 0: H / h */
    uint32_t hidden;    /* 0: must be stated */
    uint32_t experts;   /* 0: must be stated */
    bool multi_query;
    bool tied;
};

/* Never NULL: the last row is for model types that are not listed.       Local. */
const struct llmfp_defaults *llmfp_defaults_of(const char *model_type);

#endif
