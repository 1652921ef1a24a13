/* fuzz.h - what the fuzz targets share.
 *
 * A target feeds any bytes to a parser and checks what must hold whatever they are: not
 * only that nothing crashes. The same file links with libFuzzer (preset `fuzz`) and with
 * replay.c, which runs the committed corpus in the normal tests.                       */
#ifndef LLMFP_FUZZ_H
#define LLMFP_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "llmfp/error.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An invariant: a violation ends the process, which libFuzzer and ctest both notice. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Text without control characters, as a terminal needs it. */
static inline bool fuzz_is_printable(const char *text)
{
    const size_t n_bytes = strlen(text);
    for (size_t i = 0; i < n_bytes; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == 0x7F ||
            (byte == 0xC2 && (unsigned char)text[i + 1] >= 0x80 &&
             (unsigned char)text[i + 1] < 0xA0)) {
            return false;
        }
    }
    return llmfp_utf8_valid(text, n_bytes);
}

/* An error is a printable sentence that names `word`, and memory was never short. */
static inline void fuzz_check_error(enum llmfp_status status, const struct llmfp_error *error,
                                    enum llmfp_status wanted, const char *word)
{
    FUZZ_CHECK(status == wanted);
    FUZZ_CHECK(error->status == status);
    FUZZ_CHECK(memchr(error->text, '\0', sizeof error->text) != NULL);
    FUZZ_CHECK(error->text[0] != '\0');
    FUZZ_CHECK(fuzz_is_printable(error->text));
    FUZZ_CHECK(strstr(error->text, word) != NULL);
}

/* A file in memory with these bytes; its path is good until fuzz_file_end. */
struct fuzz_file {
    int descriptor;
    char path[64];
};

static inline void fuzz_file_begin(struct fuzz_file *file, const void *bytes, size_t size)
{
    file->descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(file->descriptor >= 0);
    size_t done = 0;
    while (done < size) {
        const ssize_t n = write(file->descriptor, (const char *)bytes + done, size - done);
        FUZZ_CHECK(n > 0);
        done += (size_t)n;
    }
    (void)snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->descriptor);
}

static inline void fuzz_file_end(struct fuzz_file *file)
{
    (void)close(file->descriptor);
}

/* A copy of the bytes as text with a NUL behind; owned by the caller. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

#endif
