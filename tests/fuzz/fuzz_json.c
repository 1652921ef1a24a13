/* fuzz_json.c - the JSON reader: skipping a value and pulling all of it agree, offsets stay
 * inside the text, and what comes out is valid UTF-8.                                    */
#include "fuzz.h"
#include "json_reader.h"

enum { MOST_VALUES = 1 << 20 };

struct walk {
    struct llmfp_json json;
    struct llmfp_buffer scratch;
    char closers[LLMFP_JSON_MOST_LEVELS];
    size_t depth;
    size_t n_values;
};

static void check_text(const struct llmfp_json_text *text)
{
    FUZZ_CHECK(text->bytes != NULL || text->n_bytes == 0);
    FUZZ_CHECK(text->n_bytes == 0 || llmfp_utf8_valid(text->bytes, text->n_bytes));
}

/* One scalar, or the opening of a container. */
static void pull_one(struct walk *walk)
{
    struct llmfp_json_text text = {0};
    const enum llmfp_json_kind kind = llmfp_json_peek(&walk->json);
    walk->n_values++;
    switch (kind) {
    case LLMFP_JSON_OBJECT:
    case LLMFP_JSON_ARRAY:
        if (llmfp_json_enter(&walk->json)) {
            walk->closers[walk->depth++] = kind == LLMFP_JSON_OBJECT ? '}' : ']';
        }
        break;
    case LLMFP_JSON_STRING:
        if (llmfp_json_string(&walk->json, &walk->scratch, &text)) {
            check_text(&text);
        }
        break;
    case LLMFP_JSON_NUMBER: {
        struct llmfp_json copy = walk->json;
        uint64_t value = 0;
        const bool is_number = llmfp_json_number(&walk->json, &text);
        if (llmfp_json_u64(&copy, &value)) {
            char digits[32];
            (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
            FUZZ_CHECK(is_number && text.n_bytes == strlen(digits));
            FUZZ_CHECK(memcmp(text.bytes, digits, text.n_bytes) == 0);
        }
        break;
    }
    case LLMFP_JSON_TRUE:
    case LLMFP_JSON_FALSE:
    case LLMFP_JSON_NULL:
        (void)llmfp_json_skip(&walk->json);
        break;
    case LLMFP_JSON_BAD:
        FUZZ_CHECK(walk->json.problem != NULL);
        break;
    }
}

static void pull_all(struct walk *walk)
{
    do {
        pull_one(walk);
        bool member = false;
        while (walk->json.problem == NULL && walk->depth > 0 && !member) {
            struct llmfp_json_text key = {0};
            if (walk->closers[walk->depth - 1] == '}') {
                member = llmfp_json_next_key(&walk->json, &walk->scratch, &key);
                check_text(&key);
            } else {
                member = llmfp_json_next_item(&walk->json);
            }
            walk->depth -= !member && walk->json.problem == NULL;
        }
        FUZZ_CHECK(walk->json.offset <= walk->json.n_bytes);
    } while (walk->json.problem == NULL && walk->depth > 0 && walk->n_values < MOST_VALUES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct llmfp_json skipping = llmfp_json_over((const char *)data, size);
    const bool accepted = llmfp_json_skip(&skipping) && llmfp_json_end(&skipping);
    FUZZ_CHECK(accepted == (skipping.problem == NULL));
    FUZZ_CHECK(skipping.offset <= size && skipping.problem_offset <= size);

    struct walk walk = {.json = llmfp_json_over((const char *)data, size)};
    pull_all(&walk);
    (void)llmfp_json_end(&walk.json);
    FUZZ_CHECK(accepted == (walk.json.problem == NULL));
    FUZZ_CHECK(skipping.problem_offset == walk.json.problem_offset);
    FUZZ_CHECK(skipping.depth == walk.json.depth);
    if (!accepted) {
        char excerpt[48];
        FUZZ_CHECK(strcmp(skipping.problem, walk.json.problem) == 0);
        llmfp_json_excerpt(&walk.json, walk.json.problem_offset, excerpt, sizeof excerpt);
        FUZZ_CHECK(fuzz_is_printable(excerpt));
    } else {
        /* A value that ends cannot go on: with its last byte missing, a container or a
         * string is refused. */
        size_t end = size;
        while (end > 0 && strchr(" \t\r\n", data[end - 1]) != NULL) {
            end--;
        }
        struct llmfp_json cut = llmfp_json_over((const char *)data, end - 1);
        const bool open = strchr("]}\"", data[end - 1]) != NULL;
        FUZZ_CHECK(!open || !(llmfp_json_skip(&cut) && llmfp_json_end(&cut)));
    }
    llmfp_buffer_clear(&walk.scratch);
    return 0;
}
