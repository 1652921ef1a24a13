/* configuration.c - config.json, or the publisher's params.json, into sizes. The file is hostile
 * input: a value is used only when it is a whole number from 0 to 2^31.            */
#include "llmfp/configuration.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "architecture_types.h"
#include "configuration_defaults.h"
#include "json_numbers.h"
#include "named_texts.h"
#include "utf8.h"

static const double most_size = 2147483648.0; /* 2^31 */

/* Reads sizes until the first error. */
struct reader {
    const cJSON *root;
    const cJSON *language; /* the language model's own part; root when there is none */
    const char *file;      /* for messages */
    struct llmfp_error *error;
    enum llmfp_status status;
};

enum presence { KEY_ABSENT, KEY_NULL, KEY_GIVEN };

/* The member `key`; the last one where it stands twice, as in Python. */
static const cJSON *member(const cJSON *object, const char *key)
{
    const cJSON *found = NULL;
    if (cJSON_IsObject(object)) {
        for (const cJSON *item = object->child; item != NULL; item = item->next) {
            if (item->string != NULL && strcmp(item->string, key) == 0) {
                found = item;
            }
        }
    }
    return found;
}

/* "attn_config.kv_n_heads": one level inside, where a dot says so. */
static const cJSON *member_at(const cJSON *object, const char *path)
{
    const char *dot = strchr(path, '.');
    if (dot == NULL) {
        return member(object, path);
    }
    char outer[32] = "";
    const size_t length = (size_t)(dot - path);
    if (length >= sizeof outer) {
        return NULL;
    }
    memcpy(outer, path, length);
    return member(member(object, outer), dot + 1);
}

static void refuse(struct reader *reader, const char *key, const cJSON *item, const char *wanted)
{
    if (reader->status != LLMFP_OK) {
        return;
    }
    if (cJSON_IsNumber(item)) {
        reader->status = llmfp_fail(reader->error, LLMFP_CHECKPOINT,
                                    "%s: \"%s\" is %.17g, but must be %s; correct the file",
                                    reader->file, key, item->valuedouble, wanted);
        return;
    }
    char shown[80];
    const char *kind = "an object";
    if (cJSON_IsString(item)) {
        llmfp_escape(shown, sizeof shown, item->valuestring, strlen(item->valuestring));
        kind = shown;
    } else if (cJSON_IsBool(item)) {
        kind = cJSON_IsTrue(item) ? "true" : "false";
    } else if (cJSON_IsArray(item)) {
        kind = "a list";
    } else if (cJSON_IsNull(item)) {
        kind = "null";
    }
    const char *quote = cJSON_IsString(item) ? "\"" : "";
    reader->status = llmfp_fail(reader->error, LLMFP_CHECKPOINT,
                                "%s: \"%s\" is %s%s%s, but must be %s; correct the file",
                                reader->file, key, quote, kind, quote, wanted);
}

static bool is_size(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= most_size &&
           item->valuedouble == floor(item->valuedouble);
}

static uint64_t checked_size(struct reader *reader, const char *key, const cJSON *item)
{
    if (!is_size(item)) {
        refuse(reader, key, item, "a whole number from 0 to 2147483648");
        return 0;
    }
    return (uint64_t)item->valuedouble;
}

/* A list of sizes: their common value; else the first one or 0 (not known). */
static uint64_t list_size(struct reader *reader, const char *key, const cJSON *list,
                          bool take_first)
{
    uint64_t first = 0;
    bool alike = true;
    for (const cJSON *item = list->child; item != NULL; item = item->next) {
        const uint64_t value = checked_size(reader, key, item);
        first = item == list->child ? value : first;
        alike = alike && value == first;
    }
    return alike || take_first ? first : 0;
}

/* The first of `keys` (up to NULL) that has a value. */
static enum presence read_size(struct reader *reader, const char *const *keys, bool take_first,
                               uint64_t *value)
{
    enum presence presence = KEY_ABSENT;
    for (; *keys != NULL; keys++) {
        const cJSON *item = member_at(reader->language, *keys);
        if (item == NULL) {
            continue;
        }
        if (cJSON_IsNull(item)) {
            presence = KEY_NULL;
            continue;
        }
        *value = cJSON_IsArray(item) ? list_size(reader, *keys, item, take_first)
                                     : checked_size(reader, *keys, item);
        return KEY_GIVEN;
    }
    return presence;
}

/* A flag; null and absent leave it as it is. */
static bool read_flag(struct reader *reader, const cJSON *object, const char *key, bool value)
{
    const cJSON *item = member(object, key);
    if (item == NULL || cJSON_IsNull(item)) {
        return value;
    }
    if (cJSON_IsNumber(item) && (item->valuedouble == 0 || item->valuedouble == 1)) {
        return item->valuedouble == 1;
    }
    if (!cJSON_IsBool(item)) {
        refuse(reader, key, item, "true or false");
        return value;
    }
    return cJSON_IsTrue(item);
}

static void read_name(struct reader *reader, const char *key, const cJSON *item, char *name)
{
    if (item == NULL || cJSON_IsNull(item)) {
        return;
    }
    if (!cJSON_IsString(item)) {
        refuse(reader, key, item, "text");
        return;
    }
    llmfp_escape(name, LLMFP_NAME_BYTES, item->valuestring, strlen(item->valuestring));
}

/* Where the language model of a multimodal configuration is described. */
static const cJSON *language_part(struct reader *reader)
{
    static const char *const paths[] = {"text_config", "llm_config", "language_config",
                                        "thinker_config.text_config"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const cJSON *part = member_at(reader->root, paths[i]);
        if (cJSON_IsObject(part)) {
            return part;
        }
        if (part != NULL && !cJSON_IsNull(part)) {
            refuse(reader, paths[i], part, "an object");
        }
    }
    return reader->root;
}

static void read_architecture(struct reader *reader, const cJSON *object, char *name)
{
    const cJSON *architectures = member(object, "architectures");
    if (architectures != NULL && !cJSON_IsNull(architectures) && !cJSON_IsArray(architectures)) {
        refuse(reader, "architectures", architectures, "a list");
    } else if (cJSON_IsArray(architectures) && architectures->child != NULL) {
        read_name(reader, "architectures", architectures->child, name);
    }
}

static void read_names(struct reader *reader, struct llmfp_configuration *configuration)
{
    char outer[LLMFP_NAME_BYTES] = "";
    read_name(reader, "model_type", member(reader->root, "model_type"), outer);
    memcpy(configuration->model_type, outer, sizeof outer);
    read_name(reader, "model_type", member(reader->language, "model_type"),
              configuration->model_type);
    read_architecture(reader, reader->root, configuration->architecture);
    char inner[LLMFP_NAME_BYTES] = "";
    read_architecture(reader, reader->language, inner);
    if (configuration->model_type[0] == '\0') {
        const char *type = llmfp_type_of_architecture(inner);
        type = type[0] != '\0' ? type : llmfp_type_of_architecture(configuration->architecture);
        memcpy(configuration->model_type, type, strlen(type) + 1);
    }
    if (configuration->architecture[0] == '\0') {
        memcpy(configuration->architecture, outer, sizeof outer);
    }
}

static const char *const layer_keys[] = {
    "num_decoder_layers", "decoder_layers", "num_hidden_layers",      "n_layer",
    "n_layers",           "num_layers",     "num_transformer_layers", NULL};
static const char *const hidden_keys[] = {"hidden_size", "n_embd",    "n_embed", "d_model",
                                          "dim",         "model_dim", NULL};
static const char *const head_keys[] = {"num_attention_heads", "n_head", "n_heads", "num_heads",
                                        NULL};
static const char *const kv_keys[] = {
    "num_key_value_heads", "num_kv_heads",           "n_head_kv", "n_kv_heads",
    "num_query_groups",    "attn_config.kv_n_heads", NULL};
static const char *const group_keys[] = {"multi_query_group_num", NULL};
static const char *const head_size_keys[] = {"head_dim", "kv_channels", "d_kv",
                                             "hidden_size_per_head", NULL};
static const char *const feed_forward_keys[] = {
    "intermediate_size", "ffn_hidden_size", "ffn_dim", "d_ff", "n_inner", "hidden_dim", NULL};
static const char *const expert_keys[] = {"num_local_experts",
                                          "num_experts",
                                          "n_routed_experts",
                                          "moe_num_experts",
                                          "ffn_config.moe_num_experts",
                                          "num_moe_experts",
                                          "moe.num_experts",
                                          "moe_args.num_experts",
                                          NULL};
static const char *const expert_width_keys[] = {"moe_intermediate_size", "moe_ffn_hidden_size",
                                                "moe.expert_hidden_dim", NULL};
static const char *const shared_width_keys[] = {"moe_shared_expert_intermediate_size",
                                                "shared_expert_intermediate_size", NULL};
static const char *const latent_keys[] = {"kv_lora_rank", NULL};
static const char *const nope_keys[] = {"qk_nope_head_dim", NULL};
static const char *const rope_keys[] = {"qk_rope_head_dim", NULL};

static void read_kv_heads(struct reader *reader, const struct llmfp_defaults *defaults,
                          struct llmfp_configuration *configuration)
{
    const uint64_t heads = configuration->heads;
    const enum presence stated = read_size(reader, kv_keys, false, &configuration->kv_heads);
    if (stated == KEY_NULL) {
        configuration->kv_heads = heads;
    } else if (stated == KEY_ABSENT) {
        configuration->kv_heads =
            defaults->kv_heads == KV_AS_QUERY ? heads : (uint64_t)defaults->kv_heads;
    }
    const uint64_t flagged = configuration->multi_query ? 1 : heads;
    const cJSON *attention = member_at(reader->language, "attn_config.attn_type");
    switch (defaults->rule) {
    case KV_STATED:
        break;
    case KV_MULTI_QUERY:
        configuration->kv_heads = flagged;
        break;
    case KV_FALCON:
        if (!configuration->new_decoder_architecture) {
            configuration->kv_heads = flagged;
        } else if (stated != KEY_GIVEN) {
            configuration->kv_heads = heads;
        }
        break;
    case KV_CHATGLM:
        configuration->kv_heads = heads;
        if (configuration->multi_query) {
            configuration->kv_heads = (uint64_t)defaults->kv_heads;
            (void)read_size(reader, group_keys, false, &configuration->kv_heads);
        }
        break;
    case KV_MPT:
        if (stated != KEY_GIVEN) {
            configuration->kv_heads =
                cJSON_IsString(attention) &&
                        strcmp(attention->valuestring, "multiquery_attention") == 0
                    ? 1
                    : heads;
        }
        break;
    case KV_OLMO:
        configuration->kv_heads = stated == KEY_GIVEN ? configuration->kv_heads : flagged;
        break;
    }
}

/* In latent attention `head_dim` is only the rotary part: it does not count. */
static void read_head_size(struct reader *reader, const struct llmfp_defaults *defaults,
                           struct llmfp_configuration *configuration)
{
    uint64_t latent = 0;
    if (read_size(reader, latent_keys, false, &latent) == KEY_GIVEN && latent != 0) {
        configuration->latent_attention = true;
        uint64_t nope = 0;
        uint64_t rope = 0;
        const bool both = read_size(reader, nope_keys, false, &nope) == KEY_GIVEN &&
                          read_size(reader, rope_keys, false, &rope) == KEY_GIVEN;
        configuration->head_size = both ? nope + rope : 0;
        return;
    }
    const enum presence stated =
        read_size(reader, head_size_keys, false, &configuration->head_size);
    if (stated == KEY_GIVEN && configuration->head_size != 0) {
        return;
    }
    configuration->head_size = stated == KEY_ABSENT ? defaults->head_size : 0;
    if (configuration->head_size == 0 && configuration->heads != 0 &&
        configuration->hidden % configuration->heads == 0) {
        configuration->head_size = configuration->hidden / configuration->heads;
    }
}

/* Head counts layer by layer (OpenELM). A longer list than fits makes them unknown. */
static void read_layer_lists(struct reader *reader, struct llmfp_configuration *configuration)
{
    const cJSON *heads = member(reader->language, "num_query_heads");
    const cJSON *kv_heads = member(reader->language, "num_kv_heads");
    if (!cJSON_IsArray(heads) || !cJSON_IsArray(kv_heads)) {
        return;
    }
    const cJSON *kv_item = kv_heads->child;
    uint32_t n = 0;
    for (const cJSON *item = heads->child; item != NULL && kv_item != NULL; item = item->next) {
        const uint64_t h = checked_size(reader, "num_query_heads", item);
        const uint64_t k = checked_size(reader, "num_kv_heads", kv_item);
        if (n < LLMFP_LISTED_LAYERS) {
            configuration->layer_heads[n] = (uint32_t)h;
            configuration->layer_kv_heads[n] = (uint32_t)k;
            n++;
        }
        kv_item = kv_item->next;
    }
    configuration->n_listed_layers = n;
}

/* Layers of linear attention, counted from 1 (kimi_linear). */
static void read_linear_layers(struct reader *reader, struct llmfp_configuration *configuration)
{
    const cJSON *list = member_at(reader->language, "linear_attn_config.kda_layers");
    for (const cJSON *item = cJSON_IsArray(list) ? list->child : NULL; item != NULL;
         item = item->next) {
        const uint64_t layer = checked_size(reader, "kda_layers", item);
        if (layer >= 1 && layer <= LLMFP_LISTED_LAYERS) {
            configuration->layer_linear[layer - 1] = true;
        }
    }
}

static void read_flags(struct reader *reader, const struct llmfp_defaults *defaults,
                       struct llmfp_configuration *configuration)
{
    const cJSON *language = reader->language;
    bool multi_query = read_flag(reader, language, "multi_query", defaults->multi_query);
    configuration->multi_query = read_flag(reader, language, "multi_query_attention", multi_query);
    configuration->new_decoder_architecture =
        read_flag(reader, language, "new_decoder_architecture", false);
    configuration->sandwich_norm = read_flag(reader, language, "sandwich_norm", false);
    configuration->post_norm = !read_flag(reader, language, "do_layer_norm_before", true);
    configuration->output_gate = read_flag(reader, language, "attention_output_gate", false);
    /* The outer object rules over the whole model, so it is asked last. */
    const bool tied = read_flag(reader, language, "tie_word_embeddings", defaults->tied);
    configuration->tied_embeddings = read_flag(reader, reader->root, "tie_word_embeddings", tied);
}

static void read_sizes(struct reader *reader, struct llmfp_configuration *configuration)
{
    /* Made from the metadata of a format that has its own: model types are others there,
     * and no class supplies what is left out. */
    const bool complete = read_flag(reader, reader->root, "llmfp_complete", false);
    const struct llmfp_defaults *defaults =
        llmfp_defaults_of(complete ? "" : configuration->model_type);
    configuration->hidden = defaults->hidden;
    configuration->heads = defaults->heads;
    configuration->experts = defaults->experts;
    read_flags(reader, defaults, configuration);
    (void)read_size(reader, layer_keys, false, &configuration->n_layers);
    (void)read_size(reader, hidden_keys, false, &configuration->hidden);
    (void)read_size(reader, head_keys, false, &configuration->heads);
    (void)read_size(reader, feed_forward_keys, false, &configuration->feed_forward);
    (void)read_size(reader, expert_width_keys, true, &configuration->expert_feed_forward);
    (void)read_size(reader, shared_width_keys, true, &configuration->shared_feed_forward);
    configuration->dense =
        read_size(reader, expert_keys, true, &configuration->experts) == KEY_GIVEN &&
        configuration->experts == 0;
    read_kv_heads(reader, defaults, configuration);
    read_head_size(reader, defaults, configuration);
    read_layer_lists(reader, configuration);
    read_linear_layers(reader, configuration);
}

static unsigned line_of(const char *text, const char *place)
{
    unsigned line = 1;
    for (; text < place; text++) {
        line += *text == '\n' ? 1 : 0;
    }
    return line;
}

static bool only_blanks(const char *text, const char *end)
{
    while (text < end && strchr(" \t\r\n", *text) != NULL && *text != '\0') {
        text++;
    }
    return text == end;
}

/* One file's text, parsed; NULL with a status. */
static cJSON *parse(const char *file, const char *text, size_t n_bytes, struct llmfp_error *error,
                    enum llmfp_status *status)
{
    if (!llmfp_utf8_valid(text, n_bytes)) {
        *status = llmfp_fail(error, LLMFP_CHECKPOINT,
                             "%s is not valid UTF-8; correct the file or take it away", file);
        return NULL;
    }
    size_t size_bytes = 0;
    char *copy = llmfp_json_quote_numbers(text, n_bytes, &size_bytes);
    if (copy == NULL) {
        *status = llmfp_fail_memory(error, n_bytes, file);
        return NULL;
    }
    const char *end = copy;
    cJSON *root = cJSON_ParseWithLengthOpts(copy, size_bytes, &end, false);
    *status = LLMFP_OK;
    if (root == NULL || !only_blanks(end, copy + size_bytes)) {
        *status = llmfp_fail(error, LLMFP_CHECKPOINT,
                             "%s: line %u is not valid JSON; correct the file or take it away",
                             file, line_of(copy, end));
    } else if (!cJSON_IsObject(root)) {
        *status = llmfp_fail(error, LLMFP_CHECKPOINT,
                             "%s holds no JSON object; correct the file or take it away", file);
    }
    free(copy);
    if (*status != LLMFP_OK) {
        cJSON_Delete(root);
        root = NULL;
    }
    return root;
}

/* config.json, or else the publisher's file; NULL: neither is there. */
static const char *sizes_text(const char *texts, size_t n_bytes, const char **file,
                              size_t *text_bytes)
{
    static const char *const files[] = {"config.json", "params.json"};
    const char *text = NULL;
    for (size_t i = 0; texts != NULL && text == NULL && i < sizeof files / sizeof files[0]; i++) {
        *file = files[i];
        text = llmfp_named_texts_find(texts, n_bytes, files[0], files[i], text_bytes);
    }
    return text;
}

enum llmfp_status llmfp_configuration_read(const char *texts, size_t n_bytes,
                                           struct llmfp_configuration *configuration,
                                           struct llmfp_error *error)
{
    *configuration = (struct llmfp_configuration){0};
    struct reader reader = {.error = error};
    size_t text_bytes = 0;
    const char *text = sizes_text(texts, n_bytes, &reader.file, &text_bytes);
    if (text == NULL) {
        return LLMFP_OK;
    }
    cJSON *root = parse(reader.file, text, text_bytes, error, &reader.status);
    if (root == NULL) {
        return reader.status;
    }
    reader.root = root;
    configuration->present = true;
    reader.language = language_part(&reader);
    read_names(&reader, configuration);
    read_sizes(&reader, configuration);
    configuration->publisher_sizes = strcmp(reader.file, "params.json") == 0;
    if (configuration->publisher_sizes && configuration->kv_heads == 0) {
        configuration->kv_heads = configuration->heads; /* what their own readers take */
    }
    cJSON_Delete(root);
    if (reader.status != LLMFP_OK) {
        *configuration = (struct llmfp_configuration){0};
    }
    return reader.status;
}
