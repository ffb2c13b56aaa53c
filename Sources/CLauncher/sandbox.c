// A sandbox: namespaces of its own, held by an init process that does nothing but reap and, on a signal, stop and
// continue. Sandboxes are made ahead of need and wait, since making one takes more than a millisecond; a worker joins
// one, uses it alone, and with its init's end everything in it ends. Sources: namespaces(7), pid_namespaces(7).

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.h"

// An init that has not reported within this time is stuck: it makes a dozen system calls.
enum { INIT_MILLISECONDS_MAX = 5000 };
// Connections that may wait for the egress proxy, or for the Runtime API.
enum { LISTENER_BACKLOG = 64 };

static bool bring_up_loopback(void) {
    struct ifreq request;
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0) return false;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, "lo", sizeof "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    bool is_up = ioctl(control, SIOCSIFFLAGS, &request) == 0;
    int error = errno;
    close(control);
    errno = error;
    return is_up;
}

// Where the server answers. They are made for every sandbox, and closed again for workers that have no use for them.
static int listen_at(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return -1;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, LISTENER_BACKLOG) == 0) {
        return listener;
    }
    int error = errno;
    close(listener);
    errno = error;
    return -1;
}

// Without privilege the process must stay readable for the launcher, which else could not let workers join it; a worker
// is kept from it by Landlock.
static bool give_up_privileges(bool is_privileged) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++) {
        if (prctl(PR_CAPBSET_DROP, i) < 0) return false;
    }
    return (!is_privileged || syscall(SYS_setgroups, 0, NULL) == 0)
        && syscall(SYS_setresgid, INNER_USER, INNER_USER, INNER_USER) == 0
        && syscall(SYS_setresuid, INNER_USER, INNER_USER, INNER_USER) == 0 && syscall(SYS_capset, &header, none) == 0
        && prctl(PR_SET_DUMPABLE, is_privileged ? 0 : 1) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0
        && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// Sets up the namespaces. Returns the step that failed, with errno.
static uint32_t prepare_sandbox(bool is_privileged, bool is_open, int listeners[2]) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return TAIBAI_STEP_PARENT_DEATH;
    if (!is_open) {
        if (!bring_up_loopback()) return TAIBAI_STEP_LOOPBACK;
        listeners[0] = listen_at(TAIBAI_PROXY_PORT);
        listeners[1] = listen_at(TAIBAI_RUNTIME_API_PORT);
        if (listeners[0] < 0 || listeners[1] < 0) return TAIBAI_STEP_LISTENER;
    }
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid") < 0) {
        return TAIBAI_STEP_MOUNT_PROC;
    }
    if (syscall(SYS_sethostname, "function", 8) < 0) return TAIBAI_STEP_HOST_NAME;
    if (!give_up_privileges(is_privileged)) return TAIBAI_STEP_IDENTITY;
    return TAIBAI_STEP_NONE;
}

// The life of an init: whoever is left without a parent in the sandbox comes to it. SIGUSR1 stops all, SIGUSR2 lets all
// go on; only the launcher, outside, has a reason to send them, and a function that does harms itself.
_Noreturn static void reap_for_ever(void) {
    sigset_t watched;
    sigfillset(&watched);
    sigprocmask(SIG_SETMASK, &watched, NULL);
    for (;;) {
        int signal = sigwaitinfo(&watched, NULL);
        if (signal == SIGUSR1) kill(-1, SIGSTOP);
        if (signal == SIGUSR2) kill(-1, SIGCONT);
        while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    }
}

_Noreturn static void run_init(int socket, bool is_privileged, bool is_open) {
    char go;
    if (recv(socket, &go, 1, 0) != 1) _exit(0);
    int listeners[2] = {-1, -1};
    struct taibai_report report = {.step = prepare_sandbox(is_privileged, is_open, listeners)};
    report.error = report.step ? errno : 0;
    prctl(PR_SET_NAME, "taibai-init");
    taibai_send(socket, &report, sizeof report, listeners, report.step || is_open ? 0 : 2);
    if (report.step) _exit(1);
    syscall(SYS_close_range, 0, ~0u, 0);
    reap_for_ever();
}

static bool write_proc(pid_t pid, const char *file, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    ssize_t written = write(descriptor, text, strlen(text));
    int error = errno;
    close(descriptor);
    errno = error;
    return written >= 0;
}

// Says who the users of the sandbox are outside: with privilege, one of its own and the server's; else the only one
// there is.
static bool map_users(struct launcher *l, const struct sandbox *sandbox) {
    char users[96], groups[96];
    if (l->is_unprivileged) {
        snprintf(users, sizeof users, "%d 0 1", INNER_USER);
        return write_proc(sandbox->pid, "setgroups", "deny") && write_proc(sandbox->pid, "uid_map", users)
            && write_proc(sandbox->pid, "gid_map", users);
    }
    unsigned own = OUTER_USERS + (unsigned)(sandbox - l->sandboxes);
    snprintf(users, sizeof users, "%d %u 1\n%d %u 1", INNER_USER, own, INNER_OWNER, l->user);
    snprintf(groups, sizeof groups, "%d %u 1\n%d %u 1", INNER_USER, own, INNER_OWNER, l->group);
    return write_proc(sandbox->pid, "uid_map", users) && write_proc(sandbox->pid, "gid_map", groups);
}

static uint32_t wait_for_init(int socket, struct sandbox *sandbox) {
    struct pollfd watched = {.fd = socket, .events = POLLIN};
    struct taibai_report report;
    int descriptors[TAIBAI_DESCRIPTORS_MAX];
    if (poll(&watched, 1, INIT_MILLISECONDS_MAX) != 1) {
        errno = ETIMEDOUT;
        return TAIBAI_STEP_SANDBOX;
    }
    int error = taibai_receive(socket, &report, sizeof report, descriptors);
    sandbox->listener = descriptors[0];
    sandbox->api_listener = descriptors[1];
    errno = error ? error : report.error;
    return error ? TAIBAI_STEP_SANDBOX : report.step;
}

static uint32_t start_init(struct launcher *l, struct sandbox *sandbox) {
    uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (!sandbox->is_open) namespaces |= CLONE_NEWNET;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return TAIBAI_STEP_DESCRIPTORS;
    sandbox->pid = taibai_clone(namespaces, -1, &sandbox->pidfd);
    if (sandbox->pid == 0) {
        close(ends[0]);
        run_init(ends[1], !l->is_unprivileged, sandbox->is_open);
    }
    uint32_t step = sandbox->pid < 0 ? TAIBAI_STEP_CLONE : TAIBAI_STEP_NONE;
    int error = errno;
    close(ends[1]);
    if (!step && !map_users(l, sandbox)) {
        step = TAIBAI_STEP_USER_MAP;
        error = errno;
    }
    if (!step) {
        send(ends[0], "", 1, MSG_NOSIGNAL);
        step = wait_for_init(ends[0], sandbox);
        error = errno;
    }
    close(ends[0]);
    errno = error;
    return step;
}

/// Makes a sandbox, with the host's network or one of its own, and lets it wait. Returns the step that failed, with
/// errno, or TAIBAI_STEP_NONE. Blocks for about a millisecond.
uint32_t sandbox_make(struct launcher *l, bool is_open) {
    struct sandbox *sandbox = l->sandboxes;
    struct sandbox *end = l->sandboxes + TAIBAI_WORKERS_MAX;
    while (sandbox < end && sandbox->state != SANDBOX_NONE) sandbox++;
    if (sandbox == end) {
        errno = ENOSPC;
        return TAIBAI_STEP_WORKER_TABLE;
    }
    *sandbox = (struct sandbox){.listener = -1, .api_listener = -1, .pidfd = -1, .is_open = is_open};
    uint32_t step = start_init(l, sandbox);
    if (step) {
        int error = errno;
        if (sandbox->pid > 0) kill(sandbox->pid, SIGKILL);
        sandbox->state = sandbox->pid > 0 ? SANDBOX_ENDING : SANDBOX_NONE;
        sandbox_close(l, sandbox);
        errno = error;
        return step;
    }
    sandbox->state = SANDBOX_WAITING;
    if (!is_open) l->sandboxes_waiting++;
    return TAIBAI_STEP_NONE;
}

// One that waits, and whether or not there is a spare in it as the worker would have it, if there is the choice.
static struct sandbox *find_waiting(struct launcher *l, bool is_open, bool takes_spare) {
    struct sandbox *found = NULL;
    for (struct sandbox *sandbox = l->sandboxes; sandbox < l->sandboxes + TAIBAI_WORKERS_MAX; sandbox++) {
        if (sandbox->state != SANDBOX_WAITING || sandbox->is_open != is_open || sandbox == l->spare.sandbox) continue;
        if ((sandbox->spare > 0) == takes_spare) return sandbox;
        found = sandbox;
    }
    return found;
}

/// A sandbox for one worker, made now if none waits. NULL with `*step` and errno when none can be made.
struct sandbox *sandbox_take(struct launcher *l, const struct taibai_request *request, uint32_t *step) {
    bool is_open = request->egress == TAIBAI_EGRESS_OPEN;
    bool takes_spare = request->runtime == TAIBAI_RUNTIME_PYTHON3;
    struct sandbox *sandbox = find_waiting(l, is_open, takes_spare);
    *step = sandbox ? TAIBAI_STEP_NONE : sandbox_make(l, is_open);
    if (*step) return NULL;
    if (!sandbox) sandbox = find_waiting(l, is_open, false);
    if (!takes_spare) spare_end(l, sandbox);
    sandbox->state = SANDBOX_USED;
    if (!is_open) l->sandboxes_waiting--;
    return sandbox;
}

/// Closes the launcher's copies of the listeners in its network.
void sandbox_close_listeners(struct sandbox *sandbox) {
    if (sandbox->listener >= 0) close(sandbox->listener);
    if (sandbox->api_listener >= 0) close(sandbox->api_listener);
    sandbox->listener = sandbox->api_listener = -1;
}

/// Closes what the launcher holds of it. Its init may live on.
void sandbox_close(struct launcher *l, struct sandbox *sandbox) {
    spare_end(l, sandbox);
    if (sandbox->pidfd >= 0) close(sandbox->pidfd);
    sandbox_close_listeners(sandbox);
    sandbox->pidfd = -1;
}

/// Kills every process in the sandbox. Its place is free when the init has been waited for.
void sandbox_end(struct launcher *l, struct sandbox *sandbox) {
    if (!sandbox || sandbox->state == SANDBOX_NONE || sandbox->state == SANDBOX_ENDING) return;
    if (sandbox->state == SANDBOX_WAITING && !sandbox->is_open) l->sandboxes_waiting--;
    kill(sandbox->pid, SIGKILL);
    sandbox_close(l, sandbox);
    sandbox->state = SANDBOX_ENDING;
}

/// The sandbox whose init this is.
struct sandbox *sandbox_by_pid(struct launcher *l, pid_t pid) {
    for (struct sandbox *sandbox = l->sandboxes; sandbox < l->sandboxes + TAIBAI_WORKERS_MAX; sandbox++) {
        if (sandbox->state != SANDBOX_NONE && sandbox->pid == pid) return sandbox;
    }
    return NULL;
}

/// Its init has ended, and with it everything in it; it has been waited for.
void sandbox_ended(struct launcher *l, struct sandbox *sandbox) {
    if (sandbox->state == SANDBOX_WAITING && !sandbox->is_open) l->sandboxes_waiting--;
    sandbox_close(l, sandbox);
    sandbox->state = SANDBOX_NONE;
    sandbox->pid = 0;
}
