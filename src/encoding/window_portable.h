/* window_portable.h - parts of the window kernels in plain C, for the portable ones
 * and for instruction sets that have no better.                                */
#include <stdbool.h>
#include <string.h>

#include "window.h"

/* Put the elements of a chunk whose magnitude is below `limit` and that are not zero into
 * `outside`; returns their number. Without branches: any mix costs the same.   */
static TARGET size_t take_outside(const unsigned char *bytes, int32_t limit, unsigned char *outside)
{
    size_t n_outside = 0;
    for (size_t i = 0; i < CHUNK; i++) {
        uint32_t pattern;
        memcpy(&pattern, bytes + 4 * i, 4);
        const int32_t magnitude = (int32_t)(pattern & INT32_MAX);
        memcpy(outside + 4 * n_outside, &pattern, 4);
        n_outside += magnitude < limit && magnitude != 0;
    }
    return n_outside;
}
