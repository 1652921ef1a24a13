/* named_texts.c - see named_texts.h. */
#include "named_texts.h"

#include <stdio.h>
#include <string.h>

enum { MARK = 1 };

void llmfp_named_texts_put(struct llmfp_buffer *texts, const char *name, const char *text,
                           size_t n_bytes)
{
    char length[32];
    const int digits = snprintf(length, sizeof length, " %zu\n", n_bytes);
    const char mark = MARK;
    llmfp_buffer_put(texts, &mark, 1);
    llmfp_buffer_put(texts, name, strlen(name));
    llmfp_buffer_put(texts, length, (size_t)digits);
    llmfp_buffer_put(texts, text, n_bytes);
}

/* The number between `text` and the line end at `end`; false for anything else. */
static bool read_length(const char *text, const char *end, size_t *length)
{
    *length = 0;
    if (text == end) {
        return false;
    }
    for (; text < end; text++) {
        if (*text < '0' || *text > '9' || *length > SIZE_MAX / 10 - 1) {
            return false;
        }
        *length = *length * 10 + (size_t)(*text - '0');
    }
    return true;
}

const char *llmfp_named_texts_find(const char *texts, size_t n_bytes, const char *alone,
                                   const char *name, size_t *found_bytes)
{
    const char *const end = texts + n_bytes;
    const size_t name_bytes = strlen(name);
    if (n_bytes == 0 || *texts != MARK) {
        *found_bytes = n_bytes;
        return strcmp(alone, name) == 0 ? texts : NULL;
    }
    while (texts < end && *texts == MARK) {
        const char *const line = texts + 1;
        const char *const stop = memchr(line, '\n', (size_t)(end - line));
        const char *const blank = stop == NULL ? NULL : memchr(line, ' ', (size_t)(stop - line));
        size_t length = 0;
        if (blank == NULL || !read_length(blank + 1, stop, &length) ||
            length > (size_t)(end - stop - 1)) {
            return NULL;
        }
        if ((size_t)(blank - line) == name_bytes && memcmp(line, name, name_bytes) == 0) {
            *found_bytes = length;
            return stop + 1;
        }
        texts = stop + 1 + length;
    }
    return NULL;
}
