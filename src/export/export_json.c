/* export_json.c - a results file as one JSON object; keys are in the manual page. */
#include <stdlib.h>

#include "export.h"
#include "json_out.h"

static void put_facts(struct json_out *json, const struct results_file *file, size_t model)
{
    json_text(json, "model", file->models[model]);
    for (int i = 0; i < N_TEXTS; i++) {
        json_text(json, results_text_names[i], file->texts[i][model]);
    }
    json_signed(json, "n_layers", file->model_layers[model]);
    for (int i = 0; i < N_NUMBERS; i++) {
        json_whole(json, results_number_names[i], file->numbers[i][model]);
    }
    json_open(json, "unscanned", '[');
    for (size_t i = 0; i < file->n_reasons; i++) {
        const size_t at = model * file->n_reasons + i;
        json_open(json, NULL, '{');
        json_text(json, "reason", file->reasons[i]);
        json_whole(json, "tensors", file->unscanned_tensors[at]);
        json_whole(json, "bytes", file->unscanned_bytes[at]);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* Cells of one role: the layers that have one, and the numbers of each. */
static void put_curve(struct json_out *json, const struct results_cells *cells, size_t role,
                      const size_t *layers, size_t n)
{
    const size_t plane = role * cells->file->n_layers;
    json_open(json, NULL, '{');
    json_text(json, "role", cells->file->roles[role]);
    json_open(json, "layers", '[');
    for (size_t i = 0; i < n; i++) {
        json_whole(json, NULL, layers[i]);
    }
    json_close(json, ']');
    for (int k = 0; k < N_WHOLE; k++) {
        json_open(json, results_whole_names[k], '[');
        for (size_t i = 0; i < n; i++) {
            json_whole(json, NULL, cells->whole[k][plane + layers[i]]);
        }
        json_close(json, ']');
    }
    for (int k = 0; k < N_REAL; k++) {
        json_open(json, results_real_names[k], '[');
        for (size_t i = 0; i < n; i++) {
            json_real(json, NULL, cells->real[k][plane + layers[i]]);
        }
        json_close(json, ']');
    }
    json_close(json, '}');
}

static enum llmfp_status put_curves(struct json_out *json, struct results_cells *cells,
                                    size_t model, size_t *layers, struct llmfp_error *error)
{
    enum llmfp_status status = results_cells_model(cells, model, error);
    bool found = true;
    size_t of_role = 0;
    size_t n = 0;
    json_open(json, "curves", '[');
    while (status == LLMFP_OK && found) {
        size_t role = 0;
        size_t layer = 0;
        status = results_cells_next(cells, model, &found, &role, &layer, error);
        if (n > 0 && (!found || role != of_role)) {
            put_curve(json, cells, of_role, layers, n);
            n = 0;
        }
        if (found) {
            of_role = role;
            layers[n++] = layer; /* ascending, so at most n_layers */
        }
    }
    json_close(json, ']');
    return status;
}

static enum llmfp_status put_models(struct json_out *json, const struct results_file *file,
                                    struct llmfp_error *error)
{
    struct results_cells cells = {.file = file};
    size_t *layers = calloc(file->n_layers + 1, sizeof *layers);
    enum llmfp_status status =
        layers == NULL ? llmfp_fail_memory(error, file->n_layers * sizeof *layers, "a curve")
                       : LLMFP_OK;
    json_open(json, "models", '[');
    for (size_t model = 0; status == LLMFP_OK && model < file->n_models; model++) {
        json_open(json, NULL, '{');
        put_facts(json, file, model);
        status = put_curves(json, &cells, model, layers, error);
        json_close(json, '}');
    }
    json_close(json, ']');
    results_cells_clear(&cells);
    free(layers);
    return status;
}

static enum llmfp_status put_matrix(struct json_out *json, const char *key,
                                    const struct results_file *file, size_t role, double *row,
                                    struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    json_open(json, key, '[');
    for (size_t first = 0; status == LLMFP_OK && first < file->n_models; first++) {
        status = results_correlations(file, role, first, row, error);
        json_open(json, NULL, '[');
        for (size_t second = 0; status == LLMFP_OK && second < file->n_models; second++) {
            json_real(json, NULL, row[second]);
        }
        json_close(json, ']');
    }
    json_close(json, ']');
    return status;
}

static enum llmfp_status put_correlations(struct json_out *json, const struct results_file *file,
                                          struct llmfp_error *error)
{
    double *row = calloc(file->n_models + 1, sizeof *row);
    if (row == NULL) {
        return llmfp_fail_memory(error, file->n_models * sizeof *row, "correlations");
    }
    enum llmfp_status status = LLMFP_OK;
    json_open(json, "correlations", '[');
    for (size_t role = 0; status == LLMFP_OK && role < file->n_roles; role++) {
        json_open(json, NULL, '{');
        json_text(json, "role", file->roles[role]);
        status = put_matrix(json, "matrix", file, role, row, error);
        json_close(json, '}');
    }
    json_close(json, ']');
    if (status == LLMFP_OK) {
        status = put_matrix(json, "correlation_qkvo", file, file->n_roles, row, error);
    }
    free(row);
    return status;
}

enum llmfp_status export_json(const struct results_file *results, FILE *out,
                              struct llmfp_error *error)
{
    static const char *const attributes[] = {"schema", "schema_version", "generator", "created"};
    struct json_out json = {out, false};
    json_open(&json, NULL, '{');
    for (int i = 0; i < 4; i++) {
        json_text(&json, attributes[i], results->attributes[i]);
    }
    json_open(&json, "roles", '[');
    for (size_t i = 0; i < results->n_roles; i++) {
        json_text(&json, NULL, results->roles[i]);
    }
    json_close(&json, ']');
    enum llmfp_status status = put_models(&json, results, error);
    if (status == LLMFP_OK) {
        status = put_correlations(&json, results, error);
    }
    json_close(&json, '}');
    (void)fputc('\n', out);
    return status;
}
