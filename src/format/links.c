/* links.c - see links.h. */
/* glibc shows realpath, which is in POSIX.1-2008, under this name only. */
#define _XOPEN_SOURCE 700 /* NOLINT(bugprone-reserved-identifier) */
#include "links.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

static bool is_folder(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static bool lies_in(const char *folder, const char *target)
{
    const size_t length = strlen(folder);
    return strncmp(target, folder, length) == 0 &&
           (target[length] == '/' || (length > 0 && folder[length - 1] == '/'));
}

/* .../blobs/FILE with .../snapshots beside it. False without memory. */
static bool lies_in_cache(const char *target)
{
    static const char blobs[] = "/blobs";
    static const char snapshots[] = "/snapshots";
    const char *slash = strrchr(target, '/');
    const size_t folder_bytes = slash == NULL ? 0 : (size_t)(slash - target);
    if (folder_bytes < sizeof blobs - 1 ||
        memcmp(slash - (sizeof blobs - 1), blobs, sizeof blobs - 1) != 0) {
        return false;
    }
    const size_t parent_bytes = folder_bytes - (sizeof blobs - 1);
    char *beside = malloc(parent_bytes + sizeof snapshots);
    if (beside == NULL) {
        return false;
    }
    memcpy(beside, target, parent_bytes);
    memcpy(beside + parent_bytes, snapshots, sizeof snapshots);
    const bool found = is_folder(beside);
    free(beside);
    return found;
}

enum llmfp_status llmfp_link_check(const char *folder, const char *path, struct llmfp_error *error)
{
    struct stat found;
    if (lstat(path, &found) != 0 || !S_ISLNK(found.st_mode)) {
        return LLMFP_OK;
    }
    char *target = realpath(path, NULL);
    char *base = realpath(folder[0] == '\0' ? "." : folder, NULL);
    enum llmfp_status status = LLMFP_OK;
    if (target != NULL && (base == NULL || !lies_in(base, target)) && !lies_in_cache(target)) {
        status = llmfp_fail(error, LLMFP_CHECKPOINT,
                            "%s is a symbolic link that leaves its folder, to %s; links are "
                            "followed only within the folder, and from snapshots to blobs of a "
                            "download cache: give the folder where the files are",
                            path, target);
    }
    free(target);
    free(base);
    return status;
}

enum llmfp_status llmfp_links_check(const char *folder, const struct llmfp_names *names,
                                    struct llmfp_arena *arena, struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < names->n_names; i++) {
        const char *path = llmfp_path_join(arena, folder, names->names[i]);
        status = path == NULL ? llmfp_fail_memory(error, strlen(folder), "a file name")
                              : llmfp_link_check(folder, path, error);
    }
    return status;
}
