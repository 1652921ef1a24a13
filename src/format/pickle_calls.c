/* pickle_calls.c - what calls of classes and functions stand for. Nothing is run. */
#include <string.h>

#include "pickle_machine.h"

enum { MOST_NESTED_CALLS = 4, MOST_DIMENSIONS = 64 };

/* ---- containers ---- */

/* A sequence of (key, value) pairs, as Python 2 wrote ordered dictionaries. */
static bool put_pairs(struct llmfp_pickle *pickle, const struct llmfp_pickle_items *pairs,
                      struct llmfp_pickle_items *dict)
{
    for (uint32_t i = 0; i < pairs->n_items; i++) {
        const struct llmfp_pickle_value *pair = &pairs->items[i];
        const bool is_pair =
            (pair->kind == LLMFP_PICKLE_TUPLE || pair->kind == LLMFP_PICKLE_LIST) &&
            pair->as.items->n_items == 2;
        if (!is_pair) {
            return llmfp_pickle_refuse(pickle, "makes a dictionary of something else than pairs");
        }
        if (!llmfp_pickle_append(pickle, dict, pair->as.items->items, 2)) {
            return false;
        }
    }
    return true;
}

/* OrderedDict(), OrderedDict(pairs), Counter(dict), defaultdict(factory[, dict]). */
static bool make_dict(struct llmfp_pickle *pickle, const struct llmfp_pickle_items *arguments,
                      struct llmfp_pickle_value *result)
{
    if (!llmfp_pickle_make(pickle, LLMFP_PICKLE_DICT, NULL, 0, result)) {
        return false;
    }
    for (uint32_t i = 0; i < arguments->n_items; i++) {
        const struct llmfp_pickle_value *from = &arguments->items[i];
        bool fine = true;
        if (from->kind == LLMFP_PICKLE_DICT) {
            fine = llmfp_pickle_append(pickle, result->as.items, from->as.items->items,
                                       from->as.items->n_items);
        } else if (from->kind == LLMFP_PICKLE_LIST || from->kind == LLMFP_PICKLE_TUPLE) {
            fine = put_pairs(pickle, from->as.items, result->as.items);
        } else if (from->kind != LLMFP_PICKLE_NONE && from->kind != LLMFP_PICKLE_GLOBAL) {
            fine = llmfp_pickle_refuse(pickle, "makes a dictionary of something else than pairs");
        }
        if (!fine) {
            return false;
        }
    }
    return true;
}

/* list(), tuple(), torch.Size(): of nothing, or of one sequence. */
static bool make_sequence(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind,
                          const struct llmfp_pickle_items *arguments,
                          struct llmfp_pickle_value *result)
{
    if (arguments->n_items == 0) {
        return llmfp_pickle_make(pickle, kind, NULL, 0, result);
    }
    const struct llmfp_pickle_value *from = &arguments->items[0];
    if (arguments->n_items > 1 ||
        (from->kind != LLMFP_PICKLE_LIST && from->kind != LLMFP_PICKLE_TUPLE)) {
        return llmfp_pickle_refuse(pickle, "makes a sequence of something else than a sequence");
    }
    return llmfp_pickle_make(pickle, kind, from->as.items->items, from->as.items->n_items, result);
}

/* ---- tensors ---- */

static const char *integers_problem(const struct llmfp_pickle_value *value)
{
    if (value->kind != LLMFP_PICKLE_TUPLE || value->as.items->n_items > MOST_DIMENSIONS) {
        return "rebuilds a tensor whose sizes or strides are no tuple of at most 64 integers";
    }
    for (uint32_t i = 0; i < value->as.items->n_items; i++) {
        if (value->as.items->items[i].kind != LLMFP_PICKLE_INTEGER) {
            return "rebuilds a tensor whose sizes or strides are not 64-bit integers";
        }
    }
    return NULL;
}

/* (storage, first element, sizes, strides[, requires_grad, hooks[, type][, metadata]]) */
static const char *tensor_problem(const struct llmfp_pickle_items *arguments, uint32_t n_known)
{
    const struct llmfp_pickle_value *items = arguments->items;
    const uint32_t n = arguments->n_items;
    if (n != n_known && n != n_known + 1 && !(n_known == 6 && n == 4)) {
        return "rebuilds a tensor from a wrong number of arguments";
    }
    if (items[0].kind != LLMFP_PICKLE_STORAGE || items[1].kind != LLMFP_PICKLE_INTEGER) {
        return "rebuilds a tensor from something else than a storage and an offset";
    }
    const char *problem = integers_problem(&items[2]);
    problem = problem == NULL ? integers_problem(&items[3]) : problem;
    if (problem == NULL && items[2].as.items->n_items != items[3].as.items->n_items) {
        problem = "rebuilds a tensor with more sizes than strides, or fewer";
    }
    if (problem == NULL && n_known == 7 &&
        (items[6].kind != LLMFP_PICKLE_GLOBAL || items[6].as.global->use != LLMFP_USE_TYPE)) {
        problem = "rebuilds a tensor whose type is none";
    }
    if (problem == NULL && n_known == 6 && items[0].as.storage->type->use != LLMFP_USE_STORAGE) {
        problem = "rebuilds a tensor of unknown type from an untyped storage";
    }
    return problem;
}

static bool make_tensor(struct llmfp_pickle *pickle, const struct llmfp_pickle_items *arguments,
                        uint32_t n_known, struct llmfp_pickle_value *result)
{
    const char *problem = tensor_problem(arguments, n_known);
    if (problem != NULL) {
        return llmfp_pickle_refuse(pickle, "%s", problem);
    }
    const struct llmfp_pickle_value *items = arguments->items;
    struct llmfp_torch_tensor *tensor = llmfp_pickle_new(pickle, sizeof *tensor);
    if (tensor == NULL) {
        return false;
    }
    tensor->storage = items[0].as.storage;
    tensor->first_element = items[1].as.integer;
    tensor->sizes = items[2].as.items;
    tensor->strides = items[3].as.items;
    tensor->type = n_known == 7 ? items[6].as.global : tensor->storage->type;
    tensor->refusal = tensor->type->refusal;
    const struct llmfp_pickle_value *metadata =
        arguments->n_items == n_known + 1 ? &items[n_known] : NULL;
    if (metadata != NULL && metadata->kind == LLMFP_PICKLE_DICT &&
        metadata->as.items->n_items > 0) {
        tensor->refusal = "is a negated or conjugated view; save the model with .contiguous() "
                          "tensors";
    }
    *result = (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_TENSOR, .as.tensor = tensor};
    return true;
}

static bool make_unreadable(struct llmfp_pickle *pickle, const struct llmfp_pickle_global *global,
                            struct llmfp_pickle_value *result)
{
    struct llmfp_torch_tensor *tensor = llmfp_pickle_new(pickle, sizeof *tensor);
    if (tensor != NULL) {
        tensor->type = global;
        tensor->refusal = global->refusal;
        *result = (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_TENSOR, .as.tensor = tensor};
    }
    return tensor != NULL;
}

/* Parameter(tensor, ...): the tensor. Parameters of anything else are opaque. */
static void take_parameter(const struct llmfp_pickle_items *arguments,
                           struct llmfp_pickle_value *result)
{
    result->kind = LLMFP_PICKLE_OPAQUE;
    if (arguments->n_items > 0 && arguments->items[0].kind == LLMFP_PICKLE_TENSOR) {
        *result = arguments->items[0];
    }
}

/* ---- calls ---- */

static bool apply(struct llmfp_pickle *pickle, const struct llmfp_pickle_global *global,
                  const struct llmfp_pickle_items *arguments, struct llmfp_pickle_value *result)
{
    switch (global->use) {
    case LLMFP_USE_OPAQUE:
        result->kind = LLMFP_PICKLE_OPAQUE;
        return true;
    case LLMFP_USE_DICT:
        return make_dict(pickle, arguments, result);
    case LLMFP_USE_LIST:
        return make_sequence(pickle, LLMFP_PICKLE_LIST, arguments, result);
    case LLMFP_USE_TUPLE:
        return make_sequence(pickle, LLMFP_PICKLE_TUPLE, arguments, result);
    case LLMFP_USE_TENSOR:
        return make_tensor(pickle, arguments, 6, result);
    case LLMFP_USE_TENSOR_V3:
        return make_tensor(pickle, arguments, 7, result);
    case LLMFP_USE_PARAMETER:
        take_parameter(arguments, result);
        return true;
    case LLMFP_USE_UNREADABLE_TENSOR:
        return make_unreadable(pickle, global, result);
    case LLMFP_USE_FROM_TYPE:
    case LLMFP_USE_STORAGE:
    case LLMFP_USE_UNTYPED_STORAGE:
    case LLMFP_USE_TYPE:
    default:
        return llmfp_pickle_refuse_global(pickle, global, "calls");
    }
}

bool llmfp_pickle_call(struct llmfp_pickle *pickle, const struct llmfp_pickle_value *function,
                       const struct llmfp_pickle_value *arguments,
                       struct llmfp_pickle_value *result)
{
    for (int i = 0; i < MOST_NESTED_CALLS; i++) {
        if (function->kind != LLMFP_PICKLE_GLOBAL || arguments->kind != LLMFP_PICKLE_TUPLE) {
            return llmfp_pickle_refuse(
                pickle, "calls something that is not a class or function that it has named");
        }
        const struct llmfp_pickle_items *items = arguments->as.items;
        if (function->as.global->use != LLMFP_USE_FROM_TYPE) {
            return apply(pickle, function->as.global, items, result);
        }
        /* (function, type, arguments, state): the same tensor in a class of its own. */
        if (items->n_items < 3) {
            return llmfp_pickle_refuse(pickle, "rebuilds a tensor from too few arguments");
        }
        function = &items->items[0];
        arguments = &items->items[2];
    }
    return llmfp_pickle_refuse(pickle, "rebuilds a tensor from a tensor too many times");
}

/* ---- storages ---- */

static const char *storage_problem(const struct llmfp_pickle_value *id)
{
    const struct llmfp_pickle_value *items =
        id->kind == LLMFP_PICKLE_TUPLE && id->as.items->n_items > 0 ? id->as.items->items : NULL;
    if (items != NULL && llmfp_pickle_is(&items[0], "module")) {
        return "holds a whole model, not its weights: save its state_dict() instead";
    }
    if (items == NULL || !llmfp_pickle_is(&items[0], "storage") ||
        (id->as.items->n_items != 5 && id->as.items->n_items != 6)) {
        return "has a persistent id that is not one of a storage";
    }
    if (items[1].kind != LLMFP_PICKLE_GLOBAL ||
        (items[1].as.global->use != LLMFP_USE_STORAGE &&
         items[1].as.global->use != LLMFP_USE_UNTYPED_STORAGE)) {
        return "has a storage whose class is none of PyTorch's";
    }
    if (items[2].kind != LLMFP_PICKLE_TEXT || items[4].kind != LLMFP_PICKLE_INTEGER ||
        items[4].as.integer < 0) {
        return "has a storage without a key or a size";
    }
    return NULL;
}

/* (key, first element, elements) of a storage that is part of another, or None. */
static bool take_view(struct llmfp_pickle *pickle, const struct llmfp_pickle_value *view,
                      struct llmfp_torch_storage *storage)
{
    if (view->kind == LLMFP_PICKLE_NONE) {
        return true;
    }
    const struct llmfp_pickle_value *items =
        view->kind == LLMFP_PICKLE_TUPLE && view->as.items->n_items == 3 ? view->as.items->items
                                                                         : NULL;
    if (items == NULL || items[1].kind != LLMFP_PICKLE_INTEGER ||
        items[2].kind != LLMFP_PICKLE_INTEGER || items[1].as.integer < 0 ||
        items[2].as.integer < 0 || items[1].as.integer > storage->n_elements ||
        items[2].as.integer > storage->n_elements - items[1].as.integer) {
        return llmfp_pickle_refuse(pickle, "has a storage that should be part of another one, but "
                                           "does not lie in it");
    }
    storage->view_first = items[1].as.integer;
    storage->view_elements = items[2].as.integer;
    return true;
}

bool llmfp_pickle_persistent(struct llmfp_pickle *pickle, const struct llmfp_pickle_value *id,
                             struct llmfp_pickle_value *result)
{
    const char *problem = storage_problem(id);
    if (problem != NULL) {
        return llmfp_pickle_refuse(pickle, "%s", problem);
    }
    const struct llmfp_pickle_value *items = id->as.items->items;
    struct llmfp_torch_storage *storage = llmfp_pickle_new(pickle, sizeof *storage);
    if (storage == NULL) {
        return false;
    }
    *storage = (struct llmfp_torch_storage){.key = items[2].as.text,
                                            .key_bytes = items[2].n_bytes,
                                            .type = items[1].as.global,
                                            .n_elements = items[4].as.integer,
                                            .view_elements = items[4].as.integer,
                                            .next = pickle->storages};
    pickle->storages = storage;
    *result = (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_STORAGE, .as.storage = storage};
    return id->as.items->n_items == 5 || take_view(pickle, &items[5], storage);
}
