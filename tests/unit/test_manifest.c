/* test_manifest.c - manifest lines, globs, labels, clashes, packing. */
#include "llmfp/manifest.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cunit_main.h"
#include "scratch.h"

/* ---- helpers ---- */

static struct llmfp_manifest manifest;
static struct llmfp_error error;

static enum llmfp_status parse_bytes(const char *text, size_t n_bytes, const char *folder)
{
    error = (struct llmfp_error){LLMFP_OK, "untouched"};
    return llmfp_manifest_parse(text, n_bytes, "list.txt", folder, &manifest, &error);
}

static bool parses_in(const char *text, const char *folder, size_t n_entries)
{
    const enum llmfp_status status = parse_bytes(text, strlen(text), folder);
    if (status != LLMFP_OK) {
        printf("[%s] ", error.text);
    }
    return status == LLMFP_OK && manifest.n_entries == n_entries &&
           strcmp(error.text, "untouched") == 0;
}

static bool parses(const char *text, size_t n_entries)
{
    return parses_in(text, "", n_entries);
}

static bool entry_is(size_t i, const char *label, const char *path, unsigned line)
{
    const struct llmfp_manifest_entry *entry = &manifest.entries[i];
    const bool same =
        strcmp(entry->label, label) == 0 && strcmp(entry->path, path) == 0 && entry->line == line;
    if (!same) {
        printf("[%s | %s | %u] ", entry->label, entry->path, entry->line);
    }
    return same;
}

static bool one(const char *text, const char *label, const char *path)
{
    const bool same = parses(text, 1) && entry_is(0, label, path, 1);
    llmfp_manifest_clear(&manifest);
    return same;
}

/* Whether the bytes are a usage error whose message has the line and the piece. */
static bool fails_with(const char *text, size_t n_bytes, const char *folder, unsigned line,
                       const char *piece)
{
    char start[64];
    snprintf(start, sizeof start, "list.txt, line %u: ", line);
    const enum llmfp_status status = parse_bytes(text, n_bytes, folder);
    const bool as_wanted = status == LLMFP_USAGE && error.status == LLMFP_USAGE &&
                           strncmp(error.text, start, strlen(start)) == 0 &&
                           strstr(error.text, piece) != NULL && manifest.entries == NULL &&
                           manifest.n_entries == 0 && manifest.arena.blocks == NULL;
    if (!as_wanted) {
        printf("[%d %s] ", (int)status, error.text);
    }
    return as_wanted;
}

static bool fails(const char *text, unsigned line, const char *piece)
{
    return fails_with(text, strlen(text), "", line, piece);
}

/* A folder of its own for each test that needs files; several paths in it at a time. */
static struct scratch scratch;

static const char *in_folder(const char *name)
{
    static char path[4][SCRATCH_PATH_BYTES];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s", scratch_path(&scratch, name));
    return path[next];
}

/* ---- lines ---- */

static void takes_paths_and_labels(void)
{
    CU_ASSERT(one("/models/llama", "llama", "/models/llama"));
    CU_ASSERT(one("  \tbase \t /models/llama\t ", "base", "/models/llama"));
    CU_ASSERT(one("org/base x/y", "org/base", "x/y"));
    CU_ASSERT(one("models/llama///", "llama", "models/llama///"));
    CU_ASSERT(one("name.with=sign dir/x", "name.with=sign", "dir/x"));
    CU_ASSERT(one("family=x dir/x", "family=x", "dir/x")); /* the first token is no option */
    CU_ASSERT(one("a\\b", "a\\b", "a\\b"));
    CU_ASSERT(
        one("l\xC3\xA4ma \xE6\xA8\xA1\xE5\x9E\x8B", "l\xC3\xA4ma", "\xE6\xA8\xA1\xE5\x9E\x8B"));
    CU_ASSERT(one("~/x", "x", "~/x"));
    CU_ASSERT(one("label Key=x", "label", "Key=x")); /* keys are lower case */
    CU_ASSERT(one("label 1a=x", "label", "1a=x"));
    CU_ASSERT(one("label =x", "label", "=x"));
}

static void takes_quotes(void)
{
    CU_ASSERT(one("\"my model\" \"/a b/c\"", "my model", "/a b/c"));
    CU_ASSERT(one("\"a \\\"b\\\" \\\\c\"", "a \"b\" \\c", "a \"b\" \\c"));
    CU_ASSERT(one("\"# no comment\" x", "# no comment", "x"));
    CU_ASSERT(one("label \"family=x\"", "label", "family=x"));
    CU_ASSERT(parses("x family=\"Llama 2\" parent=\"the \\\"base\\\"\"", 1));
    CU_ASSERT_STRING_EQUAL(manifest.entries[0].family, "Llama 2");
    CU_ASSERT_STRING_EQUAL(manifest.entries[0].parent, "the \"base\"");
    llmfp_manifest_clear(&manifest);
}

static void takes_options(void)
{
    CU_ASSERT(parses("base dir/x parent=meta=y family=llama # why\nz", 2));
    CU_ASSERT(entry_is(0, "base", "dir/x", 1));
    CU_ASSERT_STRING_EQUAL(manifest.entries[0].family, "llama");
    CU_ASSERT_STRING_EQUAL(manifest.entries[0].parent, "meta=y");
    CU_ASSERT_STRING_EQUAL(manifest.entries[1].family, "");
    CU_ASSERT_STRING_EQUAL(manifest.entries[1].parent, "");
    llmfp_manifest_clear(&manifest);
}

static void takes_comments_blank_lines_and_line_ends(void)
{
    CU_ASSERT(parses(
        "\xEF\xBB\xBF# list\r\n\r\n \t\r\na#1 x#y\r\n  # b c d e\nc #d\n\n\"e\" #\nlast", 4));
    CU_ASSERT(entry_is(0, "a#1", "x#y", 4));
    CU_ASSERT(entry_is(1, "c", "c", 6));
    CU_ASSERT(entry_is(2, "e", "e", 8));
    CU_ASSERT(entry_is(3, "last", "last", 9));
    llmfp_manifest_clear(&manifest);
}

static void resolves_relative_paths(void)
{
    CU_ASSERT(parses_in("a\nb ../c\n/d", "/lists", 3));
    CU_ASSERT(entry_is(0, "a", "/lists/a", 1));
    CU_ASSERT(entry_is(1, "b", "/lists/../c", 2));
    CU_ASSERT(entry_is(2, "d", "/d", 3));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("a", "lists/", 1) && entry_is(0, "a", "lists/a", 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("a", ".", 1) && entry_is(0, "a", "a", 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("a", "/", 1) && entry_is(0, "a", "/a", 1));
    llmfp_manifest_clear(&manifest);
}

static void refuses_malformed_lines(void)
{
    CU_ASSERT(fails("ok\nlabel \"/a b", 2, "never closed"));
    CU_ASSERT(fails("\"a", 1, "never closed"));
    CU_ASSERT(fails("\"", 1, "never closed"));
    CU_ASSERT(fails("\"a\\\"", 1, "never closed"));
    CU_ASSERT(fails("\"a\\", 1, "backslash"));
    CU_ASSERT(fails("\"C:\\new\"", 1, "write it as \\\\"));
    CU_ASSERT(fails("\"a\"b", 1, "directly behind the closing quote of \"a\""));
    CU_ASSERT(fails("\"a\"\"b\"", 1, "directly behind"));
    CU_ASSERT(fails("\"a\"# b", 1, "directly behind"));
    CU_ASSERT(fails("x family=\"a\"b", 1, "directly behind"));
    CU_ASSERT(fails("a\"b\"", 1, "inside a\"b\""));
    CU_ASSERT(fails("x family=a\"b", 1, "inside"));
    CU_ASSERT(fails("a b c", 1, "\"c\" is one token too many"));
    CU_ASSERT(fails("my model dir/x family=y", 1, "\"dir/x\" is one token too many"));
    CU_ASSERT(fails("\"\"", 1, "path is empty"));
    CU_ASSERT(fails("label \"\"", 1, "path is empty"));
    CU_ASSERT(fails("\"\" path", 1, "label \"\" is empty"));
}

static void refuses_wrong_options(void)
{
    CU_ASSERT(
        fails("\n\nx licence=mit", 3, "unknown option \"licence=\"; known are: family, parent"));
    CU_ASSERT(fails("x fam=y", 1, "unknown option \"fam=\""));
    CU_ASSERT(fails("x familyx=y", 1, "unknown option \"familyx=\""));
    CU_ASSERT(fails("x family=a family=b", 1, "family is given twice"));
    CU_ASSERT(fails("x family=a parent=b family=a", 1, "family is given twice"));
    CU_ASSERT(fails("x family=", 1, "option family has the value \"\""));
    CU_ASSERT(fails("x parent=\"\"", 1, "option parent has the value \"\""));
    CU_ASSERT(fails("x family=a\x01", 1, "control characters"));
    CU_ASSERT(fails("label family=a path", 1, "\"path\" stands behind an option"));
}

static void refuses_what_is_no_text(void)
{
    CU_ASSERT(fails("ok\nb\xFF", 2, "not valid UTF-8"));
    CU_ASSERT(fails("ok\n# comment \xC3\n", 2, "not valid UTF-8"));
    CU_ASSERT(fails_with("ok\nb\0c\n", 7, "", 2, "NUL"));
    CU_ASSERT(fails_with("o\0", 2, "", 1, "NUL"));
    CU_ASSERT(fails("\xFF\xFE"
                    "a",
                    1, "not valid UTF-8"));            /* UTF-16 */
    CU_ASSERT(fails("a\rb", 1, "control characters")); /* ends of lines of long ago */
    CU_ASSERT(fails("la\x7F"
                    "bel path",
                    1, "control characters"));
    CU_ASSERT(fails("la\xC2\x85"
                    "bel path",
                    1, "control characters"));
}

static void refuses_empty_manifests(void)
{
    static const char *const empty[] = {"", "\xEF\xBB\xBF", "\n\r\n", "# nothing\n  # more"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        CU_ASSERT_EQUAL(parse_bytes(empty[i], strlen(empty[i]), ""), LLMFP_USAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "list.txt lists no checkpoint"));
    }
}

static void refuses_too_much(void)
{
    const size_t n_bytes = (size_t)LLMFP_MANIFEST_MOST_BYTES + 1;
    char *text = malloc(n_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', n_bytes);
    CU_ASSERT(fails_with(text, LLMFP_MANIFEST_LINE_BYTES + 1, "", 1, "65537 bytes"));
    text[LLMFP_MANIFEST_LINE_BYTES] = '\r';
    CU_ASSERT_EQUAL(parse_bytes(text, LLMFP_MANIFEST_LINE_BYTES + 1, ""), LLMFP_OK);
    llmfp_manifest_clear(&manifest);
    CU_ASSERT_EQUAL(parse_bytes(text, n_bytes, ""), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "more than 64 MiB"));
    free(text);
}

static void errors_may_be_ignored(void)
{
    struct llmfp_manifest other;
    CU_ASSERT_EQUAL(llmfp_manifest_parse("a b c", 5, "x", "", &other, NULL), LLMFP_USAGE);
    CU_ASSERT_EQUAL(llmfp_manifest_parse("a\na", 3, "x", "", &other, NULL), LLMFP_USAGE);
}

/* ---- labels ---- */

static void refuses_equal_labels(void)
{
    CU_ASSERT(fails("a/x\ny\nz b/y\nb/x\nc/x\ny", 4, "\"x\" is already taken by line 1"));
    CU_ASSERT(fails("a\nb\na c", 3, "already taken by line 1"));
    CU_ASSERT(fails("/models/x/\nx", 2, "are \"/models/x/\" and \"x\""));
    CU_ASSERT(parses("x\nX\nx2", 3)); /* case counts */
    llmfp_manifest_clear(&manifest);
}

static void makes_labels_for_dots(void)
{
    scratch_begin(&scratch);
    scratch_folder(&scratch, "model");
    scratch_folder(&scratch, "model/part");
    CU_ASSERT(parses_in(".\nb ..\nx model/..", in_folder("model"), 3));
    CU_ASSERT(entry_is(0, "model", in_folder("model/."), 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("part/../", in_folder("model"), 1));
    CU_ASSERT(entry_is(0, "model", in_folder("model/part/../"), 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(fails_with("absent/..", 9, scratch.folder, 1, "write LABEL PATH"));
    CU_ASSERT(fails("/", 1, "label \"\" is empty"));
    CU_ASSERT(fails("/..", 1, "label \"\" is empty"));
    CU_ASSERT(one("root /", "root", "/"));
    CU_ASSERT(one("hidden/.config", ".config", "hidden/.config"));
    scratch_end(&scratch);
}

static void large_manifests_are_quick(void)
{
    enum { N = 100000, LINE = 48 };
    char *text = malloc((size_t)N * LINE + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    char *end = text;
    for (int i = 0; i < N; i++) {
        end += snprintf(end, LINE + 1, "models/%d family=f%d parent=p\n", i * 7919 % N, i % 10);
    }
    const clock_t start = clock();
    CU_ASSERT(parses(text, N));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT((double)(clock() - start) / CLOCKS_PER_SEC < 10);
    strcpy(end - 30, "\nx/0\n");
    CU_ASSERT_EQUAL(parse_bytes(text, strlen(text), ""), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "\"0\" is already taken by line 1"));
    free(text);
}

/* ---- globs ---- */

static void expands_globs_by_bytes(void)
{
    scratch_begin(&scratch);
    scratch_folder(&scratch, "we[i]rd*");
    scratch_folder(&scratch, "we[i]rd*/Zeta");
    scratch_folder(&scratch, "we[i]rd*/alpha");
    scratch_folder(&scratch, "we[i]rd*/\xC3\xA4");
    scratch_folder(&scratch, "we[i]rd*/.hidden");
    scratch_folder(&scratch, "we[i]rd*/alpha/step-10");
    scratch_folder(&scratch, "we[i]rd*/alpha/step-9");
    char in[128];
    snprintf(in, sizeof in, "%s", in_folder("we[i]rd*"));
    CU_ASSERT(parses_in("first\n* family=f\nlast", in, 5));
    CU_ASSERT(entry_is(1, "Zeta", in_folder("we[i]rd*/Zeta"), 2));
    CU_ASSERT(entry_is(2, "alpha", in_folder("we[i]rd*/alpha"), 2));
    CU_ASSERT(entry_is(3, "\xC3\xA4", in_folder("we[i]rd*/\xC3\xA4"), 2));
    CU_ASSERT_STRING_EQUAL(manifest.entries[3].family, "f");
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("\"al?ha/step-*\"", in, 2)); /* quoted or not */
    CU_ASSERT(entry_is(0, "step-10", in_folder("we[i]rd*/alpha/step-10"), 1));
    CU_ASSERT(entry_is(1, "step-9", in_folder("we[i]rd*/alpha/step-9"), 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("one [Z]*", in, 1));
    CU_ASSERT(entry_is(0, "one", in_folder("we[i]rd*/Zeta"), 1));
    llmfp_manifest_clear(&manifest);
    scratch_end(&scratch);
}

static void literal_names_come_before_globs(void)
{
    scratch_begin(&scratch);
    scratch_folder(&scratch, "a[1]");
    scratch_folder(&scratch, "a1");
    scratch_folder(&scratch, "b\\*");
    scratch_folder(&scratch, "b\\c");
    scratch_folder(&scratch, "bc");
    CU_ASSERT(parses_in("a[1]", scratch.folder, 1) && entry_is(0, "a[1]", in_folder("a[1]"), 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("a[12]", scratch.folder, 1) && entry_is(0, "a1", in_folder("a1"), 1));
    llmfp_manifest_clear(&manifest);
    /* A backslash is a plain character. */
    CU_ASSERT(parses_in("b\\?", scratch.folder, 2) && entry_is(1, "b\\c", in_folder("b\\c"), 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("b\\*", scratch.folder, 1) && entry_is(0, "b\\*", in_folder("b\\*"), 1));
    llmfp_manifest_clear(&manifest);
    CU_ASSERT(parses_in("b\\[*]", scratch.folder, 1) && entry_is(0, "b\\*", in_folder("b\\*"), 1));
    llmfp_manifest_clear(&manifest);
    scratch_end(&scratch);
}

static void refuses_wrong_globs(void)
{
    scratch_begin(&scratch);
    scratch_folder(&scratch, "x");
    scratch_folder(&scratch, "y");
    scratch_folder(&scratch, "x/m");
    scratch_folder(&scratch, "y/m");
    CU_ASSERT(fails_with("x\nz*", 4, scratch.folder, 2, "nothing matches \"z*\""));
    CU_ASSERT(fails_with("{x,y}?", 6, scratch.folder, 1, "nothing matches"));
    CU_ASSERT(fails_with("[", 1, scratch.folder, 1, "nothing matches \"[\""));
    CU_ASSERT(fails_with("label ?", 7, scratch.folder, 1,
                         "label \"label\" would stand for all 2 matches"));
    CU_ASSERT(fails_with("\n*/m", 4, scratch.folder, 2, "\"m\" is already taken by line 2"));
    scratch_folder(&scratch, "bad\xFF");
    CU_ASSERT(fails_with("bad*", 4, scratch.folder, 1, "bad\\xff\" is not valid UTF-8"));
    scratch_end(&scratch);
}

/* ---- files ---- */

static void reads_files(void)
{
    scratch_begin(&scratch);
    scratch_text(&scratch, "list.txt", "a\nb /c\n");
    error = (struct llmfp_error){LLMFP_OK, ""};
    CU_ASSERT_EQUAL(llmfp_manifest_read(in_folder("list.txt"), &manifest, &error), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(manifest.n_entries, 2);
    CU_ASSERT(entry_is(0, "a", in_folder("a"), 1) && entry_is(1, "b", "/c", 2));
    llmfp_manifest_clear(&manifest);

    CU_ASSERT_EQUAL(chdir(scratch.folder), 0);
    CU_ASSERT_EQUAL(llmfp_manifest_read("list.txt", &manifest, &error), LLMFP_OK);
    CU_ASSERT(entry_is(0, "a", "a", 1));
    llmfp_manifest_clear(&manifest);

    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen("list.txt", "r", stdin));
    CU_ASSERT_EQUAL(llmfp_manifest_read("-", &manifest, &error), LLMFP_OK);
    CU_ASSERT(entry_is(0, "a", "a", 1));
    llmfp_manifest_clear(&manifest);
    /* At its end now. */
    CU_ASSERT_EQUAL(llmfp_manifest_read("-", &manifest, &error), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "standard input lists no checkpoint"));
    CU_ASSERT_EQUAL(chdir("/"), 0);
    scratch_end(&scratch);
}

static void refuses_files_that_cannot_be_read(void)
{
    scratch_begin(&scratch);
    CU_ASSERT_EQUAL(llmfp_manifest_read(in_folder("absent"), &manifest, &error), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/absent cannot be read: No such file"));
    CU_ASSERT_EQUAL(llmfp_manifest_read(scratch.folder, &manifest, &error), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "Is a directory; give a text file"));
    scratch_text(&scratch, "bad", "a\nb c d");
    CU_ASSERT_EQUAL(llmfp_manifest_read(in_folder("bad"), &manifest, &error), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/bad, line 2: \"d\""));
    scratch_text(&scratch, "big", "x");
    CU_ASSERT_EQUAL(truncate(in_folder("big"), (off_t)LLMFP_MANIFEST_MOST_BYTES * 4), 0);
    CU_ASSERT_EQUAL(llmfp_manifest_read(in_folder("big"), &manifest, &error), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/big has more than 64 MiB"));
    scratch_end(&scratch);
}

/* ---- packing ---- */

static void packing_keeps_everything(void)
{
    CU_ASSERT(parses("a /x\n\nb y family=f parent=a", 2));
    struct llmfp_buffer buffer = {0};
    llmfp_manifest_pack(&manifest, &buffer);
    llmfp_manifest_clear(&manifest);
    CU_ASSERT_FALSE_FATAL(buffer.failed);
    struct llmfp_cursor cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL_FATAL(llmfp_manifest_unpack(&manifest, &cursor, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(cursor.offset_bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL_FATAL(manifest.n_entries, 2);
    CU_ASSERT(entry_is(0, "a", "/x", 1) && entry_is(1, "b", "y", 3));
    CU_ASSERT_STRING_EQUAL(manifest.entries[0].family, "");
    CU_ASSERT_STRING_EQUAL(manifest.entries[1].family, "f");
    CU_ASSERT_STRING_EQUAL(manifest.entries[1].parent, "a");
    llmfp_manifest_clear(&manifest);

    for (size_t n_bytes = 0; n_bytes < buffer.size_bytes; n_bytes++) {
        /* A copy of just these bytes, so that a sanitizer sees reads past them. */
        unsigned char *piece = malloc(n_bytes + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(piece);
        memcpy(piece, buffer.bytes, n_bytes);
        cursor = llmfp_cursor_over(piece, n_bytes);
        CU_ASSERT_EQUAL(llmfp_manifest_unpack(&manifest, &cursor, &error), LLMFP_FATAL);
        CU_ASSERT_PTR_NULL(manifest.entries);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "cut short"));
        free(piece);
    }
    memset(buffer.bytes, 0xFF, 8); /* a count that no memory holds */
    cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL(llmfp_manifest_unpack(&manifest, &cursor, &error), LLMFP_FATAL);
    llmfp_buffer_clear(&buffer);
}

TEST_PROGRAM("manifest", TEST(takes_paths_and_labels), TEST(takes_quotes), TEST(takes_options),
             TEST(takes_comments_blank_lines_and_line_ends), TEST(resolves_relative_paths),
             TEST(refuses_malformed_lines), TEST(refuses_wrong_options),
             TEST(refuses_what_is_no_text), TEST(refuses_empty_manifests), TEST(refuses_too_much),
             TEST(errors_may_be_ignored), TEST(refuses_equal_labels), TEST(makes_labels_for_dots),
             TEST(large_manifests_are_quick), TEST(expands_globs_by_bytes),
             TEST(literal_names_come_before_globs), TEST(refuses_wrong_globs), TEST(reads_files),
             TEST(refuses_files_that_cannot_be_read), TEST(packing_keeps_everything))
