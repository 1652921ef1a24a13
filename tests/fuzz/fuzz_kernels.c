/* fuzz_kernels.c - the kernels of every instruction set against the portable ones: equal
 * moments to the bit, at any alignment and any cut. Bytes of the input: encoding, alignment,
 * how often the rest is repeated (windows follow long inputs), where it is cut; then data. */
#include "fuzz.h"
#include "llmfp/encoding.h"
#include "llmfp/isa.h"
#include "llmfp/moments.h"

enum { HEAD_BYTES = 4, MOST_ALIGNMENT = 64, MOST_BYTES = 1 << 17, MOST_VALUES = 512 };

struct outcome {
    int64_t additive[MOST_VALUES];
    int64_t extreme[LLMFP_N_EXTREMES];
};

static void add_part(enum llmfp_isa isa, const struct llmfp_encoding *encoding,
                     const unsigned char *bytes, uint64_t first, uint64_t n,
                     struct llmfp_moments *moments)
{
    FUZZ_CHECK(setenv("LLMFP_ISA", llmfp_isa_name(isa), 1) == 0);
    const struct llmfp_elements elements = {.bytes = bytes + first / encoding->block_elements *
                                                                 encoding->block_bytes,
                                            .n_elements = n,
                                            .first_element = first};
    encoding->add(moments, &elements);
}

/* Settled moments of n elements, in one piece or in two that are merged. */
static void add_all(enum llmfp_isa isa, const struct llmfp_encoding *encoding,
                    const unsigned char *bytes, uint64_t n, uint64_t cut, struct outcome *outcome)
{
    static struct outcome second;
    struct llmfp_moments_layout layout = {0};
    memset(outcome, 0, sizeof *outcome);
    llmfp_moments_layout_cover(&layout, encoding);
    FUZZ_CHECK(llmfp_moments_size(&layout) <= MOST_VALUES);
    struct llmfp_moments moments =
        llmfp_moments_begin(&layout, outcome->additive, outcome->extreme);
    add_part(isa, encoding, bytes, 0, cut, &moments);
    if (cut < n) {
        struct llmfp_moments rest = llmfp_moments_begin(&layout, second.additive, second.extreme);
        add_part(isa, encoding, bytes, cut, n - cut, &rest);
        llmfp_moments_merge(&moments, &rest);
    }
    llmfp_moments_settle(&moments);
}

static void compare(const struct llmfp_encoding *encoding, const unsigned char *bytes, uint64_t n,
                    uint64_t cut)
{
    static struct outcome reference;
    static struct outcome outcome;
    add_all(LLMFP_ISA_PORTABLE, encoding, bytes, n, n, &reference);
    FUZZ_CHECK((uint64_t)reference.additive[LLMFP_COUNT] == n);
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
            add_all((enum llmfp_isa)isa, encoding, bytes, n, n, &outcome);
            FUZZ_CHECK(memcmp(&reference, &outcome, sizeof outcome) == 0);
            add_all((enum llmfp_isa)isa, encoding, bytes, n, cut, &outcome);
            FUZZ_CHECK(memcmp(&reference, &outcome, sizeof outcome) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= HEAD_BYTES) {
        return 0;
    }
    const struct llmfp_encoding *encoding =
        llmfp_encoding((enum llmfp_encoding_id)(data[0] % LLMFP_N_ENCODINGS));
    const size_t alignment = data[1] % MOST_ALIGNMENT;
    const size_t once = size - HEAD_BYTES;
    size_t bytes = once * ((size_t)data[2] + 1);
    bytes = bytes < MOST_BYTES ? bytes : MOST_BYTES;
    const uint64_t n = bytes / encoding->block_bytes * encoding->block_elements;
    /* Encodings that need sides have targets of their own formats. */
    unsigned char *memory = malloc(alignment + bytes + 1);
    FUZZ_CHECK(memory != NULL);
    for (size_t i = 0; i < bytes; i++) {
        memory[alignment + i] = data[HEAD_BYTES + i % once];
    }
    if (encoding->add != NULL && encoding->check == NULL) {
        const uint64_t blocks = n / encoding->block_elements;
        compare(encoding, memory + alignment, n, blocks * data[3] / 256 * encoding->block_elements);
    }
    free(memory);
    return 0;
}
