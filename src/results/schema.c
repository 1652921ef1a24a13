/* schema.c - creating the results file. Described in results-schema/SCHEMA.md. */
#include "schema.h"

#include <hdf5.h>
#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_error.h"
#include "llmfp/results.h"
#include "llmfp/roles.h"
#include "part_group.h"
#include "schema_table.h"

/* HDF5 objects while the file is made. `path` is for messages. */
struct maker {
    const char *path;
    const struct schema_content *content;
    hid_t file;
    hid_t string_type;
    hid_t scale[N_AXES];
    struct llmfp_error *error;
};

static enum llmfp_status fail(const struct maker *maker, const char *what)
{
    return hdf5_fail(maker->error, maker->path, what);
}

static hid_t type_in_memory(const struct maker *maker, enum schema_type type)
{
    switch (type) {
    case TYPE_STRING:
        return maker->string_type;
    case TYPE_INT32:
        return H5T_NATIVE_INT32;
    case TYPE_INT64:
        return H5T_NATIVE_INT64;
    case TYPE_UINT64:
        return H5T_NATIVE_UINT64;
    case TYPE_FLOAT64:
        break;
    }
    return H5T_NATIVE_DOUBLE;
}

/* Space in the file is set aside at once, unfilled: every element is written later, by
 * many ranks, and none of them may have to allocate. No times: equal scans give equal
 * datasets. */
static hid_t creation_properties(enum schema_type type)
{
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (properties >= 0) {
        H5Pset_obj_track_times(properties, 0);
        if (type != TYPE_STRING) {
            H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
            H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
        }
    }
    return properties;
}

/* Create a dataset; write `values` unless NULL; leave it open in *made. */
static enum llmfp_status make_dataset(struct maker *maker, const struct schema_dataset *dataset,
                                      const void *values, hid_t *made)
{
    hsize_t size[SCHEMA_MOST_AXES];
    hsize_t n = 1;
    for (int i = 0; i < dataset->n_axes; i++) {
        size[i] = maker->content->length[dataset->axes[i]];
        n *= size[i];
    }
    const hid_t space = H5Screate_simple(dataset->n_axes, size, NULL);
    const hid_t properties = creation_properties(dataset->type);
    *made = H5Dcreate2(maker->file, dataset->name,
                       schema_type_in_file(dataset->type, maker->string_type), space, H5P_DEFAULT,
                       properties, H5P_DEFAULT);
    herr_t wrote = 0;
    if (*made >= 0 && values != NULL && n > 0) {
        wrote = H5Dwrite(*made, type_in_memory(maker, dataset->type), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                         values);
    }
    H5Pclose(properties);
    H5Sclose(space);
    return *made < 0 || wrote < 0 ? fail(maker, "create a dataset") : LLMFP_OK;
}

/* Create a dataset, attach its scales, close it. */
static enum llmfp_status make_array(struct maker *maker, const struct schema_dataset *dataset,
                                    const void *values)
{
    hid_t made = H5I_INVALID_HID;
    enum llmfp_status status = make_dataset(maker, dataset, values, &made);
    for (int i = 0; status == LLMFP_OK && i < dataset->n_axes; i++) {
        if (H5DSattach_scale(made, maker->scale[dataset->axes[i]], (unsigned)i) < 0) {
            status = fail(maker, "attach a dimension scale");
        }
    }
    if (made >= 0 && H5Dclose(made) < 0 && status == LLMFP_OK) {
        status = fail(maker, "close a dataset");
    }
    return status;
}

static enum llmfp_status make_scale(struct maker *maker, enum schema_axis axis, const void *values)
{
    const struct schema_dataset *dataset = schema_scale(axis);
    const char *slash = strrchr(dataset->name, '/');
    enum llmfp_status status = make_dataset(maker, dataset, values, &maker->scale[axis]);
    if (status == LLMFP_OK &&
        H5DSset_scale(maker->scale[axis], slash == NULL ? dataset->name : slash + 1) < 0) {
        status = fail(maker, "make a dimension scale");
    }
    return status;
}

/* 0, 1, 2, ... as the type of the scale. */
static enum llmfp_status make_counting_scale(struct maker *maker, enum schema_axis axis)
{
    const size_t n = (size_t)maker->content->length[axis];
    const bool wide = schema_scale(axis)->type == TYPE_INT64;
    int64_t *values = calloc(n + 1, sizeof *values); /* wide enough for both types */
    if (values == NULL) {
        return llmfp_fail_memory(maker->error, n * sizeof *values, "a dimension scale");
    }
    int32_t *narrow = (int32_t *)values;
    for (size_t i = 0; i < n; i++) {
        if (wide) {
            values[i] = (int64_t)i;
        } else {
            narrow[i] = (int32_t)i;
        }
    }
    const enum llmfp_status status = make_scale(maker, axis, values);
    free(values);
    return status;
}

static const char *label_of(const struct llmfp_record *record)
{
    return record->label;
}
static const char *architecture_of(const struct llmfp_record *record)
{
    return record->architecture;
}
static const char *path_of(const struct llmfp_record *record)
{
    return record->path;
}
static const char *format_of(const struct llmfp_record *record)
{
    return record->format;
}
static const char *status_of(const struct llmfp_record *record)
{
    return record->failed ? "failed" : "ok";
}
static const char *message_of(const struct llmfp_record *record)
{
    return record->message;
}
static const char *family_of(const struct llmfp_record *record)
{
    return record->family;
}
static const char *parent_of(const struct llmfp_record *record)
{
    return record->parent;
}
static const char *digest_of(const struct llmfp_record *record)
{
    return record->source_digest;
}

/* One string a model, through `get`; NULL without memory. Owned by the caller. */
static const char **strings_of_models(const struct schema_content *content,
                                      const char *(*get)(const struct llmfp_record *))
{
    const size_t n = (size_t)content->length[AXIS_MODEL];
    const char **strings = calloc(n + 1, sizeof *strings);
    for (size_t i = 0; strings != NULL && i < n; i++) {
        strings[i] = get(&content->models[i]);
    }
    return strings;
}

static bool has_quotients(const struct schema_content *content)
{
    return content->length[AXIS_DIVISOR_LIMB] > 0;
}

static enum llmfp_status make_scales(struct maker *maker)
{
    const char **labels = strings_of_models(maker->content, label_of);
    enum llmfp_status status =
        labels == NULL ? llmfp_fail_memory(maker->error, 0, "labels") : LLMFP_OK;
    if (status == LLMFP_OK) {
        status = make_scale(maker, AXIS_MODEL, labels);
    }
    if (status == LLMFP_OK) {
        status = make_scale(maker, AXIS_ROLE, maker->content->roles);
    }
    if (status == LLMFP_OK) {
        status = make_scale(maker, AXIS_REASON, schema_reasons);
    }
    if (status == LLMFP_OK) {
        status = make_scale(maker, AXIS_COORDINATE, schema_coordinates);
    }
    static const enum schema_axis counting[] = {AXIS_LAYER, AXIS_ROW, AXIS_SUM_LIMB,
                                                AXIS_SQUARE_LIMB};
    for (size_t i = 0; status == LLMFP_OK && i < sizeof counting / sizeof counting[0]; i++) {
        status = make_counting_scale(maker, counting[i]);
    }
    if (status == LLMFP_OK && has_quotients(maker->content)) {
        status = make_counting_scale(maker, AXIS_DIVISOR_LIMB);
    }
    free(labels);
    return status;
}

/* ---- one value a model ---- */

static enum llmfp_status make_strings(struct maker *maker)
{
    static const struct {
        const char *name;
        const char *(*get)(const struct llmfp_record *);
    } columns[] = {
        {"architecture", architecture_of},
        {"path", path_of},
        {"format", format_of},
        {"status", status_of},
        {"message", message_of},
        {"family", family_of},
        {"parent", parent_of},
        {"source_digest", digest_of},
    };
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < sizeof columns / sizeof columns[0]; i++) {
        const char **strings = strings_of_models(maker->content, columns[i].get);
        if (strings == NULL) {
            return llmfp_fail_memory(maker->error, 0, "strings of the results file");
        }
        status = make_array(maker, schema_find(columns[i].name), strings);
        free(strings);
    }
    return status;
}

static uint64_t unmapped_bytes(const struct llmfp_tally *tally)
{
    return tally->bytes[LLMFP_NO_ROLE] + tally->bytes[LLMFP_INTEGER] +
           tally->bytes[LLMFP_NO_KERNEL];
}

static enum llmfp_status make_numbers(struct maker *maker)
{
    const size_t n = (size_t)maker->content->length[AXIS_MODEL];
    int32_t *layers = calloc(n + 1, sizeof *layers);
    uint64_t *numbers =
        calloc(3 * n + 1, sizeof *numbers); /* three columns, one behind the other */
    enum llmfp_status status = LLMFP_OK;
    if (layers == NULL || numbers == NULL) {
        status = llmfp_fail_memory(maker->error, n * 28, "numbers of the results file");
    } else {
        for (size_t i = 0; i < n; i++) {
            const struct llmfp_tally *tally = &maker->content->models[i].tally;
            layers[i] = tally->n_layers;
            numbers[i] = tally->parameters;
            numbers[n + i] = tally->size_bytes;
            numbers[2 * n + i] = unmapped_bytes(tally);
        }
        status = make_array(maker, schema_find("n_layers"), layers);
    }
    static const char *const names[] = {"parameters", "bytes", "unmapped_bytes"};
    for (size_t i = 0; status == LLMFP_OK && i < 3; i++) {
        status = make_array(maker, schema_find(names[i]), numbers + i * n);
    }
    free(layers);
    free(numbers);
    return status;
}

static enum llmfp_status make_unscanned(struct maker *maker)
{
    const size_t n = (size_t)maker->content->length[AXIS_MODEL];
    uint64_t *tensors = calloc(2 * n * N_FILE_REASONS + 1, sizeof *tensors);
    if (tensors == NULL) {
        return llmfp_fail_memory(maker->error, n * 64, "numbers of the results file");
    }
    uint64_t *bytes = tensors + n * N_FILE_REASONS;
    for (size_t i = 0; i < n; i++) {
        const struct llmfp_tally *tally = &maker->content->models[i].tally;
        for (size_t k = 0; k < N_FILE_REASONS; k++) {
            tensors[i * N_FILE_REASONS + k] = tally->tensors[k + 1];
            bytes[i * N_FILE_REASONS + k] = tally->bytes[k + 1];
        }
    }
    enum llmfp_status status = make_array(maker, schema_find("unscanned_tensors"), tensors);
    if (status == LLMFP_OK) {
        status = make_array(maker, schema_find("unscanned_bytes"), bytes);
    }
    free(tensors);
    return status;
}

/* ---- attributes ---- */

static enum llmfp_status put_attribute(struct maker *maker, hid_t object, const char *name,
                                       hid_t file_type, hid_t memory_type, const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    const herr_t wrote = attribute < 0 ? -1 : H5Awrite(attribute, memory_type, value);
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    H5Sclose(space);
    return wrote < 0 ? fail(maker, "write an attribute") : LLMFP_OK;
}

/* The first version that has all that is in the file. */
static const char *version_of(const struct schema_content *content)
{
    if (has_quotients(content)) {
        return LLMFP_SCHEMA_VERSION;
    }
    return content->split.n > 0 ? LLMFP_SCHEMA_VERSION_PART : LLMFP_SCHEMA_VERSION_WHOLE;
}

static enum llmfp_status make_root_attributes(struct maker *maker)
{
    const struct {
        const char *name;
        const char *value;
    } attributes[] = {
        {"schema", LLMFP_SCHEMA},
        {"schema_version", version_of(maker->content)},
        {"generator", maker->content->generator},
        {"created", maker->content->created},
    };
    enum llmfp_status status = LLMFP_OK;
    for (size_t i = 0; status == LLMFP_OK && i < sizeof attributes / sizeof attributes[0]; i++) {
        status = put_attribute(maker, maker->file, attributes[i].name, maker->string_type,
                               maker->string_type, &attributes[i].value);
    }
    return status;
}

static enum llmfp_status make_exponent(struct maker *maker, const char *name, int32_t exponent)
{
    const hid_t dataset = H5Dopen2(maker->file, name, H5P_DEFAULT);
    if (dataset < 0) {
        return fail(maker, "open a dataset");
    }
    const enum llmfp_status status =
        put_attribute(maker, dataset, "exponent", H5T_STD_I32LE, H5T_NATIVE_INT32, &exponent);
    H5Dclose(dataset);
    return status;
}

/* ---- all of it ---- */

static enum llmfp_status make_everything(struct maker *maker)
{
    const hid_t group = H5Gcreate2(maker->file, "exact", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) {
        return fail(maker, "create a group");
    }
    H5Gclose(group);
    enum llmfp_status status = make_root_attributes(maker);
    if (status == LLMFP_OK) {
        status = make_scales(maker);
    }
    if (status == LLMFP_OK) {
        status = make_strings(maker);
    }
    if (status == LLMFP_OK) {
        status = make_numbers(maker);
    }
    if (status == LLMFP_OK) {
        status = make_unscanned(maker);
    }
    for (size_t i = 0; status == LLMFP_OK && i < schema_n_datasets; i++) {
        if (schema_datasets[i].filled_later &&
            (!schema_datasets[i].of_quotients || has_quotients(maker->content))) {
            status = make_array(maker, &schema_datasets[i], NULL);
        }
    }
    if (status == LLMFP_OK) {
        status = make_exponent(maker, "exact/sum", maker->content->sum_exponent);
    }
    if (status == LLMFP_OK) {
        status = make_exponent(maker, "exact/sum_squares", maker->content->square_exponent);
    }
    if (status == LLMFP_OK && maker->content->split.n > 0 &&
        !part_group_make(maker->file, maker->string_type, &maker->content->split,
                         maker->content->slices)) {
        status = fail(maker, "create the group of a part");
    }
    return status;
}

enum llmfp_status schema_create(const char *path, const struct schema_content *content,
                                struct llmfp_error *error)
{
    struct maker maker = {.path = path, .content = content, .error = error};
    for (int axis = 0; axis < N_AXES; axis++) {
        maker.scale[axis] = H5I_INVALID_HID;
    }
    maker.file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (maker.file < 0) {
        return fail(&maker, "create the results file");
    }
    maker.string_type = H5Tcopy(H5T_C_S1);
    H5Tset_size(maker.string_type, H5T_VARIABLE);
    H5Tset_cset(maker.string_type, H5T_CSET_UTF8);
    enum llmfp_status status = make_everything(&maker);
    for (int axis = 0; axis < N_AXES; axis++) {
        if (maker.scale[axis] >= 0) {
            H5Dclose(maker.scale[axis]);
        }
    }
    H5Tclose(maker.string_type);
    if (H5Fclose(maker.file) < 0 && status == LLMFP_OK) {
        status = fail(&maker, "close the new results file");
    }
    return status;
}
