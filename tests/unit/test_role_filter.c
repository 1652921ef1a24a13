/* test_role_filter.c - the option --roles. */
#include <string.h>

#include "cunit_main.h"
#include "llmfp/roles.h"

static bool wants(const char *list, const char *role)
{
    struct llmfp_role_filter *filter = NULL;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_FATAL(llmfp_role_filter_new(list, &filter, &error) == LLMFP_OK);
    const bool wanted = llmfp_role_wanted(filter, role);
    llmfp_role_filter_free(filter);
    return wanted;
}

static void refuses(const char *list, const char *in_message)
{
    struct llmfp_role_filter *filter = NULL;
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT(llmfp_role_filter_new(list, &filter, &error) == LLMFP_USAGE);
    CU_ASSERT(error.status == LLMFP_USAGE);
    CU_ASSERT_PTR_NULL(filter);
    if (strstr(error.text, in_message) == NULL) {
        printf("\n    %s: %s\n", list, error.text);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, in_message));
}

static void no_list_wants_all(void)
{
    CU_ASSERT(wants(NULL, "attn.q"));
    CU_ASSERT(wants("", "other:a.*.b"));
    CU_ASSERT(llmfp_role_wanted(NULL, "attn.q"));
    llmfp_role_filter_free(NULL);
}

static void names_and_stars(void)
{
    CU_ASSERT(wants("attn.q", "attn.q"));
    CU_ASSERT(!wants("attn.q", "attn.q.bias"));
    CU_ASSERT(!wants("attn.q", "attn.q_a"));
    CU_ASSERT(!wants("attn.q", "mtp.attn.q"));
    CU_ASSERT(wants("attn.*", "attn.q.bias"));
    CU_ASSERT(!wants("attn.*", "encoder.attn.q"));
    CU_ASSERT(wants("*.bias", "moe.router.bias"));
    CU_ASSERT(!wants("*.bias", "attn.q"));
    CU_ASSERT(wants("mlp.up, attn.k\t,embed", "attn.k"));
    CU_ASSERT(wants("mlp.up,attn.k,embed", "embed"));
    CU_ASSERT(!wants("mlp.up,attn.k,embed", "lm_head"));
    CU_ASSERT(wants("*", "other:x.*.y"));
    CU_ASSERT(wants("a*n.*_*m", "attn.q_a_norm"));
    CU_ASSERT(!wants("a*n.*_*m", "attn.q_a_norm.bias"));
    CU_ASSERT(wants("encoder.attn.*,mtp.*,xattn.q", "mtp.moe.shared.router"));
    CU_ASSERT(wants("encoder.attn.*,mtp.*,xattn.q", "xattn.q"));
    CU_ASSERT(wants("other:vision*", "other:vision.blocks.*.qkv"));
    CU_ASSERT(wants("other:a.*.b", "other:a.*.b"));
    CU_ASSERT(!wants("other:a.*.b", "other:a.*.c"));
}

static void refuses_what_matches_nothing(void)
{
    refuses("attn.Q", "\"attn.Q\"");
    refuses("attn.q,atn.k", "\"atn.k\"");
    refuses("attn.q,atn.k", "attn.*, mlp.gate");
    refuses("*.bais", "\"*.bais\"");
    refuses("decoder.attn.q", "\"decoder.attn.q\"");
    refuses("other", "other:*");
    refuses("attn.q\x1b[2J", "\\x1b");
}

static void refuses_empty_items(void)
{
    refuses(",", "item 1");
    refuses("attn.q,", "item 2");
    refuses("attn.q,,attn.k", "item 2");
    refuses("  ", "item 1");
}

TEST_PROGRAM("role_filter", TEST(no_list_wants_all), TEST(names_and_stars),
             TEST(refuses_what_matches_nothing), TEST(refuses_empty_items))
