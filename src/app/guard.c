/* guard.c - see guard.h. */
#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_CHILD = 126 };

int guard_run(int (*work)(void *context), void *context)
{
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child < 0) {
        return NO_CHILD;
    }
    if (child == 0) {
        /* A crash is expected, and leaves no core. */
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGBUS, SIG_DFL);
        const int status = work(context);
        (void)fflush(NULL);
        _exit(status);
    }
    int ended = 0;
    while (waitpid(child, &ended, 0) < 0) {
        if (errno != EINTR) {
            return NO_CHILD;
        }
    }
    return WIFSIGNALED(ended) ? -WTERMSIG(ended) : WEXITSTATUS(ended);
}
