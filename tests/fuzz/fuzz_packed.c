/* fuzz_packed.c - the kernels of codes whose scales are in other tensors, of every instruction
 * set, against the portable ones: equal moments to the bit, at any alignment and any cut. Bytes
 * of the input: encoding, shape, kinds, where it is cut, how often the rest is repeated;
 * then data, from which codes and sides are taken alike. What a check refuses is left out. */
#include "fuzz.h"
#include "llmfp/encoding.h"
#include "llmfp/isa.h"
#include "llmfp/moments.h"

enum { HEAD_BYTES = 5, MOST_BYTES = 1 << 17, MOST_VALUES = 512 };

struct outcome {
    int64_t additive[MOST_VALUES];
    int64_t extreme[LLMFP_N_EXTREMES];
};

struct problem {
    enum llmfp_encoding_id id;
    struct llmfp_sides sides;
    unsigned char *memory[1 + LLMFP_MOST_SIDES]; /* codes, sides */
    uint64_t n_elements;
    uint64_t unit; /* elements between which a cut may be, and their bytes */
    uint64_t unit_bytes;
};

/* Bytes of the input, over and over, in memory of their own: none may be read beyond. */
static unsigned char *take(const uint8_t *data, size_t size, size_t n_bytes, size_t from)
{
    unsigned char *memory = malloc(n_bytes + 1);
    FUZZ_CHECK(memory != NULL);
    for (size_t i = 0; i < n_bytes; i++) {
        memory[i] = data[HEAD_BYTES + (from + i) % (size - HEAD_BYTES)];
    }
    return memory;
}

static unsigned char *add_side(struct problem *problem, const uint8_t *data, size_t size,
                               enum llmfp_encoding_id encoding, uint64_t n_bytes)
{
    struct llmfp_sides *sides = &problem->sides;
    unsigned char *bytes = take(data, size, (size_t)n_bytes, 7 + sides->n);
    problem->memory[1 + sides->n] = bytes;
    sides->side[sides->n].encoding = encoding;
    sides->side[sides->n].bytes = bytes;
    sides->side[sides->n].size_bytes = n_bytes;
    sides->n++;
    return bytes;
}

/* Scales and zero points of GPTQ and AWQ, and groups of inputs (GPTQ). */
static void make_groups(struct problem *problem, const uint8_t *data, size_t size, uint64_t n_bytes,
                        unsigned bits)
{
    static const enum llmfp_encoding_id types[] = {LLMFP_F16, LLMFP_BF16, LLMFP_F32};
    const enum llmfp_encoding_id scales = types[data[2] % 3];
    const uint64_t outputs = 32 * (1 + (uint64_t)data[1] % 16);
    const uint64_t inputs = n_bytes * 8 / bits / outputs / 32 * 32;
    const uint64_t group = 32 * (1 + (uint64_t)data[1] / 16);
    const uint64_t n_groups = (inputs + group - 1) / group;
    const uint64_t version = data[2] >= 128 ? 1 : 2;
    problem->n_elements = inputs * outputs;
    problem->sides.parameters[0] = inputs;
    problem->sides.parameters[1] = outputs;
    problem->sides.parameters[2] = group;
    problem->sides.parameters[3] = bits + 256 * version;
    add_side(problem, data, size, scales, n_groups * outputs * (scales == LLMFP_F32 ? 4 : 2));
    add_side(problem, data, size, LLMFP_I32, n_groups * outputs * bits / 8);
    if (problem->id == LLMFP_GPTQ && data[2] % 8 >= 4) {
        unsigned char *groups = add_side(problem, data, size, LLMFP_I32, 4 * inputs);
        for (uint64_t i = 0; i < inputs; i++) {
            const uint64_t one = groups[4 * i] % n_groups;
            groups[4 * i] = (unsigned char)one;
            groups[4 * i + 1] = (unsigned char)(one >> 8);
            groups[4 * i + 2] = groups[4 * i + 3] = 0;
        }
    }
}

static void make_gptq(struct problem *problem, const uint8_t *data, size_t size, uint64_t n_bytes)
{
    static const unsigned all_bits[] = {2, 3, 4, 8};
    const unsigned bits = all_bits[data[2] / 8 % 4];
    make_groups(problem, data, size, n_bytes, bits);
    const uint64_t outputs = problem->sides.parameters[1];
    problem->unit = bits == 3 ? 32 * outputs : 32 / bits;
    problem->unit_bytes = bits == 3 ? 12 * outputs : 4;
}

static void make_awq(struct problem *problem, const uint8_t *data, size_t size, uint64_t n_bytes)
{
    make_groups(problem, data, size, n_bytes, 4);
    problem->unit = 8;
    problem->unit_bytes = 4;
}

static void make_lookup(struct problem *problem, const uint8_t *data, size_t size, uint64_t n_bytes)
{
    const uint64_t block = data[1] % 4 == 0 ? 2 * (1 + (uint64_t)data[1]) : 64U << data[1] % 4;
    const uint64_t n = 2 * n_bytes;
    const uint64_t n_blocks = (n + block - 1) / block;
    const uint64_t nested = data[2];
    problem->n_elements = n;
    problem->unit = 2;
    problem->unit_bytes = 1;
    problem->sides.parameters[0] = n;
    problem->sides.parameters[1] = block;
    problem->sides.parameters[2] = nested;
    problem->sides.parameters[3] = UINT32_C(0x3D000000) | data[4];
    add_side(problem, data, size, nested != 0 ? LLMFP_U8 : LLMFP_F32,
             n_blocks * (nested != 0 ? 1 : 4));
    add_side(problem, data, size, LLMFP_F32, 64);
    add_side(problem, data, size, LLMFP_U8, 0);
    if (nested != 0) {
        add_side(problem, data, size, LLMFP_F32, 4 * (n_blocks / nested + 1));
        add_side(problem, data, size, LLMFP_F32, 1024);
    }
}

static void add_part(enum llmfp_isa isa, const struct problem *problem, uint64_t first, uint64_t n,
                     struct llmfp_moments *moments)
{
    FUZZ_CHECK(setenv("LLMFP_ISA", llmfp_isa_name(isa), 1) == 0);
    const struct llmfp_elements elements = {.bytes = problem->memory[0] +
                                                     first / problem->unit * problem->unit_bytes,
                                            .n_elements = n,
                                            .first_element = first,
                                            .sides = &problem->sides};
    llmfp_encoding(problem->id)->add(moments, &elements);
}

/* Settled moments, in two pieces. */
static void add_all(enum llmfp_isa isa, const struct problem *problem, uint64_t cut,
                    struct outcome *outcome)
{
    struct llmfp_moments_layout layout = {0};
    memset(outcome, 0, sizeof *outcome);
    llmfp_moments_layout_cover(&layout, llmfp_encoding(problem->id));
    FUZZ_CHECK(llmfp_moments_size(&layout) <= MOST_VALUES);
    struct llmfp_moments moments =
        llmfp_moments_begin(&layout, outcome->additive, outcome->extreme);
    add_part(isa, problem, 0, cut, &moments);
    if (cut < problem->n_elements) {
        add_part(isa, problem, cut, problem->n_elements - cut, &moments);
    }
    llmfp_moments_settle(&moments);
}

static void compare(const struct problem *problem, uint64_t cut)
{
    static struct outcome reference;
    static struct outcome outcome;
    struct llmfp_error error = {LLMFP_OK, ""};
    const struct llmfp_encoding *encoding = llmfp_encoding(problem->id);
    if (encoding->check != NULL && encoding->check(&problem->sides, &error) != LLMFP_OK) {
        return;
    }
    add_all(LLMFP_ISA_PORTABLE, problem, problem->n_elements, &reference);
    FUZZ_CHECK((uint64_t)reference.additive[LLMFP_COUNT] == problem->n_elements);
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
            add_all((enum llmfp_isa)isa, problem, cut, &outcome);
            FUZZ_CHECK(memcmp(&reference, &outcome, sizeof outcome) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= HEAD_BYTES) {
        return 0;
    }
    size_t n_bytes = (size - HEAD_BYTES) * ((size_t)data[4] + 1);
    n_bytes = n_bytes < MOST_BYTES ? n_bytes : MOST_BYTES;
    struct problem problem = {.id = LLMFP_GPTQ};
    problem.memory[0] = take(data, size, n_bytes, 0);
    if (data[0] % 3 == 0) {
        make_gptq(&problem, data, size, n_bytes);
    } else if (data[0] % 3 == 1) {
        problem.id = LLMFP_AWQ;
        make_awq(&problem, data, size, n_bytes);
    } else {
        problem.id = LLMFP_LOOKUP4;
        make_lookup(&problem, data, size, n_bytes);
    }
    if (problem.n_elements > 0) {
        compare(&problem, problem.n_elements / problem.unit * data[3] / 256 * problem.unit);
    }
    for (size_t i = 0; i < sizeof problem.memory / sizeof problem.memory[0]; i++) {
        free(problem.memory[i]);
    }
    return 0;
}
