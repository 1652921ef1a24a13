/* llmfp/io.h - ways of getting bytes of checkpoint files.          core, no MPI */
#ifndef LLMFP_IO_H
#define LLMFP_IO_H

enum llmfp_io {
    LLMFP_IO_AUTO, /* mmap what is in the page cache of a local file system, else pread */
    LLMFP_IO_MMAP,
    LLMFP_IO_PREAD,
    LLMFP_IO_DIRECT /* past the page cache (O_DIRECT), where the file system can */
};

#endif
