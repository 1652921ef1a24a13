/* superaccumulator.c - what exactness costs without our windows: each element, and its
 * exact square, is added to limbs on its own.
 *
 *   superaccumulator FILE OFFSET BYTES ENCODING       (BF16, F16, F32 or F64)
 *
 * The general-purpose exact method (a fixed-point accumulator as wide as the format, as
 * in Kulisch's long accumulator), over the product's own limb arithmetic. Prints bytes and
 * seconds of the summation, data in memory.                                              */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "float_bits.h"
#include "llmfp/encoding.h"
#include "llmfp/moments.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t load(const unsigned char *bytes, size_t size)
{
    return size == 2   ? llmfp_load_u16(bytes)
           : size == 4 ? llmfp_load_u32(bytes)
                       : llmfp_load_u64(bytes);
}

static void add_one(struct llmfp_moments *moments, uint64_t bits, int width, int mantissa_bits,
                    int bias)
{
    const uint64_t magnitude = bits & ((UINT64_C(1) << (width - 1)) - 1);
    const int biased = (int)(magnitude >> mantissa_bits);
    if (biased == (1 << (width - 1 - mantissa_bits)) - 1) {
        llmfp_moments_add_counts(moments, 1, 0, 1);
        return;
    }
    const uint64_t m = (magnitude & ((UINT64_C(1) << mantissa_bits) - 1)) |
                       (biased > 0 ? UINT64_C(1) << mantissa_bits : 0);
    const int exponent = (biased > 0 ? biased : 1) - bias - mantissa_bits;
    const llmfp_i128 value = bits >> (width - 1) != 0 ? -(llmfp_i128)m : (llmfp_i128)m;
    llmfp_moments_add_sum(moments, value, exponent);
    llmfp_moments_add_square(moments, (llmfp_u128)m * m, 2 * exponent);
    llmfp_moments_add_counts(moments, 1, m == 0, 0);
}

int main(int argc, char **argv)
{
    enum llmfp_encoding_id id;
    if (argc != 5 || !llmfp_encoding_find(argv[4], strlen(argv[4]), &id)) {
        (void)fprintf(stderr, "usage: superaccumulator FILE OFFSET BYTES BF16|F16|F32|F64\n");
        return 2;
    }
    const size_t offset = (size_t)strtoull(argv[2], NULL, 10);
    const size_t size_bytes = (size_t)strtoull(argv[3], NULL, 10);
    const int descriptor = open(argv[1], O_RDONLY);
    const unsigned char *map =
        mmap(NULL, offset + size_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (descriptor < 0 || map == MAP_FAILED) {
        (void)fprintf(stderr, "superaccumulator: cannot map %s\n", argv[1]);
        return 1;
    }
    const int mantissa_bits = id == LLMFP_BF16  ? 7
                              : id == LLMFP_F16 ? 10
                              : id == LLMFP_F32 ? 23
                                                : 52;
    const int bias = id == LLMFP_F16 ? 15 : id == LLMFP_F64 ? 1023 : 127;
    const size_t size = llmfp_encoding(id)->block_bytes;
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, llmfp_encoding(id));
    int64_t *additive = malloc(llmfp_moments_size(&layout) * sizeof *additive);
    int64_t extreme[LLMFP_N_EXTREMES];
    if (additive == NULL) {
        return 1;
    }
    struct llmfp_moments moments = llmfp_moments_begin(&layout, additive, extreme);
    unsigned touched = 0; /* bring the pages in before the clock runs */
    for (size_t at = offset; at < offset + size_bytes; at += 4096) {
        touched += map[at];
    }
    const double start_s = now_s() + (touched == UINT32_MAX ? 1e-9 : 0.0);
    for (size_t at = offset; at + size <= offset + size_bytes; at += size) {
        add_one(&moments, load(map + at, size), (int)(8 * size), mantissa_bits, bias);
    }
    llmfp_moments_settle(&moments);
    const double end_s = now_s();
    (void)printf("%zu %.6f\n", size_bytes, end_s - start_s);
    free(additive);
    return 0;
}
