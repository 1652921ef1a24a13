/* messages.c - see messages.h. */
#include "messages.h"

#include <stdio.h>
#include <string.h>

static void say(struct messages *messages, const char *kind, const char *label, const char *text)
{
    char name[LLMFP_ERROR_TEXT_BYTES] = "";
    char line[2 * LLMFP_ERROR_TEXT_BYTES + 64];
    if (label != NULL) {
        llmfp_escape(name, sizeof name, label, strlen(label));
    }
    (void)snprintf(line, sizeof line, "llmfp-scan: %s: %s%s%s", kind, name,
                   label == NULL ? "" : ": ", text);
    progress_note(&messages->progress, line);
}

void message_error(struct messages *messages, const char *label, const char *text)
{
    if (messages->speaks) {
        say(messages, "error", label, text);
    }
}

void message_note(struct messages *messages, const char *label, const char *text)
{
    if (messages->speaks && !messages->quiet) {
        say(messages, "note", label, text);
    }
}

void message_detail(struct messages *messages, const char *label, const char *text)
{
    if (messages->verbose) {
        message_note(messages, label, text);
    }
}
