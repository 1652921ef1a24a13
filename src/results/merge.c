/* merge.c - several results files into the records of one. Rank 0 alone. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hash_index.h"
#include "llmfp/results.h"

/* One results file, with its records in the journal. */
struct source {
    const char *path;
    struct llmfp_journal_place *places; /* owned */
    size_t n_models;
};

struct model {
    const struct source *source;
    struct llmfp_journal_place place;
};

struct merging {
    struct source *sources; /* owned, [n_sources] */
    size_t n_sources;
    struct llmfp_journal *journal;
    struct hash_index labels; /* label -> number of its model */
    struct model *models;     /* owned, [labels.n_keys] */
    struct llmfp_error *error;
};

static enum llmfp_status no_memory(const struct merging *merging)
{
    return llmfp_fail(merging->error, LLMFP_FATAL, "out of memory while results are merged");
}

/* A file given twice is a slip, which would else be told as a clash of labels. */
static enum llmfp_status check_twice(const struct merging *merging)
{
    struct hash_index seen = {0};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < merging->n_sources; i++) {
        struct stat there;
        if (stat(merging->sources[i].path, &there) != 0) {
            continue; /* said when it is opened */
        }
        const uint64_t identity[] = {(uint64_t)there.st_dev, (uint64_t)there.st_ino};
        bool added = false;
        if (hash_index_add(&seen, identity, sizeof identity, &added) == HASH_INDEX_NONE) {
            status = no_memory(merging);
        } else if (!added) {
            status = llmfp_fail(merging->error, LLMFP_USAGE,
                                "'%s' is given twice, perhaps by another name; give every results "
                                "file once",
                                merging->sources[i].path);
        }
    }
    hash_index_clear(&seen);
    return status;
}

static enum llmfp_status import_all(struct merging *merging)
{
    enum llmfp_status status = LLMFP_OK;
    size_t n = 0;
    for (size_t i = 0; status == LLMFP_OK && i < merging->n_sources; i++) {
        struct source *source = &merging->sources[i];
        status = llmfp_results_import(source->path, merging->journal, &source->places,
                                      &source->n_models, merging->error);
        n += source->n_models;
    }
    merging->models = status == LLMFP_OK ? calloc(n + 1, sizeof *merging->models) : NULL;
    return status == LLMFP_OK && merging->models == NULL ? no_memory(merging) : status;
}

static enum llmfp_status note_record(struct merging *merging, const struct source *source,
                                     const struct llmfp_journal_place *place,
                                     const struct llmfp_record *record)
{
    bool added = false;
    const uint32_t number =
        hash_index_add(&merging->labels, record->label, strlen(record->label), &added);
    if (number == HASH_INDEX_NONE) {
        return no_memory(merging);
    }
    if (!added) {
        return llmfp_fail(merging->error, LLMFP_FATAL,
                          "label '%s' is in '%s' and in '%s'; labels must differ: scan one of them "
                          "again with another label in the manifest, or leave one file out",
                          record->label, merging->models[number].source->path, source->path);
    }
    merging->models[number] = (struct model){source, *place};
    return LLMFP_OK;
}

static enum llmfp_status note_source(struct merging *merging, const struct source *source)
{
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < source->n_models; i++) {
        struct llmfp_record record = {0};
        status = llmfp_journal_read(merging->journal, &source->places[i], &record, merging->error);
        if (status == LLMFP_OK) {
            status = note_record(merging, source, &source->places[i], &record);
        }
        llmfp_record_clear(&record);
    }
    return status;
}

static enum llmfp_status list_places(const struct merging *merging,
                                     struct llmfp_journal_place **places, size_t *n_models)
{
    *n_models = merging->labels.n_keys;
    *places = calloc(*n_models + 1, sizeof **places);
    if (*places == NULL) {
        return no_memory(merging);
    }
    for (size_t i = 0; i < *n_models; i++) {
        (*places)[i] = merging->models[i].place;
    }
    return LLMFP_OK;
}

static enum llmfp_status merge_all(struct merging *merging, struct llmfp_journal_place **places,
                                   size_t *n_models)
{
    enum llmfp_status status = check_twice(merging);
    if (status == LLMFP_OK) {
        status = import_all(merging);
    }
    for (size_t i = 0; status == LLMFP_OK && i < merging->n_sources; i++) {
        status = note_source(merging, &merging->sources[i]);
    }
    return status == LLMFP_OK ? list_places(merging, places, n_models) : status;
}

enum llmfp_status llmfp_results_merge(const char *const *paths, size_t n_paths,
                                      struct llmfp_journal *journal,
                                      struct llmfp_journal_place **places, size_t *n_models,
                                      struct llmfp_error *error)
{
    struct merging merging = {.n_sources = n_paths, .journal = journal, .error = error};
    *places = NULL;
    *n_models = 0;
    merging.sources = calloc(n_paths + 1, sizeof *merging.sources);
    for (size_t i = 0; merging.sources != NULL && i < n_paths; i++) {
        merging.sources[i].path = paths[i];
    }
    const enum llmfp_status status =
        merging.sources == NULL ? no_memory(&merging) : merge_all(&merging, places, n_models);
    for (size_t i = 0; merging.sources != NULL && i < n_paths; i++) {
        free(merging.sources[i].places);
    }
    free(merging.sources);
    free(merging.models);
    hash_index_clear(&merging.labels);
    return status;
}
