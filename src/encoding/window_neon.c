/* window_neon.c - window kernels for AArch64. */
#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>

#define TARGET
#define VECTOR_BYTES 16
#include "window_portable.h"
#include "window_vectors.h"

INLINE vector_i32 max_signed(vector_i32 a, vector_i32 b)
{
    return (vector_i32)vmaxq_s32((int32x4_t)a, (int32x4_t)b);
}

INLINE vector_u32 max_unsigned(vector_u32 a, vector_u32 b)
{
    return (vector_u32)vmaxq_u32((uint32x4_t)a, (uint32x4_t)b);
}

INLINE bool is_any(vector_i32 a)
{
    return vmaxvq_u32((uint32x4_t)a) != 0;
}

INLINE vector_f64 multiply_add(vector_f64 a, vector_f64 b, vector_f64 c)
{
    return (vector_f64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}

INLINE void to_doubles(vector_i32 patterns, vector_f64 *low, vector_f64 *high)
{
    const float32x4_t floats = (float32x4_t)patterns;
    *low = (vector_f64)vcvt_f64_f32(vget_low_f32(floats));
    *high = (vector_f64)vcvt_high_f64_f32(floats);
}

#include "window_template.h"

const struct window_kernels llmfp_window_wide_neon = {
    .bits = WIDE_BITS,
    .range = find_range,
    .add = add_wide_window,
};

const struct window_kernels llmfp_window_neon = {
    .bits = BITS,
    .wide = &llmfp_window_wide_neon,
    .range = find_range,
    .add = add_window,
};
#else
typedef int llmfp_no_window_neon; /* a translation unit may not be empty */
#endif
