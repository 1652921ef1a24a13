/* ggml_k.c - GGUF's "K" encodings: 256 elements in a block, in groups with small integer
 * scales of their own.
 *   Q2_K  d S q - dmin M       groups of 16   16 bytes S | M << 4, 64 of codes, d, dmin
 *   Q3_K  d (S - 32) (q - 4)   16             32 bytes of high bits, 64 of codes, 12 of S, d
 *   Q4_K  d S q - dmin M       32             d, dmin, 12 bytes of S and M, 128 of nibbles
 *   Q5_K  d S q - dmin M       32             d, dmin, 12, 32 of high bits, 128 of nibbles
 *   Q6_K  d S (q - 32)         16             128 bytes of nibbles, 64 of high bits, 16 of S, d
 *   Q8_K  d q                  256            d (binary32), 256 bytes, 32 of sums (not needed) */
#include <string.h>

#include "bytes.h"
#include "ggml_blocks.h"

/* Two bits each, as Q2_K and Q3_K order them. */
static unsigned two_bits(const unsigned char *bytes, int i)
{
    return (unsigned)bytes[32 * (i / 128) + i % 32] >> 2 * (i / 32 % 4) & 3U;
}

static void take_q2_k(const unsigned char *block, struct ggml_codes *codes)
{
    for (int g = 0; g < 16; g++) {
        codes->a[g] = (int16_t)(block[g] & 15);
        codes->b[g] = (int16_t)(-(int)(block[g] >> 4));
    }
    for (int i = 0; i < 256; i++) {
        codes->q[i] = (int8_t)two_bits(block + 16, i);
    }
}

static void take_q3_k(const unsigned char *block, struct ggml_codes *codes)
{
    const unsigned char *scales = block + 96;
    for (int g = 0; g < 16; g++) {
        const unsigned low = g < 8 ? scales[g] & 15U : scales[g - 8] >> 4;
        const unsigned high = (unsigned)scales[8 + g % 4] >> 2 * (g / 4) & 3U;
        codes->a[g] = (int16_t)((int)(low | high << 4) - 32);
        codes->b[g] = 0;
    }
    for (int i = 0; i < 256; i++) {
        const unsigned high = (unsigned)block[i % 32] >> i / 32 & 1U;
        codes->q[i] = (int8_t)((int)(two_bits(block + 32, i) | high << 2) - 4);
    }
}

/* 6 bits each of 8 scales S and 8 offsets M in 12 bytes. */
static void six_bits(const unsigned char *s, struct ggml_codes *codes)
{
    for (int j = 0; j < 4; j++) {
        codes->a[j] = (int16_t)(s[j] & 63);
        codes->b[j] = (int16_t)(-(int)(s[j + 4] & 63));
        codes->a[j + 4] = (int16_t)((s[j + 8] & 15) | (s[j] >> 6) << 4);
        codes->b[j + 4] = (int16_t) - ((s[j + 8] >> 4) | (s[j + 4] >> 6) << 4);
    }
}

/* The nibbles of Q4_K and Q5_K: 32 bytes hold two groups of 32, the first one low. */
static void nibble_groups(const unsigned char *bytes, struct ggml_codes *codes)
{
    for (int i = 0; i < 256; i++) {
        const unsigned byte = bytes[32 * (i / 64) + i % 32];
        codes->q[i] = (int8_t)(i / 32 % 2 == 0 ? byte & 15U : byte >> 4);
    }
}

static void take_q4_k(const unsigned char *block, struct ggml_codes *codes)
{
    six_bits(block + 4, codes);
    nibble_groups(block + 16, codes);
}

static void take_q5_k(const unsigned char *block, struct ggml_codes *codes)
{
    six_bits(block + 4, codes);
    nibble_groups(block + 48, codes);
    for (int i = 0; i < 256; i++) {
        codes->q[i] = (int8_t)(codes->q[i] + 16 * (block[16 + i % 32] >> i / 32 & 1));
    }
}

static void take_q6_k(const unsigned char *block, struct ggml_codes *codes)
{
    for (int g = 0; g < 16; g++) {
        codes->a[g] = (int8_t)block[192 + g];
        codes->b[g] = 0;
    }
    for (int i = 0; i < 256; i++) {
        const int half = i / 128;
        const int group = i / 32 % 4;
        const unsigned byte = block[64 * half + i % 32 + 32 * (group & 1)];
        const unsigned low = group < 2 ? byte & 15U : byte >> 4;
        const unsigned high = (unsigned)block[128 + 32 * half + i % 32] >> 2 * group & 3U;
        codes->q[i] = (int8_t)((int)(low | high << 4) - 32);
    }
}

/* Columns: elements, bytes, groups, where d and m stand, what scales are, least and most
 * a q. The m of Q2_K, Q4_K and Q5_K is dmin, with b = -M.                          */
const struct ggml_type ggml_q2_k = {256,      84, 16, 80,        82,
                                    GGML_F16, 0,  45, take_q2_k, GGML_KERNELS(q2_k)};
const struct ggml_type ggml_q3_k = {256,      110,  16,  108,       -1,
                                    GGML_F16, -128, 128, take_q3_k, GGML_KERNELS(q3_k)};
const struct ggml_type ggml_q4_k = {256,      144, 8,   0,         2,
                                    GGML_F16, 0,   945, take_q4_k, GGML_KERNELS(q4_k)};
const struct ggml_type ggml_q5_k = {256,      176, 8,    0,         2,
                                    GGML_F16, 0,   1953, take_q5_k, GGML_KERNELS(q5_k)};
const struct ggml_type ggml_q6_k = {256,      210,   16,   208,       -1,
                                    GGML_F16, -4096, 4096, take_q6_k, GGML_KERNELS(q6_k)};

#define ADD(name)                                                                                  \
    void llmfp_add_##name(struct llmfp_moments *moments, const struct llmfp_elements *elements)    \
    {                                                                                              \
        ggml_add(&ggml_##name, moments, elements);                                                 \
    }
ADD(q2_k)
ADD(q3_k)
ADD(q4_k)
ADD(q5_k)
ADD(q6_k)

/* The only one whose scale is a binary32. */
void llmfp_add_q8_k(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    enum { ELEMENTS = 256, BYTES = 292, MOST_PENDING = SCALED_BINS_BUDGET };
    struct scaled_bins bins;
    scaled_bins_begin(&bins, SCALED_F32_LOWEST, SCALED_F32_BINS);
    for (uint64_t i = 0; i < elements->n_elements / ELEMENTS; i++) {
        const unsigned char *block = elements->bytes + i * BYTES;
        const struct scaled_factor d = scaled_factor_of_f32(llmfp_load_u32(block));
        int32_t sum = 0;
        int32_t squares = 0;
        uint32_t zeros = 0;
        int least = 127;
        int most = -128;
        for (int k = 0; k < ELEMENTS; k++) {
            const int q = (int8_t)block[4 + k];
            sum += q;
            squares += q * q;
            zeros += q == 0;
            least = q < least ? q : least;
            most = q > most ? q : most;
        }
        scaled_bins_add_group(&bins, d, sum, squares, ELEMENTS, zeros);
        if (d.finite) {
            const double first = scaled_factor_value(&bins, d) * least;
            const double last = scaled_factor_value(&bins, d) * most;
            scaled_bins_add_range(&bins, first < last ? first : last, first < last ? last : first);
        }
        if ((i + 1) % MOST_PENDING == 0) {
            scaled_bins_flush(&bins, moments);
        }
    }
    scaled_bins_flush(&bins, moments);
}
