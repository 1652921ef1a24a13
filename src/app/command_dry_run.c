/* command_dry_run.c - headers only: how every tensor maps, and what would be read. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "llmfp/batch.h"
#include "llmfp/plan.h"
#include "size_text.h"
#include "stop_signal.h"

struct totals {
    size_t n_failed;
    uint64_t wanted_bytes;
    uint64_t size_bytes;
};

static uint64_t part_bytes(const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping,
                           uint32_t part)
{
    return llmfp_tensor_bytes(tensor, mapping->repeat * mapping->parts[part].run_elements);
}

/* One line a part: role, layer, part, encoding, bytes, tensor, rule. */
static void print_tensor(const struct llmfp_tensor *tensor, const struct llmfp_mapping *mapping,
                         const struct llmfp_role_filter *filter)
{
    const char *encoding = llmfp_encoding(tensor->encoding)->name;
    char name[LLMFP_ERROR_TEXT_BYTES];
    llmfp_escape(name, sizeof name, tensor->name, strlen(tensor->name));
    if (mapping->reason != LLMFP_SCANNED) {
        (void)printf("  %-18s %5s %5s %-8s %12" PRIu64 "  %s  (%s)\n", "-", "-", "-", encoding,
                     tensor->data.size_bytes, name, llmfp_reason_text(mapping->reason));
        return;
    }
    char divided[32] = "";
    if (llmfp_tensor_divisor(tensor) != 1) {
        (void)snprintf(divided, sizeof divided, "; divided by %" PRIu32,
                       llmfp_tensor_divisor(tensor));
    }
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        const struct llmfp_part *part = &mapping->parts[i];
        const bool wanted = filter == NULL || llmfp_role_wanted(filter, part->role);
        char role[LLMFP_ERROR_TEXT_BYTES];
        char of[32];
        llmfp_escape(role, sizeof role, part->role, strlen(part->role));
        (void)snprintf(of, sizeof of, "%u/%u", i + 1, mapping->n_parts);
        (void)printf("  %-18s %5d %5s %-8s %12" PRIu64 "  %s  (rule %s%s%s%s%s)\n", role,
                     (int)part->layer, of, encoding, part_bytes(tensor, mapping, i), name,
                     mapping->rule, mapping->note == NULL ? "" : "; ",
                     mapping->note == NULL ? "" : mapping->note, divided,
                     wanted ? "" : "; left out by --roles");
    }
}

static void print_tally(const struct llmfp_tally *tally)
{
    for (int i = LLMFP_SCANNED + 1; i < LLMFP_N_REASONS; i++) {
        if (tally->tensors[i] > 0 || tally->bytes[i] > 0) {
            (void)printf("  not scanned: %" PRIu64 " tensors, %" PRIu64 " bytes: %s\n",
                         tally->tensors[i], tally->bytes[i],
                         llmfp_reason_text((enum llmfp_reason)i));
        }
    }
    (void)printf("  will be read: %" PRIu64 " of %" PRIu64 " bytes (%s), from %" PRIu64
                 " tensors; %" PRIu64 " parameters in all\n",
                 tally->wanted_bytes, tally->size_bytes, size_text(tally->wanted_bytes).text,
                 tally->tensors[LLMFP_SCANNED], tally->parameters);
    if (tally->n_scales > 0) {
        (void)printf("  note: %" PRIu64 " weights have scales in tensors of their own, which are "
                     "not applied\n",
                     tally->n_scales);
    }
}

static enum llmfp_status print_checkpoint(struct llmfp_batch_checkpoint *checkpoint,
                                          const struct llmfp_role_filter *filter,
                                          struct totals *totals, struct llmfp_error *error)
{
    struct llmfp_plan plan = {0};
    char label[LLMFP_ERROR_TEXT_BYTES];
    llmfp_escape(label, sizeof label, checkpoint->entry->label, strlen(checkpoint->entry->label));
    enum llmfp_status status =
        llmfp_plan_add(&plan, 0, &checkpoint->configuration, &checkpoint->catalog, filter,
                       &checkpoint->tally, error);
    llmfp_plan_clear(&plan);
    if (status != LLMFP_OK) {
        return status;
    }
    (void)printf("%s: %s, %s, files: %zu, layers: %d, tensors: %zu\n", label,
                 llmfp_format_name(checkpoint->files.format),
                 checkpoint->configuration.architecture[0] == '\0'
                     ? "architecture not known"
                     : checkpoint->configuration.architecture,
                 checkpoint->catalog.n_files, (int)checkpoint->tally.n_layers,
                 checkpoint->catalog.n_tensors);
    (void)printf("  %-18s %5s %5s %-8s %12s  %s\n", "role", "layer", "part", "encoding", "bytes",
                 "tensor");
    struct llmfp_arena arena = {0};
    for (size_t i = 0; status == LLMFP_OK && i < checkpoint->catalog.n_tensors; i++) {
        struct llmfp_mapping mapping;
        status = llmfp_roles_map(&checkpoint->configuration, &checkpoint->catalog.tensors[i],
                                 &arena, &mapping, error);
        if (status == LLMFP_OK) {
            print_tensor(&checkpoint->catalog.tensors[i], &mapping, filter);
        }
    }
    llmfp_arena_clear(&arena);
    print_tally(&checkpoint->tally);
    totals->wanted_bytes += checkpoint->tally.wanted_bytes;
    totals->size_bytes += checkpoint->tally.size_bytes;
    return status;
}

/* Rank 0: say what a batch holds. */
static enum llmfp_status print_batch(const struct command *command, struct llmfp_batch *batch,
                                     struct totals *totals, struct llmfp_error *error)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct llmfp_batch_checkpoint *checkpoint = &batch->checkpoints[i];
        if (!checkpoint->failed && command->communicator->rank == 0) {
            struct llmfp_error why = {LLMFP_OK, ""};
            const enum llmfp_status status =
                print_checkpoint(checkpoint, command->filter, totals, &why);
            if (status == LLMFP_FATAL) {
                *error = why;
                return status;
            }
            if (status != LLMFP_OK) {
                llmfp_batch_fail(checkpoint, why.text);
            }
        }
        if (checkpoint->failed) {
            totals->n_failed++;
            message_error(command->messages, checkpoint->entry->label, checkpoint->message);
        }
    }
    return LLMFP_OK;
}

/* Collective. The next entries, when nothing waits; *none when all have been seen. */
static enum llmfp_status next_batch(const struct command *command, struct llmfp_batch *batch,
                                    size_t *next, struct llmfp_error *error)
{
    if (batch->n_located == 0) {
        size_t numbers[LLMFP_BATCH_MOST];
        size_t n = 0;
        while (n < LLMFP_BATCH_MOST && *next < command->manifest->n_entries) {
            numbers[n++] = (*next)++;
        }
        const enum llmfp_status status =
            n == 0 ? LLMFP_OK
                   : llmfp_batch_locate(command->communicator, command->manifest, numbers, n, batch,
                                        error);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    llmfp_batch_choose(batch, command->communicator->size);
    return batch->n == 0 ? LLMFP_OK : llmfp_batch_headers(command->communicator, batch, error);
}

static enum llmfp_status look_at_all(const struct command *command, struct totals *totals,
                                     struct llmfp_error *error)
{
    struct llmfp_batch *batch = calloc(1, sizeof *batch);
    enum llmfp_status status =
        batch == NULL ? llmfp_fail_memory(error, sizeof *batch, "a batch") : LLMFP_OK;
    status = llmfp_agree(command->communicator, status, error);
    size_t next = 0;
    if (batch != NULL) {
        batch->own_rules = command->own_rules;
    }
    while (status == LLMFP_OK) {
        status = next_batch(command, batch, &next, error);
        if (status != LLMFP_OK || batch->n == 0) {
            break;
        }
        status = print_batch(command, batch, totals, error);
        if (status == LLMFP_OK && command->options->strict && totals->n_failed > 0) {
            status = llmfp_fail(error, LLMFP_FATAL,
                                "stopped at the first checkpoint that fails "
                                "because of --strict");
        } else if (status == LLMFP_OK && stop_signal_came != 0) {
            status = llmfp_fail(error, LLMFP_INTERRUPTED, "interrupted by a signal");
        }
        status = llmfp_agree(command->communicator, status, error);
        llmfp_batch_advance(batch);
    }
    if (batch != NULL) {
        llmfp_batch_clear(batch);
        free(batch);
    }
    return status;
}

int command_dry_run(struct command *command)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    struct totals totals = {0};
    enum llmfp_status status = look_at_all(command, &totals, &error);
    if (status != LLMFP_OK) {
        message_error(command->messages, NULL, error.text);
        return (int)status;
    }
    if (command->messages->speaks) {
        (void)printf(
            "In all %zu checkpoints, %zu of them cannot be read; %s of %s would be read.\n",
            command->manifest->n_entries, totals.n_failed, size_text(totals.wanted_bytes).text,
            size_text(totals.size_bytes).text);
    }
    return totals.n_failed > 0 ? LLMFP_CHECKPOINT : 0;
}
