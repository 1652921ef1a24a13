/* pytorch_state.c - finding the model's weights among what a training program saved. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pytorch.h"
#include "utf8.h"

enum { MOST_VISITS = 1 << 22, SHOWN_BYTES = 200 };

/* A container that is being walked through. */
struct level {
    const struct llmfp_pickle_value *container;
    uint32_t next;     /* item */
    size_t name_bytes; /* of the name of the container */
};

struct walk {
    const char *path;
    llmfp_pytorch_each each; /* NULL: count only */
    void *context;
    struct llmfp_error *error;
    uint64_t n_tensors;
    uint32_t n_visits; /* of all walks together: values may hold each other */
    size_t n_levels;
    struct level levels[LLMFP_PYTORCH_MOST_LEVELS];
    char name[LLMFP_PYTORCH_MOST_NAME + 1];
};

static bool is_container(const struct llmfp_pickle_value *value)
{
    return value->kind == LLMFP_PICKLE_DICT || value->kind == LLMFP_PICKLE_LIST ||
           value->kind == LLMFP_PICKLE_TUPLE;
}

static bool contains(const struct llmfp_pickle_value *key, const char *word)
{
    const size_t n = strlen(word);
    for (size_t i = 0; n <= key->n_bytes && i <= key->n_bytes - n; i++) {
        if (memcmp(key->as.text + i, word, n) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether an entry is the state of training, and not of the model. */
static bool is_training_state(const struct llmfp_pickle_value *key)
{
    static const char *const words[] = {"optim",  "sched",     "rng_state",
                                        "scaler", "callbacks", "loops"};
    if (key->kind != LLMFP_PICKLE_TEXT) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (contains(key, words[i])) {
            return true;
        }
    }
    return key->n_bytes >= 3 && (memcmp(key->as.text, "ema", 3) == 0 ||
                                 memcmp(key->as.text + key->n_bytes - 3, "ema", 3) == 0);
}

static enum llmfp_status enter(struct walk *walk, const struct llmfp_pickle_value *container,
                               size_t name_bytes)
{
    if (walk->n_levels == LLMFP_PYTORCH_MOST_LEVELS) {
        return llmfp_fail(walk->error, LLMFP_CHECKPOINT,
                          "%s nests its values in more than %d levels, as no model does; save its "
                          "state_dict() only",
                          walk->path, LLMFP_PYTORCH_MOST_LEVELS);
    }
    walk->levels[walk->n_levels++] =
        (struct level){.container = container, .name_bytes = name_bytes};
    return LLMFP_OK;
}

/* Put a key behind the name of its container; keys that are neither texts nor numbers
 * are counted, as items of lists are. */
static enum llmfp_status join_name(struct walk *walk, const struct level *level,
                                   const struct llmfp_pickle_value *key, uint32_t index,
                                   size_t *name_bytes)
{
    char digits[24];
    const char *text = digits;
    size_t n = 0;
    if (key != NULL && key->kind == LLMFP_PICKLE_TEXT) {
        text = key->as.text;
        n = key->n_bytes;
    } else {
        const bool is_number = key != NULL && key->kind == LLMFP_PICKLE_INTEGER;
        n = (size_t)snprintf(digits, sizeof digits, "%" PRId64,
                             is_number ? key->as.integer : (int64_t)index);
    }
    const size_t begin = level->name_bytes + (level->name_bytes > 0);
    if (n > LLMFP_PYTORCH_MOST_NAME || begin + n > LLMFP_PYTORCH_MOST_NAME ||
        !llmfp_utf8_valid(text, n) || memchr(text, '\0', n) != NULL) {
        char shown[SHOWN_BYTES];
        llmfp_escape(shown, sizeof shown, text, n);
        return llmfp_fail(walk->error, LLMFP_CHECKPOINT,
                          "%s has an entry called \"%s\": names must be UTF-8 without NUL, of at "
                          "most %d bytes",
                          walk->path, shown, LLMFP_PYTORCH_MOST_NAME);
    }
    if (begin > 0) {
        walk->name[begin - 1] = '.';
    }
    memcpy(walk->name + begin, text, n);
    walk->name[begin + n] = '\0';
    *name_bytes = begin + n;
    return LLMFP_OK;
}

static enum llmfp_status visit(struct walk *walk, const struct level *level,
                               const struct llmfp_pickle_value *key, uint32_t index,
                               const struct llmfp_pickle_value *value)
{
    const bool is_tensor = value->kind == LLMFP_PICKLE_TENSOR;
    size_t name_bytes = 0;
    if (!is_tensor && (!is_container(value) || value->as.items->n_items == 0)) {
        return LLMFP_OK;
    }
    walk->n_tensors += is_tensor;
    if (walk->n_levels == 1 && !is_tensor && key != NULL && is_training_state(key)) {
        return LLMFP_OK;
    }
    if (walk->each == NULL) {
        return is_tensor ? LLMFP_OK : enter(walk, value, 0);
    }
    enum llmfp_status status = join_name(walk, level, key, index, &name_bytes);
    if (status == LLMFP_OK) {
        status = is_tensor ? walk->each(walk->context, walk->name, name_bytes, value->as.tensor,
                                        walk->error)
                           : enter(walk, value, name_bytes);
    }
    return status;
}

static enum llmfp_status walk_through(struct walk *walk, const struct llmfp_pickle_value *root)
{
    walk->n_levels = 0;
    enum llmfp_status status = enter(walk, root, 0);
    while (status == LLMFP_OK && walk->n_levels > 0) {
        struct level *level = &walk->levels[walk->n_levels - 1];
        const struct llmfp_pickle_items *items = level->container->as.items;
        const bool is_dict = level->container->kind == LLMFP_PICKLE_DICT;
        if (level->next + is_dict >= items->n_items) {
            walk->n_levels--;
            continue;
        }
        if (++walk->n_visits > MOST_VISITS) {
            return llmfp_fail(walk->error, LLMFP_CHECKPOINT,
                              "%s holds more than %d values, as no model does; save its "
                              "state_dict() only",
                              walk->path, MOST_VISITS);
        }
        const uint32_t index = level->next;
        level->next += is_dict ? 2 : 1;
        status = visit(walk, level, is_dict ? &items->items[index] : NULL, index >> is_dict,
                       &items->items[index + is_dict]);
    }
    return status;
}

static enum llmfp_status count(struct walk *walk, const struct llmfp_pickle_value *root,
                               uint64_t *n_tensors)
{
    walk->n_tensors = 0;
    const enum llmfp_status status = walk_through(walk, root);
    *n_tensors = walk->n_tensors;
    return status;
}

/* Tensors that are entries of a dictionary themselves, without numbers (a loss, a step)
 * and the state of training. */
static uint64_t count_direct(const struct llmfp_pickle_value *dict)
{
    const struct llmfp_pickle_items *items = dict->as.items;
    uint64_t n_tensors = 0;
    for (uint32_t i = 0; i + 1 < items->n_items; i += 2) {
        const struct llmfp_pickle_value *value = &items->items[i + 1];
        if (value->kind == LLMFP_PICKLE_TENSOR && !is_training_state(&items->items[i])) {
            const struct llmfp_pickle_items *sizes = value->as.tensor->sizes;
            n_tensors += sizes == NULL || sizes->n_items > 0;
        }
    }
    return n_tensors;
}

/* The place of a key among those that may hold the model, or N_KEYS. */
enum { N_KEYS = 9 };
static size_t place_of_key(const struct llmfp_pickle_value *key)
{
    static const char *const keys[N_KEYS] = {"state_dict", "model_state_dict", "model",
                                             "module",     "model_state",      "net",
                                             "network",    "weights",          "params"};
    size_t place = 0;
    while (place < N_KEYS && !llmfp_pickle_is(key, keys[place])) {
        place++;
    }
    return place;
}

/* The entry that takes the place of `dict`, or NULL. */
static enum llmfp_status step_inside(struct walk *walk, const struct llmfp_pickle_value *dict,
                                     const struct llmfp_pickle_value **inside)
{
    const struct llmfp_pickle_items *items = dict->as.items;
    const uint64_t direct = count_direct(dict);
    uint64_t most = direct;
    uint64_t others = direct; /* tensors in entries that are neither candidates nor of training */
    size_t best = N_KEYS;
    *inside = NULL;
    for (uint32_t i = 0; i + 1 < items->n_items; i += 2) {
        const struct llmfp_pickle_value *value = &items->items[i + 1];
        const size_t place = place_of_key(&items->items[i]);
        uint64_t n_tensors = 0;
        if (!is_container(value) || is_training_state(&items->items[i])) {
            continue;
        }
        const enum llmfp_status status = count(walk, value, &n_tensors);
        if (status != LLMFP_OK) {
            return status;
        }
        if (place == N_KEYS || value->kind != LLMFP_PICKLE_DICT) {
            others += n_tensors;
        } else if (n_tensors > most || (n_tensors == most && *inside != NULL && place < best)) {
            most = n_tensors;
            best = place;
            *inside = value;
        }
    }
    /* A tree of modules, with parts beside the candidate, is no nest. */
    if (*inside != NULL && others > 0 && count_direct(*inside) <= direct) {
        *inside = NULL;
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_pytorch_state(const char *path, const struct llmfp_pickle_value *whole,
                                      llmfp_pytorch_each each, void *context,
                                      struct llmfp_error *error)
{
    struct walk walk = {.path = path, .error = error};
    const struct llmfp_pickle_value *dict = whole;
    const struct llmfp_pickle_value *inside = whole;
    if (whole->kind == LLMFP_PICKLE_OPAQUE || whole->kind == LLMFP_PICKLE_GLOBAL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s holds an object of a class, not tensors by name; save the model's "
                          "state_dict() instead",
                          path);
    }
    if (whole->kind != LLMFP_PICKLE_DICT) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s holds no dictionary of tensors; save the model's state_dict()", path);
    }
    enum llmfp_status status = LLMFP_OK;
    for (int i = 0; status == LLMFP_OK && inside != NULL && i < LLMFP_PYTORCH_MOST_LEVELS; i++) {
        dict = inside;
        status = step_inside(&walk, dict, &inside);
    }
    walk.each = each;
    walk.context = context;
    uint64_t n_tensors = 0;
    if (status == LLMFP_OK) {
        status = count(&walk, dict, &n_tensors);
    }
    if (status == LLMFP_OK && n_tensors == 0) {
        status =
            llmfp_fail(error, LLMFP_CHECKPOINT,
                       "%s holds no tensors of a model; give the file with its state_dict()", path);
    }
    return status;
}
