/* ggml_look.c - zeros and extremes of the groups that ggml_look.h has found. */
#if defined(__x86_64__)
#include "ggml_look.h"

static inline TARGET uint32_t equal_codes(__m256i q, float code)
{
    const __m256i equal = _mm256_cmpeq_epi8(q, _mm256_set1_epi8((char)(int)code));
    return (uint32_t)_mm256_movemask_epi8(equal);
}

/* Elements that are 0 in a group whose codes are those of `q` under `mask`. */
static TARGET int32_t zeros_in(float scale, float offset, __m256i q, uint32_t mask)
{
    enum { MOST_CODE = 31 };
    if (scale == 0) {
        return offset == 0 ? _mm_popcnt_u32(mask) : 0;
    }
    const float code = offset / scale;
    if (!(code >= 0 && code <= MOST_CODE)) {
        return 0;
    }
    return code * scale == offset ? _mm_popcnt_u32(equal_codes(q, code) & mask) : 0;
}

/* Two extremes out of 32 codes from 0 to 31, of those under the mask. */
static TARGET void widen(struct ggml_range *range, double scale, double offset, __m256i q,
                         uint32_t mask)
{
    uint8_t codes[32];
    int least = 255;
    int most = 0;
    _mm256_storeu_si256((__m256i *)(void *)codes, q);
    for (int i = 0; i < 32; i++) {
        if ((mask >> i & 1) != 0) {
            least = codes[i] < least ? codes[i] : least;
            most = codes[i] > most ? codes[i] : most;
        }
    }
    const double first = scale * least - offset;
    const double last = scale * most - offset;
    range->smallest = fmin(range->smallest, fmin(first, last));
    range->largest = fmax(range->largest, fmax(first, last));
}

TARGET int32_t ggml_look_closer(struct looked looked, const struct group_scales *scales,
                                const __m256i *q, int per_vector, struct ggml_range *range)
{
    int32_t zeros = 0;
    if (!isfinite(scales->scale[0] + scales->offset[0])) {
        return 0; /* nothing is finite in such a block */
    }
    for (uint32_t left = looked.zeros | looked.range; left != 0; left &= left - 1) {
        const int g = __builtin_ctz(left);
        const __m256i codes = q[g / per_vector];
        const uint32_t mask = per_vector == 1 ? UINT32_MAX : 0xFFFFU << 16 * (g % 2);
        if ((looked.zeros >> g & 1) != 0) {
            zeros += zeros_in(scales->scale[g], scales->offset[g], codes, mask);
        }
        if ((looked.range >> g & 1) != 0) {
            widen(range, (double)scales->scale[g], (double)scales->offset[g], codes, mask);
        }
    }
    return zeros;
}

#else
typedef int llmfp_no_look; /* a translation unit may not be empty */
#endif
