/* ggml_avx2.c - sums of GGUF blocks of 32 elements with one scale, for x86-64 with AVX2.
 * See ggml_blocks.h. Machines with AVX-512 use these too: the codes of a block fill one
 * vector of 32 bytes.                                                              */
#if defined(__x86_64__)
#include "ggml_avx2.h"

#include <string.h>

/* Pairs of bytes add up to 16 bits without saturation: |q| <= 128, so |sums| <= 256 and
 * squares <= 2 * 2^14 = 2^15, which wants 32 bits: q is widened to 16 bits for them.   */
static inline TARGET __m256i sums_of(__m256i q)
{
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
}

static inline TARGET __m256i squares_of(__m256i q)
{
    const __m256i low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(q));
    const __m256i high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(q, 1));
    return _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high));
}

/* Four blocks; `q` are their codes. */
static inline TARGET void add_four(const __m256i q[4], struct ggml_sums sums[4])
{
    int32_t p[4];
    int32_t r[4];
    _mm_storeu_si128((__m128i *)(void *)p,
                     add_across(sums_of(q[0]), sums_of(q[1]), sums_of(q[2]), sums_of(q[3])));
    _mm_storeu_si128((__m128i *)(void *)r, add_across(squares_of(q[0]), squares_of(q[1]),
                                                      squares_of(q[2]), squares_of(q[3])));
    for (int i = 0; i < 4; i++) {
        sums[i].p = p[i];
        sums[i].r = r[i];
        sums[i].zeros = count_zeros(q[i]);
    }
}

typedef __m256i take_codes(const unsigned char *block);

static inline __attribute__((always_inline)) TARGET void
add_blocks(const struct ggml_type *type, take_codes *take, const unsigned char *blocks,
           size_t n_blocks, struct ggml_sums *sums)
{
    size_t i = 0;
    for (; i + 4 <= n_blocks; i += 4) {
        __m256i q[4];
        for (size_t k = 0; k < 4; k++) {
            q[k] = take(blocks + (i + k) * type->bytes);
        }
        add_four(q, sums + i);
    }
    ggml_sums_portable(type, blocks + i * type->bytes, n_blocks - i, sums + i);
}

static inline TARGET __m256i take_q8_0(const unsigned char *block)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(block + 2));
}

static inline TARGET __m256i take_q4_0(const unsigned char *block)
{
    return _mm256_sub_epi8(nibbles_of(block + 2), _mm256_set1_epi8(8));
}

/* Bit i of 32 becomes 16 in byte i. */
static inline TARGET __m256i take_q5_0(const unsigned char *block)
{
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                            2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bits = _mm256_set1_epi64x((int64_t)UINT64_C(0x8040201008040201));
    int32_t high;
    memcpy(&high, block + 2, sizeof high);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(high), spread);
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bits), bits);
    const __m256i q =
        _mm256_or_si256(nibbles_of(block + 6), _mm256_and_si256(set, _mm256_set1_epi8(16)));
    return _mm256_sub_epi8(q, _mm256_set1_epi8(16));
}

static inline TARGET __m256i take_iq4_nl(const unsigned char *block)
{
    return _mm256_shuffle_epi8(iq4_values(), nibbles_of(block + 2));
}

#define KERNEL(name)                                                                               \
    TARGET void ggml_##name##_avx2(const unsigned char *blocks, size_t n_blocks,                   \
                                   const struct ggml_known *known, struct ggml_sums *sums)         \
    {                                                                                              \
        (void)known;                                                                               \
        add_blocks(&ggml_##name, take_##name, blocks, n_blocks, sums);                             \
    }
KERNEL(q4_0)
KERNEL(q5_0)
KERNEL(q8_0)
KERNEL(iq4_nl)

#else
typedef int llmfp_no_avx2; /* a translation unit may not be empty */
#endif
