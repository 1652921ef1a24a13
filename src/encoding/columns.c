/* columns.c - sums of columns in plain C, and from their lanes to moments. */
#define TARGET
#include "columns_template.h"
#include "llmfp/isa.h"

static void add_nibbles(struct columns *columns, const unsigned char *bytes, size_t stride,
                        size_t n_rows, size_t n)
{
    struct lanes lanes;
    for (unsigned half = 0; half < 2; half++) {
        const size_t first = half * (size_t)COLUMNS_HALF;
        memcpy(lanes.zero_point, columns->zero_point + first, n);
        lanes_reset(&lanes, n);
        lanes_add(&lanes, bytes, stride, n_rows, n, 4 * half, 4);
        clear(columns, first, n);
        take_lanes(columns, first, &lanes, n, 1);
    }
}

void columns_finish_portable(struct column_sums *sums, const struct columns *columns, size_t first,
                             size_t n, unsigned count, enum llmfp_encoding_id scales)
{
    for (size_t c = first; c < first + n; c++) {
        const int64_t zero = columns->zero_point[c];
        const int64_t sum = columns->sum[c];
        const struct integers integers = {
            .n = count,
            .zeros = columns->zeros[c],
            .sum = sum - count * zero,
            .squares = columns->squares[c] - 2 * zero * sum + count * zero * zero,
            .least = columns->least[c] - zero,
            .largest = columns->largest[c] - zero,
        };
        scaled_bins_add_integers(&sums->bins, side_scale_of_pattern(scales, columns->scale[c]),
                                 &integers);
    }
}

static const struct columns_kernels portable = {add_words, add_inputs, add_nibbles,
                                                columns_finish_portable};

const struct columns_kernels *columns_kernels_chosen(void)
{
    switch (llmfp_isa_chosen()) {
#if defined(__x86_64__)
    case LLMFP_ISA_AVX2:
        return &columns_avx2;
    case LLMFP_ISA_AVX512:
        return &columns_avx512;
#endif
    default:
        return &portable;
    }
}

void column_sums_begin(struct column_sums *sums)
{
    scaled_bins_begin(&sums->bins, GROUPS_LOWEST, GROUPS_BINS);
    sums->spent = 0;
    memset(sums->sums, 0, sizeof sums->sums);
    memset(sums->squares, 0, sizeof sums->squares);
}

/* Exponents of a class of squares begin at twice those of the scales. */
void column_sums_carry(struct column_sums *sums)
{
    for (int class = 0; class < COLUMNS_CLASSES; class ++) {
        llmfp_i128 sum = 0;
        llmfp_i128 squares = 0;
        for (int lane = 0; lane < COLUMNS_LANES; lane++) {
            sum += sums->sums[class][lane];
            squares += sums->squares[class][lane];
        }
        if (squares != 0) {
            const int bin = class << COLUMNS_CLASS_SHIFT;
            scaled_bins_add_sum(&sums->bins, bin, sum);
            scaled_bins_add_square(&sums->bins, 2 * bin, squares);
            memset(sums->sums[class], 0, sizeof sums->sums[class]);
            memset(sums->squares[class], 0, sizeof sums->squares[class]);
        }
    }
    sums->spent = 0;
}

void column_sums_flush(struct column_sums *sums, struct llmfp_moments *moments)
{
    column_sums_carry(sums);
    scaled_bins_flush(&sums->bins, moments);
}
