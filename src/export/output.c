/* output.c - see output.h. */
#include "output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum llmfp_status cannot(const struct output *output, const char *what,
                                struct llmfp_error *error)
{
    return output->path == NULL ? llmfp_fail(error, LLMFP_FATAL, "cannot %s standard output: %s",
                                             what, strerror(errno))
                                : llmfp_fail(error, LLMFP_FATAL, "cannot %s '%s': %s", what,
                                             output->path, strerror(errno));
}

/* A new file beside the output, with the permissions that it would have had. */
static int create_part(struct output *output)
{
    static const char ending[] = ".XXXXXX";
    const size_t length = strlen(output->path);
    output->part = malloc(length + sizeof ending);
    if (output->part == NULL) {
        return -1;
    }
    memcpy(output->part, output->path, length);
    memcpy(output->part + length, ending, sizeof ending);
    const int descriptor = mkstemp(output->part);
    if (descriptor >= 0) {
        const mode_t mask = umask(0);
        (void)umask(mask);
        (void)fchmod(descriptor, (mode_t)0666 & ~mask);
    }
    return descriptor;
}

enum llmfp_status output_open(const char *path, struct output *output, struct llmfp_error *error)
{
    struct stat there;
    *output = (struct output){stdout, path, NULL};
    if (path == NULL) {
        return LLMFP_OK;
    }
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) { /* a pipe, a device */
        output->stream = fopen(path, "wb");
    } else {
        const int descriptor = create_part(output);
        output->stream = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    }
    if (output->stream == NULL) {
        const enum llmfp_status status = cannot(output, "write", error);
        free(output->part);
        output->part = NULL;
        return status;
    }
    return LLMFP_OK;
}

enum llmfp_status output_close(struct output *output, enum llmfp_status status,
                               struct llmfp_error *error)
{
    bool written = fflush(output->stream) == 0 && !ferror(output->stream);
    if (written && status == LLMFP_OK && output->part != NULL) {
        written = fsync(fileno(output->stream)) == 0;
    }
    if (!written && status == LLMFP_OK) {
        status = cannot(output, "write to", error);
    }
    if (output->stream != stdout && fclose(output->stream) != 0 && status == LLMFP_OK) {
        status = cannot(output, "write to", error);
    }
    if (status == LLMFP_OK && output->part != NULL && rename(output->part, output->path) != 0) {
        status = cannot(output, "put in place", error);
    }
    if (status != LLMFP_OK && output->part != NULL) {
        (void)unlink(output->part);
    }
    free(output->part);
    output->part = NULL;
    return status;
}
