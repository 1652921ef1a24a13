/* verify_models.c - labels, counting scales, and what is one value a model. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash_index.h"
#include "utf8.h"
#include "verify.h"

enum { SHOWN_BYTES = 160, DIGEST_DIGITS = 16 };

static const char *show(char shown[SHOWN_BYTES], const char *text)
{
    llmfp_escape(shown, SHOWN_BYTES, text, strlen(text));
    return shown;
}

/* ---- labels ---- */

static enum llmfp_status read_text(const struct verifier *verifier, const char *name,
                                   const char ***strings)
{
    const enum llmfp_status status = results_read_strings(verifier->results, name, strings);
    if (status != LLMFP_OK) {
        return status;
    }
    const uint64_t n = verifier->results->length[schema_find(name)->axes[0]];
    for (size_t i = 0; i < n; i++) {
        if (!llmfp_utf8_valid((*strings)[i], strlen((*strings)[i]))) {
            findings_add(verifier->findings, FINDING_LABEL, "string %zu of %s is not UTF-8", i,
                         name);
        }
    }
    return LLMFP_OK;
}

static enum llmfp_status check_unique(const struct verifier *verifier, const char *name,
                                      const char *const *strings, size_t n)
{
    struct hash_index seen = {0};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < n; i++) {
        char shown[SHOWN_BYTES];
        bool added = false;
        if (strcmp(show(shown, strings[i]), strings[i]) != 0 &&
            strlen(strings[i]) < SHOWN_BYTES - 1) {
            findings_add(verifier->findings, FINDING_LABEL,
                         "%s %zu, %s, has a name with control characters", name, i, shown);
        }
        if (strings[i][0] == '\0') {
            findings_add(verifier->findings, FINDING_LABEL, "%s %zu has no name", name, i);
        } else if (hash_index_add(&seen, strings[i], strlen(strings[i]), &added) ==
                   HASH_INDEX_NONE) {
            status = llmfp_fail_memory(verifier->error, strlen(strings[i]), "labels");
        } else if (!added) {
            findings_add(verifier->findings, FINDING_LABEL, "%s %s occurs twice", name,
                         show(shown, strings[i]));
        }
    }
    hash_index_clear(&seen);
    return status;
}

static enum llmfp_status check_fixed(const struct verifier *verifier, const char *name,
                                     const char *const *wanted, size_t n)
{
    const char **strings = NULL;
    const enum llmfp_status status = read_text(verifier, name, &strings);
    for (size_t i = 0; status == LLMFP_OK && i < n; i++) {
        char shown[SHOWN_BYTES];
        if (strcmp(strings[i], wanted[i]) != 0) {
            findings_add(verifier->findings, FINDING_LABEL, "%s %zu is \"%s\", not \"%s\"", name, i,
                         show(shown, strings[i]), wanted[i]);
        }
    }
    free(strings);
    return status;
}

/* 0, 1, 2, ... in blocks: exact/row is as long as there are cells. */
static enum llmfp_status check_counting(const struct verifier *verifier, enum schema_axis axis)
{
    enum { BLOCK = 4096 };
    const struct results_file *results = verifier->results;
    const struct schema_dataset *row = schema_scale(axis);
    const hid_t dataset = results_open(results, row->name);
    enum llmfp_status status = LLMFP_OK;
    bool counts = true;
    for (hsize_t first = 0; status == LLMFP_OK && first < results->length[axis]; first += BLOCK) {
        int64_t values[BLOCK];
        const hsize_t left = results->length[axis] - first;
        const hsize_t n = left < BLOCK ? left : BLOCK;
        status = results_read(results, dataset, H5T_NATIVE_INT64, 1, &first, &n, values);
        for (hsize_t i = 0; status == LLMFP_OK && i < n; i++) {
            counts = counts && values[i] == (int64_t)(first + i);
        }
    }
    if (!counts) {
        findings_add(verifier->findings, FINDING_LABEL, "%s is not 0, 1, 2, ...", row->name);
    }
    H5Dclose(dataset);
    return status;
}

enum llmfp_status verify_labels(struct verifier *verifier)
{
    static const enum schema_axis counting[] = {AXIS_LAYER, AXIS_ROW, AXIS_SUM_LIMB,
                                                AXIS_SQUARE_LIMB};
    const uint64_t *length = verifier->results->length;
    enum llmfp_status status = read_text(verifier, "model", &verifier->models);
    if (status == LLMFP_OK) {
        status = read_text(verifier, "role", &verifier->roles);
    }
    if (status == LLMFP_OK) {
        status = read_text(verifier, "status", &verifier->status);
    }
    if (status == LLMFP_OK) {
        status = check_unique(verifier, "model", verifier->models, (size_t)length[AXIS_MODEL]);
    }
    if (status == LLMFP_OK) {
        status = check_unique(verifier, "role", verifier->roles, (size_t)length[AXIS_ROLE]);
    }
    if (status == LLMFP_OK) {
        status = check_fixed(verifier, "unscanned_reason", schema_reasons, N_FILE_REASONS);
    }
    if (status == LLMFP_OK) {
        status = check_fixed(verifier, "exact/coordinate", schema_coordinates, N_COORDINATES);
    }
    for (size_t i = 0; status == LLMFP_OK && i < sizeof counting / sizeof counting[0]; i++) {
        status = check_counting(verifier, counting[i]);
    }
    if (status == LLMFP_OK && length[AXIS_DIVISOR_LIMB] > 0) {
        status = check_counting(verifier, AXIS_DIVISOR_LIMB);
    }
    return status;
}

/* ---- models ---- */

enum text_column { PATH, FORMAT, MESSAGE, DIGEST, ARCHITECTURE, FAMILY, PARENT, N_TEXTS };
static const char *const text_names[N_TEXTS] = {
    "path", "format", "message", "source_digest", "architecture", "family", "parent"};

enum number_column { PARAMETERS, BYTES, UNMAPPED, TENSORS_OF, BYTES_OF, N_NUMBERS };
static const char *const number_names[N_NUMBERS] = {"parameters", "bytes", "unmapped_bytes",
                                                    "unscanned_tensors", "unscanned_bytes"};

struct columns {
    const char **texts[N_TEXTS];  /* owned arrays */
    uint64_t *numbers[N_NUMBERS]; /* owned */
    int32_t *n_layers;            /* owned */
};

static enum llmfp_status read_columns(const struct verifier *verifier, struct columns *columns)
{
    const size_t n = (size_t)verifier->results->length[AXIS_MODEL];
    enum llmfp_status status = LLMFP_OK;
    for (int i = 0; status == LLMFP_OK && i < N_TEXTS; i++) {
        status = read_text(verifier, text_names[i], &columns->texts[i]);
    }
    for (int i = 0; status == LLMFP_OK && i < N_NUMBERS; i++) {
        columns->numbers[i] = calloc(n * N_FILE_REASONS, sizeof(uint64_t));
        status = columns->numbers[i] == NULL
                     ? llmfp_fail_memory(verifier->error, n * 32, "numbers of the results file")
                     : results_read_all(verifier->results, number_names[i], H5T_NATIVE_UINT64,
                                        columns->numbers[i]);
    }
    if (status == LLMFP_OK) {
        columns->n_layers = calloc(n, sizeof *columns->n_layers);
        status = columns->n_layers == NULL
                     ? llmfp_fail_memory(verifier->error, n * 4, "numbers of the results file")
                     : results_read_all(verifier->results, "n_layers", H5T_NATIVE_INT32,
                                        columns->n_layers);
    }
    return status;
}

static void clear_columns(struct columns *columns)
{
    for (int i = 0; i < N_TEXTS; i++) {
        free(columns->texts[i]);
    }
    for (int i = 0; i < N_NUMBERS; i++) {
        free(columns->numbers[i]);
    }
    free(columns->n_layers);
}

static bool is_digest(const char *text)
{
    return strspn(text, "0123456789abcdef") == DIGEST_DIGITS && text[DIGEST_DIGITS] == '\0';
}

static void check_failed(const struct verifier *verifier, const struct columns *columns,
                         size_t model, const char *label)
{
    struct findings *findings = verifier->findings;
    if (columns->texts[MESSAGE][model][0] == '\0') {
        findings_add(findings, FINDING_MODEL, "model %s failed without a message", label);
    }
    if (columns->texts[DIGEST][model][0] != '\0') {
        findings_add(findings, FINDING_MODEL, "model %s failed, but has a source_digest", label);
    }
    if (verifier->rows[model] != 0 || verifier->counted[model] != 0) {
        findings_add(findings, FINDING_MODEL, "model %s failed, but has cells", label);
    }
}

static void check_ok(const struct verifier *verifier, const struct columns *columns, size_t model,
                     const char *label)
{
    struct findings *findings = verifier->findings;
    const uint64_t *unscanned = columns->numbers[BYTES_OF] + model * N_FILE_REASONS;
    const uint64_t *tensors = columns->numbers[TENSORS_OF] + model * N_FILE_REASONS;
    if (!is_digest(columns->texts[DIGEST][model])) {
        findings_add(findings, FINDING_MODEL,
                     "model %s has no source_digest of 16 hexadecimal digits", label);
    }
    if (columns->texts[FORMAT][model][0] == '\0') {
        findings_add(findings, FINDING_MODEL, "model %s has no format", label);
    }
    if (verifier->counted[model] > columns->numbers[PARAMETERS][model]) {
        findings_add(findings, FINDING_MODEL,
                     "model %s has %" PRIu64 " elements in cells, but only %" PRIu64
                     " parameters in all",
                     label, verifier->counted[model], columns->numbers[PARAMETERS][model]);
    }
    /* The last reason is "role not wanted": those bytes have a role. Sums may wrap only where
     * someone has made the numbers up. */
    uint64_t sum = 0;
    bool fits = true;
    for (int i = 0; i < N_FILE_REASONS; i++) {
        if (i == N_FILE_REASONS - 1 && sum != columns->numbers[UNMAPPED][model]) {
            findings_add(findings, FINDING_MODEL,
                         "model %s has %" PRIu64 " unmapped_bytes, but its unscanned_bytes of the "
                         "first reasons are %" PRIu64,
                         label, columns->numbers[UNMAPPED][model], sum);
        }
        fits = fits && unscanned[i] <= UINT64_MAX - sum;
        sum += unscanned[i];
        if (unscanned[i] > 0 && tensors[i] == 0) {
            findings_add(findings, FINDING_MODEL, "model %s has unscanned bytes without a tensor",
                         label);
        }
    }
    if (!fits || sum > columns->numbers[BYTES][model]) {
        findings_add(findings, FINDING_MODEL, "model %s has more unscanned bytes than bytes",
                     label);
    }
}

static void check_model(const struct verifier *verifier, const struct columns *columns,
                        size_t model)
{
    char label[SHOWN_BYTES];
    char shown[SHOWN_BYTES];
    const char *status = verifier->status[model];
    (void)show(label, verifier->models[model]);
    if (columns->texts[PATH][model][0] == '\0') {
        findings_add(verifier->findings, FINDING_MODEL, "model %s has no path", label);
    }
    if (columns->n_layers[model] < 0) {
        findings_add(verifier->findings, FINDING_MODEL, "model %s has %d layers", label,
                     columns->n_layers[model]);
    }
    if (strcmp(status, "ok") == 0) {
        check_ok(verifier, columns, model, label);
    } else if (strcmp(status, "failed") == 0) {
        check_failed(verifier, columns, model, label);
    } else {
        findings_add(verifier->findings, FINDING_MODEL,
                     "model %s has the status \"%s\", neither ok nor failed", label,
                     show(shown, status));
    }
}

enum llmfp_status verify_models(struct verifier *verifier)
{
    struct columns columns = {{NULL}, {NULL}, NULL};
    const enum llmfp_status status = read_columns(verifier, &columns);
    for (size_t i = 0; status == LLMFP_OK && i < verifier->outcome->n_models; i++) {
        check_model(verifier, &columns, i);
    }
    clear_columns(&columns);
    return status;
}
