/* code_lanes.h - sums of unsigned codes of 1 to 8 bits, side by side in lanes.
 *
 * Lane p takes the bits `shift` .. of byte p of each row; a row is a run of bytes and the
 * next one lies `stride` bytes behind it. Loops over lanes have constant bounds inside,
 * so that compilers make vector code of them.                                        */
#ifndef LLMFP_CODE_LANES_H
#define LLMFP_CODE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    LANES = 1024,
    LANE_ROWS = 8, /* that are added at once */
    /* Rows between two resets: 255 * 256 fits 16 bits. */
    LANES_MOST_ROWS = 256
};

struct lanes {
    uint32_t squares[LANES];
    uint16_t sum[LANES];
    uint16_t zeros[LANES]; /* codes that equal the zero point */
    uint8_t least[LANES];
    uint8_t largest[LANES];
    uint8_t zero_point[LANES];
};

/* Zero points are the caller's. */
static inline void lanes_reset(struct lanes *lanes, size_t n)
{
    memset(lanes->squares, 0, n * sizeof lanes->squares[0]);
    memset(lanes->sum, 0, n * sizeof lanes->sum[0]);
    memset(lanes->zeros, 0, n * sizeof lanes->zeros[0]);
    memset(lanes->least, 0xFF, n);
    memset(lanes->largest, 0, n);
}

/* n_rows is a constant where this is called: the inner loop is unrolled. Codes below 16,
 * 8 rows: sums below 128, sums of squares below 2^11. */
static inline __attribute__((always_inline)) void
lanes_add_narrow(struct lanes *restrict lanes, const unsigned char *restrict bytes, size_t stride,
                 unsigned n_rows, size_t n, unsigned shift, unsigned mask)
{
    for (size_t p = 0; p < n; p++) {
        uint8_t sum = 0;
        uint8_t zeros = 0;
        uint16_t squares = 0;
        uint8_t least = lanes->least[p];
        uint8_t largest = lanes->largest[p];
        const uint8_t zero_point = lanes->zero_point[p];
        for (unsigned r = 0; r < n_rows; r++) {
            const uint8_t code = (uint8_t)(bytes[r * stride + p] >> shift & mask);
            sum = (uint8_t)(sum + code);
            squares = (uint16_t)(squares + (uint8_t)(code * code));
            zeros = (uint8_t)(zeros + (code == zero_point ? 1 : 0));
            least = code < least ? code : least;
            largest = code > largest ? code : largest;
        }
        lanes->sum[p] = (uint16_t)(lanes->sum[p] + sum);
        lanes->squares[p] += squares;
        lanes->zeros[p] = (uint16_t)(lanes->zeros[p] + zeros);
        lanes->least[p] = least;
        lanes->largest[p] = largest;
    }
}

static inline __attribute__((always_inline)) void
lanes_add_wide(struct lanes *restrict lanes, const unsigned char *restrict bytes, size_t n)
{
    for (size_t p = 0; p < n; p++) {
        const unsigned code = bytes[p];
        lanes->sum[p] = (uint16_t)(lanes->sum[p] + code);
        lanes->squares[p] += code * code;
        lanes->zeros[p] = (uint16_t)(lanes->zeros[p] + (code == lanes->zero_point[p] ? 1 : 0));
        lanes->least[p] = code < lanes->least[p] ? (uint8_t)code : lanes->least[p];
        lanes->largest[p] = code > lanes->largest[p] ? (uint8_t)code : lanes->largest[p];
    }
}

/* n_rows <= LANES_MOST_ROWS rows of n <= LANES bytes. */
static inline __attribute__((always_inline)) void lanes_add(struct lanes *lanes,
                                                            const unsigned char *bytes,
                                                            size_t stride, size_t n_rows, size_t n,
                                                            unsigned shift, unsigned bits)
{
    if (bits == 8) {
        for (size_t r = 0; r < n_rows; r++) {
            lanes_add_wide(lanes, bytes + r * stride, n);
        }
        return;
    }
    const unsigned mask = (1U << bits) - 1;
    size_t r = 0;
    for (; r + LANE_ROWS <= n_rows; r += LANE_ROWS) {
        lanes_add_narrow(lanes, bytes + r * stride, stride, LANE_ROWS, n, shift, mask);
    }
    for (; r < n_rows; r++) {
        lanes_add_narrow(lanes, bytes + r * stride, stride, 1, n, shift, mask);
    }
}

#endif
