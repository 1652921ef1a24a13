/* size_text.c - sizes, rates and times for people. */
#include "size_text.h"

#include <inttypes.h>
#include <stdio.h>

struct size_text size_text(uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    struct size_text out;
    if (bytes < 1000) {
        snprintf(out.text, sizeof out.text, "%" PRIu64 " B", bytes);
        return out;
    }
    /* Tenths of the unit, rounded; 999.95 kB rounds into the next unit. */
    uint64_t tenth = 100;
    int unit = 0;
    while (bytes / tenth + (bytes % tenth >= tenth / 2) >= 10000) {
        tenth *= 1000;
        unit++;
    }
    const uint64_t tenths = bytes / tenth + (bytes % tenth >= tenth / 2);
    snprintf(out.text, sizeof out.text, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
             units[unit]);
    return out;
}

struct size_text rate_text(double bytes_per_s)
{
    struct size_text out = {"-"};
    if (bytes_per_s > 0 && bytes_per_s < 1e19) {
        const struct size_text size = size_text((uint64_t)bytes_per_s);
        snprintf(out.text, sizeof out.text, "%.20s/s", size.text);
    }
    return out;
}

struct size_text time_text(double seconds)
{
    struct size_text out = {"-"};
    if (!(seconds >= 0 && seconds <= 1000.0 * 86400)) {
        return out;
    }
    const uint32_t s = (uint32_t)(seconds + 0.5);
    const uint32_t days = s / 86400;
    const uint32_t hours = s / 3600 % 24;
    const uint32_t minutes = s / 60 % 60;
    if (days > 0) {
        snprintf(out.text, sizeof out.text, "%" PRIu32 "d %02" PRIu32 ":%02" PRIu32 ":%02" PRIu32,
                 days, hours, minutes, s % 60);
    } else if (hours > 0) {
        snprintf(out.text, sizeof out.text, "%" PRIu32 ":%02" PRIu32 ":%02" PRIu32, hours, minutes,
                 s % 60);
    } else {
        snprintf(out.text, sizeof out.text, "%" PRIu32 ":%02" PRIu32, minutes, s % 60);
    }
    return out;
}
