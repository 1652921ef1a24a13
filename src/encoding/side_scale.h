/* side_scale.h - one scale out of a side tensor, as an integer times a power of two. */
#ifndef LLMFP_SIDE_SCALE_H
#define LLMFP_SIDE_SCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "float_bits.h"
#include "llmfp/encoding.h"

struct side_scale {
    int64_t mantissa; /* signed, |mantissa| < 2^24 */
    int exponent;
    bool finite;
};

static inline struct side_scale side_scale_of_bits(const struct float_format *format, uint32_t bits,
                                                   uint32_t first_nonfinite)
{
    const uint32_t hidden = 1U << format->mantissa_bits;
    const uint32_t magnitude = bits & ((1U << (format->bits - 1)) - 1);
    const int biased = (int)(magnitude >> format->mantissa_bits);
    const int64_t m = (int64_t)((magnitude & (hidden - 1)) | (biased > 0 ? hidden : 0));
    return (struct side_scale){bits >> (format->bits - 1) != 0 ? -m : m,
                               bin_exponent(format, biased), magnitude < first_nonfinite};
}

/* The pattern of a float of F32, BF16, F16, F8_E4M3 or F8_E8M0 (which U8 may stand for). */
static inline uint32_t side_pattern_of(enum llmfp_encoding_id encoding, const unsigned char *bytes,
                                       uint64_t i)
{
    switch (encoding) {
    case LLMFP_F32:
        return llmfp_load_u32(bytes + 4 * i);
    case LLMFP_BF16:
    case LLMFP_F16:
        return llmfp_load_u16(bytes + 2 * i);
    default:
        return bytes[i];
    }
}

static inline struct side_scale side_scale_of_pattern(enum llmfp_encoding_id encoding,
                                                      uint32_t bits)
{
    static const struct float_format f32 = {32, 23, 127};
    static const struct float_format bf16 = {16, 7, 127};
    static const struct float_format f16 = {16, 10, 15};
    static const struct float_format e4m3 = {8, 3, 7};
    switch (encoding) {
    case LLMFP_F32:
        return side_scale_of_bits(&f32, bits, 0x7F800000);
    case LLMFP_BF16:
        return side_scale_of_bits(&bf16, bits, 0x7F80);
    case LLMFP_F16:
        return side_scale_of_bits(&f16, bits, 0x7C00);
    case LLMFP_F8_E4M3:
        return side_scale_of_bits(&e4m3, bits, 0x7F);
    default: /* E8M0: 2^(code - 127), 0xFF is NaN */
        return (struct side_scale){1, (int)bits - 127, bits != 0xFF};
    }
}

/* Element i of such floats. */
static inline struct side_scale side_scale_of(enum llmfp_encoding_id encoding,
                                              const unsigned char *bytes, uint64_t i)
{
    return side_scale_of_pattern(encoding, side_pattern_of(encoding, bytes, i));
}

/* Element i of a side. */
static inline struct side_scale side_scale_at(const struct llmfp_sides *sides, unsigned side,
                                              uint64_t i)
{
    return side_scale_of(sides->side[side].encoding, sides->side[side].bytes, i);
}

#endif
