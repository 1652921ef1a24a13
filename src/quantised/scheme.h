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

/* scaled_float8.c */
extern const struct quantisation_scheme scheme_float8, scheme_float8_inverse;
extern const struct quantisation_scheme scheme_float8_mistral, scheme_float8_deepseek;
extern const struct quantisation_scheme scheme_mxfp4, scheme_mxfp4_original, scheme_mxfp4_packed;
extern const struct quantisation_scheme scheme_nvfp4; /* float4.c */
extern const struct quantisation_scheme scheme_nvfp4_divided;

extern const struct quantisation_scheme scheme_gptq, scheme_awq, scheme_qweight; /* gptq.c */

extern const struct quantisation_scheme scheme_nf4, scheme_fp4, scheme_int8; /* bitsandbytes.c */

/* compressed_tensors.c */
extern const struct quantisation_scheme scheme_packed_integers, scheme_integers;

extern const struct quantisation_scheme scheme_mlx; /* mlx.c */

/* settings.c. Read the configuration (llmfp_checkpoint.configuration); unknown keys do not
 * matter.                                                                     Local.
 * Errors: LLMFP_CHECKPOINT: two files contradict each other, or one of a quantiser is no
 * JSON; LLMFP_FATAL without memory. A config.json that is no JSON gives no settings: who
 * reads the sizes has refused it by then.                                            */
enum llmfp_status quantisation_settings_read(const char *texts, size_t n_bytes,
                                             struct quantisation_settings *settings,
                                             struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
