/* show.h - a look at a checkpoint, as text for people and as JSON for programs. */
#ifndef LLMFP_SHOW_H
#define LLMFP_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "look.h"

/* Local. `tensors`: how every tensor maps, too. Errors: LLMFP_FATAL without memory; what the
 * stream cannot take shows in ferror(). */
enum llmfp_status show_text(const char *path, const struct look *look, bool tensors, FILE *out,
                            struct llmfp_error *error) LLMFP_MUST_CHECK;
enum llmfp_status show_json(const char *path, const struct look *look, bool tensors, FILE *out,
                            struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Cells from `first` on that have the same role. */
size_t show_role_cells(const struct look *look, size_t first);

/* Local. Cells from `first` on, before `end`, whose layers follow one another. */
size_t show_range_cells(const struct look *look, size_t first, size_t end);

/* Local. The notes, one a call: number 0, 1, ...; false when there are no more. */
bool show_note(const struct look *look, int number, char *text, size_t text_bytes);

#endif
