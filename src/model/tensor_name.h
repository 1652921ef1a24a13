/* tensor_name.h - taking tensor names apart. */
#ifndef LLMFP_TENSOR_NAME_H
#define LLMFP_TENSOR_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer than any name that a rule could match.                                */
enum { LLMFP_NAME_MOST = 256 };

/* Copy `name` without the components that training wrappers insert (module,
 * _orig_mod, _fsdp_wrapped_module, ... anywhere; state_dict at the start).
 * `out` holds LLMFP_NAME_MOST bytes. Returns the length; 0 for a name that is
 * too long for any rule.                                                 Local. */
size_t llmfp_name_unwrap(const char *name, char *out);

/* What stands behind the layer index: the pattern that a rule may have, and the
 * last component.                                                              */
struct llmfp_name_rest {
    char pattern[LLMFP_NAME_MOST + 8]; /* numbers as {E}; without .weight, .bias, ... */
    size_t length;
    uint8_t leaf;   /* LEAF_WEIGHT, LEAF_BIAS, or LEAF_BARE for any other end */
    int32_t number; /* of the first {E}, or -1 */
};

/* False where no rule can match (too long, a number above 2^31 - 1).     Local. */
bool llmfp_name_rest(const char *text, size_t length, struct llmfp_name_rest *rest);

/* A decimal component at `text`: its digits' count, or 0 when the component (up to
 * `end`) is not all digits; *value is -1 where it is above 2^31 - 1.     Local. */
size_t llmfp_name_number(const char *text, const char *end, int32_t *value);

#endif
