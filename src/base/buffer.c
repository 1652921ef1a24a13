/* buffer.c - growable bytes, bounded cursors, arenas. */
#include "llmfp/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

void llmfp_buffer_clear(struct llmfp_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct llmfp_buffer){0};
}

static bool reserve(struct llmfp_buffer *buffer, size_t size_bytes)
{
    if (buffer->failed || size_bytes > SIZE_MAX / 4 - buffer->size_bytes) {
        buffer->failed = true;
        return false;
    }
    const size_t needed = buffer->size_bytes + size_bytes;
    if (needed <= buffer->capacity_bytes) {
        return true;
    }
    size_t capacity = buffer->capacity_bytes < 256 ? 256 : buffer->capacity_bytes;
    while (capacity < needed) {
        capacity *= 2;
    }
    unsigned char *grown = realloc(buffer->bytes, capacity);
    if (grown == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->bytes = grown;
    buffer->capacity_bytes = capacity;
    return true;
}

void *llmfp_buffer_extend(struct llmfp_buffer *buffer, size_t size_bytes)
{
    if (!reserve(buffer, size_bytes)) {
        return NULL;
    }
    void *place = buffer->bytes + buffer->size_bytes;
    buffer->size_bytes += size_bytes;
    return place;
}

void llmfp_buffer_put(struct llmfp_buffer *buffer, const void *bytes, size_t size_bytes)
{
    void *place = size_bytes == 0 ? NULL : llmfp_buffer_extend(buffer, size_bytes);
    if (place != NULL) {
        memcpy(place, bytes, size_bytes);
    }
}

void llmfp_buffer_put_u32(struct llmfp_buffer *buffer, uint32_t value)
{
    unsigned char bytes[4];
    llmfp_store_u32(bytes, value);
    llmfp_buffer_put(buffer, bytes, sizeof bytes);
}

void llmfp_buffer_put_u64(struct llmfp_buffer *buffer, uint64_t value)
{
    unsigned char bytes[8];
    llmfp_store_u64(bytes, value);
    llmfp_buffer_put(buffer, bytes, sizeof bytes);
}

void llmfp_buffer_put_double(struct llmfp_buffer *buffer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    llmfp_buffer_put_u64(buffer, bits);
}

void llmfp_buffer_put_string(struct llmfp_buffer *buffer, const char *text)
{
    const size_t length = text == NULL ? 0 : strlen(text);
    if (length > UINT32_MAX) {
        buffer->failed = true;
        return;
    }
    llmfp_buffer_put_u32(buffer, (uint32_t)length);
    llmfp_buffer_put(buffer, text, length);
}

struct llmfp_cursor llmfp_cursor_over(const void *bytes, size_t size_bytes)
{
    return (struct llmfp_cursor){.bytes = bytes, .size_bytes = size_bytes};
}

const unsigned char *llmfp_cursor_bytes(struct llmfp_cursor *cursor, size_t size_bytes)
{
    if (cursor->failed || size_bytes > cursor->size_bytes - cursor->offset_bytes) {
        cursor->failed = true;
        return NULL;
    }
    const unsigned char *place = cursor->bytes + cursor->offset_bytes;
    cursor->offset_bytes += size_bytes;
    return place;
}

uint32_t llmfp_cursor_u32(struct llmfp_cursor *cursor)
{
    const unsigned char *place = llmfp_cursor_bytes(cursor, 4);
    return place == NULL ? 0 : llmfp_load_u32(place);
}

uint64_t llmfp_cursor_u64(struct llmfp_cursor *cursor)
{
    const unsigned char *place = llmfp_cursor_bytes(cursor, 8);
    return place == NULL ? 0 : llmfp_load_u64(place);
}

double llmfp_cursor_double(struct llmfp_cursor *cursor)
{
    const uint64_t bits = llmfp_cursor_u64(cursor);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const char *llmfp_cursor_string(struct llmfp_cursor *cursor, struct llmfp_arena *arena)
{
    const uint32_t length = llmfp_cursor_u32(cursor);
    const unsigned char *place = llmfp_cursor_bytes(cursor, length);
    return place == NULL ? NULL : llmfp_arena_string(arena, (const char *)place, length);
}

/* ---- arenas ---- */

struct llmfp_arena_block {
    struct llmfp_arena_block *next;
    size_t size_bytes;
    size_t used_bytes;
    size_t padding; /* keeps the data behind the struct 16-byte aligned */
};

enum { ARENA_ALIGNMENT = 16, ARENA_FIRST_BLOCK = 4096, ARENA_MOST_BLOCK = 1 << 20 };

_Static_assert(sizeof(struct llmfp_arena_block) % ARENA_ALIGNMENT == 0, "block data is aligned");

static struct llmfp_arena_block *add_block(struct llmfp_arena *arena, size_t size_bytes)
{
    size_t wanted = arena->blocks == NULL ? ARENA_FIRST_BLOCK : arena->blocks->size_bytes * 2;
    wanted = wanted > ARENA_MOST_BLOCK ? ARENA_MOST_BLOCK : wanted;
    wanted = wanted < size_bytes ? size_bytes : wanted;
    struct llmfp_arena_block *block = malloc(sizeof *block + wanted);
    if (block != NULL) {
        *block = (struct llmfp_arena_block){.next = arena->blocks, .size_bytes = wanted};
        arena->blocks = block;
    }
    return block;
}

void *llmfp_arena_new(struct llmfp_arena *arena, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2) {
        return NULL;
    }
    const size_t rounded = (size_bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    struct llmfp_arena_block *block = arena->blocks;
    if (block == NULL || block->size_bytes - block->used_bytes < rounded) {
        block = add_block(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    unsigned char *place = (unsigned char *)(block + 1) + block->used_bytes;
    block->used_bytes += rounded;
    arena->used_bytes += rounded;
    memset(place, 0, rounded);
    return place;
}

char *llmfp_arena_string(struct llmfp_arena *arena, const char *text, size_t n_bytes)
{
    char *copy = n_bytes == SIZE_MAX ? NULL : llmfp_arena_new(arena, n_bytes + 1);
    if (copy != NULL && n_bytes > 0) {
        memcpy(copy, text, n_bytes);
    }
    return copy;
}

void llmfp_arena_clear(struct llmfp_arena *arena)
{
    struct llmfp_arena_block *block = arena->blocks;
    while (block != NULL) {
        struct llmfp_arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct llmfp_arena){0};
}
