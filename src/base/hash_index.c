/* hash_index.c - open addressing with linear probing, at most half full.
 * Hash: as FNV-1a (public domain, Fowler, Noll, Vo), but eight bytes at a time, with the
 * upper bits brought down after each multiplication and a final mix. Keys come from files, so a hostile file could aim at collisions; the seed is therefore the
 * address of the key array, which differs between processes. The numbering does not
 * depend on the hash, only on the order of arrival.                             */
#include "hash_index.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const void *key, size_t n_bytes, uint64_t seed)
{
    const unsigned char *byte = key;
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ seed ^ n_bytes;
    for (size_t i = 0; i < n_bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, byte + i, n_bytes - i < 8 ? n_bytes - i : 8);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    hash ^= hash >> 29;
    hash *= UINT64_C(0xBF58476D1CE4E5B9);
    return hash ^ hash >> 32;
}

static uint64_t seed_of(const struct hash_index *index)
{
    return (uint64_t)(uintptr_t)index->slots;
}

/* The slot where the key is, or where it would go. */
static uint32_t slot_of(const struct hash_index *index, const void *key, size_t n_bytes)
{
    const uint32_t mask = index->n_slots - 1;
    uint32_t slot = (uint32_t)hash_of(key, n_bytes, seed_of(index)) & mask;
    while (index->slots[slot] != 0) {
        const struct hash_index_key *there = &index->keys[index->slots[slot] - 1];
        if (there->n_bytes == n_bytes &&
            (n_bytes == 0 || memcmp(there->bytes, key, n_bytes) == 0)) {
            break;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

static bool grow(struct hash_index *index)
{
    if (index->n_slots >= UINT32_C(1) << 30) {
        return false;
    }
    const uint32_t n_slots = index->n_slots == 0 ? 64 : index->n_slots * 2;
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    struct hash_index_key *keys = realloc(index->keys, n_slots / 2 * sizeof *keys);
    if (keys != NULL) {
        index->keys = keys;
    }
    if (slots == NULL || keys == NULL) {
        free(slots);
        return false;
    }
    free(index->slots);
    index->slots = slots;
    index->n_slots = n_slots;
    for (uint32_t number = 0; number < index->n_keys; number++) {
        slots[slot_of(index, keys[number].bytes, keys[number].n_bytes)] = number + 1;
    }
    return true;
}

uint32_t hash_index_find(const struct hash_index *index, const void *key, size_t n_bytes)
{
    if (index->n_keys == 0) {
        return HASH_INDEX_NONE;
    }
    const uint32_t entry = index->slots[slot_of(index, key, n_bytes)];
    return entry == 0 ? HASH_INDEX_NONE : entry - 1;
}

uint32_t hash_index_add(struct hash_index *index, const void *key, size_t n_bytes, bool *added)
{
    if (added != NULL) {
        *added = false;
    }
    if (index->n_keys * 2 >= index->n_slots && !grow(index)) {
        return HASH_INDEX_NONE;
    }
    const uint32_t slot = slot_of(index, key, n_bytes);
    if (index->slots[slot] != 0) {
        return index->slots[slot] - 1;
    }
    const char *copy = llmfp_arena_string(&index->arena, key, n_bytes);
    if (copy == NULL) {
        return HASH_INDEX_NONE;
    }
    index->keys[index->n_keys] = (struct hash_index_key){copy, n_bytes};
    index->slots[slot] = ++index->n_keys;
    if (added != NULL) {
        *added = true;
    }
    return index->n_keys - 1;
}

void hash_index_clear(struct hash_index *index)
{
    free(index->keys);
    free(index->slots);
    llmfp_arena_clear(&index->arena);
    *index = (struct hash_index){0};
}
