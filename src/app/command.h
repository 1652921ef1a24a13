/* command.h - what the program does, once the command line has been understood. */
#ifndef LLMFP_COMMAND_H
#define LLMFP_COMMAND_H

#include "llmfp/communicator.h"
#include "llmfp/manifest.h"
#include "llmfp/own_rules.h"
#include "llmfp/roles.h"
#include "messages.h"
#include "options.h"
#include "part.h"

struct command {
    const struct llmfp_communicator *communicator;
    const struct options *options;
    const struct llmfp_manifest *manifest;   /* the same on every rank */
    const struct llmfp_role_filter *filter;  /* NULL: all roles */
    const struct llmfp_own_rules *own_rules; /* NULL: none */
    const struct part *part;                 /* what of the manifest's checkpoints is scanned */
    struct messages *messages;
};

/* Collective. Scan and write the results file. Same exit status on every rank; every
 * error has been said.                                                              */
int command_scan(struct command *command);

/* Collective. Merge results files into one. Likewise.                               */
int command_merge(struct command *command);

/* Collective. Print how every tensor maps (rank 0, standard output); write nothing.  */
int command_dry_run(struct command *command);

#endif
