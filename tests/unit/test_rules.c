/* test_rules.c - the tables themselves: no row that can never be reached. */
#include <stdio.h>
#include <string.h>

#include "cunit_main.h"
#include "rules.h"
#include "words.h"

static unsigned leaves_of(const struct llmfp_rule *rule)
{
    const unsigned leaves = rule->leaves == 0 ? LEAF_WEIGHT | LEAF_BIAS : rule->leaves;
    return (leaves & LEAF_BARE_BIAS) != 0 ? (leaves | LEAF_BARE) & ~(unsigned)LEAF_BARE_BIAS
                                          : leaves;
}

/* Whether `first` takes every tensor that `second` could. */
static bool hides(const struct llmfp_rule *first, const struct llmfp_rule *second)
{
    const bool same_models = first->models == NULL ||
                             (second->models != NULL && strcmp(first->models, second->models) == 0);
    return strcmp(first->pattern, second->pattern) == 0 && same_models &&
           first->when == WHEN_ALWAYS && (leaves_of(second) & ~leaves_of(first)) == 0;
}

static void check_table(const struct llmfp_rules *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct llmfp_rule *rule = &table->rules[i];
        CU_ASSERT(rule->length == strlen(rule->pattern) && rule->length > 0);
        CU_ASSERT(rule->role < N_ROLES);
        for (size_t j = 0; j < i; j++) {
            if (hides(&table->rules[j], rule)) {
                printf("\n    %s is hidden by an earlier row\n", rule->pattern);
                CU_FAIL("hidden row");
            }
        }
    }
}

static void no_rule_is_hidden(void)
{
    for (size_t i = 0; i < llmfp_n_stacks; i++) {
        for (size_t t = 0; t < LLMFP_STACK_TABLES && llmfp_stacks[i].tables[t] != NULL; t++) {
            check_table(llmfp_stacks[i].tables[t]);
        }
    }
}

/* Every layout adds up: parts are named, and no more than there is room for. */
static void layouts_are_whole(void)
{
    for (size_t i = 0; i < llmfp_n_stacks; i++) {
        for (size_t t = 0; t < LLMFP_STACK_TABLES && llmfp_stacks[i].tables[t] != NULL; t++) {
            const struct llmfp_rules *table = llmfp_stacks[i].tables[t];
            for (size_t r = 0; r < table->n; r++) {
                const struct llmfp_layout *layout = table->rules[r].layout;
                if (layout == NULL) {
                    continue;
                }
                CU_ASSERT((layout->unknown != NULL) == (layout->n_parts == 0));
                CU_ASSERT(layout->n_parts <= LLMFP_LAYOUT_PARTS);
                for (unsigned p = 0; p < layout->n_parts; p++) {
                    CU_ASSERT(layout->parts[p].role != ROLE_OTHER);
                }
            }
        }
    }
}

/* A wrapper or a stack must not begin inside what is excluded. */
static void exclusions_exclude_no_language_model(void)
{
    for (size_t i = 0; i < llmfp_n_exclusions; i++) {
        const struct llmfp_text *text = &llmfp_exclusions[i];
        CU_ASSERT(text->length == strlen(text->text));
        for (size_t s = 0; s < llmfp_n_stacks; s++) {
            CU_ASSERT(strncmp(llmfp_stacks[s].head, text->text, text->length) != 0);
        }
        for (size_t s = 0; s < llmfp_n_shells; s++) {
            CU_ASSERT(strncmp(llmfp_shells[s].text, text->text, text->length) != 0);
        }
    }
}

static void globals_are_single(void)
{
    for (size_t i = 0; i < llmfp_n_globals; i++) {
        const struct llmfp_global *global = &llmfp_globals[i];
        CU_ASSERT(global->length == strlen(global->pattern));
        for (size_t j = 0; j < i; j++) {
            CU_ASSERT(strcmp(global->pattern, llmfp_globals[j].pattern) != 0);
        }
    }
}

static void words_are_whole(void)
{
    CU_ASSERT(llmfp_word_in("gpt2 jais -", "gpt2"));
    CU_ASSERT(llmfp_word_in("gpt2 jais -", "-"));
    CU_ASSERT(!llmfp_word_in("gpt2 jais -", "gpt"));
    CU_ASSERT(!llmfp_word_in("gpt2 jais -", "gpt2 jais"));
    CU_ASSERT(!llmfp_word_in("gpt2 jais -", "ais"));
}

TEST_PROGRAM("rules", TEST(no_rule_is_hidden), TEST(layouts_are_whole),
             TEST(exclusions_exclude_no_language_model), TEST(globals_are_single),
             TEST(words_are_whole))
