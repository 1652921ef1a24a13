/* words.c - membership in a list of words. */
#include "words.h"

#include <string.h>

bool llmfp_word_in(const char *list, const char *word)
{
    const size_t length = strlen(word);
    const char *place = list;
    while (place != NULL) {
        const char *end = strchr(place, ' ');
        const size_t here = end == NULL ? strlen(place) : (size_t)(end - place);
        if (here == length && memcmp(place, word, length) == 0) {
            return true;
        }
        place = end == NULL ? NULL : end + 1;
    }
    return false;
}
