/* fuzz_manifest.c - manifests: labels are unique and printable, messages name the line, and
 * other ranks get the same entries.                                                     */
#include "fuzz.h"
#include "llmfp/manifest.h"

/* A glob over the real file system would make the outcome depend on the machine. */
static bool may_look_around(const uint8_t *data, size_t size)
{
    bool slash = false;
    bool glob = false;
    for (size_t i = 0; i < size; i++) {
        slash = slash || data[i] == '/';
        glob = glob || data[i] == '*' || data[i] == '?' || data[i] == '[';
    }
    return slash && glob;
}

static void check_text(const char *text)
{
    FUZZ_CHECK(text != NULL && llmfp_utf8_valid(text, strlen(text)));
}

static void check_entries(const struct llmfp_manifest *manifest)
{
    FUZZ_CHECK(manifest->n_entries > 0);
    for (size_t i = 0; i < manifest->n_entries; i++) {
        const struct llmfp_manifest_entry *entry = &manifest->entries[i];
        FUZZ_CHECK(entry->label[0] != '\0' && fuzz_is_printable(entry->label));
        FUZZ_CHECK(entry->path[0] != '\0');
        check_text(entry->path);
        check_text(entry->family);
        check_text(entry->parent);
        FUZZ_CHECK(entry->line >= (i == 0 ? 1 : manifest->entries[i - 1].line));
        for (size_t j = 0; j < i && manifest->n_entries < 1000; j++) {
            FUZZ_CHECK(strcmp(manifest->entries[j].label, entry->label) != 0);
        }
    }
}

static void check_packing(const struct llmfp_manifest *manifest)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_buffer packed = {0};
    struct llmfp_buffer again = {0};
    struct llmfp_manifest copy = {0};
    llmfp_manifest_pack(manifest, &packed);
    struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
    FUZZ_CHECK(llmfp_manifest_unpack(&copy, &cursor, &error) == LLMFP_OK);
    llmfp_manifest_pack(&copy, &again);
    FUZZ_CHECK(packed.size_bytes == again.size_bytes);
    FUZZ_CHECK(memcmp(packed.bytes, again.bytes, packed.size_bytes) == 0);
    llmfp_manifest_clear(&copy);
    llmfp_buffer_clear(&packed);
    llmfp_buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (may_look_around(data, size)) {
        return 0;
    }
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_manifest manifest = {0};
    char *text = fuzz_text(data, size);
    const enum llmfp_status status =
        llmfp_manifest_parse(text, size, "list.txt", "no-such-folder", &manifest, &error);
    if (status == LLMFP_OK) {
        check_entries(&manifest);
        check_packing(&manifest);
    } else {
        fuzz_check_error(status, &error, LLMFP_USAGE, "list.txt");
        FUZZ_CHECK(manifest.n_entries == 0);
    }
    llmfp_manifest_clear(&manifest);
    /* Bytes that no rank has packed are refused, or are a manifest. */
    struct llmfp_cursor cursor = llmfp_cursor_over(data, size);
    if (llmfp_manifest_unpack(&manifest, &cursor, &error) == LLMFP_OK) {
        llmfp_manifest_clear(&manifest);
    }
    free(text);
    return 0;
}
