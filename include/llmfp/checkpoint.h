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
    /* For llmfp_configuration_read and llmfp_quantised_assemble: the text of config.json, or
     * several files (src/base/named_texts.h), or what a format with its own metadata says
     * in the terms of config.json; NUL-terminated; NULL when there is none.    */
    const char *configuration;
    size_t configuration_bytes;
    /* Tensor names that an index file promises, sorted by bytes, and where:
     * index_file[i] is the index into files. Not packed: only the rank that
     * located has it.                                                          */
    const char **index_names;
    uint32_t *index_file;
    size_t n_index;
    struct llmfp_arena arena; /* owns all of the above */
};

/* All functions are Local.                                                     */

void llmfp_checkpoint_clear(struct llmfp_checkpoint *checkpoint);

/* Find out what `path` (a file or a directory) is: which format, which files
 * with their sizes, times and header sizes. Reads the directory, index files,
 * config.json, or params.json where that is absent, and quantize_config.json,
 * quant_config.json and hf_quant_config.json (beside the files; at most 16 MiB each; none
 * must be there) and the first bytes of each weights file. Symbolic links in a folder are
 * followed within it, and from snapshots to blobs of a download cache; `path` may be any.
 *
 * A directory, first match wins; a match that cannot be read is an error, and
 * never a reason to go on to the next rule:
 *   1. model.safetensors
 *   2. model.safetensors.index.json: the shards that it names
 *   3. of all other *.safetensors, without hidden files and adapter_model.*, and
 *      without consolidated* (the same weights in the publisher's own layout)
 *      unless there is nothing else:
 *      a. the shards model-NUMBER-of-TOTAL.safetensors, and nothing beside them;
 *         two such sets with different totals are refused
 *      b. all files, in name order (bytes); names that occur in two of them are
 *         refused by llmfp_catalog_finish
 *   4. of all *.bin, *.pt, *.pth and *.ckpt, without hidden files, adapter_model.* and
 *      what trainers save beside the weights (training_args.bin, *optim*, scheduler.*,
 *      scaler.*, rng_state*, random_states*), and without consolidated* unless there
 *      is nothing else:
 *      a. pytorch_model.bin
 *      b. pytorch_model.bin.index.json: the shards that it names
 *      c. the shards pytorch_model-NUMBER-of-TOTAL.bin, as in 3a
 *      d. all files, as in 3b
 *      e. one consolidated*.pth; several are slices of one model for as many GPUs and
 *         are refused: nothing in them says which tensors are cut, and how
 *   5. *.gguf: one file, or the parts of one; several models are refused
 *   Shards NAME-NUMBER-of-TOTAL must be complete, from 1 or 0 on, whatever the
 *   width of their numbers.
 * A file: by content. Only this file, even if it is called like one of several
 * shards; but NAME-00001-of-00003.gguf stands for all three parts, and the other parts
 * are refused. A *.index.json file stands for its shards, which lie beside it.
 * GGUF files hold their own configuration; no config.json beside them is looked at.
 *
 * `checkpoint` may be uninitialised, or cleared; it is cleared again on errors.
 * Errors: LLMFP_CHECKPOINT, one sentence that names the file and what is wrong
 * (missing, unreadable, unknown format, index that leaves its folder, missing
 * shard, LoRA adapter, ...); LLMFP_FATAL without memory.                       */
enum llmfp_status llmfp_checkpoint_locate(const char *path, struct llmfp_checkpoint *checkpoint,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Read the header of checkpoint->files[file] and append its tensors to `catalog`
 * (extents refer to that file index). Sets catalog->files[file].digest.
 * `catalog` already holds the checkpoint's files. Adds no tensors on errors. Takes
 * memory for the header while it runs: at most 100 MB for safetensors, 200 MB for PyTorch.
 * Errors: LLMFP_CHECKPOINT names file, tensor and offending value, or says that
 * the file changed since it was located; LLMFP_FATAL without memory.           */
enum llmfp_status llmfp_checkpoint_header(const struct llmfp_format *format,
                                          struct llmfp_catalog *catalog, uint32_t file,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

/* After llmfp_catalog_finish: every tensor that the index promises is in the
 * shard where it should be (shards may hold more). Fine without an index.
 * Errors: LLMFP_CHECKPOINT names the tensor and the shard.                     */
enum llmfp_status llmfp_checkpoint_check(const struct llmfp_checkpoint *checkpoint,
                                         const struct llmfp_catalog *catalog,
                                         struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Pack format, files and configuration for other ranks, and the reverse (into
 * an uninitialised or cleared checkpoint).
 * Errors of unpack: LLMFP_FATAL (memory; packed bytes cut short).              */
void llmfp_checkpoint_pack(const struct llmfp_checkpoint *checkpoint, struct llmfp_buffer *buffer);
enum llmfp_status llmfp_checkpoint_unpack(struct llmfp_checkpoint *checkpoint,
                                          struct llmfp_cursor *cursor,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
