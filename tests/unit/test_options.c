/* test_options.c - the command line, its help, and the pages that repeat it. */
#include "options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"

enum { MOST_WORDS = 16 };

static struct options options;
static struct llmfp_error error;

/* Parse words separated by single spaces; '_' alone is an empty word. */
static enum llmfp_status parse(const char *words)
{
    static char line[512]; /* options point into it */
    char name[] = "llmfp-scan";
    char *argv[MOST_WORDS] = {name};
    int argc = 1;
    snprintf(line, sizeof line, "%s", words);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        CU_ASSERT_FATAL(argc < MOST_WORDS);
        if (strcmp(word, "_") == 0) {
            word[0] = '\0';
        }
        argv[argc++] = word;
    }
    error = (struct llmfp_error){LLMFP_OK, "untouched"};
    options_clear(&options);
    return options_parse(argc, argv, &options, &error);
}

static bool parses(const char *words)
{
    const bool ok = parse(words) == LLMFP_OK && strcmp(error.text, "untouched") == 0;
    if (!ok) {
        printf("[%s] ", error.text);
    }
    return ok;
}

/* Whether parsing fails with a sentence that has the piece and points to help. */
static bool fails(const char *words, const char *piece)
{
    const enum llmfp_status status = parse(words);
    const char *ending = "; try \"llmfp-scan --help\"";
    const size_t length = strlen(error.text);
    const bool as_wanted = status == LLMFP_USAGE && error.status == LLMFP_USAGE &&
                           strstr(error.text, piece) != NULL && length > strlen(ending) &&
                           strcmp(error.text + length - strlen(ending), ending) == 0;
    if (!as_wanted) {
        printf("[%s: %d %s] ", words, (int)status, error.text);
    }
    return as_wanted;
}

static void defaults_are_those_of_the_contract(void)
{
    CU_ASSERT(parses("list.txt"));
    CU_ASSERT_STRING_EQUAL(options.manifest, "list.txt");
    CU_ASSERT_STRING_EQUAL(options.output, "llmfp.h5");
    CU_ASSERT_PTR_NULL(options.roles);
    CU_ASSERT_EQUAL(options.chunk_bytes, 0);
    CU_ASSERT_EQUAL(options.progress, PROGRESS_AUTO);
    CU_ASSERT_EQUAL(options.summary, OPTIONS_SUMMARY_TEXT);
    CU_ASSERT_FALSE(options.dry_run || options.resume || options.append || options.overwrite);
    CU_ASSERT_FALSE(options.strict || options.quiet || options.verbose || options.timings);
    CU_ASSERT_FALSE(options.help || options.version);
}

static void every_flag_sets_its_member(void)
{
    static const struct {
        const char *words;
        size_t member;
    } flags[] = {
        {"--dry-run m", offsetof(struct options, dry_run)},
        {"--resume m", offsetof(struct options, resume)},
        {"m --append", offsetof(struct options, append)},
        {"--overwrite m", offsetof(struct options, overwrite)},
        {"--strict m", offsetof(struct options, strict)},
        {"m --timings", offsetof(struct options, timings)},
        {"--quiet m", offsetof(struct options, quiet)},
        {"-q m", offsetof(struct options, quiet)},
        {"--verbose m", offsetof(struct options, verbose)},
        {"m -v", offsetof(struct options, verbose)},
        {"--help", offsetof(struct options, help)},
        {"-h", offsetof(struct options, help)},
        {"--version", offsetof(struct options, version)},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        CU_ASSERT(parses(flags[i].words));
        for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++) {
            const bool set = *(const bool *)((const char *)&options + flags[k].member);
            CU_ASSERT_EQUAL(set, flags[k].member == flags[i].member);
        }
    }
}

static void values_come_in_every_form(void)
{
    static const char *const forms[] = {"-o out.h5 m",       "-oout.h5 m",        "m -o out.h5",
                                        "--output out.h5 m", "m --output=out.h5", "m -qo out.h5",
                                        "-qoout.h5 m",       "-o a -o out.h5 m"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        CU_ASSERT(parses(forms[i]));
        CU_ASSERT_STRING_EQUAL(options.output, "out.h5");
        CU_ASSERT_STRING_EQUAL(options.manifest, "m");
    }
    CU_ASSERT(parses("--roles=attn.*,x=y m") && strcmp(options.roles, "attn.*,x=y") == 0);
    CU_ASSERT(parses("--roles --strict m") && strcmp(options.roles, "--strict") == 0);
    CU_ASSERT_FALSE(options.strict);
}

static void choices_are_words(void)
{
    static const char *const progress[] = {"auto", "bar", "plain", "none"};
    static const char *const summary[] = {"text", "json", "none"};
    char words[64];
    for (int i = 0; i < 4; i++) {
        snprintf(words, sizeof words, "--progress=%s m", progress[i]);
        CU_ASSERT(parses(words) && (int)options.progress == i);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(words, sizeof words, "m --summary %s", summary[i]);
        CU_ASSERT(parses(words) && (int)options.summary == i);
    }
    CU_ASSERT(fails("--progress=fancy m",
                    "--progress cannot be \"fancy\": give auto, bar, plain or none"));
    CU_ASSERT(fails("--summary JSON m", "--summary cannot be \"JSON\": give text, json or none"));
    CU_ASSERT(fails("--summary=tex m", "cannot be \"tex\""));
}

static void sizes_are_powers_of_1024(void)
{
    CU_ASSERT(parses("--chunk 4096 m") && options.chunk_bytes == 4096);
    CU_ASSERT(parses("--chunk=4K m") && options.chunk_bytes == 4096);
    CU_ASSERT(parses("--chunk=512k m") && options.chunk_bytes == 524288);
    CU_ASSERT(parses("--chunk=64M m") && options.chunk_bytes == UINT64_C(64) << 20);
    CU_ASSERT(parses("--chunk=3m m") && options.chunk_bytes == UINT64_C(3) << 20);
    CU_ASSERT(parses("--chunk=1G m") && options.chunk_bytes == UINT64_C(1) << 30);
    CU_ASSERT(parses("--chunk=1g m") && options.chunk_bytes == UINT64_C(1) << 30);
    CU_ASSERT(parses("--chunk=1048576K m") && options.chunk_bytes == UINT64_C(1) << 30);
    CU_ASSERT(parses("--chunk=0008K m") && options.chunk_bytes == 8192);
    CU_ASSERT(parses("--chunk=4097 m") && options.chunk_bytes == 4097);
}

static void refuses_other_sizes(void)
{
    static const char *const sizes[] = {"64X",
                                        "0",
                                        "-1",
                                        "-64M",
                                        "+64M",
                                        "2G",
                                        "1073741825",
                                        "1025M",
                                        "4095",
                                        "3K",
                                        "0M",
                                        "M",
                                        "64MB",
                                        "64MiB",
                                        "1.5M",
                                        "1e6",
                                        "0x1000",

                                        "KM",
                                        "64KK",
                                        "auto",
                                        "18446744073709551616",
                                        "18014398509481985K",
                                        "99999999999999999999999999999999G"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char words[64];
        char piece[64];
        snprintf(words, sizeof words, "--chunk=%s m", sizes[i]);
        snprintf(piece, sizeof piece, "\"%s\" is no size for --chunk: give bytes", sizes[i]);
        CU_ASSERT(fails(words, piece));
    }
}

static void standard_input_and_dashes(void)
{
    CU_ASSERT(parses("-") && strcmp(options.manifest, "-") == 0);
    CU_ASSERT(parses("-q - -o x") && strcmp(options.manifest, "-") == 0);
    CU_ASSERT(parses("-q -- --strict") && strcmp(options.manifest, "--strict") == 0);
    CU_ASSERT_FALSE(options.strict);
    CU_ASSERT(parses("-- -") && strcmp(options.manifest, "-") == 0);
    CU_ASSERT(fails("-- m -q", "more than one MANIFEST (\"m\" and \"-q\")"));
    CU_ASSERT(fails("m -- --", "more than one MANIFEST (\"m\" and \"--\")"));
}

static void refuses_unknown_options(void)
{
    CU_ASSERT(fails("--fast m", "unknown option \"--fast\";"));
    CU_ASSERT(fails("--out=x m", "unknown option \"--out=x\": write --output in full"));
    CU_ASSERT(fails("--re m", "unknown option \"--re\": write --resume in full"));
    CU_ASSERT(fails("--r m", "unknown option \"--r\";")); /* roles or resume */
    CU_ASSERT(fails("--outputs=x m", "unknown option \"--outputs=x\";"));
    CU_ASSERT(fails("--=x m", "unknown option \"--=x\";"));
    CU_ASSERT(fails("-x m", "unknown option \"-x\";"));
    CU_ASSERT(fails("-qx m", "unknown option in \"-qx\", at \"x\";"));
    CU_ASSERT(fails("-\x1b[1m m", "unknown option \"-\\x1b[1m\""));
    CU_ASSERT(fails("--\xff m", "unknown option \"--\\xff\""));
}

static void refuses_wrong_values(void)
{
    CU_ASSERT(fails("m -o", "--output needs a value: give --output FILE"));
    CU_ASSERT(fails("m --output", "--output needs a value"));
    CU_ASSERT(fails("m --output=", "--output needs a value"));
    CU_ASSERT(fails("m -o _", "--output needs a value"));
    CU_ASSERT(fails("m --roles", "--roles needs a value: give --roles LIST"));
    CU_ASSERT(fails("m --chunk", "--chunk needs a value: give --chunk SIZE"));
    CU_ASSERT(fails("m --progress=", "--progress needs a value"));
    CU_ASSERT(fails("m --strict=yes", "--strict takes no value, and \"yes\" was given"));
    CU_ASSERT(fails("m --help=", "--help takes no value"));
}

static void refuses_wrong_manifests(void)
{
    CU_ASSERT(fails("", "no MANIFEST is given"));
    CU_ASSERT(fails("-q --dry-run", "no MANIFEST is given"));
    CU_ASSERT(fails("--", "no MANIFEST is given"));
    CU_ASSERT(fails("_", "MANIFEST is an empty word"));
    CU_ASSERT(fails("a b", "more than one MANIFEST (\"a\" and \"b\")"));
    CU_ASSERT(fails("a -q b", "more than one MANIFEST"));
}

static void refuses_contradictions(void)
{
    CU_ASSERT(fails("--append --overwrite m", "--append and --overwrite exclude each other"));
    CU_ASSERT(fails("m --overwrite --append", "--append and --overwrite exclude each other"));
    CU_ASSERT(fails("--resume --append m", "--resume and --append exclude each other"));
    CU_ASSERT(fails("--overwrite m --resume", "--resume and --overwrite exclude each other"));
    CU_ASSERT(fails("--resume --append --overwrite m", "exclude each other"));
    CU_ASSERT(fails("-q -v m", "--quiet and --verbose exclude each other"));
    CU_ASSERT(fails("--verify x m", "--verify takes no MANIFEST (\"m\")"));
    CU_ASSERT(fails("--verify x --append", "--verify scans nothing"));
    CU_ASSERT(fails("--dry-run --verify x", "--verify scans nothing"));
    CU_ASSERT(fails("--with-checkpoints m", "--with-checkpoints belongs to --verify"));
    CU_ASSERT(fails("--verify", "--verify needs a value"));
    CU_ASSERT(parses("--verify x --with-checkpoints") && options.with_checkpoints);
    CU_ASSERT_STRING_EQUAL(options.verify, "x");
    CU_ASSERT(parses("--resume --dry-run m"));
    CU_ASSERT(parses("--resume --resume m"));
}

static void merges_and_parts(void)
{
    CU_ASSERT(parses("--merge a b -o c d") && options.merge && options.n_operands == 3);
    CU_ASSERT_STRING_EQUAL(options.operands[0], "a");
    CU_ASSERT_STRING_EQUAL(options.operands[2], "d");
    CU_ASSERT_STRING_EQUAL(options.output, "c");
    CU_ASSERT_PTR_NULL(options.manifest);
    CU_ASSERT(parses("a --merge --overwrite") && strcmp(options.output, "llmfp.h5") == 0);
    CU_ASSERT(fails("--merge", "--merge has nothing to merge"));
    CU_ASSERT(fails("--merge a _", "MANIFEST is an empty word"));
    CU_ASSERT(fails("--merge a --resume", "--merge reads results files only"));
    CU_ASSERT(fails("--merge a --roles x", "--merge reads results files only"));
    CU_ASSERT(fails("--merge a --part 1/2", "--merge reads results files only"));
    CU_ASSERT(fails("--merge --verify a", "--verify scans nothing"));
    CU_ASSERT(parses("--part 2/8 -o x m") && options.part[0] == 2 && options.part[1] == 8);
    CU_ASSERT(parses("--part=1/1 -o x m") && parses("--part=65536/65536 -o x m --resume"));
    CU_ASSERT(fails("--part 1/2 m", "--part needs --output"));
    CU_ASSERT(fails("--part 1/2 -o x m --append", "--part does not go with --append"));
    CU_ASSERT(fails("--part 1/2 -o x m --dry-run", "--part does not go with --dry-run"));
    CU_ASSERT(fails("--part 1/2 --verify x", "--verify scans nothing"));
    static const char *const wrong[] = {
        "0/2", "3/2",     "1",           "1/",   "/2",  "1/2/3", "1/0",  "1/x",
        "a/2", "1/65537", "65537/65537", "-1/2", "1-2", "+1/2",  "1/2x", "4294967297/4294967298"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char words[64];
        snprintf(words, sizeof words, "-o x m --part=%s", wrong[i]);
        CU_ASSERT(fails(words, "give K/N with 1 <= K <= N"));
    }
}

static void help_and_version_win(void)
{
    CU_ASSERT(parses("--help") && options.help);
    CU_ASSERT(parses("a --bogus --help") == false); /* the error came first */
    CU_ASSERT(parses("--append --overwrite a b --help") && options.help);
    CU_ASSERT(parses("--append --overwrite a --help --bogus") && options.help);
    CU_ASSERT(parses("--version --help") && options.version && !options.help);
}

static void program_may_have_no_name(void)
{
    char *argv[] = {NULL};
    CU_ASSERT_EQUAL(options_parse(0, argv, &options, &error), LLMFP_USAGE);
}

/* ---- texts ---- */

static char *read_all(FILE *stream)
{
    char *text = calloc(1, 1 << 16);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT(fread(text, 1, (1 << 16) - 1, stream) > 0);
    return text;
}

static char *help_text(void)
{
    FILE *stream = tmpfile();
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    options_help(stream);
    rewind(stream);
    char *text = read_all(stream);
    CU_ASSERT_EQUAL(fclose(stream), 0);
    return text;
}

static void help_fits_a_screen(void)
{
    char *text = help_text();
    int n_lines = 0;
    for (char *line = text; *line != '\0'; n_lines++) {
        const size_t length = strcspn(line, "\n");
        CU_ASSERT(length <= 80 && line[length] == '\n');
        line += length + 1;
    }
    CU_ASSERT(n_lines > 20 && n_lines <= 40);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  -o, --output FILE "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "      --chunk SIZE "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n  75  "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Example: mpirun "));
    free(text);
}

/* Drop the backslashes that roff wants before dashes. */
static void drop_backslashes(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\\') {
            *out++ = *at;
        }
    }
    *out = '\0';
}

static void man_page_and_completion_know_every_option(void)
{
    static const char *const files[] = {TEST_DATA "/../src/app/man/llmfp-scan.1",
                                        TEST_DATA "/../src/app/completion/llmfp-scan.bash"};
    char *help = help_text();
    for (size_t i = 0; i < 2; i++) {
        FILE *stream = fopen(files[i], "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
        char *text = read_all(stream);
        CU_ASSERT_EQUAL(fclose(stream), 0);
        drop_backslashes(text);
        int n_options = 0;
        for (const char *at = strstr(help, "--"); at != NULL; at = strstr(at + 2, "--")) {
            char name[32];
            size_t length = 2;
            while (isalpha((unsigned char)at[length]) || at[length] == '-') {
                length++;
            }
            snprintf(name, sizeof name, "%.*s", (int)length, at);
            CU_ASSERT_PTR_NOT_NULL(strstr(text, name));
            n_options++;
        }
        CU_ASSERT(n_options >= 15);
        free(text);
    }
    free(help);
}

TEST_PROGRAM("options", TEST(defaults_are_those_of_the_contract), TEST(every_flag_sets_its_member),
             TEST(values_come_in_every_form), TEST(choices_are_words),
             TEST(sizes_are_powers_of_1024), TEST(refuses_other_sizes),
             TEST(standard_input_and_dashes), TEST(refuses_unknown_options),
             TEST(refuses_wrong_values), TEST(refuses_wrong_manifests),
             TEST(refuses_contradictions), TEST(merges_and_parts), TEST(help_and_version_win),
             TEST(program_may_have_no_name), TEST(help_fits_a_screen),
             TEST(man_page_and_completion_know_every_option))
