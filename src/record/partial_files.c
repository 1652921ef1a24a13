/* partial_files.c - the files beside the journal that hold partial sums. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llmfp/journal.h"
#include "llmfp/partial.h"

static const char suffix[] = ".progress";
static const char unfinished[] = ".new"; /* of a file that is being written */

static enum llmfp_status no_memory(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_FATAL, "out of memory while saved progress is looked after");
}

/* JOURNAL.progress, then what `format` adds; owned by the caller. NULL without memory. */
static char *make_path(const char *journal_path, const char *end)
{
    const size_t size_bytes = strlen(journal_path) + sizeof suffix + strlen(end);
    char *path = malloc(size_bytes);
    if (path != NULL) {
        (void)snprintf(path, size_bytes, "%s%s%s", journal_path, suffix, end);
    }
    return path;
}

/* ---- writing ---- */

/* A whole new file in the place of an old one. */
static enum llmfp_status replace_file(const char *path, uint64_t key,
                                      const struct llmfp_buffer *frames, struct llmfp_error *error)
{
    const size_t size_bytes = strlen(path) + sizeof unfinished;
    char *made = malloc(size_bytes);
    if (made == NULL || frames->failed) {
        free(made);
        return no_memory(error);
    }
    (void)snprintf(made, size_bytes, "%s%s", path, unfinished);
    struct llmfp_journal file = {.descriptor = -1};
    enum llmfp_status status = llmfp_journal_create(&file, made, key, error);
    if (status == LLMFP_OK) {
        status = llmfp_journal_append(&file, frames, error);
    }
    if (status == LLMFP_OK && rename(made, path) != 0) {
        status = llmfp_fail(error, LLMFP_FATAL, "'%s': cannot put saved progress in place: %s",
                            path, strerror(errno));
    }
    if (status != LLMFP_OK) {
        unlink(made);
    }
    llmfp_journal_close(&file);
    free(made);
    return status;
}

enum llmfp_status llmfp_partial_save(const char *journal_path, uint64_t key, int rank,
                                     const struct llmfp_buffer *frames, struct llmfp_error *error)
{
    char end[16];
    (void)snprintf(end, sizeof end, ".%d", rank);
    char *path = make_path(journal_path, end);
    if (path == NULL) {
        return no_memory(error);
    }
    const enum llmfp_status status = replace_file(path, key, frames, error);
    free(path);
    return status;
}

/* ---- what is there ---- */

/* The last component of the path of all files, and their folder. */
struct place {
    char *path;   /* JOURNAL.progress; owned */
    char *folder; /* owned */
    const char *name;
};

static bool find_place(const char *journal_path, struct place *place)
{
    place->path = make_path(journal_path, "");
    place->folder = place->path == NULL ? NULL : strdup(place->path);
    if (place->folder == NULL) {
        free(place->path);
        *place = (struct place){0};
        return false;
    }
    char *slash = strrchr(place->folder, '/');
    place->name = slash == NULL ? place->path : place->path + (slash + 1 - place->folder);
    if (slash == NULL) {
        place->folder[0] = '\0';
    } else {
        slash[1] = '\0'; /* "/" stays itself */
    }
    return true;
}

static void clear_place(struct place *place)
{
    free(place->path);
    free(place->folder);
}

/* Whether a name is that of a rank's file, or of an unfinished one. */
static bool is_ours(const struct place *place, const char *name, bool *whole)
{
    const size_t length = strlen(place->name);
    if (strncmp(name, place->name, length) != 0) {
        return false;
    }
    const char *rest = name + length;
    if (rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9') {
        rest += 1 + strspn(rest + 1, "0123456789");
    }
    *whole = rest[0] == '\0';
    return *whole || strcmp(rest, unfinished) == 0;
}

/* Call visit(context, path, whole) for every file. False when the folder cannot be read, or
 * without memory. */
static bool visit_files(const char *journal_path,
                        void (*visit)(void *context, const char *path, bool whole), void *context)
{
    struct place place;
    if (!find_place(journal_path, &place)) {
        return false;
    }
    DIR *folder = opendir(place.folder[0] == '\0' ? "." : place.folder);
    struct dirent *entry;
    bool good = folder != NULL;
    while (good && (entry = readdir(folder)) != NULL) {
        bool whole;
        if (is_ours(&place, entry->d_name, &whole)) {
            const size_t size_bytes = strlen(place.folder) + strlen(entry->d_name) + 1;
            char *path = malloc(size_bytes);
            good = path != NULL;
            if (good) {
                (void)snprintf(path, size_bytes, "%s%s", place.folder, entry->d_name);
                visit(context, path, whole);
            }
            free(path);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    clear_place(&place);
    return good;
}

static void note_file(void *context, const char *path, bool whole)
{
    (void)path;
    bool *found = context;
    *found = *found || whole;
}

bool llmfp_partials_exist(const char *journal_path)
{
    bool found = false;
    (void)visit_files(journal_path, note_file, &found);
    return found;
}

static void remove_file(void *context, const char *path, bool whole)
{
    (void)context;
    (void)whole;
    unlink(path); /* one that stays does no harm: it counts for unchanged files only */
}

void llmfp_partials_remove(const char *journal_path)
{
    (void)visit_files(journal_path, remove_file, NULL);
}

/* ---- gathering ---- */

void llmfp_partials_clear(struct llmfp_partials *partials)
{
    for (size_t i = 0; i < partials->n; i++) {
        llmfp_partial_clear(&partials->items[i]);
    }
    free(partials->items);
    *partials = (struct llmfp_partials){0};
}

struct llmfp_partial *llmfp_partials_find(const struct llmfp_partials *partials, const char *label)
{
    for (size_t i = 0; i < partials->n; i++) {
        if (strcmp(partials->items[i].source.label, label) == 0) {
            return &partials->items[i];
        }
    }
    return NULL;
}

/* Put a partial among the others; its content is taken over. `newer`: its source is the one
 * that counts when the label's files have changed. */
static enum llmfp_status take(struct llmfp_partials *partials, struct llmfp_partial *partial,
                              bool newer, struct llmfp_error *error)
{
    struct llmfp_partial *there = llmfp_partials_find(partials, partial->source.label);
    enum llmfp_status status = LLMFP_OK;
    if (there != NULL && newer && !llmfp_partial_same_source(&there->source, &partial->source)) {
        llmfp_partial_clear(there);
        *there = *partial;
        return LLMFP_OK;
    }
    if (there != NULL) {
        bool merged;
        status = llmfp_partial_merge(there, partial, &merged, error);
        llmfp_partial_clear(partial);
        return status;
    }
    if (partials->n == partials->capacity) {
        const size_t capacity = partials->capacity == 0 ? 16 : partials->capacity * 2;
        struct llmfp_partial *grown = realloc(partials->items, capacity * sizeof *grown);
        if (grown == NULL) {
            llmfp_partial_clear(partial);
            return no_memory(error);
        }
        partials->items = grown;
        partials->capacity = capacity;
    }
    partials->items[partials->n++] = *partial;
    return LLMFP_OK;
}

static enum llmfp_status take_records(const struct llmfp_journal *file,
                                      const struct llmfp_journal_place *places, size_t n,
                                      struct llmfp_partials *partials, bool newer,
                                      struct llmfp_error *error)
{
    struct llmfp_buffer bytes = {0};
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < n; i++) {
        struct llmfp_partial partial;
        struct llmfp_error why = {LLMFP_OK, ""};
        enum llmfp_status got = llmfp_journal_read_bytes(file, &places[i], &bytes, &why);
        if (got == LLMFP_OK) {
            struct llmfp_cursor cursor = llmfp_cursor_over(bytes.bytes, bytes.size_bytes);
            got = llmfp_partial_unpack(&partial, &cursor, &why);
        }
        if (got == LLMFP_OK) {
            status = take(partials, &partial, newer, error);
        } else {
            partials->n_damaged++;
        }
    }
    llmfp_buffer_clear(&bytes);
    return status;
}

static enum llmfp_status read_file(const char *path, uint64_t key, struct llmfp_partials *partials,
                                   bool newer, struct llmfp_error *error)
{
    struct llmfp_journal file;
    struct llmfp_journal_place *places = NULL;
    size_t n = 0;
    size_t n_damaged = 0;
    struct llmfp_error why = {LLMFP_OK, ""};
    if (access(path, F_OK) != 0) {
        return LLMFP_OK;
    }
    if (llmfp_journal_open(&file, path, key, false, &places, &n, &n_damaged, &why) != LLMFP_OK) {
        partials->n_damaged += why.status != LLMFP_USAGE; /* usage: of other options */
        return LLMFP_OK;
    }
    partials->n_damaged += n_damaged;
    const enum llmfp_status status = take_records(&file, places, n, partials, newer, error);
    llmfp_journal_close(&file);
    free(places);
    return status;
}

struct gathering {
    const char *base;
    uint64_t key;
    struct llmfp_partials *partials;
    enum llmfp_status status;
    struct llmfp_error *error;
    bool any; /* file of a rank */
};

static void gather_file(void *context, const char *path, bool whole)
{
    struct gathering *gathering = context;
    if (whole && gathering->status == LLMFP_OK && strcmp(path, gathering->base) != 0) {
        gathering->any = true;
        gathering->status =
            read_file(path, gathering->key, gathering->partials, true, gathering->error);
    }
}

static void remove_rank_file(void *context, const char *path, bool whole)
{
    const struct gathering *gathering = context;
    if (!whole || strcmp(path, gathering->base) != 0) {
        unlink(path);
    }
}

static void frame_partial(const struct llmfp_partial *partial, struct llmfp_buffer *frames)
{
    uint32_t n_filled = 0;
    for (uint32_t i = 0; i < partial->source.n_cells; i++) {
        n_filled += partial->cells[i].counters[LLMFP_COUNT] != 0;
    }
    const size_t frame = llmfp_partial_frame_begin(&partial->source, partial->coverage.ranges,
                                                   partial->coverage.n, n_filled, frames);
    for (uint32_t i = 0; i < partial->source.n_cells; i++) {
        if (partial->cells[i].counters[LLMFP_COUNT] != 0) {
            llmfp_partial_frame_cell(i, &partial->cells[i], frames);
        }
    }
    llmfp_partial_frame_end(frames, frame);
}

static enum llmfp_status write_base(const char *path, uint64_t key,
                                    const struct llmfp_partials *partials,
                                    struct llmfp_error *error)
{
    struct llmfp_buffer frames = {0};
    for (size_t i = 0; i < partials->n; i++) {
        frame_partial(&partials->items[i], &frames);
    }
    const enum llmfp_status status = replace_file(path, key, &frames, error);
    llmfp_buffer_clear(&frames);
    return status;
}

enum llmfp_status llmfp_partials_gather(const char *journal_path, uint64_t key,
                                        struct llmfp_partials *partials, struct llmfp_error *error)
{
    *partials = (struct llmfp_partials){0};
    char *base = make_path(journal_path, "");
    if (base == NULL) {
        return no_memory(error);
    }
    struct gathering gathering = {base, key, partials, LLMFP_OK, error, false};
    gathering.status = read_file(base, key, partials, false, error);
    if (gathering.status == LLMFP_OK && !visit_files(journal_path, gather_file, &gathering)) {
        gathering.status =
            llmfp_fail(error, LLMFP_FATAL, "'%s': the folder of saved progress cannot be read: %s",
                       base, strerror(errno));
    }
    if (gathering.status == LLMFP_OK && gathering.any) {
        gathering.status = write_base(base, key, partials, error);
    }
    if (gathering.status == LLMFP_OK) {
        (void)visit_files(journal_path, remove_rank_file, &gathering);
    } else {
        llmfp_partials_clear(partials);
    }
    free(base);
    return gathering.status;
}
