/* pickle.c - the stack machine: its memory, its stack, and the table of opcodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "pickle_machine.h"

enum { MOST_LINE = 4096, SHOWN_BYTES = 200 };

/* ---- errors ---- */

bool llmfp_pickle_refuse(struct llmfp_pickle *pickle, const char *format, ...)
{
    char what[4 * SHOWN_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    (void)llmfp_fail(pickle->error, LLMFP_CHECKPOINT, "%s: its pickle, at byte %zu, %s",
                     pickle->path, pickle->offset, what);
    return false;
}

bool llmfp_pickle_refuse_name(struct llmfp_pickle *pickle, const char *module, size_t module_bytes,
                              const char *name, size_t name_bytes, const char *what)
{
    char shown_module[SHOWN_BYTES];
    char shown_name[SHOWN_BYTES];
    llmfp_escape(shown_module, sizeof shown_module, module, module_bytes);
    llmfp_escape(shown_name, sizeof shown_name, name, name_bytes);
    return llmfp_pickle_refuse(pickle, "%s %s%s%s%s", what, shown_module,
                               name_bytes == 0 ? "" : ".", shown_name,
                               ", which weights do not need; nothing was run; if you trust the "
                               "file, load it with PyTorch, and save its state_dict() only");
}

bool llmfp_pickle_refuse_global(struct llmfp_pickle *pickle,
                                const struct llmfp_pickle_global *global, const char *what)
{
    const char *name = global->name == NULL ? "" : global->name;
    return llmfp_pickle_refuse_name(pickle, global->module, strlen(global->module), name,
                                    strlen(name), what);
}

bool llmfp_pickle_refuse_cut(struct llmfp_pickle *pickle)
{
    pickle->cut_short = true;
    return llmfp_pickle_refuse(pickle, "ends before it is complete");
}

bool llmfp_pickle_refuse_underflow(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_refuse(pickle, "takes more from its stack than there is");
}

/* ---- memory, within the bound ---- */

static bool within_bound(struct llmfp_pickle *pickle, size_t size_bytes)
{
    const size_t used = pickle->arena.used_bytes + pickle->stack.capacity_bytes +
                        pickle->marks.capacity_bytes + pickle->memo.capacity_bytes;
    if (size_bytes > LLMFP_PICKLE_MOST_MEMORY || used > LLMFP_PICKLE_MOST_MEMORY - size_bytes) {
        return llmfp_pickle_refuse(pickle,
                                   "needs more than %d bytes of memory, which no weights do",
                                   LLMFP_PICKLE_MOST_MEMORY);
    }
    return true;
}

void *llmfp_pickle_new(struct llmfp_pickle *pickle, size_t size_bytes)
{
    void *place = NULL;
    if (within_bound(pickle, size_bytes)) {
        place = llmfp_arena_new(&pickle->arena, size_bytes);
        if (place == NULL) {
            (void)llmfp_fail_memory(pickle->error, size_bytes, "a value of a pickle");
        }
    }
    return place;
}

/* Room at the end of a buffer, whose capacity may double; or NULL. */
void *llmfp_pickle_extend(struct llmfp_pickle *pickle, struct llmfp_buffer *buffer,
                          size_t size_bytes)
{
    const size_t needed = buffer->size_bytes + size_bytes;
    size_t capacity = buffer->capacity_bytes;
    while (capacity < needed && capacity <= LLMFP_PICKLE_MOST_MEMORY) {
        capacity = capacity == 0 ? 256 : capacity * 2; /* as llmfp_buffer_extend does */
    }
    if (capacity > buffer->capacity_bytes && !within_bound(pickle, capacity)) {
        return NULL;
    }
    void *place = llmfp_buffer_extend(buffer, size_bytes);
    if (place == NULL) {
        (void)llmfp_fail_memory(pickle->error, needed, "the stack of a pickle");
    }
    return place;
}

bool llmfp_pickle_append(struct llmfp_pickle *pickle, struct llmfp_pickle_items *to,
                         const struct llmfp_pickle_value *items, size_t n)
{
    if (n > UINT32_MAX / 4 - to->n_items) {
        return llmfp_pickle_refuse(pickle, "has a container of too many items");
    }
    if (n > to->capacity - to->n_items) {
        const size_t doubled = (size_t)to->capacity * 2;
        const size_t capacity = doubled > to->n_items + n ? doubled : to->n_items + n;
        struct llmfp_pickle_value *grown = llmfp_pickle_new(pickle, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        if (to->n_items > 0) {
            memcpy(grown, to->items, to->n_items * sizeof *grown);
        }
        to->items = grown;
        to->capacity = (uint32_t)capacity;
    }
    if (n > 0) {
        memcpy(to->items + to->n_items, items, n * sizeof *items);
        to->n_items += (uint32_t)n;
    }
    return true;
}

bool llmfp_pickle_make(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind,
                       const struct llmfp_pickle_value *items, size_t n,
                       struct llmfp_pickle_value *result)
{
    struct llmfp_pickle_items *made = llmfp_pickle_new(pickle, sizeof *made);
    *result = (struct llmfp_pickle_value){.kind = kind, .as.items = made};
    return made != NULL && llmfp_pickle_append(pickle, made, items, n);
}

/* ---- bytes of the pickle ---- */

const unsigned char *llmfp_pickle_take(struct llmfp_pickle *pickle, uint64_t n_bytes)
{
    if (n_bytes > pickle->n_bytes - pickle->offset) {
        (void)llmfp_pickle_refuse_cut(pickle);
        return NULL;
    }
    const unsigned char *place = pickle->bytes + pickle->offset;
    pickle->offset += (size_t)n_bytes;
    return place;
}

/* A little-endian length of `width` bytes. */
bool llmfp_pickle_take_length(struct llmfp_pickle *pickle, unsigned width, uint64_t *length)
{
    const unsigned char *place = llmfp_pickle_take(pickle, width);
    *length = 0;
    for (unsigned i = 0; place != NULL && i < width; i++) {
        *length |= (uint64_t)place[i] << (8 * i);
    }
    return place != NULL;
}

/* A line without its end. */
bool llmfp_pickle_take_line(struct llmfp_pickle *pickle, const char **text, uint32_t *n_bytes)
{
    const size_t left = pickle->n_bytes - pickle->offset;
    const size_t most = left < MOST_LINE ? left : MOST_LINE;
    const unsigned char *begin = pickle->bytes + pickle->offset;
    const unsigned char *end = most == 0 ? NULL : memchr(begin, '\n', most);
    if (end == NULL) {
        return left < MOST_LINE ? llmfp_pickle_refuse_cut(pickle)
                                : llmfp_pickle_refuse(pickle, "has a line without an end");
    }
    *text = (const char *)begin;
    *n_bytes = (uint32_t)(end - begin);
    pickle->offset += *n_bytes + 1;
    return true;
}

/* ---- the stack ---- */

size_t llmfp_pickle_depth(const struct llmfp_pickle *pickle)
{
    return pickle->stack.size_bytes / sizeof(struct llmfp_pickle_value);
}

static struct llmfp_pickle_value *values(struct llmfp_pickle *pickle)
{
    return (struct llmfp_pickle_value *)(void *)pickle->stack.bytes;
}

size_t llmfp_pickle_n_marks(const struct llmfp_pickle *pickle)
{
    return pickle->marks.size_bytes / sizeof(uint32_t);
}

/* The length of the stack at the last mark, 0 without one. */
size_t llmfp_pickle_last_mark(const struct llmfp_pickle *pickle)
{
    uint32_t mark = 0;
    if (pickle->marks.size_bytes > 0) {
        memcpy(&mark, pickle->marks.bytes + pickle->marks.size_bytes - sizeof mark, sizeof mark);
    }
    return mark;
}

bool llmfp_pickle_push(struct llmfp_pickle *pickle, struct llmfp_pickle_value value)
{
    struct llmfp_pickle_value *place = llmfp_pickle_extend(pickle, &pickle->stack, sizeof *place);
    if (place != NULL) {
        *place = value;
    }
    return place != NULL;
}

/* The last n values, off the stack but still in place until the next push; NULL when
 * there are fewer behind the last mark. */
struct llmfp_pickle_value *llmfp_pickle_pop(struct llmfp_pickle *pickle, size_t n)
{
    if (llmfp_pickle_depth(pickle) - llmfp_pickle_last_mark(pickle) < n) {
        (void)llmfp_pickle_refuse_underflow(pickle);
        return NULL;
    }
    pickle->stack.size_bytes -= n * sizeof(struct llmfp_pickle_value);
    return values(pickle) + llmfp_pickle_depth(pickle);
}

/* All values behind the last mark, and the mark with them. */
struct llmfp_pickle_value *llmfp_pickle_pop_to_mark(struct llmfp_pickle *pickle, size_t *n)
{
    if (llmfp_pickle_n_marks(pickle) == 0) {
        (void)llmfp_pickle_refuse(pickle, "has no mark where one is needed");
        return NULL;
    }
    *n = llmfp_pickle_depth(pickle) - llmfp_pickle_last_mark(pickle);
    struct llmfp_pickle_value *first = llmfp_pickle_pop(pickle, *n);
    pickle->marks.size_bytes -= sizeof(uint32_t);
    return first;
}

/* The value on top, which stays there. */
struct llmfp_pickle_value *llmfp_pickle_top(struct llmfp_pickle *pickle)
{
    if (llmfp_pickle_depth(pickle) == llmfp_pickle_last_mark(pickle)) {
        (void)llmfp_pickle_refuse_underflow(pickle);
        return NULL;
    }
    return values(pickle) + llmfp_pickle_depth(pickle) - 1;
}

bool llmfp_pickle_push_simple(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind,
                              int64_t integer)
{
    return llmfp_pickle_push(pickle,
                             (struct llmfp_pickle_value){.kind = kind, .as.integer = integer});
}

bool llmfp_pickle_push_opaque(struct llmfp_pickle *pickle)
{
    return llmfp_pickle_push_simple(pickle, LLMFP_PICKLE_OPAQUE, 0);
}

/* ---- the table ---- */

typedef bool (*opcode_function)(struct llmfp_pickle *pickle);

static const opcode_function opcodes[256] = {
    ['('] = llmfp_pickle_op_mark,        ['0'] = llmfp_pickle_op_pop,
    ['1'] = llmfp_pickle_op_pop_mark,    ['2'] = llmfp_pickle_op_dup,
    ['F'] = llmfp_pickle_op_float,       ['G'] = llmfp_pickle_op_binfloat,
    ['I'] = llmfp_pickle_op_int,         ['J'] = llmfp_pickle_op_binint,
    ['K'] = llmfp_pickle_op_binint1,     ['L'] = llmfp_pickle_op_long,
    ['M'] = llmfp_pickle_op_binint2,     ['N'] = llmfp_pickle_op_none,
    ['P'] = llmfp_pickle_op_refused,     ['Q'] = llmfp_pickle_op_binpersid,
    ['R'] = llmfp_pickle_op_reduce,      ['S'] = llmfp_pickle_op_string,
    ['T'] = llmfp_pickle_op_text4,       ['U'] = llmfp_pickle_op_text1,
    ['V'] = llmfp_pickle_op_unicode,     ['X'] = llmfp_pickle_op_text4,
    ['B'] = llmfp_pickle_op_bytes4,      ['C'] = llmfp_pickle_op_bytes1,
    ['a'] = llmfp_pickle_op_append,      ['b'] = llmfp_pickle_op_build,
    ['c'] = llmfp_pickle_op_global,      ['d'] = llmfp_pickle_op_dict,
    ['e'] = llmfp_pickle_op_appends,     ['g'] = llmfp_pickle_op_get,
    ['h'] = llmfp_pickle_op_binget,      ['i'] = llmfp_pickle_op_inst,
    ['j'] = llmfp_pickle_op_long_binget, ['l'] = llmfp_pickle_op_list,
    ['o'] = llmfp_pickle_op_obj,         ['p'] = llmfp_pickle_op_put,
    ['q'] = llmfp_pickle_op_binput,      ['r'] = llmfp_pickle_op_long_binput,
    ['s'] = llmfp_pickle_op_setitem,     ['t'] = llmfp_pickle_op_tuple,
    ['u'] = llmfp_pickle_op_setitems,    [')'] = llmfp_pickle_op_empty_tuple,
    [']'] = llmfp_pickle_op_empty_list,  ['}'] = llmfp_pickle_op_empty_dict,
    [0x80] = llmfp_pickle_op_proto,      [0x81] = llmfp_pickle_op_reduce,
    [0x82] = llmfp_pickle_op_refused,    [0x83] = llmfp_pickle_op_refused,
    [0x84] = llmfp_pickle_op_refused,    [0x85] = llmfp_pickle_op_tuple1,
    [0x86] = llmfp_pickle_op_tuple2,     [0x87] = llmfp_pickle_op_tuple3,
    [0x88] = llmfp_pickle_op_true,       [0x89] = llmfp_pickle_op_false,
    [0x8a] = llmfp_pickle_op_long1,      [0x8b] = llmfp_pickle_op_long4,
    [0x8c] = llmfp_pickle_op_text1,      [0x8d] = llmfp_pickle_op_text8,
    [0x8e] = llmfp_pickle_op_bytes8,     [0x8f] = llmfp_pickle_push_opaque,
    [0x90] = llmfp_pickle_op_additems,   [0x91] = llmfp_pickle_op_frozenset,
    [0x92] = llmfp_pickle_op_newobj_ex,  [0x93] = llmfp_pickle_op_stack_global,
    [0x94] = llmfp_pickle_op_memoize,    [0x95] = llmfp_pickle_op_frame,
    [0x96] = llmfp_pickle_op_bytes8,     [0x97] = llmfp_pickle_op_refused,
    [0x98] = llmfp_pickle_op_refused,
};

static bool step(struct llmfp_pickle *pickle, bool *stop)
{
    const unsigned char *place = llmfp_pickle_take(pickle, 1);
    if (place == NULL) {
        return false;
    }
    *stop = *place == '.';
    if (*stop) {
        return true;
    }
    if (opcodes[*place] == NULL) {
        return llmfp_pickle_refuse(pickle, "has the unknown opcode 0x%02x", (unsigned)*place);
    }
    return opcodes[*place](pickle);
}

enum llmfp_status llmfp_pickle_run(struct llmfp_pickle *pickle, struct llmfp_pickle_value *result)
{
    pickle->cut_short = false;
    pickle->stack.size_bytes = 0;
    pickle->marks.size_bytes = 0;
    pickle->memo.size_bytes = 0;
    pickle->n_memo = 0;
    bool stop = false;
    /* Errors that are out of memory say so by their status. */
    struct llmfp_error first = {LLMFP_CHECKPOINT, ""};
    struct llmfp_error *const asked = pickle->error;
    pickle->error = &first;
    /* The stack has memory from the start: pointers into it are never NULL. */
    bool fine = llmfp_pickle_extend(pickle, &pickle->stack, sizeof *result) != NULL;
    pickle->stack.size_bytes = 0;
    while (fine && !stop) {
        fine = step(pickle, &stop);
    }
    if (fine && (llmfp_pickle_n_marks(pickle) > 0 || llmfp_pickle_depth(pickle) != 1)) {
        fine = llmfp_pickle_refuse(pickle, "stops with %zu values on its stack, not with one",
                                   llmfp_pickle_depth(pickle));
    }
    pickle->error = asked;
    if (!fine) {
        return llmfp_fail(asked, first.status, "%s", first.text);
    }
    *result = values(pickle)[0];
    return LLMFP_OK;
}

void llmfp_pickle_clear(struct llmfp_pickle *pickle)
{
    llmfp_buffer_clear(&pickle->stack);
    llmfp_buffer_clear(&pickle->marks);
    llmfp_buffer_clear(&pickle->memo);
    llmfp_arena_clear(&pickle->arena);
}

bool llmfp_pickle_is(const struct llmfp_pickle_value *value, const char *text)
{
    return value->kind == LLMFP_PICKLE_TEXT && value->n_bytes == strlen(text) &&
           memcmp(value->as.text, text, value->n_bytes) == 0;
}
