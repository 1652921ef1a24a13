/* settings.c - "quantization_config" in config.json. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "json_numbers.h"
#include "scheme.h"

static void copy_text(char *to, size_t size_bytes, const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    if (text != NULL && strlen(text) < size_bytes) {
        memcpy(to, text, strlen(text) + 1);
    }
}

/* A whole number from -1 to 2^31, or 0. */
static int64_t number(const cJSON *item)
{
    if (!cJSON_IsNumber(item) ||
        !(item->valuedouble >= -1.0 && item->valuedouble <= 2147483648.0)) {
        return 0;
    }
    return (int64_t)item->valuedouble;
}

static uint64_t positive(const cJSON *item)
{
    const int64_t value = number(item);
    return value > 0 ? (uint64_t)value : 0;
}

static const cJSON *either(const cJSON *object, const char *key, const char *other)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return item != NULL ? item : cJSON_GetObjectItemCaseSensitive(object, other);
}

static void fill(const cJSON *root, struct quantisation_settings *settings)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "quantization_config");
    if (!cJSON_IsObject(config)) {
        return;
    }
    settings->present = true;
    copy_text(settings->method, sizeof settings->method, config, "quant_method");
    copy_text(settings->format, sizeof settings->format, config, "format");
    if (settings->format[0] == '\0') {
        copy_text(settings->format, sizeof settings->format, config, "checkpoint_format");
    }
    copy_text(settings->version, sizeof settings->version, config, "version");
    settings->dynamic = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(config, "dynamic"));
    settings->bits = positive(either(config, "bits", "w_bit"));
    settings->group_size = number(either(config, "group_size", "q_group_size"));
    const cJSON *block = cJSON_GetObjectItemCaseSensitive(config, "weight_block_size");
    settings->block_rows = positive(cJSON_GetArrayItem(block, 0));
    settings->block_columns = positive(cJSON_GetArrayItem(block, 1));
}

enum llmfp_status quantisation_settings_read(const char *text, size_t n_bytes,
                                             struct quantisation_settings *settings,
                                             struct llmfp_error *error)
{
    *settings = (struct quantisation_settings){.present = false};
    if (text == NULL) {
        return LLMFP_OK;
    }
    size_t quoted_bytes;
    char *quoted = llmfp_json_quote_numbers(text, n_bytes, &quoted_bytes);
    if (quoted == NULL) {
        return llmfp_fail_memory(error, n_bytes, "config.json");
    }
    cJSON *root = cJSON_ParseWithLength(quoted, quoted_bytes + 1);
    if (root != NULL) {
        fill(root, settings);
    }
    cJSON_Delete(root);
    free(quoted);
    return LLMFP_OK;
}
