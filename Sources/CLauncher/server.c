// The server's side: starting the launcher, which is this same binary executed again under another name with one
// socket and the zygote's programs, and the calls on descriptors that Swift can't make because they are variadic.
// posix_spawn(3) shares memory until exec: a fork of a large process costs tens of milliseconds (26 at 512 MiB).

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

enum { LAUNCHER_DESCRIPTORS = 4 };

// Descriptors that the file actions could overwrite before they are used are moved out of the way first.
static int above_launcher_descriptors(int descriptor) {
    return fcntl(descriptor, F_DUPFD_CLOEXEC, LAUNCHER_SOCKET + LAUNCHER_DESCRIPTORS);
}

// What a launcher is handed on of this process's environment: a binary that is not linked statically may need a
// variable to find Swift's libraries; and control runs of the tests (debug builds) say which layer to leave out.
static void choose_environment(char *environment[4]) {
    static const char *const names[] = {
        "LD_LIBRARY_PATH",
#ifdef TAIBAI_CONTROL_RUNS
        "TAIBAI_WITHOUT_LAYER", "TAIBAI_FAILING_STEP",
#endif
    };
    static char texts[3][4096];
    int count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (!value || snprintf(texts[i], sizeof texts[i], "%s=%s", names[i], value) >= (int)sizeof texts[i]) continue;
        environment[count++] = texts[i];
    }
    environment[count] = NULL;
}

// The file of this program by its name. Where the server runs below an instrument, such as valgrind's, /proc/self/exe
// would start that and not the program, although readlink tells the truth. It is the answer when the file is gone.
static const char *own_program(char *path, size_t size) {
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length <= 0 || (size_t)length >= size - 1) return "/proc/self/exe";
    path[length] = '\0';
    return access(path, X_OK) == 0 ? path : "/proc/self/exe";
}

static int spawn(const struct taibai_launcher_options *options, const int *descriptors, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    for (int i = 0; i < LAUNCHER_DESCRIPTORS && !error; i++) {
        error = posix_spawn_file_actions_adddup2(&actions, descriptors[i], LAUNCHER_SOCKET + i);
    }
    if (!error) {
        char user[16], group[16];
        snprintf(user, sizeof user, "%u", options->user);
        snprintf(group, sizeof group, "%u", options->group);
        char *arguments[] = {
            TAIBAI_LAUNCHER_NAME, (char *)options->python, options->is_sealed ? "sealed" : "open", user, group, NULL};
        char *environment[4];
        choose_environment(environment);
        char program[PATH_MAX];
        error = posix_spawn(pid, own_program(program, sizeof program), &actions, NULL, arguments, environment);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int taibai_spawn_launcher(const struct taibai_launcher_options *options, pid_t *pid, int *server_end, uint32_t *step) {
    *step = TAIBAI_STEP_LAUNCHER_SOCKET;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    int moved[LAUNCHER_DESCRIPTORS] = {
        above_launcher_descriptors(ends[1]), above_launcher_descriptors(options->zygote_program),
        above_launcher_descriptors(options->worker_program), above_launcher_descriptors(options->packages)};
    int error = 0;
    for (int i = 0; i < LAUNCHER_DESCRIPTORS; i++) {
        if (moved[i] < 0) error = errno;
    }
    if (!error && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) error = errno;
    if (!error) {
        *step = TAIBAI_STEP_LAUNCHER_SPAWN;
        error = spawn(options, moved, pid);
    }
    for (int i = 0; i < LAUNCHER_DESCRIPTORS; i++) {
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
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -errno : directory;
}

int taibai_signal_process(int pidfd, int signal) {
    // Called by number: the wrapper came only with glibc 2.36.
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? errno : 0;
}

int taibai_drop_privileges(uid_t user, gid_t group) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0) return errno;
    // The change of user has taken them already, unless somebody asked the kernel to keep them.
    if (syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    // It must not come back, and its memory, which holds secrets, is nobody's to read.
    if (setuid(0) == 0) return EPERM;
    return prctl(PR_SET_DUMPABLE, 0) < 0 ? errno : 0;
}

int taibai_bind_own(const char *path, const char *at) {
    if (mkdir(at, 0755) < 0 && errno != EEXIST) return errno;
    if (unshare(CLONE_NEWNS) < 0) return errno;
    // What is mounted on the host later is still seen here, and nothing of here on the host.
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return errno;
    return mount(path, at, NULL, MS_BIND, NULL) < 0 ? errno : 0;
}
