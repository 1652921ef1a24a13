/* window_portable.h - parts of the window kernels in plain C, for the portable ones
 * and for instruction sets that have no better.                                */
#include <stdbool.h>
#include <string.h>

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
