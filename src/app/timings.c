/* timings.c - see timings.h. */
#include "timings.h"

#include "size_text.h"

enum phase {
    LOCATE,
    HEADERS,
    PLAN,
    READ,
    COMPUTE,
    STREAM,
    WAIT,
    REDUCE,
    JOURNAL,
    WRITE,
    TOTAL,
    N_PHASES
};

static const char *const names[N_PHASES] = {
    [LOCATE] = "locate",   [HEADERS] = "headers", [PLAN] = "plan",   [READ] = "read",
    [COMPUTE] = "compute", [STREAM] = "stream",   [WAIT] = "wait",   [REDUCE] = "reduce",
    [JOURNAL] = "journal", [WRITE] = "write",     [TOTAL] = "total",
};

/* Of one figure of every rank. */
struct over_ranks {
    double least;
    double mean;
    double most;
};

/* Collective; only rank 0 gets them. */
static void gather(const struct llmfp_communicator *communicator, const double *mine, int n,
                   struct over_ranks *all)
{
    double least[N_PHASES];
    double sum[N_PHASES];
    double most[N_PHASES];
    MPI_Reduce(mine, least, n, MPI_DOUBLE, MPI_MIN, 0, communicator->handle);
    MPI_Reduce(mine, sum, n, MPI_DOUBLE, MPI_SUM, 0, communicator->handle);
    MPI_Reduce(mine, most, n, MPI_DOUBLE, MPI_MAX, 0, communicator->handle);
    for (int i = 0; communicator->rank == 0 && i < n; i++) {
        all[i] = (struct over_ranks){least[i], sum[i] / communicator->size, most[i]};
    }
}

static void print_rates(struct over_ranks bytes, struct over_ranks rates, uint64_t all_bytes,
                        double total_s, FILE *out)
{
    (void)fprintf(out, "rate of a rank while it reads and computes: least %s, mean %s, most %s\n",
                  rate_text(rates.least).text, rate_text(rates.mean).text,
                  rate_text(rates.most).text);
    (void)fprintf(out,
                  "bytes read by a rank: least %s, mean %s, most %s; by all %s (%llu bytes), %s\n",
                  size_text((uint64_t)bytes.least).text, size_text((uint64_t)bytes.mean).text,
                  size_text((uint64_t)bytes.most).text, size_text(all_bytes).text,
                  (unsigned long long)all_bytes, rate_text((double)all_bytes / total_s).text);
}

void timings_print(const struct llmfp_communicator *communicator,
                   const struct llmfp_scan_timings *timings, double write_s, double total_s,
                   FILE *out)
{
    const double mine[N_PHASES] = {
        [LOCATE] = timings->locate_s,
        [HEADERS] = timings->headers_s,
        [PLAN] = timings->plan_s,
        [READ] = timings->read_s,
        [COMPUTE] = timings->stream_s - timings->read_s,
        [STREAM] = timings->stream_s,
        [WAIT] = timings->wait_s,
        [REDUCE] = timings->reduce_s,
        [JOURNAL] = timings->journal_s,
        [WRITE] = write_s,
        [TOTAL] = total_s,
    };
    const double streamed[2] = {
        (double)timings->read_bytes,
        timings->stream_s > 0.0 ? (double)timings->read_bytes / timings->stream_s : 0.0};
    struct over_ranks phases[N_PHASES];
    struct over_ranks figures[2];
    uint64_t all_bytes = 0;
    gather(communicator, mine, N_PHASES, phases);
    gather(communicator, streamed, 2, figures);
    MPI_Reduce(&timings->read_bytes, &all_bytes, 1, MPI_UINT64_T, MPI_SUM, 0, communicator->handle);
    if (communicator->rank != 0) {
        return;
    }
    (void)fprintf(out, "phase      least      mean      most  (seconds over %d ranks)\n",
                  communicator->size);
    for (int i = 0; i < N_PHASES; i++) {
        (void)fprintf(out, "%-8s %7.3f   %7.3f   %7.3f\n", names[i], phases[i].least,
                      phases[i].mean, phases[i].most);
    }
    print_rates(figures[0], figures[1], all_bytes, total_s, out);
}
