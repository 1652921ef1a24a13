/* float8_neon.c - sums of 8-bit floats, 16 codes at a time: look-ups of 16 bytes give small
 * factors (float8.h), whose products add up in pairs.                          */
#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>

#include "float8.h"

#define INLINE static inline __attribute__((always_inline))

/* Four squares of at most 225 * 64 a step: below 2^17 in 2^9 steps. */
enum { BYTES = 16 };
_Static_assert(FLOAT8_BLOCK / BYTES <= 1 << 9, "lanes of 32 bits");

INLINE void add_codes(struct float8_sums *sums, const struct float8_nibbles *tables,
                      const unsigned char *bytes, size_t n, int n_sums, int n_squares)
{
    const uint8x16_t g_table = vld1q_u8(tables->g);
    const uint8x16_t g_squared_table = vld1q_u8(tables->g_squared);
    int32x4_t sum[FLOAT8_MOST_CLASSES];
    uint32x4_t squares[FLOAT8_MOST_CLASSES];
    for (int k = 0; k < FLOAT8_MOST_CLASSES; k++) {
        sum[k] = vdupq_n_s32(0);
        squares[k] = vdupq_n_u32(0);
    }
    for (size_t i = 0; i < n; i += BYTES) {
        const uint8x16_t codes = vld1q_u8(bytes + i);
        const uint8x16_t e = vandq_u8(vshrq_n_u8(codes, 3), vdupq_n_u8(0x0F));
        const uint8x16_t is_high = vtstq_u8(e, e);
        const uint8x16_t index =
            vorrq_u8(vandq_u8(codes, vdupq_n_u8(7)), vandq_u8(is_high, vdupq_n_u8(8)));
        const int8x16_t g = vreinterpretq_s8_u8(vqtbl1q_u8(g_table, index));
        const uint8x16_t g_squared = vqtbl1q_u8(g_squared_table, index);
        const uint8x16_t is_negative = vcltzq_s8(vreinterpretq_s8_u8(codes));
        for (int k = 0; k < n_sums; k++) {
            const int8x16_t power = vreinterpretq_s8_u8(vqtbl1q_u8(vld1q_u8(tables->power[k]), e));
            const int8x16_t factor = vbslq_s8(is_negative, vnegq_s8(power), power);
            sum[k] = vpadalq_s16(sum[k], vmull_s8(vget_low_s8(g), vget_low_s8(factor)));
            sum[k] = vpadalq_s16(sum[k], vmull_high_s8(g, factor));
        }
        for (int k = 0; k < n_squares; k++) {
            const uint8x16_t power = vqtbl1q_u8(vld1q_u8(tables->power_squared[k]), e);
            squares[k] =
                vpadalq_u16(squares[k], vmull_u8(vget_low_u8(g_squared), vget_low_u8(power)));
            squares[k] = vpadalq_u16(squares[k], vmull_high_u8(g_squared, power));
        }
    }
    for (int k = 0; k < n_sums; k++) {
        sums->sum[k] += vaddlvq_s32(sum[k]);
    }
    for (int k = 0; k < n_squares; k++) {
        sums->squares[k] += vaddlvq_u32(squares[k]);
    }
}

static struct float8_look look_at_codes(const unsigned char *bytes, size_t n)
{
    int8x16_t largest_signed = vdupq_n_s8(INT8_MIN);
    int8x16_t least_signed = vdupq_n_s8(INT8_MAX);
    uint8x16_t largest_unsigned = vdupq_n_u8(0);
    uint64_t zeros = 0;
    for (size_t i = 0; i < n; i += BYTES) {
        const uint8x16_t codes = vld1q_u8(bytes + i);
        largest_signed = vmaxq_s8(largest_signed, vreinterpretq_s8_u8(codes));
        least_signed = vminq_s8(least_signed, vreinterpretq_s8_u8(codes));
        largest_unsigned = vmaxq_u8(largest_unsigned, codes);
        zeros += vaddvq_u8(vshrq_n_u8(vceqzq_u8(vshlq_n_u8(codes, 1)), 7)); /* of any sign */
    }
    return (struct float8_look){
        .zeros = zeros,
        .largest_signed = vmaxvq_s8(largest_signed),
        .least_signed = vminvq_s8(least_signed),
        .largest_unsigned = vmaxvq_u8(largest_unsigned),
    };
}

bool llmfp_float8_add_neon(struct float8_sums *sums, const struct float8 *float8,
                           const struct float8_nibbles *tables, const unsigned char *bytes,
                           size_t n)
{
    const struct float8_look look = look_at_codes(bytes, n);
    if (!float8_take(sums, float8, &look)) {
        return false;
    }
    if (tables->n_sums == 3) { /* constants, so that loops unroll */
        add_codes(sums, tables, bytes, n, 3, 4);
    } else {
        add_codes(sums, tables, bytes, n, 4, 8);
    }
    return true;
}
#else
typedef int llmfp_no_float8_neon; /* a translation unit may not be empty */
#endif
