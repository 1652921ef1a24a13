/* merge.c - several results files into the records of one. Rank 0 alone. */
#include <inttypes.h>
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
    struct llmfp_split split;
    bool taken; /* its models have been noted */
};

/* A slice of a checkpoint; those of one model are linked, in the order of their parts. */
struct slice {
    struct llmfp_journal_place place;
    const struct source *source;
    struct slice *next;
};

struct model {
    const struct source *source;
    struct llmfp_journal_place place; /* of the whole */
    struct slice *first;              /* NULL: it was never cut */
    struct slice *last;
    size_t n_slices;
};

struct merging {
    struct source *sources; /* owned, [n_sources] */
    size_t n_sources;
    struct llmfp_journal *journal;
    struct hash_index labels; /* label -> number of its model */
    struct model *models;     /* owned, [labels.n_keys] */
    struct llmfp_arena slices;
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
                                      &source->n_models, &source->split, merging->error);
        n += source->n_models;
    }
    merging->models = status == LLMFP_OK ? calloc(n + 1, sizeof *merging->models) : NULL;
    return status == LLMFP_OK && merging->models == NULL ? no_memory(merging) : status;
}

/* ---- whose model is it? ---- */

static enum llmfp_status note_slice(struct merging *merging, const struct source *source,
                                    const struct llmfp_journal_place *place, struct model *model)
{
    struct slice *slice = llmfp_arena_new(&merging->slices, sizeof *slice);
    if (slice == NULL) {
        return no_memory(merging);
    }
    *slice = (struct slice){*place, source, NULL};
    if (model->last == NULL) {
        model->first = slice;
    } else {
        model->last->next = slice;
    }
    model->last = slice;
    model->n_slices++;
    return LLMFP_OK;
}

/* Slices of one scan's parts belong together; all else must have labels of its own. */
static bool belong_together(const struct model *model, const struct source *source,
                            const struct llmfp_record *record)
{
    return record->part.n > 0 && model->first != NULL &&
           model->source->split.digest == source->split.digest &&
           model->source->split.n == source->split.n;
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
    struct model *model = &merging->models[number];
    if (!added && !belong_together(model, source, record)) {
        return llmfp_fail(merging->error, LLMFP_FATAL,
                          "label '%s' is in '%s' and in '%s'; labels must differ: scan one of them "
                          "again with another label in the manifest, or leave one file out",
                          record->label, model->source->path, source->path);
    }
    if (added) {
        *model = (struct model){.source = source, .place = *place};
    }
    return record->part.n > 0 ? note_slice(merging, source, place, model) : LLMFP_OK;
}

static enum llmfp_status note_source(struct merging *merging, struct source *source)
{
    enum llmfp_status status = LLMFP_OK;
    source->taken = true;
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

/* ---- parts of a split scan ---- */

static bool same_scan(const struct source *a, const struct source *b)
{
    return a->split.n == b->split.n && a->split.digest == b->split.digest;
}

/* Part `number` of the scan that `one` is a part of, or NULL when it was not given. */
static enum llmfp_status find_part(const struct merging *merging, const struct source *one,
                                   uint32_t number, struct source **found)
{
    struct source *other = NULL; /* the same part of what should be the same scan */
    *found = NULL;
    for (size_t i = 0; i < merging->n_sources; i++) {
        struct source *source = &merging->sources[i];
        if (source->split.n != one->split.n || source->split.number != number) {
            continue;
        }
        if (!same_scan(source, one)) {
            other = source;
        } else if (*found != NULL) {
            return llmfp_fail(merging->error, LLMFP_FATAL,
                              "'%s' and '%s' are both part %" PRIu32 " of %" PRIu32
                              " of one scan; give every part once",
                              (*found)->path, source->path, number, one->split.n);
        } else {
            *found = source;
        }
    }
    if (*found == NULL && other != NULL) {
        return llmfp_fail(merging->error, LLMFP_FATAL,
                          "'%s' and '%s' are parts of different scans: the manifest, the sizes of "
                          "its checkpoints or the options have changed between them; scan the "
                          "older one again",
                          one->path, other->path);
    }
    return *found != NULL ? LLMFP_OK
                          : llmfp_fail(merging->error, LLMFP_FATAL,
                                       "part %" PRIu32 " of %" PRIu32
                                       " is missing: '%s' is a part of that scan; give all of them",
                                       number, one->split.n, one->path);
}

/* All parts of the scan that `one` is a part of, in their own order. */
static enum llmfp_status note_scan(struct merging *merging, const struct source *one)
{
    enum llmfp_status status = LLMFP_OK;
    for (uint32_t number = 1; status == LLMFP_OK && number <= one->split.n; number++) {
        struct source *part;
        status = find_part(merging, one, number, &part);
        if (status == LLMFP_OK) {
            status = note_source(merging, part);
        }
    }
    return status;
}

/* ---- joining slices ---- */

static enum llmfp_status append_whole(struct merging *merging, struct model *model,
                                      const struct llmfp_record *whole)
{
    struct llmfp_buffer frames = {0};
    llmfp_journal_frame(whole, &frames, &model->place);
    model->place.offset_bytes += merging->journal->size_bytes;
    const enum llmfp_status status =
        frames.failed ? no_memory(merging)
                      : llmfp_journal_append(merging->journal, &frames, merging->error);
    llmfp_buffer_clear(&frames);
    return status;
}

static enum llmfp_status join_records(struct merging *merging, struct model *model,
                                      const struct llmfp_record *records)
{
    struct llmfp_record whole;
    const char *problem = NULL;
    enum llmfp_status status =
        llmfp_record_join(records, model->n_slices, &whole, &problem, merging->error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (problem != NULL) {
        return llmfp_fail(
            merging->error, LLMFP_FATAL, "checkpoint '%s' cannot be joined from '%s' to '%s': %s",
            records[0].label, model->first->source->path, model->last->source->path, problem);
    }
    status = append_whole(merging, model, &whole);
    llmfp_record_clear(&whole);
    return status;
}

static enum llmfp_status join_slices(struct merging *merging, struct model *model)
{
    struct llmfp_record *records = calloc(model->n_slices, sizeof *records);
    enum llmfp_status status = records == NULL ? no_memory(merging) : LLMFP_OK;
    size_t n = 0;
    for (const struct slice *slice = model->first; status == LLMFP_OK && slice != NULL;
         slice = slice->next) {
        status = llmfp_journal_read(merging->journal, &slice->place, &records[n++], merging->error);
    }
    if (status == LLMFP_OK) {
        status = join_records(merging, model, records);
    }
    for (size_t i = 0; i < n; i++) {
        llmfp_record_clear(&records[i]);
    }
    free(records);
    return status;
}

/* ---- all of it ---- */

static enum llmfp_status list_places(struct merging *merging, struct llmfp_journal_place **places,
                                     size_t *n_models)
{
    *n_models = merging->labels.n_keys;
    *places = calloc(*n_models + 1, sizeof **places);
    enum llmfp_status status = *places == NULL ? no_memory(merging) : LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < *n_models; i++) {
        struct model *model = &merging->models[i];
        status = model->first == NULL ? LLMFP_OK : join_slices(merging, model);
        (*places)[i] = model->place;
    }
    return status;
}

static enum llmfp_status merge_all(struct merging *merging, struct llmfp_journal_place **places,
                                   size_t *n_models)
{
    enum llmfp_status status = check_twice(merging);
    if (status == LLMFP_OK) {
        status = import_all(merging);
    }
    for (size_t i = 0; status == LLMFP_OK && i < merging->n_sources; i++) {
        struct source *source = &merging->sources[i];
        if (!source->taken) {
            status =
                source->split.n > 0 ? note_scan(merging, source) : note_source(merging, source);
        }
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
    llmfp_arena_clear(&merging.slices);
    return status;
}
