/* ggml_legacy.c - GGUF's encodings with one or two binary16 scales for a block.
 *   Q4_0  d (q - 8)       32 elements   d, 16 bytes of nibbles
 *   Q4_1  d q + m         32            d, m, nibbles
 *   Q5_0  d (q - 16)      32            d, 32 high bits, nibbles
 *   Q5_1  d q + m         32            d, m, high bits, nibbles
 *   Q8_0  d q             32            d, 32 signed bytes
 *   Q8_1  d q             32            d, d times the sum of q (not needed), signed bytes
 *   Q1_0  d or -d        128            d, a bit each
 *   Q2_0  d (q - 1)       64            d, two bits each, low first
 *   TQ2_0 d (q - 1)      256            two bits each, d
 *   TQ1_0 d (t - 1)      256            five trits a byte, d
 * Nibbles: byte j holds element j low and element j + 16 high. High bit i is element i's. */
#include <string.h>

#include "bytes.h"
#include "ggml_blocks.h"

static void one_group(struct ggml_codes *codes)
{
    codes->a[0] = 1;
    codes->b[0] = 0;
}

static void subtract(struct ggml_codes *codes, const uint8_t *q, int n, int centre)
{
    for (int i = 0; i < n; i++) {
        codes->q[i] = (int8_t)(q[i] - centre);
    }
}

static void five_bits(const unsigned char *high, const unsigned char *nibbles, uint8_t q[32])
{
    const uint32_t bits = llmfp_load_u32(high);
    ggml_nibbles(nibbles, q);
    for (int i = 0; i < 32; i++) {
        q[i] |= (uint8_t)((bits >> i & 1) << 4);
    }
}

static void take_q4_0(const unsigned char *block, struct ggml_codes *codes)
{
    uint8_t q[32];
    one_group(codes);
    ggml_nibbles(block + 2, q);
    subtract(codes, q, 32, 8);
}

static void take_q4_1(const unsigned char *block, struct ggml_codes *codes)
{
    uint8_t q[32];
    one_group(codes);
    codes->b[0] = 1;
    ggml_nibbles(block + 4, q);
    subtract(codes, q, 32, 0);
}

static void take_q5_0(const unsigned char *block, struct ggml_codes *codes)
{
    uint8_t q[32];
    one_group(codes);
    five_bits(block + 2, block + 6, q);
    subtract(codes, q, 32, 16);
}

static void take_q5_1(const unsigned char *block, struct ggml_codes *codes)
{
    uint8_t q[32];
    one_group(codes);
    codes->b[0] = 1;
    five_bits(block + 4, block + 8, q);
    subtract(codes, q, 32, 0);
}

static void take_q8_0(const unsigned char *block, struct ggml_codes *codes)
{
    one_group(codes);
    memcpy(codes->q, block + 2, 32);
}

static void take_q8_1(const unsigned char *block, struct ggml_codes *codes)
{
    one_group(codes);
    memcpy(codes->q, block + 4, 32);
}

static void take_q1_0(const unsigned char *block, struct ggml_codes *codes)
{
    one_group(codes);
    for (int i = 0; i < 128; i++) {
        codes->q[i] = (block[2 + i / 8] >> i % 8 & 1) != 0 ? 1 : -1;
    }
}

static void take_q2_0(const unsigned char *block, struct ggml_codes *codes)
{
    one_group(codes);
    for (int i = 0; i < 64; i++) {
        codes->q[i] = (int8_t)((block[2 + i / 4] >> 2 * (i % 4) & 3) - 1);
    }
}

static void take_tq2_0(const unsigned char *block, struct ggml_codes *codes)
{
    one_group(codes);
    for (int i = 0; i < 256; i++) {
        codes->q[i] = (int8_t)((block[32 * (i / 128) + i % 32] >> 2 * (i / 32 % 4) & 3) - 1);
    }
}

/* A byte is a fraction in base 3: the trit behind power p is the whole part of 3 times what
 * is left when the byte has been multiplied by 3^p, modulo 256.                         */
static int8_t trit(unsigned byte, unsigned p)
{
    static const unsigned powers[] = {1, 3, 9, 27, 81};
    return (int8_t)((int)(((byte * powers[p]) % 256) * 3 >> 8) - 1);
}

static void take_tq1_0(const unsigned char *block, struct ggml_codes *codes)
{
    one_group(codes);
    for (unsigned i = 0; i < 160; i++) {
        codes->q[i] = trit(block[i % 32], i / 32);
    }
    for (unsigned i = 0; i < 80; i++) {
        codes->q[160 + i] = trit(block[32 + i % 16], i / 16);
    }
    for (unsigned i = 0; i < 16; i++) {
        codes->q[240 + i] = trit(block[48 + i % 4], i / 4);
    }
}

/* Columns: elements, bytes, groups, where d and m stand, what scales are, least and most q. */
const struct ggml_type ggml_q4_0 = {32,       18, 1, 0,         -1,
                                    GGML_F16, -8, 7, take_q4_0, GGML_KERNELS(q4_0)};
const struct ggml_type ggml_q4_1 = {32,       20, 1,  0,         2,
                                    GGML_F16, 0,  15, take_q4_1, GGML_KERNELS(q4_1)};
const struct ggml_type ggml_q5_0 = {32,       22,  1,  0,         -1,
                                    GGML_F16, -16, 15, take_q5_0, GGML_KERNELS(q5_0)};
const struct ggml_type ggml_q5_1 = {32,       24, 1,  0,         2,
                                    GGML_F16, 0,  31, take_q5_1, GGML_KERNELS(q5_1)};
const struct ggml_type ggml_q8_0 = {32,       34,   1,   0,         -1,
                                    GGML_F16, -128, 127, take_q8_0, GGML_KERNELS(q8_0)};
const struct ggml_type ggml_q8_1 = {32,       36,   1,   0,         -1,
                                    GGML_F16, -128, 127, take_q8_1, GGML_KERNELS(q8_1)};
const struct ggml_type ggml_q1_0 = {128,      18, 1, 0,         -1,
                                    GGML_F16, -1, 1, take_q1_0, GGML_KERNELS(q1_0)};
const struct ggml_type ggml_q2_0 = {64,       18, 1, 0,         -1,
                                    GGML_F16, -1, 2, take_q2_0, GGML_KERNELS(q2_0)};
const struct ggml_type ggml_tq2_0 = {256,      66, 1, 64,         -1,
                                     GGML_F16, -1, 2, take_tq2_0, GGML_KERNELS(tq2_0)};
const struct ggml_type ggml_tq1_0 = {256,      54, 1, 52,         -1,
                                     GGML_F16, -1, 1, take_tq1_0, GGML_KERNELS(tq1_0)};

#define ADD(name)                                                                                  \
    void llmfp_add_##name(struct llmfp_moments *moments, const struct llmfp_elements *elements)    \
    {                                                                                              \
        ggml_add(&ggml_##name, moments, elements);                                                 \
    }
ADD(q4_0)
ADD(q4_1)
ADD(q5_0)
ADD(q5_1)
ADD(q8_0)
ADD(q8_1)
ADD(q1_0)
ADD(q2_0)
ADD(tq1_0)
ADD(tq2_0)
