/* format.h - the table of checkpoint formats, and what a row is made of.
 *
 * A format that is read is one row of the table in format.c and one file here
 * that holds its three functions. A format that is only recognised, so that the
 * user gets a clear refusal, is a row with `refusal`.                           */
#ifndef LLMFP_FORMAT_H
#define LLMFP_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file.h"
#include "llmfp/catalog.h"
#include "llmfp/error.h"

/* How many bytes from the start of a file `detect` and `measure` may look at.  */
enum { LLMFP_FIRST_BYTES = 64 };

/* The start of a file.                                                         */
struct llmfp_first {
    const char *path;
    uint64_t file_bytes; /* of the whole file */
    size_t n_bytes;      /* min(file_bytes, LLMFP_FIRST_BYTES) */
    unsigned char bytes[LLMFP_FIRST_BYTES];
};

struct llmfp_checkpoint; /* llmfp/checkpoint.h */

struct llmfp_format {
    const char *name;
    /* How names of its files end, or NULL: a file that is not detected as any format is held
     * to be of this one then, so that the message says why it is not.          */
    const char *suffix;
    /* Whether a file that starts like this is of the format.                   */
    bool (*detect)(const struct llmfp_first *first);
    /* NULL, or why such a file is not read, to stand behind "PATH is ".        */
    const char *refusal;
    /* An upper bound of the bytes that the format keeps before the data, or, where the
     * start of the file does not tell it, a guess: it only decides how many checkpoints
     * are taken on together.
     * Errors: LLMFP_CHECKPOINT says why this is no file of the format.         */
    enum llmfp_status (*measure)(const struct llmfp_first *first, uint64_t *header_bytes,
                                 struct llmfp_error *error);
    /* Append the tensors of catalog->files[file], which is open as `opened` and has
     * the size noted in the catalog, and set its digest.                       */
    enum llmfp_status (*read_header)(const struct llmfp_open_file *opened,
                                     struct llmfp_catalog *catalog, uint32_t file,
                                     struct llmfp_error *error);
    /* NULL: the configuration is in config.json beside the files. Otherwise: make it from
     * the files themselves, and check that they belong together. Local.        */
    enum llmfp_status (*configure)(struct llmfp_checkpoint *checkpoint, struct llmfp_error *error);
};

extern const struct llmfp_format llmfp_format_safetensors;    /* safetensors.c */
extern const struct llmfp_format llmfp_format_pytorch;        /* pytorch.c */
extern const struct llmfp_format llmfp_format_pytorch_legacy; /* pytorch_legacy.c */
extern const struct llmfp_format llmfp_format_gguf;           /* gguf.c */

/* The row with this name, or NULL.                                       Local. */
const struct llmfp_format *llmfp_format_find(const char *name);

/* Find the format of file->path by its content, and fill in the file's size, time
 * and header size.                                                       Local.
 * Errors: LLMFP_CHECKPOINT: it cannot be read, or is of no format that is read. */
enum llmfp_status llmfp_format_probe(struct llmfp_file *file, const struct llmfp_format **format,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

/* FNV-1a over 64 bits (offset basis 0xcbf29ce484222325, prime 0x100000001b3), with
 * 1 in place of 0. It tells changed headers from unchanged ones; it is no defence
 * against a forger.                                                      Local. */
uint64_t llmfp_digest(const unsigned char *bytes, size_t n_bytes);

#endif
