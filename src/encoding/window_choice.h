/* window_choice.h - how those who sum blocks of floats in windows (float_sums.c, float64.c) learn
 * from one block how to go about the next.
 *
 * Looks: most blocks need no look at their range first (see float_sums.h). After one that was
 * summed unseen in vain, the next 1, 4, 16, ... are looked at.
 * Widths: wide windows where narrow ones leave elements outside in most chunks, and narrow ones
 * again after 16, 64, 256 blocks: there may be no more such elements.           */
#ifndef LLMFP_WINDOW_CHOICE_H
#define LLMFP_WINDOW_CHOICE_H

#include <stdbool.h>

enum { MOST_LEFT = 256, LEAST_WIDE = 16 };

struct looks {
    unsigned n_left; /* blocks that are looked at before one is not */
    unsigned next;   /* how many that will be next time; at first 1 */
};

/* Whether this block is to be looked at. */
static inline bool look_is_due(struct looks *looks)
{
    const bool is_due = looks->n_left > 0;
    looks->n_left -= is_due;
    return is_due;
}

static inline void lose_patience(struct looks *looks)
{
    looks->n_left = looks->next;
    looks->next = looks->next < MOST_LEFT ? 4 * looks->next : MOST_LEFT;
}

struct width {
    bool is_wide;
    unsigned n_left; /* blocks in wide windows before narrow ones are tried again */
    unsigned next;   /* how many that will be next time; at first LEAST_WIDE */
};

static inline void widen(struct width *width)
{
    width->is_wide = true;
    width->n_left = width->next;
    width->next = width->next < MOST_LEFT ? 4 * width->next : MOST_LEFT;
}

/* After each block: whether the width is another one now. */
static inline bool width_changes(struct width *width, bool is_too_narrow)
{
    if (width->is_wide) {
        width->n_left--;
        width->is_wide = width->n_left > 0;
        return !width->is_wide;
    }
    if (is_too_narrow) {
        widen(width);
    }
    return width->is_wide;
}

#endif
