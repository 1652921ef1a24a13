/* json_out.h - JSON to a stream, value by value: no tree in memory, integers exact, doubles so
 * that they read back to the bit. What the stream cannot take shows in ferror().            */
#ifndef LLMFP_JSON_OUT_H
#define LLMFP_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Start with {out, false}. A key is NULL inside arrays and for the outermost value. All Local. */
struct json_out {
    FILE *out;
    bool comma; /* a value stands before the next one */
};

void json_open(struct json_out *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json_out *json, char bracket);                 /* '}' or ']' */
/* Any bytes: what is not valid UTF-8 comes out as U+FFFD. NULL is null. */
void json_text(struct json_out *json, const char *key, const char *text);
void json_whole(struct json_out *json, const char *key, uint64_t value);
void json_signed(struct json_out *json, const char *key, int64_t value);
/* The shortest decimal that reads back to the bit. NaN is null; an infinity, which JSON does not
 * have, is 1e999 or -1e999, which readers of doubles turn into one. */
void json_real(struct json_out *json, const char *key, double value);
void json_truth(struct json_out *json, const char *key, bool value);
void json_null(struct json_out *json, const char *key);

/* The shortest of 15, 16 or 17 digits that reads back to the bit; "nan", "inf", "-inf". Local. */
struct real_text {
    char text[32];
};
struct real_text real_text(double value);

#endif
