/* writer.c - opening the results file on all ranks, and collective writes. */
#include "writer.h"

#include <unistd.h>

#include "hdf5_error.h"

enum llmfp_status writer_agree(const struct writer *writer, enum llmfp_status status,
                               struct llmfp_error *error)
{
    if (status == LLMFP_OK && *writer->stop != 0) {
        status = llmfp_fail(error, LLMFP_INTERRUPTED, "interrupted by a signal");
    }
    return llmfp_agree_patiently(writer->communicator, status, error);
}

enum llmfp_status writer_open(const struct llmfp_communicator *communicator, const char *path,
                              const volatile sig_atomic_t *stop, struct writer *writer,
                              struct llmfp_error *error)
{
    *writer = (struct writer){communicator, path, H5I_INVALID_HID, H5I_INVALID_HID, stop};
    enum llmfp_status status = LLMFP_OK;
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    writer->collective = H5Pcreate(H5P_DATASET_XFER);
    if (access < 0 || writer->collective < 0 ||
        H5Pset_fapl_mpio(access, communicator->handle, MPI_INFO_NULL) < 0 ||
        H5Pset_all_coll_metadata_ops(access, true) < 0 ||
        H5Pset_coll_metadata_write(access, true) < 0 ||
        H5Pset_dxpl_mpio(writer->collective, H5FD_MPIO_COLLECTIVE) < 0) {
        status = hdf5_fail(error, path, "prepare parallel access");
    }
    status = writer_agree(writer, status, error);
    if (status == LLMFP_OK) {
        writer->file = H5Fopen(path, H5F_ACC_RDWR, access);
        if (writer->file < 0) {
            status = hdf5_fail(error, path, "open the new results file on all ranks");
        }
        status = writer_agree(writer, status, error);
    }
    if (access >= 0) {
        H5Pclose(access);
    }
    return status;
}

enum llmfp_status writer_close(struct writer *writer, struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    if (writer->collective >= 0) {
        H5Pclose(writer->collective);
    }
    if (writer->file >= 0 && H5Fclose(writer->file) < 0) {
        status = hdf5_fail(error, writer->path, "close the new results file");
    }
    return llmfp_agree_patiently(writer->communicator, status, error);
}

static void close_space(hid_t space)
{
    if (space >= 0) {
        H5Sclose(space);
    }
}

/* Local. What of the dataset, and of memory, is to be written. */
static enum llmfp_status select_block(const struct writer *writer, hid_t dataset,
                                      const hsize_t *start, const hsize_t *count, hsize_t n,
                                      hid_t *in_file, hid_t *in_memory, struct llmfp_error *error)
{
    *in_file = H5Dget_space(dataset);
    *in_memory = H5Screate_simple(1, n == 0 ? (const hsize_t[]){1} : &n, NULL);
    herr_t selected = -1;
    if (*in_file >= 0 && *in_memory >= 0) {
        selected = n == 0 ? H5Sselect_none(*in_file)
                          : H5Sselect_hyperslab(*in_file, H5S_SELECT_SET, start, NULL, count, NULL);
    }
    if (selected >= 0 && n == 0) {
        selected = H5Sselect_none(*in_memory);
    }
    return selected < 0 ? hdf5_fail(error, writer->path, "select a block of a dataset") : LLMFP_OK;
}

enum llmfp_status writer_put(struct writer *writer, hid_t dataset, hid_t memory_type, int n_axes,
                             const hsize_t *start, const hsize_t *count, const void *values,
                             struct llmfp_error *error)
{
    hsize_t n = 1;
    for (int i = 0; i < n_axes; i++) {
        n *= count[i];
    }
    static const double nothing = 0.0; /* HDF5 wants a pointer even for no values */
    hid_t in_file;
    hid_t in_memory;
    enum llmfp_status status =
        select_block(writer, dataset, start, count, n, &in_file, &in_memory, error);
    status = writer_agree(writer, status, error);
    if (status == LLMFP_OK) {
        if (H5Dwrite(dataset, memory_type, in_memory, in_file, writer->collective,
                     n == 0 ? &nothing : values) < 0) {
            status = hdf5_fail(error, writer->path, "write to the new results file");
        }
        status = writer_agree(writer, status, error);
    }
    close_space(in_memory);
    close_space(in_file);
    return status;
}
