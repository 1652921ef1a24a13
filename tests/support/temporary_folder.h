/* temporary_folder.h - an empty folder of its own for a program: in TMPDIR, or else where the
 * program runs. */
#ifndef LLMFP_TEMPORARY_FOLDER_H
#define LLMFP_TEMPORARY_FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEMPORARY_FOLDER_BYTES = 512 };

/* Makes it; its absolute path into `folder`. The caller removes it. False on errors. */
static inline bool temporary_folder(char folder[TEMPORARY_FOLDER_BYTES])
{
    static const char name[] = "/llmfp-test-XXXXXX";
    char here[TEMPORARY_FOLDER_BYTES - sizeof name];
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/') {
        parent = getcwd(here, sizeof here);
    }
    return parent != NULL &&
           snprintf(folder, TEMPORARY_FOLDER_BYTES, "%s%s", parent, name) <
               TEMPORARY_FOLDER_BYTES &&
           mkdtemp(folder) != NULL;
}

#endif
