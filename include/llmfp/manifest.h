/* llmfp/manifest.h - the list of checkpoints.                      core, no MPI
 *
 * One checkpoint a line: PATH, or LABEL PATH, then key=value options; `#` at the
 * start of a token begins a comment; double quotes around tokens (or values)
 * with spaces, \" and \\ inside; UTF-8; CRLF is fine; globs expand here.       */
#ifndef LLMFP_MANIFEST_H
#define LLMFP_MANIFEST_H

#include <stddef.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"

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
 * Errors: LLMFP_USAGE with "NAME, line N: ..." for every malformed line, unknown
 * option key, glob without match, label clash (names both lines), empty manifest. */
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
