/* words.h - lists of words separated by single spaces, as the tables use them. */
#ifndef LLMFP_WORDS_H
#define LLMFP_WORDS_H

#include <stdbool.h>

/* Whether `word` (not empty) is one of `list`.                           Local. */
bool llmfp_word_in(const char *list, const char *word);

#endif
