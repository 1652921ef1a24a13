/* llmfp/roles.h - what a tensor does: name -> role, layer, parts.  core, no MPI
 *
 * Rules are data (src/model/families*.c). A rule says, for a pattern of tensor
 * names, the role, or for a fused tensor the parts. Splits come out as
 * `repeat` times a list of runs: the tensor's elements in row-major order are
 * cut into `repeat` equal groups, and each group into consecutive runs of
 * run_elements[i] elements that belong to parts[i]. An unfused tensor is
 * repeat = 1 and one run.
 * A split is made only where it is certain; otherwise the part is `attn.qkv`
 * (or the fallback role), with a note that says why.
 * Where names mean different things in different families and config.json names
 * none (or is absent), they mean what they mean in llama.                      */
#ifndef LLMFP_ROLES_H
#define LLMFP_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/catalog.h"
#include "llmfp/configuration.h"
#include "llmfp/error.h"

enum { LLMFP_MAX_PARTS = 8 };

/* Why (a part of) a tensor is not scanned.                                     */
enum llmfp_reason {
    LLMFP_SCANNED,         /* it is scanned */
    LLMFP_NO_ROLE,         /* no rule and no layer index in the name */
    LLMFP_INTEGER,         /* integers or booleans */
    LLMFP_NO_KERNEL,       /* an encoding whose values cannot be summed here */
    LLMFP_ROLE_NOT_WANTED, /* left out by --roles */
    LLMFP_N_REASONS
};

/* A short text for each reason, for people ("integer or boolean encoding").  Local. */
const char *llmfp_reason_text(enum llmfp_reason reason);

struct llmfp_part {
    const char *role; /* "attn.q", "mlp.gate", "other:..." */
    int32_t layer;
    int32_t expert; /* index of a routed expert, or -1 */
    uint64_t run_elements;
};

struct llmfp_mapping {
    enum llmfp_reason reason; /* LLMFP_SCANNED, LLMFP_NO_ROLE, LLMFP_INTEGER, LLMFP_NO_KERNEL */
    const char *rule;         /* the pattern that took it, or "fallback", or "none" */
    const char *note;         /* why a fused tensor was not split, or NULL */
    bool main_stack;          /* a block of the language model's main stack: counts as layer */
    uint64_t repeat;
    uint32_t n_parts;                         /* 0 unless reason is LLMFP_SCANNED */
    struct llmfp_part parts[LLMFP_MAX_PARTS]; /* repeat * sum(run_elements) = n_elements */
};

/* Map one tensor. Strings in the mapping are static or belong to `arena`.
 * Deterministic: depends on name, shape, encoding and configuration only.
 * Errors: LLMFP_CHECKPOINT where parts of the user's own rules do not fit;
 * LLMFP_FATAL without memory.                                            Local. */
enum llmfp_status llmfp_roles_map(const struct llmfp_configuration *configuration,
                                  const struct llmfp_tensor *tensor, struct llmfp_arena *arena,
                                  struct llmfp_mapping *mapping,
                                  struct llmfp_error *error) LLMFP_MUST_CHECK;

/* A set of wanted roles, from --roles LIST: comma-separated names, `*` stands
 * for any characters ("attn.*", "*.bias"). NULL or "" wants all.               */
struct llmfp_role_filter;

/* Errors: LLMFP_USAGE for an empty item or a pattern that can match no role.
 * `*filter` is owned by the caller (llmfp_role_filter_free).             Local. */
enum llmfp_status llmfp_role_filter_new(const char *list, struct llmfp_role_filter **filter,
                                        struct llmfp_error *error) LLMFP_MUST_CHECK;
bool llmfp_role_wanted(const struct llmfp_role_filter *filter, const char *role); /* Local */
void llmfp_role_filter_free(struct llmfp_role_filter *filter);                    /* Local */

#endif
