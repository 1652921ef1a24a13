/* llmfp/error.h - status codes and error messages.                core, no MPI
 *
 * A function that can fail returns `enum llmfp_status` and takes a
 * `struct llmfp_error *` as its last argument. On success the error is left
 * untouched; on failure it holds one complete sentence: what happened, where
 * (file, tensor, value), and what to do. The library never prints.
 * The struct is plain and of fixed size, so that a rank can send it to others.
 * The numeric values of the codes are the program's exit statuses.           */
#ifndef LLMFP_ERROR_H
#define LLMFP_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#if defined(__GNUC__)
#define LLMFP_PRINTF(format_index, first_argument)                                                 \
    __attribute__((format(printf, format_index, first_argument)))
#define LLMFP_MUST_CHECK __attribute__((warn_unused_result))
#else
#define LLMFP_PRINTF(format_index, first_argument)
#define LLMFP_MUST_CHECK
#endif

enum llmfp_status {
    LLMFP_OK = 0,
    LLMFP_FATAL = 1,       /* the whole run cannot go on (memory, output file, MPI) */
    LLMFP_USAGE = 2,       /* command line or manifest is wrong                      */
    LLMFP_CHECKPOINT = 3,  /* one checkpoint cannot be read; the others go on        */
    LLMFP_INTERRUPTED = 75 /* a signal asked the run to stop                         */
};

#define LLMFP_ERROR_TEXT_BYTES 1024

struct llmfp_error {
    enum llmfp_status status;
    char text[LLMFP_ERROR_TEXT_BYTES]; /* UTF-8, NUL-terminated, printable */
};

/* Set `error` to a message and return `status`.                          Local.
 * Control characters, invisible ones (such as those that turn the writing direction)
 * and bytes that are not UTF-8 come out escaped (\x1b), so names from hostile files may
 * be passed as they are. A message that does not
 * fit is cut at a character boundary and ends in "...".
 * `error` may be NULL (the text is then dropped).                             */
enum llmfp_status llmfp_fail(struct llmfp_error *error, enum llmfp_status status,
                             const char *format, ...) LLMFP_PRINTF(3, 4);

/* Put "prefix: " before the text of an error that is already set.        Local.
 * Returns the error's status, so that callers can `return llmfp_error_prefix(...)`. */
enum llmfp_status llmfp_error_prefix(struct llmfp_error *error, const char *format, ...)
    LLMFP_PRINTF(2, 3);

/* LLMFP_FATAL with "out of memory (N bytes for WHAT)".                   Local. */
enum llmfp_status llmfp_fail_memory(struct llmfp_error *error, size_t size_bytes, const char *what);

/* Copy n_bytes of `text` into `out` (NUL-terminated) with everything that is
 * not printable UTF-8 escaped as \xNN; cut with "..." where it does not fit.
 *                                                                        Local. */
void llmfp_escape(char *out, size_t out_bytes, const char *text, size_t n_bytes);

#endif
