/* llmfp/buffer.h - growable bytes, bounded reading of them, and arenas.
 *                                                                core, no MPI
 * `llmfp_buffer` packs values little-endian; `llmfp_cursor` reads them back and
 * never runs past the end (its error is sticky). `llmfp_arena` owns many small
 * objects that die together. Allocation failure is sticky too: check once.    */
#ifndef LLMFP_BUFFER_H
#define LLMFP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct llmfp_buffer {
    unsigned char *bytes; /* owned */
    size_t size_bytes;
    size_t capacity_bytes;
    bool failed; /* an allocation failed; the content is not to be used */
};

/* All Local. A zeroed struct is a valid empty buffer.                        */
void llmfp_buffer_clear(struct llmfp_buffer *buffer);
void llmfp_buffer_put(struct llmfp_buffer *buffer, const void *bytes, size_t size_bytes);
void llmfp_buffer_put_u32(struct llmfp_buffer *buffer, uint32_t value);
void llmfp_buffer_put_u64(struct llmfp_buffer *buffer, uint64_t value);
void llmfp_buffer_put_double(struct llmfp_buffer *buffer, double value); /* the bits */
/* u32 length, then the bytes, without NUL. NULL is stored as the empty string. */
void llmfp_buffer_put_string(struct llmfp_buffer *buffer, const char *text);
/* Room for size_bytes more at the end; returns where to write, or NULL.       */
void *llmfp_buffer_extend(struct llmfp_buffer *buffer, size_t size_bytes);

struct llmfp_cursor {
    const unsigned char *bytes; /* borrowed */
    size_t size_bytes;
    size_t offset_bytes;
    bool failed; /* something was read past the end: all values since are 0 */
};

struct llmfp_cursor llmfp_cursor_over(const void *bytes, size_t size_bytes);
uint32_t llmfp_cursor_u32(struct llmfp_cursor *cursor);
uint64_t llmfp_cursor_u64(struct llmfp_cursor *cursor);
double llmfp_cursor_double(struct llmfp_cursor *cursor);
/* size_bytes bytes in place, or NULL past the end.                            */
const unsigned char *llmfp_cursor_bytes(struct llmfp_cursor *cursor, size_t size_bytes);

struct llmfp_arena {
    struct llmfp_arena_block *blocks; /* owned */
    size_t used_bytes;                /* handed out in all */
};

/* 16-byte aligned zeroed memory that lives until the arena is cleared, or NULL. */
void *llmfp_arena_new(struct llmfp_arena *arena, size_t size_bytes);
/* A NUL-terminated copy of n_bytes of text, or NULL without memory.            */
char *llmfp_arena_string(struct llmfp_arena *arena, const char *text, size_t n_bytes);
/* A string written by llmfp_buffer_put_string, copied into the arena; NULL on failure. */
const char *llmfp_cursor_string(struct llmfp_cursor *cursor, struct llmfp_arena *arena);
void llmfp_arena_clear(struct llmfp_arena *arena);

#endif
