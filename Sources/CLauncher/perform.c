// A new process, and what it does first: it puts its descriptors where they belong, does the operations of its plan one
// after the other, and reports. A step that fails is reported as (step, errno) and ends the process: there is no weaker
// start. The zygote of python3 does the same for its clones (Runtime/python3/zygote.py).
//
// Here is also the native zygote: a child of the launcher that makes the workers which need no interpreter loaded.

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/// Forks, without the handlers that libraries hang onto fork(2): this process has one thread and no locks. In the
/// parent returns the pid and sets `*pidfd`; 0 in the child; -1 with errno.
/// `group`: with CLONE_INTO_CGROUP the control group to be in.
pid_t taibai_clone(uint64_t flags, int group, int *pidfd) {
    *pidfd = -1;
    // With CLONE_PARENT the signal is that of this process itself.
    uint64_t signal = flags & CLONE_PARENT ? 0 : SIGCHLD;
    struct clone_args how = {
        .flags = flags | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = signal,
        .cgroup = flags & CLONE_INTO_CGROUP ? (uint64_t)group : 0};
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid >= 0 || errno != ENOSYS || flags & CLONE_INTO_CGROUP) return pid;
    // Docker's default seccomp profile answers ENOSYS to clone3. clone(2) with CLONE_PIDFD stores into its third
    // argument (the fourth and fifth differ by architecture and are not used).
    return (pid_t)syscall(SYS_clone, flags | CLONE_PIDFD | signal, NULL, pidfd, NULL, NULL);
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

// Puts the descriptors of an order at their numbers, with /dev/null as standard input and the output also as standard
// error; everything else below CHILD_DESCRIPTORS_END is closed. They come from above that.
static bool arrange(const struct taibai_order *order, const int *descriptors, int reports) {
    bool is_used[CHILD_DESCRIPTORS_END] = {true, true, true};
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int moved = fcntl(reports, F_DUPFD_CLOEXEC, CHILD_DESCRIPTORS_END);
    if (nothing < 0 || moved < 0 || !place(nothing, 0) || !place(moved, CHILD_REPORTS)) return false;
    is_used[CHILD_REPORTS] = true;
    for (uint32_t i = 0; i < order->descriptor_count; i++) {
        int target = order->targets[i];
        if (target >= CHILD_DESCRIPTORS_END || !place(descriptors[i], target)) return false;
        if (target == WORKER_OUTPUT && !place(descriptors[i], 2)) return false;
        is_used[target] = true;
    }
    for (int i = 0; i < CHILD_DESCRIPTORS_END; i++) {
        if (!is_used[i]) close(i);
    }
    return syscall(SYS_close_range, CHILD_DESCRIPTORS_END, ~0u, 0) == 0;
}

// Does the operations. False with errno and `*step` when one fails.
static bool perform(struct taibai_order *order, uint32_t *step) {
    long kept = 0;
    for (uint32_t i = 0; i < order->op_count; i++) {
        struct taibai_op op = order->ops[i];
        uint64_t *a = op.arguments;
        *step = op.step;
        if (op.kind == OP_STORE_ADDRESS) {
            const void *address = order->bytes + a[1];
            memcpy(order->bytes + a[0], &address, sizeof address);
            continue;
        }
        if (op.kind == OP_STORE_KEPT) {
            int32_t number = (int32_t)kept;
            memcpy(order->bytes + a[0], &number, sizeof number);
            continue;
        }
        for (int j = 0; j < 6; j++) {
            if (op.flags >> j & 1) a[j] = (uint64_t)(uintptr_t)(order->bytes + a[j]);
            if (op.flags >> (8 + j) & 1) a[j] = (uint64_t)kept;
        }
        uint64_t times = op.kind == OP_CALL_EACH ? a[5] : 1;
        if (op.kind == OP_CALL_EACH) a[5] = 0;
        for (uint64_t n = 0; n < times; n++) {
            if (op.kind == OP_CALL_EACH) a[1] = n;
            long result = syscall(op.number, a[0], a[1], a[2], a[3], a[4], a[5]);
            if (result < 0) return false;
            if (op.kind == OP_CALL_KEEP) kept = result;
        }
    }
    return true;
}

// Becomes the worker of an order.
_Noreturn static void become_worker(struct taibai_order *order, const int *descriptors) {
    if (!arrange(order, descriptors, ZYGOTE_REPORTS)) fail(ZYGOTE_REPORTS, order->worker, TAIBAI_STEP_STREAMS);
    if (!unblock_signals()) fail(CHILD_REPORTS, order->worker, TAIBAI_STEP_SIGNALS);
    umask(077);
    uint32_t step = TAIBAI_STEP_NONE;
    if (!perform(order, &step)) fail(CHILD_REPORTS, order->worker, step);
    struct taibai_report report = {.worker = order->worker, .step = TAIBAI_STEP_NONE};
    if (write(CHILD_REPORTS, &report, sizeof report) != sizeof report) _exit(127);
    close(CHILD_REPORTS);
    // A trial: that was all.
    if (order->runtime == 0) _exit(0);
    if (order->runtime == TAIBAI_RUNTIME_EXEC) taibai_exec_host();
    char *arguments[] = {TAIBAI_UNPACKER_NAME, NULL};
    char *environment[] = {NULL};
    syscall(SYS_execveat, CHILD_PROGRAM, "", arguments, environment, AT_EMPTY_PATH);
    dprintf(2, "taibai: the unpacker can't be executed: %s\n", strerror(errno));
    _exit(126);
}

// The receiver's copy of an order: on the wire the bytes follow the operations in use.
static bool unpack_order(struct taibai_order *order, size_t received) {
    if (received < ORDER_HEAD_SIZE) return false;
    if (order->op_count > PLAN_OPS_MAX || order->byte_count > PLAN_BYTES_MAX) return false;
    size_t ops = ORDER_HEAD_SIZE + order->op_count * sizeof order->ops[0];
    if (received != ops + order->byte_count || order->descriptor_count > TAIBAI_DESCRIPTORS_MAX) return false;
    memmove(order->bytes, (unsigned char *)order + ops, order->byte_count);
    return true;
}

static void fulfil(struct taibai_order *order, const int *descriptors) {
    int group = -1, sandbox = -1, pidfd = -1;
    for (uint32_t i = 0; i < order->descriptor_count; i++) {
        if (order->targets[i] == CHILD_GROUP) group = descriptors[i];
        if (order->targets[i] == CHILD_SANDBOX) sandbox = descriptors[i];
    }
    struct taibai_clone_answer answer = {.worker = order->worker, .pid = -1};
    // From then on all of this process's children are in there; the next order says where anew.
    bool is_ready = !order->is_sandboxed || syscall(SYS_setns, sandbox, CLONE_NEWPID) == 0;
    if (is_ready) {
        answer.pid = taibai_clone(CLONE_PARENT | (order->is_grouped ? CLONE_INTO_CGROUP : 0), group, &pidfd);
    }
    if (answer.pid == 0) become_worker(order, descriptors);
    if (answer.pid < 0) answer.error = errno;
    taibai_send(ZYGOTE_SOCKET, &answer, sizeof answer, &pidfd, pidfd >= 0 ? 1 : 0);
    if (pidfd >= 0) close(pidfd);
}

// What both kinds of zygotes begin with. Its standard error stays the server's: it runs no code of functions, and what
// it says is for the operator.
static void begin_zygote(uint32_t runtime, pid_t launcher, int socket, int reports) {
    uint64_t id = ZYGOTE_REPORT_ID + runtime;
    if (setsid() < 0) fail(reports, id, TAIBAI_STEP_SESSION);
    if (!die_with(launcher)) fail(reports, id, TAIBAI_STEP_PARENT_DEATH);
    if (!place(2, 1) || !place(socket, ZYGOTE_SOCKET) || !place(reports, ZYGOTE_REPORTS)) {
        fail(reports, id, TAIBAI_STEP_STREAMS);
    }
    if (syscall(SYS_close_range, ZYGOTE_REPORTS + 1, ~0u, 0) < 0) fail(ZYGOTE_REPORTS, id, TAIBAI_STEP_STREAMS);
    if (!unblock_signals()) fail(ZYGOTE_REPORTS, id, TAIBAI_STEP_SIGNALS);
}

/// Becomes the zygote of python3. The report pipe stays open over exec: to tell that exec failed, and for its clones.
_Noreturn void taibai_exec_zygote(const char *python, uint32_t runtime, pid_t launcher, int socket, int reports) {
    begin_zygote(runtime, launcher, socket, reports);
    char program[32];
    snprintf(program, sizeof program, "/proc/self/fd/%d", ZYGOTE_PROGRAM);
    char *arguments[] = {(char *)python, "-I", "-S", "-B", program, NULL};
    char *environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", NULL};
    execve(python, arguments, environment);
    fail(ZYGOTE_REPORTS, ZYGOTE_REPORT_ID + runtime, TAIBAI_STEP_EXEC);
}

/// Becomes the zygote of a runtime that is part of this binary: takes orders until the launcher hangs up.
_Noreturn void taibai_native_zygote(uint32_t runtime, pid_t launcher, int socket, int reports) {
    static struct taibai_order order;
    begin_zygote(runtime, launcher, socket, reports);
    prctl(PR_SET_NAME, "taibai-zygote");
    fcntl(ZYGOTE_SOCKET, F_SETFL, 0);
    // So that none that comes with an order has a number that a new process needs.
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (nothing >= 0 && nothing < CHILD_DESCRIPTORS_END - 1) nothing = fcntl(nothing, F_DUPFD_CLOEXEC, 0);
    if (nothing < 0) fail(ZYGOTE_REPORTS, ZYGOTE_REPORT_ID + runtime, TAIBAI_STEP_DESCRIPTORS);
    struct taibai_clone_answer ready = {.pid = getpid()};
    taibai_send(ZYGOTE_SOCKET, &ready, sizeof ready, NULL, 0);
    for (;;) {
        int descriptors[TAIBAI_DESCRIPTORS_MAX];
        size_t received = 0;
        int error = taibai_receive_waiting(ZYGOTE_SOCKET, &order, sizeof order, &received, descriptors);
        if (error == EPIPE) _exit(0);
        uint32_t count = 0;
        while (count < TAIBAI_DESCRIPTORS_MAX && descriptors[count] >= 0) count++;
        if (!error && (!unpack_order(&order, received) || count != order.descriptor_count)) error = EPROTO;
        if (error) {
            struct taibai_clone_answer answer = {.worker = order.worker, .pid = -1, .error = error};
            taibai_send(ZYGOTE_SOCKET, &answer, sizeof answer, NULL, 0);
        } else {
            fulfil(&order, descriptors);
        }
        for (uint32_t i = 0; i < count; i++) close(descriptors[i]);
    }
}
