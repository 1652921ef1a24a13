/* shards.c - names like model-00001-of-00003.safetensors, and sets of them. */
#include "shards.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Digits from `begin` on as a number below 10^9; returns where they end, `begin` when
 * there are none or too many. */
static size_t number_at(const char *name, size_t begin, uint32_t *number)
{
    size_t end = begin;
    uint32_t sum = 0;
    while (name[end] >= '0' && name[end] <= '9') {
        if (sum > 99999999) {
            return begin;
        }
        sum = sum * 10 + (uint32_t)(name[end] - '0');
        end++;
    }
    *number = sum;
    return end;
}

/* The last "-NUMBER-of-NUMBER." counts. */
bool llmfp_shard_parse(const char *name, struct llmfp_shard_name *shard)
{
    static const char of[] = "-of-";
    bool found = false;
    for (const char *dash = strchr(name, '-'); dash != NULL; dash = strchr(dash + 1, '-')) {
        struct llmfp_shard_name parts = {.stem_bytes = (size_t)(dash - name)};
        const size_t first = parts.stem_bytes + 1;
        const size_t first_end = number_at(name, first, &parts.number);
        if (first_end == first || strncmp(name + first_end, of, sizeof of - 1) != 0) {
            continue;
        }
        parts.total_begin = first_end + sizeof of - 1;
        parts.total_end = number_at(name, parts.total_begin, &parts.total);
        if (parts.total_end > parts.total_begin && name[parts.total_end] == '.') {
            *shard = parts;
            found = true;
        }
    }
    return found;
}

/* Order by NAME, then by the total's text with the ending. */
static int compare_sets(const char *left, const struct llmfp_shard_name *a, const char *right,
                        const struct llmfp_shard_name *b)
{
    const size_t shorter = a->stem_bytes < b->stem_bytes ? a->stem_bytes : b->stem_bytes;
    const int stems = memcmp(left, right, shorter);
    if (stems != 0) {
        return stems;
    }
    if (a->stem_bytes != b->stem_bytes) {
        return a->stem_bytes < b->stem_bytes ? -1 : 1;
    }
    return strcmp(left + a->total_begin, right + b->total_begin);
}

bool llmfp_shard_same_set(const char *left, const char *right)
{
    struct llmfp_shard_name a;
    struct llmfp_shard_name b;
    return llmfp_shard_parse(left, &a) && llmfp_shard_parse(right, &b) &&
           compare_sets(left, &a, right, &b) == 0;
}

struct member {
    const char *name;
    struct llmfp_shard_name shard;
};

static int by_set_and_number(const void *item_a, const void *item_b)
{
    const struct member *a = item_a;
    const struct member *b = item_b;
    const int sets = compare_sets(a->name, &a->shard, b->name, &b->shard);
    if (sets != 0) {
        return sets;
    }
    if (a->shard.number != b->shard.number) {
        return a->shard.number < b->shard.number ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

/* The name that shard `number` of the same set should have: digits as wide as the
 * member's own. */
static enum llmfp_status fail_missing(const char *folder, const struct member *member,
                                      uint32_t number, size_t n_found, struct llmfp_error *error)
{
    const struct llmfp_shard_name *shard = &member->shard;
    const int width = (int)(shard->total_begin - 4 - shard->stem_bytes - 1);
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "%s: the shard %.*s-%0*" PRIu32 "-of-%s is missing (%zu of %" PRIu32
                      " are there); complete the download",
                      folder, (int)shard->stem_bytes, member->name, width, number,
                      member->name + shard->total_begin, n_found, shard->total);
}

/* The n members of one set, sorted by number. */
static enum llmfp_status check_set(const char *folder, const struct member *members, size_t n,
                                   struct llmfp_error *error)
{
    const uint32_t total = members[0].shard.total;
    const uint32_t base = members[0].shard.number == 0 ? 0 : 1;
    for (size_t i = 0; i < n; i++) {
        const uint64_t expected = base + i;
        const uint32_t number = members[i].shard.number;
        if (i > 0 && number == members[i - 1].shard.number) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s holds shard %" PRIu32 " twice: %s and %s; remove one", folder,
                              number, members[i - 1].name, members[i].name);
        }
        if (number >= base + (uint64_t)total) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s holds %s, whose number does not fit its total", folder,
                              members[i].name);
        }
        if (number != expected) {
            return fail_missing(folder, &members[i], (uint32_t)expected, n, error);
        }
    }
    if (n < total) {
        return fail_missing(folder, &members[0], (uint32_t)(base + n), n, error);
    }
    return LLMFP_OK;
}

static enum llmfp_status check_sets(const char *folder, const struct member *members, size_t n,
                                    struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    size_t begin = 0;
    while (status == LLMFP_OK && begin < n) {
        size_t end = begin + 1;
        while (end < n && compare_sets(members[begin].name, &members[begin].shard,
                                       members[end].name, &members[end].shard) == 0) {
            end++;
        }
        status = check_set(folder, members + begin, end - begin, error);
        begin = end;
    }
    return status;
}

enum llmfp_status llmfp_shards_complete(const char *folder, const struct llmfp_names *names,
                                        struct llmfp_error *error)
{
    struct member *members = malloc((names->n_names + 1) * sizeof *members);
    if (members == NULL) {
        return llmfp_fail_memory(error, names->n_names * sizeof *members, "shard names");
    }
    size_t n = 0;
    for (size_t i = 0; i < names->n_names; i++) {
        members[n].name = names->names[i];
        n += llmfp_shard_parse(names->names[i], &members[n].shard);
    }
    qsort(members, n, sizeof *members, by_set_and_number);
    const enum llmfp_status status = check_sets(folder, members, n, error);
    free(members);
    return status;
}
