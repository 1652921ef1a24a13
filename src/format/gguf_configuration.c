/* gguf_configuration.c - the sizes in a GGUF file's metadata as the text of a config.json.
 *
 * So that what knows about models need not know about formats. A size that GGUF leaves
 * out means what it means to readers of GGUF: as many key/value heads as query heads, heads
 * of embedding_length / head_count elements; "llmfp_complete" says that the defaults of
 * model classes, which hold for config.json, do not apply.                          */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gguf_metadata.h"

static void put(struct llmfp_buffer *text, const char *words)
{
    llmfp_buffer_put(text, words, strlen(words));
}

static void put_number(struct llmfp_buffer *text, uint32_t value)
{
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%" PRIu32, value);
    put(text, digits);
}

static void put_key(struct llmfp_buffer *text, const char *key)
{
    put(text, ",\n \"");
    put(text, key);
    put(text, "\": ");
}

/* A string of valid UTF-8. */
static void put_string(struct llmfp_buffer *text, const char *string)
{
    put(text, "\"");
    for (const char *c = string; *c != '\0'; c++) {
        char escaped[8];
        if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\' || *c == 0x7F) {
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)(unsigned char)*c);
            put(text, escaped);
        } else {
            llmfp_buffer_put(text, c, 1);
        }
    }
    put(text, "\"");
}

/* A number, or a list of n: a single number is repeated. */
static void put_numbers(struct llmfp_buffer *text, const struct gguf_numbers *numbers, uint32_t n,
                        bool as_list)
{
    if (!as_list) {
        put_number(text, numbers->values[0]);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        put(text, i == 0 ? "[" : ", ");
        put_number(text, numbers->values[numbers->is_list ? i : 0]);
    }
    put(text, n == 0 ? "[]" : "]");
}

static uint32_t single(const struct gguf_metadata *metadata, enum gguf_size size)
{
    const struct gguf_numbers *numbers = &metadata->sizes[size];
    return numbers->n > 0 && !numbers->is_list ? numbers->values[0] : 0;
}

/* The last blocks may predict further tokens; they are no layers of the main stack. */
static void put_layers(const struct gguf_metadata *metadata, struct llmfp_buffer *text)
{
    const uint32_t blocks = single(metadata, GGUF_BLOCK_COUNT);
    const uint32_t further = single(metadata, GGUF_NEXTN_LAYERS);
    if (blocks > 0) {
        put_key(text, "num_hidden_layers");
        put_number(text, further < blocks ? blocks - further : blocks);
    }
}

/* Heads layer by layer, where either count is a list. */
static void put_head_lists(const struct gguf_metadata *metadata, struct llmfp_buffer *text)
{
    const struct gguf_numbers *heads = &metadata->sizes[GGUF_HEAD_COUNT];
    const struct gguf_numbers *kv_heads = &metadata->sizes[GGUF_HEAD_COUNT_KV];
    if (kv_heads->n == 0) {
        kv_heads = heads;
    }
    if (heads->n == 0 || (!heads->is_list && !kv_heads->is_list) ||
        (heads->is_list && kv_heads->is_list && heads->n != kv_heads->n)) {
        return;
    }
    const uint32_t n = heads->is_list ? heads->n : kv_heads->n;
    put_key(text, "num_query_heads");
    put_numbers(text, heads, n, true);
    put_key(text, "num_kv_heads");
    put_numbers(text, kv_heads, n, true);
}

/* Latent attention: keys have a part with and a part without positions. */
static void put_latent(const struct gguf_metadata *metadata, struct llmfp_buffer *text)
{
    const uint32_t rank = single(metadata, GGUF_KV_LORA_RANK);
    const uint32_t rope = single(metadata, GGUF_ROPE_DIMENSION_COUNT);
    /* Newer files state the size of a key in the cache as key_length, and this beside it. */
    const uint32_t mla = single(metadata, GGUF_KEY_LENGTH_MLA);
    const uint32_t key = mla > 0 ? mla : single(metadata, GGUF_KEY_LENGTH);
    if (rank == 0) {
        return;
    }
    put_key(text, "kv_lora_rank");
    put_number(text, rank);
    if (rope > 0 && key > rope) {
        put_key(text, "qk_nope_head_dim");
        put_number(text, key - rope);
        put_key(text, "qk_rope_head_dim");
        put_number(text, rope);
    }
}

void gguf_write_configuration(const struct gguf_metadata *metadata, struct llmfp_buffer *text)
{
    static const struct {
        const char *key;
        enum gguf_size size;
        bool null_when_absent;
    } plain[] = {
        {"num_decoder_layers", GGUF_DECODER_BLOCK_COUNT, false},
        {"hidden_size", GGUF_EMBEDDING_LENGTH, false},
        {"intermediate_size", GGUF_FEED_FORWARD_LENGTH, false},
        {"moe_intermediate_size", GGUF_EXPERT_FEED_FORWARD_LENGTH, false},
        {"num_experts", GGUF_EXPERT_COUNT, false},
        {"num_attention_heads", GGUF_HEAD_COUNT, false},
        {"num_key_value_heads", GGUF_HEAD_COUNT_KV, true},
        {"head_dim", GGUF_KEY_LENGTH, true},
    };
    put(text, "{\"llmfp_complete\": true");
    if (metadata->architecture[0] != '\0') {
        put_key(text, "model_type");
        put_string(text, metadata->architecture);
    }
    put_layers(metadata, text);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        const struct gguf_numbers *numbers = &metadata->sizes[plain[i].size];
        if (numbers->n > 0) {
            put_key(text, plain[i].key);
            put_numbers(text, numbers, numbers->n, numbers->is_list);
        } else if (plain[i].null_when_absent) {
            put_key(text, plain[i].key);
            put(text, "null");
        }
    }
    put_head_lists(metadata, text);
    put_latent(metadata, text);
    put(text, "}\n");
}
