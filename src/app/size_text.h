/* size_text.h - sizes, rates and times for people. Integer arithmetic: the same
 * text in every locale.                                                           */
#ifndef LLMFP_SIZE_TEXT_H
#define LLMFP_SIZE_TEXT_H

#include <stdint.h>

struct size_text {
    char text[24];
};

/* Bytes in powers of 1000 with one decimal: "999 B", "45.2 MB", "1.3 TB".  Local. */
struct size_text size_text(uint64_t bytes);

/* A rate in the same units: "12.3 GB/s"; "-" where it is not known (zero,
 * negative, not finite).                                                   Local. */
struct size_text rate_text(double bytes_per_s);

/* Seconds as "0:42", "12:03", "3:05:00", "2d 03:05:00"; "-" for NaN, negative or
 * more than a thousand days.                                               Local. */
struct size_text time_text(double seconds);

#endif
