/* part.c - see part.h. */
#include "part.h"

#include <stdlib.h>

#include "llmfp/scan.h"
#include "mix.h"
#include "start.h"

/* Of what all parts must agree on, or their slices would not fit together. Paths are not in
 * it: nodes may see one file system at different places. */
static uint64_t digest_of(const struct options *options, const struct llmfp_own_rules *own_rules,
                          const struct llmfp_manifest *manifest, const uint64_t *sizes)
{
    const struct llmfp_split whole = {0, 0, 0};
    uint64_t digest = mix(start_key(options, own_rules, &whole), manifest->n_entries);
    for (size_t i = 0; i < manifest->n_entries; i++) {
        const struct llmfp_manifest_entry *entry = &manifest->entries[i];
        digest = mix_text(mix_text(mix_text(digest, entry->label), entry->family), entry->parent);
        digest = mix(digest, sizes[i]);
    }
    return mix(digest, options->part[1]);
}

enum llmfp_status part_take(const struct llmfp_communicator *communicator,
                            const struct options *options, const struct llmfp_own_rules *own_rules,
                            struct llmfp_manifest *manifest, struct part *part,
                            struct llmfp_error *error)
{
    const size_t n = manifest->n_entries;
    uint64_t *sizes = calloc(n + 1, sizeof *sizes);
    part->slices = calloc(n + 1, sizeof *part->slices);
    enum llmfp_status status = sizes == NULL || part->slices == NULL
                                   ? llmfp_fail_memory(error, n * sizeof *sizes, "a part of a scan")
                                   : LLMFP_OK;
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = llmfp_scan_sizes(communicator, manifest, sizes, error);
    }
    if (status == LLMFP_OK) {
        llmfp_split_slices(sizes, n, options->part[0], options->part[1], part->slices);
        part->split = (struct llmfp_split){options->part[0], options->part[1],
                                           digest_of(options, own_rules, manifest, sizes)};
        size_t n_left = 0;
        for (size_t i = 0; i < n; i++) {
            if (part->slices[i].low < part->slices[i].high) {
                part->slices[n_left] = part->slices[i];
                manifest->entries[n_left++] = manifest->entries[i];
            }
        }
        manifest->n_entries = n_left;
    }
    free(sizes);
    return status;
}

void part_clear(struct part *part)
{
    free(part->slices);
    part->slices = NULL;
}
