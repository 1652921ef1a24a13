/* fuzz_configuration.c - config.json: sizes have bounds, texts end, and the same text gives
 * the same configuration.                                                               */
#include "fuzz.h"
#include "llmfp/configuration.h"

static void check_text(const char text[LLMFP_NAME_BYTES])
{
    FUZZ_CHECK(memchr(text, '\0', LLMFP_NAME_BYTES) != NULL);
    FUZZ_CHECK(llmfp_utf8_valid(text, strlen(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t most = UINT64_C(1) << 31;
    struct llmfp_error error = {LLMFP_OK, ""};
    static struct llmfp_configuration found;
    static struct llmfp_configuration again;
    char *text = fuzz_text(data, size);
    memset(&found, 0xA5, sizeof found);
    memset(&again, 0x5A, sizeof again);
    const enum llmfp_status status = llmfp_configuration_read(text, size, &found, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, "");
    } else {
        FUZZ_CHECK(llmfp_configuration_read(text, size, &again, &error) == LLMFP_OK);
        FUZZ_CHECK(memcmp(&found, &again, offsetof(struct llmfp_configuration, present)) == 0);
        /* Several files as one text begin with the byte 1, and none of them may give sizes. */
        FUZZ_CHECK(found.present || (size > 0 && data[0] == 1));
        check_text(found.architecture);
        check_text(found.model_type);
        const uint64_t sizes[] = {
            found.n_layers,  found.hidden,       found.heads,   found.kv_heads,
            found.head_size, found.feed_forward, found.experts, found.expert_feed_forward};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            FUZZ_CHECK(sizes[i] <= most);
        }
        FUZZ_CHECK(found.n_listed_layers <= LLMFP_LISTED_LAYERS);
    }
    free(text);
    return 0;
}
