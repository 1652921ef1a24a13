/* by_name.c - sorting references to tensors, so that the tensors stay where they are. */
#include "by_name.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *item_a, const void *item_b)
{
    const struct llmfp_named *a = item_a;
    const struct llmfp_named *b = item_b;
    return strcmp(a->tensor->name, b->tensor->name);
}

struct llmfp_named *llmfp_catalog_by_name(const struct llmfp_catalog *catalog,
                                          struct llmfp_error *error)
{
    const size_t n = catalog->n_tensors;
    struct llmfp_named *order = malloc((n + 1) * sizeof *order);
    if (order == NULL) {
        (void)llmfp_fail_memory(error, (n + 1) * sizeof *order, "sorting tensor names");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        order[i].tensor = &catalog->tensors[i];
    }
    qsort(order, n, sizeof *order, compare_names);
    return order;
}
