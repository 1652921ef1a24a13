/* read_side.c - numbers that decide how a weight is put together, out of a side's bytes. */
#include "file.h"
#include "scheme.h"

enum llmfp_status assembly_read(const struct assembly *assembly, const struct llmfp_tensor *side,
                                void *bytes, size_t size_bytes, struct llmfp_error *error)
{
    struct llmfp_open_file file;
    enum llmfp_status status =
        llmfp_file_open(assembly->catalog->files[side->data.file].path, &file, error);
    if (status == LLMFP_OK) {
        status = llmfp_file_read(&file, side->data.offset_bytes, bytes, size_bytes, error);
        llmfp_file_close(&file);
    }
    return status;
}
