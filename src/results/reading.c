/* reading.c - opening an existing results file, and reading blocks and strings of it. */
#include "reading.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hdf5_error.h"

enum {
    MOST_STRING_BYTES = 64 << 10,   /* of one; labels and paths are bounded by a manifest's line */
    MOST_STRINGS_BYTES = 256 << 20, /* of all */
    STRINGS_AT_A_TIME = 4096
};

/* ---- strings: HDF5 allocates them through these ---- */

static void *allocate_string(size_t size_bytes, void *context)
{
    struct results_file *results = context;
    if (size_bytes > MOST_STRING_BYTES || results->string_bytes + size_bytes > MOST_STRINGS_BYTES) {
        return NULL;
    }
    results->string_bytes += size_bytes;
    return llmfp_arena_new(&results->strings, size_bytes);
}

static void keep_string(void *string, void *context)
{
    (void)string; /* the arena owns it */
    (void)context;
}

/* ---- opening ---- */

enum llmfp_status results_file_open(struct results_file *results, const char *path,
                                    struct llmfp_error *error)
{
    struct stat there;
    hdf5_be_quiet();
    *results = (struct results_file){.path = path,
                                     .file = H5I_INVALID_HID,
                                     .string_type = H5I_INVALID_HID,
                                     .transfer = H5I_INVALID_HID,
                                     .error = error};
    /* HDF5 would wait for a FIFO. */
    if (stat(path, &there) != 0 || !S_ISREG(there.st_mode)) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "'%s' is not there, or not a regular file: give a results file", path);
    }
    results->file_bytes = (uint64_t)there.st_size;
    /* Filters that are not built in would be loaded from wherever the environment says. */
    H5PLset_loading_state(0);
    results->string_type = H5Tcopy(H5T_C_S1);
    H5Tset_size(results->string_type, H5T_VARIABLE);
    H5Tset_cset(results->string_type, H5T_CSET_UTF8);
    results->transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_vlen_mem_manager(results->transfer, allocate_string, results, keep_string, results);
    if (H5Fis_hdf5(path) == 0) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "'%s' is not an HDF5 file: give a results file of llmfp-scan", path);
    }
    results->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    return results->file < 0 ? hdf5_fail(error, path, "open the existing results file") : LLMFP_OK;
}

void results_file_close(struct results_file *results)
{
    if (results->file >= 0) {
        H5Fclose(results->file);
    }
    if (results->transfer >= 0) {
        H5Pclose(results->transfer);
    }
    if (results->string_type >= 0) {
        H5Tclose(results->string_type);
    }
    llmfp_arena_clear(&results->strings);
    results->file = H5I_INVALID_HID;
    results->transfer = H5I_INVALID_HID;
    results->string_type = H5I_INVALID_HID;
}

/* ---- reading ---- */

hid_t results_open(const struct results_file *results, const char *name)
{
    return H5Dopen2(results->file, name, H5P_DEFAULT);
}

static enum llmfp_status fail_read(const struct results_file *results)
{
    return hdf5_fail(results->error, results->path, "read the existing results file");
}

/* Through `transfer`, which matters for strings only. */
static bool read_block(const struct results_file *results, hid_t dataset, hid_t type, int n_axes,
                       const hsize_t *start, const hsize_t *count, void *values)
{
    hsize_t n = 1;
    for (int i = 0; i < n_axes; i++) {
        n *= count[i];
    }
    if (n == 0) {
        return true;
    }
    const hid_t in_file = H5Dget_space(dataset);
    const hid_t in_memory = H5Screate_simple(1, &n, NULL);
    const bool got = H5Sget_simple_extent_ndims(in_file) == n_axes &&
                     H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                     H5Dread(dataset, type, in_memory, in_file, results->transfer, values) >= 0;
    H5Sclose(in_memory);
    H5Sclose(in_file);
    return got;
}

enum llmfp_status results_read(const struct results_file *results, hid_t dataset, hid_t type,
                               int n_axes, const hsize_t *start, const hsize_t *count, void *values)
{
    return read_block(results, dataset, type, n_axes, start, count, values) ? LLMFP_OK
                                                                            : fail_read(results);
}

enum llmfp_status results_read_all(const struct results_file *results, const char *name, hid_t type,
                                   void *values)
{
    const struct schema_dataset *row = schema_find(name);
    const hsize_t start[SCHEMA_MOST_AXES] = {0};
    hsize_t count[SCHEMA_MOST_AXES];
    for (int i = 0; i < row->n_axes; i++) {
        count[i] = results->length[row->axes[i]];
    }
    const hid_t dataset = results_open(results, name);
    if (dataset < 0) {
        return fail_read(results);
    }
    const enum llmfp_status status =
        results_read(results, dataset, type, row->n_axes, start, count, values);
    H5Dclose(dataset);
    return status;
}

enum llmfp_status results_read_strings(struct results_file *results, const char *name,
                                       const char ***strings)
{
    const size_t n = (size_t)results->length[schema_find(name)->axes[0]];
    char **read = calloc(n + 1, sizeof *read);
    *strings = NULL;
    if (read == NULL) {
        return llmfp_fail_memory(results->error, n * sizeof *read, "strings of the results file");
    }
    const hid_t dataset = results_open(results, name);
    bool good = dataset >= 0;
    for (size_t i = 0; good && i < n; i += STRINGS_AT_A_TIME) {
        const hsize_t start = i;
        const hsize_t count = n - i < STRINGS_AT_A_TIME ? n - i : STRINGS_AT_A_TIME;
        good = read_block(results, dataset, results->string_type, 1, &start, &count, read + i);
    }
    if (dataset >= 0) {
        H5Dclose(dataset);
    }
    if (!good) {
        free(read);
        return llmfp_fail(results->error, LLMFP_FATAL,
                          "'%s': the strings of \"%s\" cannot be read: they are damaged, one is "
                          "longer than %d bytes, or all are together longer than %d MiB",
                          results->path, name, MOST_STRING_BYTES, MOST_STRINGS_BYTES >> 20);
    }
    *strings = calloc(n + 1, sizeof **strings);
    for (size_t i = 0; *strings != NULL && i < n; i++) {
        (*strings)[i] = read[i] == NULL ? "" : read[i];
    }
    free(read);
    return *strings == NULL ? llmfp_fail_memory(results->error, n * sizeof **strings,
                                                "strings of the results file")
                            : LLMFP_OK;
}
