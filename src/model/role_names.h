/* role_names.h - the words of the results file: every role that a rule can give. */
#ifndef LLMFP_ROLE_NAMES_H
#define LLMFP_ROLE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* ROLE(identifier, name). The names are public: a change is a schema change.   */
#define LLMFP_ROLE_LIST(ROLE)                                                                      \
    ROLE(ATTN_Q, "attn.q")                                                                         \
    ROLE(ATTN_K, "attn.k")                                                                         \
    ROLE(ATTN_V, "attn.v")                                                                         \
    ROLE(ATTN_O, "attn.o")                                                                         \
    ROLE(ATTN_GATE, "attn.gate")                                                                   \
    ROLE(ATTN_SINK, "attn.sink")                                                                   \
    ROLE(ATTN_Q_NORM, "attn.q_norm")                                                               \
    ROLE(ATTN_K_NORM, "attn.k_norm")                                                               \
    ROLE(ATTN_Q_A, "attn.q_a")                                                                     \
    ROLE(ATTN_Q_B, "attn.q_b")                                                                     \
    ROLE(ATTN_KV_A, "attn.kv_a")                                                                   \
    ROLE(ATTN_KV_B, "attn.kv_b")                                                                   \
    ROLE(ATTN_Q_A_NORM, "attn.q_a_norm")                                                           \
    ROLE(ATTN_KV_A_NORM, "attn.kv_a_norm")                                                         \
    ROLE(ATTN_QKV, "attn.qkv")                                                                     \
    ROLE(NORM_ATTN, "norm.attn")                                                                   \
    ROLE(NORM_ATTN_POST, "norm.attn_post")                                                         \
    ROLE(NORM_MLP, "norm.mlp")                                                                     \
    ROLE(NORM_MLP_POST, "norm.mlp_post")                                                           \
    ROLE(MLP_GATE, "mlp.gate")                                                                     \
    ROLE(MLP_UP, "mlp.up")                                                                         \
    ROLE(MLP_DOWN, "mlp.down")                                                                     \
    ROLE(MOE_ROUTER, "moe.router")                                                                 \
    ROLE(MOE_SHARED_GATE, "moe.shared.gate")                                                       \
    ROLE(MOE_SHARED_UP, "moe.shared.up")                                                           \
    ROLE(MOE_SHARED_DOWN, "moe.shared.down")                                                       \
    ROLE(MOE_SHARED_ROUTER, "moe.shared.router")                                                   \
    ROLE(EMBED, "embed")                                                                           \
    ROLE(LM_HEAD, "lm_head")                                                                       \
    ROLE(NORM_FINAL, "norm.final")                                                                 \
    ROLE(XATTN_Q, "xattn.q")                                                                       \
    ROLE(XATTN_K, "xattn.k")                                                                       \
    ROLE(XATTN_V, "xattn.v")                                                                       \
    ROLE(XATTN_O, "xattn.o")

#define LLMFP_ROLE_IDENTIFIER(identifier, name) identifier,
enum llmfp_role {
    ROLE_OTHER, /* no role of its own: `other:` */
    LLMFP_ROLE_LIST(LLMFP_ROLE_IDENTIFIER) N_ROLES
};
#undef LLMFP_ROLE_IDENTIFIER

/* Which stack of blocks; all but the main one put a prefix before the role.    */
enum llmfp_stack_kind { STACK_MAIN, STACK_ENCODER, STACK_MTP, N_STACK_KINDS };

#define LLMFP_OTHER_PREFIX "other:"

/* The name of a role above ROLE_OTHER, e.g. "mtp.attn.q.bias"; static.   Local. */
const char *llmfp_role_name(enum llmfp_stack_kind kind, enum llmfp_role role, bool bias);

#endif
