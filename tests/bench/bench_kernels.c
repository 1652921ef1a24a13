/* bench_kernels.c - how fast each kernel adds each class of input, in GB/s, beside
 * memcpy of the same bytes in the same run.
 *
 *   bench_kernels [--quick] [ENCODING ...] [KIBIBYTES ...]     (default: all, 512 and 262144) */
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

enum { MOST_VALUES = 512 };

static double uniform(void)
{
    return (double)(random_bits() >> 11) * 0x1p-53;
}

static double gaussian(void)
{
    return 0.02 * sqrt(-2.0 * log(1.0 - uniform())) * cos(6.283185307179586 * uniform());
}

static double constant_value(size_t i)
{
    (void)i;
    return 1.0;
}
static double gaussian_value(size_t i)
{
    (void)i;
    return gaussian();
}
static double wide_value(size_t i)
{
    (void)i;
    return ldexp(1.0 + uniform(), (int)(random_bits() % 60) - 40) * (random_bits() % 2 ? 1 : -1);
}
static double subnormal_value(size_t i)
{
    (void)i;
    return gaussian() * 0x1p-126;
}
static double sorted_value(size_t i)
{
    return ((double)(i % 1048576) - 524288.0) * 0x1p-20;
}
static double alternating_value(size_t i)
{
    return fabs(gaussian()) * (i % 2 ? 1 : -1);
}
static double sparse_value(size_t i)
{
    (void)i;
    return uniform() < 0.3 ? 0.0 : gaussian();
}
static double outlier_value(size_t i)
{
    return i % 100 == 17 ? 60.0 : gaussian();
}
static double far_outlier_value(size_t i)
{
    return i % 100 == 17 ? 10000.0 : gaussian();
}

static const struct {
    const char *name;
    double (*value)(size_t i);
} classes[] = {
    {"gaussian", gaussian_value},
    {"constant", constant_value},
    {"60 binades", wide_value},
    {"subnormal", subnormal_value},
    {"sorted", sorted_value},
    {"alternating", alternating_value},
    {"30 % zeros", sparse_value},
    {"1 % outliers", outlier_value},
    {"1 % far outliers", far_outlier_value},
};

static void encode_f16(unsigned char *bytes, double value)
{
    const double magnitude = fmin(fabs(value), 65504.0);
    int exponent = 0;
    frexp(magnitude, &exponent);
    exponent = exponent < -13 ? -13 : exponent;
    uint32_t pattern = (uint32_t)lrint(ldexp(magnitude, 11 - exponent));
    pattern += (uint32_t)(exponent + 13) << 10;
    pattern = (pattern & 0x7FFF) | (value < 0 ? 0x8000U : 0U);
    bytes[0] = (unsigned char)pattern;
    bytes[1] = (unsigned char)(pattern >> 8);
}

static void encode(enum llmfp_encoding_id id, unsigned char *bytes, size_t i, double value)
{
    const float narrow = (float)value;
    switch (id) {
    case LLMFP_F64:
        memcpy(bytes + 8 * i, &value, 8);
        break;
    case LLMFP_F32:
        memcpy(bytes + 4 * i, &narrow, 4);
        break;
    case LLMFP_BF16:
        memcpy(bytes + 2 * i, (const unsigned char *)&narrow + 2, 2);
        break;
    case LLMFP_F16:
        encode_f16(bytes + 2 * i, value);
        break;
    default: { /* the upper byte of an F16: E5M2, and no worse a mix for the others */
        unsigned char pair[2];
        encode_f16(pair, value);
        bytes[i] = pair[1];
    }
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_once(enum llmfp_encoding_id id, const unsigned char *bytes, size_t n_bytes)
{
    static int64_t additive[MOST_VALUES];
    static int64_t extreme[LLMFP_N_EXTREMES];
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, llmfp_encoding(id));
    struct llmfp_moments moments = llmfp_moments_begin(&layout, additive, extreme);
    const struct llmfp_elements elements = {
        .bytes = bytes, .n_elements = n_bytes / llmfp_encoding(id)->block_bytes};
    llmfp_encoding(id)->add(&moments, &elements);
}

/* The best of several rounds: other programs share the machine. */
static double best_rate(enum llmfp_encoding_id id, const unsigned char *bytes, unsigned char *copy,
                        size_t n_bytes, bool quick)
{
    double best = 0;
    const double end = now() + (quick ? 0.05 : 0.3);
    do {
        const double begin = now();
        if (copy != NULL) {
            memcpy(copy, bytes, n_bytes);
        } else {
            run_once(id, bytes, n_bytes);
        }
        best = fmax(best, (double)n_bytes / (now() - begin) * 1e-9);
    } while (now() < end);
    return best;
}

/* Encodings and sizes that the command names; `quick` among them. */
struct request {
    bool quick;
    int n_names;
    const char *names[16];
};

static bool is_wanted(const struct request *request, const char *name)
{
    bool wanted = request->n_names == 0;
    for (int i = 0; i < request->n_names; i++) {
        wanted = wanted || strcmp(request->names[i], name) == 0;
    }
    return wanted;
}

static int measure(size_t n_bytes, const struct request *request)
{
    const bool quick = request->quick;
    static const enum llmfp_encoding_id ids[] = {LLMFP_BF16, LLMFP_F16,     LLMFP_F32,
                                                 LLMFP_F64,  LLMFP_F8_E5M2, LLMFP_F8_E4M3};
    unsigned char *bytes = malloc(n_bytes);
    unsigned char *copy = malloc(n_bytes);
    if (bytes == NULL || copy == NULL) {
        free(bytes);
        free(copy);
        fputs("bench_kernels: out of memory\n", stderr);
        return 1;
    }
    printf("%zu KiB\n%-8s %-17s %8s", n_bytes >> 10, "encoding", "class", "memcpy");
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
            printf(" %9s", llmfp_isa_name((enum llmfp_isa)isa));
        }
    }
    puts("   (GB/s)");
    for (size_t e = 0; e < sizeof ids / sizeof ids[0]; e++) {
        const size_t element_bytes = llmfp_encoding(ids[e])->block_bytes;
        if (!is_wanted(request, llmfp_encoding(ids[e])->name)) {
            continue;
        }
        for (size_t c = 0; c < sizeof classes / sizeof classes[0]; c++) {
            /* Made for the first mebibytes, then repeated. */
            const size_t n_made = n_bytes < (size_t)8 << 20 ? n_bytes : (size_t)8 << 20;
            for (size_t i = 0; i < n_made / element_bytes; i++) {
                encode(ids[e], bytes, i, classes[c].value(i));
            }
            for (size_t done = n_made; done < n_bytes; done += n_made) {
                memcpy(bytes + done, bytes, n_bytes - done < n_made ? n_bytes - done : n_made);
            }
            printf("%-8s %-17s %8.1f", llmfp_encoding(ids[e])->name, classes[c].name,
                   best_rate(ids[e], bytes, copy, n_bytes, quick));
            for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
                if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
                    setenv("LLMFP_ISA", llmfp_isa_name((enum llmfp_isa)isa), 1);
                    printf(" %9.2f", best_rate(ids[e], bytes, NULL, n_bytes, quick));
                }
            }
            putchar('\n');
            fflush(stdout);
        }
    }
    free(bytes);
    free(copy);
    return 0;
}

int main(int argc, char **argv)
{
    struct request request = {0};
    int n_sizes = 0;
    int status = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            request.quick = true;
        } else if (strtoul(argv[i], NULL, 10) == 0 && request.n_names < 16) {
            request.names[request.n_names++] = argv[i];
        }
    }
    for (int i = 1; i < argc; i++) {
        const size_t kibibytes = strtoul(argv[i], NULL, 10);
        if (kibibytes > 0) {
            status |= measure(kibibytes << 10, &request);
            n_sizes++;
        }
    }
    if (n_sizes == 0) {
        status = measure((size_t)512 << 10, &request) | measure((size_t)256 << 20, &request);
    }
    return status;
}
