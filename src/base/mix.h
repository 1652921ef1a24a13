/* mix.h - 64-bit digests of what a few values and names say; not for hostile collisions. */
#ifndef LLMFP_MIX_H
#define LLMFP_MIX_H

#include <stdint.h>

/* A running digest with one more value (splitmix64's finaliser). */
static inline uint64_t mix(uint64_t digest, uint64_t value)
{
    uint64_t x = (digest ^ value) + UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static inline uint64_t mix_text(uint64_t digest, const char *text)
{
    uint64_t length = 0;
    for (; text[length] != '\0'; length++) {
        digest = mix(digest, (unsigned char)text[length]);
    }
    return mix(digest, length);
}

#endif
