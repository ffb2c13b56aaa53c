// The server's side: starting the launcher, which is this same binary executed again under another name with one
// socket and the zygote's programs, and the calls on descriptors that Swift can't make because they are variadic.
// posix_spawn(3) shares memory until exec: a fork of a large process costs tens of milliseconds (26 at 512 MiB).

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

// Descriptors that the file actions could overwrite before they are used are moved out of the way first.
static int above_launcher_descriptors(int descriptor) {
    return fcntl(descriptor, F_DUPFD_CLOEXEC, WORKER_PROGRAM + 1);
}

static int spawn(const char *python, const int descriptors[3], pid_t *pid) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    for (int i = 0; i < 3 && !error; i++) {
        error = posix_spawn_file_actions_adddup2(&actions, descriptors[i], LAUNCHER_SOCKET + i);
    }
    if (!error) {
        char *arguments[] = {TAIBAI_LAUNCHER_NAME, (char *)python, NULL};
        // A binary that is not linked statically may need this to find Swift's libraries; nothing else is handed on.
        char libraries[4096];
        const char *path = getenv("LD_LIBRARY_PATH");
        char *environment[] = {NULL, NULL};
        if (path && snprintf(libraries, sizeof libraries, "LD_LIBRARY_PATH=%s", path) < (int)sizeof libraries) {
            environment[0] = libraries;
        }
        error = posix_spawn(pid, "/proc/self/exe", &actions, NULL, arguments, environment);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int taibai_spawn_launcher(const char *python, const int programs[2], pid_t *pid, int *server_end, uint32_t *step) {
    *step = TAIBAI_STEP_LAUNCHER_SOCKET;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    int moved[3] = {
        above_launcher_descriptors(ends[1]), above_launcher_descriptors(programs[0]),
        above_launcher_descriptors(programs[1])};
    int error = 0;
    for (int i = 0; i < 3; i++) {
        if (moved[i] < 0) error = errno;
    }
    if (!error && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) error = errno;
    if (!error) {
        *step = TAIBAI_STEP_LAUNCHER_SPAWN;
        error = spawn(python, moved, pid);
    }
    for (int i = 0; i < 3; i++) {
        if (moved[i] >= 0) close(moved[i]);
    }
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return error;
    }
    *server_end = ends[0];
    return 0;
}

int taibai_memory_file(const char *name, const void *bytes, size_t length) {
    int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return -errno;
    size_t written = 0;
    while (written < length) {
        ssize_t count = write(file, (const char *)bytes + written, length - written);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            int error = errno;
            close(file);
            return -error;
        }
        written += (size_t)count;
    }
    if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        int error = errno;
        close(file);
        return -error;
    }
    return file;
}

static int make_non_blocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ? errno : 0;
}

static int close_both(int ends[2], int error) {
    close(ends[0]);
    close(ends[1]);
    return error;
}

int taibai_channel(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    int error = make_non_blocking(ends[0]);
    return error ? close_both(ends, error) : 0;
}

int taibai_output_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) < 0) return errno;
    int error = make_non_blocking(ends[0]);
    return error ? close_both(ends, error) : 0;
}

int taibai_open_directory(const char *path) {
    int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -errno : directory;
}

int taibai_signal_process(int pidfd, int signal) {
    // Called by number: the wrapper came only with glibc 2.36.
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? errno : 0;
}
