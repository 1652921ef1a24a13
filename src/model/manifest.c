/* manifest.c - manifest text to labelled paths: folders, globs, labels, clashes. */
/* glibc shows realpath, which is in POSIX.1-2008, under this name only. */
#define _XOPEN_SOURCE 700 /* NOLINT(bugprone-reserved-identifier) */

#include "llmfp/manifest.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "manifest_line.h"
#include "utf8.h"

struct parser {
    struct llmfp_manifest *manifest;
    size_t capacity; /* of manifest->entries */
    const char *folder;
    unsigned line;
};

void llmfp_manifest_clear(struct llmfp_manifest *manifest)
{
    llmfp_arena_clear(&manifest->arena);
    *manifest = (struct llmfp_manifest){0};
}

/* ---- labels ---- */

/* The last component of a path in `arena`, without slashes behind it; "" for
 * "/". NULL without memory. */
static const char *last_component(const char *path, struct llmfp_arena *arena)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    return llmfp_arena_string(arena, path + start, end - start);
}

static enum llmfp_status default_label(const char *path, struct llmfp_arena *arena,
                                       const char **label, struct llmfp_error *error)
{
    *label = last_component(path, arena);
    if (*label != NULL && (strcmp(*label, ".") == 0 || strcmp(*label, "..") == 0)) {
        char *real = realpath(path, NULL);
        if (real == NULL) {
            return llmfp_fail(
                error, LLMFP_USAGE,
                "no label can be made from the path \"%.500s\" (%s); write LABEL PATH", path,
                strerror(errno));
        }
        *label = last_component(real, arena);
        free(real);
    }
    return *label == NULL ? llmfp_fail_memory(error, strlen(path), "a label") : LLMFP_OK;
}

/* ---- entries ---- */

/* Room for one more entry. The arena keeps outgrown arrays: at most as much again. */
static bool reserve_entry(struct parser *parser)
{
    struct llmfp_manifest *manifest = parser->manifest;
    if (manifest->n_entries < parser->capacity) {
        return true;
    }
    const size_t capacity = parser->capacity == 0 ? 16 : parser->capacity * 2;
    struct llmfp_manifest_entry *grown =
        llmfp_arena_new(&manifest->arena, capacity * sizeof *manifest->entries);
    if (grown == NULL) {
        return false;
    }
    if (manifest->n_entries > 0) {
        memcpy(grown, manifest->entries, manifest->n_entries * sizeof *grown);
    }
    manifest->entries = grown;
    parser->capacity = capacity;
    return true;
}

static enum llmfp_status add_entry(struct parser *parser, const struct llmfp_manifest_line *line,
                                   const char *path, struct llmfp_error *error)
{
    struct llmfp_arena *arena = &parser->manifest->arena;
    if (!llmfp_utf8_valid(path, strlen(path))) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "the path \"%.500s\" is not valid UTF-8; rename the file", path);
    }
    const char *label = line->label;
    if (label == NULL) {
        const enum llmfp_status status = default_label(path, arena, &label, error);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    if (!llmfp_manifest_name(label)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "the label \"%.200s\" is empty or holds control characters; write "
                          "LABEL PATH with a printable label",
                          label);
    }
    if (!reserve_entry(parser)) {
        return llmfp_fail_memory(error, sizeof *parser->manifest->entries, "a manifest");
    }
    parser->manifest->entries[parser->manifest->n_entries++] = (struct llmfp_manifest_entry){
        .label = label,
        .path = path,
        .family = line->family == NULL ? "" : line->family,
        .parent = line->parent == NULL ? "" : line->parent,
        .line = parser->line,
    };
    return LLMFP_OK;
}

/* ---- paths ---- */

/* `folder`, a slash, and `path`, with the characters of `folder_escapes` and
 * `path_escapes` behind a backslash. An absolute path, or one without a folder,
 * stands alone. NULL without memory. */
static char *join(struct llmfp_arena *arena, const char *folder, const char *folder_escapes,
                  const char *path, const char *path_escapes)
{
    if (path[0] == '/' || strcmp(folder, ".") == 0) {
        folder = "";
    }
    char *joined = llmfp_arena_new(arena, 2 * (strlen(folder) + strlen(path)) + 2);
    char *out = joined;
    if (out == NULL) {
        return NULL;
    }
    for (const char *at = folder; *at != '\0'; at++) {
        if (strchr(folder_escapes, *at) != NULL) {
            *out++ = '\\';
        }
        *out++ = *at;
    }
    if (folder[0] != '\0' && folder[strlen(folder) - 1] != '/') {
        *out++ = '/';
    }
    for (const char *at = path; *at != '\0'; at++) {
        if (strchr(path_escapes, *at) != NULL) {
            *out++ = '\\';
        }
        *out++ = *at;
    }
    return joined;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All matches of a glob as entries. glob(3) sorts by the locale: we do not. */
static enum llmfp_status add_matches(struct parser *parser, const struct llmfp_manifest_line *line,
                                     glob_t *matches, struct llmfp_error *error)
{
    if (line->label != NULL && matches->gl_pathc > 1) {
        return llmfp_fail(
            error, LLMFP_USAGE,
            "the label \"%.200s\" would stand for all %zu matches of \"%.500s\"; leave "
            "the label out, or write one line for each",
            line->label, (size_t)matches->gl_pathc, line->path);
    }
    qsort(matches->gl_pathv, matches->gl_pathc, sizeof *matches->gl_pathv, compare_strings);
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < matches->gl_pathc; i++) {
        const char *match = matches->gl_pathv[i];
        const char *path = llmfp_arena_string(&parser->manifest->arena, match, strlen(match));
        status = path == NULL ? llmfp_fail_memory(error, strlen(match), "a path")
                              : add_entry(parser, line, path, error);
    }
    return status;
}

static enum llmfp_status add_glob(struct parser *parser, const struct llmfp_manifest_line *line,
                                  struct llmfp_error *error)
{
    /* Only the path of the manifest is a pattern, not the folder it stands in. */
    const char *pattern = join(&parser->manifest->arena, parser->folder, "*?[\\", line->path, "\\");
    if (pattern == NULL) {
        return llmfp_fail_memory(error, strlen(line->path), "a glob");
    }
    glob_t matches = {0};
    const int result = glob(pattern, GLOB_NOSORT, NULL, &matches);
    enum llmfp_status status;
    if (result == 0) {
        status = add_matches(parser, line, &matches, error);
    } else if (result == GLOB_NOSPACE) {
        status = llmfp_fail_memory(error, strlen(pattern), "the matches of a glob");
    } else {
        status = llmfp_fail(error, LLMFP_USAGE,
                            "nothing matches \"%.500s\"; correct it, or check that its folder is "
                            "there and readable",
                            line->path);
    }
    globfree(&matches);
    return status;
}

/* A path with a space and no quotes looks like LABEL PATH: when nothing is at PATH, but something
 * at "LABEL PATH", that is what was meant. */
static enum llmfp_status check_for_space(struct parser *parser,
                                         const struct llmfp_manifest_line *line,
                                         struct llmfp_error *error)
{
    struct llmfp_arena *arena = &parser->manifest->arena;
    const size_t n_bytes = strlen(line->label) + strlen(line->path) + 2;
    char *whole = llmfp_arena_new(arena, n_bytes);
    if (whole == NULL) {
        return llmfp_fail_memory(error, n_bytes, "a path");
    }
    (void)snprintf(whole, n_bytes, "%s %s", line->label, line->path);
    const char *path = join(arena, parser->folder, "", whole, "");
    if (path == NULL) {
        return llmfp_fail_memory(error, n_bytes, "a path");
    }
    struct stat status;
    return lstat(path, &status) != 0
               ? LLMFP_OK
               : llmfp_fail(error, LLMFP_USAGE,
                            "nothing is at \"%.400s\", but something at \"%.500s\"; a path with "
                            "spaces goes in double quotes",
                            line->path, whole);
}

static enum llmfp_status add_path(struct parser *parser, const struct llmfp_manifest_line *line,
                                  struct llmfp_error *error)
{
    if (line->path[0] == '\0') {
        return llmfp_fail(error, LLMFP_USAGE, "the path is empty; write PATH or LABEL PATH");
    }
    const char *path = join(&parser->manifest->arena, parser->folder, "", line->path, "");
    if (path == NULL) {
        return llmfp_fail_memory(error, strlen(line->path), "a path");
    }
    struct stat status;
    const bool is_there = lstat(path, &status) == 0;
    if (!is_there && line->label != NULL) {
        const enum llmfp_status split = check_for_space(parser, line, error);
        if (split != LLMFP_OK) {
            return split;
        }
    }
    if (!is_there && strpbrk(line->path, "*?[") != NULL) {
        return add_glob(parser, line, error);
    }
    return add_entry(parser, line, path, error);
}

/* ---- clashes ---- */

struct label_use {
    const char *label;
    const struct llmfp_manifest_entry *entry;
};

static int compare_uses(const void *a, const void *b)
{
    const struct label_use *left = a;
    const struct label_use *right = b;
    const int by_label = strcmp(left->label, right->label);
    return by_label != 0 ? by_label : left->entry < right->entry ? -1 : left->entry > right->entry;
}

/* Report the first entry, in file order, whose label an earlier one has. */
static enum llmfp_status check_labels(const struct llmfp_manifest *manifest, const char *name,
                                      struct llmfp_error *error)
{
    const size_t n = manifest->n_entries;
    struct label_use *sorted = calloc(n, sizeof *sorted);
    if (sorted == NULL) {
        return llmfp_fail_memory(error, n * sizeof *sorted, "labels");
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (struct label_use){manifest->entries[i].label, &manifest->entries[i]};
    }
    qsort(sorted, n, sizeof *sorted, compare_uses);
    const struct llmfp_manifest_entry *first = NULL;
    const struct llmfp_manifest_entry *second = NULL;
    for (size_t i = 1; i < n; i++) {
        if (strcmp(sorted[i - 1].label, sorted[i].label) == 0 &&
            (second == NULL || sorted[i].entry < second)) {
            first = sorted[i - 1].entry;
            second = sorted[i].entry;
        }
    }
    free(sorted);
    if (second == NULL) {
        return LLMFP_OK;
    }
    return llmfp_fail(
        error, LLMFP_USAGE,
        "%.300s, line %u: the label \"%.150s\" is already taken by line %u; write LABEL "
        "PATH with another label for one of them (the paths are \"%.150s\" and "
        "\"%.150s\")",
        name, second->line, second->label, first->line, first->path, second->path);
}

/* ---- whole texts ---- */

static enum llmfp_status parse_line(struct parser *parser, const char *text, size_t n_bytes,
                                    struct llmfp_error *error)
{
    if (n_bytes > 0 && text[n_bytes - 1] == '\r') {
        n_bytes--;
    }
    if (n_bytes > LLMFP_MANIFEST_LINE_BYTES) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "the line has %zu bytes, and %d are allowed; is this a text file?",
                          n_bytes, LLMFP_MANIFEST_LINE_BYTES);
    }
    struct llmfp_manifest_line line;
    const enum llmfp_status status =
        llmfp_manifest_line_read(text, n_bytes, &parser->manifest->arena, &line, error);
    return status != LLMFP_OK || line.path == NULL ? status : add_path(parser, &line, error);
}

static enum llmfp_status parse_lines(struct parser *parser, const char *text, size_t n_bytes,
                                     const char *name, struct llmfp_error *error)
{
    const char *end = text + n_bytes;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline == NULL ? end : newline;
        parser->line++;
        const enum llmfp_status status = parse_line(parser, text, (size_t)(line_end - text), error);
        if (status != LLMFP_OK) {
            return error == NULL ? status
                                 : llmfp_error_prefix(error, "%.300s, line %u", name, parser->line);
        }
        text = newline == NULL ? end : newline + 1;
    }
    return LLMFP_OK;
}

static enum llmfp_status fail_size(const char *name, struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_USAGE,
                      "%.300s has more than %d MiB, too long for a manifest; split it, or check "
                      "that it is the right file",
                      name, LLMFP_MANIFEST_MOST_BYTES >> 20);
}

enum llmfp_status llmfp_manifest_parse(const char *text, size_t n_bytes, const char *name,
                                       const char *folder, struct llmfp_manifest *manifest,
                                       struct llmfp_error *error)
{
    *manifest = (struct llmfp_manifest){0};
    if (n_bytes > LLMFP_MANIFEST_MOST_BYTES) {
        return fail_size(name, error);
    }
    static const char byte_order_mark[] = {'\xEF', '\xBB', '\xBF'};
    if (n_bytes >= sizeof byte_order_mark &&
        memcmp(text, byte_order_mark, sizeof byte_order_mark) == 0) {
        text += sizeof byte_order_mark;
        n_bytes -= sizeof byte_order_mark;
    }
    struct parser parser = {.manifest = manifest, .folder = folder};
    enum llmfp_status status = parse_lines(&parser, text, n_bytes, name, error);
    if (status == LLMFP_OK && manifest->n_entries == 0) {
        status =
            llmfp_fail(error, LLMFP_USAGE,
                       "%.300s lists no checkpoint; write one PATH, or LABEL PATH, a line", name);
    }
    if (status == LLMFP_OK) {
        status = check_labels(manifest, name, error);
    }
    if (status != LLMFP_OK) {
        llmfp_manifest_clear(manifest);
    }
    return status;
}

/* ---- files ---- */

static enum llmfp_status fail_reading(const char *name, int number, struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_USAGE, "the manifest %.300s cannot be read: %s%s", name,
                      strerror(number),
                      number == EISDIR ? "; give a text file that lists checkpoints, one a line"
                                       : "; check its name and permissions");
}

/* All bytes of a stream, up to one more than a manifest may have. */
static enum llmfp_status read_all(FILE *stream, const char *name, struct llmfp_buffer *buffer,
                                  struct llmfp_error *error)
{
    enum { PIECE = 64 << 10 };
    size_t n_read = PIECE;
    while (n_read == PIECE && buffer->size_bytes <= LLMFP_MANIFEST_MOST_BYTES) {
        void *place = llmfp_buffer_extend(buffer, PIECE);
        if (place == NULL) {
            return llmfp_fail_memory(error, buffer->size_bytes + PIECE, "the manifest");
        }
        n_read = fread(place, 1, PIECE, stream);
        buffer->size_bytes -= PIECE - n_read;
        if (n_read < PIECE && ferror(stream)) {
            return fail_reading(name, errno, error);
        }
    }
    return LLMFP_OK;
}

/* The folder of a path, "" for one without, in `arena`; NULL without memory. */
static const char *folder_of(const char *path, struct llmfp_arena *arena)
{
    const char *slash = strrchr(path, '/');
    return llmfp_arena_string(arena, path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
}

static enum llmfp_status parse_stream(FILE *stream, const char *name, const char *folder,
                                      struct llmfp_manifest *manifest, struct llmfp_error *error)
{
    struct llmfp_buffer buffer = {0};
    enum llmfp_status status = read_all(stream, name, &buffer, error);
    if (status == LLMFP_OK) {
        status = llmfp_manifest_parse((const char *)buffer.bytes, buffer.size_bytes, name, folder,
                                      manifest, error);
    }
    llmfp_buffer_clear(&buffer);
    return status;
}

enum llmfp_status llmfp_manifest_read(const char *path, struct llmfp_manifest *manifest,
                                      struct llmfp_error *error)
{
    *manifest = (struct llmfp_manifest){0};
    if (strcmp(path, "-") == 0) {
        return parse_stream(stdin, "standard input", "", manifest, error);
    }
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return fail_reading(path, errno, error);
    }
    struct llmfp_arena arena = {0};
    const char *folder = folder_of(path, &arena);
    const enum llmfp_status status =
        folder == NULL ? llmfp_fail_memory(error, strlen(path), "the manifest's folder")
                       : parse_stream(stream, path, folder, manifest, error);
    llmfp_arena_clear(&arena);
    (void)fclose(stream); /* only read from: nothing to lose */
    return status;
}

/* ---- packing ---- */

void llmfp_manifest_pack(const struct llmfp_manifest *manifest, struct llmfp_buffer *buffer)
{
    llmfp_buffer_put_u64(buffer, manifest->n_entries);
    for (size_t i = 0; i < manifest->n_entries; i++) {
        const struct llmfp_manifest_entry *entry = &manifest->entries[i];
        llmfp_buffer_put_string(buffer, entry->label);
        llmfp_buffer_put_string(buffer, entry->path);
        llmfp_buffer_put_string(buffer, entry->family);
        llmfp_buffer_put_string(buffer, entry->parent);
        llmfp_buffer_put_u32(buffer, entry->line);
    }
}

enum llmfp_status llmfp_manifest_unpack(struct llmfp_manifest *manifest,
                                        struct llmfp_cursor *cursor, struct llmfp_error *error)
{
    enum { LEAST_ENTRY_BYTES = 5 * 4 }; /* four lengths and the line */
    *manifest = (struct llmfp_manifest){0};
    const uint64_t n_entries = llmfp_cursor_u64(cursor);
    if (n_entries > (cursor->size_bytes - cursor->offset_bytes) / LEAST_ENTRY_BYTES) {
        cursor->failed = true;
    }
    const size_t n = cursor->failed ? 0 : (size_t)n_entries;
    manifest->entries = llmfp_arena_new(&manifest->arena, n * sizeof *manifest->entries);
    bool complete = manifest->entries != NULL;
    for (size_t i = 0; complete && i < n; i++) {
        struct llmfp_manifest_entry *entry = &manifest->entries[i];
        entry->label = llmfp_cursor_string(cursor, &manifest->arena);
        entry->path = llmfp_cursor_string(cursor, &manifest->arena);
        entry->family = llmfp_cursor_string(cursor, &manifest->arena);
        entry->parent = llmfp_cursor_string(cursor, &manifest->arena);
        entry->line = llmfp_cursor_u32(cursor);
        complete = entry->label != NULL && entry->path != NULL && entry->family != NULL &&
                   entry->parent != NULL;
    }
    if (complete && !cursor->failed) {
        manifest->n_entries = n;
        return LLMFP_OK;
    }
    llmfp_manifest_clear(manifest);
    return cursor->failed ? llmfp_fail(error, LLMFP_FATAL,
                                       "a packed manifest is cut short; this is a bug, report it")
                          : llmfp_fail_memory(error, n * sizeof *manifest->entries, "a manifest");
}
