/* show_json.c - a look at a checkpoint as one JSON object; keys are in the manual page. */
#include <string.h>

#include "json_out.h"
#include "show.h"

/* Sizes that are not known are null. */
static void put_size(struct json_out *json, const char *key, uint64_t value)
{
    if (value == 0) {
        json_null(json, key);
    } else {
        json_whole(json, key, value);
    }
}

static void put_facts(struct json_out *json, const char *path, const struct look *look)
{
    const struct llmfp_configuration *configuration = &look->configuration;
    json_text(json, "path", path);
    json_text(json, "format", llmfp_format_name(look->files.format));
    json_text(json, "architecture", configuration->architecture);
    json_text(json, "model_type", configuration->model_type);
    json_truth(json, "configuration", configuration->present);
    json_open(json, "sizes", '{');
    put_size(json, "layers", configuration->n_layers);
    put_size(json, "hidden", configuration->hidden);
    put_size(json, "heads", configuration->heads);
    put_size(json, "kv_heads", configuration->kv_heads);
    put_size(json, "head_size", configuration->head_size);
    put_size(json, "feed_forward", configuration->feed_forward);
    put_size(json, "experts", configuration->experts);
    json_close(json, '}');
    json_signed(json, "n_layers", look->tally.n_layers);
    json_whole(json, "n_tensors", look->catalog.n_tensors);
    json_whole(json, "parameters", look->tally.parameters);
    json_whole(json, "bytes", look->tally.size_bytes);
    json_whole(json, "bytes_to_read", look->tally.wanted_bytes);
    json_open(json, "files", '[');
    for (size_t f = 0; f < look->catalog.n_files; f++) {
        json_open(json, NULL, '{');
        json_text(json, "path", look->catalog.files[f].path);
        json_whole(json, "bytes", look->catalog.files[f].size_bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_encodings(struct json_out *json, const struct look *look)
{
    json_open(json, "encodings", '[');
    for (int e = 0; e < LLMFP_N_ENCODINGS; e++) {
        const struct look_encoding *found = &look->encodings[e];
        if (found->tensors > 0) {
            json_open(json, NULL, '{');
            json_text(json, "encoding", llmfp_encoding((enum llmfp_encoding_id)e)->name);
            json_whole(json, "tensors", found->tensors);
            json_whole(json, "elements", found->elements);
            json_whole(json, "bytes", found->size_bytes);
            json_whole(json, "scale_bytes", found->scale_bytes);
            json_close(json, '}');
        }
    }
    json_close(json, ']');
}

static void put_role(struct json_out *json, const struct look *look, size_t first, size_t n)
{
    struct look_cell sum = {0};
    for (size_t i = first; i < first + n; i++) {
        sum.tensors += look->cells[i].tensors;
        sum.parameters += look->cells[i].parameters;
        sum.size_bytes += look->cells[i].size_bytes;
    }
    json_open(json, NULL, '{');
    json_text(json, "role", look->cells[first].role);
    json_whole(json, "n_layers", n);
    json_open(json, "layers", '['); /* ranges: [first, last] */
    for (size_t i = first; i < first + n;) {
        const size_t in_range = show_range_cells(look, i, first + n);
        json_open(json, NULL, '[');
        json_signed(json, NULL, look->cells[i].layer);
        json_signed(json, NULL, look->cells[i + in_range - 1].layer);
        json_close(json, ']');
        i += in_range;
    }
    json_close(json, ']');
    json_whole(json, "tensors", sum.tensors);
    json_whole(json, "parameters", sum.parameters);
    json_whole(json, "bytes", sum.size_bytes);
    json_close(json, '}');
}

static void put_not_scanned(struct json_out *json, const struct look *look)
{
    json_open(json, "not_scanned", '[');
    for (size_t i = 0; i < look->n_unmapped; i++) {
        const struct llmfp_tensor *tensor = look->unmapped[i].tensor;
        json_open(json, NULL, '{');
        json_text(json, "tensor", tensor->name);
        json_text(json, "reason", llmfp_reason_text(look->unmapped[i].reason));
        json_text(json, "encoding", llmfp_encoding(tensor->encoding)->name);
        json_whole(json, "elements", tensor->n_elements);
        json_whole(json, "bytes", tensor->data.size_bytes + look_scale_bytes(tensor));
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_notes(struct json_out *json, const struct look *look)
{
    char note[2 * LLMFP_ERROR_TEXT_BYTES];
    json_open(json, "notes", '[');
    for (int i = 0; show_note(look, i, note, sizeof note); i++) {
        json_text(json, NULL, note);
    }
    json_close(json, ']');
}

static void put_tensor(struct json_out *json, const struct look *look,
                       const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping)
{
    json_open(json, NULL, '{');
    json_text(json, "tensor", tensor->name);
    json_text(json, "file", look->catalog.files[tensor->data.file].path);
    json_text(json, "encoding", llmfp_encoding(tensor->encoding)->name);
    json_whole(json, "divisor", llmfp_tensor_divisor(tensor));
    json_open(json, "shape", '[');
    for (uint32_t i = 0; i < tensor->n_dimensions; i++) {
        json_whole(json, NULL, tensor->shape[i]);
    }
    json_close(json, ']');
    json_whole(json, "elements", tensor->n_elements);
    json_whole(json, "bytes", tensor->data.size_bytes);
    json_whole(json, "scale_bytes", look_scale_bytes(tensor));
    json_text(json, "reason",
              mapping->reason == LLMFP_SCANNED ? NULL : llmfp_reason_text(mapping->reason));
    json_text(json, "rule", mapping->rule);
    json_text(json, "note", mapping->note);
    json_open(json, "parts", '[');
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        const struct llmfp_part *part = &mapping->parts[i];
        json_open(json, NULL, '{');
        json_text(json, "role", part->role);
        json_signed(json, "layer", part->layer);
        if (part->expert < 0) {
            json_null(json, "expert");
        } else {
            json_signed(json, "expert", part->expert);
        }
        json_whole(json, "parameters", look_part_elements(mapping, i));
        json_whole(json, "bytes", look_part_bytes(tensor, mapping, i));
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static enum llmfp_status put_tensors(struct json_out *json, const struct look *look,
                                     struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    json_open(json, "tensors", '[');
    for (size_t i = 0; status == LLMFP_OK && i < look->catalog.n_tensors; i++) {
        struct llmfp_arena arena = {0};
        struct llmfp_mapping mapping;
        status = llmfp_roles_map(&look->configuration, &look->catalog.tensors[i], &arena, &mapping,
                                 error);
        if (status == LLMFP_OK) {
            put_tensor(json, look, &look->catalog.tensors[i], &mapping);
        }
        llmfp_arena_clear(&arena);
    }
    json_close(json, ']');
    return status;
}

enum llmfp_status show_json(const char *path, const struct look *look, bool tensors, FILE *out,
                            struct llmfp_error *error)
{
    struct json_out json = {out, false};
    enum llmfp_status status = LLMFP_OK;
    json_open(&json, NULL, '{');
    put_facts(&json, path, look);
    put_encodings(&json, look);
    json_open(&json, "roles", '[');
    for (size_t first = 0; first < look->n_cells;) {
        const size_t n = show_role_cells(look, first);
        put_role(&json, look, first, n);
        first += n;
    }
    json_close(&json, ']');
    put_not_scanned(&json, look);
    put_notes(&json, look);
    if (tensors) {
        status = put_tensors(&json, look, error);
    }
    json_close(&json, '}');
    (void)fputc('\n', out);
    return status;
}
