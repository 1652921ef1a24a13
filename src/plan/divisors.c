/* divisors.c - see divisors.h. */
#include "divisors.h"

#include <stdlib.h>

static int compare_places(const void *a, const void *b)
{
    const struct llmfp_plan_cell *x = a;
    const struct llmfp_plan_cell *y = b;
    if (x->role != y->role) {
        return x->role < y->role ? -1 : 1;
    }
    return (x->layer > y->layer) - (x->layer < y->layer);
}

static uint32_t bits_of(uint32_t divisor)
{
    return 32 - (uint32_t)__builtin_clz(divisor);
}

bool plan_find_too_divided(const struct llmfp_plan_cell *cells, size_t n, bool *too_many,
                           struct llmfp_plan_cell *found)
{
    *too_many = false;
    struct llmfp_plan_cell *divided = calloc(n + 1, sizeof *divided);
    if (divided == NULL) {
        return false;
    }
    size_t n_divided = 0;
    for (size_t i = 0; i < n; i++) {
        if (cells[i].divisor > 1) {
            divided[n_divided++] = cells[i];
        }
    }
    qsort(divided, n_divided, sizeof *divided, compare_places);
    uint64_t bits = 0; /* the least common multiple has no more than the product */
    for (size_t i = 0; !*too_many && i < n_divided; i++) {
        const bool same = i > 0 && compare_places(&divided[i - 1], &divided[i]) == 0;
        bits = (same ? bits : 0) + bits_of(divided[i].divisor);
        *too_many = bits > LLMFP_DIVISOR_MOST_BITS;
        *found = divided[i];
    }
    free(divided);
    return true;
}
