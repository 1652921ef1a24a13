/* correlations.c - correlations of all pairs of curves, rows shared out among ranks.
 * Each pair is computed whole by one rank in a fixed order, so its bits do not depend on
 * the number of ranks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llmfp/curve.h"
#include "writer.h"

enum { BLOCK_VALUES = 512 << 10 /* of a matrix at a time: 4 MiB */ };

static enum llmfp_status no_memory(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_FATAL,
                      "out of memory while correlations are computed; give each rank more memory");
}

/* The curves of one role of all models, on every rank. */
struct role_curves {
    double *values;       /* owned: all curves, one behind the other */
    const double **curve; /* owned, [n_models] */
    size_t *n_layers;     /* owned, [n_models]; 0: none */
};

static void clear_curves(struct role_curves *curves)
{
    free(curves->values);
    free(curves->curve);
    free(curves->n_layers);
    *curves = (struct role_curves){0};
}

static const struct survey_curve *find_curve(const struct survey *survey, size_t model,
                                             uint32_t role)
{
    for (size_t i = survey->curves_of[model]; i < survey->curves_of[model + 1]; i++) {
        if (survey->curves[i].role == role) {
            return &survey->curves[i];
        }
    }
    return NULL;
}

/* Pack this rank's curves of a role: for each model u32 length, then the values. */
static void pack_curves(const struct survey *survey, uint32_t role, struct llmfp_buffer *packed)
{
    for (size_t model = 0; model < survey->n; model++) {
        const struct survey_curve *curve = find_curve(survey, model, role);
        llmfp_buffer_put_u32(packed, curve == NULL ? 0 : curve->n_layers);
        for (uint32_t i = 0; curve != NULL && i < curve->n_layers; i++) {
            llmfp_buffer_put_double(packed, survey->values[curve->start + i]);
        }
    }
}

static enum llmfp_status unpack_curves(const struct llmfp_buffer *all, size_t n_models,
                                       struct role_curves *curves, struct llmfp_error *error)
{
    curves->values = malloc(all->size_bytes + sizeof *curves->values);
    curves->curve = calloc(n_models + 1, sizeof *curves->curve);
    curves->n_layers = calloc(n_models + 1, sizeof *curves->n_layers);
    if (curves->values == NULL || curves->curve == NULL || curves->n_layers == NULL) {
        return no_memory(error);
    }
    struct llmfp_cursor cursor = llmfp_cursor_over(all->bytes, all->size_bytes);
    size_t n = 0;
    for (size_t model = 0; model < n_models; model++) {
        curves->n_layers[model] = llmfp_cursor_u32(&cursor);
        curves->curve[model] = curves->values + n;
        for (size_t i = 0; i < curves->n_layers[model] && !cursor.failed; i++) {
            curves->values[n++] = llmfp_cursor_double(&cursor);
        }
    }
    return cursor.failed ? llmfp_fail(error, LLMFP_FATAL, "curves of another rank are cut short")
                         : LLMFP_OK;
}

/* Collective. A role that does not occur (number n_roles) has no curves. */
static enum llmfp_status collect_curves(const struct writer *writer, const struct survey *survey,
                                        uint32_t role, struct role_curves *curves,
                                        struct llmfp_error *error)
{
    struct llmfp_buffer mine = {0};
    struct llmfp_buffer all = {0};
    pack_curves(survey, role, &mine);
    enum llmfp_status status = llmfp_exchange(writer->communicator, &mine, &all, NULL, error);
    if (status == LLMFP_OK) {
        status = unpack_curves(&all, survey->n_models, curves, error);
        status = writer_agree(writer, status, error);
    }
    llmfp_buffer_clear(&mine);
    llmfp_buffer_clear(&all);
    return status;
}

/* ---- blocks of rows ---- */

/* How this rank's rows are cut; `rounds` is the same on every rank. */
struct cut {
    size_t rows; /* of a block, at most */
    uint64_t rounds;
};

static struct cut cut_rows(const struct writer *writer, const struct survey *survey)
{
    struct cut cut = {1, 0};
    if (survey->n_models > 0 && survey->n_models < BLOCK_VALUES) {
        cut.rows = BLOCK_VALUES / survey->n_models;
    }
    cut.rounds = llmfp_largest(writer->communicator, (survey->n + cut.rows - 1) / cut.rows);
    return cut;
}

/* This rank's rows of a round: relative to its first model. */
static size_t rows_of_round(const struct survey *survey, const struct cut *cut, uint64_t round,
                            size_t *begin)
{
    *begin = (size_t)round * cut->rows;
    if (*begin >= survey->n) {
        *begin = 0;
        return 0;
    }
    return survey->n - *begin < cut->rows ? survey->n - *begin : cut->rows;
}

/* Collective. */
static enum llmfp_status write_role(struct writer *writer, const struct survey *survey,
                                    const struct cut *cut, uint32_t role, double *rows,
                                    struct llmfp_error *error)
{
    struct role_curves curves = {0};
    enum llmfp_status status = collect_curves(writer, survey, role, &curves, error);
    for (uint64_t round = 0; status == LLMFP_OK && round < cut->rounds; round++) {
        size_t begin;
        const size_t n = rows_of_round(survey, cut, round, &begin);
        status = llmfp_curve_correlation_rows(curves.curve, curves.n_layers, survey->n_models,
                                              survey->first + begin, n, rows, error);
        if (status == LLMFP_OK) {
            const uint64_t start[] = {role, survey->first + begin, 0};
            const uint64_t count[] = {n > 0, n, survey->n_models};
            status = writer_put(writer, WRITER_CORRELATION, start, count, rows, error);
        }
        status = writer_agree(writer, status, error);
    }
    clear_curves(&curves);
    return status;
}

/* ---- Q, K, V and O together ---- */

enum { N_QKVO = 4 };
static const char *const qkvo[N_QKVO] = {"attn.q", "attn.k", "attn.v", "attn.o"};

/* The best pairs so far, best first, and the links among models: a forest in which each
 * model points towards the first one of its group. */
struct best {
    struct llmfp_pair *pairs;
    size_t n;
    size_t *link; /* owned, [n_models] */
};

static size_t root_of(size_t *link, size_t model)
{
    while (link[model] != model) {
        link[model] = link[link[model]]; /* halves the path for the next one */
        model = link[model];
    }
    return model;
}

static void join(size_t *link, size_t a, size_t b)
{
    const size_t root_a = root_of(link, a);
    const size_t root_b = root_of(link, b);
    if (root_a < root_b) {
        link[root_b] = root_a;
    } else {
        link[root_a] = root_b;
    }
}

static void offer_pair(struct best *best, struct llmfp_pair pair)
{
    if (isnan(pair.correlation) || (best->n == LLMFP_MOST_PAIRS &&
                                    !(pair.correlation > best->pairs[best->n - 1].correlation))) {
        return;
    }
    size_t at = best->n < LLMFP_MOST_PAIRS ? best->n++ : best->n - 1;
    while (at > 0 && pair.correlation > best->pairs[at - 1].correlation) {
        best->pairs[at] = best->pairs[at - 1];
        at--;
    }
    best->pairs[at] = pair;
}

/* rows += the correlations of one role, or all NaN where a curve is missing. */
static enum llmfp_status add_role_rows(const struct survey *survey,
                                       const struct role_curves *curves, size_t first, size_t n,
                                       double *rows, double *sum, struct llmfp_error *error)
{
    const enum llmfp_status status = llmfp_curve_correlation_rows(
        curves->curve, curves->n_layers, survey->n_models, first, n, rows, error);
    for (size_t i = 0; status == LLMFP_OK && i < n * survey->n_models; i++) {
        sum[i] += rows[i];
    }
    return status;
}

static enum llmfp_status mean_rows(const struct survey *survey, const struct role_curves *curves,
                                   size_t first, size_t n, double *rows, double *sum,
                                   struct llmfp_error *error)
{
    memset(sum, 0, n * survey->n_models * sizeof *sum);
    for (int i = 0; i < N_QKVO; i++) {
        const enum llmfp_status status =
            add_role_rows(survey, &curves[i], first, n, rows, sum, error);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < n * survey->n_models; i++) {
        sum[i] /= N_QKVO;
    }
    return LLMFP_OK;
}

static void offer_rows(struct best *best, const struct survey *survey, size_t first, size_t n,
                       const double *rows)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = first + i + 1; j < survey->n_models; j++) {
            const double correlation = rows[i * survey->n_models + j];
            offer_pair(best, (struct llmfp_pair){first + i, j, correlation});
            if (correlation >= LLMFP_GROUP_CORRELATION) {
                join(best->link, first + i, j);
            }
        }
    }
}

/* Collective. */
static enum llmfp_status write_qkvo(struct writer *writer, const struct survey *survey,
                                    const struct cut *cut, double *rows, struct best *best,
                                    struct llmfp_error *error)
{
    struct role_curves curves[N_QKVO] = {{0}};
    double *sum = malloc((cut->rows * survey->n_models + 1) * sizeof *sum);
    enum llmfp_status status = sum == NULL ? no_memory(error) : LLMFP_OK;
    status = writer_agree(writer, status, error);
    for (int i = 0; status == LLMFP_OK && i < N_QKVO; i++) {
        const uint32_t role = hash_index_find(&survey->role_numbers, qkvo[i], strlen(qkvo[i]));
        status = collect_curves(writer, survey, role, &curves[i], error);
    }
    for (uint64_t round = 0; status == LLMFP_OK && round < cut->rounds; round++) {
        size_t begin;
        const size_t n = rows_of_round(survey, cut, round, &begin);
        status = mean_rows(survey, curves, survey->first + begin, n, rows, sum, error);
        if (status == LLMFP_OK) {
            const uint64_t start[] = {survey->first + begin, 0};
            const uint64_t count[] = {n, survey->n_models};
            offer_rows(best, survey, survey->first + begin, n, sum);
            status = writer_put(writer, WRITER_QKVO, start, count, sum, error);
        }
        status = writer_agree(writer, status, error);
    }
    for (int i = 0; i < N_QKVO; i++) {
        clear_curves(&curves[i]);
    }
    free(sum);
    return status;
}

/* Collective. The best pairs of all ranks, on rank 0. Ranks hold ascending rows, and are
 * offered in order, so ties stay in model order. */
static enum llmfp_status collect_pairs(const struct writer *writer, const struct best *mine,
                                       struct llmfp_likeness *likeness, struct llmfp_error *error)
{
    struct llmfp_buffer packed = {0};
    struct llmfp_buffer all = {0};
    llmfp_buffer_put(&packed, mine->pairs, mine->n * sizeof *mine->pairs);
    const enum llmfp_status status = llmfp_gather(writer->communicator, &packed, &all, NULL, error);
    struct best best = {likeness->pairs, 0, NULL};
    for (size_t at = 0; status == LLMFP_OK && at < all.size_bytes; at += sizeof *mine->pairs) {
        struct llmfp_pair pair;
        memcpy(&pair, all.bytes + at, sizeof pair);
        offer_pair(&best, pair);
    }
    likeness->n_pairs = best.n;
    llmfp_buffer_clear(&packed);
    llmfp_buffer_clear(&all);
    return status;
}

/* Collective. Join the links of all ranks, on rank 0: each tells which models it has linked. */
static enum llmfp_status collect_groups(const struct writer *writer, const struct survey *survey,
                                        struct best *mine, struct llmfp_likeness *likeness,
                                        struct llmfp_error *error)
{
    struct llmfp_buffer packed = {0};
    struct llmfp_buffer all = {0};
    for (size_t i = 0; i < survey->n_models; i++) {
        if (mine->link[i] != i) {
            llmfp_buffer_put_u64(&packed, i);
            llmfp_buffer_put_u64(&packed, root_of(mine->link, i));
        }
    }
    const enum llmfp_status status = llmfp_gather(writer->communicator, &packed, &all, NULL, error);
    struct llmfp_cursor cursor = llmfp_cursor_over(all.bytes, all.size_bytes);
    while (status == LLMFP_OK && cursor.offset_bytes < cursor.size_bytes) {
        const uint64_t model = llmfp_cursor_u64(&cursor);
        const uint64_t root = llmfp_cursor_u64(&cursor);
        if (model < survey->n_models && root < survey->n_models) {
            join(mine->link, (size_t)model, (size_t)root);
        }
    }
    if (status == LLMFP_OK && writer->communicator->rank == 0) {
        for (size_t i = 0; i < survey->n_models; i++) {
            mine->link[i] = root_of(mine->link, i);
        }
        likeness->group = mine->link;
        mine->link = NULL;
    }
    llmfp_buffer_clear(&packed);
    llmfp_buffer_clear(&all);
    return status;
}

enum llmfp_status write_correlations(struct writer *writer, const struct survey *survey,
                                     struct llmfp_likeness *likeness, struct llmfp_error *error)
{
    const struct cut cut = cut_rows(writer, survey);
    struct llmfp_pair mine[LLMFP_MOST_PAIRS];
    struct best best = {mine, 0, malloc((survey->n_models + 1) * sizeof *best.link)};
    double *rows = malloc((cut.rows * survey->n_models + 1) * sizeof *rows);
    enum llmfp_status status = LLMFP_OK;
    if (rows == NULL || best.link == NULL) {
        status = no_memory(error);
    }
    for (size_t i = 0; status == LLMFP_OK && i < survey->n_models; i++) {
        best.link[i] = i;
    }
    status = writer_agree(writer, status, error);
    for (uint32_t role = 0; status == LLMFP_OK && role < survey->n_roles; role++) {
        status = write_role(writer, survey, &cut, role, rows, error);
    }
    if (status == LLMFP_OK) {
        status = write_qkvo(writer, survey, &cut, rows, &best, error);
    }
    if (status == LLMFP_OK) {
        status = collect_pairs(writer, &best, likeness, error);
    }
    if (status == LLMFP_OK) {
        status = collect_groups(writer, survey, &best, likeness, error);
    }
    free(rows);
    free(best.link);
    return status;
}
