/* progress.h - how far the scan is, on standard error of rank 0.
 *
 * A bar is one line that is drawn over and over; plain is a line every few
 * seconds, for logs. The caller passes the time (seconds on a clock that never
 * goes back), so that nothing here needs a clock. Write errors are ignored: a
 * lost terminal must not stop a scan.                                            */
#ifndef LLMFP_PROGRESS_H
#define LLMFP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_NONE };

struct progress {
    FILE *out;               /* borrowed */
    enum progress_mode mode; /* never PROGRESS_AUTO */
    uint64_t total_bytes;
    uint64_t done_bytes;
    double start_s;
    double drawn_s;       /* when the last line was drawn, or the start */
    double next_s;        /* nothing is drawn before */
    uint64_t drawn_bytes; /* done_bytes at drawn_s */
    double rate;          /* bytes per second, smoothed over some seconds; 0: not known */
    int bar_columns;      /* of the bar that stands on the terminal now; 0: none */
};

/* All Local. */

/* Begin. PROGRESS_AUTO becomes a bar where `out` is a terminal, else plain.
 * total_bytes is what this run will read; 0 is fine.                             */
void progress_start(struct progress *progress, FILE *out, enum progress_mode mode,
                    uint64_t total_bytes, double now_s);

/* done_bytes of total_bytes have been read. Cheap: draws five times a second at
 * most (bar), or every five seconds (plain).                                     */
void progress_update(struct progress *progress, uint64_t done_bytes, double now_s);

/* Print a message as a line of its own; a bar moves below it. Works in every
 * mode, also before start (of a zeroed struct with `out` set) and after finish.  */
void progress_note(struct progress *progress, const char *text);

/* End: a last line says how much was read, in what time, and at what rate.       */
void progress_finish(struct progress *progress, double now_s);

#endif
