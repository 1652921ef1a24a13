/* part_group.h - the group `part` of a results file that is one part of a split scan: which
 * part it is, and the records of the checkpoints that it has scanned a slice of. */
#ifndef LLMFP_RESULTS_PART_GROUP_H
#define LLMFP_RESULTS_PART_GROUP_H

#include <hdf5.h>

#include "llmfp/buffer.h"
#include "llmfp/record.h"
#include "llmfp/split.h"
#include "reading.h"

#define PART_GROUP   "part"
#define PART_RECORDS "part/records"

/* Packed records of slices: begin, frame each, end. */
void part_records_begin(struct llmfp_buffer *records);
void part_records_add(struct llmfp_buffer *records, const struct llmfp_buffer *bytes);
void part_records_end(struct llmfp_buffer *records, uint32_t n);

/* All Local. Make the group in a new file. False when HDF5 fails. */
bool part_group_make(hid_t file, hid_t string_type, const struct llmfp_split *split,
                     const struct llmfp_buffer *records) LLMFP_MUST_CHECK;

/* Whether the group is there and sound, or not there; results->split is set. What is wrong
 * goes to the findings. */
bool part_group_check(struct results_file *results, struct findings *findings);

struct part_slices {
    struct llmfp_record *records; /* owned, [n] */
    size_t n;
};

/* The records of a sound group; none when there is no group. part_slices_clear after success
 * and failure. Errors: LLMFP_FATAL, also for records that are damaged. */
enum llmfp_status part_slices_read(const struct results_file *results, struct part_slices *slices,
                                   struct llmfp_error *error) LLMFP_MUST_CHECK;
void part_slices_clear(struct part_slices *slices);

/* The record of a label, or NULL. */
const struct llmfp_record *part_slices_find(const struct part_slices *slices, const char *label);

#endif
