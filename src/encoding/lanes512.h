/* lanes512.h - sums over the lanes of AVX-512 vectors. The compilers' own reductions add
 * signed integers, which sums modulo 2^64 must not do.                          */
#ifndef LLMFP_LANES512_H
#define LLMFP_LANES512_H

#include <immintrin.h>
#include <stdint.h>

/* Modulo 2^64. */
static inline __attribute__((target("avx512f"))) uint64_t sum_of_lanes(__m512i lanes)
{
    uint64_t lane[8];
    _mm512_storeu_si512(lane, lanes);
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

#endif
