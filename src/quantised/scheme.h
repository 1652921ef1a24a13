/* scheme.h - what a row of the table of quantisations is made of. */
#ifndef LLMFP_SCHEME_H
#define LLMFP_SCHEME_H

#include <stdbool.h>
#include <stdint.h>

#include "llmfp/catalog.h"
#include "llmfp/error.h"

enum { SCHEME_MOST_SIDES = 6 };

/* The quantiser's settings as far as schemes ask for them; 0 and "" where they are silent. */
struct quantisation_settings {
    bool present;
    char method[64];  /* quant_method */
    char format[64];  /* format or checkpoint_format */
    char version[64]; /* of AWQ */
    bool dynamic;     /* some tensors have settings of their own */
    uint64_t bits;
    int64_t group_size;  /* -1: a whole column */
    bool mixed_groups;   /* some tensors have groups of another size */
    uint64_t block_rows; /* weight_block_size */
    uint64_t block_columns;
};

/* Where a weight is put together. `tensor` starts as a copy of the codes' tensor, its
 * sides are found[i] for every i that is not NULL, in this order; shape may be set to
 * up to 8 numbers of `shape`.                                                        */
struct assembly {
    const struct llmfp_catalog *catalog;
    const struct quantisation_settings *settings;
    const struct llmfp_tensor *codes;
    const struct llmfp_tensor *found[SCHEME_MOST_SIDES]; /* NULL: not there */
    struct llmfp_tensor tensor;
    struct llmfp_storage storage; /* of the tensor */
    uint64_t shape[8];
};

struct quantisation_scheme {
    const char *name;
    const char *codes; /* ending of the codes' name */
    /* Endings of the sides, that stand in place of that of the codes; the first
     * n_required must be there.                                                      */
    const char *sides[SCHEME_MOST_SIDES];
    unsigned n_required;
    const char *weight; /* ending of the weight's name */
    /* Whether the tensors, whose names fit, are of this scheme.                      */
    bool (*recognise)(const struct assembly *assembly);
    /* Set encoding, shape and n_elements of assembly->tensor, and its storage.
     * Errors: LLMFP_CHECKPOINT with a phrase to stand behind the name of the codes.  */
    enum llmfp_status (*assemble)(struct assembly *assembly, struct llmfp_error *error);
};

/* The first size_bytes bytes of a side, which has as many; see read_side.c.     Local.
 * Errors: LLMFP_CHECKPOINT when its file cannot be read.                              */
enum llmfp_status assembly_read(const struct assembly *assembly, const struct llmfp_tensor *side,
                                void *bytes, size_t size_bytes,
                                struct llmfp_error *error) LLMFP_MUST_CHECK;

/* All schemes, each `scheme_` and a name in the file that is named after it or its publisher. The
 * first that fits counts. */
#define QUANTISATION_SCHEMES(SCHEME)                                                               \
    SCHEME(nvfp4) /* float4.c */                                                                   \
    SCHEME(nvfp4_divided)                                                                          \
    SCHEME(mxfp4_packed)                                                                           \
    SCHEME(mxfp4)                                                                                  \
    SCHEME(mxfp4_original)                                                                         \
    SCHEME(float8_inverse) /* scaled_float8.c */                                                   \
    SCHEME(float8)                                                                                 \
    SCHEME(float8_mistral)                                                                         \
    SCHEME(float8_deepseek)                                                                        \
    SCHEME(gptq) /* gptq.c */                                                                      \
    SCHEME(awq)                                                                                    \
    SCHEME(qweight)                                                                                \
    SCHEME(packed_integers) /* compressed_tensors.c */                                             \
    SCHEME(integers)                                                                               \
    SCHEME(mlx) /* mlx.c */                                                                        \
    SCHEME(mlx_microscaled)                                                                        \
    SCHEME(nf4) /* bitsandbytes.c */                                                               \
    SCHEME(fp4)                                                                                    \
    SCHEME(int8)

#define QUANTISATION_SCHEME_DECLARED(name) extern const struct quantisation_scheme scheme_##name;
QUANTISATION_SCHEMES(QUANTISATION_SCHEME_DECLARED)
#undef QUANTISATION_SCHEME_DECLARED

/* settings.c. Read the configuration (llmfp_checkpoint.configuration); unknown keys do not
 * matter.                                                                     Local.
 * Errors: LLMFP_CHECKPOINT: two files contradict each other, or one of a quantiser is no
 * JSON; LLMFP_FATAL without memory. A config.json that is no JSON gives no settings: who
 * reads the sizes has refused it by then.                                            */
enum llmfp_status quantisation_settings_read(const char *texts, size_t n_bytes,
                                             struct quantisation_settings *settings,
                                             struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
