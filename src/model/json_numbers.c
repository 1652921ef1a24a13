/* json_numbers.c - put NaN and Infinity in quotes, so that a JSON parser reads on. */
#include "json_numbers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The length of such a number at the start of `text`, or 0. */
static size_t number_length(const char *text, size_t n_bytes)
{
    static const char *const numbers[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const size_t length = strlen(numbers[i]);
        if (n_bytes >= length && memcmp(text, numbers[i], length) == 0) {
            return length;
        }
    }
    return 0;
}

char *llmfp_json_quote_numbers(const char *text, size_t n_bytes, size_t *quoted_bytes)
{
    /* The shortest number has 3 bytes and grows by 2. */
    char *out = n_bytes > SIZE_MAX / 2 - 1 ? NULL : malloc(2 * n_bytes + 1);
    if (out == NULL) {
        return NULL;
    }
    size_t used = 0;
    int in_string = 0;
    size_t i = 0;
    while (i < n_bytes) {
        const size_t length = in_string ? 0 : number_length(text + i, n_bytes - i);
        if (length != 0) {
            out[used++] = '"';
            memcpy(out + used, text + i, length);
            used += length;
            out[used++] = '"';
            i += length;
            continue;
        }
        if (text[i] == '"') {
            in_string = !in_string;
        } else if (text[i] == '\\' && in_string && i + 1 < n_bytes) {
            out[used++] = text[i++];
        }
        out[used++] = text[i++];
    }
    out[used] = '\0';
    *quoted_bytes = used;
    return out;
}
