/* stop_signal.h - SIGTERM, SIGINT and SIGUSR1 ask the scan to stop; a second one ends the
 * process at once (what is in the journal stays).                                     */
#ifndef LLMFP_STOP_SIGNAL_H
#define LLMFP_STOP_SIGNAL_H

#include <signal.h>

/* Becomes non-zero when a signal has come: the one thing that a handler may set. */
extern volatile sig_atomic_t stop_signal_came;

/* Local. Install the handlers (after MPI_Init, which installs some of its own); SIGXFSZ is
 * ignored, so that writes fail instead. */
void stop_signal_install(void);

#endif
