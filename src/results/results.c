/* results.c - from the journal to the results file in its place. */
#include "llmfp/results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hdf5_error.h"
#include "part_group.h"
#include "schema.h"
#include "survey.h"
#include "writer.h"

/* Local, rank 0. The file with its structure, and room for everything on the disk. */
static enum llmfp_status create(const struct llmfp_results_request *request,
                                const struct survey *survey, const struct llmfp_buffer *slices,
                                const char *path, struct llmfp_error *error)
{
    const struct schema_content content = {
        .length = {[AXIS_MODEL] = survey->n_models,
                   [AXIS_ROLE] = survey->n_roles,
                   [AXIS_LAYER] = survey->n_layers,
                   [AXIS_REASON] = N_FILE_REASONS,
                   [AXIS_ROW] = survey->n_cells,
                   [AXIS_COORDINATE] = 3,
                   [AXIS_SUM_LIMB] = survey->sum_limbs,
                   [AXIS_SQUARE_LIMB] = survey->square_limbs,
                   [AXIS_DIVISOR_LIMB] = survey->divisor_limbs},
        .sum_exponent = survey->sum_exponent,
        .square_exponent = survey->square_exponent,
        .generator = request->generator,
        .created = request->created,
        .split = request->split,
        .slices = slices,
        .models = survey->models,
        .roles = survey->roles,
    };
    return schema_create(path, &content, error);
}

/* Local, rank 0. The packed records of the checkpoints of which there is a slice only. */
static enum llmfp_status pack_slices(const struct survey *survey, struct llmfp_buffer *slices,
                                     struct llmfp_error *error)
{
    struct llmfp_buffer bytes = {0};
    enum llmfp_status status = LLMFP_OK;
    uint32_t n = 0;
    part_records_begin(slices);
    for (size_t i = 0; status == LLMFP_OK && i < survey->n_models; i++) {
        if (survey->models[i].part.n > 0) {
            status = llmfp_journal_read_bytes(&survey->journal, &survey->places[i], &bytes, error);
            part_records_add(slices, &bytes);
            n++;
        }
    }
    part_records_end(slices, n);
    llmfp_buffer_clear(&bytes);
    return status == LLMFP_OK && slices->failed
               ? llmfp_fail_memory(error, slices->size_bytes, "parts of checkpoints")
               : status;
}

static enum llmfp_status fail_system(struct llmfp_error *error, const char *path, const char *what)
{
    return llmfp_fail(error, LLMFP_FATAL, "'%s': cannot %s: %s", path, what, strerror(errno));
}

static enum llmfp_status sync_path(const char *path, int flags, struct llmfp_error *error)
{
    const int descriptor = open(path, flags | O_CLOEXEC);
    if (descriptor < 0) {
        return fail_system(error, path, "open for syncing");
    }
    /* Some file systems cannot sync directories and say EINVAL: nothing to be done. */
    const bool synced = fsync(descriptor) == 0 || errno == EINVAL;
    const enum llmfp_status status = synced ? LLMFP_OK : fail_system(error, path, "sync to disk");
    close(descriptor);
    return status;
}

static enum llmfp_status set_aside(int descriptor, const char *path, uint64_t size_bytes,
                                   struct llmfp_error *error)
{
    const int number = size_bytes == 0 ? 0 : posix_fallocate(descriptor, 0, (off_t)size_bytes);
    if (number != 0) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "'%s': cannot set aside %llu bytes for the new results file: %s; make "
                          "room, and run again with --resume",
                          path, (unsigned long long)size_bytes, strerror(number));
    }
    return LLMFP_OK;
}

/* An upper bound of the file's size: the arrays, strings with their heaps, and headers. */
static uint64_t most_bytes(const struct survey *survey)
{
    const uint64_t n = survey->n_models;
    const uint64_t cells = n * survey->n_roles * survey->n_layers;
    uint64_t strings = 0;
    for (size_t i = 0; i < survey->n_models; i++) {
        const struct llmfp_record *model = &survey->models[i];
        strings += strlen(model->label) + strlen(model->path) + strlen(model->message) +
                   strlen(model->architecture) + strlen(model->family) + strlen(model->parent);
    }
    for (size_t i = 0; i < survey->n_roles; i++) {
        strings += strlen(survey->roles[i]);
    }
    enum {
        COLUMNS = 8,
        ROW_BYTES = 12 + 8,
        OF_STRINGS = 9 * 48,
        OF_NUMBERS = 128,
        HEADERS = 96 << 10
    };
    return cells * COLUMNS * 8 + (survey->n_roles + 1) * n * n * 8 +
           survey->n_cells * (ROW_BYTES + 8 * ((uint64_t)survey->sum_limbs + survey->square_limbs +
                                               survey->divisor_limbs)) +
           2 * strings + n * (OF_STRINGS + OF_NUMBERS) + survey->n_roles * 64 +
           survey->n_layers * 4 + HEADERS;
}

/* Local, rank 0. Find out whether there is room, before HDF5 does: it cannot close a file
 * whose last bytes do not fit. */
static enum llmfp_status check_room(const char *path, const struct survey *survey,
                                    uint64_t slices_bytes, struct llmfp_error *error)
{
    const int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return fail_system(error, path, "make the new results file");
    }
    const enum llmfp_status status =
        set_aside(descriptor, path, most_bytes(survey) + slices_bytes, error);
    close(descriptor);
    return status;
}

/* Local, rank 0. Have the file system set aside every byte of the new file now. MPI-IO may
 * lose the error of a disk that fills up during a collective write: this one cannot. */
static enum llmfp_status reserve(const char *path, struct llmfp_error *error)
{
    struct stat file;
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) {
        return fail_system(error, path, "reopen the new results file");
    }
    const enum llmfp_status status =
        fstat(descriptor, &file) != 0 ? fail_system(error, path, "examine the new results file")
                                      : set_aside(descriptor, path, (uint64_t)file.st_size, error);
    close(descriptor);
    return status;
}

/* Local, rank 0. Sync the new file, rename it over the old one, sync the folder. */
static enum llmfp_status put_in_place(const char *made, const char *output,
                                      struct llmfp_error *error)
{
    enum llmfp_status status = sync_path(made, O_RDWR, error);
    if (status == LLMFP_OK && rename(made, output) != 0) {
        status = fail_system(error, output, "put the new results file in place");
    }
    if (status != LLMFP_OK) {
        return status;
    }
    char *folder = strdup(output);
    if (folder == NULL) {
        return llmfp_fail_memory(error, strlen(output), "a path");
    }
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    status = sync_path(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY, error);
    free(folder);
    return status;
}

/* Local, rank 0. The new file, to be filled. */
static enum llmfp_status prepare(const struct llmfp_results_request *request,
                                 const struct survey *survey, const char *path,
                                 struct llmfp_error *error)
{
    struct llmfp_buffer slices = {0};
    enum llmfp_status status = pack_slices(survey, &slices, error);
    if (status == LLMFP_OK) {
        status = check_room(path, survey, slices.size_bytes, error);
    }
    if (status == LLMFP_OK) {
        status = create(request, survey, &slices, path, error);
    }
    if (status == LLMFP_OK) {
        status = reserve(path, error);
    }
    llmfp_buffer_clear(&slices);
    return status;
}

/* Collective. Everything but the last step. */
static enum llmfp_status write_file(const struct llmfp_communicator *communicator,
                                    const struct llmfp_results_request *request, const char *path,
                                    struct llmfp_likeness *likeness, struct llmfp_error *error)
{
    struct survey survey;
    struct writer writer;
    enum llmfp_status status = survey_make(communicator, request, &survey, error);
    if (status == LLMFP_OK) {
        if (communicator->rank == 0) {
            status = prepare(request, &survey, path, error);
        }
        status = llmfp_agree(communicator, status, error);
    }
    if (status == LLMFP_OK) {
        status = writer_open(communicator, path, request->stop, &writer, error);
        if (status == LLMFP_OK) {
            status = write_cells(&writer, &survey, error);
        }
        if (status == LLMFP_OK) {
            status = write_exact(&writer, &survey, error);
        }
        if (status == LLMFP_OK) {
            status = write_correlations(&writer, &survey, likeness, error);
        }
        struct llmfp_error closing = {LLMFP_OK, ""};
        const enum llmfp_status closed = writer_close(&writer, &closing);
        if (status == LLMFP_OK && closed != LLMFP_OK) {
            *error = closing;
            status = closed;
        }
    }
    survey_clear(&survey);
    return status;
}

enum llmfp_status llmfp_results_write(const struct llmfp_communicator *communicator,
                                      const struct llmfp_results_request *request,
                                      struct llmfp_likeness *likeness, struct llmfp_error *error)
{
    hdf5_be_quiet();
    *likeness = (struct llmfp_likeness){0};
    /* In the same folder, so that the rename is atomic. */
    static const char suffix[] = ".part";
    const size_t path_bytes = strlen(request->output) + sizeof suffix;
    char *path = malloc(path_bytes);
    enum llmfp_status status = LLMFP_OK;
    if (path == NULL) {
        status = llmfp_fail_memory(error, strlen(request->output), "a path");
    }
    status = llmfp_agree(communicator, status, error);
    if (status != LLMFP_OK) {
        free(path);
        return status;
    }
    (void)snprintf(path, path_bytes, "%s%s", request->output, suffix);
    status = write_file(communicator, request, path, likeness, error);
    if (communicator->rank == 0) {
        if (status == LLMFP_OK) {
            status = put_in_place(path, request->output, error);
        }
        if (status != LLMFP_OK) {
            unlink(path);
        }
    }
    free(path);
    status = llmfp_agree(communicator, status, error);
    if (status != LLMFP_OK) {
        free(likeness->group);
        likeness->group = NULL;
    }
    return status;
}
