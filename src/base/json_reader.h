/* json_reader.h - a strict JSON reader that pulls one value at a time.
 *
 * For texts of hostile origin that may be large (a header of 100 MB with a
 * million tensors): memory is O(depth) plus the one string that is being read,
 * time is linear, and the exact text of a number decides what it is. Accepts
 * what RFC 8259 defines and nothing else: no byte order mark, comments, trailing
 * commas, leading zeros, NaN, raw control characters, lone surrogates or bytes
 * that are not UTF-8. A key that occurs twice is the caller's business.
 *
 * Errors are sticky: once `problem` is set, every call returns false (or
 * LLMFP_JSON_BAD). So a caller may read on and look once. All functions Local.
 *
 *   object: llmfp_json_enter, then while (llmfp_json_next_key(..)) read a value
 *   array:  llmfp_json_enter, then while (llmfp_json_next_item(..)) read a value */
#ifndef LLMFP_JSON_READER_H
#define LLMFP_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"

/* Containers inside one another. The reference reader of safetensors refuses the
 * 128th, so this reader accepts and refuses the same files.                    */
enum { LLMFP_JSON_MOST_LEVELS = 127 };

enum llmfp_json_kind {
    LLMFP_JSON_BAD,
    LLMFP_JSON_OBJECT,
    LLMFP_JSON_ARRAY,
    LLMFP_JSON_STRING,
    LLMFP_JSON_NUMBER,
    LLMFP_JSON_TRUE,
    LLMFP_JSON_FALSE,
    LLMFP_JSON_NULL
};

struct llmfp_json {
    const char *text; /* borrowed */
    size_t n_bytes;
    size_t offset;         /* of the next byte to read */
    const char *problem;   /* NULL while all is well, else a phrase ("a lone surrogate") */
    size_t problem_offset; /* the byte where it was found */
    size_t depth;          /* containers that are open */
    bool first;            /* nothing was read yet in the innermost container */
    char closers[LLMFP_JSON_MOST_LEVELS]; /* '}' or ']' of each open container */
};

/* Bytes without NUL at the end, possibly with NUL inside ("\u0000").          */
struct llmfp_json_text {
    const char *bytes;
    size_t n_bytes;
};

struct llmfp_json llmfp_json_over(const char *text, size_t n_bytes);

/* The kind of the value that comes next; nothing is consumed but white space.  */
enum llmfp_json_kind llmfp_json_peek(struct llmfp_json *reader);

/* Go into the object or array that comes next.                                 */
bool llmfp_json_enter(struct llmfp_json *reader);

/* Inside an object: read the next key and its colon. Inside an array: go to the
 * next item. False at the end of the container (which is then left) and on errors. */
bool llmfp_json_next_key(struct llmfp_json *reader, struct llmfp_buffer *scratch,
                         struct llmfp_json_text *key);
bool llmfp_json_next_item(struct llmfp_json *reader);

/* Read a string. `string` points into the text when it has no escapes, else into
 * `scratch`, whose former content is lost. Without memory scratch->failed is set. */
bool llmfp_json_string(struct llmfp_json *reader, struct llmfp_buffer *scratch,
                       struct llmfp_json_text *string);

/* Read a number as its text, or as an integer from 0 to 2^64 - 1 written with
 * digits only: -0, 1.0 and 1e1 are refused.                                    */
bool llmfp_json_number(struct llmfp_json *reader, struct llmfp_json_text *number);
bool llmfp_json_u64(struct llmfp_json *reader, uint64_t *value);

/* Read any value, check it to its last byte, and drop it.                      */
bool llmfp_json_skip(struct llmfp_json *reader);

/* Only white space may be left.                                                */
bool llmfp_json_end(struct llmfp_json *reader);

/* Set the problem from outside (a value of the wrong kind); the first one stays.
 * Returns false.                                                               */
bool llmfp_json_refuse(struct llmfp_json *reader, size_t offset, const char *problem);

/* The text from `offset` on, escaped and cut short, for messages.              */
void llmfp_json_excerpt(const struct llmfp_json *reader, size_t offset, char *out,
                        size_t out_bytes);

#endif
