/* fuzz_role_filter.c - --roles. Input: a role on the first line, the list behind it. What the
 * filter wants is what a plain recursive matcher of its items wants.                    */
#include "fuzz.h"
#include "llmfp/roles.h"

enum { MOST_BYTES = 200, MOST_STARS = 4 };

/* Exponential in the stars, hence MOST_STARS, but plain to see. */
static bool matches(const char *pattern, const char *text)
{
    if (*pattern == '*') {
        return matches(pattern + 1, text) || (*text != '\0' && matches(pattern, text + 1));
    }
    return *pattern == *text && (*text == '\0' || matches(pattern + 1, text + 1));
}

static size_t count_stars(const char *text)
{
    size_t n = 0;
    for (const char *star = strchr(text, '*'); star != NULL; star = strchr(star + 1, '*')) {
        n++;
    }
    return n;
}

/* Whether any item of the list, without blanks around it, matches. */
static bool any_matches(const char *list, const char *role)
{
    char item[MOST_BYTES + 1];
    while (true) {
        list += strspn(list, " \t");
        const size_t whole = strcspn(list, ",");
        size_t length = whole;
        while (length > 0 && (list[length - 1] == ' ' || list[length - 1] == '\t')) {
            length--;
        }
        memcpy(item, list, length);
        item[length] = '\0';
        if (matches(item, role)) {
            return true;
        }
        if (list[whole] == '\0') {
            return false;
        }
        list += whole + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *role = fuzz_text(data, size < MOST_BYTES ? size : MOST_BYTES);
    char *list = strchr(role, '\n');
    if (list != NULL) {
        *list++ = '\0';
        struct llmfp_error error = {LLMFP_OK, ""};
        struct llmfp_role_filter *filter = NULL;
        const enum llmfp_status status = llmfp_role_filter_new(list, &filter, &error);
        if (status != LLMFP_OK) {
            fuzz_check_error(status, &error, LLMFP_USAGE, "--roles");
            FUZZ_CHECK(filter == NULL);
        } else {
            const bool wanted = llmfp_role_wanted(filter, role);
            if (list[0] == '\0') {
                FUZZ_CHECK(wanted);
            } else if (count_stars(list) <= MOST_STARS) {
                FUZZ_CHECK(wanted == any_matches(list, role));
            }
        }
        llmfp_role_filter_free(filter);
    }
    free(role);
    return 0;
}
