/* raw_read.c - the baseline of the benchmark: N processes read a file and do nothing else.
 *
 *   raw_read FILE PROCESSES [BLOCK_BYTES]
 *
 * Each process reads its contiguous part with pread. Prints bytes and seconds, from the
 * start of the first to the end of the last.                                            */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int read_part(const char *path, uint64_t begin, uint64_t end, size_t block_bytes)
{
    const int descriptor = open(path, O_RDONLY);
    void *block = NULL;
    if (descriptor < 0 || posix_memalign(&block, 4096, block_bytes) != 0) {
        return 1;
    }
    while (begin < end) {
        const size_t wanted = end - begin < block_bytes ? (size_t)(end - begin) : block_bytes;
        const ssize_t got = pread(descriptor, block, wanted, (off_t)begin);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return 1;
        }
        begin += (uint64_t)got;
    }
    free(block);
    close(descriptor);
    return 0;
}

int main(int argc, char **argv)
{
    struct stat file;
    if (argc < 3 || stat(argv[1], &file) != 0) {
        (void)fprintf(stderr, "usage: raw_read FILE PROCESSES [BLOCK_BYTES]\n");
        return 2;
    }
    const int n = (int)strtol(argv[2], NULL, 10);
    const size_t block_bytes = argc > 3 ? (size_t)strtoull(argv[3], NULL, 10) : (size_t)1 << 20;
    const uint64_t size_bytes = (uint64_t)file.st_size;
    const double start_s = now_s();
    for (int i = 0; i < n; i++) {
        if (fork() == 0) {
            _exit(read_part(argv[1], size_bytes / (uint64_t)n * (uint64_t)i,
                            i + 1 == n ? size_bytes : size_bytes / (uint64_t)n * (uint64_t)(i + 1),
                            block_bytes));
        }
    }
    int failed = 0;
    int status;
    while (wait(&status) > 0) {
        failed |= status;
    }
    (void)printf("%llu %.6f\n", (unsigned long long)size_bytes, now_s() - start_s);
    return failed == 0 ? 0 : 1;
}
