/* messages.h - what rank 0 says on standard error. One line each, "llmfp-scan: " first. */
#ifndef LLMFP_MESSAGES_H
#define LLMFP_MESSAGES_H

#include "llmfp/error.h"
#include "progress.h"

struct messages {
    struct progress progress; /* messages do not break its bar */
    bool quiet;               /* errors only */
    bool verbose;             /* also what goes well */
    bool speaks;              /* rank 0 */
};

/* Local. LABEL may be NULL. */
void message_error(struct messages *messages, const char *label, const char *text);
void message_note(struct messages *messages, const char *label, const char *text);
void message_detail(struct messages *messages, const char *label, const char *text); /* -v */

#endif
