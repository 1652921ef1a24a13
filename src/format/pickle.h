/* pickle.h - what PyTorch pickles say, without running anything.
 *
 * A pickle is a program for a stack machine that may name any function of any Python
 * module and have it called. Here the program is only interpreted: the result is a
 * value made of numbers, texts, tuples, lists and dictionaries, and of descriptions
 * of tensors and storages. A class or function has to be in the table of
 * pickle_globals.c; any other is refused by name where it stands. Those in the table
 * either have a meaning of ours (a tensor is rebuilt: note storage, offset, sizes and
 * strides) or make an opaque value, which nothing ever looks into.
 *
 * Bounds: time is linear in the bytes of the pickle; memory is at most
 * LLMFP_PICKLE_MOST_MEMORY beside them; nothing recurses. Values that hold each
 * other (or themselves) are kept as they are, so walks over them need a bound.
 * Protocols 0 to 5, without extension codes and out-of-band buffers.
 * Source: Python's pickletools, torch/serialization.py, torch/_utils.py.          */
#ifndef LLMFP_PICKLE_H
#define LLMFP_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/encoding.h"
#include "llmfp/error.h"

enum {
    LLMFP_PICKLE_MOST_BYTES = 48 << 20, /* of one pickle */
    LLMFP_PICKLE_MOST_MEMORY = 96 << 20 /* that its interpretation may take */
};

enum llmfp_pickle_kind {
    LLMFP_PICKLE_NONE,
    LLMFP_PICKLE_BOOL,
    LLMFP_PICKLE_INTEGER, /* that 64 bits with a sign can hold */
    LLMFP_PICKLE_LONG,    /* any other: its bytes, little-endian, as `text` */
    LLMFP_PICKLE_TEXT,    /* UTF-8 as the pickle claims, not checked */
    LLMFP_PICKLE_TUPLE,
    LLMFP_PICKLE_LIST,
    LLMFP_PICKLE_DICT, /* keys and values in turn; a key may occur more than once */
    LLMFP_PICKLE_GLOBAL,
    LLMFP_PICKLE_STORAGE,
    LLMFP_PICKLE_TENSOR,
    LLMFP_PICKLE_OPAQUE /* anything else */
};

struct llmfp_pickle_value {
    enum llmfp_pickle_kind kind;
    uint32_t n_bytes; /* of text */
    union {
        int64_t integer; /* of a BOOL, too */
        const char *text;
        struct llmfp_pickle_items *items; /* TUPLE, LIST, DICT */
        const struct llmfp_pickle_global *global;
        const struct llmfp_torch_storage *storage;
        const struct llmfp_torch_tensor *tensor;
    } as;
};

struct llmfp_pickle_items {
    struct llmfp_pickle_value *items;
    uint32_t n_items;
    uint32_t capacity;
};

/* As the pickle has it: types are checked, values are not.                        */
struct llmfp_torch_storage {
    const char *key;
    uint32_t key_bytes;
    const struct llmfp_pickle_global *type;
    int64_t n_elements; /* of the type; bytes of an untyped storage */
    int64_t view_first; /* a storage of an old file may be part of another one */
    int64_t view_elements;
    const struct llmfp_torch_storage *next; /* in the list of all, from the last to the first */
};

struct llmfp_torch_tensor {
    const struct llmfp_torch_storage *storage;
    const struct llmfp_pickle_global *type; /* of the elements */
    int64_t first_element;                  /* in the storage */
    const struct llmfp_pickle_items *sizes; /* integers, as many as strides */
    const struct llmfp_pickle_items *strides;
    const char *refusal; /* NULL, or why it is not read, to stand behind its name */
};

/* What calling a class or function means, or using it as a type.                  */
enum llmfp_pickle_use {
    LLMFP_USE_OPAQUE,
    LLMFP_USE_DICT,
    LLMFP_USE_LIST,
    LLMFP_USE_TUPLE,
    LLMFP_USE_TENSOR,    /* _rebuild_tensor, _v2 and _v3, by their number of arguments */
    LLMFP_USE_TENSOR_V3, /* with the type of the elements behind the hooks */
    LLMFP_USE_PARAMETER, /* the tensor that is the first argument */
    LLMFP_USE_FROM_TYPE, /* call the first argument with the third */
    LLMFP_USE_UNREADABLE_TENSOR,
    LLMFP_USE_STORAGE, /* a typed storage class */
    LLMFP_USE_UNTYPED_STORAGE,
    LLMFP_USE_TYPE /* a type of elements */
};

struct llmfp_pickle_global {
    const char *module;
    const char *name; /* NULL: everything in the module and below it */
    enum llmfp_pickle_use use;
    enum llmfp_encoding_id encoding; /* of STORAGE and TYPE */
    uint32_t element_bytes;          /* of STORAGE and TYPE */
    const char *refusal;             /* why tensors of it are not read */
};

/* The row of a class or function, or NULL when it is not in the table.     Local. */
const struct llmfp_pickle_global *llmfp_pickle_global_find(const char *module, size_t module_bytes,
                                                           const char *name, size_t name_bytes);

struct llmfp_pickle {
    const char *path;           /* for messages */
    const unsigned char *bytes; /* borrowed, like all texts in values */
    size_t n_bytes;
    size_t offset;                              /* of the next byte */
    bool cut_short;                             /* the last run needed bytes beyond the end */
    uint32_t n_globals;                         /* looked up so far */
    size_t n_memo;                              /* in memo */
    struct llmfp_buffer stack;                  /* struct llmfp_pickle_value */
    struct llmfp_buffer marks;                  /* uint32_t: lengths of the stack */
    struct llmfp_buffer memo;                   /* struct llmfp_pickle_value */
    struct llmfp_arena arena;                   /* owns what values hold */
    const struct llmfp_torch_storage *storages; /* all that were named, a key maybe often */
    struct llmfp_error *error;
};

/* All functions are Local. A struct with path, bytes, n_bytes and error is valid.  */

/* Interpret one pickle from `offset` on; afterwards `offset` stands behind it.
 * Errors: LLMFP_CHECKPOINT names the file, the byte and the offending name or value;
 * LLMFP_FATAL without memory.                                                     */
enum llmfp_status llmfp_pickle_run(struct llmfp_pickle *pickle,
                                   struct llmfp_pickle_value *result) LLMFP_MUST_CHECK;
void llmfp_pickle_clear(struct llmfp_pickle *pickle);

/* Whether a value is this text.                                                   */
bool llmfp_pickle_is(const struct llmfp_pickle_value *value, const char *text);

#endif
