/* format.c - the table of checkpoint formats, and detection by content.
 * Adding a format: its file here (see format.h), a row in the table, its tests. */
#include "format.h"

#include <string.h>

#include "folder.h"
#include "llmfp/checkpoint.h"

static bool starts_with(const struct llmfp_first *first, const char *magic, size_t n_bytes)
{
    return first->n_bytes >= n_bytes && memcmp(first->bytes, magic, n_bytes) == 0;
}

/* PyTorch's first format of all: the header of a tar archive begins with the name of
 * the first member, filled up with NUL. */
static bool detect_tar(const struct llmfp_first *first)
{
    static const char *const members[] = {"sys_info", "storages", "tensors", "pickle"};
    static const unsigned char nothing[LLMFP_FIRST_BYTES] = {0};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const size_t n = strlen(members[i]);
        if (first->n_bytes == LLMFP_FIRST_BYTES && starts_with(first, members[i], n) &&
            memcmp(first->bytes + n, nothing, LLMFP_FIRST_BYTES - n) == 0) {
            return true;
        }
    }
    return false;
}

static bool detect_hdf5(const struct llmfp_first *first)
{
    return starts_with(first, "\x89HDF\r\n\x1a\n", 8);
}

static bool detect_lfs_pointer(const struct llmfp_first *first)
{
    static const char magic[] = "version https://git-lfs";
    return starts_with(first, magic, sizeof magic - 1);
}

static const struct llmfp_format pytorch_tar = {
    .name = "PyTorch (tar)",
    .detect = detect_tar,
    .refusal = "a tar archive of the first versions of PyTorch, which is not supported; load it "
               "and save it again with a newer PyTorch",
};
static const struct llmfp_format hdf5 = {
    .name = "HDF5",
    .detect = detect_hdf5,
    .refusal = "an HDF5 file, which is not supported as a checkpoint; convert it to safetensors "
               "first",
};
static const struct llmfp_format lfs_pointer = {
    .name = "Git LFS pointer",
    .detect = detect_lfs_pointer,
    .refusal = "a Git LFS pointer, not the weights themselves; fetch them with `git lfs pull`",
};

/* The first row that detects a file takes it. When no row does, the file is held to be
 * of the row with its suffix, else of the first row, so that the message says why it is
 * not one. It stands before those with short magic numbers, which could also be
 * the start of its header length.                                              */
static const struct llmfp_format *const table[] = {
    &llmfp_format_safetensors,
    &llmfp_format_gguf,
    &llmfp_format_pytorch,
    &llmfp_format_pytorch_legacy,
    &pytorch_tar,
    &hdf5,
    &lfs_pointer,
};
enum { N_FORMATS = sizeof table / sizeof table[0] };

const char *llmfp_format_name(const struct llmfp_format *format)
{
    return format->name;
}

const struct llmfp_format *llmfp_format_find(const char *name)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return table[i];
        }
    }
    return NULL;
}

/* What a file that no row detects is held to be. */
static const struct llmfp_format *format_by_name(const char *path)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (table[i]->suffix != NULL && llmfp_ends_with(path, table[i]->suffix)) {
            return table[i];
        }
    }
    return table[0];
}

static enum llmfp_status recognise(const struct llmfp_first *first,
                                   const struct llmfp_format **format, uint64_t *header_bytes,
                                   struct llmfp_error *error)
{
    size_t i = 0;
    while (i < N_FORMATS && !table[i]->detect(first)) {
        i++;
    }
    *format = i < N_FORMATS ? table[i] : format_by_name(first->path);
    if ((*format)->refusal != NULL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "%s is %s", first->path, (*format)->refusal);
    }
    return (*format)->measure(first, header_bytes, error);
}

enum llmfp_status llmfp_format_probe(struct llmfp_file *file, const struct llmfp_format **format,
                                     struct llmfp_error *error)
{
    struct llmfp_open_file opened;
    enum llmfp_status status = llmfp_file_open(file->path, &opened, error);
    if (status != LLMFP_OK) {
        return status;
    }
    struct llmfp_first first = {.path = file->path, .file_bytes = opened.size_bytes};
    first.n_bytes =
        opened.size_bytes < LLMFP_FIRST_BYTES ? (size_t)opened.size_bytes : LLMFP_FIRST_BYTES;
    file->size_bytes = opened.size_bytes;
    file->modified_ns = opened.modified_ns;
    file->digest = 0;
    status = llmfp_file_read(&opened, 0, first.bytes, first.n_bytes, error);
    if (status == LLMFP_OK) {
        status = recognise(&first, format, &file->header_bytes, error);
    }
    llmfp_file_close(&opened);
    return status;
}

uint64_t llmfp_digest(const unsigned char *bytes, size_t n_bytes)
{
    uint64_t digest = 0xcbf29ce484222325U;
    for (size_t i = 0; i < n_bytes; i++) {
        digest = (digest ^ bytes[i]) * 0x100000001b3U;
    }
    return digest == 0 ? 1 : digest;
}
