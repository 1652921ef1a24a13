/* gguf.h - GGUF files: headers, and the parts of a split file. */
#ifndef LLMFP_GGUF_H
#define LLMFP_GGUF_H

#include "file.h"
#include "folder.h"
#include "llmfp/catalog.h"
#include "llmfp/error.h"

/* Read the header of an open file, which is catalog->files[file], and append its tensors;
 * sets the file's digest. Memory: 64 KiB, the keys (at most 16 MiB), and the tensors (at
 * most 2^19). Adds none on errors.                                          Local.
 * Errors: LLMFP_CHECKPOINT names the file, the key or tensor, and the value;
 * LLMFP_FATAL without memory.                                                      */
enum llmfp_status gguf_read_header(const struct llmfp_open_file *opened,
                                   struct llmfp_catalog *catalog, uint32_t file,
                                   struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The files that `name`, a file that a user has given, stands for: NAME-00001-of-00003.gguf
 * for all three parts, any other for itself. Names are in the arena.        Local.
 * Errors: LLMFP_CHECKPOINT for a part that is not the first; LLMFP_FATAL (memory). */
enum llmfp_status gguf_parts(const char *folder, const char *name, struct llmfp_arena *arena,
                             struct llmfp_names *parts, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Check that the GGUF files of a folder (sorted, at least one) are one file or one set of
 * parts.                                                                    Local.
 * Errors: LLMFP_CHECKPOINT: several models.                                        */
enum llmfp_status gguf_check_folder(const char *folder, const struct llmfp_names *names,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
