/* window_vectors.h - vectors of VECTOR_BYTES bytes, and half of that for floats, which
 * widen to doubles.                                                            */
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline)) TARGET

typedef int32_t vector_i32 __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t vector_i64 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t vector_u32 __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t half_i32 __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef float half_f32 __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef double vector_f64 __attribute__((vector_size(VECTOR_BYTES)));
