/* scratch.h - a folder of its own for a test, and files in it. Every function
 * asserts its own success; `end` removes everything again.                       */
#ifndef LLMFP_SCRATCH_H
#define LLMFP_SCRATCH_H

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "llmfp/error.h"
#include "temporary_folder.h"

#define SCRATCH_PATH_BYTES 4096

struct scratch {
    char folder[TEMPORARY_FOLDER_BYTES];
    char path[SCRATCH_PATH_BYTES]; /* what scratch_path returned last */
};

static inline void scratch_begin(struct scratch *scratch)
{
    CU_ASSERT_TRUE_FATAL(temporary_folder(scratch->folder));
}

/* folder/name; valid until the next call. */
static inline const char *scratch_path(struct scratch *scratch, const char *name)
{
    (void)snprintf(scratch->path, sizeof scratch->path, "%s/%s", scratch->folder, name);
    return scratch->path;
}

static inline void scratch_write(struct scratch *scratch, const char *name, const void *bytes,
                                 size_t n_bytes)
{
    FILE *file = fopen(scratch_path(scratch, name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fwrite(bytes, 1, n_bytes, file), n_bytes);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

static inline void scratch_text(struct scratch *scratch, const char *name, const char *text)
{
    scratch_write(scratch, name, text, strlen(text));
}

static inline void scratch_folder(struct scratch *scratch, const char *name)
{
    CU_ASSERT_EQUAL_FATAL(mkdir(scratch_path(scratch, name), 0777), 0);
}

static inline void scratch_link(struct scratch *scratch, const char *target, const char *name)
{
    CU_ASSERT_EQUAL_FATAL(symlink(target, scratch_path(scratch, name)), 0);
}

static inline void scratch_remove(int parent, const char *name)
{
    const int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *directory = folder < 0 ? NULL : fdopendir(folder);
    if (directory == NULL) {
        (void)unlinkat(parent, name, 0);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            scratch_remove(folder, entry->d_name);
        }
    }
    closedir(directory);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

static inline void scratch_end(struct scratch *scratch)
{
    scratch_remove(AT_FDCWD, scratch->folder);
    CU_ASSERT_NOT_EQUAL(access(scratch->folder, F_OK), 0);
}

/* The error has this status, and its text holds every word (the list ends in NULL).
 * Shows the text when it does not. */
static inline void expect_error(enum llmfp_status status, const struct llmfp_error *error,
                                enum llmfp_status expected, ...)
{
    int fine = status == expected && error->status == expected;
    va_list words;
    va_start(words, expected);
    const char *word;
    while ((word = va_arg(words, const char *)) != NULL) {
        if (strstr(error->text, word) == NULL) {
            printf("\n  no \"%s\" in the message: %s\n", word, error->text);
            fine = 0;
        }
    }
    va_end(words);
    if (status != expected) {
        printf("\n  status %d, not %d; message: %s\n", (int)status, (int)expected, error->text);
    }
    CU_ASSERT_TRUE(fine);
}

#endif
