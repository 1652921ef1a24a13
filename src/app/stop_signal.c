/* stop_signal.c - see stop_signal.h. */
#include "stop_signal.h"

#include <stddef.h>
#include <unistd.h>

#include "llmfp/error.h"

volatile sig_atomic_t stop_signal_came = 0;

static void handle(int number)
{
    (void)number;
    if (stop_signal_came != 0) {
        _exit(LLMFP_INTERRUPTED);
    }
    stop_signal_came = 1;
}

void stop_signal_install(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR1};
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &action, NULL);
    }
    /* A limit on file sizes is then an error of the write that meets it. */
    (void)signal(SIGXFSZ, SIG_IGN);
}
