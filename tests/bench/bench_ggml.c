/* bench_ggml.c - how fast the kernels of block encodings add, in GB/s: GGUF's types, and 8-bit
 * floats with a scale for each 128 x 128.
 *
 *   bench_ggml [--quick] [KIBIBYTES [NAME ...]]     (default: 4096, all)
 *
 * Codes are random. Scales are random too ("random"), or all the same ("equal").       */
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

enum { MOST_VALUES = 512, COLUMNS = 4096, RECTANGLE = 128 };

/* Where the binary16 scales of a block stand; -1: none. */
static const struct type {
    enum llmfp_encoding_id id;
    int scales[2];
} types[] = {
    {LLMFP_Q8_0, {0, -1}},   {LLMFP_Q4_K, {0, 2}},    {LLMFP_Q5_K, {0, 2}},
    {LLMFP_Q2_K, {80, 82}},  {LLMFP_Q3_K, {108, -1}}, {LLMFP_Q6_K, {208, -1}},
    {LLMFP_Q4_0, {0, -1}},   {LLMFP_Q4_1, {0, 2}},    {LLMFP_Q5_0, {0, -1}},
    {LLMFP_Q5_1, {0, 2}},    {LLMFP_Q8_1, {0, -1}},   {LLMFP_IQ4_NL, {0, -1}},
    {LLMFP_IQ4_XS, {0, -1}}, {LLMFP_TQ1_0, {52, -1}}, {LLMFP_TQ2_0, {64, -1}},
    {LLMFP_Q1_0, {0, -1}},   {LLMFP_Q2_0, {0, -1}},   {LLMFP_Q8_K, {-1, -1}},
    {LLMFP_MXFP4, {-1, -1}}, {LLMFP_NVFP4, {-1, -1}}, {LLMFP_F8_E4M3_SCALED, {-1, -1}},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

static uint32_t random_word(void)
{
    return (uint32_t)(random_bits() >> 32);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(const struct type *type, unsigned char *bytes, size_t n_bytes, bool equal)
{
    const size_t block_bytes = llmfp_encoding(type->id)->block_bytes;
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = (unsigned char)random_word();
        if (type->id == LLMFP_F8_E4M3_SCALED && (bytes[i] & 0x7F) == 0x7F) {
            bytes[i] ^= 1; /* no NaN */
        }
    }
    for (size_t i = 0; i + block_bytes <= n_bytes; i += block_bytes) {
        for (int s = 0; s < 2; s++) {
            if (type->scales[s] >= 0) {
                const uint32_t scale =
                    equal ? 0x2345U + 7U * (uint32_t)s : 0x1400U + random_word() % 0x1000;
                bytes[i + (size_t)type->scales[s]] = (unsigned char)scale;
                bytes[i + (size_t)type->scales[s] + 1] = (unsigned char)(scale >> 8);
            }
        }
        if (type->id == LLMFP_MXFP4) {
            bytes[i] = (unsigned char)(120 + (equal ? 0 : random_word() % 6));
        }
        if (type->id == LLMFP_Q8_K) {
            const float scale = equal ? 0.01F : (float)(random_word() % 1000 + 1) * 1e-5F;
            memcpy(bytes + i, &scale, sizeof scale);
        }
    }
}

/* Scales of all rectangles; 0.001 to 0.002, in no order. */
static float *make_scales(size_t n_bytes, bool equal, struct llmfp_sides *sides)
{
    const size_t rows = n_bytes / COLUMNS;
    const size_t n = (rows + RECTANGLE - 1) / RECTANGLE * (COLUMNS / RECTANGLE);
    float *scales = malloc((n > 0 ? n : 1) * sizeof *scales);
    for (size_t i = 0; scales != NULL && i < n; i++) {
        scales[i] = equal ? 0.0015F : 0.001F + (float)(random_word() % 1000) * 1e-6F;
    }
    *sides = (struct llmfp_sides){.parameters = {rows, COLUMNS, RECTANGLE, RECTANGLE}, .n = 1};
    sides->side[0].encoding = LLMFP_F32;
    sides->side[0].bytes = (const unsigned char *)scales;
    sides->side[0].size_bytes = n * sizeof *scales;
    return scales;
}

static void run_once(enum llmfp_encoding_id id, const unsigned char *bytes, size_t n_bytes,
                     const struct llmfp_sides *sides)
{
    static int64_t additive[MOST_VALUES];
    static int64_t extreme[LLMFP_N_EXTREMES];
    const struct llmfp_encoding *encoding = llmfp_encoding(id);
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, encoding);
    struct llmfp_moments moments = llmfp_moments_begin(&layout, additive, extreme);
    const size_t n =
        id == LLMFP_F8_E4M3_SCALED ? n_bytes / COLUMNS * COLUMNS : n_bytes / encoding->block_bytes;
    const struct llmfp_elements elements = {
        .bytes = bytes, .n_elements = n * encoding->block_elements, .sides = sides};
    encoding->add(&moments, &elements);
}

/* The best of several rounds: other programs share the machine. */
static double best_rate(enum llmfp_encoding_id id, const unsigned char *bytes, size_t n_bytes,
                        const struct llmfp_sides *sides, bool quick)
{
    double best = 0;
    const double end = now() + (quick ? 0.05 : 0.3);
    do {
        const double begin = now();
        run_once(id, bytes, n_bytes, sides);
        best = fmax(best, (double)n_bytes / (now() - begin) * 1e-9);
    } while (now() < end);
    return best;
}

static void measure(const struct type *type, unsigned char *bytes, size_t n_bytes, bool quick)
{
    printf("%-15s", llmfp_encoding(type->id)->name);
    for (int equal = 0; equal < 2; equal++) {
        struct llmfp_sides sides;
        float *scales = make_scales(n_bytes, equal != 0, &sides);
        fill(type, bytes, n_bytes, equal != 0);
        for (int isa = 0; isa < LLMFP_N_ISAS && scales != NULL; isa++) {
            if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
                setenv("LLMFP_ISA", llmfp_isa_name((enum llmfp_isa)isa), 1);
                printf(" %9.2f", best_rate(type->id, bytes, n_bytes, &sides, quick));
            }
        }
        free(scales);
    }
    putchar('\n');
    fflush(stdout);
}

static bool is_wanted(const char *name, int n, char **names)
{
    bool found = n <= 0;
    for (int i = 0; i < n; i++) {
        found = found || strcmp(name, names[i]) == 0;
    }
    return found;
}

int main(int argc, char **argv)
{
    const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const int first = quick ? 2 : 1;
    const size_t n_bytes = (first < argc ? (size_t)strtoul(argv[first], NULL, 10) : 4096) << 10;
    unsigned char *bytes = malloc(n_bytes > 0 ? n_bytes : 1);
    if (bytes == NULL) {
        fputs("bench_ggml: out of memory\n", stderr);
        return 1;
    }
    printf("%zu KiB, GB/s\n%-15s", n_bytes >> 10, "encoding");
    for (int equal = 0; equal < 2; equal++) {
        for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
            if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
                printf(" %9s", llmfp_isa_name((enum llmfp_isa)isa));
            }
        }
        fputs(equal != 0 ? "   (random, equal scales)\n" : "", stdout);
    }
    for (size_t i = 0; i < N_TYPES; i++) {
        if (is_wanted(llmfp_encoding(types[i].id)->name, argc - first - 1, argv + first + 1)) {
            measure(&types[i], bytes, n_bytes, quick);
        }
    }
    free(bytes);
    return 0;
}
