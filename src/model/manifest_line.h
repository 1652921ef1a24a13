/* manifest_line.h - one line of a manifest, taken apart. */
#ifndef LLMFP_MANIFEST_LINE_H
#define LLMFP_MANIFEST_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"

/* NULL is what the line does not say. A blank line has no path.               */
struct llmfp_manifest_line {
    const char *label;
    const char *path;
    const char *family;
    const char *parent;
};

/* Take apart n_bytes of text without the line end. Strings belong to `arena`.
 * Errors: LLMFP_USAGE (the caller adds file and line number) or LLMFP_FATAL
 * without memory.                                                        Local. */
enum llmfp_status llmfp_manifest_line_read(const char *text, size_t n_bytes,
                                           struct llmfp_arena *arena,
                                           struct llmfp_manifest_line *line,
                                           struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Whether text can be a label, family or parent: not empty, no control
 * characters. `text` is valid UTF-8.                                     Local. */
bool llmfp_manifest_name(const char *text);

#endif
