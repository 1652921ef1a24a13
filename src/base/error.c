/* error.c - building error messages that are always printable. */
#include "llmfp/error.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

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

void llmfp_escape(char *out, size_t out_bytes, const char *text, size_t n_bytes)
{
    if (out_bytes == 0) {
        return;
    }
    size_t used = 0;
    size_t i = 0;
    size_t last_fit = 0; /* where "..." still fits */
    while (i < n_bytes) {
        const size_t length = llmfp_utf8_character(text + i, n_bytes - i);
        char piece[8];
        size_t piece_bytes;
        size_t step;
        const unsigned char byte = (unsigned char)text[i];
        /* C0, DEL and C1 (U+0080..U+009F, in UTF-8 C2 80..C2 9F) control terminals. */
        const int c1_control = length == 2 && byte == 0xC2 && (unsigned char)text[i + 1] < 0xA0;
        if (length == 0 || byte < 0x20 || byte == 0x7F || c1_control) {
            piece_bytes = put_escaped_byte(piece, byte);
            step = 1;
            if (c1_control) {
                piece_bytes += put_escaped_byte(piece + 4, (unsigned char)text[i + 1]);
                step = 2;
            }
        } else {
            memcpy(piece, text + i, length);
            piece_bytes = length;
            step = length;
        }
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
