/* json_numbers.h - NaN and Infinity, which Python writes and JSON does not know. */
#ifndef LLMFP_JSON_NUMBERS_H
#define LLMFP_JSON_NUMBERS_H

#include <stddef.h>

/* A NUL-terminated copy of JSON text in which NaN, Infinity and -Infinity outside
 * of strings are in quotes; owned by the caller (free); NULL without memory.
 * Line numbers stay as they are.                                         Local. */
char *llmfp_json_quote_numbers(const char *text, size_t n_bytes, size_t *quoted_bytes);

#endif
