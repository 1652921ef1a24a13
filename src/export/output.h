/* output.h - a file that is put in place only when all of it has been written. */
#ifndef LLMFP_OUTPUT_H
#define LLMFP_OUTPUT_H

#include <stdio.h>

#include "llmfp/error.h"

struct output {
    FILE *stream;
    const char *path; /* NULL: standard output */
    char *part;       /* owned: the file that is written; NULL when it is `path` itself */
};

/* All Local. PATH may be NULL. Errors: LLMFP_FATAL: it cannot be created. */
enum llmfp_status output_open(const char *path, struct output *output,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* End the output: on LLMFP_OK put it in place, else throw it away. Returns `status`, or
 * LLMFP_FATAL when not everything could be written. */
enum llmfp_status output_close(struct output *output, enum llmfp_status status,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
