/* inexact_sums.c - a baseline of the benchmark: sums of x and x^2 as people would write them
 * for speed, rounded at every step, over part of a file.
 *
 *   inexact_sums FILE START_BYTE BYTES BF16|F16|F32 mmap|pread [TIMES]
 *
 * Elements become doubles, and vectors of several accumulators add them; little-endian
 * machines only. Prints the sums, and seconds of processor time (user and system). */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LANES = 4, SETS = 4, BLOCK_BYTES = 1 << 20 };

typedef uint32_t words __attribute__((vector_size(4 * LANES)));
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef double doubles __attribute__((vector_size(8 * LANES)));

struct sums {
    double sum;
    double squares;
};

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2   __attribute__((target("avx2,fma,f16c")))
#define AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512vl")))
INLINE AVX2 doubles widen_avx2(floats values)
{
    return (doubles)_mm256_cvtps_pd((__m128)values);
}
INLINE AVX2 floats f16c_first(words pattern)
{
    return (floats)_mm_cvtph_ps((__m128i)pattern);
}
INLINE AVX2 floats f16c_second(words pattern)
{
    return (floats)_mm_cvtph_ps(_mm_unpackhi_epi64((__m128i)pattern, (__m128i)pattern));
}
#else
#define AVX2
#define AVX512
#define widen_avx2  widen_plain
#define f16c_first  f16_first
#define f16c_second f16_second
#endif

INLINE doubles widen_plain(floats values)
{
    return __builtin_convertvector(values, doubles);
}

INLINE words load(const unsigned char *bytes)
{
    words pattern;
    memcpy(&pattern, bytes, sizeof pattern);
    return pattern;
}

/* Floats of a vector: all, or half of the halves. */
INLINE floats f32_first(words pattern)
{
    return (floats)pattern;
}
INLINE floats bf16_first(words pattern)
{
    return (floats)(pattern << 16);
}
INLINE floats bf16_second(words pattern)
{
    return (floats)(pattern & 0xFFFF0000U);
}
/* Exponent and mantissa of a half are those of a float 2^112 times too small. */
INLINE floats f16_second(words pattern)
{
    return (floats)((pattern & 0x80000000U) | (pattern >> 3 & 0x0FFFE000U)) * 0x1p112F;
}
INLINE floats f16_first(words pattern)
{
    return f16_second(pattern << 16);
}

#define ADD(set, values)                                                                           \
    {                                                                                              \
        const doubles x = values;                                                                  \
        sum[set] += x;                                                                             \
        squares[set] += x * x;                                                                     \
    }
#define TOTAL                                                                                      \
    for (int i = 0; i < SETS * LANES; i++) {                                                       \
        sums->sum += sum[i / LANES][i % LANES];                                                    \
        sums->squares += squares[i / LANES][i % LANES];                                            \
    }
#define DEFINE_ADD(name, target, widen, half)                                                      \
    target static void name##_f32(struct sums *sums, const unsigned char *bytes, size_t n)         \
    {                                                                                              \
        doubles sum[SETS] = {{0}};                                                                 \
        doubles squares[SETS] = {{0}};                                                             \
        for (size_t i = 0; i + 64 <= n; i += 64) {                                                 \
            ADD(0, widen(f32_first(load(bytes + i))))                                              \
            ADD(1, widen(f32_first(load(bytes + i + 16))))                                         \
            ADD(2, widen(f32_first(load(bytes + i + 32))))                                         \
            ADD(3, widen(f32_first(load(bytes + i + 48))))                                         \
        }                                                                                          \
        TOTAL                                                                                      \
    }                                                                                              \
    DEFINE_ADD_HALVES(name##_bf16, bf16, target, widen)                                            \
    DEFINE_ADD_HALVES(name##_f16, half, target, widen)
#define DEFINE_ADD_HALVES(name, format, target, widen)                                             \
    target static void name(struct sums *sums, const unsigned char *bytes, size_t n)               \
    {                                                                                              \
        doubles sum[SETS] = {{0}};                                                                 \
        doubles squares[SETS] = {{0}};                                                             \
        for (size_t i = 0; i + 32 <= n; i += 32) {                                                 \
            ADD(0, widen(format##_first(load(bytes + i))))                                         \
            ADD(1, widen(format##_second(load(bytes + i))))                                        \
            ADD(2, widen(format##_first(load(bytes + i + 16))))                                    \
            ADD(3, widen(format##_second(load(bytes + i + 16))))                                   \
        }                                                                                          \
        TOTAL                                                                                      \
    }

DEFINE_ADD(plain, , widen_plain, f16)
DEFINE_ADD(avx2, AVX2, widen_avx2, f16c)
DEFINE_ADD(avx512, AVX512, widen_avx2, f16c)

struct way {
    const char *encoding;
    void (*add[3])(struct sums *sums, const unsigned char *bytes, size_t n_bytes);
};

static const struct way ways[] = {{"BF16", {plain_bf16, avx2_bf16, avx512_bf16}},
                                  {"F16", {plain_f16, avx2_f16, avx512_f16}},
                                  {"F32", {plain_f32, avx2_f32, avx512_f32}}};

static void add(const struct way *way, struct sums *sums, const unsigned char *bytes,
                size_t n_bytes)
{
    int isa = 0;
#if defined(__x86_64__)
    /* No processor has AVX2 without F16C. */
    isa += __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    isa += __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
#endif
    way->add[isa](sums, bytes, n_bytes);
}

static int by_mmap(const struct way *way, int file, size_t start, size_t n_bytes, struct sums *sums)
{
    const size_t before = start % 4096;
    unsigned char *bytes =
        mmap(NULL, n_bytes + before, PROT_READ, MAP_SHARED, file, (off_t)(start - before));
    if (bytes == MAP_FAILED) {
        return 1;
    }
    add(way, sums, bytes + before, n_bytes);
    return munmap(bytes, n_bytes + before);
}

static int by_pread(const struct way *way, int file, size_t start, size_t n_bytes,
                    struct sums *sums)
{
    unsigned char *block = malloc(BLOCK_BYTES);
    size_t n_done = 0;
    while (block != NULL && n_done < n_bytes) {
        const size_t n = n_bytes - n_done < BLOCK_BYTES ? n_bytes - n_done : BLOCK_BYTES;
        if (pread(file, block, n, (off_t)(start + n_done)) != (ssize_t)n) {
            break;
        }
        add(way, sums, block, n);
        n_done += n;
    }
    free(block);
    return n_done < n_bytes;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

int main(int argc, char **argv)
{
    const struct way *way = NULL;
    for (size_t i = 0; argc >= 6 && i < sizeof ways / sizeof ways[0]; i++) {
        way = strcmp(argv[4], ways[i].encoding) == 0 ? &ways[i] : way;
    }
    const int file = way != NULL ? open(argv[1], O_RDONLY) : -1;
    if (file < 0) {
        (void)fprintf(
            stderr, "usage: inexact_sums FILE START_BYTE BYTES BF16|F16|F32 mmap|pread [TIMES]\n");
        return 2;
    }
    const size_t start = (size_t)strtoull(argv[2], NULL, 10);
    const size_t n_bytes = (size_t)strtoull(argv[3], NULL, 10);
    const long times = argc > 6 ? strtol(argv[6], NULL, 10) : 1;
    struct sums sums = {0, 0};
    int status = 0;
    for (long i = 0; i < times && status == 0; i++) {
        status =
            (strcmp(argv[5], "mmap") == 0 ? by_mmap : by_pread)(way, file, start, n_bytes, &sums);
    }
    if (status != 0) {
        perror(argv[1]);
        return 1;
    }
    close(file);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    (void)printf("%.17g %.17g %.6f\n", sums.sum, sums.squares,
                 seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    return 0;
}
