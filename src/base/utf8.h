/* utf8.h - strict UTF-8 (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
#ifndef LLMFP_UTF8_H
#define LLMFP_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes (1..4) of the character at `text`, or 0 where the bytes are
 * not valid UTF-8.                                                       Local. */
size_t llmfp_utf8_character(const char *text, size_t n_bytes);

/* Whether all n_bytes are valid UTF-8 (NUL bytes are valid).             Local. */
bool llmfp_utf8_valid(const char *text, size_t n_bytes);

#endif
