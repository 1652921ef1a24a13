/* bus_guard.c - a SIGBUS handler that jumps back into bus_guard_run. The jump buffer and
 * the flag are static because a signal handler gets no context. */
#include "bus_guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static sigjmp_buf way_out;
static volatile sig_atomic_t guarded = 0;

static void handle(int number)
{
    if (guarded != 0) {
        guarded = 0;
        siglongjmp(way_out, 1);
    }
    /* Not ours: end as without this handler. */
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

bool bus_guard_run(void (*work)(void *context), void *context)
{
    struct sigaction action = {.sa_handler = handle};
    struct sigaction before;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &before) != 0) {
        work(context);
        return true;
    }
    volatile bool finished = false;
    if (sigsetjmp(way_out, 1) == 0) {
        guarded = 1;
        work(context);
        guarded = 0;
        finished = true;
    }
    (void)sigaction(SIGBUS, &before, NULL);
    return finished;
}
