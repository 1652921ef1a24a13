/* writer.c - blocks of large arrays into the results file, by all ranks at once.
 *
 * Rank 0 has made the file through HDF5, with room set aside for every array in one piece
 * (schema.c). Where the pieces are, HDF5 tells; all ranks then write their blocks there with
 * independent MPI-IO. HDF5's own parallel writing would be collective: a rank that fails
 * inside such a call leaves the others waiting in it.                                     */
#include "writer.h"

#include <hdf5.h>
#include <limits.h>
#include <string.h>

#include "hdf5_error.h"

/* Values go into the file, which is little-endian, as they are in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "written for little-endian machines");

static const char *const names[WRITER_N_ARRAYS] = {"count",
                                                   "zeros",
                                                   "nonfinite",
                                                   "mean",
                                                   "std",
                                                   "min",
                                                   "max",
                                                   "signature",
                                                   "exact/cell",
                                                   "exact/sum",
                                                   "exact/sum_squares",
                                                   "exact/divisor",
                                                   "correlation",
                                                   "correlation_qkvo"};

enum llmfp_status writer_agree(const struct writer *writer, enum llmfp_status status,
                               struct llmfp_error *error)
{
    if (status == LLMFP_OK && *writer->stop != 0) {
        status = llmfp_fail(error, LLMFP_INTERRUPTED, "interrupted by a signal");
    }
    return llmfp_agree(writer->communicator, status, error);
}

static enum llmfp_status fail_io(const struct writer *writer, int number, const char *what,
                                 struct llmfp_error *error)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(number, text, &length);
    return llmfp_fail(error, LLMFP_FATAL, "'%s': cannot %s: %s", writer->path, what, text);
}

/* ---- where the arrays are ---- */

static bool look_up(hid_t dataset, struct writer_place *place)
{
    hsize_t size[WRITER_MOST_AXES];
    const hid_t space = H5Dget_space(dataset);
    const hid_t type = H5Dget_type(dataset);
    const int n_axes = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool good = type >= 0 && n_axes > 0 && n_axes <= WRITER_MOST_AXES &&
                H5Sget_simple_extent_dims(space, size, NULL) == n_axes;
    uint64_t n = 1;
    for (int i = 0; good && i < n_axes; i++) {
        place->size[i] = size[i];
        n *= size[i];
    }
    if (good) {
        const haddr_t offset = H5Dget_offset(dataset);
        place->n_axes = (uint64_t)n_axes;
        place->value_bytes = H5Tget_size(type);
        place->offset_bytes = offset;
        good = place->value_bytes > 0 && (n == 0 || offset != HADDR_UNDEF);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    return good;
}

/* Local, rank 0. */
static enum llmfp_status find_places(struct writer *writer, struct llmfp_error *error)
{
    const hid_t file = H5Fopen(writer->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    bool good = file >= 0;
    for (int i = 0; good && i < WRITER_N_ARRAYS; i++) {
        if (i == WRITER_EXACT_DIVISOR && H5Lexists(file, names[i], H5P_DEFAULT) == 0) {
            continue; /* nothing will be put there */
        }
        const hid_t dataset = H5Dopen2(file, names[i], H5P_DEFAULT);
        good = dataset >= 0 && look_up(dataset, &writer->places[i]);
        if (dataset >= 0) {
            H5Dclose(dataset);
        }
    }
    enum llmfp_status status =
        good ? LLMFP_OK : hdf5_fail(error, writer->path, "find the arrays of the new results file");
    if (file >= 0 && H5Fclose(file) < 0 && status == LLMFP_OK) {
        status = hdf5_fail(error, writer->path, "close the new results file");
    }
    return status;
}

enum llmfp_status writer_open(const struct llmfp_communicator *communicator, const char *path,
                              const volatile sig_atomic_t *stop, struct writer *writer,
                              struct llmfp_error *error)
{
    *writer = (struct writer){.communicator = communicator, .path = path, .stop = stop};
    enum llmfp_status status = LLMFP_OK;
    if (communicator->rank == 0) {
        status = find_places(writer, error);
    }
    status = writer_agree(writer, status, error);
    if (status != LLMFP_OK) {
        return status;
    }
    MPI_Bcast(writer->places, (int)sizeof writer->places, MPI_BYTE, 0, communicator->handle);
    const int number =
        MPI_File_open(MPI_COMM_SELF, path, MPI_MODE_WRONLY, MPI_INFO_NULL, &writer->file);
    writer->is_open = number == MPI_SUCCESS;
    if (!writer->is_open) {
        status = fail_io(writer, number, "open the new results file", error);
    }
    return writer_agree(writer, status, error);
}

enum llmfp_status writer_close(struct writer *writer, struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    if (writer->is_open) {
        /* Each rank its own bytes: on a network file system they are in its node's memory. */
        int number = MPI_File_sync(writer->file);
        if (number != MPI_SUCCESS) {
            status = fail_io(writer, number, "sync the new results file to disk", error);
        }
        number = MPI_File_close(&writer->file);
        if (number != MPI_SUCCESS && status == LLMFP_OK) {
            status = fail_io(writer, number, "close the new results file", error);
        }
        writer->is_open = false;
    }
    return llmfp_agree(writer->communicator, status, error);
}

/* ---- blocks ---- */

/* The run of elements that a block is; false when it is none, or lies outside the array. */
static bool is_run(const struct writer_place *place, const uint64_t *start, const uint64_t *count,
                   uint64_t *first, uint64_t *n)
{
    bool begun = false; /* an axis of more than one has been met: all behind must be whole */
    *first = 0;
    *n = 1;
    for (uint64_t i = 0; i < place->n_axes; i++) {
        if (count[i] > place->size[i] || start[i] > place->size[i] - count[i] ||
            (begun && count[i] != place->size[i])) {
            return false;
        }
        begun = begun || count[i] > 1;
        *first = *first * place->size[i] + start[i];
        *n *= count[i];
    }
    return true;
}

enum llmfp_status writer_put(struct writer *writer, enum writer_array array, const uint64_t *start,
                             const uint64_t *count, const void *values, struct llmfp_error *error)
{
    const struct writer_place *place = &writer->places[array];
    uint64_t first;
    uint64_t n;
    for (uint64_t i = 0; i < place->n_axes; i++) {
        if (count[i] == 0) {
            return LLMFP_OK;
        }
    }
    if (!is_run(place, start, count, &first, &n) || n * place->value_bytes > INT_MAX) {
        return llmfp_fail(error, LLMFP_FATAL, "'%s': a block of '%s' does not fit the array",
                          writer->path, names[array]);
    }
    const int size_bytes = (int)(n * place->value_bytes);
    const uint64_t at = place->offset_bytes + first * place->value_bytes;
    MPI_Status wrote;
    int wrote_bytes = 0;
    const int number =
        MPI_File_write_at(writer->file, (MPI_Offset)at, values, size_bytes, MPI_BYTE, &wrote);
    if (number != MPI_SUCCESS) {
        return fail_io(writer, number, "write to the new results file", error);
    }
    MPI_Get_count(&wrote, MPI_BYTE, &wrote_bytes);
    return wrote_bytes == size_bytes
               ? LLMFP_OK
               : llmfp_fail(error, LLMFP_FATAL,
                            "'%s': only %d of %d bytes could be written; is the disk full?",
                            writer->path, wrote_bytes, size_bytes);
}
