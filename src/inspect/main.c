/* main.c - llmfp-inspect: what is in a checkpoint. One process, no MPI, headers only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "show.h"

#define TRY_HELP "try llmfp-inspect --help"

struct options {
    const char *checkpoint;
    const char *rules;
    bool json;
    bool tensors;
    bool help;
    bool version;
};

static void print_help(void)
{
    (void)fputs("Usage: llmfp-inspect [OPTION]... CHECKPOINT\n"
                "Say what is in a checkpoint (a file or a folder), from its headers alone:\n"
                "format, architecture, files, encodings, roles and layers, and the tensors that\n"
                "a scan leaves out.\n\n"
                "      --json            one JSON object; its keys are in the manual page\n"
                "      --tensors         how every tensor maps, too\n"
                "      --rules FILE      role rules of your own (JSON), before the program's\n"
                "  -h, --help            print this text\n"
                "      --version         print the version\n\n"
                "Exit status:\n"
                "   0  all is well\n"
                "   1  fatal: out of memory, or the output cannot be written\n"
                "   2  wrong usage, or wrong rules\n"
                "   3  the checkpoint cannot be read\n\n"
                "Example: llmfp-inspect --json ./my-model | jq '.roles[].role'\n",
                stdout);
}

static enum llmfp_status take_operand(const char *word, struct options *options,
                                      struct llmfp_error *error)
{
    if (word[0] == '\0') {
        return llmfp_fail(error, LLMFP_USAGE, "CHECKPOINT is an empty word; " TRY_HELP);
    }
    if (options->checkpoint != NULL) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "more than one CHECKPOINT (\"%.200s\" and \"%.200s\"); " TRY_HELP,
                          options->checkpoint, word);
    }
    options->checkpoint = word;
    return LLMFP_OK;
}

static enum llmfp_status take_rules(const char *value, struct options *options,
                                    struct llmfp_error *error)
{
    if (value == NULL || value[0] == '\0') {
        return llmfp_fail(error, LLMFP_USAGE, "--rules needs a FILE; " TRY_HELP);
    }
    options->rules = value;
    return LLMFP_OK;
}

/* As options of llmfp-scan; --help and --version end the parsing. */
static enum llmfp_status parse(int argc, char **argv, struct options *options,
                               struct llmfp_error *error)
{
    static const char rules[] = "--rules=";
    enum llmfp_status status = LLMFP_OK;
    bool only_operands = false;
    for (int i = 1; i < argc && status == LLMFP_OK; i++) {
        const char *word = argv[i];
        if (only_operands || word[0] != '-') {
            status = take_operand(word, options, error);
        } else if (strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (strcmp(word, "--json") == 0) {
            options->json = true;
        } else if (strcmp(word, "--tensors") == 0) {
            options->tensors = true;
        } else if (strcmp(word, "--rules") == 0) {
            status = take_rules(i + 1 < argc ? argv[++i] : NULL, options, error);
        } else if (strncmp(word, rules, sizeof rules - 1) == 0) {
            status = take_rules(word + sizeof rules - 1, options, error);
        } else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
            options->help = true;
            return LLMFP_OK;
        } else if (strcmp(word, "--version") == 0) {
            options->version = true;
            return LLMFP_OK;
        } else {
            status = llmfp_fail(error, LLMFP_USAGE, "unknown option \"%.200s\"; " TRY_HELP, word);
        }
    }
    if (status == LLMFP_OK && options->checkpoint == NULL) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "no CHECKPOINT is given: name a file or a folder; " TRY_HELP);
    }
    return status;
}

static enum llmfp_status read_rules(const char *path, struct llmfp_own_rules **own_rules,
                                    struct llmfp_error *error)
{
    struct llmfp_buffer text = {0};
    enum llmfp_status status = llmfp_own_rules_load(path, &text, error);
    if (status == LLMFP_OK) {
        status =
            llmfp_own_rules_read(path, (const char *)text.bytes, text.size_bytes, own_rules, error);
    }
    llmfp_buffer_clear(&text);
    return status;
}

static enum llmfp_status inspect(const struct options *options, struct llmfp_error *error)
{
    struct llmfp_own_rules *own_rules = NULL;
    struct look look = {0};
    enum llmfp_status status = LLMFP_OK;
    if (options->rules != NULL) {
        status = read_rules(options->rules, &own_rules, error);
    }
    if (status == LLMFP_OK) {
        status = look_at(options->checkpoint, own_rules, &look, error);
    }
    if (status == LLMFP_OK) {
        status = (options->json ? show_json : show_text)(options->checkpoint, &look,
                                                         options->tensors, stdout, error);
    }
    look_clear(&look);
    llmfp_own_rules_free(own_rules);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    enum llmfp_status status = parse(argc, argv, &options, &error);
    if (status == LLMFP_OK) {
        if (options.help) {
            print_help();
        } else if (options.version) {
            (void)fputs("llmfp-inspect " LLMFP_VERSION "\n", stdout);
        } else {
            status = inspect(&options, &error);
        }
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == LLMFP_OK) {
        status =
            llmfp_fail(&error, LLMFP_FATAL, "cannot write to standard output: %s", strerror(errno));
    }
    if (status != LLMFP_OK) {
        (void)fprintf(stderr, "llmfp-inspect: error: %s\n", error.text);
    }
    return (int)status;
}
