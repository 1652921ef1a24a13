/* options.c - the table of options, and the parser and the help made from it. */
#include "options.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "llmfp/split.h"

enum kind {
    KIND_FLAG,   /* bool */
    KIND_TEXT,   /* const char * */
    KIND_SIZE,   /* uint64_t, in bytes */
    KIND_PART,   /* uint32_t[2], K/N */
    KIND_CHOICE, /* int-sized enum: the index into choices */
};

struct option {
    char letter; /* '\0': long only */
    const char *name;
    const char *argument; /* as --help shows it; NULL for flags */
    enum kind kind;
    size_t member; /* where it is stored in struct options */
    const char *help;
    const char *const *choices; /* KIND_CHOICE: NULL-terminated */
};

static const char *const progress_choices[] = {"auto", "bar", "plain", "none", NULL};
static const char *const io_choices[] = {"auto", "mmap", "pread", "direct", NULL};
static const char *const summary_choices[] = {"text", "json", "none", NULL};

_Static_assert(PROGRESS_AUTO == 0 && PROGRESS_BAR == 1 && PROGRESS_PLAIN == 2 && PROGRESS_NONE == 3,
               "progress_choices is in the order of the enum");
_Static_assert(OPTIONS_SUMMARY_TEXT == 0 && OPTIONS_SUMMARY_JSON == 1 && OPTIONS_SUMMARY_NONE == 2,
               "summary_choices is in the order of the enum");
_Static_assert(LLMFP_IO_AUTO == 0 && LLMFP_IO_MMAP == 1 && LLMFP_IO_PREAD == 2 &&
                   LLMFP_IO_DIRECT == 3,
               "io_choices is in the order of the enum");
_Static_assert(sizeof(enum llmfp_io) == sizeof(int) && sizeof(enum progress_mode) == sizeof(int) &&
                   sizeof(enum options_summary) == sizeof(int),
               "choices are stored as int");

#define MEMBER(name) offsetof(struct options, name)

/* In the order of --help. A help text is one line of at most 54 characters. */
static const struct option table[] = {
    {'o', "output", "FILE", KIND_TEXT, MEMBER(output), "results file; default llmfp.h5", NULL},
    {0, "roles", "LIST", KIND_TEXT, MEMBER(roles), "only these roles, as in attn.*,norm.mlp", NULL},
    {0, "rules", "FILE", KIND_TEXT, MEMBER(rules),
     "role rules of your own (JSON), before the program's", NULL},
    {0, "dry-run", NULL, KIND_FLAG, MEMBER(dry_run),
     "read headers only, print how every tensor maps", NULL},
    {0, "resume", NULL, KIND_FLAG, MEMBER(resume), "go on with an interrupted scan", NULL},
    {0, "append", NULL, KIND_FLAG, MEMBER(append), "add new checkpoints to an existing FILE", NULL},
    {0, "overwrite", NULL, KIND_FLAG, MEMBER(overwrite), "replace an existing FILE", NULL},
    {0, "strict", NULL, KIND_FLAG, MEMBER(strict), "stop at the first checkpoint that fails", NULL},
    {0, "part", "K/N", KIND_PART, MEMBER(part), "scan part K of N only; --merge joins the parts",
     NULL},
    {0, "chunk", "SIZE", KIND_SIZE, MEMBER(chunk_bytes),
     "bytes read at a time, 4K to 1G; default: automatic", NULL},
    {0, "io", "HOW", KIND_CHOICE, MEMBER(io), "auto (default), mmap, pread or direct", io_choices},
    {0, "progress", "HOW", KIND_CHOICE, MEMBER(progress), "auto (default), bar, plain or none",
     progress_choices},
    {0, "summary", "HOW", KIND_CHOICE, MEMBER(summary), "text (default), json or none",
     summary_choices},
    {0, "verify", "FILE", KIND_TEXT, MEMBER(verify),
     "check the results in FILE; no MANIFEST, no scan", NULL},
    {0, "merge", NULL, KIND_FLAG, MEMBER(merge), "merge the results files that are given; no scan",
     NULL},
    {0, "with-checkpoints", NULL, KIND_FLAG, MEMBER(with_checkpoints),
     "--verify: compare them with the files on disk, too", NULL},
    {0, "timings", NULL, KIND_FLAG, MEMBER(timings), "print the seconds of each phase at the end",
     NULL},
    {'q', "quiet", NULL, KIND_FLAG, MEMBER(quiet), "only warnings and errors", NULL},
    {'v', "verbose", NULL, KIND_FLAG, MEMBER(verbose), "say more", NULL},
    {'h', "help", NULL, KIND_FLAG, MEMBER(help), "print this and exit", NULL},
    {0, "version", NULL, KIND_FLAG, MEMBER(version),
     "print the versions of program, libraries and schema", NULL},
};

enum { N_OPTIONS = sizeof table / sizeof table[0] };

/* Which flags exclude each other, and why. */
static const struct conflict {
    size_t members[2];
    const char *names[2];
    const char *choose;
} conflicts[] = {
    {{MEMBER(append), MEMBER(overwrite)},
     {"append", "overwrite"},
     "keep the existing results with --append, or replace them with --overwrite"},
    {{MEMBER(resume), MEMBER(append)},
     {"resume", "append"},
     "an interrupted --append goes on with --resume alone"},
    {{MEMBER(resume), MEMBER(overwrite)},
     {"resume", "overwrite"},
     "go on with --resume, or start again with --overwrite"},
    {{MEMBER(quiet), MEMBER(verbose)}, {"quiet", "verbose"}, "choose one of them"},
};

/* ---- values ---- */

enum { SHOWN_BYTES = 256 };

/* A word of the command line for a message: printable, cut where it is long. */
struct shown {
    char text[SHOWN_BYTES];
};

static struct shown show(const char *text)
{
    struct shown shown;
    llmfp_escape(shown.text, sizeof shown.text, text, strlen(text));
    return shown;
}

static void *member_of(struct options *options, size_t member)
{
    return (char *)options + member;
}

#define TRY_HELP "try \"llmfp-scan --help\""

static enum llmfp_status parse_size(const struct option *option, const char *value, uint64_t *bytes,
                                    struct llmfp_error *error)
{
    uint64_t number = 0;
    const char *at = value;
    /* Numbers above the bound stop early, so that nothing wraps. */
    for (; *at >= '0' && *at <= '9' && number <= OPTIONS_MOST_CHUNK_BYTES; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
    }
    unsigned shift = 0;
    if (at > value && *at != '\0') {
        const char *units = "KkMmGg";
        const char *unit = strchr(units, *at);
        if (unit != NULL) {
            shift = 10 * (unsigned)((unit - units) / 2 + 1);
            at++;
        }
    }
    const bool in_range =
        number <= OPTIONS_MOST_CHUNK_BYTES >> shift && number << shift >= OPTIONS_LEAST_CHUNK_BYTES;
    if (at == value || *at != '\0' || !in_range) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "\"%s\" is no size for --%s: give bytes from 4K to 1G as a whole number, "
                          "with K, M or G for powers of 1024, as in 64M; " TRY_HELP,
                          show(value).text, option->name);
    }
    *bytes = number << shift;
    return LLMFP_OK;
}

/* A whole number from 1 to LLMFP_SPLIT_MOST at *at, which moves behind it; 0: there is none. */
static uint32_t parse_ordinal(const char **at)
{
    uint32_t number = 0;
    for (; **at >= '0' && **at <= '9' && number <= LLMFP_SPLIT_MOST; ++*at) {
        number = number * 10 + (uint32_t)(**at - '0');
    }
    return number <= LLMFP_SPLIT_MOST ? number : 0;
}

static enum llmfp_status parse_part(const struct option *option, const char *value,
                                    uint32_t part[2], struct llmfp_error *error)
{
    const char *at = value;
    const uint32_t number = parse_ordinal(&at);
    const bool slash = *at == '/';
    at += slash;
    const uint32_t n = parse_ordinal(&at);
    if (!slash || *at != '\0' || number == 0 || n == 0 || number > n) {
        return llmfp_fail(
            error, LLMFP_USAGE,
            "--%s cannot be \"%s\": give K/N with 1 <= K <= N <= %d, as in 2/8; " TRY_HELP,
            option->name, show(value).text, LLMFP_SPLIT_MOST);
    }
    part[0] = number;
    part[1] = n;
    return LLMFP_OK;
}

static enum llmfp_status parse_choice(const struct option *option, const char *value, int *choice,
                                      struct llmfp_error *error)
{
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            *choice = i;
            return LLMFP_OK;
        }
    }
    char known[SHOWN_BYTES] = "";
    size_t used = 0;
    for (int i = 0; option->choices[i] != NULL && used < sizeof known; i++) {
        const char *separator = i == 0 ? "" : option->choices[i + 1] == NULL ? " or " : ", ";
        const int n =
            snprintf(known + used, sizeof known - used, "%s%s", separator, option->choices[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return llmfp_fail(error, LLMFP_USAGE, "--%s cannot be \"%s\": give %s; " TRY_HELP, option->name,
                      show(value).text, known);
}

static enum llmfp_status store_value(const struct option *option, const char *value,
                                     struct options *options, struct llmfp_error *error)
{
    if (value == NULL || value[0] == '\0') {
        return llmfp_fail(error, LLMFP_USAGE, "--%s needs a value: give --%s %s; " TRY_HELP,
                          option->name, option->name, option->argument);
    }
    void *member = member_of(options, option->member);
    switch (option->kind) {
    case KIND_SIZE:
        return parse_size(option, value, member, error);
    case KIND_PART:
        return parse_part(option, value, member, error);
    case KIND_CHOICE: {
        int choice = 0;
        const enum llmfp_status status = parse_choice(option, value, &choice, error);
        memcpy(member, &choice, sizeof choice);
        return status;
    }
    case KIND_TEXT:
        memcpy(member, &value, sizeof value);
        return LLMFP_OK;
    case KIND_FLAG:
        break;
    }
    return LLMFP_OK;
}

/* ---- parsing ---- */

struct words {
    int argc;
    char *const *argv;
    int next;
};

static const char *next_word(struct words *words)
{
    return words->next < words->argc ? words->argv[words->next++] : NULL;
}

/* `word` begins with two dashes and more. */
static enum llmfp_status parse_long(const char *word, struct words *words, struct options *options,
                                    struct llmfp_error *error)
{
    const char *name = word + 2;
    const size_t n_bytes = strcspn(name, "=");
    const char *value = name[n_bytes] == '=' ? name + n_bytes + 1 : NULL;
    const struct option *similar = NULL;
    int n_similar = 0;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *option = &table[i];
        if (strncmp(option->name, name, n_bytes) != 0) {
            continue;
        }
        if (option->name[n_bytes] != '\0') {
            similar = option;
            n_similar++;
            continue;
        }
        if (option->kind != KIND_FLAG) {
            return store_value(option, value != NULL ? value : next_word(words), options, error);
        }
        if (value != NULL) {
            return llmfp_fail(error, LLMFP_USAGE,
                              "--%s takes no value, and \"%s\" was given; " TRY_HELP, option->name,
                              show(value).text);
        }
        *(bool *)member_of(options, option->member) = true;
        return LLMFP_OK;
    }
    if (n_similar == 1) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "unknown option \"%s\": write --%s in full; " TRY_HELP, show(word).text,
                          similar->name);
    }
    return llmfp_fail(error, LLMFP_USAGE, "unknown option \"%s\"; " TRY_HELP, show(word).text);
}

/* `word` begins with one dash and more: letters of flags, then perhaps of an
 * option whose value is the rest of the word or the next one. */
static enum llmfp_status parse_letters(const char *word, struct words *words,
                                       struct options *options, struct llmfp_error *error)
{
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const struct option *option = NULL;
        for (size_t i = 0; i < N_OPTIONS; i++) {
            option = table[i].letter == *letter ? &table[i] : option;
        }
        if (option == NULL && letter == word + 1) {
            return llmfp_fail(error, LLMFP_USAGE, "unknown option \"%s\"; " TRY_HELP,
                              show(word).text);
        }
        if (option == NULL) {
            return llmfp_fail(error, LLMFP_USAGE, "unknown option in \"%s\", at \"%s\"; " TRY_HELP,
                              show(word).text, show(letter).text);
        }
        if (option->kind != KIND_FLAG) {
            return store_value(option, letter[1] != '\0' ? letter + 1 : next_word(words), options,
                               error);
        }
        *(bool *)member_of(options, option->member) = true;
    }
    return LLMFP_OK;
}

static enum llmfp_status take_operand(const char *word, struct options *options,
                                      struct llmfp_error *error)
{
    if (word[0] == '\0') {
        return llmfp_fail(error, LLMFP_USAGE,
                          "MANIFEST is an empty word: give the name of a file, or - for standard "
                          "input; " TRY_HELP);
    }
    options->operands[options->n_operands++] = word;
    return LLMFP_OK;
}

/* What --verify does not go with. */
static enum llmfp_status check_verify(const struct options *options, struct llmfp_error *error)
{
    if (options->n_operands > 0) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "--verify takes no MANIFEST (\"%s\"): the results file is all it "
                          "needs; " TRY_HELP,
                          show(options->operands[0]).text);
    }
    if (options->dry_run || options->resume || options->append || options->overwrite ||
        options->merge || options->part[1] > 0) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "--verify scans nothing: leave out --dry-run, --resume, --append, "
                          "--overwrite, --merge and --part; " TRY_HELP);
    }
    return LLMFP_OK;
}

/* What --merge needs, and does not go with. */
static enum llmfp_status check_merge(const struct options *options, struct llmfp_error *error)
{
    if (options->n_operands == 0) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "--merge has nothing to merge: give the results files, as in --merge "
                          "A.h5 B.h5 -o ALL.h5; " TRY_HELP);
    }
    if (options->dry_run || options->resume || options->append || options->roles != NULL ||
        options->rules != NULL || options->part[1] > 0) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "--merge reads results files only: leave out --dry-run, --resume, "
                          "--append, --roles, --rules and --part; " TRY_HELP);
    }
    return LLMFP_OK;
}

/* What --part needs, and does not go with. */
static enum llmfp_status check_part(const struct options *options, struct llmfp_error *error)
{
    if (options->output == NULL) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "--part needs --output: every part is a file of its own, as in -o "
                          "part-%" PRIu32 ".h5; " TRY_HELP,
                          options->part[0]);
    }
    if (options->append || options->dry_run) {
        return llmfp_fail(error, LLMFP_USAGE, "--part does not go with --%s: %s; " TRY_HELP,
                          options->append ? "append" : "dry-run",
                          options->append ? "merge the parts, then append to the whole"
                                          : "a dry run shows the whole scan");
    }
    return LLMFP_OK;
}

static enum llmfp_status check_manifest(struct options *options, struct llmfp_error *error)
{
    if (options->n_operands == 0) {
        return llmfp_fail(
            error, LLMFP_USAGE,
            "no MANIFEST is given: name the file that lists the checkpoints, or - for "
            "standard input; " TRY_HELP);
    }
    if (options->n_operands > 1) {
        return llmfp_fail(
            error, LLMFP_USAGE,
            "more than one MANIFEST (\"%s\" and \"%s\"): list all checkpoints in one; " TRY_HELP,
            show(options->operands[0]).text, show(options->operands[1]).text);
    }
    options->manifest = options->operands[0];
    return options->part[1] > 0 ? check_part(options, error) : LLMFP_OK;
}

static enum llmfp_status check(struct options *options, struct llmfp_error *error)
{
    for (size_t i = 0; i < sizeof conflicts / sizeof conflicts[0]; i++) {
        const struct conflict *conflict = &conflicts[i];
        const char *base = (const char *)options;
        if (*(const bool *)(base + conflict->members[0]) &&
            *(const bool *)(base + conflict->members[1])) {
            return llmfp_fail(error, LLMFP_USAGE, "--%s and --%s exclude each other: %s; " TRY_HELP,
                              conflict->names[0], conflict->names[1], conflict->choose);
        }
    }
    if (options->verify != NULL) {
        return check_verify(options, error);
    }
    if (options->with_checkpoints) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "--with-checkpoints belongs to --verify: give --verify FILE; " TRY_HELP);
    }
    return options->merge ? check_merge(options, error) : check_manifest(options, error);
}

/* All words; --help and --version end it. */
static enum llmfp_status take_words(struct words *words, struct options *options,
                                    struct llmfp_error *error)
{
    bool only_operands = false;
    for (const char *word = next_word(words); word != NULL; word = next_word(words)) {
        enum llmfp_status status = LLMFP_OK;
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && word[0] == '-' && word[1] == '-') {
            status = parse_long(word, words, options, error);
        } else if (!only_operands && word[0] == '-' && word[1] != '\0') {
            status = parse_letters(word, words, options, error);
        } else {
            status = take_operand(word, options, error);
        }
        if (status != LLMFP_OK || options->help || options->version) {
            return status;
        }
    }
    const enum llmfp_status status = check(options, error);
    options->output = options->output == NULL ? "llmfp.h5" : options->output;
    return status;
}

enum llmfp_status options_parse(int argc, char *const *argv, struct options *options,
                                struct llmfp_error *error)
{
    *options = (struct options){0};
    struct words words = {argc, argv, 1};
    options->operands = calloc((size_t)argc + 1, sizeof *options->operands);
    const enum llmfp_status status =
        options->operands == NULL
            ? llmfp_fail_memory(error, (size_t)argc * sizeof *options->operands, "the command line")
            : take_words(&words, options, error);
    if (status != LLMFP_OK) {
        options_clear(options);
    }
    return status;
}

void options_clear(struct options *options)
{
    free(options->operands);
    options->operands = NULL;
    options->n_operands = 0;
}

/* ---- help ---- */

void options_help(FILE *out)
{
    fputs("Usage: mpirun -n N llmfp-scan [OPTION]... MANIFEST    (or with srun, or alone)\n"
          "       llmfp-scan --merge FILE... -o ALL\n"
          "       llmfp-scan --verify FILE\n"
          "Compute exact standard deviations, layer by layer, of the checkpoints that\n"
          "MANIFEST lists (- for standard input), their signatures and correlations.\n\n",
          out);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        char letter[] = "    ";
        if (table[i].letter != '\0') {
            letter[0] = '-';
            letter[1] = table[i].letter;
            letter[2] = ',';
        }
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", table[i].name, table[i].argument != NULL ? " " : "",
                 table[i].argument != NULL ? table[i].argument : "");
        fprintf(out, "  %s--%-16s  %s\n", letter, name, table[i].help);
    }
    fputs("\nA line of MANIFEST: [LABEL] PATH [family=NAME] [parent=LABEL]\n"
          "An existing FILE needs --resume, --append or --overwrite. SIZE takes K, M, G.\n\n"
          "Exit status:\n"
          "   0  every checkpoint was scanned, and the results are on disk\n"
          "   1  fatal: no results file was written or changed\n"
          "   2  wrong usage or manifest: nothing was read\n"
          "   3  results written, but some checkpoints failed (named, with the reason);\n"
          "      or --verify has found something that does not hold\n"
          "  75  interrupted by a signal, progress saved: run again with --resume\n\n"
          "Example: mpirun -n 16 llmfp-scan -o lineage.h5 manifest.txt\n",
          out);
}
