/* columns_avx2.c - sums of columns for x86-64 with AVX2 (llmfp/isa.h): codes add up in bytes,
 * their squares in pairs of 16 bits. See columns.h.                                   */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,bmi2")))
#include "columns_template.h"

#define VECTORS INLINE TARGET

enum { VECTOR_BYTES = 32 };

/* The first n of 32 bytes, a multiple of 4; the others are 0 and not touched. */
VECTORS __m256i load_first(const unsigned char *bytes, __m256i present)
{
    return _mm256_maskload_epi32((const int *)(const void *)bytes, present);
}

VECTORS __m256i mask_of(size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int n_words = n < VECTOR_BYTES ? (int)(n / 4) : VECTOR_BYTES / 4;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n_words), lane);
}

VECTORS void store(void *to, __m256i vector)
{
    _mm256_storeu_si256((__m256i_u *)to, vector);
}

/* Of up to `most` rows that come next: they are far apart, which no processor foresees. */
VECTORS void prefetch_rows(const unsigned char *bytes, size_t stride, size_t n_rows, size_t most)
{
    for (size_t r = 0; r < n_rows && r < most; r++) {
        __builtin_prefetch(bytes + r * stride);
    }
}

/* ---- words of codes of one column, 2 or 4 bits ---- */

/* Rows of words that are added at once: codes below 16, two or four of a byte below 4, add up
 * in bytes, and pairs of their squares in 16 bits; words side by side, which fill a cache line. */
enum { WORDS_ROWS = 8, WORDS_SIDE = 2, WORDS_OF_VECTOR = VECTOR_BYTES / 4, WORDS_AHEAD = 64 };
_Static_assert(WORDS_ROWS * 2 * 15 <= UINT8_MAX && WORDS_ROWS * 4 * 3 <= UINT8_MAX, "sums");
_Static_assert(WORDS_ROWS * 2 * 2 * 15 * 15 <= INT16_MAX, "squares");

/* Lanes of 32 bits that belong to a column each; of the last three, bytes. */
struct word_lanes {
    __m256i sum;
    __m256i squares;
    __m256i zeros;
    __m256i least;
    __m256i largest;
};

/* Of 16-bit lanes, the sum of each two. */
VECTORS __m256i add_pairs(__m256i lanes)
{
    return _mm256_madd_epi16(lanes, _mm256_set1_epi16(1));
}

/* Of bytes, the sum of each four. */
VECTORS __m256i add_bytes(__m256i bytes)
{
    return add_pairs(_mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1)));
}

/* n_rows <= WORDS_ROWS of 8 words each. */
VECTORS void add_word_rows(struct word_lanes *lanes, const unsigned char *bytes, size_t stride,
                           size_t n_rows, __m256i present, __m256i zero_point, int bits)
{
    const __m256i mask = _mm256_set1_epi8((char)((1 << bits) - 1));
    __m256i sum = _mm256_setzero_si256();
    __m256i squares = _mm256_setzero_si256();
    for (size_t r = 0; r < n_rows; r++) {
        const __m256i words = load_first(bytes + r * stride, present);
        for (int shift = 0; shift < 8; shift += bits) {
            const __m256i q = _mm256_and_si256(_mm256_srli_epi16(words, shift), mask);
            sum = _mm256_add_epi8(sum, q);
            squares = _mm256_add_epi16(squares, _mm256_maddubs_epi16(q, q));
            lanes->zeros = _mm256_sub_epi8(lanes->zeros, _mm256_cmpeq_epi8(q, zero_point));
            lanes->least = _mm256_min_epu8(lanes->least, q);
            lanes->largest = _mm256_max_epu8(lanes->largest, q);
        }
    }
    lanes->sum = _mm256_add_epi32(lanes->sum, add_bytes(sum));
    lanes->squares = _mm256_add_epi32(lanes->squares, add_pairs(squares));
}

/* The lowest bytes of 8 lanes. */
VECTORS void store_lowest(uint8_t *to, __m256i lanes)
{
    const __m256i lowest = _mm256_shuffle_epi8(
        lanes, _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4,
                                8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m128i both =
        _mm_unpacklo_epi32(_mm256_castsi256_si128(lowest), _mm256_extracti128_si256(lowest, 1));
    _mm_storel_epi64((__m128i_u *)to, both);
}

VECTORS void put_words(struct columns *columns, size_t first, const struct word_lanes *lanes)
{
    __m256i least = _mm256_min_epu8(lanes->least, _mm256_srli_epi32(lanes->least, 16));
    least = _mm256_min_epu8(least, _mm256_srli_epi32(least, 8));
    __m256i largest = _mm256_max_epu8(lanes->largest, _mm256_srli_epi32(lanes->largest, 16));
    largest = _mm256_max_epu8(largest, _mm256_srli_epi32(largest, 8));
    store(columns->sum + first, lanes->sum);
    store(columns->squares + first, lanes->squares);
    store(columns->zeros + first, add_bytes(lanes->zeros));
    store_lowest(columns->least + first, least);
    store_lowest(columns->largest + first, largest);
}

/* The zero points of 8 columns, in all bytes of their lanes. */
VECTORS __m256i zero_points(const struct columns *columns, size_t first)
{
    const __m128i bytes = _mm_loadl_epi64((const __m128i_u *)(columns->zero_point + first));
    return _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_set1_epi32(0x01010101));
}

VECTORS void add_words_of(struct columns *columns, const unsigned char *bytes, size_t stride,
                          size_t n_rows, size_t n, int bits)
{
    const __m256i none = _mm256_setzero_si256();
    for (size_t first = 0; first < n; first += (size_t)WORDS_SIDE * WORDS_OF_VECTOR) {
        struct word_lanes lanes[WORDS_SIDE];
        if (first + WORDS_AHEAD < n) {
            prefetch_rows(bytes + 4 * (first + WORDS_AHEAD), stride, n_rows,
                          (size_t)4 * WORDS_ROWS);
        }
        for (size_t side = 0; side < WORDS_SIDE; side++) {
            lanes[side] = (struct word_lanes){none, none, none, _mm256_set1_epi8(-1), none};
        }
        for (size_t r = 0; r < n_rows; r += WORDS_ROWS) {
            const size_t rows = n_rows - r < WORDS_ROWS ? n_rows - r : WORDS_ROWS;
            for (size_t side = 0; side < WORDS_SIDE; side++) {
                const size_t c = first + side * WORDS_OF_VECTOR;
                add_word_rows(&lanes[side], bytes + r * stride + 4 * c, stride, rows,
                              mask_of(c < n ? 4 * (n - c) : 0), zero_points(columns, c), bits);
            }
        }
        for (size_t side = 0; side < WORDS_SIDE; side++) {
            put_words(columns, first + side * WORDS_OF_VECTOR, &lanes[side]);
        }
    }
}

static TARGET void add_words_by_vectors(struct columns *columns, const unsigned char *bytes,
                                        size_t stride, size_t n_rows, size_t n, unsigned bits)
{
    switch (bits) {
    case 2:
        add_words_of(columns, bytes, stride, n_rows, n, 2);
        break;
    case 4:
        add_words_of(columns, bytes, stride, n_rows, n, 4);
        break;
    default:
        add_words(columns, bytes, stride, n_rows, n, bits);
        break;
    }
}

/* ---- nibbles of columns ---- */

/* The low or the high nibbles of 32 bytes a row. Sums and squares are in lanes of 16 bits,
 * columns 0 to 7 and 16 to 23 in the first vector, the others in the second. */
struct strip {
    __m256i sum[2];
    __m256i squares[2];
    __m256i zeros;
    __m256i least;
    __m256i largest;
};

/* Rows that are added at once: few lines of memory whose addresses collide in a cache, and
 * sums of a column that fit a byte. */
enum { STRIPS = COLUMNS_HALF / VECTOR_BYTES, STRIP_ROWS = 16, CACHE_LINE = 64 };
_Static_assert(STRIP_ROWS * 15 <= UINT8_MAX, "sums in bytes");
_Static_assert((COLUMNS_MOST_IN_BYTE + 1) * 15 * 15 <= UINT16_MAX, "squares in 16 bits");

VECTORS __m256i nibbles(__m256i bytes, int half)
{
    return _mm256_and_si256(half == 0 ? bytes : _mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
}

VECTORS __m256i add_squares(__m256i squares, __m256i codes)
{
    return _mm256_add_epi16(squares, _mm256_maddubs_epi16(codes, codes));
}

/* n_rows <= STRIP_ROWS, two at a time; of an odd number, the last one's partner is 0. */
VECTORS void add_rows(struct strip *strip, int half, const unsigned char *bytes, size_t stride,
                      size_t n_rows, __m256i present, const uint8_t *zero_points_of)
{
    const __m256i none = _mm256_setzero_si256();
    const __m256i zero_point = _mm256_loadu_si256((const __m256i_u *)zero_points_of);
    __m256i sum = none;
    __m256i squares[2] = {strip->squares[0], strip->squares[1]}; /* in registers */
    __m256i zeros = strip->zeros;
    __m256i least = strip->least;
    __m256i largest = strip->largest;
    for (size_t r = 0; r < n_rows; r++) {
        const __m256i a = nibbles(load_first(bytes + r * stride, present), half);
        __m256i b = none;
        sum = _mm256_add_epi8(sum, a);
        zeros = _mm256_sub_epi8(zeros, _mm256_cmpeq_epi8(a, zero_point));
        least = _mm256_min_epu8(least, a);
        largest = _mm256_max_epu8(largest, a);
        if (++r < n_rows) {
            b = nibbles(load_first(bytes + r * stride, present), half);
            sum = _mm256_add_epi8(sum, b);
            zeros = _mm256_sub_epi8(zeros, _mm256_cmpeq_epi8(b, zero_point));
            least = _mm256_min_epu8(least, b);
            largest = _mm256_max_epu8(largest, b);
        }
        squares[0] = add_squares(squares[0], _mm256_unpacklo_epi8(a, b));
        squares[1] = add_squares(squares[1], _mm256_unpackhi_epi8(a, b));
    }
    strip->sum[0] = _mm256_add_epi16(strip->sum[0], _mm256_unpacklo_epi8(sum, none));
    strip->sum[1] = _mm256_add_epi16(strip->sum[1], _mm256_unpackhi_epi8(sum, none));
    strip->squares[0] = squares[0];
    strip->squares[1] = squares[1];
    strip->zeros = zeros;
    strip->least = least;
    strip->largest = largest;
}

/* 16-bit lanes in the order of columns, as 32 bits. */
VECTORS void put_words_of_strip(uint32_t *to, const __m256i lanes[2])
{
    const __m256i ordered[2] = {_mm256_permute2x128_si256(lanes[0], lanes[1], 0x20),
                                _mm256_permute2x128_si256(lanes[0], lanes[1], 0x31)};
    for (size_t i = 0; i < 2; i++) {
        store(to + 16 * i, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(ordered[i])));
        store(to + 16 * i + 8, _mm256_cvtepu16_epi32(_mm256_extracti128_si256(ordered[i], 1)));
    }
}

VECTORS void put_strip(struct columns *columns, size_t c, const struct strip *strip)
{
    uint8_t zeros[VECTOR_BYTES];
    put_words_of_strip(columns->sum + c, strip->sum);
    put_words_of_strip(columns->squares + c, strip->squares);
    store(zeros, strip->zeros);
    for (size_t i = 0; i < VECTOR_BYTES; i += 8) {
        store(columns->zeros + c + i,
              _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)(zeros + i))));
    }
    store(columns->least + c, strip->least);
    store(columns->largest + c, strip->largest);
}

static TARGET void add_nibbles(struct columns *columns, const unsigned char *bytes, size_t stride,
                               size_t n_rows, size_t n)
{
    struct strip strips[STRIPS][2];
    memset(strips, 0, sizeof strips);
    for (size_t i = 0; i < STRIPS; i++) {
        strips[i][0].least = strips[i][1].least = _mm256_set1_epi8(-1);
    }
    for (size_t r = 0; r < n_rows; r += STRIP_ROWS) {
        const size_t rows = n_rows - r < STRIP_ROWS ? n_rows - r : STRIP_ROWS;
        const unsigned char *from = bytes + r * stride;
        for (size_t first = 0; first < n; first += VECTOR_BYTES) {
            struct strip *both = strips[first / VECTOR_BYTES];
            const __m256i present = mask_of(n - first);
            if (first % CACHE_LINE == 0) {
                prefetch_rows(from + rows * stride + first, stride, n_rows - r - rows, STRIP_ROWS);
            }
            add_rows(&both[0], 0, from + first, stride, rows, present, columns->zero_point + first);
            add_rows(&both[1], 1, from + first, stride, rows, present,
                     columns->zero_point + COLUMNS_HALF + first);
        }
    }
    for (size_t first = 0; first < n; first += VECTOR_BYTES) {
        put_strip(columns, first, &strips[first / VECTOR_BYTES][0]);
        put_strip(columns, COLUMNS_HALF + first, &strips[first / VECTOR_BYTES][1]);
    }
}

const struct columns_kernels columns_avx2 = {add_words_by_vectors, add_inputs, add_nibbles,
                                             columns_finish_avx2};
#else
typedef int llmfp_no_avx2_columns; /* a translation unit may not be empty */
#endif
