/* columns_template.h - the kernels of columns.h in plain C, for any instruction set that the
 * compiler makes vector code for. Define TARGET (a function attribute, or nothing).   */
#include <string.h>

#include "bytes.h"
#include "code_lanes.h"
#include "columns.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void clear(struct columns *columns, size_t first, size_t n)
{
    memset(columns->sum + first, 0, n * sizeof columns->sum[0]);
    memset(columns->squares + first, 0, n * sizeof columns->squares[0]);
    memset(columns->zeros + first, 0, n * sizeof columns->zeros[0]);
    memset(columns->least + first, 0xFF, n);
    memset(columns->largest + first, 0, n);
}

/* Column `first` + p gets the lanes from p * per_column on. */
INLINE void take_lanes(struct columns *columns, size_t first, const struct lanes *lanes, size_t n,
                       size_t per_column)
{
    for (size_t p = 0; p < n; p++) {
        const size_t c = first + p;
        for (size_t lane = p * per_column; lane < (p + 1) * per_column; lane++) {
            columns->sum[c] += lanes->sum[lane];
            columns->squares[c] += lanes->squares[lane];
            columns->zeros[c] += lanes->zeros[lane];
            columns->least[c] =
                lanes->least[lane] < columns->least[c] ? lanes->least[lane] : columns->least[c];
            columns->largest[c] = lanes->largest[lane] > columns->largest[c] ? lanes->largest[lane]
                                                                             : columns->largest[c];
        }
    }
}

_Static_assert((int)LANES == 4 * (int)COLUMNS_HALF, "a lane for each byte of a word");

static TARGET void add_words(struct columns *columns, const unsigned char *bytes, size_t stride,
                             size_t n_rows, size_t n, unsigned bits)
{
    struct lanes lanes;
    for (size_t c = 0; c < n; c++) {
        memset(lanes.zero_point + 4 * c, columns->zero_point[c], 4);
    }
    clear(columns, 0, n);
    for (unsigned shift = 0; shift < 8; shift += bits) {
        lanes_reset(&lanes, 4 * n);
        lanes_add(&lanes, bytes, stride, n_rows, 4 * n, shift, bits);
        take_lanes(columns, 0, &lanes, n, 4);
    }
}

static TARGET void add_inputs(struct columns *columns, const unsigned char *bytes, size_t stride,
                              const struct column_input *inputs, size_t n_inputs, size_t n,
                              unsigned bits)
{
    const uint32_t mask = (1U << bits) - 1;
    clear(columns, 0, n);
    for (size_t i = 0; i < n_inputs; i++) {
        const unsigned char *row = bytes + inputs[i].row * stride;
        const uint32_t shift = inputs[i].shift;
        for (size_t c = 0; c < n; c++) {
            const uint32_t code = llmfp_load_u32(row + 4 * c) >> shift & mask;
            columns->sum[c] += code;
            columns->squares[c] += code * code;
            columns->zeros[c] += code == columns->zero_point[c] ? 1 : 0;
            columns->least[c] = code < columns->least[c] ? (uint8_t)code : columns->least[c];
            columns->largest[c] = code > columns->largest[c] ? (uint8_t)code : columns->largest[c];
        }
    }
}
