/* Finding a checkpoint's files: every rule for directories and indexes, every
 * refusal, and what is handed to other ranks.                                     */
#include <time.h>

#include "cunit_main.h"
#include "llmfp/checkpoint.h"
#include "safetensors_file.h"

/* A good file with one tensor of the given name. */
static void weights(struct scratch *scratch, const char *file_name, const char *tensor)
{
    char header[200];
    const int length = snprintf(header, sizeof header, "{\"%s\":" ONE "}", tensor);
    scratch_safetensors(scratch, file_name, header, (size_t)length, 8);
}

static void empty_files(struct scratch *scratch, const char *const *names)
{
    for (; *names != NULL; names++) {
        scratch_safetensors(scratch, *names, "{}", 2, 0);
    }
}

/* Locating `name` must give exactly these files, in this order (ends in NULL). */
static void expect_files(struct scratch *scratch, const char *name, const char *const *expected)
{
    struct llmfp_checkpoint checkpoint;
    struct llmfp_error error = {LLMFP_OK, ""};
    const char *path = scratch_path(scratch, name);
    const enum llmfp_status status = llmfp_checkpoint_locate(path, &checkpoint, &error);
    if (status != LLMFP_OK) {
        printf("\n  %s\n", error.text);
    }
    CU_ASSERT_EQUAL_FATAL(status, LLMFP_OK);
    CU_ASSERT_STRING_EQUAL(llmfp_format_name(checkpoint.format), "safetensors");
    size_t n = 0;
    while (expected[n] != NULL) {
        n++;
    }
    CU_ASSERT_EQUAL_FATAL(checkpoint.n_files, n);
    for (size_t i = 0; i < n; i++) {
        const char *slash = strrchr(checkpoint.files[i].path, '/');
        CU_ASSERT_STRING_EQUAL(slash == NULL ? checkpoint.files[i].path : slash + 1, expected[i]);
        CU_ASSERT_TRUE(checkpoint.files[i].header_bytes >= 10);
        CU_ASSERT_TRUE(checkpoint.files[i].size_bytes >= 10);
    }
    llmfp_checkpoint_clear(&checkpoint);
}

static void expect_refusal(struct scratch *scratch, const char *name, const char *word1,
                           const char *word2)
{
    struct llmfp_checkpoint checkpoint;
    struct llmfp_error error = {LLMFP_OK, ""};
    const enum llmfp_status status =
        llmfp_checkpoint_locate(scratch_path(scratch, name), &checkpoint, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, scratch->folder, word1, word2, NULL);
    CU_ASSERT_EQUAL(checkpoint.n_files, 0);
    llmfp_checkpoint_clear(&checkpoint);
}

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* ---- directories ---- */

static void chooses_by_the_rules(void)
{
    static const struct {
        const char *files[10];
        const char *expected[6];
    } cases[] = {
        {{"model.safetensors"}, {"model.safetensors"}},
        {{"model.safetensors", "model-00001-of-00001.safetensors", "other.safetensors",
          "consolidated.safetensors", "adapter_model.safetensors"},
         {"model.safetensors"}},
        {{"anything at all.safetensors"}, {"anything at all.safetensors"}},
        {{"anything.safetensors", "consolidated.safetensors", ".hidden.safetensors"},
         {"anything.safetensors"}},
        {{"consolidated.safetensors"}, {"consolidated.safetensors"}},
        {{"consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00002.safetensors"},
         {"consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00002.safetensors"}},
        {{"model-00002-of-00003.safetensors", "model-00001-of-00003.safetensors",
          "model-00003-of-00003.safetensors"},
         {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
          "model-00003-of-00003.safetensors"}},
        {{"model-1-of-2.safetensors", "model-2-of-2.safetensors", "consolidated.safetensors",
          "extra.safetensors", "weights-1-of-3.safetensors"},
         {"model-1-of-2.safetensors", "model-2-of-2.safetensors"}},
        {{"model-00000-of-00002.safetensors", "model-00001-of-00002.safetensors"},
         {"model-00000-of-00002.safetensors", "model-00001-of-00002.safetensors"}},
        {{"model-00001-of-00001.safetensors"}, {"model-00001-of-00001.safetensors"}},
        {{"model-00001-of-00001.fp16.safetensors", "model-00001-of-00001.safetensors"},
         {"model-00001-of-00001.safetensors"}},
        {{"b.safetensors", "a.safetensors", "B.safetensors"},
         {"B.safetensors", "a.safetensors", "b.safetensors"}},
        {{"part-01-of-02.safetensors", "part-02-of-02.safetensors", "embed.safetensors"},
         {"embed.safetensors", "part-01-of-02.safetensors", "part-02-of-02.safetensors"}},
        {{"x-1-of-2-1-of-1.safetensors"}, {"x-1-of-2-1-of-1.safetensors"}},
        {{"a-of-2.safetensors", "1-of-2.safetensors", "x-1-of-.safetensors",
          "x-99999999999-of-2.safetensors"},
         {"1-of-2.safetensors", "a-of-2.safetensors", "x-1-of-.safetensors",
          "x-99999999999-of-2.safetensors"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        empty_files(&scratch, cases[i].files);
        scratch_text(&scratch, "pytorch_model.bin", "never looked at");
        scratch_text(&scratch, "adapter_config.json", "{}");
        expect_files(&scratch, "", cases[i].expected);
        scratch_end(&scratch);
    }
}

static void refuses_incomplete_sets(void)
{
    static const struct {
        const char *files[6];
        const char *words[2];
    } cases[] = {
        {{"model-00001-of-00003.safetensors"},
         {"model-00002-of-00003.safetensors is missing", "1 of 3"}},
        {{"model-00002-of-00002.safetensors"},
         {"model-00001-of-00002.safetensors is missing", "1 of 2"}},
        {{"model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"},
         {"model-00002-of-00003.safetensors is missing", "2 of 3"}},
        {{"w-1-of-3.safetensors", "w-2-of-3.safetensors"},
         {"w-3-of-3.safetensors is missing", "2 of 3"}},
        {{"w-0-of-3.safetensors", "w-2-of-3.safetensors"},
         {"w-1-of-3.safetensors is missing", "2 of 3"}},
        {{"w-1-of-2.safetensors", "w-01-of-2.safetensors"},
         {"shard 1 twice", "w-1-of-2.safetensors"}},
        {{"w-7-of-2.safetensors"}, {"w-7-of-2.safetensors", "does not fit"}},
        {{"w-0-of-0.safetensors"}, {"w-0-of-0.safetensors", "does not fit"}},
        {{"w-1-of-999999999.safetensors"}, {"w-2-of-999999999.safetensors is missing", "1 of"}},
        {{"model-1-of-2.safetensors", "model-2-of-2.safetensors", "model-1-of-1.safetensors"},
         {"shards of two sets", "model-1-of-1.safetensors"}},
        {{"a-1-of-1.safetensors", "b-1-of-2.safetensors"},
         {"b-2-of-2.safetensors is missing", "1 of 2"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        empty_files(&scratch, cases[i].files);
        expect_refusal(&scratch, "", cases[i].words[0], cases[i].words[1]);
        scratch_end(&scratch);
    }
}

static void refuses_folders_without_weights(void)
{
    static const struct {
        const char *files[4];
        const char *words[2];
    } cases[] = {
        {{NULL}, {"holds no weights", "*.safetensors"}},
        {{"config.json"}, {"holds no weights", "*.safetensors"}},
        {{"pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin"},
         {"pytorch_model.bin.index.json", "weight_map"}},
        {{"pytorch_model-00001-of-00002.bin", "a.pt"},
         {"pytorch_model-00002-of-00002.bin is missing", "1 of 2"}},
        {{"consolidated.00.pth", "consolidated.01.pth", "consolidated.03.pth"},
         {"3 slices", "consolidated.02.pth is not among them"}},
        {{"training_args.bin", "optimizer.pt", "rng_state_0.pth", "zero_optim_states.pt"},
         {"holds no weights", "*.bin"}},
        {{"model-Q4_K_M.gguf", "b.gguf"}, {"several GGUF files", "b.gguf"}},
        {{"tf_model.h5"}, {"tf_model.h5", "not supported"}},
        {{"flax_model.msgpack"}, {"flax_model.msgpack", "not supported"}},
        {{"adapter_config.json", "adapter_model.safetensors"}, {"adapter", "merge it"}},
        {{"adapter_config.json", "adapter_model.bin"}, {"adapter", "merge it"}},
        {{"adapter_model.safetensors"}, {"adapter", "merge it"}},
        {{"refs", "blobs", "snapshots"}, {"download cache", "below its snapshots"}},
        {{"._model.safetensors"}, {"holds no weights", "*.safetensors"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        for (size_t f = 0; f < 4 && cases[i].files[f] != NULL; f++) {
            scratch_text(&scratch, cases[i].files[f], "{}");
        }
        expect_refusal(&scratch, "", cases[i].words[0], cases[i].words[1]);
        scratch_end(&scratch);
    }
}

/* ---- single paths ---- */

static void takes_single_files(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    weights(&scratch, "model-00002-of-00003.safetensors", "t");
    expect_files(&scratch, "model-00002-of-00003.safetensors",
                 LIST("model-00002-of-00003.safetensors"));
    weights(&scratch, "no suffix", "t");
    expect_files(&scratch, "no suffix", LIST("no suffix"));
    scratch_folder(&scratch, "x.safetensors");
    expect_refusal(&scratch, "x.safetensors", "holds no weights", "x.safetensors");
    weights(&scratch, "x.safetensors/model.safetensors", "t");
    expect_files(&scratch, "x.safetensors", LIST("model.safetensors"));
    expect_files(&scratch, "x.safetensors/", LIST("model.safetensors"));
    scratch_end(&scratch);
}

static void refuses_bad_paths(void)
{
    char long_name[300];
    struct scratch scratch;
    scratch_begin(&scratch);
    expect_refusal(&scratch, "absent", "there is no file or directory", "absent");
    scratch_text(&scratch, "file", "not weights");
    expect_refusal(&scratch, "file/below", "there is no file or directory", "file/below");
    expect_refusal(&scratch, "owner/model", "has to be downloaded first", "owner/model");
    expect_refusal(&scratch, "C:\\models\\a", "write folders with /", "models");
    expect_refusal(&scratch, "~/models/a", "write the folder out", "~/models");
    expect_refusal(&scratch, "https://hub.example/a", "only local files are read", "hub.example");
    expect_refusal(&scratch, "file", "not a safetensors file", "begins with the text");
    scratch_text(&scratch, "weights.gguf", "GGUF\3");
    expect_refusal(&scratch, "weights.gguf", "weights.gguf", "cut short");
    scratch_text(&scratch, "weights.gguf", "weights");
    expect_refusal(&scratch, "weights.gguf", "weights.gguf", "not a GGUF file");
    CU_ASSERT_EQUAL_FATAL(mkfifo(scratch_path(&scratch, "fifo"), 0666), 0);
    expect_refusal(&scratch, "fifo", "FIFO", "not a regular file");
    scratch_link(&scratch, "loop", "loop");
    expect_refusal(&scratch, "loop", "cannot look at", "loop");
    scratch_link(&scratch, "nowhere", "dangling");
    expect_refusal(&scratch, "dangling", "symbolic link", "download");
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    expect_refusal(&scratch, long_name, "cannot look at", "nnn");
    weights(&scratch, "adapter_model.safetensors", "t");
    expect_refusal(&scratch, "adapter_model.safetensors", "adapter", "merge it");
    struct llmfp_checkpoint checkpoint;
    struct llmfp_error error = {LLMFP_OK, ""};
    const enum llmfp_status device = llmfp_checkpoint_locate("/dev/null", &checkpoint, &error);
    expect_error(device, &error, LLMFP_CHECKPOINT, "/dev/null", "not a regular file", NULL);
    const enum llmfp_status empty = llmfp_checkpoint_locate("", &checkpoint, &error);
    expect_error(empty, &error, LLMFP_CHECKPOINT, "there is no file or directory", NULL);
    scratch_end(&scratch);
}

/* What the first rules name may itself be bad: that is an error, not a reason to go on. */
static void refuses_bad_first_choices(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    empty_files(&scratch, LIST("good.safetensors"));
    scratch_folder(&scratch, "model.safetensors");
    expect_refusal(&scratch, "", "model.safetensors is a directory", "not a regular file");
    CU_ASSERT_EQUAL(rmdir(scratch_path(&scratch, "model.safetensors")), 0);
    scratch_link(&scratch, "../blobs/none", "model.safetensors");
    expect_refusal(&scratch, "", "model.safetensors is a symbolic link", "download");
    CU_ASSERT_EQUAL(unlink(scratch_path(&scratch, "model.safetensors")), 0);
    CU_ASSERT_EQUAL_FATAL(mkfifo(scratch_path(&scratch, "model.safetensors"), 0666), 0);
    expect_refusal(&scratch, "", "FIFO", "not a regular file");
    CU_ASSERT_EQUAL(unlink(scratch_path(&scratch, "model.safetensors")), 0);
    scratch_folder(&scratch, "model.safetensors.index.json");
    expect_refusal(&scratch, "", "model.safetensors.index.json is a directory", "regular");
    CU_ASSERT_EQUAL(rmdir(scratch_path(&scratch, "model.safetensors.index.json")), 0);
    scratch_text(&scratch, "bad.safetensors", "short");
    expect_refusal(&scratch, "", "bad.safetensors is not a safetensors file", "only 5 bytes");
    scratch_end(&scratch);
}

/* A download cache: snapshots hold links, the index too, into a folder of blobs. */
static void follows_links(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    scratch_folder(&scratch, "blobs");
    scratch_folder(&scratch, "snapshots");
    scratch_folder(&scratch, "snapshots/rev");
    weights(&scratch, "blobs/0a", "a");
    weights(&scratch, "blobs/0b", "b");
    scratch_text(&scratch, "blobs/0c",
                 "{\"weight_map\":{\"a\":\"model-1-of-2.safetensors\","
                 "\"b\":\"model-2-of-2.safetensors\"}}");
    scratch_text(&scratch, "blobs/0d", "{\"model_type\":\"llama\"}");
    scratch_link(&scratch, "../../blobs/0a", "snapshots/rev/model-1-of-2.safetensors");
    scratch_link(&scratch, "../../blobs/0b", "snapshots/rev/model-2-of-2.safetensors");
    scratch_link(&scratch, "../../blobs/0c", "snapshots/rev/model.safetensors.index.json");
    scratch_link(&scratch, "../../blobs/0d", "snapshots/rev/config.json");
    scratch_link(&scratch, "snapshots/rev", "link");
    expect_files(&scratch, "link", LIST("model-1-of-2.safetensors", "model-2-of-2.safetensors"));
    expect_refusal(&scratch, "", "download cache", "snapshots");
    struct llmfp_checkpoint checkpoint;
    CU_ASSERT_EQUAL_FATAL(
        llmfp_checkpoint_locate(scratch_path(&scratch, "link"), &checkpoint, NULL), LLMFP_OK);
    CU_ASSERT_STRING_EQUAL(checkpoint.configuration, "{\"model_type\":\"llama\"}");
    llmfp_checkpoint_clear(&checkpoint);
    scratch_end(&scratch);
}

/* Links that leave the folder are not followed, but those within it are, and what the user
 * names may be one. */
static void refuses_links_that_leave(void)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    scratch_folder(&scratch, "blobs"); /* without snapshots beside it */
    scratch_folder(&scratch, "other");
    scratch_folder(&scratch, "model");
    scratch_folder(&scratch, "model2");
    weights(&scratch, "blobs/0a", "a");
    weights(&scratch, "model2/a", "a");
    weights(&scratch, "model/data", "a");
    scratch_text(&scratch, "other/config.json", "{}");
    scratch_link(&scratch, "../blobs/0a", "model/model.safetensors");
    expect_refusal(&scratch, "model", "model/model.safetensors is a symbolic link that leaves",
                   "blobs/0a");
    expect_files(&scratch, "model/model.safetensors", LIST("model.safetensors"));
    CU_ASSERT_EQUAL(unlink(scratch_path(&scratch, "model/model.safetensors")), 0);
    scratch_link(&scratch, "../model2/a", "model/x.safetensors"); /* a longer name is no prefix */
    expect_refusal(&scratch, "model", "model/x.safetensors is a symbolic link that leaves",
                   "model2/a");
    scratch_text(&scratch, "model/model.safetensors.index.json",
                 "{\"weight_map\":{\"a\":\"x.safetensors\"}}");
    expect_refusal(&scratch, "model", "index.json names", "x.safetensors is a symbolic link");
    CU_ASSERT_EQUAL(unlink(scratch_path(&scratch, "model/x.safetensors")), 0);
    scratch_link(&scratch, "data", "model/x.safetensors");
    expect_files(&scratch, "model", LIST("x.safetensors"));
    scratch_link(&scratch, "../other/config.json", "model/config.json");
    expect_refusal(&scratch, "model", "model/config.json is a symbolic link that leaves", "other");
    CU_ASSERT_EQUAL(unlink(scratch_path(&scratch, "model/config.json")), 0);
    scratch_end(&scratch);
}

/* ---- config.json ---- */

static void reads_the_configuration(void)
{
    struct scratch scratch;
    struct llmfp_checkpoint checkpoint;
    scratch_begin(&scratch);
    weights(&scratch, "model.safetensors", "t");
    CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_locate(scratch.folder, &checkpoint, NULL), LLMFP_OK);
    CU_ASSERT_PTR_NULL(checkpoint.configuration);
    CU_ASSERT_EQUAL(checkpoint.configuration_bytes, 0);
    llmfp_checkpoint_clear(&checkpoint);
    scratch_text(&scratch, "config.json", "{\"a\": 1}\n");
    static const char *const paths[] = {"", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        const char *path = scratch_path(&scratch, paths[i]);
        CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_locate(path, &checkpoint, NULL), LLMFP_OK);
        CU_ASSERT_STRING_EQUAL(checkpoint.configuration, "{\"a\": 1}\n");
        CU_ASSERT_EQUAL(checkpoint.configuration_bytes, 9);
        llmfp_checkpoint_clear(&checkpoint);
    }
    CU_ASSERT_EQUAL(truncate(scratch_path(&scratch, "config.json"), (16 << 20) + 1), 0);
    expect_refusal(&scratch, "", "config.json has 16777217 bytes", "at most 16777216");
    CU_ASSERT_EQUAL(truncate(scratch_path(&scratch, "config.json"), 16 << 20), 0);
    CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_locate(scratch.folder, &checkpoint, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(checkpoint.configuration_bytes, 16 << 20);
    llmfp_checkpoint_clear(&checkpoint);
    CU_ASSERT_EQUAL(unlink(scratch_path(&scratch, "config.json")), 0);
    scratch_folder(&scratch, "config.json");
    expect_refusal(&scratch, "", "config.json is a directory", "not a regular file");
    CU_ASSERT_EQUAL(rmdir(scratch_path(&scratch, "config.json")), 0);
    scratch_link(&scratch, "nowhere", "config.json");
    expect_refusal(&scratch, "", "config.json is a symbolic link", "download");
    scratch_end(&scratch);
}

/* ---- handing over to other ranks ---- */

static void packs_and_unpacks(void)
{
    struct scratch scratch;
    struct llmfp_checkpoint from;
    struct llmfp_checkpoint to;
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_buffer buffer = {0};
    scratch_begin(&scratch);
    weights(&scratch, "b.safetensors", "b");
    weights(&scratch, "a.safetensors", "aa");
    scratch_write(&scratch, "config.json", "{\0}", 3);
    CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_locate(scratch.folder, &from, &error), LLMFP_OK);
    from.files[1].digest = UINT64_MAX;
    llmfp_checkpoint_pack(&from, &buffer);
    CU_ASSERT_FALSE_FATAL(buffer.failed);
    struct llmfp_cursor cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_unpack(&to, &cursor, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(cursor.offset_bytes, buffer.size_bytes);
    CU_ASSERT_PTR_EQUAL(to.format, from.format);
    CU_ASSERT_EQUAL_FATAL(to.n_files, 2);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_STRING_EQUAL(to.files[i].path, from.files[i].path);
        CU_ASSERT_EQUAL(to.files[i].size_bytes, from.files[i].size_bytes);
        CU_ASSERT_EQUAL(to.files[i].modified_ns, from.files[i].modified_ns);
        CU_ASSERT_EQUAL(to.files[i].header_bytes, from.files[i].header_bytes);
        CU_ASSERT_EQUAL(to.files[i].digest, from.files[i].digest);
    }
    CU_ASSERT_EQUAL_FATAL(to.configuration_bytes, 3);
    CU_ASSERT_EQUAL(memcmp(to.configuration, "{\0}", 4), 0);
    CU_ASSERT_EQUAL(to.n_index, 0);
    llmfp_checkpoint_clear(&to);
    for (size_t n = 0; n < buffer.size_bytes; n++) {
        cursor = llmfp_cursor_over(buffer.bytes, n);
        const enum llmfp_status status = llmfp_checkpoint_unpack(&to, &cursor, &error);
        expect_error(status, &error, LLMFP_FATAL, "cut short or damaged", NULL);
        CU_ASSERT_PTR_NULL(to.files);
    }
    buffer.bytes[4] ^= 1; /* the name of the format */
    cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
    expect_error(llmfp_checkpoint_unpack(&to, &cursor, &error), &error, LLMFP_FATAL, "damaged",
                 NULL);
    llmfp_buffer_clear(&buffer);
    llmfp_checkpoint_clear(&from);
    struct llmfp_checkpoint nothing = {0};
    llmfp_checkpoint_pack(&nothing, &buffer);
    cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL(llmfp_checkpoint_unpack(&to, &cursor, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(to.n_files, 0);
    CU_ASSERT_PTR_NULL(to.format);
    CU_ASSERT_PTR_NULL(to.configuration);
    llmfp_checkpoint_clear(&to);
    llmfp_buffer_clear(&buffer);
    scratch_end(&scratch);
}

/* 2,000 small checkpoints in a run must not cost more than reading them. */
static void small_checkpoints_are_cheap(void)
{
    enum { TIMES = 500 };
    struct scratch scratch;
    struct timespec start;
    struct timespec end;
    scratch_begin(&scratch);
    weights(&scratch, "model.safetensors", "t");
    scratch_text(&scratch, "config.json", "{}");
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < TIMES; i++) {
        struct llmfp_checkpoint checkpoint;
        struct llmfp_catalog catalog = {0};
        CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_locate(scratch.folder, &checkpoint, NULL), LLMFP_OK);
        CU_ASSERT_EQUAL(llmfp_catalog_add_file(&catalog, &checkpoint.files[0], NULL), LLMFP_OK);
        CU_ASSERT_EQUAL(llmfp_checkpoint_header(checkpoint.format, &catalog, 0, NULL), LLMFP_OK);
        CU_ASSERT_EQUAL(llmfp_catalog_finish(&catalog, NULL), LLMFP_OK);
        CU_ASSERT_EQUAL(llmfp_checkpoint_check(&checkpoint, &catalog, NULL), LLMFP_OK);
        llmfp_catalog_clear(&catalog);
        llmfp_checkpoint_clear(&checkpoint);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    const double each =
        ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
        (1e6 * TIMES);
    printf("%.3f ms each ", each);
    CU_ASSERT_TRUE(each < 1.0);
    scratch_end(&scratch);
}

TEST_PROGRAM("checkpoint", TEST(chooses_by_the_rules), TEST(refuses_incomplete_sets),
             TEST(refuses_folders_without_weights), TEST(takes_single_files),
             TEST(refuses_bad_paths), TEST(refuses_bad_first_choices), TEST(follows_links),
             TEST(refuses_links_that_leave), TEST(reads_the_configuration), TEST(packs_and_unpacks),
             TEST(small_checkpoints_are_cheap))
