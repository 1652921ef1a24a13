/* start.h - what is there already: an earlier results file, an unfinished scan. Rank 0. */
#ifndef LLMFP_START_H
#define LLMFP_START_H

#include <stdbool.h>
#include <stddef.h>

#include "hash_index.h"
#include "llmfp/journal.h"
#include "llmfp/manifest.h"
#include "llmfp/own_rules.h"
#include "llmfp/partial.h"
#include "llmfp/scan.h"
#include "options.h"

/* A record that is in the journal already. */
struct known {
    const char *label;
    const char *path;
    struct llmfp_journal_place place;
    uint64_t fingerprint;
    uint64_t digest;
    bool failed;
    bool kept; /* from an existing results file */
};

struct start {
    struct llmfp_journal journal;
    char *journal_path;       /* owned */
    struct hash_index labels; /* label -> number of its entry in `known` */
    struct known *known;      /* owned, [labels.n_keys]; the latest record of each label */
    size_t known_capacity;
    struct llmfp_arena arena;
    size_t n_damaged;               /* journal records that could not be read */
    struct llmfp_partials partials; /* of checkpoints in work when a scan was interrupted */
    bool nothing_new; /* every entry is in the existing results file: leave it alone */
};

/* Local. The name of the journal that belongs to a results file; owned by the caller.
 * NULL without memory.                                                             */
char *start_journal_path(const char *output);

/* Local. What must not change between a scan and its resumption: which roles are read, and
 * by which rules, and which part of a split scan.                                  */
uint64_t start_key(const struct options *options, const struct llmfp_own_rules *own_rules,
                   const struct llmfp_split *split);

/* Local. Remove the journal and what stands beside it: all of it is in the results file. */
void start_remove_journal(const struct start *start);

/* Local. Look at the output file and its journal, open or make the journal, and set
 * `done`, `fingerprint` and `place` of the entries that are recorded there.
 * Errors: LLMFP_USAGE when the options do not fit what is there; LLMFP_FATAL.       */
enum llmfp_status start_prepare(const struct options *options,
                                const struct llmfp_own_rules *own_rules,
                                const struct llmfp_split *split,
                                const struct llmfp_manifest *manifest, struct start *start,
                                struct llmfp_scan_entry *entries,
                                struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. The same for --merge: a new journal, which is to take the records of other files
 * and never counts as one to be resumed.
 * Errors: LLMFP_USAGE when the output is there; LLMFP_FATAL.                        */
enum llmfp_status start_merge(const struct options *options, struct start *start,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. The models of the results file in their order: what an existing file holds, then
 * the manifest's others. Every entry is done.
 *   places  out, owned by the caller                                                */
enum llmfp_status start_models(const struct start *start, const struct llmfp_manifest *manifest,
                               const struct llmfp_scan_entry *entries,
                               struct llmfp_journal_place **places, size_t *n,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

void start_clear(struct start *start);

#endif
