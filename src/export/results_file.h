/* results_file.h - reading a results file piece by piece, by one process without MPI.
 *
 * HDF5 opens files with its ordinary POSIX driver here, for which even its parallel build wants
 * no MPI_Init. A file may be anything: sizes are checked against each other before use. */
#ifndef LLMFP_RESULTS_FILE_H
#define LLMFP_RESULTS_FILE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/error.h"

enum results_text {
    TEXT_ARCHITECTURE,
    TEXT_PATH,
    TEXT_FORMAT,
    TEXT_STATUS,
    TEXT_MESSAGE,
    TEXT_FAMILY,
    TEXT_PARENT,
    TEXT_DIGEST,
    N_TEXTS
};
enum results_whole { WHOLE_COUNT, WHOLE_ZEROS, WHOLE_NONFINITE, N_WHOLE };
enum results_real { REAL_MEAN, REAL_STD, REAL_MIN, REAL_MAX, REAL_SIGNATURE, N_REAL };
enum results_number { NUMBER_PARAMETERS, NUMBER_BYTES, NUMBER_UNMAPPED, N_NUMBERS };

/* Names of the datasets, and of the columns and keys of what is exported. */
extern const char *const results_text_names[N_TEXTS];
extern const char *const results_whole_names[N_WHOLE];
extern const char *const results_real_names[N_REAL];
extern const char *const results_number_names[N_NUMBERS];

struct results_file {
    const char *path;
    hid_t file;
    hid_t string_type;
    char *attributes[4]; /* schema, schema_version, generator, created */
    size_t n_models;
    size_t n_roles;
    size_t n_layers;
    size_t n_reasons;
    char **models; /* labels, and so on; owned */
    char **roles;
    char **reasons;
    char **texts[N_TEXTS];
    int32_t *model_layers;        /* [n_models] */
    uint64_t *numbers[N_NUMBERS]; /* [n_models] */
    uint64_t *unscanned_tensors;  /* [n_models][n_reasons] */
    uint64_t *unscanned_bytes;
    hid_t whole[N_WHOLE]; /* datasets over model, role, layer */
    hid_t real[N_REAL];
    hid_t correlation; /* role, model, model */
    hid_t correlation_qkvo;
    hid_t cells; /* exact/cell */
    uint64_t n_cells;
};

/* All Local. Errors: LLMFP_CHECKPOINT when the file cannot be read or is no results file of this
 * schema, LLMFP_FATAL without memory. results_file_close it in any case. */
enum llmfp_status results_file_open(const char *path, struct results_file *results,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;
void results_file_close(struct results_file *results);

/* All cells of one model, one after the other: start with {.file = ...}. */
struct results_cells {
    const struct results_file *file;
    uint64_t *whole[N_WHOLE]; /* owned, [n_roles][n_layers] of the model that was read last */
    double *real[N_REAL];
    int32_t (*rows)[3]; /* owned: rows of exact/cell from first on */
    uint64_t first;
    size_t n_rows;
    size_t next; /* within rows */
};

/* Read the numbers of a model; models in ascending order. */
enum llmfp_status results_cells_model(struct results_cells *cells, size_t model,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* The next cell of `model`, by (role, layer); *found is false when it has no more. */
enum llmfp_status results_cells_next(struct results_cells *cells, size_t model, bool *found,
                                     size_t *role, size_t *layer,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;
void results_cells_clear(struct results_cells *cells);

/* n_models correlations of a model in a role; role == n_roles: correlation_qkvo. */
enum llmfp_status results_correlations(const struct results_file *results, size_t role,
                                       size_t model, double *values,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
