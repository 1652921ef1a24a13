/* schema_table.h - every dataset of the results file as a row of one table: what the file is
 * made from, and what is looked for when one is read. Explained in results-schema/SCHEMA.md. */
#ifndef LLMFP_RESULTS_SCHEMA_TABLE_H
#define LLMFP_RESULTS_SCHEMA_TABLE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

#include "llmfp/roles.h"

/* Axes; each has one dimension scale. */
enum schema_axis {
    AXIS_MODEL,
    AXIS_ROLE,
    AXIS_LAYER,
    AXIS_REASON,
    AXIS_ROW,
    AXIS_COORDINATE,
    AXIS_SUM_LIMB,
    AXIS_SQUARE_LIMB,
    AXIS_DIVISOR_LIMB, /* of length 0 in files without quotients, which lack its scale */
    N_AXES
};

/* Why something is not scanned, as the file counts it: the reasons but LLMFP_SCANNED. */
enum { N_FILE_REASONS = LLMFP_N_REASONS - 1, N_COORDINATES = 3 };

enum schema_type { TYPE_STRING, TYPE_INT32, TYPE_INT64, TYPE_UINT64, TYPE_FLOAT64 };

enum { SCHEMA_MOST_AXES = 3 };

struct schema_dataset {
    const char *name;
    enum schema_type type;
    int n_axes;
    enum schema_axis axes[SCHEMA_MOST_AXES];
    bool is_scale;     /* the scale of its one axis */
    bool filled_later; /* by all ranks, after the file was made */
    bool has_exponent; /* an int32 attribute */
    bool of_quotients; /* only in files with cells of quotients (llmfp/divisor.h) */
};

/* Scales first, in the order of enum schema_axis. */
extern const struct schema_dataset schema_datasets[];
extern const size_t schema_n_datasets;

/* What unscanned_reason and exact/coordinate hold. */
extern const char *const schema_reasons[N_FILE_REASONS];
extern const char *const schema_coordinates[N_COORDINATES];

/* All Local. The row of a name that is in the table; the scale of an axis.             */
const struct schema_dataset *schema_find(const char *name);
const struct schema_dataset *schema_scale(enum schema_axis axis);

/* How a type is stored; string_type is the one of variable length, in UTF-8. Borrowed.   */
hid_t schema_type_in_file(enum schema_type type, hid_t string_type);

#endif
