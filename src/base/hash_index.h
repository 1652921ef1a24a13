/* hash_index.h - numbers keys (byte strings) 0, 1, 2, ... in the order of their arrival. */
#ifndef LLMFP_HASH_INDEX_H
#define LLMFP_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"

struct hash_index_key {
    const void *bytes; /* in the arena */
    size_t n_bytes;
};

/* A zeroed struct is a valid empty index.                                       */
struct hash_index {
    struct hash_index_key *keys; /* owned, [n_keys], by number */
    uint32_t n_keys;
    uint32_t *slots;  /* owned, open addressing: number + 1, or 0 */
    uint32_t n_slots; /* a power of two, or 0 */
    struct llmfp_arena arena;
};

#define HASH_INDEX_NONE UINT32_MAX

/* All Local.                                                                    */

/* The number of a key, given a new one if it is not there yet (the key is copied);
 * HASH_INDEX_NONE without memory. *added says which, and may be NULL.            */
uint32_t hash_index_add(struct hash_index *index, const void *key, size_t n_bytes, bool *added);

/* The number of a key, or HASH_INDEX_NONE.                                       */
uint32_t hash_index_find(const struct hash_index *index, const void *key, size_t n_bytes);

void hash_index_clear(struct hash_index *index);

#endif
