/* start.c - see start.h. */
#include "start.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "llmfp/results.h"
#include "mix.h"

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *start_journal_path(const char *output)
{
    static const char suffix[] = ".journal";
    const size_t size_bytes = strlen(output) + sizeof suffix;
    char *path = malloc(size_bytes);
    if (path != NULL) {
        (void)snprintf(path, size_bytes, "%s%s", output, suffix);
    }
    return path;
}

void start_clear(struct start *start)
{
    llmfp_journal_close(&start->journal);
    llmfp_partials_clear(&start->partials);
    free(start->journal_path);
    free(start->known);
    hash_index_clear(&start->labels);
    llmfp_arena_clear(&start->arena);
    *start = (struct start){.journal = {.descriptor = -1}};
}

void start_remove_journal(const struct start *start)
{
    llmfp_partials_remove(start->journal_path); /* while the journal is there, and locked */
    unlink(start->journal_path);
}

uint64_t start_key(const struct options *options, const struct llmfp_own_rules *own_rules,
                   const struct llmfp_split *split)
{
    /* FNV-1a */
    uint64_t key = UINT64_C(0xCBF29CE484222325);
    for (const char *c = options->roles == NULL ? "" : options->roles; *c != '\0'; c++) {
        key = (key ^ (unsigned char)*c) * UINT64_C(0x100000001B3);
    }
    key = own_rules == NULL ? key : key ^ llmfp_own_rules_digest(own_rules);
    return split->n == 0 ? key : mix(mix(key, split->digest), split->number);
}

/* ---- records that are there ---- */

static enum llmfp_status note_known(struct start *start, const struct llmfp_record *record,
                                    const struct llmfp_journal_place *place,
                                    struct llmfp_error *error)
{
    bool added;
    const uint32_t number =
        hash_index_add(&start->labels, record->label, strlen(record->label), &added);
    const char *path = llmfp_arena_string(&start->arena, record->path, strlen(record->path));
    if (number != HASH_INDEX_NONE && number >= start->known_capacity) {
        const size_t capacity = start->known_capacity == 0 ? 64 : start->known_capacity * 2;
        struct known *grown = realloc(start->known, capacity * sizeof *grown);
        if (grown != NULL) {
            start->known = grown;
            start->known_capacity = capacity;
        }
    }
    if (path == NULL || number == HASH_INDEX_NONE || number >= start->known_capacity) {
        return llmfp_fail_memory(error, strlen(record->label), "the list of earlier records");
    }
    const bool kept = record->kept || (!added && start->known[number].kept);
    start->known[number] = (struct known){.label = start->labels.keys[number].bytes,
                                          .path = path,
                                          .place = *place,
                                          .fingerprint = record->fingerprint,
                                          .digest = strtoull(record->source_digest, NULL, 16),
                                          .failed = record->failed,
                                          .kept = kept};
    return LLMFP_OK;
}

static enum llmfp_status read_known(struct start *start, const struct llmfp_journal_place *places,
                                    size_t n, struct llmfp_error *error)
{
    for (size_t i = 0; i < n; i++) {
        struct llmfp_record record = {0};
        enum llmfp_status status = llmfp_journal_read(&start->journal, &places[i], &record, error);
        if (status == LLMFP_OK) {
            status = note_known(start, &record, &places[i], error);
        }
        llmfp_record_clear(&record);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    return LLMFP_OK;
}

/* A journal belongs to its manifest: more lines are fine, lost ones are not, since their
 * finished checkpoints would be dropped in silence. */
static enum llmfp_status check_listed(const struct start *start, const struct options *options,
                                      const struct llmfp_manifest *manifest,
                                      struct llmfp_error *error)
{
    struct hash_index listed = {0};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < manifest->n_entries; i++) {
        const char *label = manifest->entries[i].label;
        if (hash_index_add(&listed, label, strlen(label), NULL) == HASH_INDEX_NONE) {
            status = llmfp_fail_memory(error, strlen(label), "the list of labels");
        }
    }
    for (uint32_t k = 0; status == LLMFP_OK && k < start->labels.n_keys; k++) {
        const struct known *known = &start->known[k];
        if (!known->kept &&
            hash_index_find(&listed, known->label, strlen(known->label)) == HASH_INDEX_NONE) {
            status = llmfp_fail(error, LLMFP_USAGE,
                                "'%s' holds checkpoint '%s', which '%s' does not list: resume with "
                                "the manifest of the interrupted scan (lines may be added), or "
                                "start anew with --overwrite",
                                start->journal_path, known->label, options->manifest);
        }
    }
    hash_index_clear(&listed);
    return status;
}

static enum llmfp_status apply_known(const struct start *start, const struct options *options,
                                     const struct llmfp_manifest *manifest,
                                     struct llmfp_scan_entry *entries, struct llmfp_error *error)
{
    for (size_t i = 0; i < manifest->n_entries; i++) {
        const struct llmfp_manifest_entry *entry = &manifest->entries[i];
        const uint32_t number = hash_index_find(&start->labels, entry->label, strlen(entry->label));
        if (number == HASH_INDEX_NONE) {
            continue;
        }
        const struct known *known = &start->known[number];
        const bool same_path = strcmp(known->path, entry->path) == 0;
        if (known->kept && !same_path) {
            return llmfp_fail(error, LLMFP_USAGE,
                              "label '%s' (line %u) is already in '%s', scanned from '%s' and not "
                              "from '%s'; give the new checkpoint another label",
                              entry->label, entry->line, options->output, known->path, entry->path);
        }
        entries[i].done = same_path && !known->failed;
        entries[i].fingerprint = known->kept ? 0 : known->fingerprint;
        entries[i].digest = known->digest;
        entries[i].place = known->place;
    }
    return LLMFP_OK;
}

/* ---- the cases ---- */

static enum llmfp_status resume_journal(struct start *start, uint64_t key,
                                        struct llmfp_error *error)
{
    struct llmfp_journal_place *places = NULL;
    size_t n = 0;
    enum llmfp_status status = llmfp_journal_open(&start->journal, start->journal_path, key, true,
                                                  &places, &n, &start->n_damaged, error);
    if (status == LLMFP_OK) {
        status = read_known(start, places, n, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_partials_gather(start->journal_path, key, &start->partials, error);
    }
    start->n_damaged += start->partials.n_damaged;
    free(places);
    return status;
}

/* A new journal that is yet to be completed. Saved progress of an earlier scan is given up
 * with the old one. */
static enum llmfp_status begin_journal(struct start *start, struct llmfp_error *error)
{
    const enum llmfp_status status =
        llmfp_journal_begin(&start->journal, start->journal_path, error);
    if (status == LLMFP_OK) {
        llmfp_partials_remove(start->journal_path);
    }
    return status;
}

static enum llmfp_status import_results(struct start *start, const char *output, uint64_t key,
                                        struct llmfp_error *error)
{
    struct llmfp_journal_place *places = NULL;
    size_t n = 0;
    enum llmfp_status status = begin_journal(start, error);
    if (status == LLMFP_OK) {
        status = llmfp_results_import(output, &start->journal, &places, &n, NULL, error);
        if (status == LLMFP_OK) {
            status = read_known(start, places, n, error);
        }
        if (status == LLMFP_OK) { /* with half of the old models it must not count */
            status = llmfp_journal_complete(&start->journal, key, error);
        }
        if (status != LLMFP_OK) {
            unlink(start->journal_path); /* nothing but a copy of what the file holds */
        }
    }
    free(places);
    return status;
}

static enum llmfp_status check_fresh(const struct options *options, const struct start *start,
                                     struct llmfp_error *error)
{
    if (exists(options->output) && !options->overwrite) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "'%s' exists; give --overwrite to replace it, --append to add to it, or "
                          "another --output",
                          options->output);
    }
    if (llmfp_journal_is_complete(start->journal_path) && !options->overwrite) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "'%s' holds the progress of an unfinished scan; give --resume to go on "
                          "with it, or --overwrite to start anew",
                          start->journal_path);
    }
    return LLMFP_OK;
}

static enum llmfp_status check_append(const struct options *options, const struct start *start,
                                      struct llmfp_error *error)
{
    if (llmfp_journal_is_complete(start->journal_path)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "'%s' holds the progress of an unfinished scan; give --resume instead of "
                          "--append to go on with it",
                          start->journal_path);
    }
    if (!exists(options->output)) {
        return llmfp_fail(
            error, LLMFP_USAGE,
            "'%s' does not exist, so there is nothing to append to; leave out --append",
            options->output);
    }
    return LLMFP_OK;
}

static bool all_done(const struct llmfp_manifest *manifest, const struct llmfp_scan_entry *entries)
{
    for (size_t i = 0; i < manifest->n_entries; i++) {
        if (!entries[i].done) {
            return false;
        }
    }
    return true;
}

/* A part that is finished is left as it is; what else has its name is not taken for it. */
static enum llmfp_status check_same_part(const struct options *options,
                                         const struct llmfp_split *split, struct llmfp_error *error)
{
    struct llmfp_split there = {0};
    enum llmfp_status status = llmfp_results_split(options->output, &there, error);
    if (status == LLMFP_OK &&
        (there.number != split->number || there.n != split->n || there.digest != split->digest)) {
        status = llmfp_fail(error, LLMFP_USAGE,
                            "'%s' is there, and is not part %" PRIu32 " of %" PRIu32
                            " of this scan, or the manifest, its checkpoints or the options have "
                            "changed since; give --overwrite to scan the part anew, or another "
                            "--output",
                            options->output, split->number, split->n);
    }
    return status;
}

/* What is true of every start. */
static enum llmfp_status begin(const struct options *options, struct start *start,
                               struct llmfp_error *error)
{
    *start = (struct start){.journal = {.descriptor = -1}};
    start->journal_path = start_journal_path(options->output);
    if (start->journal_path == NULL) {
        return llmfp_fail_memory(error, strlen(options->output), "a path");
    }
    struct stat there;
    if (stat(options->output, &there) == 0 && !S_ISREG(there.st_mode)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "'%s' is there and is not a regular file; give another --output",
                          options->output);
    }
    /* Before anything is said of what its journal holds. */
    return llmfp_journal_check_unused(start->journal_path, error);
}

enum llmfp_status start_merge(const struct options *options, struct start *start,
                              struct llmfp_error *error)
{
    enum llmfp_status status = begin(options, start, error);
    if (status == LLMFP_OK && exists(options->output) && !options->overwrite) {
        status = llmfp_fail(error, LLMFP_USAGE,
                            "'%s' exists; give --overwrite to replace it, or another --output",
                            options->output);
    }
    if (status == LLMFP_OK) {
        status = check_fresh(options, start, error);
    }
    return status == LLMFP_OK ? begin_journal(start, error) : status;
}

enum llmfp_status start_prepare(const struct options *options,
                                const struct llmfp_own_rules *own_rules,
                                const struct llmfp_split *split,
                                const struct llmfp_manifest *manifest, struct start *start,
                                struct llmfp_scan_entry *entries, struct llmfp_error *error)
{
    const uint64_t key = start_key(options, own_rules, split);
    enum llmfp_status status = begin(options, start, error);
    if (status != LLMFP_OK) {
        return status;
    }
    const bool goes_on = options->resume && llmfp_journal_is_complete(start->journal_path);
    const bool imports = options->append || (options->resume && exists(options->output));
    if (goes_on) {
        status = resume_journal(start, key, error);
    } else if (split->n > 0 && imports) {
        start->nothing_new = true;
        return check_same_part(options, split, error);
    } else if (imports) {
        status = options->append ? check_append(options, start, error) : LLMFP_OK;
        if (status == LLMFP_OK) {
            status = import_results(start, options->output, key, error);
        }
    } else {
        status = options->resume ? LLMFP_OK : check_fresh(options, start, error);
        if (status == LLMFP_OK) {
            status = begin_journal(start, error);
        }
        if (status == LLMFP_OK) {
            status = llmfp_journal_complete(&start->journal, key, error);
        }
    }
    if (status == LLMFP_OK && goes_on) {
        status = check_listed(start, options, manifest, error);
    }
    if (status == LLMFP_OK) {
        status = apply_known(start, options, manifest, entries, error);
        if (status != LLMFP_OK && !goes_on) {
            unlink(start->journal_path);
        }
    }
    start->nothing_new = !goes_on && imports && all_done(manifest, entries);
    return status;
}

enum llmfp_status start_models(const struct start *start, const struct llmfp_manifest *manifest,
                               const struct llmfp_scan_entry *entries,
                               struct llmfp_journal_place **places, size_t *n,
                               struct llmfp_error *error)
{
    const size_t n_known = start->labels.n_keys;
    struct llmfp_journal_place *all = calloc(n_known + manifest->n_entries + 1, sizeof *all);
    size_t *place_of = calloc(n_known + 1, sizeof *place_of); /* in `all`, of a kept label */
    if (all == NULL || place_of == NULL) {
        free(all);
        free(place_of);
        return llmfp_fail_memory(error, n_known * sizeof *all, "the list of models");
    }
    *n = 0;
    for (size_t i = 0; i < n_known; i++) {
        if (start->known[i].kept) {
            place_of[i] = *n;
            all[(*n)++] = start->known[i].place;
        }
    }
    for (size_t i = 0; i < manifest->n_entries; i++) {
        const char *label = manifest->entries[i].label;
        const uint32_t number = hash_index_find(&start->labels, label, strlen(label));
        if (number != HASH_INDEX_NONE && start->known[number].kept) {
            all[place_of[number]] = entries[i].place; /* scanned anew, at its old place */
        } else {
            all[(*n)++] = entries[i].place;
        }
    }
    free(place_of);
    *places = all;
    return LLMFP_OK;
}
