/* window_chunk.h - chunks of a block in vectors, and what is in them; included once by
 * window_template.h and window64_template.h, which define
 *   magnitude, patterns     an element as a signed integer, and a vector of them
 *   MOST_MAGNITUDE, SIGN    the bits of an element
 *   VECTORS                 of a chunk                                         */
#include <stdbool.h>
#include <string.h>

INLINE patterns load_vector(const unsigned char *bytes, int i)
{
    patterns pattern;
    memcpy(&pattern, bytes + (size_t)i * sizeof pattern, sizeof pattern);
    return pattern;
}

/* What the chunks of a block are held against. */
struct limits {
    magnitude first; /* as in struct window */
    magnitude most;
};

INLINE patterns load_masked(const unsigned char *bytes, int i, bool is_masked, struct limits limits)
{
    const patterns pattern = load_vector(bytes, i);
    return is_masked ? pattern & (patterns)((pattern & MOST_MAGNITUDE) >= limits.first) : pattern;
}

/* What a chunk has: bits set where elements are as named. */
struct chunk_kinds {
    patterns low;      /* below the window, zeros among them */
    patterns not_zero; /* of these, others than zeros */
    patterns beyond;   /* sign bits: above `most` */
};

/* Zeros are counted: minus their number is added to `zeros`. */
INLINE struct chunk_kinds find_kinds(const unsigned char *bytes, struct limits limits,
                                     patterns *zeros)
{
    struct chunk_kinds kinds = {{0}, {0}, {0}};
    for (int i = 0; i < VECTORS; i++) {
        const patterns m = load_vector(bytes, i) & MOST_MAGNITUDE;
        const patterns low = (patterns)(m < limits.first);
        const patterns zero = (patterns)(m == 0);
        kinds.low |= low;
        kinds.not_zero |= low & ~zero;
        kinds.beyond |= limits.most - m;
        *zeros += zero;
    }
    kinds.beyond &= SIGN;
    return kinds;
}
