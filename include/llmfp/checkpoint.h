/* llmfp/checkpoint.h - finding the files of a checkpoint and reading headers.
 *                                                                core, no MPI
 * Two steps, so that ranks can share them out:
 *   1. llmfp_checkpoint_locate  path -> format, files, config.json (no headers)
 *   2. llmfp_checkpoint_header  one file's header -> tensors in a catalog
 * then llmfp_checkpoint_check, once all headers are in one catalog.
 * A format is one row of the table in src/format/format.c and one file there.
 * Files are hostile input: every length, offset, count and name is checked
 * before it is used.                                                           */
#ifndef LLMFP_CHECKPOINT_H
#define LLMFP_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/catalog.h"
#include "llmfp/error.h"

struct llmfp_format; /* src/format/format.h */

/* The name of a format, e.g. "safetensors".                             Local. */
const char *llmfp_format_name(const struct llmfp_format *format);

struct llmfp_checkpoint {
    const struct llmfp_format *format;
    struct llmfp_file *files; /* in name order; paths belong to the arena */
    size_t n_files;
    const char *configuration; /* text of config.json, NUL-terminated; NULL when there is none */
    size_t configuration_bytes;
    /* Tensor names that an index file promises, and where: index_file[i] is the
     * index into files. Not packed: only the rank that located has it.         */
    const char **index_names;
    uint32_t *index_file;
    size_t n_index;
    struct llmfp_arena arena; /* owns all of the above */
};

/* All functions are Local.                                                     */

void llmfp_checkpoint_clear(struct llmfp_checkpoint *checkpoint);

/* Find out what `path` (a file or a directory) is: which format, which files
 * with their sizes, times and header sizes. Reads the directory, index files,
 * config.json and the first bytes of each weights file.
 * Directory, first match wins:
 *   model.safetensors; model.safetensors.index.json; the only *.safetensors;
 *   several shards NAME-00001-of-00003.safetensors without index (all of them
 *   must be there); several *.safetensors of any names.
 * File: by content. A *.index.json file stands for its shards.
 * Errors: LLMFP_CHECKPOINT, one sentence that names the file and what is wrong
 * (missing, unreadable, unknown format, index that leaves its folder, missing
 * shard, LoRA adapter, ...); LLMFP_FATAL without memory.                       */
enum llmfp_status llmfp_checkpoint_locate(const char *path, struct llmfp_checkpoint *checkpoint,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Read the header of checkpoint->files[file] and append its tensors to `catalog`
 * (extents refer to that file index). Sets catalog->files[file].digest.
 * `catalog` already holds the checkpoint's files.
 * Errors: LLMFP_CHECKPOINT names file, tensor and offending value.             */
enum llmfp_status llmfp_checkpoint_header(const struct llmfp_format *format,
                                          struct llmfp_catalog *catalog, uint32_t file,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

/* After llmfp_catalog_finish: every tensor that the index promises is in the
 * shard where it should be.
 * Errors: LLMFP_CHECKPOINT names the tensor and the shard.                     */
enum llmfp_status llmfp_checkpoint_check(const struct llmfp_checkpoint *checkpoint,
                                         const struct llmfp_catalog *catalog,
                                         struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Pack format, files and configuration for other ranks, and the reverse.
 * Errors of unpack: LLMFP_FATAL (memory; packed bytes cut short).              */
void llmfp_checkpoint_pack(const struct llmfp_checkpoint *checkpoint, struct llmfp_buffer *buffer);
enum llmfp_status llmfp_checkpoint_unpack(struct llmfp_checkpoint *checkpoint,
                                          struct llmfp_cursor *cursor,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
