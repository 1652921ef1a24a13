/* verify_correlations.c - the correlations, computed again from std and compared to the bit. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cell_check.h"
#include "llmfp/curve.h"
#include "verify.h"

enum { BLOCK_VALUES = 256 << 10, N_QKVO = 4 };

static const char *const qkvo[N_QKVO] = {"attn.q", "attn.k", "attn.v", "attn.o"};

/* The curves of one role of all models. */
struct curves {
    double *values;       /* owned */
    const double **curve; /* owned, [n_models]; into values */
    size_t *n_layers;     /* owned, [n_models] */
};

static void clear_curves(struct curves *curves)
{
    free(curves->values);
    free(curves->curve);
    free(curves->n_layers);
    *curves = (struct curves){0};
}

/* std of one role, of `n` models from `first` on, without the layers that have no elements,
 * behind what `values` holds. */
static enum llmfp_status add_curves(const struct verifier *verifier, const hid_t datasets[2],
                                    size_t role, size_t first, size_t n, uint64_t *counts,
                                    double *stds, struct curves *curves, size_t *n_values)
{
    const size_t n_layers = (size_t)verifier->results->length[AXIS_LAYER];
    const hsize_t start[] = {first, role, 0};
    const hsize_t count[] = {n, 1, n_layers};
    enum llmfp_status status =
        results_read(verifier->results, datasets[0], H5T_NATIVE_UINT64, 3, start, count, counts);
    if (status == LLMFP_OK) {
        status =
            results_read(verifier->results, datasets[1], H5T_NATIVE_DOUBLE, 3, start, count, stds);
    }
    for (size_t i = 0; status == LLMFP_OK && i < n; i++) {
        curves->curve[first + i] = curves->values + *n_values;
        for (size_t layer = 0; layer < n_layers; layer++) {
            if (counts[i * n_layers + layer] > 0) {
                curves->values[(*n_values)++] = stds[i * n_layers + layer];
                curves->n_layers[first + i]++;
            }
        }
    }
    return status;
}

/* A role that does not occur (number n_roles) has no curves. */
static enum llmfp_status read_curves(const struct verifier *verifier, size_t role,
                                     struct curves *curves)
{
    const size_t n_models = (size_t)verifier->outcome->n_models;
    const size_t n_layers = (size_t)verifier->results->length[AXIS_LAYER];
    size_t step = n_layers == 0 ? n_models : BLOCK_VALUES / n_layers + 1;
    step = step < n_models ? step : n_models;
    /* Sizes of a file have been checked: models and layers are below 2^30 and 2^12. */
    curves->values = malloc((n_models * n_layers + 1) * sizeof *curves->values);
    curves->curve = calloc(n_models, sizeof *curves->curve);
    curves->n_layers = calloc(n_models, sizeof *curves->n_layers);
    uint64_t *counts = malloc((step * n_layers + 1) * sizeof *counts);
    double *stds = malloc((step * n_layers + 1) * sizeof *stds);
    const hid_t datasets[2] = {results_open(verifier->results, "count"),
                               results_open(verifier->results, "std")};
    enum llmfp_status status = LLMFP_OK;
    if (curves->values == NULL || curves->curve == NULL || curves->n_layers == NULL ||
        counts == NULL || stds == NULL) {
        status = llmfp_fail_memory(verifier->error, n_models * n_layers * 8, "curves");
    }
    size_t n_values = 0;
    for (size_t i = 0;
         status == LLMFP_OK && i < n_models && role < verifier->results->length[AXIS_ROLE];
         i += step) {
        const size_t n = n_models - i < step ? n_models - i : step;
        status = add_curves(verifier, datasets, role, i, n, counts, stds, curves, &n_values);
    }
    free(counts);
    free(stds);
    for (int i = 0; i < 2; i++) {
        if (datasets[i] >= 0) {
            H5Dclose(datasets[i]);
        }
    }
    return status;
}

/* ---- blocks of rows ---- */

struct matrix {
    const char *name;
    hid_t dataset;
    bool has_role; /* the first axis */
    size_t role;
    double *wanted; /* owned, [rows][n_models] */
    double *found;  /* owned */
    size_t rows;    /* at a time */
};

static enum llmfp_status open_matrix(const struct verifier *verifier, const char *name,
                                     struct matrix *matrix)
{
    const size_t n_models = (size_t)verifier->outcome->n_models;
    *matrix = (struct matrix){.name = name, .rows = BLOCK_VALUES / n_models + 1};
    matrix->rows = matrix->rows < n_models ? matrix->rows : n_models;
    matrix->dataset = results_open(verifier->results, name);
    matrix->wanted = malloc(matrix->rows * n_models * sizeof *matrix->wanted);
    matrix->found = malloc(matrix->rows * n_models * sizeof *matrix->found);
    return matrix->wanted == NULL || matrix->found == NULL
               ? llmfp_fail_memory(verifier->error, 2 * matrix->rows * n_models * 8, "correlations")
               : LLMFP_OK;
}

static void close_matrix(struct matrix *matrix)
{
    if (matrix->dataset >= 0) {
        H5Dclose(matrix->dataset);
    }
    free(matrix->wanted);
    free(matrix->found);
}

static void tell_difference(const struct verifier *verifier, const struct matrix *matrix, size_t i,
                            size_t j, double found, double wanted)
{
    char first[160];
    char second[160];
    char role[160] = "";
    llmfp_escape(first, sizeof first, verifier->models[i], strlen(verifier->models[i]));
    llmfp_escape(second, sizeof second, verifier->models[j], strlen(verifier->models[j]));
    if (matrix->has_role) {
        const char *name = verifier->roles[matrix->role];
        llmfp_escape(role, sizeof role, name, strlen(name));
    }
    findings_add(verifier->findings, FINDING_CORRELATION,
                 "%s%s%s of models %s and %s is %.17g, but their curves give %.17g", matrix->name,
                 matrix->has_role ? " in role " : "", role, first, second, found, wanted);
}

/* Compare rows first .. first + n - 1 of the file with those wanted. */
static enum llmfp_status compare_rows(const struct verifier *verifier, const struct matrix *matrix,
                                      size_t first, size_t n)
{
    const size_t n_models = (size_t)verifier->outcome->n_models;
    const hsize_t start[] = {matrix->role, first, 0};
    const hsize_t count[] = {1, n, n_models};
    const int skipped = matrix->has_role ? 0 : 1;
    const enum llmfp_status status =
        results_read(verifier->results, matrix->dataset, H5T_NATIVE_DOUBLE, 3 - skipped,
                     start + skipped, count + skipped, matrix->found);
    for (size_t k = 0; status == LLMFP_OK && k < n * n_models; k++) {
        if (!same_double(matrix->found[k], matrix->wanted[k])) {
            tell_difference(verifier, matrix, first + k / n_models, k % n_models, matrix->found[k],
                            matrix->wanted[k]);
        }
    }
    verifier->outcome->n_correlations += n * n_models;
    return status;
}

static enum llmfp_status check_role(const struct verifier *verifier, struct matrix *matrix,
                                    size_t role)
{
    const size_t n_models = (size_t)verifier->outcome->n_models;
    struct curves curves = {0};
    enum llmfp_status status = read_curves(verifier, role, &curves);
    matrix->role = role;
    matrix->has_role = true;
    for (size_t i = 0; status == LLMFP_OK && i < n_models; i += matrix->rows) {
        const size_t n = n_models - i < matrix->rows ? n_models - i : matrix->rows;
        status = llmfp_curve_correlation_rows(curves.curve, curves.n_layers, n_models, i, n,
                                              matrix->wanted, verifier->error);
        if (status == LLMFP_OK) {
            status = compare_rows(verifier, matrix, i, n);
        }
    }
    clear_curves(&curves);
    return status;
}

/* ---- Q, K, V and O together ---- */

static size_t role_number(const struct verifier *verifier, const char *name)
{
    size_t role = 0;
    while (role < verifier->results->length[AXIS_ROLE] &&
           strcmp(verifier->roles[role], name) != 0) {
        role++;
    }
    return role;
}

/* The mean of the four, added in the order of their names above. */
static enum llmfp_status mean_rows(const struct verifier *verifier, const struct curves *curves,
                                   struct matrix *matrix, size_t first, size_t n)
{
    const size_t n_models = (size_t)verifier->outcome->n_models;
    memset(matrix->wanted, 0, n * n_models * sizeof *matrix->wanted);
    enum llmfp_status status = LLMFP_OK;
    for (int i = 0; status == LLMFP_OK && i < N_QKVO; i++) {
        status = llmfp_curve_correlation_rows(curves[i].curve, curves[i].n_layers, n_models, first,
                                              n, matrix->found, verifier->error);
        for (size_t k = 0; status == LLMFP_OK && k < n * n_models; k++) {
            matrix->wanted[k] += matrix->found[k];
        }
    }
    for (size_t k = 0; k < n * n_models; k++) {
        matrix->wanted[k] /= N_QKVO;
    }
    return status;
}

static enum llmfp_status check_qkvo(const struct verifier *verifier, struct matrix *matrix)
{
    const size_t n_models = (size_t)verifier->outcome->n_models;
    struct curves curves[N_QKVO] = {{0}};
    enum llmfp_status status = LLMFP_OK;
    for (int i = 0; status == LLMFP_OK && i < N_QKVO; i++) {
        status = read_curves(verifier, role_number(verifier, qkvo[i]), &curves[i]);
    }
    for (size_t i = 0; status == LLMFP_OK && i < n_models; i += matrix->rows) {
        const size_t n = n_models - i < matrix->rows ? n_models - i : matrix->rows;
        status = mean_rows(verifier, curves, matrix, i, n);
        if (status == LLMFP_OK) {
            status = compare_rows(verifier, matrix, i, n);
        }
    }
    for (int i = 0; i < N_QKVO; i++) {
        clear_curves(&curves[i]);
    }
    return status;
}

enum llmfp_status verify_correlations(struct verifier *verifier)
{
    struct matrix matrix;
    enum llmfp_status status = open_matrix(verifier, "correlation", &matrix);
    for (size_t role = 0; status == LLMFP_OK && role < verifier->outcome->n_roles; role++) {
        status = check_role(verifier, &matrix, role);
    }
    close_matrix(&matrix);
    if (status == LLMFP_OK) {
        status = open_matrix(verifier, "correlation_qkvo", &matrix);
        if (status == LLMFP_OK) {
            status = check_qkvo(verifier, &matrix);
        }
        close_matrix(&matrix);
    }
    return status;
}
