/* test_named_texts.c - several files as one text, one alone, and bytes that are neither. */
#include <string.h>

#include "cunit_main.h"
#include "named_texts.h"

static void finds(const char *texts, size_t n_bytes, const char *name, const char *expected)
{
    size_t found_bytes = 77;
    const char *found = llmfp_named_texts_find(texts, n_bytes, "alone", name, &found_bytes);
    if (expected == NULL) {
        CU_ASSERT_PTR_NULL(found);
        return;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    CU_ASSERT_EQUAL_FATAL(found_bytes, strlen(expected));
    CU_ASSERT(memcmp(found, expected, found_bytes) == 0);
}

static void puts_and_finds(void)
{
    struct llmfp_buffer buffer = {0};
    llmfp_named_texts_put(&buffer, "a.json", "{\"a\": 1}\n", 9);
    llmfp_named_texts_put(&buffer, "empty", "", 0);
    llmfp_named_texts_put(&buffer, "hostile", "\1a.json 1\nx", 11);
    llmfp_named_texts_put(&buffer, "last", "\n\n", 2);
    CU_ASSERT_FALSE_FATAL(buffer.failed);
    const char *texts = (const char *)buffer.bytes;
    finds(texts, buffer.size_bytes, "a.json", "{\"a\": 1}\n");
    finds(texts, buffer.size_bytes, "empty", "");
    finds(texts, buffer.size_bytes, "hostile", "\1a.json 1\nx");
    finds(texts, buffer.size_bytes, "last", "\n\n");
    finds(texts, buffer.size_bytes, "alone", NULL);
    finds(texts, buffer.size_bytes, "a", NULL);
    finds(texts, buffer.size_bytes, "a.json ", NULL);
    for (size_t n = 1; n < buffer.size_bytes; n++) {
        finds(texts, n, "last", NULL);
    }
    llmfp_buffer_clear(&buffer);
}

static void one_alone(void)
{
    finds("{}", 2, "alone", "{}");
    finds("{}", 2, "other", NULL);
    finds("", 0, "alone", "");
    finds("", 0, "other", NULL);
}

static void refuses_other_bytes(void)
{
    static const char *const wrong[] = {
        "\1",          "\1last",        "\1last\n",     "\1last \n",
        "\1last 1\n",  "\1last 01x\nz", "\1last -1\nz", "\1last 18446744073709551617\nz",
        "\1a 1\nxx\n", "\1a 1\nx{}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        finds(wrong[i], strlen(wrong[i]), "last", NULL);
    }
}

TEST_PROGRAM("named texts", TEST(puts_and_finds), TEST(one_alone), TEST(refuses_other_bytes))
