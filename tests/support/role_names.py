"""The order in which results files list roles."""

BASE = """attn.q attn.k attn.v attn.o attn.gate attn.sink attn.q_norm attn.k_norm
attn.q_a attn.q_b attn.kv_a attn.kv_b attn.q_a_norm attn.kv_a_norm attn.qkv
norm.attn norm.attn_post norm.mlp norm.mlp_post mlp.gate mlp.up mlp.down
moe.router moe.shared.gate moe.shared.up moe.shared.down moe.shared.router
embed lm_head norm.final""".split()
PREFIXES = ("", "encoder.", "mtp.", "xattn.")


def sort_key(role):
    """Contract order, a bias behind its weight; then encoder., mtp., xattn.; then other:."""
    if role.startswith("other:"):
        return len(PREFIXES), 0, False, role.encode()
    bias = role.endswith(".bias")
    name = role[:-len(".bias")] if bias else role
    for number in range(len(PREFIXES) - 1, -1, -1):
        if name.startswith(PREFIXES[number]):
            rest = name[len(PREFIXES[number]):]
            rest = "attn." + rest if PREFIXES[number] == "xattn." else rest
            place = BASE.index(rest) if rest in BASE else len(BASE)
            return number, place, bias, role.encode()
    raise ValueError(role)
