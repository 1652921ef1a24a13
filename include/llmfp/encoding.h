/* llmfp/encoding.h - how the bytes of a tensor stand for numbers.  core, no MPI
 *
 * One row of the table in src/encoding/encoding.c per encoding; one file per
 * group of encodings holds their kernels. A kernel takes bytes and adds the
 * exact values straight into moments: nothing is decoded into doubles.
 * Elements are stored in blocks of `block_elements` elements in `block_bytes`
 * bytes (1 element each for plain floats). An encoding whose values depend on
 * other tensors (scales, zeros, codebooks) finds them in `sides`.
 * Sources of the formats: IEEE 754, OCP 8-bit floating point specification
 * (OFP8), OCP microscaling (MX) specification, safetensors, GGUF.              */
#ifndef LLMFP_ENCODING_H
#define LLMFP_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/error.h"

struct llmfp_moments;

enum llmfp_encoding_id {
    /* weights: every one has a kernel */
    LLMFP_F64,
    LLMFP_F32,
    LLMFP_F16,
    LLMFP_BF16,
    LLMFP_F8_E4M3,
    LLMFP_F8_E5M2,
    LLMFP_F8_E4M3FNUZ,
    LLMFP_F8_E5M2FNUZ,
    LLMFP_F8_E4M3_SCALED,  /* with scales per tensor, row or rectangle of a matrix; see */
    LLMFP_F8_E5M2_SCALED,  /* src/encoding/scaled_float8.c for sides and parameters     */
    LLMFP_F4_E8M0,         /* MXFP4: E2M1 codes, E8M0 scales of 32; src/encoding/float4.c */
    LLMFP_F4_E4M3,         /* NVFP4: E2M1 codes, E4M3 scales of 16 and one of the tensor */
    LLMFP_F4_E4M3_DIVIDED, /* the same, divided by the one of the tensor */
    LLMFP_GPTQ,            /* integers of 2, 3, 4, 8 bits; src/encoding/gptq.c */
    LLMFP_AWQ,             /* integers of 4 bits, src/encoding/awq.c */
    LLMFP_LOOKUP4,         /* NF4, FP4 of bitsandbytes; src/encoding/lookup4.c */
    LLMFP_INTEGER_ROWS,    /* of compressed-tensors, and LLM.int8; src/encoding/integer_rows.c */
    LLMFP_MLX,             /* integers with scales and offsets; src/encoding/mlx.c */
    /* blocks of GGUF files; src/encoding/ggml_*.c */
    LLMFP_Q1_0,
    LLMFP_Q2_0,
    LLMFP_Q4_0,
    LLMFP_Q4_1,
    LLMFP_Q5_0,
    LLMFP_Q5_1,
    LLMFP_Q8_0,
    LLMFP_Q8_1,
    LLMFP_Q2_K,
    LLMFP_Q3_K,
    LLMFP_Q4_K,
    LLMFP_Q5_K,
    LLMFP_Q6_K,
    LLMFP_Q8_K,
    LLMFP_IQ4_NL,
    LLMFP_IQ4_XS,
    LLMFP_TQ1_0,
    LLMFP_TQ2_0,
    LLMFP_MXFP4,
    LLMFP_NVFP4,
    /* stored in checkpoints, but no kernel: codes of lattices, whose tables are not here, */
    LLMFP_IQ1_S,
    LLMFP_IQ1_M,
    LLMFP_IQ2_XXS,
    LLMFP_IQ2_XS,
    LLMFP_IQ2_S,
    LLMFP_IQ3_XXS,
    LLMFP_IQ3_S,
    /* and what is no weight by itself */
    LLMFP_F8_E8M0,
    LLMFP_F6_E2M3,
    LLMFP_F6_E3M2,
    LLMFP_F4,
    LLMFP_C64,
    LLMFP_I64,
    LLMFP_I32,
    LLMFP_I16,
    LLMFP_I8,
    LLMFP_U64,
    LLMFP_U32,
    LLMFP_U16,
    LLMFP_U8,
    LLMFP_BOOL,
    LLMFP_N_ENCODINGS
};

enum llmfp_encoding_kind {
    LLMFP_KIND_FLOAT,   /* real numbers that can be summed                    */
    LLMFP_KIND_INTEGER, /* integers and booleans: indices, masks, packed codes */
    LLMFP_KIND_OTHER    /* known size, but no exact sum is defined for it here */
};

/* What a quantised tensor has beside its codes: scales, zeros, codebooks, each whole in
 * memory, and numbers. Which and in which order, says the file of the encoding's kernel.
 * Borrowed memory.                                                             */
enum { LLMFP_MOST_SIDES = 8, LLMFP_N_PARAMETERS = 4 };
struct llmfp_sides {
    uint64_t parameters[LLMFP_N_PARAMETERS];
    uint32_t n;
    struct {
        enum llmfp_encoding_id encoding;
        const unsigned char *bytes;
        uint64_t size_bytes;
    } side[LLMFP_MOST_SIDES];
};

/* A run of elements of one tensor, as the kernels get it. Borrowed memory.    */
struct llmfp_elements {
    const unsigned char *bytes;      /* first block; any alignment */
    uint64_t n_elements;             /* a multiple of block_elements, or to the tensor's end */
    uint64_t first_element;          /* index in the tensor, in the order of storage */
    const struct llmfp_sides *sides; /* NULL for encodings that need none */
};

struct llmfp_encoding {
    const char *name; /* as the format calls it, e.g. "BF16", "Q4_K" */
    enum llmfp_encoding_kind kind;
    uint16_t block_elements;
    uint16_t block_bytes;
    /* Every finite value is an integer times 2^lowest_exponent and smaller than
     * 2^highest_exponent in magnitude: this sizes the accumulators.            */
    int16_t lowest_exponent;
    int16_t highest_exponent;
    /* Add all elements to `moments`, whose layout covers this encoding. Exact. NULL
     * for encodings without one.                                         Local. */
    void (*add)(struct llmfp_moments *moments, const struct llmfp_elements *elements);
    /* Look at the sides of a tensor once, before `add` uses them; NULL: nothing to check.
     * Errors: LLMFP_CHECKPOINT with a sentence that names the offending value (the caller
     * puts the tensor's name before it).                                         Local. */
    enum llmfp_status (*check)(const struct llmfp_sides *sides, struct llmfp_error *error);
};

/* The table row of an encoding; never NULL for an id below LLMFP_N_ENCODINGS. Local. */
const struct llmfp_encoding *llmfp_encoding(enum llmfp_encoding_id id);

/* Find an encoding by its safetensors dtype name (n_bytes long, exact case); false when
 * there is none. Encodings that are no dtype (blocks of GGUF files, codes with scales in
 * tensors of their own) are not found.                                   Local. */
bool llmfp_encoding_find(const char *name, size_t n_bytes, enum llmfp_encoding_id *id);

#endif
