/* main.c - llmfp-scan: understand the command line, start MPI, run a command. */
#include <hdf5.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "command_verify.h"
#include "llmfp/isa.h"
#include "options.h"
#include "start.h"
#include "stop_signal.h"
#include "version.h"

/* This process's rank as its launcher tells it before MPI_Init; 0 without a launcher. */
static int rank_from_launcher(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL) {
            return atoi(value);
        }
    }
    return 0;
}

/* Before MPI has started. Open MPI 4's one-sided component "rdma" offers itself between nodes
 * that are linked by TCP and then cannot make a window (MPI_ERR_WIN). The others can, so it is
 * left out, unless somebody has chosen. Other MPI libraries do not look at this. */
static void choose_one_sided(void)
{
    (void)setenv("OMPI_MCA_osc", "^rdma", 0);
}

/* An error inside MPI: the other ranks are out of reach. The form is MPI's. */
static void on_mpi_error(MPI_Comm *handle, int *number, ...)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(*number, text, &length);
    (void)fprintf(stderr, "llmfp-scan: error: MPI has failed, and the ranks end: %s\n", text);
    (void)fflush(NULL);
    MPI_Abort(*handle, LLMFP_FATAL);
}

/* Collective. The user's own role rules: rank 0 reads, every rank understands them. */
static enum llmfp_status read_rules(const struct llmfp_communicator *communicator, const char *path,
                                    struct llmfp_own_rules **own_rules, struct llmfp_error *error)
{
    struct llmfp_buffer text = {0};
    enum llmfp_status status = LLMFP_OK;
    if (communicator->rank == 0) {
        status = llmfp_own_rules_load(path, &text, error);
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = llmfp_broadcast(communicator, &text, 0, error);
    }
    if (status == LLMFP_OK) {
        status =
            llmfp_own_rules_read(path, (const char *)text.bytes, text.size_bytes, own_rules, error);
        status = llmfp_agree(communicator, status, error);
    }
    llmfp_buffer_clear(&text);
    return status;
}

/* Collective. The manifest: rank 0 reads, every rank gets it. */
static enum llmfp_status read_manifest(const struct llmfp_communicator *communicator,
                                       const char *path, struct llmfp_manifest *manifest,
                                       struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    struct llmfp_buffer packed = {0};
    if (communicator->rank == 0) {
        status = llmfp_manifest_read(path, manifest, error);
        llmfp_manifest_pack(manifest, &packed);
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = llmfp_broadcast(communicator, &packed, 0, error);
    }
    if (status == LLMFP_OK && communicator->rank != 0) {
        struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
        status = llmfp_manifest_unpack(manifest, &cursor, error);
    }
    llmfp_buffer_clear(&packed);
    return llmfp_agree(communicator, status, error);
}

/* Collective. Manifest, roles and rules, as far as there are any; the same on every rank. */
static enum llmfp_status read_inputs(const struct llmfp_communicator *communicator,
                                     const struct options *options, struct llmfp_manifest *manifest,
                                     struct llmfp_role_filter **filter,
                                     struct llmfp_own_rules **own_rules, struct llmfp_error *error)
{
    enum llmfp_status status = error->status; /* of what was done before MPI has started */
    if (status == LLMFP_OK && options->roles != NULL) {
        status = llmfp_role_filter_new(options->roles, filter, error);
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK && options->manifest != NULL) {
        status = read_manifest(communicator, options->manifest, manifest, error);
    }
    return status == LLMFP_OK && options->rules != NULL
               ? read_rules(communicator, options->rules, own_rules, error)
               : status;
}

/* Collective. */
static int run(const struct llmfp_communicator *communicator, const struct options *options,
               struct llmfp_error error)
{
    struct llmfp_manifest manifest = {0};
    struct llmfp_role_filter *filter = NULL;
    struct llmfp_own_rules *own_rules = NULL;
    struct part part = {NULL, {0, 0, 0}};
    struct messages messages = {.progress = {.out = stderr, .mode = PROGRESS_NONE},
                                .quiet = options->quiet,
                                .verbose = options->verbose,
                                .speaks = communicator->rank == 0};
    int exit_status;
    enum llmfp_status status =
        read_inputs(communicator, options, &manifest, &filter, &own_rules, &error);
    if (status == LLMFP_OK && options->part[1] > 0) {
        status = part_take(communicator, options, own_rules, &manifest, &part, &error);
    }
    if (status != LLMFP_OK) {
        message_error(&messages, NULL, error.text);
        exit_status = (int)status;
    } else {
        struct command command = {communicator, options, &manifest, filter,
                                  own_rules,    &part,   &messages};
        exit_status = options->merge     ? command_merge(&command)
                      : options->dry_run ? command_dry_run(&command)
                                         : command_scan(&command);
    }
    part_clear(&part);
    llmfp_role_filter_free(filter);
    llmfp_own_rules_free(own_rules);
    llmfp_manifest_clear(&manifest);
    return exit_status;
}

/* What needs no MPI: help, version, --verify, a wrong command line. -1: go on. */
static int answer_at_once(enum llmfp_status parsed, const struct options *options,
                          const struct llmfp_error *error)
{
    if (parsed == LLMFP_OK && !options->help && !options->version && options->verify == NULL) {
        return -1;
    }
    if (rank_from_launcher() != 0) {
        return 0; /* rank 0 speaks, and its status counts */
    }
    if (parsed != LLMFP_OK) {
        (void)fprintf(stderr, "llmfp-scan: error: %s\n", error->text);
        return (int)parsed;
    }
    if (options->help) {
        options_help(stdout);
    } else if (options->verify != NULL) {
        return command_verify(options);
    } else {
        version_print(stdout);
    }
    return fflush(stdout) == 0 ? 0 : LLMFP_FATAL;
}

/* Local, before MPI has started. The results files that this run begins with, if any. */
static enum llmfp_status check_existing(const struct options *options, struct llmfp_error *error)
{
    const bool begins_with_it = options->append || options->resume;
    enum llmfp_status status = LLMFP_OK;
    if (rank_from_launcher() != 0) {
        return LLMFP_OK;
    }
    for (size_t i = 0; options->merge && status == LLMFP_OK && i < options->n_operands; i++) {
        status = verify_can_be_read(options->operands[i], error);
    }
    if (!begins_with_it || options->dry_run || access(options->output, R_OK) != 0) {
        return status;
    }
    char *journal = start_journal_path(options->output);
    const bool goes_on = journal != NULL && access(journal, F_OK) == 0; /* without the file */
    free(journal);
    return goes_on ? LLMFP_OK : verify_can_be_read(options->output, error);
}

int main(int argc, char **argv)
{
    struct options options;
    struct llmfp_error error = {LLMFP_OK, ""};
    enum llmfp_status parsed = options_parse(argc, argv, &options, &error);
    if (parsed == LLMFP_OK) {
        parsed = llmfp_isa_check(&error);
    }
    const int answer = answer_at_once(parsed, &options, &error);
    if (answer >= 0) {
        options_clear(&options);
        return answer;
    }
    if (options.quiet) {
        options.progress = PROGRESS_NONE;
        options.summary = OPTIONS_SUMMARY_NONE;
    }
    error.status = check_existing(&options, &error);
    choose_one_sided();
    stop_signal_install(); /* starting MPI may take a while */
    int threads; /* the stream looks at it: a thread of its own reads ahead, without MPI */
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &threads);
    stop_signal_install(); /* in case MPI has handlers of its own */
    MPI_Errhandler handler;
    MPI_Comm_create_errhandler(on_mpi_error, &handler);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler); /* its duplicates have it, too */
    MPI_Errhandler_free(&handler);
    struct llmfp_communicator communicator;
    llmfp_communicator_open(&communicator, MPI_COMM_WORLD);
    const int exit_status = run(&communicator, &options, error);
    (void)fflush(NULL);
    if (exit_status != 0 && H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_FILE) > 0) {
        /* A file that HDF5 could not close (a full disk): it would try again, and crash, when
         * MPI ends. Everything has been said and saved. */
        MPI_Abort(MPI_COMM_WORLD, exit_status);
    }
    llmfp_communicator_close(&communicator);
    MPI_Finalize();
    options_clear(&options);
    /* The launcher reports the status of rank 0; the others end quietly, so that none of
     * them makes it kill a rank that still has something to say. */
    return communicator.rank == 0 ? exit_status : 0;
}
