/* index.c - reading model.safetensors.index.json, as hostile as any other file. */
#include "index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json_reader.h"

/* A million tensors with long names fit; the index of a model of a trillion
 * parameters has about 10 MB.                                                    */
#define MOST_INDEX_BYTES UINT64_C(134217728)
enum { SHOWN_BYTES = 200 };

struct promise {
    const char *tensor;
    const char *shard;
};

struct index_reading {
    const char *path;
    struct llmfp_json json;
    struct llmfp_buffer key_buffer;
    struct llmfp_buffer value_buffer;
    struct llmfp_buffer promises; /* struct promise, n_promises */
    size_t n_promises;
    const char *last_shard; /* neighbours are mostly in the same shard: one copy serves */
    struct llmfp_arena *arena;
    struct llmfp_error *error;
};

static enum llmfp_status fail_json(const struct index_reading *reading)
{
    if (reading->key_buffer.failed || reading->value_buffer.failed || reading->promises.failed) {
        return llmfp_fail_memory(reading->error, reading->json.n_bytes, reading->path);
    }
    char excerpt[48];
    llmfp_json_excerpt(&reading->json, reading->json.problem_offset, excerpt, sizeof excerpt);
    return llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                      "%s is not a valid index: at byte %zu there is %s, at `%s`", reading->path,
                      reading->json.problem_offset, reading->json.problem, excerpt);
}

static bool plain_name(struct llmfp_json_text name)
{
    const bool dots = (name.n_bytes == 1 && name.bytes[0] == '.') ||
                      (name.n_bytes == 2 && memcmp(name.bytes, "..", 2) == 0);
    return name.n_bytes > 0 && !dots && memchr(name.bytes, '/', name.n_bytes) == NULL &&
           memchr(name.bytes, '\\', name.n_bytes) == NULL &&
           memchr(name.bytes, '\0', name.n_bytes) == NULL;
}

static enum llmfp_status add_promise(struct index_reading *reading, struct llmfp_json_text tensor,
                                     struct llmfp_json_text shard)
{
    char shown_tensor[SHOWN_BYTES];
    char shown_shard[SHOWN_BYTES];
    if (memchr(tensor.bytes, '\0', tensor.n_bytes) != NULL) {
        llmfp_escape(shown_tensor, sizeof shown_tensor, tensor.bytes, tensor.n_bytes);
        return llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                          "%s names a tensor \"%s\" with a NUL character in it", reading->path,
                          shown_tensor);
    }
    if (!plain_name(shard)) {
        llmfp_escape(shown_tensor, sizeof shown_tensor, tensor.bytes, tensor.n_bytes);
        llmfp_escape(shown_shard, sizeof shown_shard, shard.bytes, shard.n_bytes);
        return llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                          "%s puts tensor \"%s\" into \"%s\", which is not a plain file name; "
                          "shards must lie beside their index",
                          reading->path, shown_tensor, shown_shard);
    }
    struct promise promise = {.shard = reading->last_shard};
    promise.tensor = llmfp_arena_string(reading->arena, tensor.bytes, tensor.n_bytes);
    if (promise.shard == NULL || strlen(promise.shard) != shard.n_bytes ||
        memcmp(promise.shard, shard.bytes, shard.n_bytes) != 0) {
        promise.shard = llmfp_arena_string(reading->arena, shard.bytes, shard.n_bytes);
        reading->last_shard = promise.shard;
    }
    llmfp_buffer_put(&reading->promises, &promise, sizeof promise);
    if (promise.tensor == NULL || promise.shard == NULL || reading->promises.failed) {
        return llmfp_fail_memory(reading->error, tensor.n_bytes + shard.n_bytes, reading->path);
    }
    reading->n_promises++;
    return LLMFP_OK;
}

static enum llmfp_status read_weight_map(struct index_reading *reading)
{
    struct llmfp_json *json = &reading->json;
    if (llmfp_json_peek(json) != LLMFP_JSON_OBJECT) {
        llmfp_json_refuse(json, json->offset, "a weight_map that is not an object");
    }
    if (!llmfp_json_enter(json)) {
        return fail_json(reading);
    }
    struct llmfp_json_text tensor;
    struct llmfp_json_text shard;
    enum llmfp_status status = LLMFP_OK;
    while (status == LLMFP_OK && llmfp_json_next_key(json, &reading->key_buffer, &tensor)) {
        if (llmfp_json_peek(json) != LLMFP_JSON_STRING) {
            char shown_tensor[SHOWN_BYTES];
            llmfp_escape(shown_tensor, sizeof shown_tensor, tensor.bytes, tensor.n_bytes);
            return llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                              "%s gives no file name, as a string, for tensor \"%s\" (byte %zu)",
                              reading->path, shown_tensor, json->offset);
        }
        status = llmfp_json_string(json, &reading->value_buffer, &shard)
                     ? add_promise(reading, tensor, shard)
                     : fail_json(reading);
    }
    return status == LLMFP_OK && json->problem != NULL ? fail_json(reading) : status;
}

static enum llmfp_status read_top(struct index_reading *reading)
{
    static const char weight_map[] = "weight_map";
    struct llmfp_json *json = &reading->json;
    struct llmfp_json_text key;
    bool seen = false;
    enum llmfp_status status = LLMFP_OK;
    if (llmfp_json_peek(json) != LLMFP_JSON_OBJECT) {
        llmfp_json_refuse(json, json->offset, "something that is not an object");
    }
    if (!llmfp_json_enter(json)) {
        return fail_json(reading);
    }
    while (status == LLMFP_OK && llmfp_json_next_key(json, &reading->key_buffer, &key)) {
        if (key.n_bytes != sizeof weight_map - 1 ||
            memcmp(key.bytes, weight_map, key.n_bytes) != 0) {
            (void)llmfp_json_skip(json); /* looked at through json->problem */
        } else if (seen) {
            status = llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                                "%s has \"weight_map\" twice, so it is not clear which one counts",
                                reading->path);
        } else {
            seen = true;
            status = read_weight_map(reading);
        }
    }
    if (status == LLMFP_OK && !llmfp_json_end(json)) {
        status = fail_json(reading);
    }
    if (status == LLMFP_OK && reading->n_promises == 0) {
        status =
            llmfp_fail(reading->error, LLMFP_CHECKPOINT, "%s names no tensors: %s", reading->path,
                       seen ? "its \"weight_map\" is empty" : "it has no \"weight_map\"");
    }
    return status;
}

static int by_shard(const void *item_a, const void *item_b)
{
    const struct promise *a = item_a;
    const struct promise *b = item_b;
    return a->shard == b->shard ? 0 : strcmp(a->shard, b->shard);
}

static int by_tensor(const void *item_a, const void *item_b)
{
    const struct promise *a = item_a;
    const struct promise *b = item_b;
    return strcmp(a->tensor, b->tensor);
}

/* The distinct shards in name order; afterwards all promises of a shard point to
 * the one string that `shards` holds. */
static enum llmfp_status collect_shards(struct index_reading *reading, struct promise *promises,
                                        struct llmfp_names *shards)
{
    enum llmfp_status status = LLMFP_OK;
    qsort(promises, reading->n_promises, sizeof *promises, by_shard);
    for (size_t i = 0; i < reading->n_promises && status == LLMFP_OK; i++) {
        if (i == 0 || strcmp(promises[i].shard, promises[i - 1].shard) != 0) {
            status = llmfp_names_add(shards, promises[i].shard, reading->error);
        } else {
            promises[i].shard = promises[i - 1].shard;
        }
    }
    return status;
}

static uint32_t shard_index(const struct llmfp_names *shards, const char *shard)
{
    size_t low = 0;
    size_t high = shards->n_names;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(shards->names[middle], shard) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (uint32_t)low;
}

static enum llmfp_status store(struct index_reading *reading, struct promise *promises,
                               struct llmfp_checkpoint *checkpoint,
                               const struct llmfp_names *shards)
{
    const size_t n = reading->n_promises;
    qsort(promises, n, sizeof *promises, by_tensor);
    const char **names = llmfp_arena_new(reading->arena, n * sizeof *names);
    uint32_t *files = llmfp_arena_new(reading->arena, n * sizeof *files);
    if (names == NULL || files == NULL) {
        return llmfp_fail_memory(reading->error, n * (sizeof *names + sizeof *files),
                                 reading->path);
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(promises[i].tensor, promises[i - 1].tensor) == 0) {
            return llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                              "%s names tensor \"%s\" twice (in %s and in %s)", reading->path,
                              promises[i].tensor, promises[i - 1].shard, promises[i].shard);
        }
        names[i] = promises[i].tensor;
        files[i] = shard_index(shards, promises[i].shard);
    }
    checkpoint->index_names = names;
    checkpoint->index_file = files;
    checkpoint->n_index = n;
    return LLMFP_OK;
}

enum llmfp_status llmfp_index_read(const char *path, struct llmfp_checkpoint *checkpoint,
                                   struct llmfp_names *shards, struct llmfp_error *error)
{
    struct llmfp_buffer text = {0};
    enum llmfp_status status = llmfp_file_read_whole(path, MOST_INDEX_BYTES, &text, error);
    if (status == LLMFP_OK) {
        struct index_reading reading = {
            .path = path,
            .json = llmfp_json_over((const char *)text.bytes, text.size_bytes),
            .arena = &checkpoint->arena,
            .error = error,
        };
        status = read_top(&reading);
        struct promise *promises = (struct promise *)(void *)reading.promises.bytes;
        if (status == LLMFP_OK) {
            status = collect_shards(&reading, promises, shards);
        }
        if (status == LLMFP_OK) {
            status = store(&reading, promises, checkpoint, shards);
        }
        llmfp_buffer_clear(&reading.key_buffer);
        llmfp_buffer_clear(&reading.value_buffer);
        llmfp_buffer_clear(&reading.promises);
    }
    llmfp_buffer_clear(&text);
    return status;
}
