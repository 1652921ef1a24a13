/* llmfp/own_rules.h - role rules of the user's own, from a JSON file. core, no MPI
 *
 *   {"rules": [
 *     {"name": "decoder.{layer}.att.query.w", "role": "attn.q"},
 *     {"name": "decoder.{layer}.moe.{expert}.w1", "role": "mlp.gate"},
 *     {"name": "decoder.{layer}.att.qkv.w", "axis": "rows", "repeat": 1,
 *      "parts": [{"role": "attn.q", "size": 512}, {"role": "attn.k", "size": 128},
 *                {"role": "attn.v", "size": 128}]},
 *     {"name": "vision.*", "role": null}
 *   ]}
 * `name` is compared with the whole name of a tensor as it is stored (as --dry-run shows
 * it). {layer} and {expert} stand for a whole decimal number, `*` for any characters. The
 * first rule that fits takes the tensor, before all rules of the program. A role is one
 * of the program's, or begins with "other:"; null: the tensor is not scanned. Without
 * {layer} the layer is 0. Parts cut the outputs (axis "rows", the default, or "columns")
 * into `repeat` equal groups of runs of `size`; they must add up to the axis.     */
#ifndef LLMFP_OWN_RULES_H
#define LLMFP_OWN_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"
#include "llmfp/roles.h"

enum { LLMFP_OWN_RULES_MOST = 4096, LLMFP_OWN_RULES_BYTES = 1 << 20 };

struct llmfp_own_rules;

/* The text of a rules file, appended to `text`.                          Local.
 * Errors: LLMFP_USAGE: it cannot be read or is too large; LLMFP_FATAL without memory. */
enum llmfp_status llmfp_own_rules_load(const char *path, struct llmfp_buffer *text,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Read the rules from text; `path` is for messages. Owned by the caller
 * (llmfp_own_rules_free).                                                Local.
 * Errors: LLMFP_USAGE names file, line and column, what is wrong and what is allowed;
 * LLMFP_FATAL without memory.                                                   */
enum llmfp_status llmfp_own_rules_read(const char *path, const char *text, size_t n_bytes,
                                       struct llmfp_own_rules **rules,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;
void llmfp_own_rules_free(struct llmfp_own_rules *rules);

/* A number that tells one text of rules from another (FNV-1a).            Local. */
uint64_t llmfp_own_rules_digest(const struct llmfp_own_rules *rules);

/* Map a tensor by the first rule that fits; *taken says whether one does. Strings of the
 * mapping belong to the rules.                                           Local.
 * Errors: LLMFP_CHECKPOINT when the parts of a rule do not fit the tensor.      */
enum llmfp_status llmfp_own_rules_map(const struct llmfp_own_rules *rules,
                                      const struct llmfp_tensor *tensor,
                                      struct llmfp_mapping *mapping, bool *taken,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
