/* window_portable.c - window kernels in plain C with vectors of 16 bytes, which
 * compilers turn into what every machine of the family has.                    */
#define TARGET
#define VECTOR_BYTES 16
#include "window_portable.h"
#include "window_vectors.h"

typedef uint64_t two_words __attribute__((vector_size(VECTOR_BYTES)));

static inline vector_i32 max_signed(vector_i32 a, vector_i32 b)
{
    const vector_i32 greater = (vector_i32)(a > b);
    return (a & greater) | (b & ~greater);
}

static inline vector_u32 max_unsigned(vector_u32 a, vector_u32 b)
{
    const vector_u32 greater = (vector_u32)(a > b);
    return (a & greater) | (b & ~greater);
}

static inline bool is_any(vector_i32 a)
{
    const two_words words = (two_words)a;
    return (words[0] | words[1]) != 0;
}

#include "window_template.h"

const struct window_kernels llmfp_window_portable = {
    .largest = find_largest,
    .add = add_window,
};
