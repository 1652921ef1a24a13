/* float16_bins.c - sums of 16-bit floats by their upper bytes. See float16_bins.h for the
 * bounds. */
#include "float16_bins.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

enum {
    NEGATIVE = 128, /* bins from here on */
    AHEAD = 8192,   /* bytes that are fetched ahead: a block of float16_windows.c */
    BF16_MANTISSA = 7,
    BF16_MOST = 1 << 18, /* elements a copy */
    BF16_SUM = 36,       /* where fields begin */
    F16_MOST = 1 << 13,
    F16_SUM = 29,
    F16_COUNT = 50
};
_Static_assert(FLOAT16_MOST_BINNED / FLOAT16_BIN_COPIES <= F16_MOST, "one addition fits");
_Static_assert(FLOAT16_MOST_BINNED <= UINT16_MAX, "zeros of one addition");

static bool is_bf16(const struct float16_bins *bins)
{
    return bins->format->mantissa_bits == BF16_MANTISSA;
}

void llmfp_float16_bins_begin(struct float16_bins *bins, const struct float_format *format)
{
    bins->format = format;
    bins->count = 0;
    bins->zeros = 0;
    bins->nonfinite = 0;
}

static void prepare(struct float16_bins *bins)
{
    for (uint64_t low = 0; low < 256; low++) {
        const uint64_t v = low < 128 ? low + 128 : 2 * low; /* with the hidden bit */
        bins->word[low] = is_bf16(bins) ? v << BF16_SUM | v * v
                                        : UINT64_C(1) << F16_COUNT | low << F16_SUM | low * low;
    }
    bins->n_packed = 0;
    memset(bins->packed, 0, sizeof bins->packed);
    memset(bins->sums, 0, sizeof bins->sums);
}

/* ---- what the bins hold ---- */

static void fold_bf16_bin(struct float16_bins *bins, uint32_t bin)
{
    const size_t biased = (size_t)2 * (bin % NEGATIVE);
    struct float16_bin_sums *sums = &bins->sums[biased];
    int64_t sum = 0;
    for (int c = 0; c < FLOAT16_BIN_COPIES; c++) {
        const uint64_t word = bins->packed[c][bin];
        sum += (int64_t)(word >> BF16_SUM);
        sums->squares += word & ((UINT64_C(1) << BF16_SUM) - 1);
    }
    sums->sum += bin < NEGATIVE ? sum : -sum;
}

static void fold_f16_bin(struct float16_bins *bins, uint32_t bin)
{
    uint64_t count = 0;
    uint64_t sum = 0;
    uint64_t squares = 0;
    for (int c = 0; c < FLOAT16_BIN_COPIES; c++) {
        const uint64_t word = bins->packed[c][bin];
        count += word >> F16_COUNT;
        sum += word >> F16_SUM & ((UINT64_C(1) << (F16_COUNT - F16_SUM)) - 1);
        squares += word & ((UINT64_C(1) << F16_SUM) - 1);
    }
    const uint32_t biased = bin % NEGATIVE / 4;
    const uint64_t base = (biased > 0 ? 1024U : 0U) + bin % 4 * 256U;
    if (biased == 31) {
        bins->nonfinite += count;
        return;
    }
    const int64_t total = (int64_t)(sum + base * count);
    bins->sums[biased].sum += bin < NEGATIVE ? total : -total;
    bins->sums[biased].squares += squares + 2 * base * sum + base * base * count;
}

/* Bins whose elements are looked at one by one. */
static bool is_edge(const struct float16_bins *bins, uint32_t bin)
{
    return bin % NEGATIVE == 0 || (is_bf16(bins) && bin % NEGATIVE == NEGATIVE - 1);
}

static void fold(struct float16_bins *bins)
{
    for (uint32_t bin = 0; bin < FLOAT16_BINS; bin++) {
        if (!is_bf16(bins)) {
            fold_f16_bin(bins, bin);
        } else if (!is_edge(bins, bin)) {
            fold_bf16_bin(bins, bin);
        }
    }
    memset(bins->packed, 0, sizeof bins->packed);
    bins->n_packed = 0;
}

/* ---- elements ---- */

static inline void add_four(struct float16_bins *restrict bins, const unsigned char *restrict bytes)
{
    const uint64_t *word = bins->word;
    const uint64_t four = llmfp_load_u64(bytes);
    bins->packed[0][bytes[1]] += word[four & 0xFF];
    bins->packed[1][bytes[3]] += word[four >> 16 & 0xFF];
    bins->packed[2][bytes[5]] += word[four >> 32 & 0xFF];
    bins->packed[3][four >> 56] += word[bytes[6]];
}

static void add_packed(struct float16_bins *restrict bins, const unsigned char *restrict bytes,
                       size_t n)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __builtin_prefetch(bytes + 2 * i + AHEAD);
        for (size_t k = 0; k < 32; k += 4) {
            add_four(bins, bytes + 2 * (i + k));
        }
    }
    for (; i + 4 <= n; i += 4) {
        add_four(bins, bytes + 2 * i);
    }
    for (size_t c = 0; i < n; i++, c++) {
        bins->packed[c][bytes[2 * i + 1]] += bins->word[bytes[2 * i]];
    }
}

/* Grows with every element in the bins at the edges: what each adds to the highest field of a
 * word is not 0. */
static uint64_t edge_total(const struct float16_bins *bins)
{
    static const uint8_t edges[] = {0, NEGATIVE, NEGATIVE - 1, 2 * NEGATIVE - 1};
    uint64_t total = 0;
    for (int i = 0; i < (is_bf16(bins) ? 4 : 2); i++) {
        for (int c = 0; c < FLOAT16_BIN_COPIES; c++) {
            total += bins->packed[c][edges[i]] >> (is_bf16(bins) ? BF16_SUM : F16_COUNT);
        }
    }
    return total;
}

static uint64_t count_zeros(const unsigned char *bytes, size_t n)
{
    uint16_t zeros = 0; /* as narrow as elements, for compilers' vectors */
    for (size_t i = 0; i < n; i++) {
        const uint16_t magnitude = (uint16_t)(llmfp_load_u16(bytes + 2 * i) << 1);
        zeros = (uint16_t)(zeros + (magnitude == 0));
    }
    return zeros;
}

/* BF16 whose bins are at the edges. */
static void add_edges(struct float16_bins *bins, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t pattern = llmfp_load_u16(bytes + 2 * i);
        const uint32_t biased = pattern >> BF16_MANTISSA & 255;
        if (!is_edge(bins, pattern >> 8)) {
            continue;
        }
        if (biased == 255) {
            bins->nonfinite++;
            continue;
        }
        const int64_t m = (int64_t)((pattern & 127) | (biased > 0 ? 128U : 0U));
        bins->sums[biased].sum += pattern >> 15 != 0 ? -m : m;
        bins->sums[biased].squares += (uint64_t)(m * m);
    }
}

void llmfp_float16_bins_add(struct float16_bins *bins, const unsigned char *bytes, size_t n)
{
    const uint32_t n_copy = (uint32_t)((n + FLOAT16_BIN_COPIES - 1) / FLOAT16_BIN_COPIES);
    if (n == 0) {
        return;
    }
    if (bins->count == 0) {
        prepare(bins);
    } else if (bins->n_packed + n_copy > (is_bf16(bins) ? BF16_MOST : F16_MOST)) {
        fold(bins);
    }
    const uint64_t before = edge_total(bins);
    add_packed(bins, bytes, n);
    if (edge_total(bins) != before) {
        bins->zeros += count_zeros(bytes, n);
        if (is_bf16(bins)) {
            add_edges(bins, bytes, n);
        }
    }
    bins->n_packed += n_copy;
    bins->count += n;
}

void llmfp_float16_bins_end(struct float16_bins *bins, struct llmfp_moments *moments)
{
    if (bins->count == 0) {
        return;
    }
    fold(bins);
    for (int e = 0; e < 256; e++) {
        if (bins->sums[e].squares != 0) {
            const int unit = bin_exponent(bins->format, e);
            llmfp_moments_add_sum(moments, bins->sums[e].sum, unit);
            llmfp_moments_add_square(moments, bins->sums[e].squares, 2 * unit);
        }
    }
    llmfp_moments_add_counts(moments, bins->count, bins->zeros, bins->nonfinite);
}
