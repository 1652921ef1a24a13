/* window_portable.h - parts of the window kernels in plain C, for the portable ones
 * and for instruction sets that have no better.                                */
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "window.h"

/* Copy a chunk to `inside` with zeros for the elements whose magnitude is below
 * `limit`; those that are not zero go to `outside`, zeros are counted. Returns the
 * number of elements that went outside. Without branches: any mix costs the same. */
static TARGET size_t take_outside(unsigned char *inside, const unsigned char *bytes, int32_t limit,
                                  unsigned char *outside, uint64_t *zeros)
{
    size_t n_outside = 0;
    size_t n_low = 0;
    for (size_t i = 0; i < CHUNK; i++) {
        uint32_t pattern;
        memcpy(&pattern, bytes + 4 * i, 4);
        const int32_t magnitude = (int32_t)(pattern & INT32_MAX);
        const bool is_low = magnitude < limit;
        const uint32_t kept = is_low ? 0 : pattern;
        memcpy(inside + 4 * i, &kept, 4);
        memcpy(outside + 4 * n_outside, &pattern, 4);
        n_outside += is_low && magnitude != 0;
        n_low += is_low;
    }
    *zeros += n_low - n_outside;
    return n_outside;
}

static TARGET void widen_bf16(unsigned char *patterns, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        llmfp_store_u32(patterns + 4 * i, (uint32_t)llmfp_load_u16(bytes + 2 * i) << 16);
    }
}

/* Exponents are rebiased from 15 to 127, and that of infinities and NaN from 31 to
 * 255; subnormals are made from their integers.                                */
static TARGET void widen_f16(unsigned char *patterns, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t pattern = llmfp_load_u16(bytes + 2 * i);
        const uint32_t sign = (pattern & 0x8000) << 16;
        const uint32_t magnitude = pattern & 0x7FFF;
        const float subnormal = (float)(int32_t)magnitude * 0x1p-24F;
        uint32_t small;
        memcpy(&small, &subnormal, sizeof small);
        const uint32_t normal = (magnitude << 13) + (magnitude < 0x7C00 ? 112U << 23 : 224U << 23);
        llmfp_store_u32(patterns + 4 * i, sign | (magnitude < 0x400 ? small : normal));
    }
}
