/* export_csv.c - tables with RFC 4180's quoting; lines end in a line feed alone. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "json_out.h"

static void put_field(FILE *out, const char *text)
{
    const size_t length = strlen(text);
    if (text[strcspn(text, "\",\r\n")] == '\0' &&
        (length == 0 || (text[0] != ' ' && text[length - 1] != ' '))) {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('"', out);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(*c, out);
    }
    (void)fputc('"', out);
}

static void put_real(FILE *out, double value)
{
    (void)fputc(',', out);
    if (!isnan(value)) {
        (void)fputs(real_text(value).text, out);
    }
}

static void put_cell(const struct results_cells *cells, size_t model, size_t role, size_t layer,
                     FILE *out)
{
    const struct results_file *file = cells->file;
    const size_t at = role * file->n_layers + layer;
    put_field(out, file->models[model]);
    (void)fputc(',', out);
    put_field(out, file->roles[role]);
    (void)fprintf(out, ",%zu", layer);
    for (int i = 0; i < N_WHOLE; i++) {
        (void)fprintf(out, ",%" PRIu64, cells->whole[i][at]);
    }
    for (int i = 0; i < N_REAL; i++) {
        put_real(out, cells->real[i][at]);
    }
    (void)fputc('\n', out);
}

enum llmfp_status export_cells(const struct results_file *results, FILE *out,
                               struct llmfp_error *error)
{
    struct results_cells cells = {.file = results};
    enum llmfp_status status = LLMFP_OK;
    (void)fputs("model,role,layer", out);
    for (int i = 0; i < N_WHOLE; i++) {
        (void)fprintf(out, ",%s", results_whole_names[i]);
    }
    for (int i = 0; i < N_REAL; i++) {
        (void)fprintf(out, ",%s", results_real_names[i]);
    }
    (void)fputc('\n', out);
    for (size_t model = 0; status == LLMFP_OK && model < results->n_models; model++) {
        bool found = true;
        status = results_cells_model(&cells, model, error);
        while (status == LLMFP_OK && found) {
            size_t role = 0;
            size_t layer = 0;
            status = results_cells_next(&cells, model, &found, &role, &layer, error);
            if (status == LLMFP_OK && found) {
                put_cell(&cells, model, role, layer, out);
            }
        }
    }
    results_cells_clear(&cells);
    return status;
}

enum llmfp_status export_pairs(const struct results_file *results, FILE *out,
                               struct llmfp_error *error)
{
    const size_t n = results->n_models;
    double *row = calloc(n + 1, sizeof *row);
    enum llmfp_status status =
        row == NULL ? llmfp_fail_memory(error, n * sizeof *row, "correlations") : LLMFP_OK;
    (void)fputs("role,first,second,correlation\n", out);
    for (size_t role = 0; status == LLMFP_OK && role <= results->n_roles; role++) {
        for (size_t first = 0; status == LLMFP_OK && first < n; first++) {
            status = results_correlations(results, role, first, row, error);
            for (size_t second = first + 1; status == LLMFP_OK && second < n; second++) {
                put_field(out, role < results->n_roles ? results->roles[role] : "qkvo");
                (void)fputc(',', out);
                put_field(out, results->models[first]);
                (void)fputc(',', out);
                put_field(out, results->models[second]);
                put_real(out, row[second]);
                (void)fputc('\n', out);
            }
        }
    }
    free(row);
    return status;
}
