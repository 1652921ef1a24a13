/* verify_slices.c - what a part of a split scan says of checkpoints that it has a slice of. */
#include <stdio.h>
#include <string.h>

#include "cell_check.h"
#include "part_group.h"
#include "verify.h"

enum { SHOWN_BYTES = 160 };

static bool is_listed(const struct verifier *verifier, const struct llmfp_record *record)
{
    for (size_t i = 0; i < verifier->outcome->n_models; i++) {
        if (strcmp(verifier->models[i], record->label) == 0) {
            return strcmp(verifier->status[i], "failed") == 0;
        }
    }
    return false;
}

/* Mean and std of every cell of a slice follow from its sums. */
static enum llmfp_status check_slice(const struct verifier *verifier,
                                     const struct llmfp_record *record, const char *label)
{
    struct llmfp_record alone = *record; /* as if it were the whole checkpoint */
    struct llmfp_record whole;
    const char *problem = NULL;
    alone.part.low = 0;
    alone.part.high = alone.part.stream_bytes;
    const enum llmfp_status status =
        llmfp_record_join(&alone, 1, &whole, &problem, verifier->error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (problem != NULL) {
        findings_add(verifier->findings, FINDING_SUM, "part of model %s: %s", label, problem);
    }
    for (size_t i = 0; i < whole.n_cells; i++) {
        const struct llmfp_statistics *claimed = &record->cells[i].statistics;
        const struct llmfp_statistics *computed = &whole.cells[i].statistics;
        if (!same_double(claimed->mean, computed->mean) ||
            !same_double(claimed->std, computed->std)) {
            findings_add(verifier->findings, FINDING_MEAN,
                         "part of model %s: mean or std of cell %zu do not follow from its sums",
                         label, i);
        }
        verifier->outcome->n_cells++;
    }
    llmfp_record_clear(&whole);
    return LLMFP_OK;
}

enum llmfp_status verify_slices(struct verifier *verifier)
{
    struct part_slices slices;
    struct llmfp_error why = {LLMFP_OK, ""};
    enum llmfp_status status = LLMFP_OK;
    if (part_slices_read(verifier->results, &slices, &why) != LLMFP_OK) {
        findings_add(verifier->findings, FINDING_MODEL, "%s", why.text);
    }
    for (size_t i = 0; why.status == LLMFP_OK && status == LLMFP_OK && i < slices.n; i++) {
        const struct llmfp_record *record = &slices.records[i];
        char label[SHOWN_BYTES];
        llmfp_escape(label, sizeof label, record->label, strlen(record->label));
        if (!is_listed(verifier, record)) {
            findings_add(verifier->findings, FINDING_MODEL,
                         "%s has a part of model %s, which is not listed as failed", PART_RECORDS,
                         label);
        }
        status = record->failed ? LLMFP_OK : check_slice(verifier, record, label);
    }
    part_slices_clear(&slices);
    return status;
}
