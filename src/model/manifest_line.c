/* manifest_line.c - tokens, quotes, comments and options of one manifest line. */
#include "manifest_line.h"

#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* A new option is a row here and a member of llmfp_manifest_line. */
static const struct option_key {
    const char *name;
    size_t member;
} option_keys[] = {
    {"family", offsetof(struct llmfp_manifest_line, family)},
    {"parent", offsetof(struct llmfp_manifest_line, parent)},
};

enum { N_OPTION_KEYS = sizeof option_keys / sizeof option_keys[0], SHOWN_BYTES = 160 };

/* A piece of a line for a message: printable, and cut where it is long. */
struct shown {
    char text[SHOWN_BYTES];
};

static struct shown show(const char *text, size_t n_bytes)
{
    struct shown shown;
    llmfp_escape(shown.text, sizeof shown.text, text, n_bytes);
    return shown;
}

struct scanner {
    const char *at;
    const char *end;
    struct llmfp_arena *arena;
};

struct token {
    const char *text; /* unquoted; the value of an option; NULL at the end of the line */
    const char *key;  /* of an option, not terminated; NULL for other tokens */
    size_t key_bytes;
};

static bool is_separator(char c)
{
    return c == ' ' || c == '\t';
}

static bool at_token_end(const struct scanner *scanner)
{
    return scanner->at == scanner->end || is_separator(*scanner->at);
}

/* `at` stands on the opening quote. */
static enum llmfp_status read_quoted(struct scanner *scanner, const char **text,
                                     struct llmfp_error *error)
{
    const char *start = scanner->at++;
    char *out = llmfp_arena_new(scanner->arena, (size_t)(scanner->end - start));
    if (out == NULL) {
        return llmfp_fail_memory(error, (size_t)(scanner->end - start), "a manifest line");
    }
    *text = out;
    for (; scanner->at < scanner->end && *scanner->at != '"'; scanner->at++) {
        if (*scanner->at == '\\') {
            scanner->at++;
            if (scanner->at == scanner->end || (*scanner->at != '"' && *scanner->at != '\\')) {
                return llmfp_fail(error, LLMFP_USAGE,
                                  "a backslash inside quotes stands before \" or \\ only, not as "
                                  "in %s; write it as \\\\",
                                  show(start, (size_t)(scanner->end - start)).text);
            }
        }
        *out++ = *scanner->at;
    }
    if (scanner->at == scanner->end) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "the double quote that opens %s is never closed; add the other one",
                          show(start, (size_t)(scanner->end - start)).text);
    }
    scanner->at++;
    if (!at_token_end(scanner)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "text stands directly behind the closing quote of %s; put a space "
                          "between, or the whole token in quotes",
                          show(start, (size_t)(scanner->at - start)).text);
    }
    return LLMFP_OK;
}

static enum llmfp_status read_plain(struct scanner *scanner, const char **text,
                                    struct llmfp_error *error)
{
    const char *start = scanner->at;
    bool has_quote = false;
    for (; !at_token_end(scanner); scanner->at++) {
        has_quote = has_quote || *scanner->at == '"';
    }
    const size_t n_bytes = (size_t)(scanner->at - start);
    if (has_quote) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "a double quote stands inside %s; quotes go around a whole token, and "
                          "\\\" inside them is a quote",
                          show(start, n_bytes).text);
    }
    *text = llmfp_arena_string(scanner->arena, start, n_bytes);
    return *text == NULL ? llmfp_fail_memory(error, n_bytes, "a manifest line") : LLMFP_OK;
}

/* Length of the KEY of KEY=... at the scanner ([a-z][a-z0-9_-]*), or 0. */
static size_t key_length(const struct scanner *scanner)
{
    const char *at = scanner->at;
    while (at < scanner->end &&
           ((*at >= 'a' && *at <= 'z') ||
            (at > scanner->at && ((*at >= '0' && *at <= '9') || *at == '_' || *at == '-')))) {
        at++;
    }
    return at < scanner->end && *at == '=' ? (size_t)(at - scanner->at) : 0;
}

static enum llmfp_status next_token(struct scanner *scanner, bool may_be_option,
                                    struct token *token, struct llmfp_error *error)
{
    *token = (struct token){0};
    while (scanner->at < scanner->end && is_separator(*scanner->at)) {
        scanner->at++;
    }
    if (scanner->at == scanner->end || *scanner->at == '#') {
        return LLMFP_OK;
    }
    token->key_bytes = may_be_option ? key_length(scanner) : 0;
    if (token->key_bytes > 0) {
        token->key = scanner->at;
        scanner->at += token->key_bytes + 1;
    }
    const bool quoted = scanner->at < scanner->end && *scanner->at == '"';
    return quoted ? read_quoted(scanner, &token->text, error)
                  : read_plain(scanner, &token->text, error);
}

bool llmfp_manifest_name(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    for (; *at != '\0'; at++) {
        /* C1 controls, U+0080 to U+009F, are C2 80 to C2 9F in UTF-8. */
        if (*at < 0x20 || *at == 0x7F || (at[0] == 0xC2 && at[1] < 0xA0)) {
            return false;
        }
    }
    return text[0] != '\0';
}

static enum llmfp_status unknown_key(const struct token *token, struct llmfp_error *error)
{
    char known[SHOWN_BYTES] = "";
    size_t used = 0;
    for (size_t i = 0; i < N_OPTION_KEYS && used < sizeof known; i++) {
        const int n = snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ",
                               option_keys[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return llmfp_fail(error, LLMFP_USAGE,
                      "unknown option \"%s=\"; known are: %s (a path that looks like an option "
                      "goes in double quotes)",
                      show(token->key, token->key_bytes).text, known);
}

static enum llmfp_status store_option(const struct token *token, struct llmfp_manifest_line *line,
                                      struct llmfp_error *error)
{
    for (size_t i = 0; i < N_OPTION_KEYS; i++) {
        const char *name = option_keys[i].name;
        if (strlen(name) != token->key_bytes || memcmp(name, token->key, token->key_bytes) != 0) {
            continue;
        }
        const char **value = (const char **)(void *)((char *)line + option_keys[i].member);
        if (*value != NULL) {
            return llmfp_fail(error, LLMFP_USAGE, "option %s is given twice; keep one of them",
                              name);
        }
        if (!llmfp_manifest_name(token->text)) {
            return llmfp_fail(error, LLMFP_USAGE,
                              "option %s has the value \"%s\", which is empty or holds control "
                              "characters; write %s=NAME",
                              name, show(token->text, strlen(token->text)).text, name);
        }
        *value = token->text;
        return LLMFP_OK;
    }
    return unknown_key(token, error);
}

static enum llmfp_status store_token(const struct token *token, size_t n_words, bool after_option,
                                     struct llmfp_manifest_line *line, struct llmfp_error *error)
{
    if (after_option) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "\"%s\" stands behind an option; a line is PATH or LABEL PATH, then "
                          "options",
                          show(token->text, strlen(token->text)).text);
    }
    if (n_words == 2) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "\"%s\" is one token too many; a line is PATH or LABEL PATH, then "
                          "options (a token with spaces goes in double quotes)",
                          show(token->text, strlen(token->text)).text);
    }
    if (n_words == 1) {
        line->label = line->path;
    }
    line->path = token->text;
    return LLMFP_OK;
}

enum llmfp_status llmfp_manifest_line_read(const char *text, size_t n_bytes,
                                           struct llmfp_arena *arena,
                                           struct llmfp_manifest_line *line,
                                           struct llmfp_error *error)
{
    *line = (struct llmfp_manifest_line){0};
    if (memchr(text, '\0', n_bytes) != NULL || !llmfp_utf8_valid(text, n_bytes)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "%s; a manifest is a UTF-8 text file that lists checkpoints, one a line",
                          memchr(text, '\0', n_bytes) != NULL ? "a NUL byte stands in this line"
                                                              : "this line is not valid UTF-8");
    }
    struct scanner scanner = {text, text + n_bytes, arena};
    size_t n_words = 0;
    bool after_option = false;
    for (;;) {
        struct token token;
        enum llmfp_status status = next_token(&scanner, n_words > 0, &token, error);
        if (status != LLMFP_OK || token.text == NULL) {
            return status;
        }
        if (token.key != NULL) {
            after_option = true;
            status = store_option(&token, line, error);
        } else {
            status = store_token(&token, n_words++, after_option, line, error);
        }
        if (status != LLMFP_OK) {
            return status;
        }
    }
}
