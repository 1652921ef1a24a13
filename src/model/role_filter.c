/* role_filter.c - the option --roles: which roles are wanted. */
#include <stdlib.h>
#include <string.h>

#include "llmfp/roles.h"
#include "role_names.h"

struct llmfp_role_filter {
    size_t n_patterns;     /* 0 wants all */
    const char **patterns; /* into text */
    char *text;            /* owned: the list, cut at its commas */
};

/* Whether `text` is `pattern`, in which `*` stands for any characters. Keeps only
 * the last `*` to come back to, so that the time is at most the product of lengths. */
static bool pattern_matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *resume = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

/* `other:` roles depend on the checkpoint: any pattern that begins so may match. */
static bool can_match(const char *pattern)
{
    if (strncmp(pattern, LLMFP_OTHER_PREFIX, strlen(LLMFP_OTHER_PREFIX)) == 0) {
        return true;
    }
    for (int kind = 0; kind < N_STACK_KINDS; kind++) {
        for (int role = ROLE_OTHER + 1; role < N_ROLES; role++) {
            for (int bias = 0; bias < 2; bias++) {
                if (pattern_matches(pattern, llmfp_role_name((enum llmfp_stack_kind)kind,
                                                             (enum llmfp_role)role, bias != 0))) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Cut the text at commas into patterns without blanks around them. */
static enum llmfp_status cut(struct llmfp_role_filter *filter, struct llmfp_error *error)
{
    char *place = filter->text;
    while (place != NULL) {
        char *comma = strchr(place, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        place += strspn(place, " \t");
        size_t length = strlen(place);
        while (length > 0 && (place[length - 1] == ' ' || place[length - 1] == '\t')) {
            place[--length] = '\0';
        }
        if (length == 0) {
            return llmfp_fail(error, LLMFP_USAGE,
                              "--roles: item %zu of the list is empty; take the extra comma away",
                              filter->n_patterns + 1);
        }
        if (!can_match(place)) {
            return llmfp_fail(error, LLMFP_USAGE,
                              "--roles: \"%s\" matches no role; roles are, for example, attn.q, "
                              "attn.*, mlp.gate, norm.attn, moe.router, embed, mtp.attn.q, "
                              "attn.q.bias, *.bias, other:*",
                              place);
        }
        filter->patterns[filter->n_patterns++] = place;
        place = comma == NULL ? NULL : comma + 1;
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_role_filter_new(const char *list, struct llmfp_role_filter **filter,
                                        struct llmfp_error *error)
{
    *filter = NULL;
    const size_t length = list == NULL ? 0 : strlen(list);
    size_t n_items = 1;
    for (size_t i = 0; i < length; i++) {
        n_items += list[i] == ',' ? 1 : 0;
    }
    struct llmfp_role_filter *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->text = malloc(length + 1);
        made->patterns = calloc(n_items, sizeof *made->patterns);
    }
    if (made == NULL || made->text == NULL || made->patterns == NULL) {
        llmfp_role_filter_free(made);
        return llmfp_fail_memory(error, length + n_items * sizeof(char *), "the list of roles");
    }
    if (length == 0) {
        made->text[0] = '\0';
        *filter = made;
        return LLMFP_OK;
    }
    memcpy(made->text, list, length + 1);
    const enum llmfp_status status = cut(made, error);
    if (status != LLMFP_OK) {
        llmfp_role_filter_free(made);
        return status;
    }
    *filter = made;
    return LLMFP_OK;
}

bool llmfp_role_wanted(const struct llmfp_role_filter *filter, const char *role)
{
    if (filter == NULL || filter->n_patterns == 0) {
        return true;
    }
    for (size_t i = 0; i < filter->n_patterns; i++) {
        if (pattern_matches(filter->patterns[i], role)) {
            return true;
        }
    }
    return false;
}

void llmfp_role_filter_free(struct llmfp_role_filter *filter)
{
    if (filter != NULL) {
        free(filter->text);
        free((void *)filter->patterns);
        free(filter);
    }
}
