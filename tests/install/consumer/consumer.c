/* consumer.c - uses each library that the core stands on. Fails with a wrong result. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "all_headers.h" /* written by the test: every header that was installed */

/* MPFR and GMP: the standard deviation of 1 and 2. */
static int statistics_work(void)
{
    static const unsigned char bf16[] = {0x80, 0x3f, 0x00, 0x40};
    struct llmfp_moments_layout layout = {0};
    const struct llmfp_encoding *encoding = llmfp_encoding(LLMFP_BF16);
    llmfp_moments_layout_cover(&layout, encoding);
    int64_t additive[256];
    int64_t extreme[LLMFP_N_EXTREMES];
    if (llmfp_moments_size(&layout) > 256) {
        return 0;
    }
    struct llmfp_moments moments = llmfp_moments_begin(&layout, additive, extreme);
    const struct llmfp_elements elements = {.bytes = bf16, .n_elements = 2};
    encoding->add(&moments, &elements);
    struct llmfp_statistics statistics;
    llmfp_statistics_compute(&moments, &statistics);
    return statistics.count == 2 && statistics.mean == 1.5 && statistics.std == sqrt(0.5);
}

/* cJSON: a configuration that is none. */
static int configurations_work(void)
{
    struct llmfp_configuration configuration = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    static const char text[] = "{\"model_type\": ";
    return llmfp_configuration_read(text, strlen(text), &configuration, &error) != LLMFP_OK;
}

int main(void)
{
    const int works = statistics_work() && configurations_work();
    puts(works ? "works" : "does not work");
    return works ? 0 : 1;
}
