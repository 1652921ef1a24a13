/* isa.c - choice of the instruction set. The environment is read each time a
 * kernel starts, once per piece of megabytes: no state, no initialisation.     */
#include "llmfp/isa.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[LLMFP_N_ISAS] = {
    [LLMFP_ISA_PORTABLE] = "portable",
    [LLMFP_ISA_AVX2] = "avx2",
    [LLMFP_ISA_AVX512] = "avx512",
    [LLMFP_ISA_NEON] = "neon",
};

static const char *requested(void)
{
    const char *name = getenv("LLMFP_ISA");
    return name != NULL && name[0] != '\0' ? name : NULL;
}

static enum llmfp_isa find(const char *name)
{
    int isa = 0;
    while (isa < LLMFP_N_ISAS && strcmp(names[isa], name) != 0) {
        isa++;
    }
    return (enum llmfp_isa)isa;
}

bool llmfp_isa_is_supported(enum llmfp_isa isa)
{
    switch (isa) {
    case LLMFP_ISA_PORTABLE:
        return true;
#if defined(__x86_64__)
    case LLMFP_ISA_AVX2:
        /* F16C came before AVX2 on every processor that has both. */
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2");
    case LLMFP_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
               __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512ifma") &&
               __builtin_cpu_supports("gfni") && __builtin_cpu_supports("avx512vpopcntdq");
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    case LLMFP_ISA_NEON:
        return true; /* part of every AArch64 */
#endif
    default:
        return false;
    }
}

enum llmfp_isa llmfp_isa_chosen(void)
{
    const char *name = requested();
    if (name != NULL) {
        const enum llmfp_isa isa = find(name);
        if (llmfp_isa_is_supported(isa)) {
            return isa;
        }
    }
    for (int isa = LLMFP_N_ISAS - 1; isa > LLMFP_ISA_PORTABLE; isa--) {
        if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
            return (enum llmfp_isa)isa;
        }
    }
    return LLMFP_ISA_PORTABLE;
}

const char *llmfp_isa_name(enum llmfp_isa isa)
{
    return names[isa];
}

enum llmfp_status llmfp_isa_check(struct llmfp_error *error)
{
    const char *name = requested();
    if (name == NULL) {
        return LLMFP_OK;
    }
    const enum llmfp_isa isa = find(name);
    if (isa == LLMFP_N_ISAS) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "LLMFP_ISA is '%s', which is no instruction set that this program knows: "
                          "use portable, avx2, avx512 or neon, or unset it.",
                          name);
    }
    if (!llmfp_isa_is_supported(isa)) {
        return llmfp_fail(error, LLMFP_USAGE,
                          "LLMFP_ISA is '%s', which this machine cannot run: unset it and the best "
                          "set is chosen.",
                          name);
    }
    return LLMFP_OK;
}
