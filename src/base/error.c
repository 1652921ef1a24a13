/* error.c - building error messages that are always printable. */
#include "llmfp/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

enum { MOST_PIECE_BYTES = 16 /* four bytes, each as \\xNN */ };

/* Append one escaped byte; returns the bytes written. */
static size_t put_escaped_byte(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

static uint32_t code_of(const char *text, size_t length)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = (unsigned char)text[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | ((unsigned char)text[i] & 0x3F);
    }
    return code;
}

/* Characters that steer a terminal (C0, DEL, C1), or that change how what stands around them is
 * shown without being seen themselves: marks and overrides of the writing direction, zero
 * widths, separators of lines, tags. Sources: Unicode, general categories Cc, Cf, Zl, Zp;
 * Unicode Technical Report 36. */
static bool is_unseen(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},       {0x61C, 0x61C},
        {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x206F},
        {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

/* The character at `text`, printable, to `piece`; returns its bytes there. */
static size_t escape_character(char piece[MOST_PIECE_BYTES], const char *text, size_t n_bytes,
                               size_t *step)
{
    const size_t length = llmfp_utf8_character(text, n_bytes);
    *step = length == 0 ? 1 : length;
    if (length > 0 && !is_unseen(code_of(text, length))) {
        memcpy(piece, text, length);
        return length;
    }
    size_t piece_bytes = 0;
    for (size_t i = 0; i < *step; i++) {
        piece_bytes += put_escaped_byte(piece + piece_bytes, (unsigned char)text[i]);
    }
    return piece_bytes;
}

void llmfp_escape(char *out, size_t out_bytes, const char *text, size_t n_bytes)
{
    if (out_bytes == 0) {
        return;
    }
    size_t used = 0;
    size_t i = 0;
    size_t last_fit = 0; /* where "..." still fits */
    while (i < n_bytes) {
        char piece[MOST_PIECE_BYTES];
        size_t step;
        const size_t piece_bytes = escape_character(piece, text + i, n_bytes - i, &step);
        if (used + piece_bytes + 1 > out_bytes) {
            if (out_bytes >= 4) {
                memcpy(out + last_fit, "...", 4);
            } else {
                out[0] = '\0';
            }
            return;
        }
        memcpy(out + used, piece, piece_bytes);
        used += piece_bytes;
        if (used + 4 <= out_bytes) {
            last_fit = used;
        }
        i += step;
    }
    out[used] = '\0';
}

static void format_into(struct llmfp_error *error, const char *format, va_list arguments)
    LLMFP_PRINTF(2, 0);

static void format_into(struct llmfp_error *error, const char *format, va_list arguments)
{
    char raw[LLMFP_ERROR_TEXT_BYTES * 4];
    const int wanted = vsnprintf(raw, sizeof raw, format, arguments);
    size_t length = 0;
    if (wanted > 0) {
        length = (size_t)wanted < sizeof raw ? (size_t)wanted : sizeof raw - 1;
    }
    llmfp_escape(error->text, sizeof error->text, raw, length);
}

enum llmfp_status llmfp_fail(struct llmfp_error *error, enum llmfp_status status,
                             const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        format_into(error, format, arguments);
        va_end(arguments);
        error->status = status;
    }
    return status;
}

enum llmfp_status llmfp_error_prefix(struct llmfp_error *error, const char *format, ...)
{
    if (error == NULL) {
        return LLMFP_FATAL;
    }
    char text[LLMFP_ERROR_TEXT_BYTES];
    memcpy(text, error->text, sizeof text);
    struct llmfp_error prefix = {LLMFP_OK, ""};
    va_list arguments;
    va_start(arguments, format);
    format_into(&prefix, format, arguments);
    va_end(arguments);
    return llmfp_fail(error, error->status, "%s: %s", prefix.text, text);
}

enum llmfp_status llmfp_fail_memory(struct llmfp_error *error, size_t size_bytes, const char *what)
{
    return llmfp_fail(
        error, LLMFP_FATAL,
        "out of memory: %zu bytes for %s could not be had; give each rank more memory", size_bytes,
        what);
}
