/* verify.c - the verification of a results file, step by step. */
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 160 };

void verify_place(const struct verifier *verifier, size_t model, size_t role, size_t layer,
                  char place[PLACE_BYTES])
{
    char label[SHOWN_BYTES];
    char name[SHOWN_BYTES];
    llmfp_escape(label, sizeof label, verifier->models[model], strlen(verifier->models[model]));
    llmfp_escape(name, sizeof name, verifier->roles[role], strlen(verifier->roles[role]));
    (void)snprintf(place, PLACE_BYTES, "model %s, role %s, layer %zu", label, name, layer);
}

static enum llmfp_status check_values(struct verifier *verifier)
{
    static enum llmfp_status (*const steps[])(struct verifier *) = {verify_labels, verify_cells,
                                                                    verify_models, verify_slices};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < sizeof steps / sizeof steps[0]; i++) {
        status = steps[i](verifier);
    }
    return status;
}

static enum llmfp_status verify(struct verifier *verifier,
                                const struct llmfp_verify_request *request)
{
    struct results_file *results = verifier->results;
    if (!results_check_structure(results, verifier->findings)) {
        return LLMFP_OK; /* said already */
    }
    const size_t n = (size_t)results->length[AXIS_MODEL];
    verifier->outcome->n_models = n;
    verifier->outcome->n_roles = results->length[AXIS_ROLE];
    verifier->counted = calloc(n, sizeof *verifier->counted);
    verifier->rows = calloc(n, sizeof *verifier->rows);
    if (verifier->counted == NULL || verifier->rows == NULL) {
        return llmfp_fail_memory(verifier->error, 2 * n * sizeof *verifier->rows,
                                 "the models of a results file");
    }
    enum llmfp_status status = check_values(verifier);
    if (status == LLMFP_OK && request->with_correlations) {
        status = verify_correlations(verifier);
    }
    if (status == LLMFP_OK && request->with_checkpoints) {
        status = verify_checkpoints(verifier);
    }
    return status;
}

enum llmfp_status llmfp_results_verify(const struct llmfp_verify_request *request,
                                       struct llmfp_verify_outcome *outcome,
                                       struct llmfp_error *error)
{
    struct results_file results;
    struct findings findings = {.tell = request->finding, .context = request->context};
    struct verifier verifier = {
        .results = &results, .findings = &findings, .outcome = outcome, .error = error};
    *outcome = (struct llmfp_verify_outcome){0};
    enum llmfp_status status = results_file_open(&results, request->path, error);
    if (status == LLMFP_OK) {
        status = verify(&verifier, request);
        findings_finish(&findings);
    }
    outcome->n_findings = findings_total(&findings);
    free(verifier.models);
    free(verifier.roles);
    free(verifier.status);
    free(verifier.counted);
    free(verifier.rows);
    results_file_close(&results);
    return status;
}
