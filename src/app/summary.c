/* summary.c - the end of a scan as text for people or JSON for programs. */
#include "summary.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llmfp/record.h"
#include "size_text.h"

enum { MOST_TEXT_MODELS = 40, MOST_TEXT_PAIRS = 10, LABEL_COLUMNS = 28 };

static enum llmfp_status read_record(const struct summary_content *content, size_t i,
                                     struct llmfp_record *record, struct llmfp_error *error)
{
    return llmfp_journal_read(content->journal, &content->places[i], record, error);
}

/* A checkpoint of which this part of a scan has a slice is neither ok nor failed yet. */
static const char *status_of(const struct llmfp_record *record)
{
    return record->failed ? "failed" : record->part.n > 0 ? "part" : "ok";
}

/* Labels of all models, escaped; each owned by the arena. */
static enum llmfp_status read_labels(const struct summary_content *content, const char **labels,
                                     struct llmfp_arena *arena, struct llmfp_error *error)
{
    for (size_t i = 0; i < content->n_models; i++) {
        struct llmfp_record record = {0};
        const enum llmfp_status status = read_record(content, i, &record, error);
        if (status != LLMFP_OK) {
            return status;
        }
        char label[LLMFP_ERROR_TEXT_BYTES];
        llmfp_escape(label, sizeof label, record.label, strlen(record.label));
        labels[i] = llmfp_arena_string(arena, label, strlen(label));
        llmfp_record_clear(&record);
        if (labels[i] == NULL) {
            return llmfp_fail_memory(error, strlen(label), "a label");
        }
    }
    return LLMFP_OK;
}

/* ---- text ---- */

static enum llmfp_status print_models(const struct summary_content *content, FILE *out,
                                      struct llmfp_error *error)
{
    (void)fprintf(out, "%-*s %-26s %6s %12s %9s  %s\n", LABEL_COLUMNS, "model", "architecture",
                  "layers", "parameters", "size", "status");
    for (size_t i = 0; i < content->n_models && i < MOST_TEXT_MODELS; i++) {
        struct llmfp_record record = {0};
        const enum llmfp_status status = read_record(content, i, &record, error);
        if (status != LLMFP_OK) {
            return status;
        }
        char label[LLMFP_ERROR_TEXT_BYTES];
        char architecture[LLMFP_ERROR_TEXT_BYTES];
        llmfp_escape(label, sizeof label, record.label, strlen(record.label));
        llmfp_escape(architecture, sizeof architecture, record.architecture,
                     strlen(record.architecture));
        (void)fprintf(out, "%-*s %-26s %6d %12" PRIu64 " %9s  %s\n", LABEL_COLUMNS, label,
                      architecture, (int)record.tally.n_layers, record.tally.parameters,
                      size_text(record.tally.size_bytes).text, status_of(&record));
        llmfp_record_clear(&record);
    }
    if (content->n_models > MOST_TEXT_MODELS) {
        (void)fprintf(out, "... and %zu more in '%s'\n", content->n_models - MOST_TEXT_MODELS,
                      content->output);
    }
    return LLMFP_OK;
}

/* Groups of two and more, a line each, in the order of their first models. */
static void print_groups(const struct summary_content *content, const char *const *labels,
                         FILE *out)
{
    const size_t *group = content->likeness.group;
    bool any = false;
    for (size_t first = 0; first < content->n_models; first++) {
        bool begun = false;
        for (size_t i = first + 1; group[first] == first && i < content->n_models; i++) {
            if (group[i] != first) {
                continue;
            }
            if (!any) {
                (void)fprintf(out, "\nGroups: models linked by pairs of %.2f and more\n",
                              LLMFP_GROUP_CORRELATION);
                any = true;
            }
            (void)fprintf(out, begun ? ", %s" : "  %s", begun ? labels[i] : labels[first]);
            if (!begun) {
                (void)fprintf(out, ", %s", labels[i]);
                begun = true;
            }
        }
        if (begun) {
            (void)fprintf(out, "\n");
        }
    }
    if (!any) {
        (void)fprintf(out, "\nNo pair reaches %.2f: no groups.\n", LLMFP_GROUP_CORRELATION);
    }
}

static void print_pairs(const struct summary_content *content, const char *const *labels, FILE *out)
{
    if (content->likeness.n_pairs == 0) {
        (void)fprintf(out,
                      "\nNo two models have attention curves (Q, K, V and O over %d layers or "
                      "more) to compare.\n",
                      3);
        return;
    }
    (void)fprintf(out, "\nMost similar pairs: mean correlation of the Q, K, V and O curves over "
                       "layers\n");
    for (size_t i = 0; i < content->likeness.n_pairs && i < MOST_TEXT_PAIRS; i++) {
        const struct llmfp_pair *pair = &content->likeness.pairs[i];
        (void)fprintf(out, "%8.4f  %s  %s\n", pair->correlation, labels[pair->first],
                      labels[pair->second]);
    }
    print_groups(content, labels, out);
    (void)fprintf(out,
                  "\nA high value says that two curves have the same shape, not why: compare it "
                  "with\nthe values of models that are known to be unrelated. A low one does "
                  "not exclude\ndescent (layers may have been added, removed or reordered).\n");
}

/* Curves of a part lack what the other parts hold: nothing can be compared yet. */
static enum llmfp_status print_text(const struct options *options,
                                    const struct summary_content *content,
                                    const char *const *labels, FILE *out, struct llmfp_error *error)
{
    const enum llmfp_status status = print_models(content, out, error);
    if (status == LLMFP_OK) {
        if (options->part[1] > 0) {
            (void)fprintf(out,
                          "\nThis is part %" PRIu32 " of %" PRIu32 " of a scan. Merge all parts "
                          "(--merge) to compare the models.\n",
                          options->part[0], options->part[1]);
        } else {
            print_pairs(content, labels, out);
        }
        (void)fprintf(out, "Results: %s\n", content->output);
    }
    return status;
}

/* ---- JSON ---- */

static bool add_model(cJSON *models, const struct llmfp_record *record)
{
    cJSON *model = cJSON_CreateObject();
    const struct llmfp_tally *tally = &record->tally;
    const bool good =
        cJSON_AddStringToObject(model, "label", record->label) != NULL &&
        cJSON_AddStringToObject(model, "path", record->path) != NULL &&
        cJSON_AddStringToObject(model, "status", record->failed ? "failed" : "ok") != NULL &&
        cJSON_AddStringToObject(model, "message", record->message) != NULL &&
        cJSON_AddStringToObject(model, "format", record->format) != NULL &&
        cJSON_AddStringToObject(model, "architecture", record->architecture) != NULL &&
        cJSON_AddNumberToObject(model, "n_layers", tally->n_layers) != NULL &&
        cJSON_AddNumberToObject(model, "parameters", (double)tally->parameters) != NULL &&
        cJSON_AddNumberToObject(model, "bytes", (double)tally->size_bytes) != NULL;
    if (!good || !cJSON_AddItemToArray(models, model)) {
        cJSON_Delete(model);
        return false;
    }
    return true;
}

static bool add_pair(cJSON *pairs, const struct llmfp_pair *pair, const char *const *labels)
{
    cJSON *object = cJSON_CreateObject();
    const bool good =
        cJSON_AddStringToObject(object, "first", labels[pair->first]) != NULL &&
        cJSON_AddStringToObject(object, "second", labels[pair->second]) != NULL &&
        cJSON_AddNumberToObject(object, "correlation_qkvo", pair->correlation) != NULL;
    if (!good || !cJSON_AddItemToArray(pairs, object)) {
        cJSON_Delete(object);
        return false;
    }
    return true;
}

static enum llmfp_status no_memory(struct llmfp_error *error)
{
    return llmfp_fail_memory(error, 0, "the summary");
}

static enum llmfp_status fill_json(cJSON *root, const struct summary_content *content,
                                   const char *const *labels, struct llmfp_error *error)
{
    cJSON *models = cJSON_AddArrayToObject(root, "models");
    cJSON *pairs = cJSON_AddArrayToObject(root, "pairs");
    if (cJSON_AddStringToObject(root, "output", content->output) == NULL || models == NULL ||
        pairs == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < content->n_models; i++) {
        struct llmfp_record record = {0};
        const enum llmfp_status status = read_record(content, i, &record, error);
        if (status != LLMFP_OK) {
            return status;
        }
        const bool added = add_model(models, &record);
        llmfp_record_clear(&record);
        if (!added) {
            return no_memory(error);
        }
    }
    for (size_t i = 0; i < content->likeness.n_pairs; i++) {
        if (!add_pair(pairs, &content->likeness.pairs[i], labels)) {
            return no_memory(error);
        }
    }
    return LLMFP_OK;
}

static enum llmfp_status print_json(const struct summary_content *content,
                                    const char *const *labels, FILE *out, struct llmfp_error *error)
{
    cJSON *root = cJSON_CreateObject();
    enum llmfp_status status =
        root == NULL ? no_memory(error) : fill_json(root, content, labels, error);
    if (status == LLMFP_OK) {
        char *text = cJSON_Print(root);
        if (text == NULL) {
            status = no_memory(error);
        } else {
            (void)fprintf(out, "%s\n", text);
            cJSON_free(text);
        }
    }
    cJSON_Delete(root);
    return status;
}

enum llmfp_status summary_print(const struct options *options,
                                const struct summary_content *content, FILE *out,
                                struct llmfp_error *error)
{
    if (options->quiet || options->summary == OPTIONS_SUMMARY_NONE) {
        return LLMFP_OK;
    }
    struct llmfp_arena arena = {0};
    const char **labels = calloc(content->n_models + 1, sizeof *labels);
    enum llmfp_status status = labels == NULL ? no_memory(error) : LLMFP_OK;
    if (status == LLMFP_OK) {
        status = read_labels(content, labels, &arena, error);
    }
    if (status == LLMFP_OK) {
        status = options->summary == OPTIONS_SUMMARY_JSON
                     ? print_json(content, labels, out, error)
                     : print_text(options, content, labels, out, error);
    }
    if (status == LLMFP_OK && (fflush(out) != 0 || ferror(out) != 0)) {
        status = llmfp_fail(error, LLMFP_FATAL,
                            "the results are in '%s', but the summary could not be written to "
                            "standard output: %s",
                            content->output, strerror(errno));
    }
    llmfp_arena_clear(&arena);
    free(labels);
    return status;
}
