/* role_names.c - the names of all roles, spelled out at compile time. */
#include "role_names.h"

#define NAME(identifier, name)              [identifier] = name,
#define BIAS_NAME(identifier, name)         [identifier] = name ".bias",
#define ENCODER_NAME(identifier, name)      [identifier] = "encoder." name,
#define ENCODER_BIAS_NAME(identifier, name) [identifier] = "encoder." name ".bias",
#define MTP_NAME(identifier, name)          [identifier] = "mtp." name,
#define MTP_BIAS_NAME(identifier, name)     [identifier] = "mtp." name ".bias",

static const char *const names[N_STACK_KINDS][2][N_ROLES] = {
    [STACK_MAIN] = {{LLMFP_ROLE_LIST(NAME)}, {LLMFP_ROLE_LIST(BIAS_NAME)}},
    [STACK_ENCODER] = {{LLMFP_ROLE_LIST(ENCODER_NAME)}, {LLMFP_ROLE_LIST(ENCODER_BIAS_NAME)}},
    [STACK_MTP] = {{LLMFP_ROLE_LIST(MTP_NAME)}, {LLMFP_ROLE_LIST(MTP_BIAS_NAME)}},
};

const char *llmfp_role_name(enum llmfp_stack_kind kind, enum llmfp_role role, bool bias)
{
    return names[kind][bias ? 1 : 0][role];
}
