/* timings.c - see timings.h. */
#include "timings.h"

#include "size_text.h"

enum { LOCATE, HEADERS, PLAN, READ, COMPUTE, WAIT, REDUCE, JOURNAL, WRITE, TOTAL, N_PHASES };

static const char *const names[N_PHASES] = {"locate", "headers", "plan",    "read",  "compute",
                                            "wait",   "reduce",  "journal", "write", "total"};

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
        [WAIT] = timings->wait_s,
        [REDUCE] = timings->reduce_s,
        [JOURNAL] = timings->journal_s,
        [WRITE] = write_s,
        [TOTAL] = total_s,
    };
    double least[N_PHASES];
    double most[N_PHASES];
    double sum[N_PHASES];
    uint64_t bytes[3] = {timings->read_bytes, timings->read_bytes, timings->read_bytes};
    MPI_Reduce(mine, least, N_PHASES, MPI_DOUBLE, MPI_MIN, 0, communicator->handle);
    MPI_Reduce(mine, most, N_PHASES, MPI_DOUBLE, MPI_MAX, 0, communicator->handle);
    MPI_Reduce(mine, sum, N_PHASES, MPI_DOUBLE, MPI_SUM, 0, communicator->handle);
    const uint64_t read = timings->read_bytes;
    MPI_Reduce(&read, &bytes[0], 1, MPI_UINT64_T, MPI_MIN, 0, communicator->handle);
    MPI_Reduce(&read, &bytes[1], 1, MPI_UINT64_T, MPI_MAX, 0, communicator->handle);
    MPI_Reduce(&read, &bytes[2], 1, MPI_UINT64_T, MPI_SUM, 0, communicator->handle);
    if (communicator->rank != 0) {
        return;
    }
    (void)fprintf(out, "phase      least      mean      most  (seconds over %d ranks)\n",
                  communicator->size);
    for (int i = 0; i < N_PHASES; i++) {
        (void)fprintf(out, "%-8s %7.3f   %7.3f   %7.3f\n", names[i], least[i],
                      sum[i] / communicator->size, most[i]);
    }
    (void)fprintf(out, "bytes read by a rank: least %s, most %s; by all %s (%llu bytes), %s\n",
                  size_text(bytes[0]).text, size_text(bytes[1]).text, size_text(bytes[2]).text,
                  (unsigned long long)bytes[2], rate_text((double)bytes[2] / total_s).text);
}
