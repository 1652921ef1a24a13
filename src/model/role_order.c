/* role_order.c - the order of roles. See role_order.h. */
#include "role_order.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "role_names.h"

#define NAME_ONLY(identifier, name) name,
static const char *const order[] = {LLMFP_ROLE_LIST(NAME_ONLY)};
#undef NAME_ONLY
enum { N_ORDER = sizeof order / sizeof order[0] };

struct place {
    int stack; /* 0 main, 1 encoder, 2 next-token prediction, 3 other */
    int base;
    bool bias;
};

static bool starts_with(const char **name, const char *prefix)
{
    const size_t length = strlen(prefix);
    if (strncmp(*name, prefix, length) != 0) {
        return false;
    }
    *name += length;
    return true;
}

static struct place place_of(const char *name)
{
    static const char bias[] = ".bias";
    struct place place = {0, N_ORDER, false};
    if (starts_with(&name, "other:")) {
        place.stack = 3;
        return place;
    }
    if (starts_with(&name, "encoder.")) {
        place.stack = 1;
    } else if (starts_with(&name, "mtp.")) {
        place.stack = 2;
    }
    size_t length = strlen(name);
    if (length > sizeof bias - 1 && strcmp(name + length - (sizeof bias - 1), bias) == 0) {
        place.bias = true;
        length -= sizeof bias - 1;
    }
    for (int i = 0; i < N_ORDER; i++) {
        if (strlen(order[i]) == length && memcmp(order[i], name, length) == 0) {
            place.base = i;
        }
    }
    return place;
}

int llmfp_role_compare(const char *a, const char *b)
{
    const struct place x = place_of(a);
    const struct place y = place_of(b);
    if (x.stack != y.stack) {
        return x.stack < y.stack ? -1 : 1;
    }
    if (x.base != y.base) {
        return x.base < y.base ? -1 : 1;
    }
    if (x.base < N_ORDER && x.bias != y.bias) {
        return x.bias ? 1 : -1;
    }
    return strcmp(a, b);
}
