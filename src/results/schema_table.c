/* schema_table.c - see schema_table.h. */
#include "schema_table.h"

#include <string.h>

#define SCALE(name, type, axis)                                                                    \
    {                                                                                              \
        name, type, 1, {axis}, true, false, false, false                                           \
    }
#define OF_MODEL(name, type)                                                                       \
    {                                                                                              \
        name, type, 1, {AXIS_MODEL}, false, false, false, false                                    \
    }
#define OF_REASON(name)                                                                            \
    {                                                                                              \
        name, TYPE_UINT64, 2, {AXIS_MODEL, AXIS_REASON}, false, false, false, false                \
    }
#define OF_CELL(name, type)                                                                        \
    {                                                                                              \
        name, type, 3, {AXIS_MODEL, AXIS_ROLE, AXIS_LAYER}, false, true, false, false              \
    }

const struct schema_dataset schema_datasets[] = {
    SCALE("model", TYPE_STRING, AXIS_MODEL),
    SCALE("role", TYPE_STRING, AXIS_ROLE),
    SCALE("layer", TYPE_INT32, AXIS_LAYER),
    SCALE("unscanned_reason", TYPE_STRING, AXIS_REASON),
    SCALE("exact/row", TYPE_INT64, AXIS_ROW),
    SCALE("exact/coordinate", TYPE_STRING, AXIS_COORDINATE),
    SCALE("exact/sum_limb", TYPE_INT32, AXIS_SUM_LIMB),
    SCALE("exact/sum_squares_limb", TYPE_INT32, AXIS_SQUARE_LIMB),
    {"exact/divisor_limb", TYPE_INT32, 1, {AXIS_DIVISOR_LIMB}, true, false, false, true},

    OF_MODEL("architecture", TYPE_STRING),
    OF_MODEL("path", TYPE_STRING),
    OF_MODEL("format", TYPE_STRING),
    OF_MODEL("status", TYPE_STRING),
    OF_MODEL("message", TYPE_STRING),
    OF_MODEL("family", TYPE_STRING),
    OF_MODEL("parent", TYPE_STRING),
    OF_MODEL("source_digest", TYPE_STRING),
    OF_MODEL("n_layers", TYPE_INT32),
    OF_MODEL("parameters", TYPE_UINT64),
    OF_MODEL("bytes", TYPE_UINT64),
    OF_MODEL("unmapped_bytes", TYPE_UINT64),
    OF_REASON("unscanned_tensors"),
    OF_REASON("unscanned_bytes"),

    OF_CELL("count", TYPE_UINT64),
    OF_CELL("zeros", TYPE_UINT64),
    OF_CELL("nonfinite", TYPE_UINT64),
    OF_CELL("mean", TYPE_FLOAT64),
    OF_CELL("std", TYPE_FLOAT64),
    OF_CELL("min", TYPE_FLOAT64),
    OF_CELL("max", TYPE_FLOAT64),
    OF_CELL("signature", TYPE_FLOAT64),

    {"correlation",
     TYPE_FLOAT64,
     3,
     {AXIS_ROLE, AXIS_MODEL, AXIS_MODEL},
     false,
     true,
     false,
     false},
    {"correlation_qkvo", TYPE_FLOAT64, 2, {AXIS_MODEL, AXIS_MODEL}, false, true, false, false},

    {"exact/cell", TYPE_INT32, 2, {AXIS_ROW, AXIS_COORDINATE}, false, true, false, false},
    {"exact/sum", TYPE_INT64, 2, {AXIS_ROW, AXIS_SUM_LIMB}, false, true, true, false},
    {"exact/sum_squares", TYPE_INT64, 2, {AXIS_ROW, AXIS_SQUARE_LIMB}, false, true, true, false},
    {"exact/divisor", TYPE_INT64, 2, {AXIS_ROW, AXIS_DIVISOR_LIMB}, false, true, false, true},
};

const size_t schema_n_datasets = sizeof schema_datasets / sizeof schema_datasets[0];

/* Behind LLMFP_SCANNED, in the order of enum llmfp_reason. */
const char *const schema_reasons[N_FILE_REASONS] = {"no role", "integer or boolean",
                                                    "no kernel for encoding", "role not wanted"};

const char *const schema_coordinates[N_COORDINATES] = {"model", "role", "layer"};

const struct schema_dataset *schema_find(const char *name)
{
    for (size_t i = 0; i < schema_n_datasets; i++) {
        if (strcmp(schema_datasets[i].name, name) == 0) {
            return &schema_datasets[i];
        }
    }
    return NULL;
}

const struct schema_dataset *schema_scale(enum schema_axis axis)
{
    return &schema_datasets[axis];
}

hid_t schema_type_in_file(enum schema_type type, hid_t string_type)
{
    switch (type) {
    case TYPE_STRING:
        return string_type;
    case TYPE_INT32:
        return H5T_STD_I32LE;
    case TYPE_INT64:
        return H5T_STD_I64LE;
    case TYPE_UINT64:
        return H5T_STD_U64LE;
    case TYPE_FLOAT64:
        break;
    }
    return H5T_IEEE_F64LE;
}
