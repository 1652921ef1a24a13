/* test_gguf.c - headers of GGUF files: tensors and their places, sizes from the metadata, which
 * files are one checkpoint, and bounds that no honest file comes near. The many ways in
 * which a file can be malformed are in tests/scan/test_gguf.py.                      */
#include <inttypes.h>

#include "cunit_main.h"
#include "gguf.h"
#include "gguf_metadata.h"
#include "llmfp/checkpoint.h"
#include "llmfp/configuration.h"
#include "safetensors_file.h"

/* ---- writing ---- */

enum { U16 = 2, I32 = 5, U32 = 4, STRING = 8, ARRAY = 9 };

static void put_string(struct llmfp_buffer *to, const char *text)
{
    llmfp_buffer_put_u64(to, strlen(text));
    llmfp_buffer_put(to, text, strlen(text));
}

static void put_head(struct llmfp_buffer *to, uint64_t n_tensors, uint64_t n_keys)
{
    llmfp_buffer_put(to, "GGUF", 4);
    llmfp_buffer_put_u32(to, 3);
    llmfp_buffer_put_u64(to, n_tensors);
    llmfp_buffer_put_u64(to, n_keys);
}

static void put_u32(struct llmfp_buffer *to, const char *key, uint32_t value)
{
    put_string(to, key);
    llmfp_buffer_put_u32(to, U32);
    llmfp_buffer_put_u32(to, value);
}

static void put_text(struct llmfp_buffer *to, const char *key, const char *value)
{
    put_string(to, key);
    llmfp_buffer_put_u32(to, STRING);
    put_string(to, value);
}

static void put_list(struct llmfp_buffer *to, const char *key, const uint32_t *values, size_t n)
{
    put_string(to, key);
    llmfp_buffer_put_u32(to, ARRAY);
    llmfp_buffer_put_u32(to, I32);
    llmfp_buffer_put_u64(to, n);
    for (size_t i = 0; i < n; i++) {
        llmfp_buffer_put_u32(to, values[i]);
    }
}

static void put_tensor(struct llmfp_buffer *to, const char *name, uint64_t columns, uint64_t rows,
                       uint32_t type, uint64_t offset)
{
    put_string(to, name);
    llmfp_buffer_put_u32(to, 2);
    llmfp_buffer_put_u64(to, columns);
    llmfp_buffer_put_u64(to, rows);
    llmfp_buffer_put_u32(to, type);
    llmfp_buffer_put_u64(to, offset);
}

/* Write what the buffer holds, and data_bytes zeros behind the next multiple of 32. */
static void save(struct scratch *scratch, const char *name, struct llmfp_buffer *from,
                 uint64_t data_bytes)
{
    CU_ASSERT_FALSE_FATAL(from->failed);
    scratch_write(scratch, name, from->bytes, from->size_bytes);
    const uint64_t start = (from->size_bytes + 31) / 32 * 32;
    CU_ASSERT_EQUAL_FATAL(truncate(scratch_path(scratch, name), (off_t)(start + data_bytes)), 0);
    llmfp_buffer_clear(from);
}

/* ---- headers ---- */

static void places_tensors(void)
{
    struct scratch scratch;
    struct llmfp_buffer file = {0};
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    put_head(&file, 3, 1);
    put_text(&file, "general.architecture", "llama");
    put_tensor(&file, "b", 64, 3, 8, 0);     /* Q8_0: 3 * 2 * 34 = 204 bytes, 224 with padding */
    put_tensor(&file, "a", 256, 1, 12, 224); /* Q4_K: 144, 160 */
    put_tensor(&file, "c", 5, 2, 0, 384);    /* F32: 40, and no padding behind it */
    const uint64_t start = (file.size_bytes + 31) / 32 * 32;
    save(&scratch, "x.gguf", &file, 384 + 40);
    CU_ASSERT_EQUAL_FATAL(read_file(&scratch, "x.gguf", &catalog, &error), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(catalog.n_tensors, 3);
    static const struct {
        const char *name;
        enum llmfp_encoding_id encoding;
        uint64_t shape[2];
        uint64_t offset;
        uint64_t bytes;
    } wanted[] = {{"b", LLMFP_Q8_0, {3, 64}, 0, 204},
                  {"a", LLMFP_Q4_K, {1, 256}, 224, 144},
                  {"c", LLMFP_F32, {2, 5}, 384, 40}};
    for (size_t i = 0; i < 3; i++) {
        const struct llmfp_tensor *tensor = &catalog.tensors[i];
        CU_ASSERT_STRING_EQUAL(tensor->name, wanted[i].name);
        CU_ASSERT_EQUAL(tensor->encoding, wanted[i].encoding);
        CU_ASSERT_EQUAL_FATAL(tensor->n_dimensions, 2);
        CU_ASSERT_EQUAL(tensor->shape[0], wanted[i].shape[0]);
        CU_ASSERT_EQUAL(tensor->shape[1], wanted[i].shape[1]);
        CU_ASSERT_EQUAL(tensor->data.offset_bytes, start + wanted[i].offset);
        CU_ASSERT_EQUAL(tensor->data.size_bytes, wanted[i].bytes);
    }
    CU_ASSERT_NOT_EQUAL(catalog.files[0].digest, 0);
    llmfp_catalog_clear(&catalog);
    scratch_end(&scratch);
}

static uint64_t digest_with(struct scratch *scratch, const char *key, uint32_t value)
{
    struct llmfp_buffer file = {0};
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    put_head(&file, 0, 1);
    put_u32(&file, key, value);
    save(scratch, "x.gguf", &file, 0);
    CU_ASSERT_EQUAL_FATAL(read_file(scratch, "x.gguf", &catalog, &error), LLMFP_OK);
    const uint64_t digest = catalog.files[0].digest;
    llmfp_catalog_clear(&catalog);
    return digest;
}

/* Values of keys that are not needed are stepped over; others change the digest. */
static void digests_what_it_reads(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    CU_ASSERT_EQUAL(digest_with(&scratch, "general.alignment", 32),
                    digest_with(&scratch, "general.alignment", 32));
    CU_ASSERT_NOT_EQUAL(digest_with(&scratch, "general.alignment", 32),
                        digest_with(&scratch, "general.alignment", 64));
    CU_ASSERT_NOT_EQUAL(digest_with(&scratch, "general.alignment", 32),
                        digest_with(&scratch, "general.alignmenu", 32));
    scratch_end(&scratch);
}

/* A list that crosses the buffer's end many times. */
static void reads_long_metadata(void)
{
    enum { STRINGS = 50000 };
    struct scratch scratch;
    struct llmfp_buffer file = {0};
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    put_head(&file, 1, 2);
    put_string(&file, "tokenizer.ggml.tokens");
    llmfp_buffer_put_u32(&file, ARRAY);
    llmfp_buffer_put_u32(&file, STRING);
    llmfp_buffer_put_u64(&file, STRINGS);
    for (int i = 0; i < STRINGS; i++) {
        put_string(&file, &"abcdefghijklmnopq"[i % 17]);
    }
    put_u32(&file, "general.alignment", 32);
    put_tensor(&file, "t", 4, 1, 0, 0);
    save(&scratch, "x.gguf", &file, 16);
    CU_ASSERT_EQUAL(read_file(&scratch, "x.gguf", &catalog, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(catalog.n_tensors, 1);
    llmfp_catalog_clear(&catalog);
    scratch_end(&scratch);
}

/* ---- sizes ---- */

/* Locate a file of these pairs and read its configuration. */
static void configure(struct scratch *scratch, struct llmfp_buffer *file,
                      struct llmfp_configuration *configuration)
{
    struct llmfp_checkpoint checkpoint;
    struct llmfp_error error = {LLMFP_OK, ""};
    save(scratch, "x.gguf", file, 0);
    CU_ASSERT_EQUAL_FATAL(
        llmfp_checkpoint_locate(scratch_path(scratch, "x.gguf"), &checkpoint, &error), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(llmfp_configuration_read(checkpoint.configuration,
                                                   checkpoint.configuration_bytes, configuration,
                                                   &error),
                          LLMFP_OK);
    llmfp_checkpoint_clear(&checkpoint);
}

static void knows_plain_sizes(void)
{
    struct scratch scratch;
    struct llmfp_buffer file = {0};
    struct llmfp_configuration configuration;
    scratch_begin(&scratch);
    put_head(&file, 0, 9);
    put_text(&file, "general.architecture", "qwen2moe");
    put_u32(&file, "qwen2moe.block_count", 24);
    put_u32(&file, "qwen2moe.embedding_length", 2048);
    put_u32(&file, "qwen2moe.feed_forward_length", 5632);
    put_u32(&file, "qwen2moe.expert_feed_forward_length", 1408);
    put_u32(&file, "qwen2moe.expert_count", 60);
    put_u32(&file, "qwen2moe.attention.head_count", 16);
    put_u32(&file, "qwen2moe.attention.head_count_kv", 4);
    put_u32(&file, "llama.attention.key_length", 99); /* not of this architecture */
    configure(&scratch, &file, &configuration);
    CU_ASSERT_TRUE(configuration.present);
    CU_ASSERT_STRING_EQUAL(configuration.model_type, "qwen2moe");
    CU_ASSERT_STRING_EQUAL(configuration.architecture, "qwen2moe");
    CU_ASSERT_EQUAL(configuration.n_layers, 24);
    CU_ASSERT_EQUAL(configuration.hidden, 2048);
    CU_ASSERT_EQUAL(configuration.feed_forward, 5632);
    CU_ASSERT_EQUAL(configuration.expert_feed_forward, 1408);
    CU_ASSERT_EQUAL(configuration.experts, 60);
    CU_ASSERT_EQUAL(configuration.heads, 16);
    CU_ASSERT_EQUAL(configuration.kv_heads, 4);
    CU_ASSERT_EQUAL(configuration.head_size, 128);
    scratch_end(&scratch);
}

/* What is left out means what it means in GGUF, not what a class of that name supplies. */
static void knows_what_is_left_out(void)
{
    struct scratch scratch;
    struct llmfp_buffer file = {0};
    struct llmfp_configuration configuration;
    scratch_begin(&scratch);
    put_head(&file, 0, 3);
    put_u32(&file, "gemma2.embedding_length", 64);
    put_u32(&file, "gemma2.attention.head_count", 4);
    put_text(&file, "general.architecture", "gemma2");
    configure(&scratch, &file, &configuration);
    CU_ASSERT_EQUAL(configuration.kv_heads, 4);
    CU_ASSERT_EQUAL(configuration.head_size, 16);
    CU_ASSERT_EQUAL(configuration.n_layers, 0);
    put_head(&file, 0, 0);
    configure(&scratch, &file, &configuration);
    CU_ASSERT_STRING_EQUAL(configuration.model_type, "");
    CU_ASSERT_EQUAL(configuration.heads, 0);
    scratch_end(&scratch);
}

static void knows_latent_attention(void)
{
    struct scratch scratch;
    struct llmfp_configuration configuration;
    scratch_begin(&scratch);
    for (int newer = 0; newer < 2; newer++) {
        struct llmfp_buffer file = {0};
        put_head(&file, 0, newer != 0 ? 8 : 7);
        put_text(&file, "general.architecture", "deepseek2");
        put_u32(&file, "deepseek2.block_count", 62);
        put_u32(&file, "deepseek2.nextn_predict_layers", 1);
        put_u32(&file, "deepseek2.attention.head_count", 128);
        put_u32(&file, "deepseek2.attention.kv_lora_rank", 512);
        put_u32(&file, "deepseek2.rope.dimension_count", 64);
        put_u32(&file, "deepseek2.attention.key_length", newer != 0 ? 576 : 192);
        if (newer != 0) {
            put_u32(&file, "deepseek2.attention.key_length_mla", 192);
        }
        configure(&scratch, &file, &configuration);
        CU_ASSERT_TRUE(configuration.latent_attention);
        CU_ASSERT_EQUAL(configuration.head_size, 192);
        CU_ASSERT_EQUAL(configuration.n_layers, 61);
    }
    scratch_end(&scratch);
}

static void knows_lists(void)
{
    static const uint32_t heads[] = {12, 16, 20};
    static const uint32_t kv_heads[] = {3, 4, 5};
    static const uint32_t alike[] = {4, 4, 4};
    struct scratch scratch;
    struct llmfp_buffer file = {0};
    struct llmfp_configuration configuration;
    scratch_begin(&scratch);
    put_head(&file, 0, 4);
    put_text(&file, "general.architecture", "openelm");
    put_list(&file, "openelm.attention.head_count", heads, 3);
    put_list(&file, "openelm.attention.head_count_kv", kv_heads, 3);
    put_list(&file, "openelm.feed_forward_length", alike, 3);
    configure(&scratch, &file, &configuration);
    CU_ASSERT_EQUAL_FATAL(configuration.n_listed_layers, 3);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(configuration.layer_heads[i], heads[i]);
        CU_ASSERT_EQUAL(configuration.layer_kv_heads[i], kv_heads[i]);
    }
    CU_ASSERT_EQUAL(configuration.heads, 0);
    CU_ASSERT_EQUAL(configuration.feed_forward, 4);
    /* One number and one list, as hybrids have them. */
    put_head(&file, 0, 3);
    put_text(&file, "general.architecture", "jamba \"\\\n");
    put_u32(&file, "jamba \"\\\n.attention.head_count", 8);
    put_list(&file, "jamba \"\\\n.attention.head_count_kv", kv_heads, 3);
    configure(&scratch, &file, &configuration);
    CU_ASSERT_EQUAL_FATAL(configuration.n_listed_layers, 3);
    CU_ASSERT_EQUAL(configuration.layer_heads[2], 8);
    CU_ASSERT_EQUAL(configuration.layer_kv_heads[2], 5);
    CU_ASSERT_EQUAL(configuration.heads, 8);
    scratch_end(&scratch);
}

/* ---- parts ---- */

static void names_parts(void)
{
    struct llmfp_arena arena = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    static const struct {
        const char *name;
        size_t n;
        const char *last;
    } cases[] = {
        {"model.gguf", 1, "model.gguf"},
        {"a-00001-of-00003.gguf", 3, "a-00003-of-00003.gguf"},
        {"a-of-b-00001-of-00012.gguf", 12, "a-of-b-00012-of-00012.gguf"},
        {"a-1-of-10.gguf", 10, "a-10-of-10.gguf"},
        {"a-00001-of-00001.gguf", 1, "a-00001-of-00001.gguf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llmfp_names parts = {0};
        CU_ASSERT_EQUAL_FATAL(gguf_parts("f/", cases[i].name, &arena, &parts, &error), LLMFP_OK);
        CU_ASSERT_EQUAL_FATAL(parts.n_names, cases[i].n);
        CU_ASSERT_STRING_EQUAL(parts.names[0], cases[i].name);
        CU_ASSERT_STRING_EQUAL(parts.names[parts.n_names - 1], cases[i].last);
        llmfp_names_clear(&parts);
    }
    struct llmfp_names parts = {0};
    enum llmfp_status status = gguf_parts("f/", "a-00003-of-00003.gguf", &arena, &parts, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "part 3 of 3", "a-00001-of-00003.gguf", NULL);
    status = gguf_parts("f/", "a-00001-of-65536.gguf", &arena, &parts, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "65536", "at most 65535", NULL);
    llmfp_names_clear(&parts);
    llmfp_arena_clear(&arena);
}

TEST_PROGRAM("gguf", TEST(places_tensors), TEST(digests_what_it_reads), TEST(reads_long_metadata),
             TEST(knows_plain_sizes), TEST(knows_what_is_left_out), TEST(knows_latent_attention),
             TEST(knows_lists), TEST(names_parts))
