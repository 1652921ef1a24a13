/* columns.h - sums of packed codes, side by side in columns that have a scale and a zero
 * point each, and how they get into exact sums.
 *
 * A tile is a rectangle of codes, of one group of scales: its columns are outputs, its rows
 * inputs. A kernel sums up the codes of each column; `finish` takes off zero points, scales,
 * and adds. Both come in variants for instruction sets (llmfp/isa.h) that agree to the bit. */
#ifndef LLMFP_COLUMNS_H
#define LLMFP_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "integer_groups.h"

enum {
    COLUMNS = 512,
    COLUMNS_HALF = COLUMNS / 2,
    /* Codes of a column between two calls of `finish`: bytes count the ones that equal the
     * zero point, in 4 places where words hold codes of one column, in one elsewhere. */
    COLUMNS_MOST_IN_BYTE = 255,
    /* Bins of scales by 4 exponents. Codes below 2^8, at most 4 * 255 < 2^10 of a column,
     * mantissas below 2^11: products with sums of squares, shifted by less than 2 * 4 bits,
     * are below 2^(22 + 26 + 6) = 2^54, so a lane of 64 bits takes 2^9 of them. */
    COLUMNS_CLASS_SHIFT = 2,
    COLUMNS_CLASSES = (GROUPS_BINS >> COLUMNS_CLASS_SHIFT) + 1,
    COLUMNS_LANES = 8,
    COLUMNS_BUDGET = 1 << 9
};

/* The caller's: zero points, scales. All else is what a kernel found. */
struct columns {
    uint32_t sum[COLUMNS];
    uint32_t squares[COLUMNS];
    uint32_t zeros[COLUMNS]; /* codes that equal the zero point */
    uint32_t scale[COLUMNS]; /* bit patterns */
    uint8_t least[COLUMNS];
    uint8_t largest[COLUMNS];
    uint8_t zero_point[COLUMNS];
};

/* Sums over all tiles. Vectors add to lanes of 64 bits, one row of them for 4 exponents. */
struct column_sums {
    struct scaled_bins bins;
    uint32_t spent; /* of the budget */
    int64_t sums[COLUMNS_CLASSES][COLUMNS_LANES];
    int64_t squares[COLUMNS_CLASSES][COLUMNS_LANES];
};

/* Where the codes of an input lie: `row` of the words, from bit `shift` of each on. */
struct column_input {
    uint32_t row;
    uint32_t shift;
};

/* The n columns from `first` on, of `count` codes each, whose scales are F16, BF16 or F32. */
typedef void columns_finish(struct column_sums *sums, const struct columns *columns, size_t first,
                            size_t n, unsigned count, enum llmfp_encoding_id scales);

struct columns_kernels {
    /* n <= COLUMNS_HALF columns of 32-bit words, which hold 32 / bits codes of a column each; 2, 4
     * or 8 bits. Rows lie `stride` bytes apart; codes of a byte times rows: at most
     * COLUMNS_MOST_IN_BYTE. */
    void (*add_words)(struct columns *columns, const unsigned char *bytes, size_t stride,
                      size_t n_rows, size_t n, unsigned bits);
    /* The same, but only the codes of n_inputs <= COLUMNS_MOST_IN_BYTE inputs. */
    void (*add_inputs)(struct columns *columns, const unsigned char *bytes, size_t stride,
                       const struct column_input *inputs, size_t n_inputs, size_t n, unsigned bits);
    /* n <= COLUMNS_HALF bytes a row, a multiple of 4, and 1 <= n_rows <= COLUMNS_MOST_IN_BYTE:
     * low nibbles are columns 0 to n, high ones columns COLUMNS_HALF to COLUMNS_HALF + n. */
    void (*add_nibbles)(struct columns *columns, const unsigned char *bytes, size_t stride,
                        size_t n_rows, size_t n);
    columns_finish *finish;
};

/* Those of the instruction set that is chosen.                             Local. */
const struct columns_kernels *columns_kernels_chosen(void);

void column_sums_begin(struct column_sums *sums);
/* From lanes to bins; what `finish` does when the budget is spent.                */
void column_sums_carry(struct column_sums *sums);
void column_sums_flush(struct column_sums *sums, struct llmfp_moments *moments);

columns_finish columns_finish_portable, columns_finish_avx2;
extern const struct columns_kernels columns_avx2, columns_avx512;

#endif
