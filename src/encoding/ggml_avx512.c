/* ggml_avx512.c - sums of GGUF's Q8_0, Q4_K and Q5_K blocks for x86-64 with AVX-512 (llmfp/isa.h):
 * products of bytes add up in lanes of 32 bits. See ggml_blocks.h.                    */
#if defined(__x86_64__)
#include "ggml_avx2.h"

#include <string.h>

#include "ggml_look.h"

#define TARGET_512                                                                                 \
    __attribute__((target("avx2,bmi2,popcnt,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,"   \
                          "avx512vbmi")))

/* ---- Q8_0 ---- */

/* u = q + 128 has no sign, and the sum of q^2 is that of u q less 128 times that of q. */
TARGET_512 void ggml_q8_0_avx512(const unsigned char *blocks, size_t n_blocks,
                                 struct ggml_range *range, struct ggml_sums *sums)
{
    enum { BYTES = 34 };
    const __m256i none = _mm256_setzero_si256();
    const __m256i ones = _mm256_set1_epi8(1);
    const __m256i top = _mm256_set1_epi8(INT8_MIN);
    size_t i = 0;
    for (; i + 4 <= n_blocks; i += 4) {
        __m256i s1[4];
        __m256i uq[4];
        for (size_t k = 0; k < 4; k++) {
            const __m256i q =
                _mm256_loadu_si256((const __m256i *)(const void *)(blocks + (i + k) * BYTES + 2));
            s1[k] = _mm256_dpbusd_epi32(none, ones, q);
            uq[k] = _mm256_dpbusd_epi32(none, _mm256_xor_si256(q, top), q);
            sums[i + k].zeros = _mm_popcnt_u32(_mm256_testn_epi8_mask(q, q));
        }
        const __m128i p = add_across(s1[0], s1[1], s1[2], s1[3]);
        const __m128i r =
            _mm_sub_epi32(add_across(uq[0], uq[1], uq[2], uq[3]), _mm_slli_epi32(p, 7));
        int32_t all_p[4];
        int32_t all_r[4];
        _mm_storeu_si128((__m128i *)(void *)all_p, p);
        _mm_storeu_si128((__m128i *)(void *)all_r, r);
        for (size_t k = 0; k < 4; k++) {
            sums[i + k].p = all_p[k];
            sums[i + k].r = all_r[k];
        }
    }
    ggml_sums_portable(&ggml_q8_0, blocks + i * BYTES, n_blocks - i, range, sums + i);
}

/* ---- Q4_K, Q5_K ---- */

/* Bytes j / 32 + 2 (j / 32): a vector of 64 codes holds groups g and g + 2, which are what
 * the low (or high) nibbles of 64 bytes are.                                         */
static inline TARGET_512 __m512i groups(int g)
{
    return _mm512_inserti64x4(_mm512_set1_epi8((char)g), _mm256_set1_epi8((char)(g + 2)), 1);
}

struct lanes {
    __m512i p;
    __m512i x;
    __m512i r;
};

/* 64 codes (<= 31) of groups g and g + 2. Four products a q are at most 4 * 63 * 31 < 2^13,
 * and four q^2 less than 2^12, so 16 bits hold them for the second product.          */
static inline TARGET_512 void add_codes(struct lanes *lanes, __m512i q, __m512i a_bytes,
                                        __m512i o_bytes, int g)
{
    const __m512i none = _mm512_setzero_si512();
    const __mmask64 first = UINT64_C(0x1111111111111111); /* of each lane */
    const __m512i a = _mm512_permutexvar_epi8(groups(g), a_bytes);
    const __m512i a_lanes = _mm512_maskz_mov_epi8(first, a);
    const __m512i o_lanes = _mm512_maskz_permutexvar_epi8(first, groups(g), o_bytes);
    const __m512i aq = _mm512_dpbusd_epi32(none, q, a);
    lanes->p = _mm512_add_epi32(lanes->p, aq);
    lanes->x = _mm512_dpwssd_epi32(lanes->x, aq, o_lanes);
    lanes->r = _mm512_dpwssd_epi32(lanes->r, _mm512_dpbusd_epi32(none, q, q),
                                   _mm512_madd_epi16(a_lanes, a_lanes));
}

static inline TARGET_512 __m256i halves(__m512i lanes)
{
    return _mm256_add_epi32(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64(lanes, 1));
}

/* As finish_offsets in ggml_k_avx2.c. */
static inline TARGET_512 void finish(const struct lanes *lanes, const struct six_bits *six,
                                     struct ggml_sums *sums)
{
    int32_t all[4];
    const __m128i o = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)six->o));
    const __m128i offsets =
        _mm_sad_epu8(_mm_loadl_epi64((const __m128i *)(const void *)six->o), _mm_setzero_si128());
    _mm_storeu_si128((__m128i *)(void *)all,
                     add_across(halves(lanes->p), halves(lanes->x), halves(lanes->r),
                                _mm256_zextsi128_si256(_mm_madd_epi16(o, o))));
    sums->p = all[0];
    sums->x = -all[1];
    sums->r = all[2];
    sums->n1 = -32 * _mm_cvtsi128_si32(offsets);
    sums->n2 = 32 * all[3];
}

static inline __attribute__((always_inline)) TARGET_512 void
add_block(const unsigned char *bytes, const unsigned char *nibbles, const unsigned char *high,
          struct ggml_range *range, struct known *known, struct ggml_sums *sums)
{
    struct six_bits six;
    ggml_take_six_bits(bytes + 4, &six);
    const __m512i a = _mm512_castsi128_si512(_mm_loadl_epi64((const __m128i *)(const void *)six.a));
    const __m512i o = _mm512_castsi128_si512(_mm_loadl_epi64((const __m128i *)(const void *)six.o));
    const __m512i four = _mm512_set1_epi8(15);
    __m512i q[4]; /* groups 0 and 2, 1 and 3, 4 and 6, 5 and 7 */
    for (size_t k = 0; k < 2; k++) {
        const __m512i both = _mm512_loadu_si512(nibbles + 64 * k);
        q[2 * k] = _mm512_and_si512(both, four);
        q[2 * k + 1] = _mm512_and_si512(_mm512_srli_epi16(both, 4), four);
    }
    if (high != NULL) { /* bit g of byte i is the fifth of code i of group g */
        const __m512i bits =
            _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)high));
        for (int k = 0; k < 4; k++) {
            const __m512i bit = _mm512_sllv_epi64(
                _mm512_set1_epi64(0x0101010101010101),
                _mm512_and_si512(groups(k / 2 * 4 + k % 2), _mm512_set1_epi64(7)));
            const __mmask64 set = _mm512_test_epi8_mask(bits, bit);
            q[k] = _mm512_mask_add_epi8(q[k], set, q[k], _mm512_set1_epi8(16));
        }
    }
    struct lanes lanes = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int k = 0; k < 4; k++) {
        add_codes(&lanes, q[k], a, o, k / 2 * 4 + k % 2);
    }
    finish(&lanes, &six, sums);
    struct group_scales scales;
    const float most_q = high != NULL ? 31 : 15;
    const struct looked looked = look(bytes, six.a, six.o, most_q, known, &scales);
    sums->zeros = 0;
    if ((looked.zeros | looked.range) != 0) {
        const __m256i codes[8] = {
            _mm512_castsi512_si256(q[0]),       _mm512_castsi512_si256(q[1]),
            _mm512_extracti64x4_epi64(q[0], 1), _mm512_extracti64x4_epi64(q[1], 1),
            _mm512_castsi512_si256(q[2]),       _mm512_castsi512_si256(q[3]),
            _mm512_extracti64x4_epi64(q[2], 1), _mm512_extracti64x4_epi64(q[3], 1)};
        sums->zeros = ggml_look_closer(looked, &scales, codes, 1, range);
        *known = known_of(range);
    }
}

TARGET_512 void ggml_q4_k_avx512(const unsigned char *blocks, size_t n_blocks,
                                 struct ggml_range *range, struct ggml_sums *sums)
{
    struct known known = known_of(range);
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *bytes = blocks + 144 * i;
        add_block(bytes, bytes + 16, NULL, range, &known, &sums[i]);
    }
}

TARGET_512 void ggml_q5_k_avx512(const unsigned char *blocks, size_t n_blocks,
                                 struct ggml_range *range, struct ggml_sums *sums)
{
    struct known known = known_of(range);
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *bytes = blocks + 176 * i;
        add_block(bytes, bytes + 48, bytes + 16, range, &known, &sums[i]);
    }
}

#else
typedef int llmfp_no_avx512_ggml; /* a translation unit may not be empty */
#endif
