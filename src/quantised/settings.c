/* settings.c - how the weights are quantised, as the configuration files say it.
 *
 * "quantization_config" in config.json (MLX: "quantization"), and files that quantisers
 * write beside it:
 *   quantize_config.json   AutoGPTQ: bits, group_size, desc_act, sym, checkpoint_format
 *   quant_config.json      AutoAWQ: w_bit, q_group_size, zero_point, version; or AutoGPTQ's keys
 *   hf_quant_config.json   ModelOpt: {"quantization": {"quant_algo", "group_size", ...}}
 * Where several of them speak, they must not contradict each other.                 */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_numbers.h"
#include "named_texts.h"
#include "scheme.h"
#include "utf8.h"

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void copy_text(char *to, size_t size_bytes, const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(get(object, key));
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
    const cJSON *item = get(object, key);
    return item != NULL ? item : get(object, other);
}

/* The method where it is not named: some keys are one quantiser's own. */
static const char *method_of(const cJSON *config, bool gptq_file)
{
    if (get(config, "quant_algo") != NULL) {
        return "modelopt";
    }
    if (get(config, "w_bit") != NULL || get(config, "q_group_size") != NULL) {
        return "awq";
    }
    return gptq_file || get(config, "desc_act") != NULL || get(config, "damp_percent") != NULL
               ? "gptq"
               : "";
}

/* MLX: members that are objects hold the settings of single tensors. */
static bool has_other_groups(const cJSON *config, int64_t group_size)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, config)
    {
        const cJSON *group = cJSON_IsObject(item) ? get(item, "group_size") : NULL;
        if (group != NULL && number(group) != group_size) {
            return true;
        }
    }
    return false;
}

static void fill(const cJSON *config, const char *method, struct quantisation_settings *settings)
{
    *settings = (struct quantisation_settings){.present = true};
    copy_text(settings->method, sizeof settings->method, config, "quant_method");
    if (settings->method[0] == '\0') {
        memcpy(settings->method, method, strlen(method) + 1);
    }
    copy_text(settings->format, sizeof settings->format, config, "format");
    if (settings->format[0] == '\0') {
        copy_text(settings->format, sizeof settings->format, config, "checkpoint_format");
    }
    copy_text(settings->version, sizeof settings->version, config, "version");
    settings->dynamic = cJSON_IsObject(get(config, "dynamic"));
    settings->bits = positive(either(config, "bits", "w_bit"));
    settings->group_size = number(either(config, "group_size", "q_group_size"));
    settings->mixed_groups = has_other_groups(config, settings->group_size);
    const cJSON *block = get(config, "weight_block_size");
    settings->block_rows = positive(cJSON_GetArrayItem(block, 0));
    settings->block_columns = positive(cJSON_GetArrayItem(block, 1));
}

/* ---- several files ---- */

/* Words in upper or lower case are the same; "modelopt_fp4" is modelopt's. */
static bool same_word(const char *a, const char *b)
{
    static const char modelopt[] = "modelopt";
    if (strncmp(a, modelopt, sizeof modelopt - 1) == 0 &&
        strncmp(b, modelopt, sizeof modelopt - 1) == 0) {
        return true;
    }
    size_t i = 0;
    while (a[i] != '\0' && tolower((unsigned char)a[i]) == tolower((unsigned char)b[i])) {
        i++;
    }
    return a[i] == b[i];
}

struct merging {
    struct quantisation_settings *settings; /* so far */
    const char *file;                       /* where they come from */
    const char *other_file;
    struct llmfp_error *error;
    enum llmfp_status status;
};

static void refuse(struct merging *merging, const char *what, const char *a, const char *b)
{
    if (merging->status == LLMFP_OK) {
        char shown[2][80];
        llmfp_escape(shown[0], sizeof shown[0], a, strlen(a));
        llmfp_escape(shown[1], sizeof shown[1], b, strlen(b));
        merging->status = llmfp_fail(
            merging->error, LLMFP_CHECKPOINT,
            "%s and %s contradict each other: the %s of the quantised weights is \"%s\" in the "
            "first and \"%s\" in the second; correct one of them, or take it away",
            merging->file, merging->other_file, what, shown[0], shown[1]);
    }
}

static void merge_word(struct merging *merging, const char *what, char *to, const char *other)
{
    if (to[0] != '\0' && other[0] != '\0' && !same_word(to, other)) {
        refuse(merging, what, to, other);
    } else if (to[0] == '\0') {
        memcpy(to, other, strlen(other) + 1); /* arrays of one size */
    }
}

static int64_t merge_number(struct merging *merging, const char *what, int64_t a, int64_t b)
{
    if (a != 0 && b != 0 && a != b) {
        char texts[2][24];
        (void)snprintf(texts[0], sizeof texts[0], "%" PRId64, a);
        (void)snprintf(texts[1], sizeof texts[1], "%" PRId64, b);
        refuse(merging, what, texts[0], texts[1]);
    }
    return a != 0 ? a : b;
}

static enum llmfp_status merge(struct merging *merging, const struct quantisation_settings *other)
{
    struct quantisation_settings *settings = merging->settings;
    if (!settings->present) {
        *settings = *other;
        return LLMFP_OK;
    }
    merge_word(merging, "method", settings->method, other->method);
    merge_word(merging, "format", settings->format, other->format);
    merge_word(merging, "version", settings->version, other->version);
    settings->dynamic = settings->dynamic || other->dynamic;
    settings->mixed_groups = settings->mixed_groups || other->mixed_groups;
    settings->bits = (uint64_t)merge_number(merging, "number of bits", (int64_t)settings->bits,
                                            (int64_t)other->bits);
    settings->group_size =
        merge_number(merging, "group size", settings->group_size, other->group_size);
    return merging->status;
}

/* ---- files ---- */

static const struct {
    const char *file;
    const char *member; /* where the settings are; NULL: the whole file */
    bool required;      /* it is there for nothing else, so it must be JSON */
} sources[] = {
    {"config.json", "quantization_config", false},
    {"config.json", "compression_config", false}, /* compressed-tensors, first versions */
    {"config.json", "quantization", false},       /* MLX */
    {"params.json", "quantization", false},
    {"quantize_config.json", NULL, true},
    {"quant_config.json", NULL, true},
    {"hf_quant_config.json", "quantization", true},
};
enum { N_SOURCES = sizeof sources / sizeof sources[0] };

/* Text that is no JSON object gives NULL, with a status where the file must be one. */
static cJSON *parse(size_t source, const char *text, size_t n_bytes, struct llmfp_error *error,
                    enum llmfp_status *status)
{
    size_t quoted_bytes;
    char *quoted = llmfp_json_quote_numbers(text, n_bytes, &quoted_bytes);
    if (quoted == NULL) {
        *status = llmfp_fail_memory(error, n_bytes, sources[source].file);
        return NULL;
    }
    cJSON *root = cJSON_ParseWithLength(quoted, quoted_bytes + 1);
    free(quoted);
    if (!cJSON_IsObject(root) && sources[source].required) {
        *status = llmfp_fail(error, LLMFP_CHECKPOINT,
                             "%s holds no JSON object; correct the file or take it away",
                             sources[source].file);
    }
    return root;
}

static enum llmfp_status read_source(size_t source, const char *text, size_t n_bytes,
                                     struct merging *merging)
{
    enum llmfp_status status = LLMFP_OK;
    cJSON *root = parse(source, text, n_bytes, merging->error, &status);
    const char *member = sources[source].member;
    const cJSON *config = member == NULL ? root : get(root, member);
    if (status == LLMFP_OK && cJSON_IsObject(config)) {
        struct quantisation_settings found;
        const bool gptq_file = strcmp(sources[source].file, "quantize_config.json") == 0;
        fill(config, source == 0 ? "" : method_of(config, gptq_file), &found);
        merging->other_file = sources[source].file;
        const bool first = !merging->settings->present;
        status = merge(merging, &found);
        merging->file = first ? sources[source].file : merging->file;
    }
    cJSON_Delete(root);
    return status;
}

enum llmfp_status quantisation_settings_read(const char *texts, size_t n_bytes,
                                             struct quantisation_settings *settings,
                                             struct llmfp_error *error)
{
    *settings = (struct quantisation_settings){.present = false};
    struct merging merging = {.settings = settings, .error = error};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; texts != NULL && status == LLMFP_OK && i < N_SOURCES; i++) {
        size_t text_bytes = 0;
        const char *text =
            llmfp_named_texts_find(texts, n_bytes, sources[0].file, sources[i].file, &text_bytes);
        if (text != NULL) {
            status = read_source(i, text, text_bytes, &merging);
        }
    }
    return status;
}
