/* guard.h - work that a damaged file may crash, done in a process of its own. */
#ifndef LLMFP_GUARD_H
#define LLMFP_GUARD_H

/* Local; before MPI_Init, which does not like processes that fork. Call work(context) in a
 * child and wait for it. Returns what it returned (0 .. 125), or minus the signal that ended
 * it, or 126 when there can be no child. Standard streams are shared and flushed.       */
int guard_run(int (*work)(void *context), void *context);

#endif
