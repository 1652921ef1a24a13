/* file_system.c - see file_system.h. Compiled with _GNU_SOURCE, for major and minor. */
#include "file_system.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool file_system_is_local(int descriptor)
{
    /* Their pages come over a network or through another process. */
    static const unsigned long remote[] = {
        0x6969,     /* NFS */
        0x0BD00BD0, /* Lustre */
        0x47504653, /* GPFS */
        0xFF534D42, /* CIFS */
        0xFE534D42, /* SMB2 */
        0x65735546, /* FUSE */
        0x01021997, /* 9p */
        0x00C36400, /* Ceph */
        0x19830326, /* BeeGFS */
        0x786F4256, /* VirtualBox shared folders */
    };
    struct statfs system;
    if (fstatfs(descriptor, &system) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        if ((unsigned long)system.f_type == remote[i]) {
            return false;
        }
    }
    return true;
}

/* The number in a file of sysfs; 0 where there is none. */
static uint64_t setting_at(const char *path)
{
    char text[24] = "";
    const int setting = open(path, O_RDONLY | O_CLOEXEC);
    if (setting < 0) {
        return 0;
    }
    const ssize_t got = read(setting, text, sizeof text - 1);
    close(setting);
    return got > 0 ? strtoull(text, NULL, 10) : 0;
}

uint64_t file_system_readahead_bytes(int descriptor)
{
    struct stat file;
    char path[96];
    if (fstat(descriptor, &file) != 0) {
        return 0;
    }
    const unsigned major_number = major(file.st_dev);
    const unsigned minor_number = minor(file.st_dev);
    (void)snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major_number,
                   minor_number);
    uint64_t kib = setting_at(path);
    if (kib == 0) { /* a part of a disk: the disk has it */
        (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/../bdi/read_ahead_kb", major_number,
                       minor_number);
        kib = setting_at(path);
    }
    return kib < UINT64_MAX >> 10 ? kib << 10 : 0;
}
