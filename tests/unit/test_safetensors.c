/* Headers of safetensors files that are accepted, odd ones too, and what a header with
 * very many tensors costs.                                                        */
#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>

#include "cunit_main.h"
#include "safetensors_file.h"

/* ---- good files ---- */

static void reads_a_plain_file(void)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
        "\"a\":{\"data_offsets\":[0,8],\"shape\":[],\"dtype\":\"F64\"}}   ";
    struct scratch scratch;
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    CU_ASSERT_EQUAL_FATAL(read_header(&scratch, header, sizeof header - 1, 20, &catalog, &error),
                          LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(catalog.n_tensors, 2);
    const uint64_t data = 8 + sizeof header - 1;
    const struct llmfp_tensor *a = &catalog.tensors[0];
    const struct llmfp_tensor *b = &catalog.tensors[1];
    CU_ASSERT_STRING_EQUAL(a->name, "a");
    CU_ASSERT_EQUAL(a->encoding, LLMFP_F64);
    CU_ASSERT_EQUAL(a->n_dimensions, 0);
    CU_ASSERT_EQUAL(a->n_elements, 1);
    CU_ASSERT_EQUAL(a->data.offset_bytes, data);
    CU_ASSERT_EQUAL(a->data.size_bytes, 8);
    CU_ASSERT_STRING_EQUAL(b->name, "b.weight");
    CU_ASSERT_EQUAL(b->encoding, LLMFP_BF16);
    CU_ASSERT_EQUAL_FATAL(b->n_dimensions, 2);
    CU_ASSERT_EQUAL(b->shape[0], 2);
    CU_ASSERT_EQUAL(b->shape[1], 3);
    CU_ASSERT_EQUAL(b->n_elements, 6);
    CU_ASSERT_EQUAL(b->data.offset_bytes, data + 8);
    CU_ASSERT_EQUAL(b->data.size_bytes, 12);
    CU_ASSERT_EQUAL(b->n_sides, 0);
    CU_ASSERT_EQUAL(catalog.files[0].header_bytes, data);
    CU_ASSERT_EQUAL(catalog.files[0].size_bytes, data + 20);
    CU_ASSERT_NOT_EQUAL(catalog.files[0].digest, 0);
    CU_ASSERT_NOT_EQUAL(catalog.files[0].modified_ns, 0);
    llmfp_catalog_clear(&catalog);
    scratch_end(&scratch);
}

static void knows_every_dtype(void)
{
    static const struct {
        const char *name;
        unsigned bits;
    } dtypes[] = {{"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6},
                  {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8},
                  {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
                  {"U16", 16},    {"F16", 16},        {"BF16", 16},       {"I32", 32},
                  {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},
                  {"I64", 64},    {"U64", 64}};
    struct scratch scratch;
    scratch_begin(&scratch);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        char header[200];
        struct llmfp_catalog catalog;
        struct llmfp_error error = {LLMFP_OK, ""};
        const unsigned bytes = 3 * 4 * dtypes[i].bits / 8;
        const int length =
            snprintf(header, sizeof header,
                     "{\"t\":{\"dtype\":\"%s\",\"shape\":[3,4],\"data_offsets\":[0,%u]}}",
                     dtypes[i].name, bytes);
        CU_ASSERT_EQUAL_FATAL(
            read_header(&scratch, header, (size_t)length, bytes, &catalog, &error), LLMFP_OK);
        CU_ASSERT_STRING_EQUAL(llmfp_encoding(catalog.tensors[0].encoding)->name, dtypes[i].name);
        CU_ASSERT_EQUAL(catalog.tensors[0].n_elements, 12);
        CU_ASSERT_EQUAL(catalog.tensors[0].data.size_bytes, bytes);
        llmfp_catalog_clear(&catalog);
    }
    scratch_end(&scratch);
}

struct accepted {
    const char *header;
    uint64_t data_bytes;
    size_t n_tensors;
};

static void accepts_oddities(void)
{
    static const struct accepted cases[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\":null}", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"},\"t\":" ONE "}", 8, 1},
        {" \t\r\n{\"t\":" ONE "} \t\r\n  ", 8, 1},
        {"{\"t\":{\"dtype\":\"F32\",\"x\":[{\"y\":null}],\"shape\":[2],\"data_offsets\":[0,8],"
         "\"z\":-1.5e3}}",
         8, 1},
        {"{\"t\":[\"F32\",[2],[0,8]]}", 8, 1},
        {"{\"\":" ONE "}", 8, 1},
        {"{\"\\u001b[31m\":" ONE "}", 8, 1},
        {"{\"dtype\":" ONE "}", 8, 1},
        /* Empty tensors may share an offset, at any place. */
        {"{\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
         "\"f\":{\"dtype\":\"F32\",\"shape\":[3,0,5],\"data_offsets\":[0,0]},\"t\":" ONE ","
         "\"g\":{\"dtype\":\"F4\",\"shape\":[0],\"data_offsets\":[8,8]},"
         "\"h\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,8]}}",
         8, 5},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775808,9223372036854775808],"
         "\"data_offsets\":[0,0]}}",
         0, 1},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[0,18446744073709551615],\"data_offsets\":[0,0]}}", 0,
         1},
        /* Any order in the header. */
        {"{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},\"a\":" ONE "}", 12, 2},
        {"{\"t\":{\"dtype\":\"F\\u0033\\u0032\",\"sh\\u0061pe\":[2],\"data_offsets\":[0,8]}}", 8,
         1},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"
         "\"data_offsets\":[0,8]}}",
         8, 1},
        {"{\"t\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, 1},
    };
    struct scratch scratch;
    scratch_begin(&scratch);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llmfp_catalog catalog;
        struct llmfp_error error = {LLMFP_OK, ""};
        const enum llmfp_status status =
            read_header(&scratch, cases[i].header, strlen(cases[i].header), cases[i].data_bytes,
                        &catalog, &error);
        if (status != LLMFP_OK) {
            printf("\n  %s\n  %s\n", cases[i].header, error.text);
        }
        CU_ASSERT_EQUAL(status, LLMFP_OK);
        CU_ASSERT_EQUAL(catalog.n_tensors, cases[i].n_tensors);
        CU_ASSERT_STRING_EQUAL(error.text, "");
        llmfp_catalog_clear(&catalog);
    }
    scratch_end(&scratch);
}

/* ---- cost ---- */

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static long most_resident_kib(void)
{
    struct rusage usage;
    CU_ASSERT_EQUAL_FATAL(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* n tensors of one BF16 element, offsets descending, so that all must be sorted. */
static char *many_tensors(size_t n, size_t *n_bytes)
{
    enum { ENTRY_BYTES = 160 };
    char *header = malloc(n * ENTRY_BYTES + 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(header);
    size_t used = 0;
    header[used++] = '{';
    for (size_t i = 0; i < n; i++) {
        const size_t place = n - 1 - i;
        used += (size_t)snprintf(header + used, ENTRY_BYTES,
                                 "\"model.layers.%zu.mlp.experts.%zu.w\":{\"dtype\":\"BF16\","
                                 "\"shape\":[1],\"data_offsets\":[%zu,%zu]},",
                                 i / 1000, i % 1000, 2 * place, 2 * place + 2);
    }
    header[used - 1] = '}';
    *n_bytes = used;
    return header;
}

/* 300,000 tensors in 33 MB: seconds and memory grow linearly, so that a million in
 * 100 MB take less than 5 s and 300 MiB. The bounds here leave room for sanitizers. */
static void many_tensors_cost_little(void)
{
    const size_t n = 300000;
    struct scratch scratch;
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    size_t n_bytes;
    scratch_begin(&scratch);
    char *header = many_tensors(n, &n_bytes);
    scratch_safetensors(&scratch, "x.safetensors", header, n_bytes, 2 * n);
    const long before = most_resident_kib();
    const double start = seconds();
    CU_ASSERT_EQUAL_FATAL(read_file(&scratch, "x.safetensors", &catalog, &error), LLMFP_OK);
    const double taken = seconds() - start;
    const long grown = most_resident_kib() - before;
    printf("%zu bytes of header, %.2f s, %ld MiB ", n_bytes, taken, grown / 1024);
    CU_ASSERT_EQUAL(catalog.n_tensors, n);
    CU_ASSERT_STRING_EQUAL(catalog.tensors[0].name, "model.layers.299.mlp.experts.999.w");
    CU_ASSERT_TRUE(taken < 5.0);
    CU_ASSERT_TRUE(grown < 160L * 1024);
    free(header);
    llmfp_catalog_clear(&catalog);
    scratch_end(&scratch);
}

/* A name of 5 MB, a shape of a million ones. */
static void long_names_and_shapes(void)
{
    enum { NAME = 5000000, ONES = 1000000 };
    struct scratch scratch;
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    char *header = malloc(NAME + 2 * ONES + 100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(header);
    scratch_begin(&scratch);
    size_t used = (size_t)snprintf(header, 10, "{\"");
    memset(header + used, 'n', NAME);
    used += NAME;
    used += (size_t)snprintf(header + used, 50, "\":{\"dtype\":\"U8\",\"shape\":[");
    for (size_t i = 0; i < ONES; i++) {
        header[used++] = '1';
        header[used++] = i + 1 < ONES ? ',' : ']';
    }
    used += (size_t)snprintf(header + used, 50, ",\"data_offsets\":[0,1]}}");
    CU_ASSERT_EQUAL_FATAL(read_header(&scratch, header, used, 1, &catalog, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(catalog.tensors[0].n_dimensions, ONES);
    CU_ASSERT_EQUAL(catalog.tensors[0].shape[ONES - 1], 1);
    CU_ASSERT_EQUAL(strlen(catalog.tensors[0].name), NAME);
    llmfp_catalog_clear(&catalog);
    free(header);
    scratch_end(&scratch);
}

static void digest_follows_the_header(void)
{
    static const char *const headers[] = {"{\"t\":" ONE "}", "{\"u\":" ONE "}", "{\"t\":" ONE "} "};
    struct scratch scratch;
    uint64_t digests[4];
    scratch_begin(&scratch);
    for (size_t i = 0; i < 4; i++) {
        struct llmfp_catalog catalog;
        struct llmfp_error error = {LLMFP_OK, ""};
        const char *header = headers[i % 3];
        CU_ASSERT_EQUAL_FATAL(read_header(&scratch, header, strlen(header), 8, &catalog, &error),
                              LLMFP_OK);
        digests[i] = catalog.files[0].digest;
        llmfp_catalog_clear(&catalog);
    }
    CU_ASSERT_EQUAL(digests[0], digests[3]);
    CU_ASSERT_NOT_EQUAL(digests[0], digests[1]);
    CU_ASSERT_NOT_EQUAL(digests[0], digests[2]);
    /* Published test values of 64-bit FNV-1a. */
    CU_ASSERT_EQUAL(llmfp_digest((const unsigned char *)"", 0), 0xcbf29ce484222325U);
    CU_ASSERT_EQUAL(llmfp_digest((const unsigned char *)"a", 1), 0xaf63dc4c8601ec8cU);
    CU_ASSERT_EQUAL(llmfp_digest((const unsigned char *)"foobar", 6), 0x85944171f73967e8U);
    scratch_end(&scratch);
}

TEST_PROGRAM("safetensors", TEST(reads_a_plain_file), TEST(knows_every_dtype),
             TEST(accepts_oddities), TEST(many_tensors_cost_little), TEST(long_names_and_shapes),
             TEST(digest_follows_the_header))
