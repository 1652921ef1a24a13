/* test_progress.c - progress lines and bars, and sizes for people. */
#include "progress.h"

#include <math.h>
#include <string.h>

#include "cunit_main.h"
#include "size_text.h"

enum { OUTPUT_BYTES = 1 << 16 };

static struct progress progress;
static FILE *out;
static char written[OUTPUT_BYTES];

static void start(enum progress_mode mode, uint64_t total_bytes)
{
    out = tmpfile();
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    progress_start(&progress, out, mode, total_bytes, 100.0);
}

/* All that was written so far, in `written`. */
static const char *output(void)
{
    CU_ASSERT_EQUAL(fseek(out, 0, SEEK_SET), 0);
    written[fread(written, 1, OUTPUT_BYTES - 1, out)] = '\0';
    CU_ASSERT_EQUAL(fseek(out, 0, SEEK_END), 0);
    return written;
}

static void end(void)
{
    CU_ASSERT_EQUAL(fclose(out), 0);
}

static size_t count(const char *text, char c)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == c;
    }
    return n;
}

/* What a terminal shows of `text`: \r goes back, \n goes down. The last line. */
static const char *last_line_shown(const char *text)
{
    static char line[512];
    memset(line, 0, sizeof line);
    size_t column = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            memset(line, 0, sizeof line);
            column = 0;
        } else if (*text == '\r') {
            column = 0;
        } else if (column < sizeof line - 1) {
            line[column++] = *text;
        }
    }
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == ' ') {
        line[--length] = '\0';
    }
    return line;
}

static void plain_lines_come_every_five_seconds(void)
{
    start(PROGRESS_PLAIN, 2000000000);
    progress_update(&progress, 100000000, 100.5);
    progress_update(&progress, 900000000, 104.9);
    CU_ASSERT_STRING_EQUAL(output(), "");
    progress_update(&progress, 1000000000, 105.0);
    CU_ASSERT_STRING_EQUAL(output(), " 50%  1.0 GB of 2.0 GB, 200.0 MB/s, 0:05 left\n");
    progress_update(&progress, 1500000000, 109.0);
    CU_ASSERT_EQUAL(count(output(), '\n'), 1);
    progress_update(&progress, 1990000000, 110.0);
    CU_ASSERT_EQUAL(count(output(), '\n'), 2);
    progress_finish(&progress, 110.5);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output(), "\nstopped at 99%: read 2.0 GB of 2.0 GB in 0:11 (189.5 MB/s)\n"));
    CU_ASSERT_EQUAL(count(output(), '\r'), 0);
    end();
}

static void finish_tells_time_and_rate(void)
{
    start(PROGRESS_PLAIN, 1300000000000);
    progress_update(&progress, 1300000000000, 101.0);
    progress_finish(&progress, 3700.0);
    CU_ASSERT_STRING_EQUAL(output(), "100%  read 1.3 TB in 1:00:00 (361.1 MB/s)\n");
    progress_finish(&progress, 3701.0); /* once only */
    progress_update(&progress, 1300000000000, 3800.0);
    CU_ASSERT_EQUAL(count(output(), '\n'), 1);
    end();
}

static void nothing_to_read_is_fine(void)
{
    start(PROGRESS_PLAIN, 0);
    progress_update(&progress, 0, 106);
    CU_ASSERT_STRING_EQUAL(output(), "100%  0 B of 0 B\n");
    progress_update(&progress, 5, 106.5); /* more than there is */
    progress_finish(&progress, 107);
    CU_ASSERT_PTR_NOT_NULL(strstr(output(), "\n100%  read 0 B in 0:07 (-)\n"));
    end();
}

static void none_writes_notes_only(void)
{
    start(PROGRESS_NONE, 1000);
    progress_update(&progress, 500, 200);
    progress_note(&progress, "a message");
    progress_finish(&progress, 201);
    CU_ASSERT_STRING_EQUAL(output(), "a message\n");
    end();
}

static void auto_is_plain_without_a_terminal(void)
{
    start(PROGRESS_AUTO, 1000);
    CU_ASSERT_EQUAL(progress.mode, PROGRESS_PLAIN);
    end();
}

static void notes_need_no_start(void)
{
    out = tmpfile();
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    struct progress unstarted = {.out = out};
    progress_note(&unstarted, "early");
    CU_ASSERT_STRING_EQUAL(output(), "early\n");
    end();
}

static void bar_is_one_line(void)
{
    start(PROGRESS_BAR, 10000000000);
    progress_update(&progress, 1, 100.1);
    CU_ASSERT_STRING_EQUAL(output(), "");
    progress_update(&progress, 2500000000, 101.0);
    CU_ASSERT_STRING_EQUAL(
        last_line_shown(output()),
        " 25% [========>                        ] 2.5 GB of 10.0 GB, 2.5 GB/s, 0:03 left");
    CU_ASSERT(strlen(last_line_shown(output())) <= 79);
    progress_update(&progress, 2600000000, 101.1); /* too soon */
    CU_ASSERT_EQUAL(count(output(), '\r'), 1);
    progress_update(&progress, 10000000000, 102.0);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_line_shown(output()), "100% [="));
    CU_ASSERT_PTR_NULL(strstr(last_line_shown(output()), ">"));
    CU_ASSERT_EQUAL(count(output(), '\n'), 0);
    progress_finish(&progress, 104.0);
    CU_ASSERT_EQUAL(count(output(), '\n'), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(output(), "\r100%  read 10.0 GB in 0:04 (2.5 GB/s)\n"));
    end();
}

static void bar_wipes_longer_lines(void)
{
    start(PROGRESS_BAR, 100000000000000);
    progress_update(&progress, 10000000000, 101); /* 2:46:39 left */
    const size_t length = strlen(last_line_shown(output()));
    progress_update(&progress, 99000000000000, 102); /* less text */
    CU_ASSERT(strlen(last_line_shown(output())) <= length);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_line_shown(output()), " left"));
    CU_ASSERT_STRING_EQUAL(strstr(last_line_shown(output()), " left"), " left");
    end();
}

static void notes_do_not_break_the_bar(void)
{
    start(PROGRESS_BAR, 1000000);
    progress_note(&progress, "before");
    CU_ASSERT_STRING_EQUAL(output(), "before\n");
    progress_update(&progress, 500000, 101);
    char bar[128];
    snprintf(bar, sizeof bar, "%s", last_line_shown(output()));
    progress_note(&progress, "a note");
    CU_ASSERT_STRING_EQUAL(last_line_shown(output()), bar);
    CU_ASSERT_PTR_NOT_NULL(strstr(output(), "\ra note\n\r"));
    /* The note's own line shows nothing of the bar. */
    char *until_note = strstr(written, "a note\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(until_note);
    until_note[strlen("a note")] = '\0';
    CU_ASSERT_STRING_EQUAL(last_line_shown(written), "a note");
    end();
}

static void bytes_never_go_back_or_beyond(void)
{
    start(PROGRESS_PLAIN, 1000);
    progress_update(&progress, 600, 105);
    progress_update(&progress, 500, 110);
    CU_ASSERT_PTR_NOT_NULL(strstr(output(), "\n 60%  600 B"));
    progress_update(&progress, UINT64_MAX, 115);
    CU_ASSERT_PTR_NOT_NULL(strstr(output(), "\n100%  1.0 kB of 1.0 kB"));
    end();
}

static void clocks_may_stand_still(void)
{
    start(PROGRESS_PLAIN, 1000);
    progress.next_s = 0;
    progress_update(&progress, 500, 100.0);
    CU_ASSERT_STRING_EQUAL(output(), " 50%  500 B of 1.0 kB\n");
    progress_finish(&progress, 100.0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output(), "stopped at 50%: read 500 B of 1.0 kB in 0:00 (-)"));
    end();
}

static void sizes_round_to_a_decimal(void)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {1049, "1.0 kB"},
        {1050, "1.1 kB"},
        {45200000, "45.2 MB"},
        {999949, "999.9 kB"},
        {999950, "1.0 MB"},
        {999949999, "999.9 MB"},
        {1300000000000, "1.3 TB"},
        {UINT64_C(1000000000000000), "1.0 PB"},
        {UINT64_C(999950000000000000), "1.0 EB"},
        {UINT64_MAX, "18.4 EB"},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CU_ASSERT_STRING_EQUAL(size_text(sizes[i].bytes).text, sizes[i].text);
    }
}

static void rates_and_times(void)
{
    CU_ASSERT_STRING_EQUAL(rate_text(12.34e9).text, "12.3 GB/s");
    CU_ASSERT_STRING_EQUAL(rate_text(1.4).text, "1 B/s");
    CU_ASSERT_STRING_EQUAL(rate_text(0).text, "-");
    CU_ASSERT_STRING_EQUAL(rate_text(-1).text, "-");
    CU_ASSERT_STRING_EQUAL(rate_text(1e300).text, "-");
    CU_ASSERT_STRING_EQUAL(rate_text((double)NAN).text, "-");
    CU_ASSERT_STRING_EQUAL(time_text(0).text, "0:00");
    CU_ASSERT_STRING_EQUAL(time_text(59.4).text, "0:59");
    CU_ASSERT_STRING_EQUAL(time_text(59.5).text, "1:00");
    CU_ASSERT_STRING_EQUAL(time_text(723).text, "12:03");
    CU_ASSERT_STRING_EQUAL(time_text(11100).text, "3:05:00");
    CU_ASSERT_STRING_EQUAL(time_text(2 * 86400 + 11100).text, "2d 03:05:00");
    CU_ASSERT_STRING_EQUAL(time_text(86400.0 * 1000).text, "1000d 00:00:00");
    CU_ASSERT_STRING_EQUAL(time_text(1e12).text, "-");
    CU_ASSERT_STRING_EQUAL(time_text(-1).text, "-");
    CU_ASSERT_STRING_EQUAL(time_text((double)NAN).text, "-");
}

TEST_PROGRAM("progress", TEST(plain_lines_come_every_five_seconds),
             TEST(finish_tells_time_and_rate), TEST(nothing_to_read_is_fine),
             TEST(none_writes_notes_only), TEST(auto_is_plain_without_a_terminal),
             TEST(notes_need_no_start), TEST(bar_is_one_line), TEST(bar_wipes_longer_lines),
             TEST(notes_do_not_break_the_bar), TEST(bytes_never_go_back_or_beyond),
             TEST(clocks_may_stand_still), TEST(sizes_round_to_a_decimal), TEST(rates_and_times))
