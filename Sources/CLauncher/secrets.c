// A function's secrets as files: a small file system in memory that only its worker's mount namespace will have. The
// launcher writes it before it has a place, so no other process ever sees it. Source: fsopen(2), fsmount(2), tmpfs(5).

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "state.h"

enum { NAME_MAX_BYTES = 128 };

static int make_mount(void) {
    int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    // Room for all values there may be, in pages, and the files' own.
    bool is_made = syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "size", "4m", 0) == 0
        && syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "nr_inodes", "64", 0) == 0
        && syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "555", 0) == 0
        && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
    int mount = is_made ? (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0) : -1;
    int error = errno;
    close(context);
    errno = error;
    return mount;
}

static bool is_name(const char *name, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return length > 0 && length <= NAME_MAX_BYTES;
}

static bool write_secret(int mount, const char *name, const char *value, size_t length, uid_t owner) {
    int file = openat(mount, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (file < 0) return false;
    bool is_written = write(file, value, length) == (ssize_t)length && (owner == 0 || fchown(file, owner, owner) == 0);
    int error = errno;
    close(file);
    errno = error;
    return is_written;
}

static bool write_all(int mount, const char *bytes, size_t length, uid_t owner) {
    size_t at = 0;
    for (int i = 0; at < length; i++) {
        uint32_t sizes[2];
        char name[NAME_MAX_BYTES + 1];
        errno = EINVAL;
        if (i == TAIBAI_SECRETS_MAX || length - at < TAIBAI_SECRET_HEADER) return false;
        memcpy(sizes, bytes + at, sizeof sizes);
        at += TAIBAI_SECRET_HEADER;
        if (sizes[0] > length - at || sizes[1] > length - at - sizes[0] || !is_name(bytes + at, sizes[0])) return false;
        snprintf(name, sizeof name, "%.*s", (int)sizes[0], bytes + at);
        if (!write_secret(mount, name, bytes + at + sizes[0], sizes[1], owner)) return false;
        at += sizes[0] + sizes[1];
    }
    return true;
}

/// Turns a memory file of secrets into a mount without a place, read-only, whose files belong to `owner` (0: to this
/// process's user). Returns it, or -1 with errno.
int taibai_secrets_mount(int memory_file, uid_t owner) {
    static char bytes[TAIBAI_SECRETS_MAX * (TAIBAI_SECRET_HEADER + NAME_MAX_BYTES + TAIBAI_SECRET_BYTES_MAX) + 1];
    ssize_t length = pread(memory_file, bytes, sizeof bytes, 0);
    if (length < 0 || length == sizeof bytes) {
        if (length > 0) errno = EFBIG;
        return -1;
    }
    int mount = make_mount();
    struct mount_attr wanted = {
        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
    bool is_ready = mount >= 0 && write_all(mount, bytes, (size_t)length, owner)
        && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &wanted, sizeof wanted) == 0;
    int error = errno;
    explicit_bzero(bytes, (size_t)length);
    if (is_ready) return mount;
    if (mount >= 0) close(mount);
    errno = error;
    return -1;
}
