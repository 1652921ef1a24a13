/* hdf5_error.c - walking HDF5's error stack. */
#include "hdf5_error.h"

#include <hdf5.h>
#include <string.h>

/* Keeps the innermost entry, which says what really went wrong. */
static herr_t keep_first(unsigned n, const H5E_error2_t *entry, void *context)
{
    const char **reason = context;
    if (n == 0 && entry->desc != NULL) {
        *reason = entry->desc;
    }
    return 0;
}

enum llmfp_status hdf5_fail(struct llmfp_error *error, const char *path, const char *what)
{
    const char *reason = "no reason given by HDF5";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &reason);
    const char *hint = "";
    if (strstr(reason, "lock") != NULL) {
        hint = " (on file systems without locks set HDF5_USE_FILE_LOCKING=FALSE)";
    }
    const enum llmfp_status status =
        llmfp_fail(error, LLMFP_FATAL, "'%s': cannot %s: %s%s", path, what, reason, hint);
    H5Eclear2(H5E_DEFAULT);
    return status;
}

void hdf5_be_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}
