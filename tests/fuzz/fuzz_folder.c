/* fuzz_folder.c - which files of a folder are the checkpoint. The input is a list of names,
 * one a line, optionally with " -> TARGET" for a symbolic link; all others become small
 * safetensors files, an index that names the first of them, or an empty config.json.    */
#include <errno.h>
#include <fcntl.h>

#include "fuzz.h"
#include "llmfp/checkpoint.h"
#include "temporary_folder.h"

enum { MOST_NAMES = 24, MOST_NAME_BYTES = 100 };

static char folder[TEMPORARY_FOLDER_BYTES]; /* made once a process, removed at its end */

static void remove_folder(void)
{
    (void)rmdir(folder);
}

static void make_folder(void)
{
    if (folder[0] == '\0') {
        FUZZ_CHECK(temporary_folder(folder));
        FUZZ_CHECK(atexit(remove_folder) == 0);
    }
}

struct names {
    char text[MOST_NAMES][MOST_NAME_BYTES];
    size_t n;
};

/* A file of its kind. The descriptor of the folder keeps everything inside it. */
static void make_file(int at, const struct names *names, const char *name)
{
    static const char weights[] = "\x02\0\0\0\0\0\0\0{}";
    const size_t length = strlen(name);
    const bool is_index = length > 11 && strcmp(name + length - 11, ".index.json") == 0;
    const int file = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return;
    }
    char index[256];
    const void *bytes = weights;
    size_t size = sizeof weights - 1;
    if (is_index) {
        size = (size_t)snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}",
                                names->text[0]);
        bytes = index;
    } else if (strcmp(name, "config.json") == 0) {
        bytes = "{}";
        size = 2;
    }
    FUZZ_CHECK(write(file, bytes, size) == (ssize_t)size);
    FUZZ_CHECK(close(file) == 0);
}

static void make_entry(int at, const struct names *names, char *line)
{
    char *arrow = strstr(line, " -> ");
    if (arrow == NULL) {
        make_file(at, names, line);
        return;
    }
    /* Links may point to each other and to nothing, but not out of the folder: what lies
     * elsewhere on this machine is none of a test's business. */
    *arrow = '\0';
    if (strchr(arrow + 4, '/') == NULL && strcmp(arrow + 4, "..") != 0 && arrow[4] != '\0' &&
        line[0] != '\0') {
        (void)symlinkat(arrow + 4, at, line);
    }
}

static void cut_lines(const uint8_t *data, size_t size, struct names *names)
{
    size_t begin = 0;
    for (size_t i = 0; i <= size && names->n < MOST_NAMES; i++) {
        if (i < size && data[i] != '\n' && data[i] != '\0' && data[i] != '/') {
            continue;
        }
        const size_t length = i - begin;
        if (length > 0 && length < MOST_NAME_BYTES) {
            memcpy(names->text[names->n], data + begin, length);
            names->text[names->n++][length] = '\0';
        }
        begin = i + 1;
    }
}

static void check_located(const struct llmfp_checkpoint *checkpoint)
{
    const size_t length = strlen(folder);
    FUZZ_CHECK(checkpoint->format != NULL && checkpoint->n_files > 0);
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const char *path = checkpoint->files[i].path;
        FUZZ_CHECK(strncmp(path, folder, length) == 0 && path[length] == '/');
        FUZZ_CHECK(strchr(path + length + 1, '/') == NULL);
        FUZZ_CHECK(i == 0 || strcmp(checkpoint->files[i - 1].path, path) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct names names; /* too large for a stack with sanitizers */
    memset(&names, 0, sizeof names);
    make_folder();
    const int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(at >= 0);
    cut_lines(data, size, &names);
    for (size_t i = 0; i < names.n; i++) {
        make_entry(at, &names, names.text[i]);
    }
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_checkpoint checkpoint;
    const enum llmfp_status status = llmfp_checkpoint_locate(folder, &checkpoint, &error);
    if (status == LLMFP_OK) {
        check_located(&checkpoint);
        llmfp_checkpoint_clear(&checkpoint);
    } else {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, folder);
    }
    for (size_t i = 0; i < names.n; i++) {
        (void)unlinkat(at, names.text[i], 0);
    }
    (void)close(at);
    return 0;
}
