/* bus_guard.h - work on mapped files that survives the file's end moving.
 *
 * A page of a mapping that can no longer be read (the file was truncated, the disk
 * fails) raises SIGBUS. Work under the guard is then abandoned and reported; anywhere
 * else SIGBUS ends the process as usual. One guard at a time, one thread.            */
#ifndef LLMFP_BUS_GUARD_H
#define LLMFP_BUS_GUARD_H

#include <stdbool.h>

/* Local. Run work(context); false when SIGBUS cut it off. `work` must hold nothing that
 * needs releasing but memory.                                                        */
bool bus_guard_run(void (*work)(void *context), void *context);

#endif
