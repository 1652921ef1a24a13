/* llmfp/isa.h - which instruction set the kernels use.             core, no MPI
 *
 * The kernels of 16-bit and wider floats exist for several instruction sets and
 * agree to the bit; the best one that this machine has is chosen when a kernel
 * starts. The environment variable LLMFP_ISA=portable|avx2|avx512|neon forces
 * one, for tests and measurements.                                             */
#ifndef LLMFP_ISA_H
#define LLMFP_ISA_H

#include <stdbool.h>

#include "llmfp/error.h"

enum llmfp_isa {
    LLMFP_ISA_PORTABLE, /* plain C; always there */
    LLMFP_ISA_AVX2,     /* x86-64 with AVX2 */
    LLMFP_ISA_AVX512, /* x86-64 with AVX-512 F, BW, VL, DQ, VNNI, VBMI, VBMI2, IFMA (Ice Lake, Zen 4) */
    LLMFP_ISA_NEON, /* AArch64 */
    LLMFP_N_ISAS
};

/* True where this build has kernels for the set and this machine can run them. Local. */
bool llmfp_isa_is_supported(enum llmfp_isa isa);

/* The set in use: LLMFP_ISA where it names a supported one, else the best. Local. */
enum llmfp_isa llmfp_isa_chosen(void);

/* The name of a set as LLMFP_ISA spells it.                              Local. */
const char *llmfp_isa_name(enum llmfp_isa isa);

/* LLMFP_USAGE where LLMFP_ISA is set to a name that is unknown or that this machine
 * cannot run; programs call it once, before the first kernel.            Local. */
enum llmfp_status llmfp_isa_check(struct llmfp_error *error);

#endif
