/* links.h - which symbolic links inside a checkpoint's folder are followed. */
#ifndef LLMFP_LINKS_H
#define LLMFP_LINKS_H

#include "folder.h"
#include "llmfp/buffer.h"
#include "llmfp/error.h"

/* A file that a folder holds, or that an index names, may be a link to a file within that
 * folder, or, as the caches of download tools have them, to a file in a folder `blobs` that
 * has `snapshots` beside it. Any other link would let a checkpoint from someone else have
 * any file of this machine read. Links that lead to nothing are left to those who open them.
 *                                                                             Local.
 * Errors: LLMFP_CHECKPOINT names the link and where it leads.                        */
enum llmfp_status llmfp_link_check(const char *folder, const char *path,
                                   struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The same for files of a folder.                                             Local. */
enum llmfp_status llmfp_links_check(const char *folder, const struct llmfp_names *names,
                                    struct llmfp_arena *arena,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
