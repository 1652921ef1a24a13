/* fuzz_roles.c - tensor names and shapes to roles. Input: a byte for the encoding, then three
 * lines: the name, the dimensions with commas between them, and config.json. Whatever they
 * are, the parts of a mapped tensor are exactly its elements.                           */
#include "fuzz.h"
#include "llmfp/catalog.h"
#include "llmfp/configuration.h"
#include "llmfp/plan.h"
#include "llmfp/roles.h"

enum { MOST_DIMENSIONS = 8 };

struct input {
    char *name;
    char *dimensions;
    char *configuration;
    uint64_t shape[MOST_DIMENSIONS];
    struct llmfp_tensor tensor;
};

static char *cut_line(char *text)
{
    char *end = strchr(text, '\n');
    if (end == NULL) {
        return text + strlen(text);
    }
    *end = '\0';
    return end + 1;
}

/* False for shapes whose elements no catalog would hold. */
static bool read_shape(struct input *input)
{
    char *place = input->dimensions;
    uint64_t elements = 1;
    uint64_t bytes;
    while (*place != '\0' && input->tensor.n_dimensions < MOST_DIMENSIONS) {
        char *end;
        const uint64_t dimension = strtoull(place, &end, 10);
        if (end == place || __builtin_mul_overflow(elements, dimension, &elements)) {
            return false;
        }
        input->shape[input->tensor.n_dimensions++] = dimension;
        place = *end == ',' ? end + 1 : end;
    }
    const struct llmfp_encoding *encoding = llmfp_encoding(input->tensor.encoding);
    if (__builtin_mul_overflow(elements, (uint64_t)encoding->block_bytes * 8, &bytes) ||
        elements % encoding->block_elements != 0) {
        return false;
    }
    input->tensor.shape = input->shape;
    input->tensor.n_elements = elements;
    input->tensor.data.size_bytes = elements / encoding->block_elements * encoding->block_bytes;
    return true;
}

static void check_mapping(const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping)
{
    FUZZ_CHECK((unsigned)mapping->reason < LLMFP_N_REASONS && mapping->rule != NULL);
    if (mapping->reason != LLMFP_SCANNED) {
        FUZZ_CHECK(mapping->n_parts == 0);
        return;
    }
    FUZZ_CHECK(mapping->n_parts > 0 && mapping->n_parts <= LLMFP_MAX_PARTS);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        const struct llmfp_part *part = &mapping->parts[i];
        FUZZ_CHECK(part->role != NULL && part->role[0] != '\0');
        FUZZ_CHECK(part->layer >= 0 && part->expert >= -1);
        FUZZ_CHECK(!__builtin_add_overflow(sum, part->run_elements, &sum));
    }
    FUZZ_CHECK(!__builtin_mul_overflow(sum, mapping->repeat, &sum));
    FUZZ_CHECK(sum == tensor->n_elements);
}

/* The same parts and reason a second time. */
static void check_again(const struct llmfp_configuration *configuration,
                        const struct llmfp_tensor *tensor, struct llmfp_arena *arena,
                        const struct llmfp_mapping *mapping)
{
    struct llmfp_mapping again;
    FUZZ_CHECK(llmfp_roles_map(configuration, tensor, arena, &again, NULL) == LLMFP_OK);
    FUZZ_CHECK(again.reason == mapping->reason && again.repeat == mapping->repeat);
    FUZZ_CHECK(again.n_parts == mapping->n_parts);
    for (uint32_t i = 0; i < again.n_parts; i++) {
        FUZZ_CHECK(strcmp(again.parts[i].role, mapping->parts[i].role) == 0);
        FUZZ_CHECK(again.parts[i].layer == mapping->parts[i].layer);
        FUZZ_CHECK(again.parts[i].run_elements == mapping->parts[i].run_elements);
    }
}

/* What the plan counts is what there is. */
static void check_plan(const struct llmfp_configuration *configuration, struct llmfp_tensor *tensor)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_plan plan = {0};
    struct llmfp_tally tally;
    struct llmfp_file file = {.path = "x", .size_bytes = UINT64_MAX};
    const struct llmfp_catalog catalog = {
        .files = &file, .n_files = 1, .tensors = tensor, .n_tensors = 1};
    const enum llmfp_status status =
        llmfp_plan_add(&plan, 0, configuration, &catalog, NULL, &tally, &error);
    if (status == LLMFP_OK) {
        FUZZ_CHECK(tally.parameters == tensor->n_elements);
        FUZZ_CHECK(tally.size_bytes == tensor->data.size_bytes);
        FUZZ_CHECK(tally.wanted_bytes == plan.stream_bytes);
        FUZZ_CHECK(plan.stream_bytes <= tensor->data.size_bytes);
        FUZZ_CHECK(llmfp_plan_finish(&plan, &error) == LLMFP_OK);
    } else {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, "");
    }
    llmfp_plan_clear(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct llmfp_configuration configuration;
    if (size == 0) {
        return 0;
    }
    struct input input = {.name = fuzz_text(data + 1, size - 1)};
    input.dimensions = cut_line(input.name);
    input.configuration = cut_line(input.dimensions);
    input.tensor.name = input.name;
    input.tensor.encoding = (enum llmfp_encoding_id)(data[0] % LLMFP_N_ENCODINGS);
    const char *text = input.configuration[0] == '\0' ? NULL : input.configuration;
    if (llmfp_utf8_valid(input.name, strlen(input.name)) && read_shape(&input) &&
        llmfp_configuration_read(text, strlen(input.configuration), &configuration, NULL) ==
            LLMFP_OK) {
        struct llmfp_arena arena = {0};
        struct llmfp_mapping mapping;
        FUZZ_CHECK(llmfp_roles_map(&configuration, &input.tensor, &arena, &mapping, NULL) ==
                   LLMFP_OK);
        check_mapping(&input.tensor, &mapping);
        check_again(&configuration, &input.tensor, &arena, &mapping);
        llmfp_arena_clear(&arena);
        check_plan(&configuration, &input.tensor);
    }
    free(input.name);
    return 0;
}
