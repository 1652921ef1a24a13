/* tensor_name.c - components, wrappers, numbers and leaves of tensor names. */
#include "tensor_name.h"

#include <string.h>

#include "rules.h"

/* PyTorch DDP and Megatron; torch.compile; FSDP; activation checkpointing; Fabric;
 * PEFT's name for the layer that an adapter wraps.                             */
static const struct llmfp_text wrappers[] = {
    TEXT("module"),          TEXT("_orig_mod"),
    TEXT("base_layer"),      TEXT("_fsdp_wrapped_module"),
    TEXT("_forward_module"), TEXT("_checkpoint_wrapped_module"),
};

static const struct llmfp_text nests[] = {TEXT("state_dict"), TEXT("model_state_dict")};

/* What PEFT puts before every name of the model that it wraps. */
static const struct llmfp_text peft = TEXT("base_model.model.");

static bool is_one_of(const struct llmfp_text *texts, size_t n, const char *text, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        if (texts[i].length == length && memcmp(texts[i].text, text, length) == 0) {
            return true;
        }
    }
    return false;
}

size_t llmfp_name_unwrap(const char *name, char *out)
{
    size_t used = 0;
    const char *place = name;
    while (*place != '\0') {
        if (used == 0 && strncmp(place, peft.text, peft.length) == 0) {
            place += peft.length;
            continue;
        }
        const char *dot = strchr(place, '.');
        const size_t length = dot == NULL ? strlen(place) : (size_t)(dot - place);
        const bool last = dot == NULL;
        const bool drop =
            !last &&
            (is_one_of(wrappers, sizeof wrappers / sizeof wrappers[0], place, length) ||
             (used == 0 && is_one_of(nests, sizeof nests / sizeof nests[0], place, length)));
        if (!drop) {
            if (length + 2 > LLMFP_NAME_MOST - used) {
                return 0;
            }
            memcpy(out + used, place, length);
            used += length;
            if (!last) {
                out[used++] = '.';
            }
        }
        place += last ? length : length + 1;
    }
    out[used] = '\0';
    return used;
}

size_t llmfp_name_number(const char *text, const char *end, int32_t *value)
{
    int64_t number = 0;
    const char *place = text;
    while (place < end && *place >= '0' && *place <= '9') {
        number = number > INT32_MAX ? number : number * 10 + (*place - '0');
        place++;
    }
    if (place < end && *place != '.') {
        return 0;
    }
    *value = number > INT32_MAX ? -1 : (int32_t)number;
    return (size_t)(place - text);
}

/* Megatron glues the expert to the leaf: linear_fc1.weight7 is {E} = 7. */
static size_t glued_leaf(const char *text, const char *end, int32_t *number)
{
    static const struct llmfp_text leaves[] = {TEXT("weight"), TEXT("bias")};
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        const size_t length = leaves[i].length;
        if ((size_t)(end - text) > length && memcmp(text, leaves[i].text, length) == 0 &&
            llmfp_name_number(text + length, end, number) == (size_t)(end - text) - length) {
            return length;
        }
    }
    return 0;
}

static uint8_t leaf_of(const char *text, size_t length)
{
    static const struct llmfp_text weights[] = {TEXT("weight"), TEXT("gamma"), TEXT("scale")};
    static const struct llmfp_text biases[] = {TEXT("bias"), TEXT("beta")};
    if (is_one_of(weights, sizeof weights / sizeof weights[0], text, length)) {
        return LEAF_WEIGHT;
    }
    return is_one_of(biases, sizeof biases / sizeof biases[0], text, length) ? LEAF_BIAS
                                                                             : LEAF_BARE;
}

static bool put(struct llmfp_name_rest *rest, const char *text, size_t length)
{
    if (length + 1 > LLMFP_NAME_MOST - rest->length) {
        return false;
    }
    memcpy(rest->pattern + rest->length, text, length);
    rest->length += length;
    return true;
}

bool llmfp_name_rest(const char *text, size_t length, struct llmfp_name_rest *rest)
{
    const char *const end = text + length;
    rest->length = 0;
    rest->leaf = LEAF_BARE;
    rest->number = -1;
    if (memchr(text, '{', length) != NULL) {
        return false; /* no name of ours, but what numbers are written as */
    }
    while (text < end) {
        const char *dot = memchr(text, '.', (size_t)(end - text));
        const char *stop = dot == NULL ? end : dot;
        const size_t here = (size_t)(stop - text);
        int32_t number = -1;
        const char *separator = rest->length == 0 ? "" : ".";
        const bool is_number = here != 0 && llmfp_name_number(text, stop, &number) == here;
        const size_t glued = dot == NULL && !is_number ? glued_leaf(text, stop, &number) : 0;
        if (is_number || glued != 0) {
            if (number < 0 || !put(rest, separator, strlen(separator)) || !put(rest, "{E}", 3)) {
                return false;
            }
            rest->number = rest->number < 0 ? number : rest->number;
        }
        if (dot == NULL && !is_number) {
            rest->leaf = leaf_of(text, glued != 0 ? glued : here);
        }
        if (!is_number && (dot != NULL || rest->leaf == LEAF_BARE) &&
            (!put(rest, separator, strlen(separator)) || !put(rest, text, here))) {
            return false;
        }
        text = dot == NULL ? end : dot + 1;
    }
    rest->pattern[rest->length] = '\0';
    return true;
}
