/* by_name.h - the tensors of a catalog in the order of their names. */
#ifndef LLMFP_BY_NAME_H
#define LLMFP_BY_NAME_H

#include "llmfp/catalog.h"
#include "llmfp/error.h"

struct llmfp_named {
    const struct llmfp_tensor *tensor; /* borrowed from the catalog */
};

/* An array of catalog->n_tensors entries, sorted by the bytes of the names, to be
 * freed by the caller. NULL without memory (the error is set then).       Local. */
struct llmfp_named *llmfp_catalog_by_name(const struct llmfp_catalog *catalog,
                                          struct llmfp_error *error);

#endif
