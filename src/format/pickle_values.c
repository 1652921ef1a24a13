/* pickle_values.c - opcodes for marks, numbers, texts and the memo. */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "pickle_machine.h"

/* ---- opcodes: the frame, marks, simple values ---- */

bool llmfp_pickle_op_proto(struct llmfp_pickle *pickle)
{
    uint64_t version;
    return llmfp_pickle_take_length(pickle, 1, &version) &&
           (version <= 5 || llmfp_pickle_refuse(pickle,
                                                "is of protocol %" PRIu64 ", and 5 is the "
                                                "last one known",
                                                version));
}

bool llmfp_pickle_op_frame(struct llmfp_pickle *pickle)
{
    uint64_t length;
    if (!llmfp_pickle_take_length(pickle, 8, &length)) {
        return false;
    }
    return length <= pickle->n_bytes - pickle->offset || llmfp_pickle_refuse_cut(pickle);
}

bool llmfp_pickle_op_mark(struct llmfp_pickle *pickle)
{
    const uint32_t mark = (uint32_t)llmfp_pickle_depth(pickle);
    void *place = llmfp_pickle_extend(pickle, &pickle->marks, sizeof mark);
    if (place != NULL) {
        memcpy(place, &mark, sizeof mark);
    }
    return place != NULL;
}

bool llmfp_pickle_op_pop_mark(struct llmfp_pickle *pickle)
{
    size_t n;
    return llmfp_pickle_pop_to_mark(pickle, &n) != NULL;
}

bool llmfp_pickle_op_pop(struct llmfp_pickle *pickle)
{
    if (llmfp_pickle_n_marks(pickle) > 0 &&
        llmfp_pickle_depth(pickle) == llmfp_pickle_last_mark(pickle)) {
        return llmfp_pickle_op_pop_mark(pickle);
    }
    return llmfp_pickle_pop(pickle, 1) != NULL;
}

bool llmfp_pickle_op_dup(struct llmfp_pickle *pickle)
{
    const struct llmfp_pickle_value *value = llmfp_pickle_top(pickle);
    return value != NULL && llmfp_pickle_push(pickle, *value);
}

bool llmfp_pickle_op_none(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_NONE, 0);
}

bool llmfp_pickle_op_true(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_BOOL, 1);
}

bool llmfp_pickle_op_false(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_BOOL, 0);
}

static bool push_unsigned(struct llmfp_pickle *pickle, unsigned width)
{
    uint64_t number;
    return llmfp_pickle_take_length(pickle, width, &number) &&
           llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_INTEGER, (int64_t)number);
}

bool llmfp_pickle_op_binint1(struct llmfp_pickle *pickle)
{
    return push_unsigned(pickle, 1);
}

bool llmfp_pickle_op_binint2(struct llmfp_pickle *pickle)
{
    return push_unsigned(pickle, 2);
}

bool llmfp_pickle_op_binint(struct llmfp_pickle *pickle)
{
    const unsigned char *place = llmfp_pickle_take(pickle, 4);
    return place != NULL &&
           llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_INTEGER, (int32_t)llmfp_load_u32(place));
}

/* Two's complement, little-endian. */
static bool push_long(struct llmfp_pickle *pickle, unsigned width)
{
    uint64_t length;
    const unsigned char *place =
        llmfp_pickle_take_length(pickle, width, &length) ? llmfp_pickle_take(pickle, length) : NULL;
    if (place == NULL) {
        return false;
    }
    if (length > 8) {
        return llmfp_pickle_push(pickle,
                                 (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_LONG,
                                                             .n_bytes = (uint32_t)length,
                                                             .as.text = (const char *)place});
    }
    uint64_t number = length > 0 && place[length - 1] >= 0x80 ? UINT64_MAX : 0;
    for (size_t i = (size_t)length; i-- > 0;) {
        number = number << 8 | place[i];
    }
    return llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_INTEGER, (int64_t)number);
}

bool llmfp_pickle_op_long1(struct llmfp_pickle *pickle)
{
    return push_long(pickle, 1);
}

bool llmfp_pickle_op_long4(struct llmfp_pickle *pickle)
{
    return push_long(pickle, 4);
}

/* Decimal digits of protocol 0; what 64 bits do not hold is opaque. */
static bool push_decimal(struct llmfp_pickle *pickle, const char *text, uint32_t n_bytes)
{
    const bool negative = n_bytes > 0 && text[0] == '-';
    uint32_t i = negative;
    int64_t number = 0;
    if (n_bytes == i) {
        return llmfp_pickle_refuse(pickle, "has a number without digits");
    }
    for (; i < n_bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return llmfp_pickle_refuse(pickle, "has a number that is not one");
        }
        if (number > (INT64_MAX - 9) / 10) {
            return llmfp_pickle_push_opaque(pickle);
        }
        number = number * 10 + (text[i] - '0');
    }
    return llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_INTEGER, negative ? -number : number);
}

bool llmfp_pickle_op_int(struct llmfp_pickle *pickle)
{
    const char *text;
    uint32_t n_bytes;
    if (!llmfp_pickle_take_line(pickle, &text, &n_bytes)) {
        return false;
    }
    if (n_bytes == 2 && text[0] == '0' && (text[1] == '0' || text[1] == '1')) {
        return llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_BOOL, text[1] - '0');
    }
    return push_decimal(pickle, text, n_bytes);
}

bool llmfp_pickle_op_long(struct llmfp_pickle *pickle)
{
    const char *text;
    uint32_t n_bytes;
    return llmfp_pickle_take_line(pickle, &text, &n_bytes) &&
           push_decimal(pickle, text, n_bytes - (n_bytes > 0 && text[n_bytes - 1] == 'L'));
}

bool llmfp_pickle_op_float(struct llmfp_pickle *pickle)
{
    const char *text;
    uint32_t n_bytes;
    return llmfp_pickle_take_line(pickle, &text, &n_bytes) && llmfp_pickle_push_opaque(pickle);
}

bool llmfp_pickle_op_binfloat(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_take(pickle, 8) != NULL && llmfp_pickle_push_opaque(pickle);
}

/* ---- opcodes: texts and bytes ---- */

static bool push_text(struct llmfp_pickle *pickle, const char *text, uint64_t n_bytes)
{
    return llmfp_pickle_push(pickle, (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_TEXT,
                                                                 .n_bytes = (uint32_t)n_bytes,
                                                                 .as.text = text});
}

/* Texts are shorter than the pickle, so 32 bits hold their lengths. */
static bool take_text(struct llmfp_pickle *pickle, unsigned width)
{
    uint64_t length;
    const unsigned char *place =
        llmfp_pickle_take_length(pickle, width, &length) ? llmfp_pickle_take(pickle, length) : NULL;
    return place != NULL && push_text(pickle, (const char *)place, length);
}

bool llmfp_pickle_op_text1(struct llmfp_pickle *pickle)
{
    return take_text(pickle, 1);
}

bool llmfp_pickle_op_text4(struct llmfp_pickle *pickle)
{
    return take_text(pickle, 4);
}

bool llmfp_pickle_op_text8(struct llmfp_pickle *pickle)
{
    return take_text(pickle, 8);
}

static bool take_bytes(struct llmfp_pickle *pickle, unsigned width)
{
    uint64_t length;
    return llmfp_pickle_take_length(pickle, width, &length) &&
           llmfp_pickle_take(pickle, length) != NULL && llmfp_pickle_push_opaque(pickle);
}

bool llmfp_pickle_op_bytes1(struct llmfp_pickle *pickle)
{
    return take_bytes(pickle, 1);
}

bool llmfp_pickle_op_bytes4(struct llmfp_pickle *pickle)
{
    return take_bytes(pickle, 4);
}

bool llmfp_pickle_op_bytes8(struct llmfp_pickle *pickle)
{
    return take_bytes(pickle, 8);
}

/* Lines with escapes are opaque: no name of a tensor is written so. */
static bool push_line(struct llmfp_pickle *pickle, bool quoted)
{
    const char *text;
    uint32_t n_bytes;
    if (!llmfp_pickle_take_line(pickle, &text, &n_bytes)) {
        return false;
    }
    if (memchr(text, '\\', n_bytes) != NULL) {
        return llmfp_pickle_push_opaque(pickle);
    }
    if (!quoted) {
        return push_text(pickle, text, n_bytes);
    }
    if (n_bytes < 2 || (text[0] != '\'' && text[0] != '"') || text[n_bytes - 1] != text[0]) {
        return llmfp_pickle_refuse(pickle, "has a string without quotes");
    }
    return push_text(pickle, text + 1, n_bytes - 2);
}

bool llmfp_pickle_op_string(struct llmfp_pickle *pickle)
{
    return push_line(pickle, true);
}

bool llmfp_pickle_op_unicode(struct llmfp_pickle *pickle)
{
    return push_line(pickle, false);
}

/* ---- opcodes: the memo ---- */

static bool put(struct llmfp_pickle *pickle, uint64_t index)
{
    const struct llmfp_pickle_value *value = llmfp_pickle_top(pickle);
    if (value == NULL) {
        return false;
    }
    const struct llmfp_pickle_value kept = *value;
    if (index >= pickle->n_memo) {
        if (index >= LLMFP_PICKLE_MOST_MEMORY / sizeof kept) {
            return llmfp_pickle_refuse(pickle,
                                       "uses place %" PRIu64 " of its memo, which is too "
                                       "far out",
                                       index);
        }
        const size_t grown = ((size_t)index + 1 - pickle->n_memo) * sizeof kept;
        void *place = llmfp_pickle_extend(pickle, &pickle->memo, grown);
        if (place == NULL) {
            return false;
        }
        memset(place, 0xff, grown); /* no kind of value: nothing was put there */
        pickle->n_memo = (size_t)index + 1;
    }
    memcpy(pickle->memo.bytes + (size_t)index * sizeof kept, &kept, sizeof kept);
    return true;
}

static bool get(struct llmfp_pickle *pickle, uint64_t index)
{
    uint32_t kind = UINT32_MAX;
    if (index < pickle->n_memo) {
        memcpy(&kind, pickle->memo.bytes + (size_t)index * sizeof(struct llmfp_pickle_value),
               sizeof kind);
    }
    if (kind > LLMFP_PICKLE_OPAQUE) {
        return llmfp_pickle_refuse(pickle, "gets place %" PRIu64 " of its memo, where nothing is",
                                   index);
    }
    struct llmfp_pickle_value value;
    memcpy(&value, pickle->memo.bytes + (size_t)index * sizeof value, sizeof value);
    return llmfp_pickle_push(pickle, value);
}

static bool take_index(struct llmfp_pickle *pickle, uint64_t *index)
{
    const char *text;
    uint32_t n_bytes;
    if (!llmfp_pickle_take_line(pickle, &text, &n_bytes)) {
        return false;
    }
    *index = 0;
    for (uint32_t i = 0; i < n_bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || *index > UINT32_MAX) {
            return llmfp_pickle_refuse(pickle, "has a place in its memo that is not a number");
        }
        *index = *index * 10 + (uint64_t)(text[i] - '0');
    }
    return true;
}

bool llmfp_pickle_op_put(struct llmfp_pickle *pickle)
{
    uint64_t index;
    return take_index(pickle, &index) && put(pickle, index);
}

bool llmfp_pickle_op_binput(struct llmfp_pickle *pickle)
{
    uint64_t index;
    return llmfp_pickle_take_length(pickle, 1, &index) && put(pickle, index);
}

bool llmfp_pickle_op_long_binput(struct llmfp_pickle *pickle)
{
    uint64_t index;
    return llmfp_pickle_take_length(pickle, 4, &index) && put(pickle, index);
}

bool llmfp_pickle_op_memoize(struct llmfp_pickle *pickle)
{
    return put(pickle, pickle->n_memo);
}

bool llmfp_pickle_op_get(struct llmfp_pickle *pickle)
{
    uint64_t index;
    return take_index(pickle, &index) && get(pickle, index);
}

bool llmfp_pickle_op_binget(struct llmfp_pickle *pickle)
{
    uint64_t index;
    return llmfp_pickle_take_length(pickle, 1, &index) && get(pickle, index);
}

bool llmfp_pickle_op_long_binget(struct llmfp_pickle *pickle)
{
    uint64_t index;
    return llmfp_pickle_take_length(pickle, 4, &index) && get(pickle, index);
}
