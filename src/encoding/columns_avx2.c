/* columns_avx2.c - sums of columns for x86-64 with AVX2 (llmfp/isa.h). */
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,bmi2")))
#include "columns_template.h"

const struct columns_kernels columns_avx2 = {add_words, add_inputs, add_nibbles,
                                             columns_finish_portable};
#else
typedef int llmfp_no_avx2_columns; /* a translation unit may not be empty */
#endif
