/* json_reader.c - strict JSON (RFC 8259), pulled value by value, without recursion. */
#include "json_reader.h"

#include <string.h>

#include "llmfp/error.h"
#include "utf8.h"

struct llmfp_json llmfp_json_over(const char *text, size_t n_bytes)
{
    return (struct llmfp_json){.text = text, .n_bytes = n_bytes};
}

bool llmfp_json_refuse(struct llmfp_json *reader, size_t offset, const char *problem)
{
    if (reader->problem == NULL) {
        reader->problem = problem;
        reader->problem_offset = offset;
    }
    return false;
}

static bool refuse_here(struct llmfp_json *reader, const char *problem)
{
    return llmfp_json_refuse(reader, reader->offset, problem);
}

/* The next byte, or -1 at the end. */
static int look(const struct llmfp_json *reader)
{
    return reader->offset < reader->n_bytes ? (unsigned char)reader->text[reader->offset] : -1;
}

static void skip_space(struct llmfp_json *reader)
{
    for (;;) {
        const int byte = look(reader);
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            return;
        }
        reader->offset++;
    }
}

enum llmfp_json_kind llmfp_json_peek(struct llmfp_json *reader)
{
    if (reader->problem != NULL) {
        return LLMFP_JSON_BAD;
    }
    skip_space(reader);
    const int byte = look(reader);
    switch (byte) {
    case '{':
        return LLMFP_JSON_OBJECT;
    case '[':
        return LLMFP_JSON_ARRAY;
    case '"':
        return LLMFP_JSON_STRING;
    case 't':
        return LLMFP_JSON_TRUE;
    case 'f':
        return LLMFP_JSON_FALSE;
    case 'n':
        return LLMFP_JSON_NULL;
    default:
        break;
    }
    if (byte == '-' || (byte >= '0' && byte <= '9')) {
        return LLMFP_JSON_NUMBER;
    }
    refuse_here(reader, byte < 0 ? "the text ends where a value should be"
                                 : "a byte that begins no JSON value");
    return LLMFP_JSON_BAD;
}

bool llmfp_json_enter(struct llmfp_json *reader)
{
    const enum llmfp_json_kind kind = llmfp_json_peek(reader);
    if (kind != LLMFP_JSON_OBJECT && kind != LLMFP_JSON_ARRAY) {
        return refuse_here(reader, "neither an object nor an array");
    }
    if (reader->depth == LLMFP_JSON_MOST_LEVELS) {
        return refuse_here(reader, "objects and arrays nested too deeply");
    }
    reader->closers[reader->depth++] = kind == LLMFP_JSON_OBJECT ? '}' : ']';
    reader->first = true;
    reader->offset++;
    return true;
}

/* At the end of a container: leave it. Else go past the comma, if one is due, to
 * the next member. True when there is one. */
static bool next_member(struct llmfp_json *reader)
{
    skip_space(reader);
    const int byte = look(reader);
    if (byte == reader->closers[reader->depth - 1]) {
        reader->offset++;
        reader->depth--;
        reader->first = false;
        return false;
    }
    if (!reader->first) {
        if (byte != ',') {
            return refuse_here(reader, byte < 0 ? "the text ends inside an object or array"
                                                : "a comma or the end of the object or array is "
                                                  "missing");
        }
        reader->offset++;
        skip_space(reader);
    }
    reader->first = false;
    return true;
}

static bool inside(const struct llmfp_json *reader, char closer)
{
    return reader->problem == NULL && reader->depth > 0 &&
           reader->closers[reader->depth - 1] == closer;
}

bool llmfp_json_next_item(struct llmfp_json *reader)
{
    return inside(reader, ']') && next_member(reader);
}

/* ---- strings ---- */

/* Four hexadecimal digits at `offset`, or -1. */
static int32_t hexadecimal(const struct llmfp_json *reader, size_t offset)
{
    if (offset > reader->n_bytes || reader->n_bytes - offset < 4) {
        return -1;
    }
    int32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        const char byte = reader->text[offset + i];
        int digit;
        if (byte >= '0' && byte <= '9') {
            digit = byte - '0';
        } else if (byte >= 'a' && byte <= 'f') {
            digit = byte - 'a' + 10;
        } else if (byte >= 'A' && byte <= 'F') {
            digit = byte - 'A' + 10;
        } else {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static size_t encode_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(unsigned char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(unsigned char)(lead[length] | code);
    return length;
}

/* An escape \uXXXX (or a surrogate pair of two) whose backslash is at reader->offset. */
static size_t unicode_escape(struct llmfp_json *reader, char out[4])
{
    const int32_t unit = hexadecimal(reader, reader->offset + 2);
    if (unit < 0) {
        refuse_here(reader, "\\u without four hexadecimal digits");
        return 0;
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        reader->offset += 6;
        return encode_utf8((uint32_t)unit, out);
    }
    const size_t second = reader->offset + 6;
    const bool pair = unit < 0xDC00 && reader->n_bytes - second >= 2 &&
                      memcmp(reader->text + second, "\\u", 2) == 0;
    const int32_t low = pair ? hexadecimal(reader, second + 2) : -1;
    if (low < 0xDC00 || low > 0xDFFF) {
        refuse_here(reader, "a lone surrogate in a \\u escape");
        return 0;
    }
    reader->offset += 12;
    return encode_utf8(0x10000 + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00), out);
}

/* The escape at reader->offset; its bytes go to `out`. Returns how many, 0 on errors. */
static size_t unescape(struct llmfp_json *reader, char out[4])
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const size_t at = reader->offset + 1;
    if (at < reader->n_bytes && reader->text[at] == 'u') {
        return unicode_escape(reader, out);
    }
    const char *found =
        at < reader->n_bytes ? memchr(from, reader->text[at], sizeof from - 1) : NULL;
    if (found == NULL) {
        refuse_here(reader, "an escape that JSON does not define");
        return 0;
    }
    out[0] = to[found - from];
    reader->offset += 2;
    return 1;
}

/* Move over bytes that stand for themselves. */
static bool plain_run(struct llmfp_json *reader)
{
    size_t i = reader->offset;
    while (i < reader->n_bytes) {
        const unsigned char byte = (unsigned char)reader->text[i];
        if (byte == '"' || byte == '\\') {
            break;
        }
        size_t length = 1;
        if (byte < 0x20) {
            return llmfp_json_refuse(reader, i, "a raw control character in a string");
        }
        if (byte >= 0x80) {
            length = llmfp_utf8_character(reader->text + i, reader->n_bytes - i);
        }
        if (length == 0) {
            return llmfp_json_refuse(reader, i, "bytes that are not UTF-8");
        }
        i += length;
    }
    reader->offset = i;
    return i < reader->n_bytes || refuse_here(reader, "the text ends inside a string");
}

/* Read a string; with scratch NULL it is only checked. */
static bool scan_string(struct llmfp_json *reader, struct llmfp_buffer *scratch,
                        struct llmfp_json_text *string)
{
    if (llmfp_json_peek(reader) != LLMFP_JSON_STRING) {
        return refuse_here(reader, "not a string");
    }
    size_t run = ++reader->offset;
    bool escaped = false;
    if (scratch != NULL) {
        scratch->size_bytes = 0;
    }
    while (plain_run(reader)) {
        const bool end = reader->text[reader->offset] == '"';
        if (scratch != NULL && (escaped || !end)) {
            llmfp_buffer_put(scratch, reader->text + run, reader->offset - run);
        }
        if (end) {
            if (scratch != NULL && scratch->failed) {
                return refuse_here(reader, "no memory for a string");
            }
            if (scratch != NULL) {
                *string = escaped
                              ? (struct llmfp_json_text){(const char *)scratch->bytes,
                                                         scratch->size_bytes}
                              : (struct llmfp_json_text){reader->text + run, reader->offset - run};
            }
            reader->offset++;
            return true;
        }
        char bytes[4];
        const size_t length = unescape(reader, bytes);
        if (length == 0) {
            return false;
        }
        if (scratch != NULL) {
            llmfp_buffer_put(scratch, bytes, length);
        }
        escaped = true;
        run = reader->offset;
    }
    return false;
}

bool llmfp_json_string(struct llmfp_json *reader, struct llmfp_buffer *scratch,
                       struct llmfp_json_text *string)
{
    return scan_string(reader, scratch, string);
}

/* A key and its colon; with scratch NULL it is only checked. */
static bool next_key(struct llmfp_json *reader, struct llmfp_buffer *scratch,
                     struct llmfp_json_text *key)
{
    if (!inside(reader, '}') || !next_member(reader)) {
        return false;
    }
    if (look(reader) != '"') {
        return refuse_here(reader, "a key in double quotes is missing");
    }
    if (!scan_string(reader, scratch, key)) {
        return false;
    }
    skip_space(reader);
    if (look(reader) != ':') {
        return refuse_here(reader, "the colon behind a key is missing");
    }
    reader->offset++;
    return true;
}

bool llmfp_json_next_key(struct llmfp_json *reader, struct llmfp_buffer *scratch,
                         struct llmfp_json_text *key)
{
    return next_key(reader, scratch, key);
}

/* ---- numbers and literals ---- */

static bool digit_next(const struct llmfp_json *reader)
{
    const int byte = look(reader);
    return byte >= '0' && byte <= '9';
}

/* One digit or more. */
static bool digits(struct llmfp_json *reader)
{
    if (!digit_next(reader)) {
        return refuse_here(reader, "a digit is missing in a number");
    }
    while (digit_next(reader)) {
        reader->offset++;
    }
    return true;
}

bool llmfp_json_number(struct llmfp_json *reader, struct llmfp_json_text *number)
{
    if (llmfp_json_peek(reader) != LLMFP_JSON_NUMBER) {
        return refuse_here(reader, "not a number");
    }
    const size_t start = reader->offset;
    if (look(reader) == '-') {
        reader->offset++;
    }
    const bool zero = look(reader) == '0';
    const size_t integer = reader->offset;
    if (!digits(reader)) {
        return false;
    }
    if (zero && reader->offset - integer > 1) {
        return llmfp_json_refuse(reader, start, "a number with a leading zero");
    }
    if (look(reader) == '.') {
        reader->offset++;
        if (!digits(reader)) {
            return false;
        }
    }
    if (look(reader) == 'e' || look(reader) == 'E') {
        reader->offset++;
        if (look(reader) == '+' || look(reader) == '-') {
            reader->offset++;
        }
        if (!digits(reader)) {
            return false;
        }
    }
    *number = (struct llmfp_json_text){reader->text + start, reader->offset - start};
    return true;
}

bool llmfp_json_u64(struct llmfp_json *reader, uint64_t *value)
{
    static const char expected[] = "not an integer from 0 to 2^64 - 1 written with digits only";
    const enum llmfp_json_kind kind = llmfp_json_peek(reader);
    if (kind != LLMFP_JSON_BAD && kind != LLMFP_JSON_NUMBER) {
        return refuse_here(reader, expected);
    }
    struct llmfp_json_text number;
    if (!llmfp_json_number(reader, &number)) {
        return false;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < number.n_bytes; i++) {
        const char byte = number.bytes[i];
        const uint64_t digit = (uint64_t)(byte - '0');
        if (byte < '0' || byte > '9' || sum > (UINT64_MAX - digit) / 10) {
            return llmfp_json_refuse(reader, (size_t)(number.bytes - reader->text), expected);
        }
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

static bool literal(struct llmfp_json *reader, const char *word)
{
    const size_t length = strlen(word);
    if (reader->n_bytes - reader->offset < length ||
        memcmp(reader->text + reader->offset, word, length) != 0) {
        return refuse_here(reader, "a word that is not true, false or null");
    }
    reader->offset += length;
    return true;
}

/* One scalar, or the opening of a container. */
static bool skip_one(struct llmfp_json *reader)
{
    struct llmfp_json_text number;
    switch (llmfp_json_peek(reader)) {
    case LLMFP_JSON_OBJECT:
    case LLMFP_JSON_ARRAY:
        return llmfp_json_enter(reader);
    case LLMFP_JSON_STRING:
        return scan_string(reader, NULL, NULL);
    case LLMFP_JSON_NUMBER:
        return llmfp_json_number(reader, &number);
    case LLMFP_JSON_TRUE:
        return literal(reader, "true");
    case LLMFP_JSON_FALSE:
        return literal(reader, "false");
    case LLMFP_JSON_NULL:
        return literal(reader, "null");
    case LLMFP_JSON_BAD:
    default:
        return false;
    }
}

bool llmfp_json_skip(struct llmfp_json *reader)
{
    const size_t outside = reader->depth;
    do {
        if (!skip_one(reader)) {
            return false;
        }
        bool member = false;
        while (reader->depth > outside && !member) {
            member = reader->closers[reader->depth - 1] == '}' ? next_key(reader, NULL, NULL)
                                                               : llmfp_json_next_item(reader);
            if (reader->problem != NULL) {
                return false;
            }
        }
    } while (reader->depth > outside);
    return true;
}

bool llmfp_json_end(struct llmfp_json *reader)
{
    if (reader->problem != NULL) {
        return false;
    }
    skip_space(reader);
    return reader->offset == reader->n_bytes ||
           refuse_here(reader, "more text behind the end of the JSON value");
}

void llmfp_json_excerpt(const struct llmfp_json *reader, size_t offset, char *out, size_t out_bytes)
{
    const size_t at = offset < reader->n_bytes ? offset : reader->n_bytes;
    size_t length = reader->n_bytes - at;
    length = length < out_bytes ? length : out_bytes;
    llmfp_escape(out, out_bytes, reader->text + at, length);
}
