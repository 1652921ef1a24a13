/* The pull reader of JSON: what it accepts, what it refuses and where, and that
 * strings and numbers come out as RFC 8259 says.                                */
#include "json_reader.h"

#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"

struct refusal {
    const char *text;
    size_t offset; /* where the problem is found */
    const char *word;
};

static struct llmfp_json skim(const char *text, size_t n_bytes)
{
    struct llmfp_json reader = llmfp_json_over(text, n_bytes);
    if (llmfp_json_skip(&reader)) {
        (void)llmfp_json_end(&reader);
    }
    return reader;
}

static void accepts_all_of_json(void)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " \t\r\n[ ] \n",
        "null",
        "true",
        "false",
        "\"\"",
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+5",
        "1.25e-10",
        "123456789012345678901234567890",
        "1e999",
        "[1,2,[3,{\"a\":[]}],{}]",
        "{\"a\":{\"b\":{\"c\":null}},\"a\":1}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uABCD\\uabcd\\ud834\\udd1e\"",
        "\"\x7f\xc2\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf\"",
        "{\"\":0}",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct llmfp_json reader = skim(good[i], strlen(good[i]));
        if (reader.problem != NULL) {
            printf("\n  %s: %s at %zu\n", good[i], reader.problem, reader.problem_offset);
        }
        CU_ASSERT_PTR_NULL(reader.problem);
        CU_ASSERT_EQUAL(reader.offset, strlen(good[i]));
        CU_ASSERT_EQUAL(reader.depth, 0);
    }
}

static void refuses_everything_else(void)
{
    static const struct refusal bad[] = {
        {"", 0, "ends where a value"},
        {"  ", 2, "ends where a value"},
        {"\xef\xbb\xbf{}", 0, "begins no JSON value"},
        {"[1,]", 3, "begins no JSON value"},
        {"[,1]", 1, "begins no JSON value"},
        {"[1 2]", 3, "comma"},
        {"[1", 2, "ends inside"},
        {"[", 1, "ends where a value"},
        {"[1}", 2, "comma"},
        {"{\"a\":1]", 6, "comma"},
        {"{\"a\":1,}", 7, "key"},
        {"{,}", 1, "key"},
        {"{a:1}", 1, "key"},
        {"{'a':1}", 1, "key"},
        {"{1:1}", 1, "key"},
        {"{\"a\"}", 4, "colon"},
        {"{\"a\" 1}", 5, "colon"},
        {"{\"a\":}", 5, "begins no JSON value"},
        {"{\"a\":1 \"b\":2}", 7, "comma"},
        {"{", 1, "key"},
        {"{}{}", 2, "more text"},
        {"{} x", 3, "more text"},
        {"1 1", 2, "more text"},
        {"/* */ 1", 0, "begins no JSON value"},
        {"1 // one", 2, "more text"},
        {"NaN", 0, "begins no JSON value"},
        {"Infinity", 0, "begins no JSON value"},
        {"-Infinity", 1, "digit"},
        {"+1", 0, "begins no JSON value"},
        {"016", 0, "leading zero"},
        {"-01", 0, "leading zero"},
        {"0x10", 1, "more text"},
        {".5", 0, "begins no JSON value"},
        {"5.", 2, "digit"},
        {"[5.]", 3, "digit"},
        {"1e", 2, "digit"},
        {"1e+", 3, "digit"},
        {"-", 1, "digit"},
        {"nul", 0, "true, false or null"},
        {"True", 0, "begins no JSON value"},
        {"tRUE", 0, "true, false or null"},
        {"falsy", 0, "true, false or null"},
        {"nulll", 4, "more text"},
        {"'a'", 0, "begins no JSON value"},
        {"\"a", 2, "ends inside a string"},
        {"\"a\tb\"", 2, "control character"},
        {"\"a\nb\"", 2, "control character"},
        {"\"\x1f\"", 1, "control character"},
        {"\"\\x41\"", 1, "escape"},
        {"\"\\", 1, "escape"},
        {"\"\\u12\"", 1, "hexadecimal"},
        {"\"\\u12G4\"", 1, "hexadecimal"},
        {"\"\\u", 1, "hexadecimal"},
        {"\"\\ud800\"", 1, "surrogate"},
        {"\"\\ud800x\"", 1, "surrogate"},
        {"\"\\ud800\\n\"", 1, "surrogate"},
        {"\"\\ud800\\ud800\"", 1, "surrogate"},
        {"\"\\ud800\\u0041\"", 1, "surrogate"},
        {"\"\\ud800\\u", 1, "surrogate"},
        {"\"\\udc00\"", 1, "surrogate"},
        {"\"\xff\"", 1, "UTF-8"},
        {"\"\xc0\xaf\"", 1, "UTF-8"},
        {"\"\xed\xa0\x80\"", 1, "UTF-8"},
        {"\"\xf4\x90\x80\x80\"", 1, "UTF-8"},
        {"\"\xe2\x82\"", 1, "UTF-8"},
        {"\"\xe2\x82", 1, "UTF-8"},
        {"[\xff]", 1, "begins no JSON value"},
        {"{\"\xff\":1}", 2, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct llmfp_json reader = skim(bad[i].text, strlen(bad[i].text));
        CU_ASSERT_PTR_NOT_NULL(reader.problem);
        if (reader.problem == NULL) {
            printf("\n  accepted: %s\n", bad[i].text);
            continue;
        }
        const int fine =
            strstr(reader.problem, bad[i].word) != NULL && reader.problem_offset == bad[i].offset;
        if (!fine) {
            printf("\n  %s: %s at %zu\n", bad[i].text, reader.problem, reader.problem_offset);
        }
        CU_ASSERT_TRUE(fine);
    }
    CU_ASSERT_STRING_EQUAL(skim("\"a\0b\"", 5).problem, "a raw control character in a string");
    CU_ASSERT_PTR_NOT_NULL(skim("1\0", 2).problem);
}

/* Every cut of a valid text is an error, and never reads past the cut. */
static void refuses_every_cut(void)
{
    static const char text[] =
        "{\"k\\u00e9\\ud834\\udd1e\": [true, -1.5e+3, {\"\xe2\x82\xac\": null}]}";
    const size_t n_bytes = sizeof text - 1;
    CU_ASSERT_PTR_NULL(skim(text, n_bytes).problem);
    for (size_t n = 0; n < n_bytes; n++) {
        char *exact = malloc(n + 1); /* the sanitizer sees a read behind n when n > 0 */
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        char *copy = n == 0 ? exact : realloc(exact, n);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, text, n);
        CU_ASSERT_PTR_NOT_NULL(skim(copy, n).problem);
        free(copy);
    }
}

static void bounds_the_depth(void)
{
    char text[2 * 200];
    for (size_t levels = 120; levels <= 200; levels++) {
        memset(text, '[', levels);
        memset(text + levels, ']', levels);
        const struct llmfp_json reader = skim(text, 2 * levels);
        if (levels <= 127) {
            CU_ASSERT_PTR_NULL(reader.problem);
        } else {
            CU_ASSERT_PTR_NOT_NULL_FATAL(reader.problem);
            CU_ASSERT_PTR_NOT_NULL(strstr(reader.problem, "nested"));
            CU_ASSERT_EQUAL(reader.problem_offset, 127);
        }
    }
}

static void gives_strings(void)
{
    static const struct {
        const char *text;
        const char *value;
        size_t n_bytes;
    } cases[] = {
        {"\"plain\"", "plain", 5},
        {"\"\"", "", 0},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\\u0041\\u00e9\\u20AC\\ud834\\udd1e\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e", 10},
        {"\"\\udbff\\udfff\\ud800\\udc00\\uffff\"", "\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xef\xbf\xbf",
         11},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"left\\nmiddle\\nright\"", "left\nmiddle\nright", 17},
        {"\"\\u007f\\u0080\\u07ff\\u0800\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80", 8},
    };
    struct llmfp_buffer scratch = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llmfp_json reader = llmfp_json_over(cases[i].text, strlen(cases[i].text));
        struct llmfp_json_text text = {0};
        CU_ASSERT_TRUE_FATAL(llmfp_json_string(&reader, &scratch, &text));
        CU_ASSERT_EQUAL_FATAL(text.n_bytes, cases[i].n_bytes);
        CU_ASSERT_EQUAL(memcmp(text.bytes, cases[i].value, text.n_bytes), 0);
        CU_ASSERT_TRUE(llmfp_json_end(&reader));
    }
    struct llmfp_json reader = llmfp_json_over("7", 1);
    struct llmfp_json_text text = {0};
    CU_ASSERT_FALSE(llmfp_json_string(&reader, &scratch, &text));
    CU_ASSERT_STRING_EQUAL(reader.problem, "not a string");
    llmfp_buffer_clear(&scratch);
}

static void gives_whole_numbers(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0}, {" 7", 7}, {"18446744073709551615", UINT64_MAX}, {"10000000000", 10000000000U}};
    static const char *const bad[] = {"-0",
                                      "-1",
                                      "1.0",
                                      "1e1",
                                      "1E1",
                                      "16.0",
                                      "1.6e1",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150",
                                      "00",
                                      "\"1\"",
                                      "true",
                                      "null",
                                      "[]",
                                      "{}",
                                      "",
                                      "x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct llmfp_json reader = llmfp_json_over(good[i].text, strlen(good[i].text));
        uint64_t value = 1;
        CU_ASSERT_TRUE(llmfp_json_u64(&reader, &value));
        CU_ASSERT_EQUAL(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct llmfp_json reader = llmfp_json_over(bad[i], strlen(bad[i]));
        uint64_t value = 1;
        CU_ASSERT_FALSE(llmfp_json_u64(&reader, &value));
        CU_ASSERT_PTR_NOT_NULL(reader.problem);
        CU_ASSERT_EQUAL(value, 1);
    }
}

static void walks_containers(void)
{
    static const char text[] = "{\"a\": [1, 2, 3], \"b\\u0063\": {\"d\": \"e\"}, \"f\": -2.5e1}";
    struct llmfp_json reader = llmfp_json_over(text, sizeof text - 1);
    struct llmfp_buffer scratch = {0};
    struct llmfp_json_text key = {0};
    uint64_t sum = 0;
    uint64_t value = 0;
    CU_ASSERT_EQUAL(llmfp_json_peek(&reader), LLMFP_JSON_OBJECT);
    CU_ASSERT_TRUE_FATAL(llmfp_json_enter(&reader));
    CU_ASSERT_TRUE_FATAL(llmfp_json_next_key(&reader, &scratch, &key));
    CU_ASSERT_TRUE(key.n_bytes == 1 && key.bytes[0] == 'a');
    CU_ASSERT_EQUAL(llmfp_json_peek(&reader), LLMFP_JSON_ARRAY);
    CU_ASSERT_TRUE(llmfp_json_enter(&reader));
    while (llmfp_json_next_item(&reader) && llmfp_json_u64(&reader, &value)) {
        sum = sum * 10 + value;
    }
    CU_ASSERT_EQUAL(sum, 123);
    CU_ASSERT_TRUE_FATAL(llmfp_json_next_key(&reader, &scratch, &key));
    CU_ASSERT_TRUE(key.n_bytes == 2 && memcmp(key.bytes, "bc", 2) == 0);
    CU_ASSERT_TRUE(llmfp_json_skip(&reader));
    CU_ASSERT_TRUE_FATAL(llmfp_json_next_key(&reader, &scratch, &key));
    CU_ASSERT_TRUE(llmfp_json_number(&reader, &key));
    CU_ASSERT_TRUE(key.n_bytes == 6 && memcmp(key.bytes, "-2.5e1", 6) == 0);
    CU_ASSERT_FALSE(llmfp_json_next_key(&reader, &scratch, &key));
    CU_ASSERT_PTR_NULL(reader.problem);
    CU_ASSERT_TRUE(llmfp_json_end(&reader));
    llmfp_buffer_clear(&scratch);
}

/* The first problem stays, and nothing is read any more. */
static void errors_are_sticky(void)
{
    struct llmfp_json reader = llmfp_json_over("[1] ", 4);
    struct llmfp_json_text text;
    uint64_t value;
    CU_ASSERT_FALSE(llmfp_json_refuse(&reader, 3, "first"));
    CU_ASSERT_FALSE(llmfp_json_refuse(&reader, 0, "second"));
    CU_ASSERT_EQUAL(llmfp_json_peek(&reader), LLMFP_JSON_BAD);
    CU_ASSERT_FALSE(llmfp_json_enter(&reader));
    CU_ASSERT_FALSE(llmfp_json_next_item(&reader));
    CU_ASSERT_FALSE(llmfp_json_next_key(&reader, NULL, &text));
    CU_ASSERT_FALSE(llmfp_json_string(&reader, NULL, &text));
    CU_ASSERT_FALSE(llmfp_json_number(&reader, &text));
    CU_ASSERT_FALSE(llmfp_json_u64(&reader, &value));
    CU_ASSERT_FALSE(llmfp_json_skip(&reader));
    CU_ASSERT_FALSE(llmfp_json_end(&reader));
    CU_ASSERT_STRING_EQUAL(reader.problem, "first");
    CU_ASSERT_EQUAL(reader.problem_offset, 3);
    CU_ASSERT_EQUAL(reader.offset, 0);
}

static void shows_an_excerpt(void)
{
    char out[16];
    const struct llmfp_json reader = llmfp_json_over("[\x01, 2, 3, 4, 5, 6, 7, 8]", 24);
    llmfp_json_excerpt(&reader, 19, out, sizeof out);
    CU_ASSERT_STRING_EQUAL(out, "7, 8]");
    llmfp_json_excerpt(&reader, 1, out, sizeof out);
    CU_ASSERT_STRING_EQUAL(out, "\\x01, 2, 3, ...");
    llmfp_json_excerpt(&reader, 99, out, sizeof out);
    CU_ASSERT_STRING_EQUAL(out, "");
}

TEST_PROGRAM("json_reader", TEST(accepts_all_of_json), TEST(refuses_everything_else),
             TEST(refuses_every_cut), TEST(bounds_the_depth), TEST(gives_strings),
             TEST(gives_whole_numbers), TEST(walks_containers), TEST(errors_are_sticky),
             TEST(shows_an_excerpt))
