/* lookup4_lanes.c - digits and words that go into lanes, and sums that come out. */
#include "lookup4_lanes.h"

#include "llmfp/isa.h"

const struct lookup4_lanes_kernels *lookup4_lanes_chosen(void)
{
#if defined(__x86_64__)
    if (llmfp_isa_chosen() == LLMFP_ISA_AVX2) {
        return &lookup4_lanes_avx2;
    }
#endif
    return NULL;
}

/* n digits of the value of a code, from `first` on. */
static void put_digits(struct lookup4_lanes_map *map, unsigned code, int first, int n,
                       int64_t value)
{
    enum { HALF = 1 << (LANES_DIGIT_BITS - 1) };
    for (int k = first; k < first + n; k++) {
        const int64_t low = ((value + HALF) & (2 * HALF - 1)) - HALF;
        for (int lane = 0; lane < LANES_RUNS; lane++) {
            map->pairs[code / 2][k][lane][code % 2] = (int16_t)low;
        }
        value = (value - low) >> LANES_DIGIT_BITS;
    }
}

void lookup4_lanes_read_map(struct lookup4_lanes_map *map, const struct lookup *lookup)
{
    map->zero = 0;
    for (unsigned c = 0; c < LOOKUP4_CODES; c++) {
        const int64_t value = lookup->value[c];
        put_digits(map, c, 0, LANES_SUM_DIGITS, value);
        put_digits(map, c, LANES_SUM_DIGITS, LANES_SQUARE_DIGITS, value * value);
        map->zero |= (uint32_t)(value == 0) << c;
    }
}

struct lookup4_words lookup4_lanes_words(int64_t q)
{
    const int64_t mask = (INT64_C(1) << LANES_WORD_BITS) - 1;
    const llmfp_i128 squared = (llmfp_i128)q * q;
    struct lookup4_words words = {{0}};
    words.word[0] = (int32_t)(q & mask);
    words.word[1] = (int32_t)(q >> LANES_WORD_BITS);
    for (int k = 0; k < LANES_SQUARE_WORDS; k++) {
        words.word[LANES_SCALE_WORDS + k] =
            (int32_t)((int64_t)(squared >> (LANES_WORD_BITS * k)) & mask);
    }
    return words;
}

llmfp_i128 lookup4_lanes_total(const int64_t (*digits)[4], int n)
{
    llmfp_u128 total = 0;
    for (int k = n - 1; k >= 0; k--) {
        total <<= LANES_DIGIT_BITS;
        for (int lane = 0; lane < 4; lane++) {
            const llmfp_i128 digit = digits[k][lane];
            total += (llmfp_u128)digit;
        }
    }
    return (llmfp_i128)total;
}
