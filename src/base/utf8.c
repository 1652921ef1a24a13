/* utf8.c - strict UTF-8 checks. Source of the byte ranges: RFC 3629, section 4. */
#include "utf8.h"

static bool in_range(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

size_t llmfp_utf8_character(const char *text, size_t n_bytes)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (n_bytes == 0) {
        return 0;
    }
    if (byte[0] < 0x80) {
        return 1;
    }
    size_t length;
    unsigned char low = 0x80; /* allowed range of the second byte */
    unsigned char high = 0xBF;
    if (in_range(byte[0], 0xC2, 0xDF)) {
        length = 2;
    } else if (in_range(byte[0], 0xE0, 0xEF)) {
        length = 3;
        low = byte[0] == 0xE0 ? 0xA0 : low;
        high = byte[0] == 0xED ? 0x9F : high;
    } else if (in_range(byte[0], 0xF0, 0xF4)) {
        length = 4;
        low = byte[0] == 0xF0 ? 0x90 : low;
        high = byte[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (n_bytes < length || !in_range(byte[1], low, high)) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (!in_range(byte[i], 0x80, 0xBF)) {
            return 0;
        }
    }
    return length;
}

bool llmfp_utf8_valid(const char *text, size_t n_bytes)
{
    size_t i = 0;
    while (i < n_bytes) {
        const size_t length = llmfp_utf8_character(text + i, n_bytes - i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}
