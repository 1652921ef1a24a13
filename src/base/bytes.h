/* bytes.h - little-endian loads and stores, and arithmetic that cannot wrap. */
#ifndef LLMFP_BYTES_H
#define LLMFP_BYTES_H

#include <stdbool.h>
#include <stdint.h>

/* Unaligned little-endian access on any host; compilers make one load of it. Local. */
static inline uint16_t llmfp_load_u16(const unsigned char *b)
{
    return (uint16_t)(b[0] | (uint16_t)(b[1] << 8));
}

static inline uint32_t llmfp_load_u32(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t llmfp_load_u64(const unsigned char *b)
{
    return (uint64_t)llmfp_load_u32(b) | (uint64_t)llmfp_load_u32(b + 4) << 32;
}

static inline void llmfp_store_u32(unsigned char *b, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        b[i] = (unsigned char)(value >> (8 * i));
    }
}

static inline void llmfp_store_u64(unsigned char *b, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        b[i] = (unsigned char)(value >> (8 * i));
    }
}

/* *result = a * b or a + b; false (and *result untouched) where it would wrap. Local. */
static inline bool llmfp_multiply_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    if (a != 0 && b > UINT64_MAX / a) {
        return false;
    }
    *result = a * b;
    return true;
}

static inline bool llmfp_add_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    if (b > UINT64_MAX - a) {
        return false;
    }
    *result = a + b;
    return true;
}

#endif
