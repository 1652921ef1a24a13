/* reading_structure.c - whether a file has the structure of the schema: names, kinds of links
 * and storage, types, shapes, dimension scales, attributes. Nothing is read but what is small. */
#include <hdf5_hl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_error.h"
#include "llmfp/results.h"
#include "part_group.h"
#include "reading.h"
#include "utf8.h"

enum {
    MOST_EXPONENT = 1 << 16, /* far beyond twice the range of a double */
    MOST_LIMBS = 1 << 12,
    MOST_LENGTH = 1 << 30, /* of an axis: numbers of models, roles, layers are int32 */
    /* Compression may make a file smaller than its content, but not by any factor. */
    MOST_RATIO = 256,
    MOST_OBJECTS = 1 << 12 /* that are looked at for being known */
};

/* ---- findings ---- */

void findings_add(struct findings *findings, enum finding_kind kind, const char *format, ...)
{
    if (findings->n[kind]++ >= FINDINGS_TOLD || findings->tell == NULL) {
        return;
    }
    char text[LLMFP_ERROR_TEXT_BYTES];
    struct llmfp_error safe;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)llmfp_fail(&safe, LLMFP_OK, "%s", text);
    findings->tell(findings->context, safe.text);
}

size_t findings_total(const struct findings *findings)
{
    size_t total = 0;
    for (int i = 0; i < N_FINDING_KINDS; i++) {
        total += findings->n[i];
    }
    return total;
}

void findings_finish(const struct findings *findings)
{
    static const char *const kinds[N_FINDING_KINDS] = {
        "attributes",   "datasets",       "shapes", "types",  "dimension scales",
        "labels",       "models",         "rows",   "counts", "exact sums",
        "ranges",       "missing values", "mean",   "std",    "signatures",
        "correlations", "checkpoints"};
    for (int i = 0; i < N_FINDING_KINDS; i++) {
        if (findings->n[i] > FINDINGS_TOLD) {
            char text[128];
            (void)snprintf(text, sizeof text, "%zu more findings of this kind: %s",
                           findings->n[i] - FINDINGS_TOLD, kinds[i]);
            findings->tell(findings->context, text);
        }
    }
}

/* ---- attributes ---- */

hid_t results_open_scalar(hid_t object, const char *name, hid_t type)
{
    if (H5Aexists(object, name) <= 0) {
        return H5I_INVALID_HID;
    }
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) {
        return H5I_INVALID_HID;
    }
    const hid_t found = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    const bool fits = H5Sget_simple_extent_type(space) == H5S_SCALAR && H5Tequal(found, type) > 0;
    H5Tclose(found);
    H5Sclose(space);
    if (!fits) {
        H5Aclose(attribute);
        return H5I_INVALID_HID;
    }
    return attribute;
}

static void check_root_text(const struct results_file *results, const char *name,
                            const char *wanted, struct findings *findings)
{
    const hid_t attribute = results_open_scalar(results->file, name, results->string_type);
    char *text = NULL;
    if (attribute < 0 || H5Aread(attribute, results->string_type, &text) < 0 || text == NULL) {
        findings_add(findings, FINDING_ATTRIBUTE,
                     "the root attribute \"%s\" is missing, or not one UTF-8 string", name);
    } else if (wanted != NULL && strcmp(text, wanted) != 0 &&
               !(strcmp(name, "schema_version") == 0 && llmfp_schema_version_is_known(text))) {
        char shown[128];
        llmfp_escape(shown, sizeof shown, text, strlen(text));
        findings_add(findings, FINDING_ATTRIBUTE, "the root attribute \"%s\" is \"%s\", not \"%s\"",
                     name, shown, wanted);
    } else if (text[0] == '\0' || !llmfp_utf8_valid(text, strlen(text))) {
        findings_add(findings, FINDING_ATTRIBUTE, "the root attribute \"%s\" is empty or not UTF-8",
                     name);
    }
    H5free_memory(text);
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
}

/* YYYY-MM-DDThh:mm:ssZ */
static bool is_time(const char *text)
{
    static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";
    size_t i = 0;
    while (pattern[i] != '\0' && text[i] != '\0' &&
           (pattern[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == pattern[i])) {
        i++;
    }
    return pattern[i] == '\0' && text[i] == '\0';
}

static void check_time(const struct results_file *results, struct findings *findings)
{
    const hid_t attribute = results_open_scalar(results->file, "created", results->string_type);
    char *text = NULL;
    if (attribute >= 0 && H5Aread(attribute, results->string_type, &text) >= 0 && text != NULL &&
        !is_time(text)) {
        findings_add(findings, FINDING_ATTRIBUTE,
                     "the root attribute \"created\" is no time of the form 2025-01-31T12:00:00Z");
    }
    H5free_memory(text);
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
}

static bool check_exponent(hid_t dataset, const char *name, int32_t *exponent,
                           struct findings *findings)
{
    const hid_t attribute = results_open_scalar(dataset, "exponent", H5T_STD_I32LE);
    bool good = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_INT32, exponent) >= 0;
    if (!good) {
        findings_add(findings, FINDING_ATTRIBUTE,
                     "%s has no attribute \"exponent\" that is one int32", name);
    } else if (*exponent % 32 != 0 || *exponent < -MOST_EXPONENT || *exponent > MOST_EXPONENT) {
        findings_add(findings, FINDING_ATTRIBUTE,
                     "%s: the exponent %d is not a multiple of 32, or out of range", name,
                     *exponent);
        good = false;
    }
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    return good;
}

/* ---- datasets ---- */

bool results_is_own(const struct results_file *results, const char *name)
{
    H5L_info_t link;
    return H5Lexists(results->file, name, H5P_DEFAULT) > 0 &&
           H5Lget_info(results->file, name, &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD;
}

/* Likewise for the group that a name begins with, if it does. */
static bool group_is_own(const struct results_file *results, const char *name)
{
    char group[32];
    const size_t n_bytes = strcspn(name, "/");
    (void)snprintf(group, sizeof group, "%.*s", (int)n_bytes, name);
    return name[n_bytes] == '\0' || results_is_own(results, group);
}

hid_t results_open_own(const struct results_file *results, const char *name,
                       struct findings *findings)
{
    if (!group_is_own(results, name) || !results_is_own(results, name)) {
        findings_add(findings, FINDING_DATASET, "the dataset %s is missing, or only a link", name);
        return H5I_INVALID_HID;
    }
    H5O_info_t object;
    if (H5Oget_info_by_name(results->file, name, &object, H5P_DEFAULT) < 0 ||
        object.type != H5O_TYPE_DATASET) {
        findings_add(findings, FINDING_DATASET, "%s is not a dataset", name);
        return H5I_INVALID_HID;
    }
    const hid_t dataset = results_open(results, name);
    if (dataset < 0) {
        findings_add(findings, FINDING_DATASET, "the dataset %s cannot be opened", name);
        return dataset;
    }
    const hid_t properties = H5Dget_create_plist(dataset);
    const bool own = properties >= 0 && H5Pget_layout(properties) != H5D_VIRTUAL &&
                     H5Pget_external_count(properties) == 0;
    if (properties >= 0) {
        H5Pclose(properties);
    }
    if (!own) {
        findings_add(findings, FINDING_DATASET, "the values of %s are kept in another file", name);
        H5Dclose(dataset);
        return H5I_INVALID_HID;
    }
    return dataset;
}

static const char *const type_names[] = {
    [TYPE_STRING] = "variable-length UTF-8 strings",
    [TYPE_INT32] = "little-endian int32",
    [TYPE_INT64] = "little-endian int64",
    [TYPE_UINT64] = "little-endian uint64",
    [TYPE_FLOAT64] = "little-endian float64",
};

static bool check_type(const struct results_file *results, const struct schema_dataset *row,
                       hid_t dataset, struct findings *findings)
{
    const hid_t found = H5Dget_type(dataset);
    /* H5Tequal does not look at the character set. */
    const bool fits = H5Tequal(found, schema_type_in_file(row->type, results->string_type)) > 0 &&
                      (row->type != TYPE_STRING || H5Tget_cset(found) == H5T_CSET_UTF8);
    H5Tclose(found);
    if (!fits) {
        findings_add(findings, FINDING_TYPE, "the values of %s are not %s", row->name,
                     type_names[row->type]);
    }
    return fits;
}

/* Scales give the lengths of the axes; everything else must have them. */
static bool check_shape(struct results_file *results, const struct schema_dataset *row,
                        hid_t dataset, struct findings *findings)
{
    hsize_t size[SCHEMA_MOST_AXES] = {0};
    const hid_t space = H5Dget_space(dataset);
    const bool simple = H5Sget_simple_extent_type(space) == H5S_SIMPLE &&
                        H5Sget_simple_extent_ndims(space) == row->n_axes &&
                        H5Sget_simple_extent_dims(space, size, NULL) == row->n_axes;
    H5Sclose(space);
    if (!simple) {
        findings_add(findings, FINDING_SHAPE, "%s does not have %d axes", row->name, row->n_axes);
        return false;
    }
    double values = 1;
    for (int i = 0; i < row->n_axes; i++) {
        uint64_t *length = &results->length[row->axes[i]];
        if (row->is_scale) {
            *length = size[i];
        }
        if (size[i] != *length || size[i] > MOST_LENGTH) {
            findings_add(findings, FINDING_SHAPE, "axis %d of %s has the length %llu, not %llu", i,
                         row->name, (unsigned long long)size[i], (unsigned long long)*length);
            return false;
        }
        values *= (double)size[i];
    }
    if (values * 4 > (double)results->file_bytes * MOST_RATIO) {
        findings_add(findings, FINDING_SHAPE, "%s claims %.0f values, in a file of %llu bytes",
                     row->name, values, (unsigned long long)results->file_bytes);
        return false;
    }
    return true;
}

/* HDF5's own functions trust the type of this attribute. */
static bool scale_list_is_sound(hid_t dataset, int n_axes)
{
    bool sound = false;
    if (H5Aexists(dataset, "DIMENSION_LIST") <= 0) {
        return false;
    }
    const hid_t attribute = H5Aopen(dataset, "DIMENSION_LIST", H5P_DEFAULT);
    if (attribute < 0) {
        return false;
    }
    const hid_t type = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    if (H5Tget_class(type) == H5T_VLEN) {
        const hid_t base = H5Tget_super(type);
        sound =
            H5Tequal(base, H5T_STD_REF_OBJ) > 0 && H5Sget_simple_extent_npoints(space) == n_axes;
        H5Tclose(base);
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(attribute);
    return sound;
}

static void check_scales(const struct results_file *results, const struct schema_dataset *row,
                         hid_t dataset, struct findings *findings)
{
    if (row->is_scale) {
        if (H5DSis_scale(dataset) <= 0) {
            findings_add(findings, FINDING_SCALE, "%s is not a dimension scale", row->name);
        }
        return;
    }
    const bool sound = scale_list_is_sound(dataset, row->n_axes);
    for (int i = 0; i < row->n_axes; i++) {
        const char *name = schema_scale(row->axes[i])->name;
        const hid_t scale = results_open(results, name);
        const bool attached = sound && scale >= 0 && H5DSis_scale(scale) > 0 &&
                              H5DSget_num_scales(dataset, (unsigned)i) == 1 &&
                              H5DSis_attached(dataset, scale, (unsigned)i) > 0;
        if (scale >= 0) {
            H5Dclose(scale);
        }
        if (!attached) {
            findings_add(findings, FINDING_SCALE,
                         "axis %d of %s does not have the dimension scale %s, and no other", i,
                         row->name, name);
        }
    }
}

static bool check_dataset(struct results_file *results, const struct schema_dataset *row,
                          struct findings *findings)
{
    const hid_t dataset = results_open_own(results, row->name, findings);
    if (dataset < 0) {
        return false;
    }
    bool good = check_type(results, row, dataset, findings);
    good = check_shape(results, row, dataset, findings) && good;
    if (row->has_exponent) {
        int32_t *exponent =
            row->axes[1] == AXIS_SUM_LIMB ? &results->sum_exponent : &results->square_exponent;
        good = check_exponent(dataset, row->name, exponent, findings) && good;
    }
    H5Dclose(dataset);
    return good;
}

static void check_all_scales(const struct results_file *results, struct findings *findings)
{
    for (size_t i = 0; i < schema_n_datasets; i++) {
        const hid_t dataset = results_open(results, schema_datasets[i].name);
        if (dataset >= 0) {
            check_scales(results, &schema_datasets[i], dataset, findings);
            H5Dclose(dataset);
        }
    }
}

static bool check_lengths(const struct results_file *results, struct findings *findings)
{
    const uint64_t *length = results->length;
    if (length[AXIS_MODEL] == 0 || length[AXIS_REASON] != N_FILE_REASONS ||
        length[AXIS_COORDINATE] != N_COORDINATES || length[AXIS_SUM_LIMB] == 0 ||
        length[AXIS_SUM_LIMB] > MOST_LIMBS || length[AXIS_SQUARE_LIMB] == 0 ||
        length[AXIS_SQUARE_LIMB] > MOST_LIMBS) {
        findings_add(findings, FINDING_SHAPE,
                     "there is no model, or the number of unscanned reasons, coordinates or limbs "
                     "is impossible");
        return false;
    }
    if (length[AXIS_ROLE] > LLMFP_PLAN_MOST_ROLES * length[AXIS_MODEL] ||
        length[AXIS_LAYER] > LLMFP_PLAN_MOST_LAYERS) {
        findings_add(findings, FINDING_SHAPE, "there are %llu roles and %llu layers, too many",
                     (unsigned long long)length[AXIS_ROLE], (unsigned long long)length[AXIS_LAYER]);
        return false;
    }
    return true;
}

/* Whether the version that a file claims to have knows divisors. */
static bool version_has_quotients(const struct results_file *results)
{
    const hid_t attribute =
        results_open_scalar(results->file, "schema_version", results->string_type);
    char *text = NULL;
    const bool has = attribute >= 0 && H5Aread(attribute, results->string_type, &text) >= 0 &&
                     text != NULL && strcmp(text, LLMFP_SCHEMA_VERSION_PART) != 0 &&
                     strcmp(text, LLMFP_SCHEMA_VERSION_WHOLE) != 0;
    H5free_memory(text);
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    return has;
}

static bool check_quotients(const struct results_file *results, struct findings *findings)
{
    const uint64_t n = results->length[AXIS_DIVISOR_LIMB];
    if (!version_has_quotients(results)) {
        findings_add(findings, FINDING_ATTRIBUTE,
                     "the file has exact/divisor, which its schema_version does not know");
        return false;
    }
    if (n == 0 || n > LLMFP_DIVISOR_MOST_LIMBS) {
        findings_add(findings, FINDING_SHAPE, "divisors have %llu limbs, and 1 to %d are possible",
                     (unsigned long long)n, (int)LLMFP_DIVISOR_MOST_LIMBS);
        return false;
    }
    return true;
}

/* ---- what else is there ---- */

struct visit {
    struct findings *findings;
    size_t n;
};

static herr_t look_at(hid_t group, const char *name, const H5O_info_t *info, void *context)
{
    (void)group;
    struct visit *visit = context;
    if (info->type == H5O_TYPE_DATASET && schema_find(name) == NULL &&
        strcmp(name, PART_RECORDS) != 0) {
        char shown[128];
        llmfp_escape(shown, sizeof shown, name, strlen(name));
        findings_add(visit->findings, FINDING_DATASET, "the dataset %s is not in the schema",
                     shown);
    }
    return ++visit->n > MOST_OBJECTS;
}

static void check_unknown(const struct results_file *results, struct findings *findings)
{
    struct visit visit = {findings, 0};
    if (H5Ovisit(results->file, H5_INDEX_NAME, H5_ITER_INC, look_at, &visit) != 0) {
        findings_add(findings, FINDING_DATASET,
                     "the names in the file cannot be listed, or are too many");
    }
}

/* Of a file with quotients all that belongs to them must be there. */
static bool has_quotients(const struct results_file *results)
{
    bool any = false;
    for (size_t i = 0; i < schema_n_datasets; i++) {
        any = any || (schema_datasets[i].of_quotients && group_is_own(results, "exact/") &&
                      H5Lexists(results->file, schema_datasets[i].name, H5P_DEFAULT) > 0);
    }
    return any;
}

bool results_check_structure(struct results_file *results, struct findings *findings)
{
    bool good = true;
    check_root_text(results, "schema", LLMFP_SCHEMA, findings);
    check_root_text(results, "schema_version", LLMFP_SCHEMA_VERSION, findings);
    check_root_text(results, "generator", NULL, findings);
    check_root_text(results, "created", NULL, findings);
    check_time(results, findings);
    good = part_group_check(results, findings) && findings->n[FINDING_ATTRIBUTE] == 0;
    const bool quotients = has_quotients(results);
    for (size_t i = 0; i < schema_n_datasets; i++) {
        if (quotients || !schema_datasets[i].of_quotients) {
            good = check_dataset(results, &schema_datasets[i], findings) && good;
        }
    }
    good = good && (!quotients || check_quotients(results, findings));
    check_unknown(results, findings);
    check_all_scales(results, findings);
    good = good && check_lengths(results, findings);
    H5Eclear2(H5E_DEFAULT);
    return good;
}
