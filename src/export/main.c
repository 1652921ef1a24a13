/* main.c - llmfp-export: a results file as CSV or JSON. One process, without MPI. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "export.h"
#include "output.h"

#define TRY_HELP "try llmfp-export --help"

enum kind { KIND_NONE, KIND_CSV, KIND_JSON, KIND_CORRELATIONS };

struct options {
    const char *results;
    const char *output;
    enum kind kind;
    bool help;
    bool version;
};

static const char *const kind_names[] = {NULL, "--csv", "--json", "--correlations"};

static void print_help(FILE *out)
{
    (void)fputs("Usage: llmfp-export [OPTION]... RESULTS.h5\n"
                "Write a results file of llmfp-scan as text, for those without HDF5.\n\n"
                "      --csv             a line a model, role and layer (default)\n"
                "      --correlations    CSV: a line a role and pair of models\n"
                "      --json            one JSON object: models, curves, correlations\n"
                "  -o, --output FILE     write to FILE (replaced when all is written);\n"
                "                        default: standard output\n"
                "  -h, --help            print this text\n"
                "      --version         print the version\n\n"
                "Doubles read back to the bit. NaN is an empty field, or null.\n\n"
                "Exit status:\n"
                "   0  all is well\n"
                "   1  fatal: out of memory, or the output cannot be written\n"
                "   2  wrong usage\n"
                "   3  RESULTS.h5 cannot be read, or is no results file\n\n"
                "Example: llmfp-export --csv lineage.h5 -o lineage.csv\n",
                out);
}

static enum llmfp_status take_kind(enum kind kind, struct options *options,
                                   struct llmfp_error *error)
{
    if (options->kind != KIND_NONE && options->kind != kind) {
        return llmfp_fail(error, LLMFP_USAGE, "%s and %s exclude each other; " TRY_HELP,
                          kind_names[options->kind], kind_names[kind]);
    }
    options->kind = kind;
    return LLMFP_OK;
}

static enum llmfp_status take_output(const char *value, struct options *options,
                                     struct llmfp_error *error)
{
    if (value == NULL || value[0] == '\0') {
        return llmfp_fail(error, LLMFP_USAGE, "--output needs a FILE; " TRY_HELP);
    }
    options->output = value;
    return LLMFP_OK;
}

static enum llmfp_status take_operand(const char *word, struct options *options,
                                      struct llmfp_error *error)
{
    if (word[0] == '\0') {
        return llmfp_fail(error, LLMFP_USAGE, "RESULTS.h5 is an empty word; " TRY_HELP);
    }
    if (options->results != NULL) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "more than one RESULTS.h5 (\"%.200s\" and \"%.200s\"); " TRY_HELP,
                          options->results, word);
    }
    options->results = word;
    return LLMFP_OK;
}

/* One option that takes its value, perhaps from the next word (NULL: there is none). */
static enum llmfp_status take_option(const char *word, const char *next, int *i,
                                     struct options *options, struct llmfp_error *error)
{
    static const char output[] = "--output=";
    for (enum kind kind = KIND_CSV; kind <= KIND_CORRELATIONS; kind++) {
        if (strcmp(word, kind_names[kind]) == 0) {
            return take_kind(kind, options, error);
        }
    }
    if (strcmp(word, "-o") == 0 || strcmp(word, "--output") == 0) {
        ++*i;
        return take_output(next, options, error);
    }
    if (strncmp(word, "-o", 2) == 0) {
        return take_output(word + 2, options, error);
    }
    if (strncmp(word, output, sizeof output - 1) == 0) {
        return take_output(word + sizeof output - 1, options, error);
    }
    options->help = strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
    options->version = strcmp(word, "--version") == 0;
    return options->help || options->version
               ? LLMFP_OK
               : llmfp_fail(error, LLMFP_USAGE, "unknown option \"%.200s\"; " TRY_HELP, word);
}

/* As options of llmfp-scan; --help and --version end the parsing. */
static enum llmfp_status parse(int argc, char **argv, struct options *options,
                               struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    bool only_operands = false;
    for (int i = 1; i < argc && status == LLMFP_OK; i++) {
        if (only_operands || argv[i][0] != '-') {
            status = take_operand(argv[i], options, error);
        } else if (strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else {
            status = take_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL, &i, options, error);
        }
        if (options->help || options->version) {
            return status;
        }
    }
    if (status == LLMFP_OK && options->results == NULL) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "no RESULTS.h5 is given: name a results file of llmfp-scan; " TRY_HELP);
    }
    return status;
}

static bool same_file(const char *a, const char *b)
{
    struct stat of_a;
    struct stat of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

static enum llmfp_status export(const struct options *options, FILE *out,
                                struct llmfp_error *error) {
    struct results_file results;
    enum llmfp_status status = results_file_open(options->results, &results, error);
    if (status ==
        LLMFP_OK){if (options->kind == KIND_JSON){status = export_json(&results, out, error);}
else if (options->kind == KIND_CORRELATIONS)
{
    status = export_pairs(&results, out, error);
}
else
{
    status = export_cells(&results, out, error);
}
}
results_file_close(&results);
return status;
}

static enum llmfp_status run(int argc, char **argv, struct llmfp_error *error)
{
    struct options options = {0};
    struct output output;
    enum llmfp_status status = parse(argc, argv, &options, error);
    if (status != LLMFP_OK) {
        return status;
    }
    const bool answers = options.help || options.version;
    if (!answers && options.output != NULL && same_file(options.results, options.output)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "'%s' would be written over itself; give another --output",
                          options.results);
    }
    status = output_open(answers ? NULL : options.output, &output, error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (options.help) {
        print_help(output.stream);
    } else if (options.version) {
        (void)fputs("llmfp-export " LLMFP_VERSION "\n", output.stream);
    } else {
        status = export(&options, output.stream, error);
    }
    return output_close(&output, status, error);
}

int main(int argc, char **argv)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    const enum llmfp_status status = run(argc, argv, &error);
    if (status != LLMFP_OK) {
        (void)fprintf(stderr, "llmfp-export: error: %s\n", error.text);
    }
    return (int)status;
}
