/* bench_packed.c - how fast the kernels of quantised weights with scales in other tensors add
 * codes, in GB/s of the codes' bytes, by instruction set, beside memcpy of the same bytes.
 *
 *   bench_packed [MEBIBYTES [NAME [ISA]]]     (default: 64, all)
 * NAME is a part of the names of codes, ISA the only instruction set to measure.      */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "llmfp/encoding.h"
#include "llmfp/isa.h"
#include "llmfp/moments.h"
#include "random_bits.h"

/* Matrices of `INPUTS` inputs; as many outputs as fill the memory. Pieces are of the size that
 * a scan reads at a time. */
enum { MOST_VALUES = 512, INPUTS = 4096, BLOCK = 64, NESTED = 256, PIECE = 4 << 20 };

static void *get(size_t size_bytes)
{
    void *memory = malloc(size_bytes);
    if (memory == NULL) {
        fputs("bench_packed: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static void add_side(struct llmfp_sides *sides, enum llmfp_encoding_id encoding, const void *bytes,
                     size_t size_bytes)
{
    sides->side[sides->n].encoding = encoding;
    sides->side[sides->n].bytes = bytes;
    sides->side[sides->n].size_bytes = size_bytes;
    sides->n++;
}

/* Scales of about 2^-7, within some binades. */
static void add_scales(struct llmfp_sides *sides, enum llmfp_encoding_id encoding, size_t n)
{
    const size_t size = encoding == LLMFP_F32 ? 4 : 2;
    unsigned char *bytes = get(n * size);
    for (size_t i = 0; i < n; i++) {
        const float value =
            ldexpf(1.0F + (float)(random_bits() >> 40) * 0x1p-24F, -8 + (int)(random_bits() % 3));
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (encoding == LLMFP_F16) {
            bits = (bits >> 13 & 0x3FF) | ((bits >> 23) - 112) << 10;
        } else if (encoding == LLMFP_BF16) {
            bits >>= 16;
        }
        for (size_t k = 0; k < size; k++) {
            bytes[i * size + k] = (unsigned char)(bits >> 8 * k);
        }
    }
    add_side(sides, encoding, bytes, n * size);
}

static void add_zeros(struct llmfp_sides *sides, size_t n_bytes)
{
    unsigned char *bytes = get(n_bytes);
    memset(bytes, 0x77, n_bytes);
    add_side(sides, LLMFP_I32, bytes, n_bytes);
}

static void set_gptq(struct llmfp_sides *sides, uint64_t outputs, enum llmfp_encoding_id scales,
                     uint64_t group, bool mixed)
{
    const uint64_t groups = INPUTS / group;
    add_scales(sides, scales, groups * outputs);
    add_zeros(sides, groups * outputs / 2);
    sides->parameters[0] = INPUTS;
    sides->parameters[1] = outputs;
    sides->parameters[2] = group;
    sides->parameters[3] = 4 + 256;
    if (mixed) {
        unsigned char *bytes = get(4 * (size_t)INPUTS);
        memset(bytes, 0, 4 * (size_t)INPUTS);
        for (size_t i = 0; i < INPUTS; i++) {
            bytes[4 * i] = (unsigned char)(random_bits() % groups);
        }
        add_side(sides, LLMFP_I32, bytes, 4 * (size_t)INPUTS);
    }
}

static void set_awq(struct llmfp_sides *sides, uint64_t outputs, enum llmfp_encoding_id scales,
                    uint64_t group)
{
    add_scales(sides, scales, INPUTS / group * outputs);
    add_zeros(sides, INPUTS / group * outputs / 2);
    sides->parameters[0] = INPUTS;
    sides->parameters[1] = outputs;
    sides->parameters[2] = group;
}

static const float nf4[16] = {-1.0F,         -0.696192801F, -0.525073051F,  -0.394917488F,
                              -0.284441382F, -0.18477343F,  -0.0910500363F, 0.0F,
                              0.0795802996F, 0.160930201F,  0.246112302F,   0.337915242F,
                              0.44070983F,   0.562617004F,  0.722956836F,   1.0F};

static void add_map(struct llmfp_sides *sides, const float *values, size_t n)
{
    unsigned char *bytes = get(4 * n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (size_t k = 0; k < 4; k++) {
            bytes[4 * i + k] = (unsigned char)(bits >> 8 * k);
        }
    }
    add_side(sides, LLMFP_F32, bytes, 4 * n);
}

static void set_nf4(struct llmfp_sides *sides, uint64_t n_elements, bool nested)
{
    const size_t n_blocks = n_elements / BLOCK;
    unsigned char *bytes = get(n_blocks);
    if (nested) {
        for (size_t i = 0; i < n_blocks; i++) {
            bytes[i] = (unsigned char)(random_bits() >> 20);
        }
        add_side(sides, LLMFP_U8, bytes, n_blocks);
    } else {
        free(bytes);
        add_scales(sides, LLMFP_F32, n_blocks);
    }
    add_map(sides, nf4, 16);
    add_side(sides, LLMFP_U8, NULL, 0);
    sides->parameters[0] = n_elements;
    sides->parameters[1] = BLOCK;
    if (nested) { /* from -1 to 1, denser near 0, as bitsandbytes makes it */
        float map[256];
        for (int i = 0; i < 256; i++) {
            const float magnitude = powf(10.0F, -6.0F * (float)(128 - abs(i - 128)) / 128.0F);
            map[255 - i] = i < 128 ? magnitude : -magnitude;
        }
        const float offset = 0.0437F;
        uint32_t bits;
        memcpy(&bits, &offset, sizeof bits);
        add_scales(sides, LLMFP_F32, n_blocks / NESTED + 1);
        add_map(sides, map, 256);
        sides->parameters[2] = NESTED;
        sides->parameters[3] = bits;
    }
}

static void set_integer_rows(struct llmfp_sides *sides, uint64_t outputs,
                             enum llmfp_encoding_id scales, uint64_t group, unsigned bits)
{
    add_scales(sides, scales, INPUTS / group * outputs);
    add_side(sides, LLMFP_I64, NULL, 0);
    sides->parameters[0] = INPUTS;
    sides->parameters[1] = group;
    sides->parameters[2] = INPUTS / group | UINT64_C(1) << 32;
    sides->parameters[3] = bits;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_once(enum llmfp_encoding_id id, const struct llmfp_sides *sides,
                     const unsigned char *bytes, size_t n_bytes)
{
    static int64_t additive[MOST_VALUES];
    static int64_t extreme[LLMFP_N_EXTREMES];
    const struct llmfp_encoding *encoding = llmfp_encoding(id);
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, encoding);
    struct llmfp_moments moments = llmfp_moments_begin(&layout, additive, extreme);
    const uint64_t per_byte = id == LLMFP_INTEGER_ROWS ? 8 / (sides->parameters[3] & 0xFF) : 2;
    for (size_t i = 0; i < n_bytes; i += PIECE) {
        const size_t n = n_bytes - i < PIECE ? n_bytes - i : PIECE;
        const struct llmfp_elements elements = {bytes + i, n * per_byte, i * per_byte, sides};
        encoding->add(&moments, &elements);
    }
}

/* The best of several rounds: other programs share the machine. */
static double best_rate(enum llmfp_encoding_id id, const struct llmfp_sides *sides,
                        const unsigned char *bytes, unsigned char *copy, size_t n_bytes)
{
    double best = 0;
    int rounds = 0;
    for (const double end = now() + 0.4; rounds < 2 || now() < end; rounds++) {
        const double begin = now();
        if (copy != NULL) {
            memcpy(copy, bytes, n_bytes);
        } else {
            run_once(id, sides, bytes, n_bytes);
        }
        best = fmax(best, (double)n_bytes / (now() - begin) * 1e-9);
    }
    return best;
}

static const char *only_name = "";
static const char *only_isa = "";

static bool is_wanted(enum llmfp_isa isa)
{
    return llmfp_isa_is_supported(isa) &&
           (only_isa[0] == '\0' || strcmp(only_isa, llmfp_isa_name(isa)) == 0);
}

static void measure(const char *name, enum llmfp_encoding_id id, const struct llmfp_sides *sides,
                    const unsigned char *bytes, unsigned char *copy, size_t n_bytes)
{
    if (strstr(name, only_name) == NULL) {
        return;
    }
    printf("%-24s %8.1f", name, best_rate(id, sides, bytes, copy, n_bytes));
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        if (is_wanted((enum llmfp_isa)isa)) {
            setenv("LLMFP_ISA", llmfp_isa_name((enum llmfp_isa)isa), 1);
            printf(" %9.2f", best_rate(id, sides, bytes, NULL, n_bytes));
        }
    }
    putchar('\n');
    fflush(stdout);
}

static void measure_all(const unsigned char *bytes, unsigned char *copy, size_t n_bytes)
{
    const uint64_t outputs = 2 * n_bytes / INPUTS;
    struct llmfp_sides sides = {.n = 0};
    set_gptq(&sides, outputs, LLMFP_F16, 128, false);
    measure("GPTQ 128 F16", LLMFP_GPTQ, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_gptq(&sides, outputs, LLMFP_F16, 32, false);
    measure("GPTQ 32 F16", LLMFP_GPTQ, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_gptq(&sides, outputs, LLMFP_F32, 128, false);
    measure("GPTQ 128 F32", LLMFP_GPTQ, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_gptq(&sides, outputs, LLMFP_F16, 128, true);
    measure("GPTQ 128 F16 desc_act", LLMFP_GPTQ, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_awq(&sides, outputs, LLMFP_F16, 128);
    measure("AWQ 128 F16", LLMFP_AWQ, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_awq(&sides, outputs, LLMFP_BF16, 64);
    measure("AWQ 64 BF16", LLMFP_AWQ, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_nf4(&sides, 2 * n_bytes, false);
    measure("NF4", LLMFP_LOOKUP4, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_nf4(&sides, 2 * n_bytes, true);
    measure("NF4, nested", LLMFP_LOOKUP4, &sides, bytes, copy, n_bytes);
    sides = (struct llmfp_sides){.n = 0};
    set_integer_rows(&sides, outputs, LLMFP_BF16, 128, 4);
    measure("pack-quantized 4, 128", LLMFP_INTEGER_ROWS, &sides, bytes, copy, n_bytes);
}

int main(int argc, char **argv)
{
    const size_t n_bytes = (argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 64) << 20;
    only_name = argc > 2 ? argv[2] : "";
    only_isa = argc > 3 ? argv[3] : "";
    unsigned char *bytes = get(n_bytes);
    unsigned char *copy = get(n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = (unsigned char)(random_bits() >> 30);
    }
    printf("%-24s %8s", "codes", "memcpy");
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        if (is_wanted((enum llmfp_isa)isa)) {
            printf(" %9s", llmfp_isa_name((enum llmfp_isa)isa));
        }
    }
    puts("   (GB/s)");
    measure_all(bytes, copy, n_bytes);
    free(bytes);
    free(copy);
    return 0;
}
