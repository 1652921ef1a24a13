/* json_out.c - see json_out.h. */
#include "json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static void put_text(FILE *out, const char *text)
{
    const size_t n_bytes = strlen(text);
    (void)fputc('"', out);
    for (size_t i = 0; i < n_bytes;) {
        const size_t length = llmfp_utf8_character(text + i, n_bytes - i);
        const unsigned char c = (unsigned char)text[i];
        if (length == 0) {
            (void)fputs("\\ufffd", out);
        } else if (length == 1 && (c < 0x20 || c == 0x7f)) {
            (void)fprintf(out, "\\u%04x", c);
        } else {
            if (c == '"' || c == '\\') {
                (void)fputc('\\', out);
            }
            (void)fwrite(text + i, 1, length, out);
        }
        i += length == 0 ? 1 : length;
    }
    (void)fputc('"', out);
}

static void begin(struct json_out *json, const char *key)
{
    if (json->comma) {
        (void)fputc(',', json->out);
    }
    if (key != NULL) {
        put_text(json->out, key);
        (void)fputc(':', json->out);
    }
    json->comma = true;
}

void json_open(struct json_out *json, const char *key, char bracket)
{
    begin(json, key);
    (void)fputc(bracket, json->out);
    json->comma = false;
}

void json_close(struct json_out *json, char bracket)
{
    (void)fputc(bracket, json->out);
    json->comma = true;
}

void json_text(struct json_out *json, const char *key, const char *text)
{
    if (text == NULL) {
        json_null(json, key);
        return;
    }
    begin(json, key);
    put_text(json->out, text);
}

void json_whole(struct json_out *json, const char *key, uint64_t value)
{
    begin(json, key);
    (void)fprintf(json->out, "%" PRIu64, value);
}

void json_signed(struct json_out *json, const char *key, int64_t value)
{
    begin(json, key);
    (void)fprintf(json->out, "%" PRId64, value);
}

struct real_text real_text(double value)
{
    struct real_text out = {"nan"};
    if (isinf(value)) {
        (void)snprintf(out.text, sizeof out.text, "%s", value > 0 ? "inf" : "-inf");
    } else if (!isnan(value)) {
        int digits = 15;
        do {
            (void)snprintf(out.text, sizeof out.text, "%.*g", digits, value);
        } while (digits++ < 17 && strtod(out.text, NULL) != value);
        const size_t length = strlen(out.text);
        if (strspn(out.text, "-0123456789") == length) { /* else a reader takes -0 as integer 0 */
            (void)snprintf(out.text + length, sizeof out.text - length, ".0");
        }
    }
    return out;
}

void json_real(struct json_out *json, const char *key, double value)
{
    if (isnan(value)) {
        json_null(json, key);
        return;
    }
    begin(json, key);
    if (isinf(value)) {
        (void)fputs(value > 0 ? "1e999" : "-1e999", json->out);
    } else {
        (void)fputs(real_text(value).text, json->out);
    }
}

void json_truth(struct json_out *json, const char *key, bool value)
{
    begin(json, key);
    (void)fputs(value ? "true" : "false", json->out);
}

void json_null(struct json_out *json, const char *key)
{
    begin(json, key);
    (void)fputs("null", json->out);
}
