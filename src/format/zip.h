/* zip.h - the records of a zip archive whose contents are stored as they are.
 *
 * For archives of hostile origin. Only the list of records is read (the central
 * directory, with its 64-bit extensions) and, of each record that is used, its
 * local header; nothing is ever extracted. Refused are: compressed, encrypted or
 * split archives, names that could lead out of a folder, records outside the
 * archive's one root folder, extents that overlap or leave the file, and more than
 * LLMFP_ZIP_MOST_RECORDS records. Checksums are not looked at: PyTorch can be told
 * to write archives without true ones.
 * Source: the ZIP file format specification (PKWARE's APPNOTE).                  */
#ifndef LLMFP_ZIP_H
#define LLMFP_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "file.h"
#include "llmfp/error.h"

enum { LLMFP_ZIP_MOST_RECORDS = 1 << 18, LLMFP_ZIP_MOST_DIRECTORY_BYTES = 24 << 20 };

struct llmfp_zip_record {
    const char *name; /* without the root folder; not NUL-terminated */
    uint32_t name_bytes;
    uint32_t full_bytes; /* of the name with the root folder, which stands before `name` */
    uint64_t header_offset;
    uint64_t size_bytes;
    uint64_t limit_offset; /* where the next record, or the directory, begins */
};

/* A zeroed struct is valid and empty.                                            */
struct llmfp_zip {
    unsigned char *directory; /* owned; the names point into it */
    size_t directory_bytes;
    struct llmfp_zip_record *records; /* owned, by name */
    size_t n_records;
};

/* All functions are Local. Errors: LLMFP_CHECKPOINT (one sentence that names the file
 * and what is wrong), LLMFP_FATAL (memory). After an error `zip` is cleared.      */
enum llmfp_status llmfp_zip_open(const struct llmfp_open_file *opened, struct llmfp_zip *zip,
                                 struct llmfp_error *error) LLMFP_MUST_CHECK;
void llmfp_zip_clear(struct llmfp_zip *zip);

/* The record of this name, or NULL.                                              */
const struct llmfp_zip_record *llmfp_zip_find(const struct llmfp_zip *zip, const char *name,
                                              size_t name_bytes);

/* Where the bytes of a record begin, once its local header has been checked.     */
enum llmfp_status llmfp_zip_place(const struct llmfp_open_file *opened,
                                  const struct llmfp_zip_record *record, uint64_t *offset_bytes,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
