/* window64_neon.c - 2 doubles at a time on AArch64. */
#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#include <stdbool.h>

#define TARGET
#define VECTOR_BYTES 16
#include "window_vectors.h"

INLINE bool is_any(vector_i64 a)
{
    return vmaxvq_u32((uint32x4_t)a) != 0;
}

INLINE vector_f64 multiply_add(vector_f64 a, vector_f64 b, vector_f64 c)
{
    return (vector_f64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}

#include "window64_template.h"

const struct window64_kernels llmfp_window64_wide_neon = WINDOW64_WIDE_KERNELS;
const struct window64_kernels llmfp_window64_neon = WINDOW64_KERNELS(&llmfp_window64_wide_neon);
#else
typedef int llmfp_no_window64_neon; /* a translation unit may not be empty */
#endif
