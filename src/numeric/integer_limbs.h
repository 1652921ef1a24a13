/* integer_limbs.h - limbs of 32 bits as one big integer of GMP. */
#ifndef LLMFP_INTEGER_LIMBS_H
#define LLMFP_INTEGER_LIMBS_H

#include <gmp.h>
#include <stdint.h>

#include "llmfp/divisor.h"

_Static_assert(sizeof(unsigned long) == 8, "limbs and counts pass through GMP's unsigned long");

/* value = sum of limbs[k] 2^(32 k); all but the last are in 0 .. 2^32 - 1.      Local. */
static inline void integer_from_limbs(mpz_t value, const int64_t *limbs, uint32_t n)
{
    mpz_set_si(value, 0);
    for (uint32_t k = n; k-- > 0;) {
        mpz_mul_2exp(value, value, 32);
        if (limbs[k] >= 0) {
            mpz_add_ui(value, value, (unsigned long)limbs[k]);
        } else {
            mpz_sub_ui(value, value, 0UL - (unsigned long)limbs[k]);
        }
    }
}

/* A divisor; no limbs stand for 1.                                              Local. */
static inline void integer_from_divisor(mpz_t value, const struct llmfp_divisor *divisor)
{
    if (divisor->n_limbs == 0) {
        mpz_set_ui(value, 1);
    } else {
        integer_from_limbs(value, divisor->limbs, divisor->n_limbs);
    }
}

#endif
