/* llmfp/catalog.h - what a checkpoint holds: files, tensors, byte extents.
 *                                                                core, no MPI
 * Filled by the format readers (checkpoint.h) from headers only. Everything in
 * a catalog has been checked: extents lie inside their file, sizes follow from
 * shape and encoding, and nothing overflows. Strings and arrays belong to the
 * catalog's arena. Values from hostile files may be any bytes, but names are
 * valid UTF-8 without NUL.                                                     */
#ifndef LLMFP_CATALOG_H
#define LLMFP_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/encoding.h"
#include "llmfp/error.h"

struct llmfp_file {
    const char *path;      /* as it is opened */
    uint64_t size_bytes;   /* when the header was read */
    int64_t modified_ns;   /* mtime, nanoseconds since 1970 */
    uint64_t header_bytes; /* an upper bound of what the format keeps before the data */
    uint64_t digest;       /* FNV-1a, 64 bits, of the header's bytes; 0 before it was read */
};

struct llmfp_extent {
    uint32_t file; /* index into the catalog's files */
    uint64_t offset_bytes;
    uint64_t size_bytes;
};

/* A tensor that is needed to decode another one (quantised encodings).        */
enum llmfp_side_kind { LLMFP_SIDE_SCALE, LLMFP_SIDE_ZERO, LLMFP_SIDE_GROUP, LLMFP_SIDE_CODEBOOK };

struct llmfp_side {
    enum llmfp_side_kind kind;
    enum llmfp_encoding_id encoding;
    struct llmfp_extent extent;
    uint32_t n_dimensions;
    const uint64_t *shape;
};

/* In which order the elements of a tensor are stored.                          */
enum llmfp_order {
    LLMFP_ORDER_ROWS, /* row-major, the last axis fastest */
    /* The last two axes the other way round: a matrix [rows, columns] is stored as
     * [columns / interleave][rows][interleave]. Axes before them are as usual.   */
    LLMFP_ORDER_COLUMNS,
    LLMFP_ORDER_OTHER, /* dense, but the axes in some other order */
    LLMFP_N_ORDERS
};

/* Elements and bytes that belong together: nothing is cut inside a block.      */
struct llmfp_block {
    uint64_t elements;
    uint64_t bytes;
};

/* How elements lie in their extent, where that is not the usual way. Zeroed, it is. */
struct llmfp_storage {
    enum llmfp_order order;
    uint32_t interleave; /* of LLMFP_ORDER_COLUMNS; 0 stands for 1 */
    /* {0, 0}: the encoding's. The last block may hold fewer elements than the others. */
    struct llmfp_block block;
    /* A view with gaps: elements are stored in runs of run_elements (whole blocks; it
     * divides n_elements), run i from data.offset_bytes + i pitch_bytes on. 0, 0: dense. */
    uint64_t run_elements;
    uint64_t pitch_bytes;
    uint64_t parameters[LLMFP_N_PARAMETERS]; /* for the kernel (llmfp/encoding.h) */
    /* The values are those of the encoding divided by this odd number (llmfp/divisor.h); 0
     * stands for 1. */
    uint32_t divisor;
};

struct llmfp_tensor {
    const char *name; /* as in the file; of a tensor put together from several, its own */
    enum llmfp_encoding_id encoding;
    uint32_t n_dimensions; /* 0 for a scalar, which has one element */
    const uint64_t *shape; /* logical elements, slowest axis first */
    uint64_t n_elements;
    struct llmfp_extent data; /* all that is stored, from the first element to the last */
    const struct llmfp_storage *storage; /* NULL: row-major, dense, the encoding's blocks */
    uint32_t n_sides;                    /* at most LLMFP_MOST_SIDES are read */
    const struct llmfp_side *sides;
};

/* How a tensor is stored; never NULL.                                    Local. */
const struct llmfp_storage *llmfp_tensor_storage(const struct llmfp_tensor *tensor);

/* What its values are divided by; 1 for most.                             Local. */
uint32_t llmfp_tensor_divisor(const struct llmfp_tensor *tensor);

/* The blocks of a tensor, and the bytes of n consecutive elements from the start of a
 * block on.                                                              Local. */
struct llmfp_block llmfp_tensor_block(const struct llmfp_tensor *tensor);
uint64_t llmfp_tensor_bytes(const struct llmfp_tensor *tensor, uint64_t n_elements);

/* Where an element, the first of its block, lies in the tensor's file.    Local. */
uint64_t llmfp_tensor_offset(const struct llmfp_tensor *tensor, uint64_t element);

struct llmfp_catalog {
    struct llmfp_file *files; /* owned array, n_files; its capacity is the next power of two */
    size_t n_files;
    struct llmfp_tensor *tensors; /* owned array, n_tensors */
    size_t n_tensors;
    size_t tensor_capacity;
    bool sliced;              /* a name may occur once a file (slices.h) */
    struct llmfp_arena arena; /* owns names, paths, shapes, sides */
};

/* All functions are Local. A zeroed struct is a valid empty catalog.          */

void llmfp_catalog_clear(struct llmfp_catalog *catalog);

/* Append a file (path copied). Errors: LLMFP_FATAL without memory.             */
enum llmfp_status llmfp_catalog_add_file(struct llmfp_catalog *catalog,
                                         const struct llmfp_file *file,
                                         struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Append a tensor; name, shape, storage and sides are copied into the arena. The copy's
 * shape is never NULL, its sides are NULL when there are none.
 * Errors: LLMFP_FATAL without memory.                                          */
enum llmfp_status llmfp_catalog_add_tensor(struct llmfp_catalog *catalog,
                                           const struct llmfp_tensor *tensor,
                                           struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Check that the tensors are a model's, not all of an adapter (LoRA), and that no name
 * occurs twice, and sort them by (file, offset, name), so that the order does not depend
 * on who read which header.
 * Errors: LLMFP_CHECKPOINT names the tensor and its file or files.              */
enum llmfp_status llmfp_catalog_finish(struct llmfp_catalog *catalog,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Pack the tensors of a catalog (not the files) from index `first` to before `end`, and
 * append packed tensors to another catalog. Used to share headers among ranks;
 * `unpack` trusts its input only as far as bounds go.
 * Errors: LLMFP_FATAL (memory; packed bytes cut short).                        */
void llmfp_catalog_pack_tensors(const struct llmfp_catalog *catalog, size_t first, size_t end,
                                struct llmfp_buffer *buffer);
enum llmfp_status llmfp_catalog_unpack_tensors(struct llmfp_catalog *catalog,
                                               struct llmfp_cursor *cursor,
                                               struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
