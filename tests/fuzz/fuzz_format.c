/* fuzz_format.c - files of every format in the table: what a reader puts into a catalog has
 * been checked, a refusal is a sentence and adds nothing. A new format needs no target of
 * its own: seeds in corpus/format are enough, since detection goes by content.         */
#include "format.h"
#include "fuzz.h"
#include "llmfp/checkpoint.h"
#include "llmfp/configuration.h"
#include "llmfp/plan.h"

static bool lies_inside(const struct llmfp_catalog *catalog, const struct llmfp_extent *extent)
{
    return extent->file < catalog->n_files &&
           extent->offset_bytes <= catalog->files[extent->file].size_bytes &&
           extent->size_bytes <= catalog->files[extent->file].size_bytes - extent->offset_bytes;
}

static void check_name(const char *name)
{
    FUZZ_CHECK(name != NULL && llmfp_utf8_valid(name, strlen(name)));
}

static void check_tensor(const struct llmfp_catalog *catalog, const struct llmfp_tensor *tensor)
{
    check_name(tensor->name);
    FUZZ_CHECK((unsigned)tensor->encoding < LLMFP_N_ENCODINGS);
    FUZZ_CHECK(tensor->shape != NULL);
    uint64_t elements = 1;
    bool empty = false;
    for (uint32_t i = 0; i < tensor->n_dimensions; i++) {
        empty = empty || tensor->shape[i] == 0;
    }
    for (uint32_t i = 0; i < tensor->n_dimensions && !empty; i++) {
        FUZZ_CHECK(!__builtin_mul_overflow(elements, tensor->shape[i], &elements));
    }
    FUZZ_CHECK(tensor->n_elements == (empty ? 0 : elements));
    FUZZ_CHECK(lies_inside(catalog, &tensor->data));
    const struct llmfp_storage *storage = llmfp_tensor_storage(tensor);
    FUZZ_CHECK((unsigned)storage->order < LLMFP_N_ORDERS);
    const struct llmfp_block block = llmfp_tensor_block(tensor);
    FUZZ_CHECK(block.elements > 0 && block.bytes > 0);
    /* The last element lies inside the extent, too. */
    const uint64_t run = storage->run_elements == 0 ? tensor->n_elements : storage->run_elements;
    if (tensor->n_elements > 0) {
        const uint64_t last = (tensor->n_elements - 1) / run * run;
        FUZZ_CHECK(tensor->n_elements % run == 0);
        const uint64_t offset = llmfp_tensor_offset(tensor, last) - tensor->data.offset_bytes;
        const uint64_t bytes = llmfp_tensor_bytes(tensor, run);
        FUZZ_CHECK(offset <= tensor->data.size_bytes);
        FUZZ_CHECK(bytes <= tensor->data.size_bytes - offset);
    }
    for (uint32_t i = 0; i < tensor->n_sides; i++) {
        FUZZ_CHECK(lies_inside(catalog, &tensor->sides[i].extent));
        FUZZ_CHECK((unsigned)tensor->sides[i].encoding < LLMFP_N_ENCODINGS);
        FUZZ_CHECK(tensor->sides[i].shape != NULL);
    }
}

/* Other ranks get the same catalog. */
static void check_packing(const struct llmfp_catalog *catalog)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_buffer packed = {0};
    struct llmfp_buffer again = {0};
    struct llmfp_catalog copy = {0};
    llmfp_catalog_pack_tensors(catalog, 0, catalog->n_tensors, &packed);
    FUZZ_CHECK(!packed.failed);
    struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
    FUZZ_CHECK(llmfp_catalog_unpack_tensors(&copy, &cursor, &error) == LLMFP_OK);
    FUZZ_CHECK(cursor.offset_bytes == packed.size_bytes);
    llmfp_catalog_pack_tensors(&copy, 0, copy.n_tensors, &again);
    FUZZ_CHECK(again.size_bytes == packed.size_bytes);
    FUZZ_CHECK(memcmp(again.bytes, packed.bytes, packed.size_bytes) == 0);
    llmfp_catalog_clear(&copy);
    llmfp_buffer_clear(&packed);
    llmfp_buffer_clear(&again);
}

/* A plan of it reads wanted bytes from inside the file, each once. */
static void check_plan(const struct llmfp_catalog *catalog)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    const struct llmfp_configuration configuration = {0};
    struct llmfp_plan plan = {0};
    struct llmfp_tally tally;
    enum llmfp_status status =
        llmfp_plan_add(&plan, 0, &configuration, catalog, NULL, &tally, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, "");
        llmfp_plan_drop_last(&plan);
    }
    FUZZ_CHECK(llmfp_plan_finish(&plan, &error) == LLMFP_OK);
    const uint64_t chunk_bytes = plan.stream_bytes / 5 + 1;
    const uint64_t n_chunks = llmfp_plan_n_chunks(&plan, chunk_bytes);
    uint64_t n_bytes = 0;
    for (uint64_t chunk = 0; chunk < n_chunks; chunk++) {
        struct llmfp_plan_cursor cursor = {0};
        struct llmfp_plan_piece piece;
        while (llmfp_plan_next_piece(&plan, chunk_bytes, chunk, &cursor, &piece)) {
            const struct llmfp_tensor *tensor = piece.tensor->tensor;
            const struct llmfp_extent extent = {tensor->data.file, piece.offset_bytes,
                                                piece.size_bytes};
            FUZZ_CHECK(lies_inside(catalog, &extent));
            FUZZ_CHECK(piece.n_elements <= tensor->n_elements);
            n_bytes += piece.size_bytes;
        }
    }
    FUZZ_CHECK(n_bytes == plan.stream_bytes);
    llmfp_plan_clear(&plan);
}

/* Formats that keep the configuration in the file. */
static void configure(const struct llmfp_format *format, struct llmfp_file *file)
{
    if (format->configure == NULL) {
        return;
    }
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_checkpoint checkpoint = {.format = format, .files = file, .n_files = 1};
    const enum llmfp_status status = format->configure(&checkpoint, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, file->path);
    } else if (checkpoint.configuration != NULL) {
        static struct llmfp_configuration configuration;
        FUZZ_CHECK(checkpoint.configuration[checkpoint.configuration_bytes] == '\0');
        FUZZ_CHECK(llmfp_configuration_read(checkpoint.configuration,
                                            checkpoint.configuration_bytes, &configuration,
                                            &error) != LLMFP_FATAL);
    }
    llmfp_arena_clear(&checkpoint.arena);
}

static void read_file(const struct llmfp_format *format, struct llmfp_catalog *catalog)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    enum llmfp_status status = llmfp_checkpoint_header(format, catalog, 0, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, catalog->files[0].path);
        FUZZ_CHECK(catalog->n_tensors == 0);
        return;
    }
    FUZZ_CHECK(catalog->files[0].digest != 0);
    status = llmfp_catalog_finish(catalog, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, catalog->files[0].path);
        return;
    }
    for (size_t i = 0; i < catalog->n_tensors; i++) {
        check_tensor(catalog, &catalog->tensors[i]);
        FUZZ_CHECK(i == 0 || strcmp(catalog->tensors[i - 1].name, catalog->tensors[i].name) != 0);
    }
    check_packing(catalog);
    check_plan(catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file opened;
    struct llmfp_error error = {LLMFP_OK, ""};
    const struct llmfp_format *format = NULL;
    struct llmfp_catalog catalog = {0};
    fuzz_file_begin(&opened, data, size);
    struct llmfp_file file = {.path = opened.path};
    const enum llmfp_status status = llmfp_format_probe(&file, &format, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, opened.path);
    } else {
        FUZZ_CHECK(format != NULL && file.size_bytes == size);
        configure(format, &file);
        FUZZ_CHECK(llmfp_catalog_add_file(&catalog, &file, &error) == LLMFP_OK);
        read_file(format, &catalog);
    }
    llmfp_catalog_clear(&catalog);
    fuzz_file_end(&opened);
    return 0;
}
