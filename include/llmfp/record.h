/* llmfp/record.h - everything the results say of one checkpoint, as one record.
 *                                                                core, no MPI
 * Made when a checkpoint is finished (or has failed), kept in the journal, and
 * written into the results file at the end. Sums are kept in their shortest form
 * (llmfp_sum), so a record is as small as its values.                           */
#ifndef LLMFP_RECORD_H
#define LLMFP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/divisor.h"
#include "llmfp/error.h"
#include "llmfp/plan.h"
#include "llmfp/statistics.h"

/* An exact sum: limbs[k] counts units of 2^(32 k + exponent). Shortest form: no
 * zero limb at the low end, and no limb at the high end that only repeats the sign;
 * zero has no limbs and exponent 0.                                             */
struct llmfp_sum {
    int32_t exponent; /* a multiple of 32 */
    uint32_t n_limbs;
    const int64_t *limbs; /* all but the last in 0 .. 2^32 - 1 */
};

struct llmfp_record_cell {
    const char *role;
    int32_t layer;
    struct llmfp_statistics statistics;
    struct llmfp_sum sum; /* of the numerators, where there is a divisor */
    struct llmfp_sum squares;
    struct llmfp_divisor divisor; /* zeroed for the usual encodings: 1 */
};

/* Of a split scan: which slice of the checkpoint's stream the cells are sums over. Zeroed:
 * the whole checkpoint.                                                         */
struct llmfp_record_part {
    uint32_t number; /* of the part of the scan, 1 .. n */
    uint32_t n;      /* parts; 0: not split */
    uint64_t low;    /* <= high <= stream_bytes */
    uint64_t high;
    uint64_t stream_bytes;
    uint64_t plan; /* llmfp_plan_digest: equal for slices that fit together */
};

struct llmfp_record {
    const char *label; /* all strings: UTF-8, never NULL */
    const char *path;
    const char *family;
    const char *parent;
    const char *architecture;
    const char *format;
    const char *message;       /* why it failed; "" when ok */
    const char *source_digest; /* 16 hex digits over file sizes and headers; "" when failed */
    uint64_t fingerprint;      /* like source_digest, with file times: has it changed since? */
    bool failed;
    bool kept; /* came with an existing results file: stays, whatever the manifest lists */
    struct llmfp_record_part part;
    struct llmfp_tally tally;
    struct llmfp_record_cell *cells; /* by (role, layer), in the order of llmfp_role_compare */
    size_t n_cells;
    struct llmfp_arena arena; /* owns all of the above */
};

/* All functions are Local. A zeroed struct is a valid empty record.             */

void llmfp_record_clear(struct llmfp_record *record);

/* Shortest form of settled limbs. Borrows them, but may write the last one.      */
struct llmfp_sum llmfp_sum_shortest(int64_t *limbs, uint32_t n_limbs, int32_t exponent);

/* Place a sum into n_limbs limbs of another exponent (settled; wide enough).     */
void llmfp_sum_place(const struct llmfp_sum *sum, int64_t *limbs, uint32_t n_limbs,
                     int32_t exponent);

/* The sum of two sums, its limbs in the arena. False without memory, or when exponents
 * are absurd.                                                                    */
bool llmfp_sum_add(const struct llmfp_sum *a, const struct llmfp_sum *b, struct llmfp_arena *arena,
                   struct llmfp_sum *sum) LLMFP_MUST_CHECK;

/* One sum in serialised form. Unpacking checks what llmfp_sum promises; *cursor fails
 * when the bytes break it.                                                       */
void llmfp_sum_pack(const struct llmfp_sum *sum, struct llmfp_buffer *buffer);
void llmfp_sum_unpack(struct llmfp_cursor *cursor, struct llmfp_arena *arena,
                      struct llmfp_sum *sum);

/* Serialised form; independent of the machine. Errors of unpack: LLMFP_FATAL when
 * the bytes are not a record or memory is short.                                 */
void llmfp_record_pack(const struct llmfp_record *record, struct llmfp_buffer *buffer);
enum llmfp_status llmfp_record_unpack(struct llmfp_record *record, struct llmfp_cursor *cursor,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Put the records of all slices of a checkpoint together, in the order of their parts.
 *   whole    out: a record of the whole checkpoint
 *   problem  out: NULL, or why they do not fit together, as a phrase; `whole` is empty then
 * A checkpoint that failed in one part has failed. Errors: LLMFP_FATAL without memory. */
enum llmfp_status llmfp_record_join(const struct llmfp_record *slices, size_t n,
                                    struct llmfp_record *whole, const char **problem,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
