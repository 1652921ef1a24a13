/* gguf_parts.c - which GGUF files are one checkpoint, by their names. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gguf.h"
#include "shards.h"

/* split.count has 16 bits. */
enum { MOST_PARTS = 65535 };

/* The name of part `number` in the set of `name`; NULL without memory. */
static const char *part_name(const char *name, const struct llmfp_shard_name *shard,
                             uint32_t number, struct llmfp_arena *arena)
{
    /* NAME-, the number with as many digits, and the rest from "-of-" on. */
    const char *number_begin = name + shard->stem_bytes + 1;
    const char *number_end = strstr(number_begin, "-of-");
    if (number_end == NULL) {
        return NULL;
    }
    const int width = (int)(number_end - number_begin);
    const size_t size_bytes = strlen(name) + 16;
    char *part = llmfp_arena_new(arena, size_bytes);
    if (part != NULL) {
        (void)snprintf(part, size_bytes, "%.*s-%0*" PRIu32 "%s", (int)shard->stem_bytes, name,
                       width, number, number_end);
    }
    return part;
}

enum llmfp_status gguf_parts(const char *folder, const char *name, struct llmfp_arena *arena,
                             struct llmfp_names *parts, struct llmfp_error *error)
{
    struct llmfp_shard_name shard;
    if (!llmfp_shard_parse(name, &shard) || shard.total <= 1) {
        return llmfp_names_add(parts, name, error);
    }
    const char *first = part_name(name, &shard, 1, arena);
    if (shard.number != 1) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s%s is part %" PRIu32 " of %" PRIu32
                          " of a GGUF file: give the first part, %s, or their directory",
                          folder, name, shard.number, shard.total, first == NULL ? "" : first);
    }
    if (shard.total > MOST_PARTS) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s%s is one of %" PRIu32
                          " parts by its name, and at most %d are allowed",
                          folder, name, shard.total, MOST_PARTS);
    }
    enum llmfp_status status = LLMFP_OK;
    for (uint32_t number = 1; number <= shard.total && status == LLMFP_OK; number++) {
        const char *part = part_name(name, &shard, number, arena);
        status = part == NULL ? llmfp_fail_memory(error, strlen(name), "a file name")
                              : llmfp_names_add(parts, part, error);
    }
    return status;
}

enum llmfp_status gguf_check_folder(const char *folder, const struct llmfp_names *names,
                                    struct llmfp_error *error)
{
    for (size_t i = 1; i < names->n_names; i++) {
        struct llmfp_shard_name shard;
        if (!llmfp_shard_parse(names->names[0], &shard) ||
            !llmfp_shard_parse(names->names[i], &shard) ||
            !llmfp_shard_same_set(names->names[0], names->names[i])) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s holds several GGUF files, %s and %s among %zu, each a model by "
                              "itself: give one of them instead of the directory",
                              folder, names->names[0], names->names[i], names->n_names);
        }
    }
    return LLMFP_OK;
}
