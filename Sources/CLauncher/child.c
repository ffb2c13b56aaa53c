// A new process and the steps it takes before it runs anything of a function. Each step that fails is reported as
// (step, errno) and ends the process: there is no weaker start. The zygote of python3 takes the same steps for its
// clones (Runtime/python3/zygote.py); an order lists the limits, so that both set the same ones.

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/// Forks, without the handlers that libraries hang onto fork(2): this process has one thread and no locks. In the
/// parent returns the pid and sets `*pidfd`; 0 in the child; -1 with errno.
pid_t taibai_clone(int *pidfd) {
    *pidfd = -1;
    struct clone_args how = {
        .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid >= 0 || errno != ENOSYS) return pid;
    // Docker's default seccomp profile answers ENOSYS to clone3. clone(2) with CLONE_PIDFD stores into its third
    // argument (the fourth and fifth differ by architecture and are not used).
    return (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, NULL);
}

_Noreturn static void fail(int reports, uint64_t id, uint32_t step) {
    struct taibai_report report = {.worker = id, .step = step, .error = errno};
    // If even this can't be written, the launcher sees the process end before it reported.
    ssize_t written = write(reports, &report, sizeof report);
    _exit(written == sizeof report ? 126 : 127);
}

// Moves `from` to the number `to`, where it stays open on exec.
static bool place(int from, int to) {
    if (from == to) return fcntl(to, F_SETFD, 0) == 0;
    return dup2(from, to) == to;
}

// The launcher blocks the signals it reads from a descriptor; what a signal does, it has left at the default.
static bool unblock_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

// Dies with the launcher. It may have gone before that was in place, so its pid is compared afterwards.
static bool die_with(pid_t launcher) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return false;
    errno = ESRCH;
    return getppid() == launcher;
}

/// Shuts the calling process in as `order` says and reports success or the first failure. Returns only on success;
/// then 0 is /dev/null, 1 and 2 are the output pipe, 3 is the channel, and nothing else is open.
void taibai_child_setup(const struct taibai_order *order, int channel, int output, int directory, int reports) {
    uint64_t id = order->worker;
    if (setsid() < 0) fail(reports, id, TAIBAI_STEP_SESSION);
    if (!die_with(order->launcher)) fail(reports, id, TAIBAI_STEP_PARENT_DEATH);
    if (fchdir(directory) < 0) fail(reports, id, TAIBAI_STEP_WORKING_DIRECTORY);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0 || !place(nothing, 0)) fail(reports, id, TAIBAI_STEP_STREAMS);
    if (!place(output, 1) || !place(output, 2)) fail(reports, id, TAIBAI_STEP_STREAMS);
    if (!place(channel, WORKER_CHANNEL)) fail(reports, id, TAIBAI_STEP_STREAMS);
    if (!place(reports, WORKER_CHANNEL + 1)) fail(reports, id, TAIBAI_STEP_STREAMS);
    reports = WORKER_CHANNEL + 1;
    if (syscall(SYS_close_range, reports + 1, ~0u, 0) < 0) fail(reports, id, TAIBAI_STEP_STREAMS);
    if (!unblock_signals()) fail(reports, id, TAIBAI_STEP_SIGNALS);
    umask(077);
    for (uint32_t i = 0; i < order->rlimit_count; i++) {
        struct rlimit limit = {order->rlimits[i].value, order->rlimits[i].value};
        if (setrlimit((int)order->rlimits[i].resource, &limit) < 0) fail(reports, id, order->rlimits[i].step);
    }
    struct taibai_report report = {.worker = id, .step = TAIBAI_STEP_NONE};
    if (write(reports, &report, sizeof report) != sizeof report) _exit(127);
    close(reports);
}

/// Becomes the zygote of a runtime. Its standard error stays the server's: it runs no code of functions, and what it
/// says is for the operator.
_Noreturn void taibai_child_exec_zygote(
    const char *python, uint32_t runtime, pid_t launcher, int socket, int reports) {
    uint64_t id = ZYGOTE_REPORT_ID + runtime;
    if (setsid() < 0) fail(reports, id, TAIBAI_STEP_SESSION);
    if (!die_with(launcher)) fail(reports, id, TAIBAI_STEP_PARENT_DEATH);
    if (!place(2, 1) || !place(socket, ZYGOTE_SOCKET) || !place(reports, ZYGOTE_REPORTS)) {
        fail(reports, id, TAIBAI_STEP_STREAMS);
    }
    // The report pipe must be there to tell that exec failed, and the zygote's clones need it.
    reports = ZYGOTE_REPORTS;
    if (syscall(SYS_close_range, reports + 1, ~0u, 0) < 0) fail(reports, id, TAIBAI_STEP_STREAMS);
    if (!unblock_signals()) fail(reports, id, TAIBAI_STEP_SIGNALS);
    char program[32];
    snprintf(program, sizeof program, "/proc/self/fd/%d", ZYGOTE_PROGRAM);
    char *arguments[] = {(char *)python, "-I", "-S", "-B", program, NULL};
    char *environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", NULL};
    execve(python, arguments, environment);
    fail(reports, id, TAIBAI_STEP_EXEC);
}
