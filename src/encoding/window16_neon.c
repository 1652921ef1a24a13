/* window16_neon.c - 8 elements at a time on AArch64. See window16.h for the bounds. */
#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

#include "window16.h"

#include <arm_neon.h>
#include <stdbool.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

_Static_assert(WINDOW16_BLOCK / 8 <= 512, "sums of v in lanes of 32 bits");

INLINE uint16x8_t load(const unsigned char *bytes)
{
    return vreinterpretq_u16_u8(vld1q_u8(bytes));
}

INLINE void to_floats(bool bf16, uint16x8_t x, float32x4_t *a, float32x4_t *b)
{
    if (bf16) { /* a BF16 is the upper half of a float */
        *a = vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(x), 16));
        *b = vreinterpretq_f32_u32(vshll_high_n_u16(x, 16));
    } else {
        const float16x8_t halves = vreinterpretq_f16_u16(x);
        *a = vcvt_f32_f16(vget_low_f16(halves));
        *b = vcvt_high_f32_f16(halves);
    }
}

/* Sums of K + v in lanes of 32 bits, and of its squares modulo 2^64. */
struct lanes {
    uint32x4_t sum;
    uint64x2_t low;
    uint64x2_t high;
};

INLINE void add_floats(struct lanes *lanes, float32x4_t x, float32x4_t magic)
{
    const uint32x4_t y = vreinterpretq_u32_f32(vaddq_f32(x, magic));
    lanes->sum = vaddq_u32(lanes->sum, y);
    lanes->low = vmlal_u32(lanes->low, vget_low_u32(y), vget_low_u32(y));
    lanes->high = vmlal_high_u32(lanes->high, y, y);
}

/* n: elements a lane of 32 bits. */
INLINE void finish(const struct lanes *lanes, float magic, size_t n, struct window16_sums *sums)
{
    uint32_t k;
    memcpy(&k, &magic, sizeof k);
    const uint32x4_t constant = vdupq_n_u32((uint32_t)(n * k));
    const int64_t total = vaddlvq_s32(vreinterpretq_s32_u32(vsubq_u32(lanes->sum, constant)));
    const uint64_t squares = vaddvq_u64(vaddq_u64(lanes->low, lanes->high));
    sums->sum += total;
    sums->squares += squares - 4 * (uint64_t)n * k * k - 2 * (uint64_t)k * (uint64_t)total;
}

/* Elements outside the window (all bits of their lanes are set): count zeros, hand the others
 * out, and leave zeros in their places. */
INLINE uint16x8_t set_aside(uint16x8_t x, uint16x8_t outside_window, struct window16_sums *sums,
                            uint16_t **outside)
{
    const uint16x8_t zero = vceqzq_u16(vshlq_n_u16(x, 1)); /* of any sign */
    sums->zeros += vaddvq_u16(vshrq_n_u16(zero, 15));
    uint16_t element[8];
    uint16_t is_out[8];
    vst1q_u16(element, x);
    vst1q_u16(is_out, vbicq_u16(outside_window, zero));
    for (int i = 0; i < 8; i++) {
        **outside = element[i];
        *outside += is_out[i] & 1;
    }
    return vbicq_u16(x, outside_window);
}

INLINE size_t add(bool bf16, const struct window16 *window, const unsigned char *bytes, size_t n,
                  struct window16_sums *sums, uint16_t *outside)
{
    const uint16x8_t first = vdupq_n_u16((uint16_t)window->first);
    const uint16x8_t span = vdupq_n_u16((uint16_t)window->span);
    const uint16x8_t significant = vdupq_n_u16((uint16_t)window->significant);
    const float32x4_t magic = vdupq_n_f32(window->magic);
    const uint64x2_t zero = vdupq_n_u64(0);
    struct lanes lanes_a = {vdupq_n_u32(0), zero, zero};
    struct lanes lanes_b = {vdupq_n_u32(0), zero, zero};
    uint16_t *next = outside;
    for (size_t i = 0; i < n; i += 8) {
        __builtin_prefetch(bytes + 2 * i + WINDOW16_AHEAD);
        uint16x8_t x = load(bytes + 2 * i);
        const uint16x8_t out = vcgeq_u16(vsubq_u16(vandq_u16(x, significant), first), span);
        if (__builtin_expect(vmaxvq_u16(out) != 0, 0)) {
            x = set_aside(x, out, sums, &next);
        }
        float32x4_t a;
        float32x4_t b;
        to_floats(bf16, x, &a, &b);
        add_floats(&lanes_a, a, magic);
        add_floats(&lanes_b, b, magic);
    }
    finish(&lanes_a, window->magic, n / 8, sums);
    finish(&lanes_b, window->magic, n / 8, sums);
    return (size_t)(next - outside);
}

static size_t add_bf16(const struct window16 *window, const unsigned char *bytes, size_t n,
                       struct window16_sums *sums, uint16_t *outside)
{
    return add(true, window, bytes, n, sums, outside);
}

static size_t add_f16(const struct window16 *window, const unsigned char *bytes, size_t n,
                      struct window16_sums *sums, uint16_t *outside)
{
    return add(false, window, bytes, n, sums, outside);
}

static struct window16_range find_range(const unsigned char *bytes, size_t n)
{
    int16x8_t largest_signed = vdupq_n_s16(INT16_MIN);
    uint16x8_t largest_unsigned = vdupq_n_u16(0);
    uint16x8_t smallest_unsigned = vdupq_n_u16(UINT16_MAX);
    for (size_t i = 0; i < n; i += 8) {
        const uint16x8_t x = load(bytes + 2 * i);
        largest_signed = vmaxq_s16(largest_signed, vreinterpretq_s16_u16(x));
        largest_unsigned = vmaxq_u16(largest_unsigned, x);
        smallest_unsigned = vminq_u16(smallest_unsigned, x);
    }
    return (struct window16_range){
        .largest_signed = vmaxvq_s16(largest_signed),
        .largest_unsigned = vmaxvq_u16(largest_unsigned),
        .smallest_unsigned = vminvq_u16(smallest_unsigned),
    };
}

const struct window16_kernels llmfp_window16_bf16_neon = {.add = add_bf16, .range = find_range};
const struct window16_kernels llmfp_window16_f16_neon = {.add = add_f16, .range = find_range};

#else
typedef int llmfp_no_window16_neon; /* a translation unit may not be empty */
#endif
