/* pickle_containers.c - opcodes for tuples, lists, dictionaries, classes and calls. */
#include <string.h>

#include "pickle_machine.h"

enum { MOST_GLOBALS = 1 << 20 };

/* ---- opcodes: containers ---- */

static bool push_items(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind,
                       const struct llmfp_pickle_value *items, size_t n)
{
    struct llmfp_pickle_value made;
    if (items == NULL) {
        return false;
    }
    if (kind == LLMFP_PICKLE_DICT && n % 2 != 0) {
        return llmfp_pickle_refuse(pickle, "has a dictionary with a key without a value");
    }
    return llmfp_pickle_make(pickle, kind, items, n, &made) && llmfp_pickle_push(pickle, made);
}

static bool push_marked(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind)
{
    size_t n = 0;
    const struct llmfp_pickle_value *items = llmfp_pickle_pop_to_mark(pickle, &n);
    return push_items(pickle, kind, items, n);
}

bool llmfp_pickle_op_tuple(struct llmfp_pickle *pickle)
{
    return push_marked(pickle, LLMFP_PICKLE_TUPLE);
}

bool llmfp_pickle_op_list(struct llmfp_pickle *pickle)
{
    return push_marked(pickle, LLMFP_PICKLE_LIST);
}

bool llmfp_pickle_op_dict(struct llmfp_pickle *pickle)
{
    return push_marked(pickle, LLMFP_PICKLE_DICT);
}

bool llmfp_pickle_op_frozenset(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_op_pop_mark(pickle) && llmfp_pickle_push_opaque(pickle);
}

bool llmfp_pickle_op_empty_tuple(struct llmfp_pickle *pickle)
{
    struct llmfp_pickle_value made;
    return llmfp_pickle_make(pickle, LLMFP_PICKLE_TUPLE, NULL, 0, &made) &&
           llmfp_pickle_push(pickle, made);
}

bool llmfp_pickle_op_empty_list(struct llmfp_pickle *pickle)
{
    struct llmfp_pickle_value made;
    return llmfp_pickle_make(pickle, LLMFP_PICKLE_LIST, NULL, 0, &made) &&
           llmfp_pickle_push(pickle, made);
}

bool llmfp_pickle_op_empty_dict(struct llmfp_pickle *pickle)
{
    struct llmfp_pickle_value made;
    return llmfp_pickle_make(pickle, LLMFP_PICKLE_DICT, NULL, 0, &made) &&
           llmfp_pickle_push(pickle, made);
}

bool llmfp_pickle_op_tuple1(struct llmfp_pickle *pickle)
{
    return push_items(pickle, LLMFP_PICKLE_TUPLE, llmfp_pickle_pop(pickle, 1), 1);
}

bool llmfp_pickle_op_tuple2(struct llmfp_pickle *pickle)
{
    return push_items(pickle, LLMFP_PICKLE_TUPLE, llmfp_pickle_pop(pickle, 2), 2);
}

bool llmfp_pickle_op_tuple3(struct llmfp_pickle *pickle)
{
    return push_items(pickle, LLMFP_PICKLE_TUPLE, llmfp_pickle_pop(pickle, 3), 3);
}

/* Into the container on top; opaque values swallow what is put into them. */
static bool put_into(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind,
                     const struct llmfp_pickle_value *items, size_t n)
{
    const struct llmfp_pickle_value *container = items == NULL ? NULL : llmfp_pickle_top(pickle);
    if (container == NULL) {
        return false;
    }
    if (container->kind == LLMFP_PICKLE_OPAQUE) {
        return true;
    }
    if (container->kind != kind) {
        return llmfp_pickle_refuse(pickle, "puts items into something that holds none");
    }
    if (kind == LLMFP_PICKLE_DICT && n % 2 != 0) {
        return llmfp_pickle_refuse(pickle, "has a dictionary with a key without a value");
    }
    return llmfp_pickle_append(pickle, container->as.items, items, n);
}

bool llmfp_pickle_op_append(struct llmfp_pickle *pickle)
{
    return put_into(pickle, LLMFP_PICKLE_LIST, llmfp_pickle_pop(pickle, 1), 1);
}

bool llmfp_pickle_op_setitem(struct llmfp_pickle *pickle)
{
    return put_into(pickle, LLMFP_PICKLE_DICT, llmfp_pickle_pop(pickle, 2), 2);
}

static bool put_marked(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind)
{
    size_t n = 0;
    const struct llmfp_pickle_value *items = llmfp_pickle_pop_to_mark(pickle, &n);
    return put_into(pickle, kind, items, n);
}

bool llmfp_pickle_op_appends(struct llmfp_pickle *pickle)
{
    return put_marked(pickle, LLMFP_PICKLE_LIST);
}

bool llmfp_pickle_op_setitems(struct llmfp_pickle *pickle)
{
    return put_marked(pickle, LLMFP_PICKLE_DICT);
}

bool llmfp_pickle_op_additems(struct llmfp_pickle *pickle)
{
    return put_marked(pickle, LLMFP_PICKLE_OPAQUE);
}

/* ---- opcodes: classes and calls, none of which run anything ---- */

static bool push_global(struct llmfp_pickle *pickle, const struct llmfp_pickle_value *module,
                        const struct llmfp_pickle_value *name)
{
    if (++pickle->n_globals > MOST_GLOBALS) {
        return llmfp_pickle_refuse(pickle, "names classes more than %d times", MOST_GLOBALS);
    }
    const struct llmfp_pickle_global *global =
        llmfp_pickle_global_find(module->as.text, module->n_bytes, name->as.text, name->n_bytes);
    if (global == NULL) {
        return llmfp_pickle_refuse_name(pickle, module->as.text, module->n_bytes, name->as.text,
                                        name->n_bytes, "asks for");
    }
    return llmfp_pickle_push(
        pickle, (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_GLOBAL, .as.global = global});
}

bool llmfp_pickle_op_global(struct llmfp_pickle *pickle)
{
    struct llmfp_pickle_value module = {.kind = LLMFP_PICKLE_TEXT};
    struct llmfp_pickle_value name = {.kind = LLMFP_PICKLE_TEXT};
    return llmfp_pickle_take_line(pickle, &module.as.text, &module.n_bytes) &&
           llmfp_pickle_take_line(pickle, &name.as.text, &name.n_bytes) &&
           push_global(pickle, &module, &name);
}

bool llmfp_pickle_op_stack_global(struct llmfp_pickle *pickle)
{
    const struct llmfp_pickle_value *names = llmfp_pickle_pop(pickle, 2);
    if (names == NULL) {
        return false;
    }
    const struct llmfp_pickle_value module = names[0];
    const struct llmfp_pickle_value name = names[1];
    if (module.kind != LLMFP_PICKLE_TEXT || name.kind != LLMFP_PICKLE_TEXT) {
        return llmfp_pickle_refuse(pickle, "asks for a class whose name is not a text");
    }
    return push_global(pickle, &module, &name);
}

static bool call(struct llmfp_pickle *pickle, const struct llmfp_pickle_value *function,
                 const struct llmfp_pickle_value *arguments)
{
    struct llmfp_pickle_value made = {.kind = LLMFP_PICKLE_NONE};
    return llmfp_pickle_call(pickle, function, arguments, &made) && llmfp_pickle_push(pickle, made);
}

bool llmfp_pickle_op_reduce(struct llmfp_pickle *pickle)
{
    const struct llmfp_pickle_value *parts = llmfp_pickle_pop(pickle, 2);
    if (parts == NULL) {
        return false;
    }
    const struct llmfp_pickle_value function = parts[0];
    const struct llmfp_pickle_value arguments = parts[1];
    return call(pickle, &function, &arguments);
}

bool llmfp_pickle_op_newobj_ex(struct llmfp_pickle *pickle)
{
    const struct llmfp_pickle_value *parts =
        llmfp_pickle_pop(pickle, 3); /* the last one holds named arguments */
    if (parts == NULL) {
        return false;
    }
    const struct llmfp_pickle_value function = parts[0];
    const struct llmfp_pickle_value arguments = parts[1];
    return call(pickle, &function, &arguments);
}

/* A class and arguments behind the mark. */
bool llmfp_pickle_op_obj(struct llmfp_pickle *pickle)
{
    size_t n = 0;
    const struct llmfp_pickle_value *parts = llmfp_pickle_pop_to_mark(pickle, &n);
    struct llmfp_pickle_value arguments;
    if (parts == NULL) {
        return false;
    }
    if (n == 0) {
        return llmfp_pickle_refuse_underflow(pickle);
    }
    const struct llmfp_pickle_value function = parts[0];
    return llmfp_pickle_make(pickle, LLMFP_PICKLE_TUPLE, parts + 1, n - 1, &arguments) &&
           call(pickle, &function, &arguments);
}

/* Arguments behind the mark, and the name of the class in the opcode. */
bool llmfp_pickle_op_inst(struct llmfp_pickle *pickle)
{
    size_t n = 0;
    const struct llmfp_pickle_value *items = llmfp_pickle_pop_to_mark(pickle, &n);
    struct llmfp_pickle_value arguments;
    if (items == NULL || !llmfp_pickle_make(pickle, LLMFP_PICKLE_TUPLE, items, n, &arguments) ||
        !llmfp_pickle_op_global(pickle)) {
        return false;
    }
    const struct llmfp_pickle_value *found = llmfp_pickle_pop(pickle, 1);
    if (found == NULL) {
        return false;
    }
    const struct llmfp_pickle_value function = *found;
    return call(pickle, &function, &arguments);
}

/* State for the value on top. Attributes of dictionaries and tensors are not needed. */
bool llmfp_pickle_op_build(struct llmfp_pickle *pickle)
{
    const struct llmfp_pickle_value *state = llmfp_pickle_pop(pickle, 1);
    const struct llmfp_pickle_value *target = state == NULL ? NULL : llmfp_pickle_top(pickle);
    if (target == NULL) {
        return false;
    }
    switch (target->kind) {
    case LLMFP_PICKLE_OPAQUE:
        return true;
    case LLMFP_PICKLE_DICT:
    case LLMFP_PICKLE_LIST:
    case LLMFP_PICKLE_TENSOR:
        return state->kind == LLMFP_PICKLE_DICT ||
               llmfp_pickle_refuse(pickle, "gives a value a state that is not a dictionary");
    case LLMFP_PICKLE_GLOBAL:
        return llmfp_pickle_refuse_global(pickle, target->as.global, "changes the state of");
    default:
        return llmfp_pickle_refuse(pickle, "gives a state to a value that has none");
    }
}

bool llmfp_pickle_op_binpersid(struct llmfp_pickle *pickle)
{
    const struct llmfp_pickle_value *popped = llmfp_pickle_pop(pickle, 1);
    if (popped == NULL) {
        return false;
    }
    const struct llmfp_pickle_value id = *popped;
    struct llmfp_pickle_value made = {.kind = LLMFP_PICKLE_NONE};
    return llmfp_pickle_persistent(pickle, &id, &made) && llmfp_pickle_push(pickle, made);
}

bool llmfp_pickle_op_refused(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_refuse(pickle,
                               "has the opcode 0x%02x (an extension code, a buffer outside the "
                               "file, or a textual persistent id), which is not supported",
                               (unsigned)pickle->bytes[pickle->offset - 1]);
}
