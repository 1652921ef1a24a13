/* options.h - the command line of llmfp-scan as data.
 *
 * One table (in options.c) holds every option: parsing, checks and --help come
 * from it. Nothing here prints unasked, exits, or looks at the environment.      */
#ifndef LLMFP_OPTIONS_H
#define LLMFP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "llmfp/error.h"
#include "llmfp/io.h"
#include "progress.h"

enum options_summary { OPTIONS_SUMMARY_TEXT, OPTIONS_SUMMARY_JSON, OPTIONS_SUMMARY_NONE };

/* Bounds of --chunk. A smaller chunk is all seeks; a chunk's bytes fit an MPI count. */
#define OPTIONS_LEAST_CHUNK_BYTES (UINT64_C(4) << 10)
#define OPTIONS_MOST_CHUNK_BYTES  (UINT64_C(1) << 30)

/* Strings belong to argv.                                                       */
struct options {
    const char **operands; /* owned, [n_operands]: the words that are no options */
    size_t n_operands;
    const char
        *manifest;      /* "-" for standard input; NULL only with verify, merge, help or version */
    bool merge;         /* the operands are results files */
    const char *output; /* "llmfp.h5" unless given */
    uint32_t part[2];   /* K and N of --part K/N; 0 0: all of the scan */
    const char *roles;  /* NULL: all */
    const char *rules;  /* NULL: none */
    const char *verify; /* NULL: scan. Else there is no manifest */
    bool with_checkpoints;
    bool dry_run;
    bool resume; /* at most one of resume, append, overwrite */
    bool append;
    bool overwrite;
    bool strict;
    uint64_t chunk_bytes; /* 0: the program chooses */
    enum llmfp_io io;
    enum progress_mode progress;
    enum options_summary summary;
    bool timings;
    bool quiet; /* never together with verbose */
    bool verbose;
    bool help;
    bool version;
};

/* Parse a command line as GNU programs do: --name=value and --name value, -n
 * value and -nvalue, flags together (-qv), options behind MANIFEST, `--` before
 * a MANIFEST that begins with a dash, the last of repeated options counts. Names
 * are not abbreviated. --help and --version end the parsing at once: what stands
 * behind them is not looked at.
 * Errors: LLMFP_USAGE with one sentence that names the option and value and says
 * what is allowed, and "try llmfp-scan --help"; LLMFP_FATAL without memory. `options`
 * holds nothing to be cleared then.                                      Local. */
enum llmfp_status options_parse(int argc, char *const *argv, struct options *options,
                                struct llmfp_error *error) LLMFP_MUST_CHECK;

void options_clear(struct options *options);

/* The text of --help: at most 80 columns and 40 lines.                   Local. */
void options_help(FILE *out);

#endif
