/* fuzz_options.c - command lines, one word a line: what is taken keeps the promises of
 * options.h, what is refused gets one sentence.                                         */
#include "options.h"

#include "fuzz.h"

enum { MOST_WORDS = 32 };

static void check_options(const struct options *options)
{
    if (options->help || options->version) {
        return;
    }
    FUZZ_CHECK((options->manifest != NULL) + options->merge + (options->verify != NULL) == 1);
    FUZZ_CHECK(options->output != NULL && options->output[0] != '\0');
    FUZZ_CHECK(options->append + options->overwrite + options->resume <= 1);
    FUZZ_CHECK(!(options->quiet && options->verbose));
    FUZZ_CHECK(options->chunk_bytes == 0 || (options->chunk_bytes >= OPTIONS_LEAST_CHUNK_BYTES &&
                                             options->chunk_bytes <= OPTIONS_MOST_CHUNK_BYTES));
    FUZZ_CHECK((unsigned)options->io <= LLMFP_IO_DIRECT);
    FUZZ_CHECK((unsigned)options->progress <= PROGRESS_NONE);
    FUZZ_CHECK((unsigned)options->summary <= OPTIONS_SUMMARY_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "llmfp-scan";
    char *words[MOST_WORDS + 1] = {program};
    char *text = fuzz_text(data, size);
    int n = 1;
    for (char *word = text; n < MOST_WORDS;) {
        words[n++] = word;
        char *end = strchr(word, '\n');
        if (end == NULL) {
            break;
        }
        *end = '\0';
        word = end + 1;
    }
    struct llmfp_error error = {LLMFP_OK, ""};
    struct options options;
    const enum llmfp_status status = options_parse(n, words, &options, &error);
    if (status == LLMFP_OK) {
        check_options(&options);
        options_clear(&options);
    } else {
        fuzz_check_error(status, &error, LLMFP_USAGE, "");
    }
    free(text);
    return 0;
}
