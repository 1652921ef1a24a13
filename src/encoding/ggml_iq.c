/* ggml_iq.c - GGUF's encodings whose codes choose from a code book.
 *   IQ4_NL  d K[q]            32 elements   d, 16 bytes of nibbles
 *   IQ4_XS  d (L - 32) K[q]   256           d, 16 high bits of each L, 4 bytes of low nibbles
 *                                           of L, nibbles; groups of 32
 *   MXFP4   2^(e - 127) E2M1  32            e (E8M0, 0xFF is NaN), nibbles
 *   NVFP4   s E2M1            64            4 scales s, then 4 x 8 bytes; groups of 16
 * K is the code book below. E2M1 counts in halves, so codes are doubled here and scales
 * halved. The scale s of NVFP4 is an E4M3 without sign: bit 7 does not count, and 0x7F,
 * NaN elsewhere, is 0 in this format's definition.
 * Sources: as ggml_blocks.h; OCP microscaling (MX) specification.                      */
#include "bytes.h"
#include "ggml_blocks.h"

const int8_t ggml_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
const int8_t ggml_doubled_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void look_up(const unsigned char *nibbles, const int8_t values[16], int8_t q[32])
{
    uint8_t codes[32];
    ggml_nibbles(nibbles, codes);
    for (int i = 0; i < 32; i++) {
        q[i] = values[codes[i]];
    }
}

static void take_iq4_nl(const unsigned char *block, struct ggml_codes *codes)
{
    codes->a[0] = 1;
    codes->b[0] = 0;
    look_up(block + 2, ggml_iq4_values, codes->q);
}

static void take_iq4_xs(const unsigned char *block, struct ggml_codes *codes)
{
    const unsigned high = llmfp_load_u16(block + 2);
    for (int j = 0; j < 8; j++) {
        const unsigned low = (unsigned)block[4 + j / 2] >> 4 * (j % 2) & 15U;
        codes->a[j] = (int16_t)((int)(low | (high >> 2 * j & 3U) << 4) - 32);
        codes->b[j] = 0;
        look_up(block + 8 + (size_t)16 * (size_t)j, ggml_iq4_values,
                codes->q + (size_t)32 * (size_t)j);
    }
}

/* Which half of a byte an element is in does not matter: they have one scale. */
static void take_mxfp4(const unsigned char *block, struct ggml_codes *codes)
{
    codes->a[0] = 1;
    codes->b[0] = 0;
    look_up(block + 1, ggml_doubled_e2m1, codes->q);
}

/* Columns: elements, bytes, groups, where d and m stand, what scales are, least and most
 * a q.                                                                            */
const struct ggml_type ggml_iq4_nl = {32,       18,   1,   0,           -1,
                                      GGML_F16, -127, 113, take_iq4_nl, GGML_KERNELS(iq4_nl)};
const struct ggml_type ggml_iq4_xs = {256,      136,   8,    0,           -1,
                                      GGML_F16, -3937, 4064, take_iq4_xs, GGML_KERNELS(iq4_xs)};
const struct ggml_type ggml_mxfp4 = {32,        17,  1,  0,          -1,
                                     GGML_E8M0, -12, 12, take_mxfp4, GGML_KERNELS(mxfp4)};

void llmfp_add_iq4_nl(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    ggml_add(&ggml_iq4_nl, moments, elements);
}

void llmfp_add_iq4_xs(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    ggml_add(&ggml_iq4_xs, moments, elements);
}

void llmfp_add_mxfp4(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    ggml_add(&ggml_mxfp4, moments, elements);
}

/* ---- NVFP4: a block has four scales ---- */

/* n_bytes bytes of two codes each. Which byte and which half an element is in does not
 * matter: they have one scale. */
static void add_e2m1(struct scaled_bins *bins, struct scaled_factor factor,
                     const unsigned char *bytes, unsigned n_bytes)
{
    int sum = 0;
    int squares = 0;
    unsigned zeros = 0;
    int least = 12;
    int most = -12;
    for (unsigned i = 0; i < 2 * n_bytes; i++) {
        const int q = ggml_doubled_e2m1[bytes[i / 2] >> 4 * (i % 2) & 15];
        sum += q;
        squares += q * q;
        zeros += q == 0;
        least = q < least ? q : least;
        most = q > most ? q : most;
    }
    scaled_bins_add_group(bins, factor, sum, squares, (uint64_t)2 * n_bytes, zeros);
    if (factor.finite) { /* scales are not negative */
        const double scale = scaled_factor_value(bins, factor);
        scaled_bins_add_range(bins, scale * least, scale * most);
    }
}

/* An E4M3 without sign, halved: m 2^(lowest + bin) with the lowest exponent below. */
enum {
    NVFP4_LOWEST = 1 - 7 - 3 - 1,
    NVFP4_BINS = 15,
    NVFP4_ELEMENTS = 64,
    NVFP4_BYTES = 36,
    NVFP4_GROUPS = 4,
    NVFP4_GROUP_BYTES = 8
};
static struct scaled_factor nvfp4_scale(unsigned code)
{
    const int biased = (int)(code >> 3 & 15);
    const int32_t m = (int32_t)((code & 7) | (biased > 0 ? 8 : 0));
    if ((code & 0x7F) == 0x7F) {
        return (struct scaled_factor){0, 0, true};
    }
    return (struct scaled_factor){m, biased > 0 ? biased - 1 : 0, true};
}

void ggml_add_nvfp4_portable(struct scaled_bins *bins, const unsigned char *blocks, size_t n_blocks)
{
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *block = blocks + i * NVFP4_BYTES;
        for (unsigned g = 0; g < NVFP4_GROUPS; g++) {
            add_e2m1(bins, nvfp4_scale(block[g]),
                     block + NVFP4_GROUPS + (size_t)g * NVFP4_GROUP_BYTES, NVFP4_GROUP_BYTES);
        }
    }
}

/* NULL: plain C. */
static ggml_adder *nvfp4_adder(void)
{
#if defined(__x86_64__)
    switch (llmfp_isa_chosen()) {
    case LLMFP_ISA_AVX512:
        return ggml_nvfp4_avx512;
    case LLMFP_ISA_AVX2:
        return ggml_nvfp4_avx2;
    default:
        break;
    }
#endif
    return NULL;
}

/* Blocks by vectors, two at a time; returns how many. */
static size_t add_nvfp4_pairs(ggml_adder *adder, struct scaled_bins *bins,
                              const unsigned char *blocks, size_t n_blocks)
{
    const size_t n = adder != NULL ? n_blocks - n_blocks % 2 : 0;
    struct ggml_totals totals = {.bins = bins};
    const uint64_t count = bins->count;
    if (n > 0) {
        adder(&totals, blocks, n);
        bins->count = count + NVFP4_ELEMENTS * n; /* of those left to plain C, too */
        bins->zeros += totals.zeros;
        scaled_bins_add_sum(bins, 0, totals.sum);
        scaled_bins_add_square(bins, 0, totals.squares);
    }
    return n;
}

void llmfp_add_nvfp4(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    ggml_adder *const adder = nvfp4_adder();
    const unsigned char *blocks = elements->bytes;
    uint64_t rest = elements->n_elements / NVFP4_ELEMENTS;
    uint64_t pending = 0; /* terms in a bin, at most */
    struct scaled_bins bins;
    scaled_bins_begin(&bins, NVFP4_LOWEST, NVFP4_BINS);
    while (rest > 0) {
        const size_t n = rest < GGML_MOST_AT_ONCE ? (size_t)rest : GGML_MOST_AT_ONCE;
        const size_t n_pairs = add_nvfp4_pairs(adder, &bins, blocks, n);
        ggml_add_nvfp4_portable(&bins, blocks + n_pairs * NVFP4_BYTES, n - n_pairs);
        blocks += n * NVFP4_BYTES;
        rest -= n;
        pending += NVFP4_GROUPS * (n + 1);
        if (pending >= SCALED_BINS_BUDGET / 2) {
            scaled_bins_flush(&bins, moments);
            pending = 0;
        }
    }
    scaled_bins_flush(&bins, moments);
}
