/* own_rules_read.c - the JSON of --rules: strict, with the place of what is wrong. */
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "format.h"
#include "json_reader.h"
#include "own_rules.h"
#include "role_names.h"

enum { MOST_SIZE_BITS = 31, MOST_REPEAT_BITS = 29, MOST_NAME_BYTES = 1024 };

struct reading {
    struct llmfp_json json;
    struct llmfp_buffer scratch;
    struct llmfp_own_rules *rules;
    bool no_memory;
};

static bool is_key(const struct llmfp_json_text *text, const char *key)
{
    return text->n_bytes == strlen(key) && memcmp(text->bytes, key, text->n_bytes) == 0;
}

static bool refuse(struct reading *reading, size_t offset, const char *problem)
{
    return llmfp_json_refuse(&reading->json, offset, problem);
}

/* A string without control characters, kept in the arena; NULL on errors. */
static const char *keep_string(struct reading *reading, const char *problem)
{
    struct llmfp_json_text text;
    (void)llmfp_json_peek(&reading->json);
    const size_t offset = reading->json.offset;
    if (!llmfp_json_string(&reading->json, &reading->scratch, &text)) {
        return NULL;
    }
    bool plain = text.n_bytes > 0 && text.n_bytes <= MOST_NAME_BYTES;
    for (size_t i = 0; plain && i < text.n_bytes; i++) {
        plain = (unsigned char)text.bytes[i] >= 0x20 && text.bytes[i] != 0x7F;
    }
    if (!plain) {
        (void)refuse(reading, offset, problem);
        return NULL;
    }
    const char *kept = llmfp_arena_string(&reading->rules->arena, text.bytes, text.n_bytes);
    reading->no_memory = reading->no_memory || kept == NULL;
    return kept;
}

static bool is_role(const char *role, bool *main_stack)
{
    const size_t prefix = strlen(LLMFP_OTHER_PREFIX);
    if (strncmp(role, LLMFP_OTHER_PREFIX, prefix) == 0) {
        *main_stack = false;
        return role[prefix] != '\0';
    }
    for (int kind = 0; kind < N_STACK_KINDS; kind++) {
        for (int number = ROLE_OTHER + 1; number < N_ROLES; number++) {
            for (int bias = 0; bias < 2; bias++) {
                if (strcmp(role, llmfp_role_name((enum llmfp_stack_kind)kind,
                                                 (enum llmfp_role)number, bias != 0)) == 0) {
                    *main_stack = kind == STACK_MAIN;
                    return true;
                }
            }
        }
    }
    return false;
}

static bool read_role(struct reading *reading, struct own_rule *rule, uint32_t part)
{
    (void)llmfp_json_peek(&reading->json);
    const size_t offset = reading->json.offset;
    const char *role = keep_string(reading, "a role that is empty, too long or not printable");
    if (role == NULL) {
        return false;
    }
    if (!is_role(role, &rule->main_stack)) {
        return refuse(reading, offset,
                      "an unknown role (README lists them; \"other:NAME\" is free)");
    }
    rule->parts[part].role = role;
    return true;
}

/* A whole number from 1 to 2^bits. */
static bool read_size(struct reading *reading, int bits, uint64_t *value)
{
    (void)llmfp_json_peek(&reading->json);
    const size_t offset = reading->json.offset;
    if (!llmfp_json_u64(&reading->json, value)) {
        return false;
    }
    return (*value >= 1 && *value <= UINT64_C(1) << bits) ||
           refuse(reading, offset, "a size that is 0 or too large");
}

/* {"role": ..., "size": ...} */
static bool read_part(struct reading *reading, struct own_rule *rule)
{
    const size_t offset = reading->json.offset;
    struct llmfp_json_text key;
    bool good = llmfp_json_enter(&reading->json);
    const uint32_t part = rule->n_parts;
    if (good && part == LLMFP_MAX_PARTS) {
        return refuse(reading, offset, "more than 8 parts");
    }
    while (good && llmfp_json_next_key(&reading->json, &reading->scratch, &key)) {
        if (is_key(&key, "role")) {
            good = read_role(reading, rule, part);
        } else if (is_key(&key, "size")) {
            good = read_size(reading, MOST_SIZE_BITS, &rule->parts[part].size);
        } else {
            good = refuse(reading, offset, "a part with a key that is not \"role\" or \"size\"");
        }
    }
    if (good && reading->json.problem == NULL &&
        (rule->parts[part].role == NULL || rule->parts[part].size == 0)) {
        return refuse(reading, offset, "a part without \"role\" or \"size\"");
    }
    rule->n_parts++;
    return good;
}

static bool read_parts(struct reading *reading, struct own_rule *rule)
{
    bool good = llmfp_json_enter(&reading->json);
    while (good && llmfp_json_next_item(&reading->json)) {
        good = read_part(reading, rule);
    }
    rule->cut = true;
    return good;
}

static bool read_axis(struct reading *reading, struct own_rule *rule)
{
    struct llmfp_json_text text;
    (void)llmfp_json_peek(&reading->json);
    const size_t offset = reading->json.offset;
    if (!llmfp_json_string(&reading->json, &reading->scratch, &text)) {
        return false;
    }
    rule->columns = is_key(&text, "columns");
    return rule->columns || is_key(&text, "rows") ||
           refuse(reading, offset, "an axis that is not \"rows\" or \"columns\"");
}

struct seen {
    bool name, role, parts;
};

static bool read_value(struct reading *reading, struct own_rule *rule, struct seen *seen,
                       const struct llmfp_json_text *key, size_t offset)
{
    if (is_key(key, "name")) {
        seen->name = true;
        rule->name = keep_string(reading, "a name that is empty, too long or not printable");
        return rule->name != NULL;
    }
    if (is_key(key, "role")) {
        seen->role = true;
        if (llmfp_json_peek(&reading->json) == LLMFP_JSON_NULL) {
            return llmfp_json_skip(&reading->json);
        }
        rule->n_parts = 1;
        return read_role(reading, rule, 0);
    }
    if (is_key(key, "parts")) {
        seen->parts = true;
        return read_parts(reading, rule);
    }
    if (is_key(key, "axis")) {
        return read_axis(reading, rule);
    }
    if (is_key(key, "repeat")) {
        return read_size(reading, MOST_REPEAT_BITS, &rule->repeat);
    }
    return refuse(reading, offset,
                  "a rule with a key that is not name, role, parts, axis or repeat");
}

static bool read_rule(struct reading *reading, struct own_rule *rule)
{
    (void)llmfp_json_peek(&reading->json);
    const size_t offset = reading->json.offset;
    struct seen seen = {false, false, false};
    struct llmfp_json_text key;
    *rule = (struct own_rule){.repeat = 1};
    bool good = llmfp_json_enter(&reading->json);
    while (good && llmfp_json_next_key(&reading->json, &reading->scratch, &key)) {
        if ((is_key(&key, "role") && (seen.role || seen.parts)) ||
            (is_key(&key, "parts") && (seen.role || seen.parts)) ||
            (is_key(&key, "name") && seen.name)) {
            return refuse(reading, offset, "a rule with a key twice, or with role and parts");
        }
        good = read_value(reading, rule, &seen, &key, offset);
    }
    if (!good || reading->json.problem != NULL) {
        return false;
    }
    if (!seen.name || (!seen.role && rule->n_parts == 0)) {
        return refuse(reading, offset,
                      "a rule without \"name\", or without \"role\" and \"parts\"");
    }
    rule->layered = strstr(rule->name, "{layer}") != NULL;
    return true;
}

static bool read_rules(struct reading *reading)
{
    struct llmfp_own_rules *rules = reading->rules;
    bool good = llmfp_json_enter(&reading->json);
    while (good && llmfp_json_next_item(&reading->json)) {
        if (rules->n_rules == LLMFP_OWN_RULES_MOST) {
            return refuse(reading, reading->json.offset, "more than 4096 rules");
        }
        good = read_rule(reading, &rules->rules[rules->n_rules]);
        rules->n_rules += good;
    }
    return good;
}

static bool read_all(struct reading *reading)
{
    struct llmfp_json_text key;
    bool good = llmfp_json_enter(&reading->json);
    bool seen = false;
    while (good && llmfp_json_next_key(&reading->json, &reading->scratch, &key)) {
        const size_t offset = reading->json.offset;
        if (!is_key(&key, "rules") || seen) {
            return refuse(reading, offset, "a key that is not one \"rules\"");
        }
        seen = true;
        good = read_rules(reading);
    }
    if (good && reading->json.problem == NULL && !seen) {
        return refuse(reading, 0, "no list \"rules\"");
    }
    return good && llmfp_json_end(&reading->json);
}

static enum llmfp_status fail_at(const struct reading *reading, const char *path,
                                 struct llmfp_error *error)
{
    const struct llmfp_json *json = &reading->json;
    size_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < json->problem_offset && i < json->n_bytes; i++) {
        if (json->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    char shown[80];
    llmfp_json_excerpt(json, json->problem_offset, shown, sizeof shown);
    return llmfp_fail(error, LLMFP_USAGE, "%s:%zu:%zu: %s, at '%s'; correct the rules", path, line,
                      json->problem_offset - start + 1, json->problem, shown);
}

enum llmfp_status llmfp_own_rules_load(const char *path, struct llmfp_buffer *text,
                                       struct llmfp_error *error)
{
    const enum llmfp_status status =
        llmfp_file_read_whole(path, LLMFP_OWN_RULES_BYTES, text, error);
    if (status == LLMFP_CHECKPOINT && error != NULL) {
        error->status = LLMFP_USAGE; /* like a manifest that cannot be read */
    }
    return status == LLMFP_CHECKPOINT ? LLMFP_USAGE : status;
}

enum llmfp_status llmfp_own_rules_read(const char *path, const char *text, size_t n_bytes,
                                       struct llmfp_own_rules **rules, struct llmfp_error *error)
{
    struct reading reading = {.json = llmfp_json_over(text, n_bytes)};
    reading.rules = calloc(1, sizeof *reading.rules);
    if (reading.rules != NULL) {
        reading.rules->digest = llmfp_digest((const unsigned char *)text, n_bytes);
        reading.rules->rules = calloc(LLMFP_OWN_RULES_MOST, sizeof *reading.rules->rules);
    }
    enum llmfp_status status = LLMFP_OK;
    if (reading.rules == NULL || reading.rules->rules == NULL) {
        status = llmfp_fail_memory(error, sizeof *reading.rules, "the rules");
    } else if (!read_all(&reading) || reading.json.problem != NULL) {
        status = reading.no_memory || reading.scratch.failed
                     ? llmfp_fail_memory(error, n_bytes, "the rules")
                     : fail_at(&reading, path, error);
    }
    llmfp_buffer_clear(&reading.scratch);
    if (status != LLMFP_OK) {
        llmfp_own_rules_free(reading.rules);
        reading.rules = NULL;
    }
    *rules = reading.rules;
    return status;
}
