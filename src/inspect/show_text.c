/* show_text.c - a look at a checkpoint as tables for people. */
#include <inttypes.h>
#include <string.h>

#include "show.h"
#include "size_text.h"

enum { MOST_RANGES = 6, MOST_NAMES = 5 };

struct printable {
    char text[LLMFP_ERROR_TEXT_BYTES];
};

static struct printable printable(const char *text)
{
    struct printable out;
    llmfp_escape(out.text, sizeof out.text, text, strlen(text));
    return out;
}

size_t show_role_cells(const struct look *look, size_t first)
{
    size_t end = first + 1;
    while (end < look->n_cells && strcmp(look->cells[end].role, look->cells[first].role) == 0) {
        end++;
    }
    return end - first;
}

size_t show_range_cells(const struct look *look, size_t first, size_t end)
{
    size_t next = first + 1;
    while (next < end && look->cells[next].layer == look->cells[next - 1].layer + 1) {
        next++;
    }
    return next - first;
}

bool show_note(const struct look *look, int number, char *text, size_t text_bytes)
{
    const struct llmfp_tally *tally = &look->tally;
    if (!look->configuration.present && number-- == 0) {
        (void)snprintf(text, text_bytes,
                       "no config.json: head counts are not known, and fused tensors that need "
                       "them stay whole");
        return true;
    }
    if (tally->n_unsplit > 0 && number-- == 0) {
        (void)snprintf(text, text_bytes,
                       "%" PRIu64 " fused tensors could not be split for certain; the first: %s",
                       tally->n_unsplit, tally->unsplit_note);
        return true;
    }
    if (tally->n_scales > 0 && number-- == 0) {
        (void)snprintf(text, text_bytes,
                       "%" PRIu64 " weights have scales in tensors of their own, which are not "
                       "applied",
                       tally->n_scales);
        return true;
    }
    return false;
}

static void print_facts(const char *path, const struct look *look, FILE *out)
{
    const struct llmfp_configuration *configuration = &look->configuration;
    const bool known = configuration->architecture[0] != '\0';
    const bool typed = configuration->model_type[0] != '\0';
    (void)fprintf(out, "%s\n  format        %s\n  architecture  %s\n  model type    %s\n",
                  printable(path).text, llmfp_format_name(look->files.format),
                  known ? printable(configuration->architecture).text : "not known",
                  typed ? printable(configuration->model_type).text : "not known");
    (void)fprintf(out,
                  "  layers        %d\n  tensors       %zu\n  parameters    %" PRIu64
                  "\n  bytes         %" PRIu64 " (%s)\n  to be read    %" PRIu64 " (%s)\n",
                  (int)look->tally.n_layers, look->catalog.n_tensors, look->tally.parameters,
                  look->tally.size_bytes, size_text(look->tally.size_bytes).text,
                  look->tally.wanted_bytes, size_text(look->tally.wanted_bytes).text);
    (void)fprintf(out, "\n%16s  file\n", "bytes");
    for (size_t f = 0; f < look->catalog.n_files; f++) {
        (void)fprintf(out, "%16" PRIu64 "  %s\n", look->catalog.files[f].size_bytes,
                      printable(look->catalog.files[f].path).text);
    }
}

static void print_encodings(const struct look *look, FILE *out)
{
    (void)fprintf(out, "\n%-16s %9s %16s %16s\n", "encoding", "tensors", "elements", "bytes");
    for (int e = 0; e < LLMFP_N_ENCODINGS; e++) {
        const struct look_encoding *found = &look->encodings[e];
        if (found->tensors > 0) {
            (void)fprintf(out, "%-16s %9" PRIu64 " %16" PRIu64 " %16" PRIu64,
                          llmfp_encoding((enum llmfp_encoding_id)e)->name, found->tensors,
                          found->elements, found->size_bytes);
            if (found->scale_bytes > 0) {
                (void)fprintf(out, "  (%" PRIu64 " of them scales)", found->scale_bytes);
            }
            (void)fputc('\n', out);
        }
    }
}

/* "0-15, 17": the layers of cells first .. end - 1. */
static void print_layers(const struct look *look, size_t first, size_t end, FILE *out)
{
    int n_ranges = 0;
    while (first < end && n_ranges < MOST_RANGES) {
        const size_t n = show_range_cells(look, first, end);
        (void)fprintf(out, "%s%d", n_ranges++ == 0 ? "" : ", ", (int)look->cells[first].layer);
        if (n > 1) {
            (void)fprintf(out, "-%d", (int)look->cells[first + n - 1].layer);
        }
        first += n;
    }
    (void)fputs(first < end ? ", ...\n" : "\n", out);
}

static void print_roles(const struct look *look, FILE *out)
{
    (void)fprintf(out, "\n%-22s %9s %16s %16s  %6s\n", "role", "tensors", "parameters", "bytes",
                  "layers");
    for (size_t first = 0; first < look->n_cells;) {
        const size_t n = show_role_cells(look, first);
        struct look_cell sum = {0};
        for (size_t i = first; i < first + n; i++) {
            sum.tensors += look->cells[i].tensors;
            sum.parameters += look->cells[i].parameters;
            sum.size_bytes += look->cells[i].size_bytes;
        }
        (void)fprintf(out, "%-22s %9" PRIu64 " %16" PRIu64 " %16" PRIu64 "  %6zu: ",
                      printable(look->cells[first].role).text, sum.tensors, sum.parameters,
                      sum.size_bytes, n);
        print_layers(look, first, first + n, out);
        first += n;
    }
}

static void print_unmapped(const struct look *look, FILE *out)
{
    for (int reason = LLMFP_SCANNED + 1; reason < LLMFP_N_REASONS; reason++) {
        uint64_t n = 0;
        if (look->tally.tensors[reason] == 0) {
            continue;
        }
        (void)fprintf(out, "\nnot scanned: %s: %" PRIu64 " tensors, %" PRIu64 " bytes\n",
                      llmfp_reason_text((enum llmfp_reason)reason), look->tally.tensors[reason],
                      look->tally.bytes[reason]);
        for (size_t i = 0; i < look->n_unmapped && n < MOST_NAMES; i++) {
            const struct llmfp_tensor *tensor = look->unmapped[i].tensor;
            if ((int)look->unmapped[i].reason == reason) {
                (void)fprintf(out, "  %s (%s)\n", printable(tensor->name).text,
                              llmfp_encoding(tensor->encoding)->name);
                n++;
            }
        }
        if (n < look->tally.tensors[reason]) {
            (void)fprintf(out, "  and %" PRIu64 " more: --tensors lists them\n",
                          look->tally.tensors[reason] - n);
        }
    }
}

/* One line a part, in the columns of a dry run. */
static void print_tensor(const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping,
                         FILE *out)
{
    const char *encoding = llmfp_encoding(tensor->encoding)->name;
    const struct printable name = printable(tensor->name);
    if (mapping->reason != LLMFP_SCANNED) {
        (void)fprintf(out, "%-22s %5s %5s %-14s %14" PRIu64 "  %s  (%s)\n", "-", "-", "-", encoding,
                      tensor->data.size_bytes, name.text, llmfp_reason_text(mapping->reason));
        return;
    }
    char divided[32] = "";
    if (llmfp_tensor_divisor(tensor) != 1) {
        (void)snprintf(divided, sizeof divided, "; divided by %" PRIu32,
                       llmfp_tensor_divisor(tensor));
    }
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        char of[32];
        (void)snprintf(of, sizeof of, "%u/%u", (unsigned)i + 1, (unsigned)mapping->n_parts);
        (void)fprintf(out, "%-22s %5d %5s %-14s %14" PRIu64 "  %s  (rule %s%s%s%s)\n",
                      printable(mapping->parts[i].role).text, (int)mapping->parts[i].layer, of,
                      encoding, look_part_bytes(tensor, mapping, i), name.text,
                      printable(mapping->rule).text, mapping->note == NULL ? "" : "; ",
                      mapping->note == NULL ? "" : mapping->note, divided);
    }
}

static enum llmfp_status print_tensors(const struct look *look, FILE *out,
                                       struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    (void)fprintf(out, "\n%-22s %5s %5s %-14s %14s  %s\n", "role", "layer", "part", "encoding",
                  "bytes", "tensor");
    for (size_t i = 0; status == LLMFP_OK && i < look->catalog.n_tensors; i++) {
        struct llmfp_arena arena = {0};
        struct llmfp_mapping mapping;
        status = llmfp_roles_map(&look->configuration, &look->catalog.tensors[i], &arena, &mapping,
                                 error);
        if (status == LLMFP_OK) {
            print_tensor(&look->catalog.tensors[i], &mapping, out);
        }
        llmfp_arena_clear(&arena);
    }
    return status;
}

enum llmfp_status show_text(const char *path, const struct look *look, bool tensors, FILE *out,
                            struct llmfp_error *error)
{
    char note[2 * LLMFP_ERROR_TEXT_BYTES];
    print_facts(path, look, out);
    print_encodings(look, out);
    print_roles(look, out);
    print_unmapped(look, out);
    for (int i = 0; show_note(look, i, note, sizeof note); i++) {
        (void)fprintf(out, "%snote: %s\n", i == 0 ? "\n" : "", note);
    }
    return tensors ? print_tensors(look, out, error) : LLMFP_OK;
}
