// The root that sealed workers see: made once, at the launcher's start, in a mount namespace of the launcher's own, and
// inherited by the zygotes and by each sandbox. It holds programs and libraries of the host, read-only, and almost
// nothing else. Sources: mount_namespaces(7), pivot_root(2), open_tree(2), mount_setattr(2).

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

// /sys is on every Linux and needed by nobody here; the new root is put together on top of it.
#define STAGING "/sys"

#ifndef MOVE_MOUNT_F_EMPTY_PATH
enum { MOVE_MOUNT_F_EMPTY_PATH = 4 };
#endif

static bool write_file(const char *path, const char *text) {
    int file = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return false;
    ssize_t written = write(file, text, strlen(text));
    int error = errno;
    close(file);
    errno = error;
    return written == (ssize_t)strlen(text);
}

// A namespace of users in which this process may mount, for a launcher without privilege: it is root there, and only
// there. Source: user_namespaces(7).
static uint32_t become_own_root(void) {
    char map[64];
    uid_t user = geteuid();
    gid_t group = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return TAIBAI_STEP_OWN_NAMESPACES;
    if (!write_file("/proc/self/setgroups", "deny")) return TAIBAI_STEP_USER_MAP;
    snprintf(map, sizeof map, "0 %u 1", user);
    if (!write_file("/proc/self/uid_map", map)) return TAIBAI_STEP_USER_MAP;
    snprintf(map, sizeof map, "0 %u 1", group);
    if (!write_file("/proc/self/gid_map", map)) return TAIBAI_STEP_USER_MAP;
    return TAIBAI_STEP_NONE;
}

// Makes `to`, relative to the working directory, show what `from` is.
static bool bind(const char *from, const char *to, uint64_t attributes) {
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) return false;
    struct mount_attr wanted = {.attr_set = attributes};
    bool is_bound = syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted) == 0
        && syscall(SYS_move_mount, tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) == 0;
    int error = errno;
    close(tree);
    errno = error;
    return is_bound;
}

static const uint64_t read_only = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

// Makes the folders of an absolute path below the new root.
static bool make_folders(const char *path) {
    char part[4096];
    if (snprintf(part, sizeof part, "%s", path + 1) >= (int)sizeof part) return false;
    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST) return false;
        *slash = '/';
    }
    return mkdir(part, 0755) == 0 || errno == EEXIST;
}

static bool bind_folder(const char *path) { return make_folders(path) && bind(path, path + 1, read_only); }

// Folders of programs and libraries are links into /usr on most systems, and folders of their own on others.
static bool show_system_folder(const char *path) {
    char target[256];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length > 0) {
        target[length] = 0;
        return symlink(target, path + 1) == 0;
    }
    struct stat about;
    if (stat(path, &about) < 0) return errno == ENOENT;
    return bind_folder(path);
}

// A program that is not linked statically has libraries elsewhere, such as a toolchain's folder. The unpacker, which is
// this same program, needs them.
static int show_library(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    char folder[4096];
    const char *name = info->dlpi_name;
    if (name[0] != '/' || strncmp(name, "/usr/", 5) == 0 || strncmp(name, "/lib", 4) == 0) return 0;
    if (snprintf(folder, sizeof folder, "%s", name) >= (int)sizeof folder) return 1;
    *strrchr(folder, '/') = 0;
    if (access(folder + 1, F_OK) == 0) return 0;
    return bind_folder(folder) ? 0 : 1;
}

static bool show_programs(const char *python_folder) {
    static const char *const system[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    if (!bind_folder("/usr")) return false;
    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++) {
        if (!show_system_folder(system[i])) return false;
    }
    if (python_folder && !bind_folder(python_folder)) return false;
    return dl_iterate_phdr(show_library, NULL) == 0;
}

static bool make_files(void) {
    static const char *const folders[] = {"/tmp", "/proc", "/dev/shm", "/etc/ssl", SECRETS_FOLDER, CODE_FOLDER};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (!make_folders(folders[i])) return false;
    }
    static const char *const links[][2] = {
        {"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
        {"/proc/self/fd/2", "dev/stderr"}};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        if (symlink(links[i][0], links[i][1]) < 0) return false;
    }
    return write_file("etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nfunction:x:1000:1000::/tmp:/bin/sh\n")
        && write_file("etc/group", "root:x:0:\nfunction:x:1000:\n")
        && write_file("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
        && write_file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
}

// What else programs commonly need of /etc: where libraries are, who resolves names (for workers with the host's
// network), which certificates to trust, which awk is meant.
static bool show_settings(void) {
    static const char *const files[] = {"/etc/ld.so.cache", "/etc/resolv.conf"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (access(files[i], F_OK) < 0) continue;
        if (!write_file(files[i] + 1, "") || !bind(files[i], files[i] + 1, read_only)) return false;
    }
    static const char *const folders[] = {"/etc/ssl/certs", "/etc/alternatives"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (access(folders[i], F_OK) == 0 && !bind_folder(folders[i])) return false;
    }
    return true;
}

static bool show_devices(void) {
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        // Without nodev, else it would be none.
        if (!write_file(devices[i] + 1, "")) return false;
        if (!bind(devices[i], devices[i] + 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)) return false;
    }
    return true;
}

/// Puts this process, which has one thread, into a mount namespace with the new root. The folder of packages, open as
/// PACKAGES_FOLDER, is then at CODE_FOLDER: that is the one place that each sandbox covers with something else, a
/// package or nothing, before a function's code runs.
/// Returns the step that failed, with errno, or TAIBAI_STEP_NONE.
uint32_t taibai_enter_root(const char *python_folder, bool *is_unprivileged) {
    // The working directory moves into the new namespace with the process; a descriptor would stay in the old one.
    if (fchdir(PACKAGES_FOLDER) < 0) return TAIBAI_STEP_PACKAGE;
    *is_unprivileged = false;
    if (unshare(CLONE_NEWNS) < 0) {
        uint32_t step = become_own_root();
        if (step) return step;
        *is_unprivileged = true;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return TAIBAI_STEP_ROOT_MOUNT;
    // Folders, links, mount points and a few lines of text.
    if (mount("taibai", STAGING, "tmpfs", MS_NOSUID | MS_NODEV, "size=256k,nr_inodes=1024,mode=755") < 0) {
        return TAIBAI_STEP_ROOT_MOUNT;
    }
    int packages = (int)syscall(SYS_open_tree, AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (packages < 0 || chdir(STAGING) < 0) return TAIBAI_STEP_ROOT_MOUNT;
    if (!make_files()) return TAIBAI_STEP_ROOT_FILES;
    if (!show_programs(python_folder) || !show_settings() || !show_devices()) return TAIBAI_STEP_ROOT_BIND;
    // Not read-only: a new /proc may not allow more than the one that is there. Sandboxes cover it with their own.
    if (!bind("/proc", "proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)) return TAIBAI_STEP_ROOT_BIND;
    struct mount_attr wanted = {.attr_set = read_only};
    bool is_placed = syscall(SYS_mount_setattr, packages, "", AT_EMPTY_PATH, &wanted, sizeof wanted) == 0
        && syscall(SYS_move_mount, packages, "", AT_FDCWD, &CODE_FOLDER[1], MOVE_MOUNT_F_EMPTY_PATH) == 0;
    if (!is_placed) return TAIBAI_STEP_ROOT_BIND;
    close(packages);
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
        return TAIBAI_STEP_ROOT_PIVOT;
    }
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0) {
        return TAIBAI_STEP_ROOT_PIVOT;
    }
    return TAIBAI_STEP_NONE;
}
