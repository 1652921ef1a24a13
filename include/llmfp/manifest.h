/* llmfp/manifest.h - the list of checkpoints.                      core, no MPI
 *
 * One checkpoint a line: PATH, or LABEL PATH, then key=value options; `#` at the
 * start of a token begins a comment; UTF-8 (a byte order mark is skipped); CRLF is
 * fine. In full:
 * - Tokens are separated by spaces and tabs. Double quotes go around a whole token
 *   or around the value of key=value, with \" and \\ inside and no other backslash;
 *   elsewhere a backslash is a plain character, and a quote an error.
 * - The first token is never an option. From the second on, an unquoted token that
 *   begins [a-z][a-z0-9_-]*= is one: family=NAME, parent=LABEL, each once.
 * - A relative path is relative to the manifest's folder. A path that holds *, ? or
 *   [ (quoted or not) and does not exist literally is a glob: each match is a
 *   checkpoint, in the order of the bytes of the paths. A glob matches hidden names
 *   only with an explicit dot; there are no braces and no tilde, and [*] is a star.
 * - LABEL defaults to the path's last component (of the real path for . and ..). A
 *   label is not empty, holds no control characters, and is unique.
 * - A path need not exist: that checkpoint fails later, alone. A glob must match.  */
#ifndef LLMFP_MANIFEST_H
#define LLMFP_MANIFEST_H

#include <stddef.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"

enum {
    LLMFP_MANIFEST_MOST_BYTES = 64 << 20, /* of the whole text */
    LLMFP_MANIFEST_LINE_BYTES = 64 << 10, /* of one line, without its end */
};

struct llmfp_manifest_entry {
    const char *label;
    const char *path;   /* absolute, or relative to the working directory; glob resolved */
    const char *family; /* "" when not given */
    const char *parent; /* "" when not given */
    unsigned line;      /* 1-based */
};

struct llmfp_manifest {
    struct llmfp_manifest_entry *entries; /* in file order; glob matches sorted by bytes */
    size_t n_entries;
    struct llmfp_arena arena; /* owns everything */
};

/* All Local.                                                                   */
void llmfp_manifest_clear(struct llmfp_manifest *manifest);

/* Parse manifest text. `name` is used in messages ("manifest.txt"), `folder` is
 * what relative paths are relative to ("" or "." for the working directory).
 * Looks at the file system for globs, and for paths that end in . or .. only.
 * Errors: LLMFP_USAGE with "NAME, line N: ..." for every malformed line, unknown
 * option key, glob without match, label clash (names both lines), empty manifest;
 * LLMFP_FATAL without memory. `manifest` is empty then.                         */
enum llmfp_status llmfp_manifest_parse(const char *text, size_t n_bytes, const char *name,
                                       const char *folder, struct llmfp_manifest *manifest,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Read and parse a manifest file, "-" for standard input.
 * Errors: as above, and LLMFP_USAGE when it cannot be read.                    */
enum llmfp_status llmfp_manifest_read(const char *path, struct llmfp_manifest *manifest,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* For sending a parsed manifest to other ranks.
 * Errors of unpack: LLMFP_FATAL (memory; packed bytes cut short).              */
void llmfp_manifest_pack(const struct llmfp_manifest *manifest, struct llmfp_buffer *buffer);
enum llmfp_status llmfp_manifest_unpack(struct llmfp_manifest *manifest,
                                        struct llmfp_cursor *cursor,
                                        struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
