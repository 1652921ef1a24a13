/* file_system.h - what the way of reading depends on. All Local. */
#ifndef LLMFP_FILE_SYSTEM_H
#define LLMFP_FILE_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the pages of an open file come from a disk of this machine, or from memory. */
bool file_system_is_local(int descriptor);

/* How far the kernel reads ahead at most where an open file lies; 0: not known. */
uint64_t file_system_readahead_bytes(int descriptor);

#endif
