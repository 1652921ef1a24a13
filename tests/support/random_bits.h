/* random_bits.h - pseudo-random numbers for tests and benchmarks, the same in every run.
 * xorshift64 with shifts 13, 7, 17 (Marsaglia, Journal of Statistical Software 8(14), 2003). */
#ifndef LLMFP_RANDOM_BITS_H
#define LLMFP_RANDOM_BITS_H

#include <stdint.h>

static inline uint64_t random_bits(void)
{
    static uint64_t state = 88172645463325252U;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

#endif
