/* safetensors_file.h - writing a safetensors file from a header text, and reading it
 * as the scanner does.                                                            */
#ifndef LLMFP_SAFETENSORS_FILE_H
#define LLMFP_SAFETENSORS_FILE_H

#include "format.h"
#include "llmfp/checkpoint.h"
#include "scratch.h"

#define ONE "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

/* A safetensors file: length, header, data of that many zero bytes (sparse). */
static inline void scratch_safetensors(struct scratch *scratch, const char *name,
                                       const char *header, size_t header_bytes, uint64_t data_bytes)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)((uint64_t)header_bytes >> (8 * i));
    }
    FILE *file = fopen(scratch_path(scratch, name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fwrite(length, 1, 8, file), 8);
    CU_ASSERT_EQUAL_FATAL(fwrite(header, 1, header_bytes, file), header_bytes);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
    CU_ASSERT_EQUAL_FATAL(truncate(scratch->path, (off_t)(8 + header_bytes + data_bytes)), 0);
}

/* Probe and read the file `name`; the catalog is the caller's to clear. */
static inline enum llmfp_status read_file(struct scratch *scratch, const char *name,
                                          struct llmfp_catalog *catalog, struct llmfp_error *error)
{
    const struct llmfp_format *format = NULL;
    struct llmfp_file file = {.path = scratch_path(scratch, name)};
    *catalog = (struct llmfp_catalog){0};
    enum llmfp_status status = llmfp_format_probe(&file, &format, error);
    if (status == LLMFP_OK) {
        status = llmfp_catalog_add_file(catalog, &file, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_checkpoint_header(format, catalog, 0, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_catalog_finish(catalog, error);
    }
    return status;
}

static inline enum llmfp_status read_header(struct scratch *scratch, const char *header,
                                            size_t header_bytes, uint64_t data_bytes,
                                            struct llmfp_catalog *catalog,
                                            struct llmfp_error *error)
{
    scratch_safetensors(scratch, "x.safetensors", header, header_bytes, data_bytes);
    return read_file(scratch, "x.safetensors", catalog, error);
}

#endif
