/* progress.c - drawing bars and lines. */
#include "progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "size_text.h"

static const double bar_period_s = 0.2;
static const double plain_period_s = 5.0;
/* The rate follows changes within about this time: long enough to be read. */
static const double smoothing_s = 10.0;

enum { DEFAULT_COLUMNS = 80, LEAST_COLUMNS = 20, MOST_COLUMNS = 160, LINE_BYTES = 256 };

static int terminal_columns(FILE *out)
{
    struct winsize size = {0};
    int columns = DEFAULT_COLUMNS;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        columns = size.ws_col;
    }
    columns = columns < LEAST_COLUMNS ? LEAST_COLUMNS : columns;
    return columns > MOST_COLUMNS ? MOST_COLUMNS : columns;
}

/* 0..100, and 100 only when all is done. */
static unsigned percent(const struct progress *progress)
{
    if (progress->done_bytes >= progress->total_bytes) {
        return 100;
    }
    const double share = (double)progress->done_bytes / (double)progress->total_bytes;
    return share < 0.99 ? (unsigned)(100 * share) : 99;
}

/* "45.2 GB of 1.3 TB, 12.3 GB/s, 1:42 left"; without what is not known. */
static void describe(const struct progress *progress, char *line, size_t line_bytes)
{
    const uint64_t left_bytes = progress->total_bytes - progress->done_bytes;
    const struct size_text done = size_text(progress->done_bytes);
    const struct size_text total = size_text(progress->total_bytes);
    if (progress->rate > 0) {
        snprintf(line, line_bytes, "%s of %s, %s, %s left", done.text, total.text,
                 rate_text(progress->rate).text,
                 time_text((double)left_bytes / progress->rate).text);
    } else {
        snprintf(line, line_bytes, "%s of %s", done.text, total.text);
    }
}

static void erase_bar(struct progress *progress)
{
    if (progress->bar_columns > 0) {
        fprintf(progress->out, "\r%*s\r", progress->bar_columns, "");
        progress->bar_columns = 0;
    }
}

static void draw_bar(struct progress *progress)
{
    enum { LEAST_CELLS = 8, MOST_CELLS = 40 };
    char text[LINE_BYTES];
    describe(progress, text, sizeof text);
    /* One column stays free: terminals wrap when the last one is written. */
    const int columns = terminal_columns(progress->out) - 1;
    const int fixed = 4 + 4 + (int)strlen(text); /* "42% [" ... "] " */
    int cells = columns - fixed;
    cells = cells > MOST_CELLS ? MOST_CELLS : cells;

    char line[LINE_BYTES];
    int length;
    if (cells >= LEAST_CELLS) {
        const int full = cells * (int)percent(progress) / 100;
        char bar[MOST_CELLS + 1];
        memset(bar, ' ', (size_t)cells);
        memset(bar, '=', (size_t)full);
        if (full < cells) {
            bar[full] = '>';
        }
        bar[cells] = '\0';
        length = snprintf(line, sizeof line, "%3u%% [%s] %s", percent(progress), bar, text);
    } else {
        length = snprintf(line, sizeof line, "%3u%% %s", percent(progress), text);
    }
    length = length > columns ? columns : length;
    const int behind = progress->bar_columns > length ? progress->bar_columns - length : 0;
    /* Spaces wipe what a longer line left, without escape sequences. */
    fprintf(progress->out, "\r%.*s%*s", length, line, behind, "");
    progress->bar_columns = length;
}

static void draw(struct progress *progress, double now_s)
{
    const double elapsed_s = now_s - progress->drawn_s;
    if (elapsed_s > 0) {
        const double rate = (double)(progress->done_bytes - progress->drawn_bytes) / elapsed_s;
        /* The weight of what is new: all of it at first, else its share of the time. */
        const double weight = progress->rate > 0 ? elapsed_s / (elapsed_s + smoothing_s) : 1;
        progress->rate += weight * (rate - progress->rate);
    }
    progress->drawn_s = now_s;
    progress->drawn_bytes = progress->done_bytes;
    if (progress->mode == PROGRESS_BAR) {
        draw_bar(progress);
    } else {
        char text[LINE_BYTES];
        describe(progress, text, sizeof text);
        fprintf(progress->out, "%3u%%  %s\n", percent(progress), text);
    }
    fflush(progress->out);
}

void progress_start(struct progress *progress, FILE *out, enum progress_mode mode,
                    uint64_t total_bytes, double now_s)
{
    if (mode == PROGRESS_AUTO) {
        mode = isatty(fileno(out)) ? PROGRESS_BAR : PROGRESS_PLAIN;
    }
    const double period_s = mode == PROGRESS_BAR ? bar_period_s : plain_period_s;
    *progress = (struct progress){
        .out = out,
        .mode = mode,
        .total_bytes = total_bytes,
        .start_s = now_s,
        .drawn_s = now_s,
        .next_s = now_s + period_s,
    };
}

void progress_update(struct progress *progress, uint64_t done_bytes, double now_s)
{
    if (done_bytes > progress->done_bytes) {
        progress->done_bytes =
            done_bytes < progress->total_bytes ? done_bytes : progress->total_bytes;
    }
    if (progress->mode == PROGRESS_NONE || now_s < progress->next_s) {
        return;
    }
    draw(progress, now_s);
    progress->next_s = now_s + (progress->mode == PROGRESS_BAR ? bar_period_s : plain_period_s);
}

void progress_note(struct progress *progress, const char *text)
{
    const bool had_bar = progress->bar_columns > 0;
    erase_bar(progress);
    fprintf(progress->out, "%s\n", text);
    if (had_bar) {
        draw_bar(progress);
    }
    fflush(progress->out);
}

void progress_finish(struct progress *progress, double now_s)
{
    if (progress->mode == PROGRESS_NONE) {
        return;
    }
    erase_bar(progress);
    const double elapsed_s = now_s - progress->start_s;
    const double rate = elapsed_s > 0 ? (double)progress->done_bytes / elapsed_s : 0;
    if (progress->done_bytes < progress->total_bytes) {
        fprintf(progress->out, "stopped at %u%%: read %s of %s in %s (%s)\n", percent(progress),
                size_text(progress->done_bytes).text, size_text(progress->total_bytes).text,
                time_text(elapsed_s).text, rate_text(rate).text);
    } else {
        fprintf(progress->out, "100%%  read %s in %s (%s)\n", size_text(progress->done_bytes).text,
                time_text(elapsed_s).text, rate_text(rate).text);
    }
    fflush(progress->out);
    progress->mode = PROGRESS_NONE;
}
