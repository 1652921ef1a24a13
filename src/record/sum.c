/* sum.c - exact sums in their shortest form. See llmfp/record.h. */
#include <string.h>

#include "llmfp/record.h"

enum {
    LIMB_BITS = 32,
    /* Far beyond what any encoding needs. */
    MOST_LIMBS = 4096,
    MOST_EXPONENT = 1 << 16
};

struct llmfp_sum llmfp_sum_shortest(int64_t *limbs, uint32_t n_limbs, int32_t exponent)
{
    uint32_t first = 0;
    while (first < n_limbs && limbs[first] == 0) {
        first++;
    }
    if (first == n_limbs) {
        return (struct llmfp_sum){0, 0, limbs};
    }
    uint32_t end = n_limbs;
    while (end - first > 1 && (limbs[end - 1] == 0 || limbs[end - 1] == -1)) {
        /* A last limb of -1 lends its 2^32 to the one below, which becomes the signed one. */
        limbs[end - 2] += limbs[end - 1] * (INT64_C(1) << LIMB_BITS);
        end--;
    }
    return (struct llmfp_sum){exponent + LIMB_BITS * (int32_t)first, end - first, limbs + first};
}

void llmfp_sum_place(const struct llmfp_sum *sum, int64_t *limbs, uint32_t n_limbs,
                     int32_t exponent)
{
    memset(limbs, 0, n_limbs * sizeof *limbs);
    if (sum->n_limbs == 0) {
        return;
    }
    const uint32_t first = (uint32_t)((sum->exponent - exponent) / LIMB_BITS);
    memcpy(limbs + first, sum->limbs, sum->n_limbs * sizeof *limbs);
    /* The last limb is signed: carry it up. */
    for (uint32_t k = first + sum->n_limbs - 1; k + 1 < n_limbs; k++) {
        limbs[k + 1] += limbs[k] >> LIMB_BITS;
        limbs[k] &= UINT32_MAX;
    }
}

/* limbs += sum, with carries up to the last limb, which is signed. */
static void add_at(const struct llmfp_sum *sum, int64_t *limbs, uint32_t n_limbs, int32_t exponent)
{
    const uint32_t first =
        sum->n_limbs == 0 ? 0 : (uint32_t)((sum->exponent - exponent) / LIMB_BITS);
    for (uint32_t k = 0; k < sum->n_limbs; k++) {
        limbs[first + k] += sum->limbs[k];
    }
    for (uint32_t k = 0; k + 1 < n_limbs; k++) {
        limbs[k + 1] += limbs[k] >> LIMB_BITS;
        limbs[k] &= UINT32_MAX;
    }
}

static int32_t top_of(const struct llmfp_sum *sum)
{
    return sum->exponent + LIMB_BITS * (int32_t)sum->n_limbs;
}

bool llmfp_sum_add(const struct llmfp_sum *a, const struct llmfp_sum *b, struct llmfp_arena *arena,
                   struct llmfp_sum *sum)
{
    const struct llmfp_sum *low =
        a->n_limbs == 0 || (b->n_limbs > 0 && b->exponent < a->exponent) ? b : a;
    const int32_t exponent = low->n_limbs == 0 ? 0 : low->exponent;
    int32_t top = exponent;
    top = a->n_limbs > 0 && top_of(a) > top ? top_of(a) : top;
    top = b->n_limbs > 0 && top_of(b) > top ? top_of(b) : top;
    const uint32_t n = (uint32_t)((top - exponent) / LIMB_BITS) + 1;
    int64_t *limbs = n > MOST_LIMBS ? NULL : llmfp_arena_new(arena, n * sizeof *limbs);
    if (limbs == NULL) {
        return false;
    }
    add_at(a, limbs, n, exponent);
    add_at(b, limbs, n, exponent);
    *sum = llmfp_sum_shortest(limbs, n, exponent);
    return true;
}

void llmfp_sum_pack(const struct llmfp_sum *sum, struct llmfp_buffer *buffer)
{
    llmfp_buffer_put_u32(buffer, (uint32_t)sum->exponent);
    llmfp_buffer_put_u32(buffer, sum->n_limbs);
    for (uint32_t k = 0; k < sum->n_limbs; k++) {
        llmfp_buffer_put_u64(buffer, (uint64_t)sum->limbs[k]);
    }
}

/* The last limb of a shortest form is signed and within one bit of the others. */
static bool is_sum(const struct llmfp_sum *sum)
{
    const int64_t most = (int64_t)UINT32_MAX + 1;
    for (uint32_t k = 0; k < sum->n_limbs; k++) {
        const int64_t least = k + 1 == sum->n_limbs ? -most : 0;
        if (sum->limbs[k] < least || sum->limbs[k] > most) {
            return false;
        }
    }
    return sum->exponent % LIMB_BITS == 0 && sum->exponent > -MOST_EXPONENT &&
           sum->exponent < MOST_EXPONENT;
}

void llmfp_sum_unpack(struct llmfp_cursor *cursor, struct llmfp_arena *arena, struct llmfp_sum *sum)
{
    struct llmfp_sum found = {(int32_t)llmfp_cursor_u32(cursor), llmfp_cursor_u32(cursor), NULL};
    *sum = (struct llmfp_sum){0};
    if (found.n_limbs > MOST_LIMBS ||
        found.n_limbs > (cursor->size_bytes - cursor->offset_bytes) / sizeof(int64_t)) {
        cursor->failed = true;
        return;
    }
    int64_t *limbs = llmfp_arena_new(arena, found.n_limbs * sizeof *limbs);
    for (uint32_t k = 0; limbs != NULL && k < found.n_limbs; k++) {
        limbs[k] = (int64_t)llmfp_cursor_u64(cursor);
    }
    found.limbs = limbs;
    if (limbs == NULL || !is_sum(&found)) {
        cursor->failed = true;
        return;
    }
    *sum = found;
}
