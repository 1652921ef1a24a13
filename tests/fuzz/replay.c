/* replay.c - a small main for a fuzz target: replay FOLDER_OR_FILE... feeds each file once.
 * Fails when there is none, so that a lost corpus is noticed.                         */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

/* In memory of exactly its size, so that a read behind the end is seen by the sanitizers. */
static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(fseek(file, 0, SEEK_END) == 0);
    const long size = ftell(file);
    FUZZ_CHECK(size >= 0);
    rewind(file);
    uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
    FUZZ_CHECK(bytes != NULL);
    FUZZ_CHECK(fread(bytes, 1, (size_t)size, file) == (size_t)size);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    const int n = scandir(folder, &entries, not_hidden, alphasort);
    FUZZ_CHECK(n >= 0);
    for (int i = 0; i < n; i++) {
        char path[4096];
        const int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        FUZZ_CHECK(length > 0 && (size_t)length < sizeof path);
        (void)printf("%s\n", entries[i]->d_name);
        (void)fflush(stdout); /* the last name printed is the one that fails */
        replay_file(path);
        free(entries[i]);
    }
    free(entries);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        struct stat kind;
        FUZZ_CHECK(stat(argv[i], &kind) == 0);
        if (S_ISDIR(kind.st_mode)) {
            n += replay_folder(argv[i]);
        } else {
            replay_file(argv[i]);
            n++;
        }
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    (void)printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
