/* pickle_machine.h - what the files of the pickle interpreter share.
 *
 * All functions are Local; those that return false have set the error.             */
#ifndef LLMFP_PICKLE_MACHINE_H
#define LLMFP_PICKLE_MACHINE_H

#include "pickle.h"

/* The error "PATH: its pickle WHAT (byte N)"; returns false.                        */
bool llmfp_pickle_refuse(struct llmfp_pickle *pickle, const char *format, ...) LLMFP_PRINTF(2, 3);

/* The same with the full name of a class or function in place of the one %s.        */
bool llmfp_pickle_refuse_name(struct llmfp_pickle *pickle, const char *module, size_t module_bytes,
                              const char *name, size_t name_bytes, const char *what);
bool llmfp_pickle_refuse_global(struct llmfp_pickle *pickle,
                                const struct llmfp_pickle_global *global, const char *what);

bool llmfp_pickle_refuse_cut(struct llmfp_pickle *pickle);
bool llmfp_pickle_refuse_underflow(struct llmfp_pickle *pickle);

/* ---- bytes of the pickle; NULL or false past its end ---- */

const unsigned char *llmfp_pickle_take(struct llmfp_pickle *pickle, uint64_t n_bytes);
/* A little-endian length of `width` bytes.                                          */
bool llmfp_pickle_take_length(struct llmfp_pickle *pickle, unsigned width, uint64_t *length);
/* A line, without its end.                                                          */
bool llmfp_pickle_take_line(struct llmfp_pickle *pickle, const char **text, uint32_t *n_bytes);

/* ---- the stack ---- */

size_t llmfp_pickle_depth(const struct llmfp_pickle *pickle);
size_t llmfp_pickle_n_marks(const struct llmfp_pickle *pickle);
/* The length of the stack at the last mark, 0 without one.                          */
size_t llmfp_pickle_last_mark(const struct llmfp_pickle *pickle);
bool llmfp_pickle_push(struct llmfp_pickle *pickle, struct llmfp_pickle_value value);
bool llmfp_pickle_push_simple(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind,
                              int64_t integer);
bool llmfp_pickle_push_opaque(struct llmfp_pickle *pickle);
/* The last n values, off the stack but still in place until the next push; NULL when
 * there are fewer behind the last mark.                                             */
struct llmfp_pickle_value *llmfp_pickle_pop(struct llmfp_pickle *pickle, size_t n);
/* All values behind the last mark, and the mark with them.                          */
struct llmfp_pickle_value *llmfp_pickle_pop_to_mark(struct llmfp_pickle *pickle, size_t *n);
/* The value on top, which stays there.                                              */
struct llmfp_pickle_value *llmfp_pickle_top(struct llmfp_pickle *pickle);
/* Room at the end of one of the machine's buffers, or NULL.                         */
void *llmfp_pickle_extend(struct llmfp_pickle *pickle, struct llmfp_buffer *buffer,
                          size_t size_bytes);

/* ---- opcodes ---- */

bool llmfp_pickle_op_additems(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_append(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_appends(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_binfloat(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_binget(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_binint(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_binint1(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_binint2(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_binpersid(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_binput(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_build(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_bytes1(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_bytes4(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_bytes8(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_dict(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_dup(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_empty_dict(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_empty_list(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_empty_tuple(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_false(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_float(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_frame(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_frozenset(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_get(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_global(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_inst(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_int(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_list(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_long(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_long1(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_long4(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_long_binget(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_long_binput(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_mark(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_memoize(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_newobj_ex(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_none(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_obj(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_pop(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_pop_mark(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_proto(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_put(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_reduce(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_refused(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_setitem(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_setitems(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_stack_global(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_string(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_text1(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_text4(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_text8(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_true(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_tuple(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_tuple1(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_tuple2(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_tuple3(struct llmfp_pickle *pickle);
bool llmfp_pickle_op_unicode(struct llmfp_pickle *pickle);

/* ---- what is made ---- */

/* Zeroed memory that lives as long as the values, within the bound; or NULL.        */
void *llmfp_pickle_new(struct llmfp_pickle *pickle, size_t size_bytes);

/* A tuple, list or dictionary of n values (copied).                                 */
bool llmfp_pickle_make(struct llmfp_pickle *pickle, enum llmfp_pickle_kind kind,
                       const struct llmfp_pickle_value *items, size_t n,
                       struct llmfp_pickle_value *result);
bool llmfp_pickle_append(struct llmfp_pickle *pickle, struct llmfp_pickle_items *to,
                         const struct llmfp_pickle_value *items, size_t n);

/* What `function`, called with the values of a tuple, stands for.                   */
bool llmfp_pickle_call(struct llmfp_pickle *pickle, const struct llmfp_pickle_value *function,
                       const struct llmfp_pickle_value *arguments,
                       struct llmfp_pickle_value *result);

/* What a persistent id stands for: a storage.                                       */
bool llmfp_pickle_persistent(struct llmfp_pickle *pickle, const struct llmfp_pickle_value *id,
                             struct llmfp_pickle_value *result);

#endif
