/* float_sums.c - blocks to windows, the rest to bins. See float_sums.h.        */
#include "float_sums.h"

#include <math.h>
#include <string.h>

#include "bytes.h"

enum {
    INFINITE = 0x7F800000,
    /* m^2 < 2^48: 2^16 of them in all copies stay below 2^64. */
    MOST_BINNED = 1 << 16,
    /* Squares of a block in a window are below 2^(12 + 2 51), or in two parts that are smaller:
     * 2^(12 + 2 83 - 85), and rests below 2^(12 + 85). Sums are below 2^(12 + 83). */
    MOST_BLOCKS = 1 << 12,
    FEW = 64, /* outside elements that are cheaper one by one than in a window of their own */
    TOO_MANY = BLOCK / CHUNK, /* outside a narrow window: about one in each chunk */
    MANY = BLOCK / 16         /* so many outside that the window may be at the wrong place */
};

const struct window_kernels *llmfp_float_sums_kernels(void)
{
    switch (llmfp_isa_chosen()) {
#if defined(__x86_64__)
    case LLMFP_ISA_AVX512:
        return &llmfp_window_avx512;
    case LLMFP_ISA_AVX2:
        return &llmfp_window_avx2;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    case LLMFP_ISA_NEON:
        return &llmfp_window_neon;
#endif
    default:
        return &llmfp_window_portable;
    }
}

void llmfp_float_sums_begin(struct float_sums *sums, struct llmfp_moments *moments,
                            const struct window_kernels *kernels, int mantissa_bits,
                            int lowest_exponent)
{
    sums->moments = moments;
    sums->narrow = kernels;
    sums->kernels = kernels;
    sums->width = (struct width){.next = LEAST_WIDE};
    sums->looks = (struct looks){.next = 1};
    sums->mantissa_bits = mantissa_bits;
    sums->lowest_exponent = lowest_exponent;
    sums->count = 0;
    sums->zeros = 0;
    sums->nonfinite = 0;
    sums->smallest = INT32_MAX;
    sums->largest = INT32_MIN;
    sums->n_binned = 0;
    sums->lowest = 0;
    sums->n_blocks = 0;
    sums->window_sum = 0;
    sums->window_squares = 0;
    sums->high_squares = 0;
}

/* Add sums in units of 2^exponent and 2^(2 exponent). The unit of a float may be finer
 * than the encoding's, and than the limbs reach: then the low bits are zeros. */
static void add_scaled(struct float_sums *sums, llmfp_i128 sum, llmfp_u128 squares, int exponent)
{
    const int excess = exponent < sums->lowest_exponent ? sums->lowest_exponent - exponent : 0;
    /* A multiple of 2^excess; dividing, because shifts of negative values are not portable. */
    if (sum != 0) {
        llmfp_moments_add_sum(sums->moments, sum / ((llmfp_i128)1 << excess), exponent + excess);
    }
    if (squares != 0) {
        llmfp_moments_add_square(sums->moments, squares >> (2 * excess), 2 * (exponent + excess));
    }
}

static int32_t order_key(uint32_t pattern)
{
    const int32_t magnitude = (int32_t)(pattern & INT32_MAX);
    return pattern >> 31 != 0 ? -magnitude : magnitude;
}

static void note_range(struct float_sums *sums, int32_t smallest, int32_t largest)
{
    sums->smallest = smallest < sums->smallest ? smallest : sums->smallest;
    sums->largest = largest > sums->largest ? largest : sums->largest;
}

/* -- One by one ------------------------------------------------------------- */

static void empty_bins(struct float_sums *sums)
{
    for (uint32_t bin = sums->first_bin; sums->n_binned > 0 && bin <= sums->last_bin; bin++) {
        int64_t sum = 0;
        uint64_t squares = 0;
        for (int copy = 0; copy < BIN_COPIES; copy++) {
            sum += sums->sum[copy][bin];
            squares += sums->squares[copy][bin];
            sums->sum[copy][bin] = 0;
            sums->squares[copy][bin] = 0;
        }
        add_scaled(sums, sum, squares, (int)(bin > 0 ? bin : 1) - 150);
    }
    sums->n_binned = 0;
}

static void make_room_in_bins(struct float_sums *sums, size_t n)
{
    if (sums->n_binned + n > MOST_BINNED) {
        empty_bins(sums);
    }
    if (sums->n_binned == 0) {
        memset(sums->sum, 0, sizeof sums->sum);
        memset(sums->squares, 0, sizeof sums->squares);
        sums->first_bin = FLOAT_BINS;
        sums->last_bin = 0;
    }
    sums->n_binned += (uint32_t)n;
}

/* Copies of the bins, so that equal neighbours do not wait for each other. */
static void add_one_by_one(struct float_sums *sums, const unsigned char *bytes, size_t n)
{
    make_room_in_bins(sums, n);
    int32_t smallest = INT32_MAX;
    int32_t largest = INT32_MIN;
    uint32_t first = sums->first_bin;
    uint32_t last = sums->last_bin;
    for (size_t i = 0; i < n; i++) {
        const uint32_t pattern = llmfp_load_u32(bytes + 4 * i);
        const uint32_t magnitude = pattern & INT32_MAX;
        if (magnitude >= INFINITE) {
            sums->nonfinite++;
            continue;
        }
        const uint32_t bin = magnitude >> 23;
        const int64_t m = (int64_t)((magnitude & 0x7FFFFF) | (bin > 0 ? 0x800000U : 0U));
        const int64_t sign = -(int64_t)(pattern >> 31); /* 0 or -1 */
        sums->sum[i % BIN_COPIES][bin] += (m ^ sign) - sign;
        sums->squares[i % BIN_COPIES][bin] += (uint64_t)(m * m);
        sums->zeros += magnitude == 0;
        const int32_t key = order_key(pattern);
        smallest = key < smallest ? key : smallest;
        largest = key > largest ? key : largest;
        first = bin < first ? bin : first;
        last = bin > last ? bin : last;
    }
    sums->first_bin = first;
    sums->last_bin = last;
    note_range(sums, smallest, largest);
}

/* -- In windows ------------------------------------------------------------- */

static void note_block_range(struct float_sums *sums, struct window_range range)
{
    const bool any_negative = range.largest_unsigned > INT32_MAX;
    const bool any_positive = range.largest_signed >= 0;
    note_range(sums, order_key(any_negative ? range.largest_unsigned : range.smallest_unsigned),
               any_positive ? range.largest_signed : order_key(range.smallest_unsigned));
}

static uint32_t largest_magnitude(struct window_range range)
{
    const uint32_t positive = range.largest_signed > 0 ? (uint32_t)range.largest_signed : 0;
    const uint32_t negative =
        range.largest_unsigned > INT32_MAX ? range.largest_unsigned & INT32_MAX : 0;
    return positive > negative ? positive : negative;
}

/* The exponent of the unit in a window whose lowest biased exponent is `lowest`. */
static int unit_at(const struct float_sums *sums, int lowest)
{
    return lowest - 127 - (sums->mantissa_bits - 1);
}

/* Where the unit is the encoding's. Below that, it is the same: that of subnormals. */
static int least_lowest(const struct float_sums *sums)
{
    return sums->lowest_exponent - unit_at(sums, 0);
}

static struct window window_at(const struct float_sums *sums, int lowest)
{
    return (struct window){
        .unit = unit_at(sums, lowest),
        .first = lowest == least_lowest(sums) ? 1U : (uint32_t)lowest << 23,
    };
}

static void close_window(struct float_sums *sums)
{
    if (sums->n_blocks > 0) {
        const int unit = unit_at(sums, sums->lowest);
        const llmfp_i128 step = (llmfp_i128)1 << HIGH_SQUARES_BITS;
        /* The lower part alone may be negative. */
        const llmfp_i128 rest = (sums->window_squares % step + step) % step;
        const llmfp_i128 carry = (sums->window_squares - rest) / step;
        llmfp_moments_add_sum(sums->moments, sums->window_sum, unit);
        llmfp_moments_add_square(sums->moments, (llmfp_u128)rest, 2 * unit);
        llmfp_moments_add_square(sums->moments, (llmfp_u128)(sums->high_squares + carry),
                                 2 * unit + HIGH_SQUARES_BITS);
    }
    sums->n_blocks = 0;
    sums->window_sum = 0;
    sums->window_squares = 0;
    sums->high_squares = 0;
}

/* Binades of a window: the largest mantissa shifted that far still has `bits` bits. */
static int binades_of(const struct float_sums *sums)
{
    return sums->kernels->bits - (sums->mantissa_bits - 1);
}

/* See to it that the window holds magnitudes up to this one, and not much more. */
static void place_window(struct float_sums *sums, uint32_t magnitude)
{
    const int binades = binades_of(sums);
    const int least = least_lowest(sums);
    const int top = (int)(magnitude >> 23);
    const int above = sums->lowest + binades - 1 - top; /* binades that are not needed */
    if (sums->lowest == 0 || above < 0 || (above > binades / 8 && sums->lowest > least)) {
        close_window(sums);
        sums->lowest = top - binades + 1 > least ? top - binades + 1 : least;
    }
}

/* Sum n patterns, a multiple of CHUNK, in the window, but for *n_outside below it. False where
 * one is larger than `most`: then none is summed. */
static bool add_in_window(struct float_sums *sums, const unsigned char *bytes, size_t n,
                          uint32_t most, unsigned char *outside, size_t *n_outside)
{
    struct window window = window_at(sums, sums->lowest);
    window.most = most > window.first ? most : window.first; /* all may be zeros */
    const size_t n_out = sums->kernels->add(&window, bytes, n, outside);
    if (n_out == BEYOND) {
        return false;
    }
    *n_outside = n_out;
    sums->zeros += window.zeros;
    sums->window_sum += window.sum;
    sums->window_squares += window.squares;
    sums->high_squares += window.high_squares;
    if (++sums->n_blocks == MOST_BLOCKS) {
        close_window(sums);
    }
    return true;
}

/* What a window left outside, in windows that go down until few elements are left. Each
 * begins where the one before ends; after one that held less than half, where the elements do.
 * The last chunk is filled up with zeros. */
static void add_outside(struct float_sums *sums, unsigned char *outside, size_t n_left)
{
    bool is_sparse = false;
    while (n_left >= FEW) {
        const size_t n_zeros = (CHUNK - n_left % CHUNK) % CHUNK;
        const size_t n = n_left + n_zeros;
        memset(outside + 4 * n_left, 0, 4 * n_zeros);
        const uint32_t most = is_sparse ? largest_magnitude(sums->kernels->range(outside, n))
                                        : window_at(sums, sums->lowest).first - 1;
        place_window(sums, most);
        size_t n_outside = 0;
        (void)add_in_window(sums, outside, n, most, outside, &n_outside);
        sums->zeros -= n_zeros;
        is_sparse = n_outside > n_left / 2;
        n_left = n_outside;
    }
    if (n_left > 0) {
        add_one_by_one(sums, outside, n_left);
    }
}

/* The largest magnitude that neither widens the known range nor leaves the window; 0: none. */
static uint32_t known_magnitude(const struct float_sums *sums)
{
    if (sums->lowest == 0 || sums->smallest >= 0 || sums->largest <= 0) {
        return 0;
    }
    const uint32_t nearer =
        (uint32_t)(-sums->smallest < sums->largest ? -sums->smallest : sums->largest);
    const int end = sums->lowest + binades_of(sums);
    return (int)(nearer >> 23) < end ? nearer : ((uint32_t)end << 23) - 1;
}

/* As add_in_window: read once, if that is promising. */
static bool add_unseen(struct float_sums *sums, const unsigned char *bytes, size_t n,
                       unsigned char *outside, size_t *n_outside)
{
    const uint32_t most = known_magnitude(sums);
    if (look_is_due(&sums->looks) || most == 0 || most < window_at(sums, sums->lowest).first) {
        return false;
    }
    const bool is_added = add_in_window(sums, bytes, n, most, outside, n_outside);
    if (is_added && *n_outside < MANY) {
        sums->looks.next = 1;
    } else {
        lose_patience(&sums->looks);
    }
    return is_added;
}

/* n patterns, a multiple of CHUNK; false, and nothing added, where not all are finite. */
static bool add_in_windows(struct float_sums *sums, const unsigned char *bytes, size_t n)
{
    unsigned char outside[4 * (BLOCK + SPARE)];
    size_t n_outside = 0;
    if (!add_unseen(sums, bytes, n, outside, &n_outside)) {
        const struct window_range range = sums->kernels->range(bytes, n);
        const uint32_t most = largest_magnitude(range);
        if (most >= INFINITE) {
            return false;
        }
        note_block_range(sums, range);
        place_window(sums, most);
        (void)add_in_window(sums, bytes, n, most, outside, &n_outside);
    }
    add_outside(sums, outside, n_outside);
    if (width_changes(&sums->width, n_outside >= TOO_MANY)) {
        close_window(sums);
        sums->lowest = 0;
        sums->kernels = sums->width.is_wide ? sums->narrow->wide : sums->narrow;
    }
    return true;
}

void llmfp_float_sums_add(struct float_sums *sums, const unsigned char *bytes, size_t n)
{
    const bool in_windows = sums->kernels != NULL && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    const size_t n_window = in_windows ? n - n % CHUNK : 0;
    sums->count += n;
    size_t n_done = 0;
    if (n_window > 0 && add_in_windows(sums, bytes, n_window)) {
        n_done = n_window;
    }
    if (n_done < n) {
        add_one_by_one(sums, bytes + 4 * n_done, n - n_done);
    }
}

static double value_of_key(int32_t key)
{
    const uint32_t magnitude = (uint32_t)(key < 0 ? -key : key);
    const uint32_t biased = magnitude >> 23;
    const uint32_t m = (magnitude & 0x7FFFFF) | (biased > 0 ? 0x800000U : 0U);
    const double value = ldexp((double)m, (int)(biased > 0 ? biased : 1) - 150);
    return key < 0 ? -value : value;
}

void llmfp_float_sums_end(struct float_sums *sums)
{
    close_window(sums);
    empty_bins(sums);
    llmfp_moments_add_counts(sums->moments, sums->count, sums->zeros, sums->nonfinite);
    if (sums->smallest <= sums->largest) {
        llmfp_moments_add_range(sums->moments, value_of_key(sums->smallest),
                                value_of_key(sums->largest));
    }
}
