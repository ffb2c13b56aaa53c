// The launcher: starts workers, signals them, tells when they end, and leaves nothing behind. This same binary under
// another name, entered before any Swift runs; one thread, no memory asked for after the start, one loop over poll(2).
// It is told numbers, never paths (include/launcher.h), and does what it is told or says which step failed.
//
// Reading order: state.h, requests.c, child.c, zygotes.c, then this loop.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

// Requests obeyed in one turn, so that ended workers are not kept waiting by a busy server.
enum { REQUESTS_A_TURN = 64 };
// How often a suspicion is looked after: a lost server, a stuck zygote.
enum { CHECK_MILLISECONDS = 1000 };

/// The monotonic clock in milliseconds.
int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// The children there are, whenever that is looked at.
static pid_t children[4 * TAIBAI_WORKERS_MAX];

static int list_children(void) { return taibai_children(children, sizeof children / sizeof children[0]); }

_Noreturn static void shut_down(void);

/// Sends an event. Waits while the server's queue is full: everything here is done for the server, so there is nothing
/// better to do meanwhile.
void tell(struct taibai_event event, int descriptor) {
    int error = taibai_send(LAUNCHER_SOCKET, &event, sizeof event, &descriptor, descriptor >= 0 ? 1 : 0);
    if (error) shut_down();
}

/// Tells that a worker could not be started. What has begun of it is gone, or never was.
void tell_failed(uint64_t worker, uint32_t step, int error) {
    tell((struct taibai_event){.kind = TAIBAI_FAILED, .worker = worker, .step = step, .error = error}, -1);
}

/// Signals the whole group; before the worker has made its group there is only the worker itself.
void signal_worker(struct worker *worker, int signal) {
    if (kill(-worker->pid, signal) < 0) kill(worker->pid, signal);
}

/// Moves a worker on after its pid or its report has become known.
void worker_progressed(struct worker *worker) {
    if (worker->state != WORKER_SETTING_UP) return;
    if (worker->signal_waiting) {
        signal_worker(worker, worker->signal_waiting);
        worker->signal_waiting = 0;
    }
    // A failed step ends the process; the event follows when it has.
    if (!worker->has_reported || worker->failed_step) return;
    worker->state = WORKER_RUNNING;
    tell((struct taibai_event){.kind = TAIBAI_STARTED, .worker = worker->id, .pid = worker->pid}, worker->pidfd);
    close(worker->pidfd);
    worker->pidfd = -1;
}

static void read_reports(struct launcher *l) {
    struct taibai_report report;
    // The pipe holds whole reports: each is written in one piece, far below PIPE_BUF.
    while (read(l->reports_in, &report, sizeof report) == sizeof report) {
        if (report.worker >= ZYGOTE_REPORT_ID) {
            uint64_t runtime = report.worker - ZYGOTE_REPORT_ID;
            if (runtime >= TAIBAI_RUNTIMES_END || l->zygotes[runtime].pid == 0) continue;
            l->zygotes[runtime].failed_step = report.step;
            l->zygotes[runtime].failed_error = report.error;
            continue;
        }
        struct worker *worker = worker_by_id(l, report.worker);
        if (!worker || worker->has_reported) continue;
        worker->has_reported = true;
        worker->failed_step = report.step;
        worker->failed_error = report.error;
        worker_progressed(worker);
    }
}

// The worker is dead but still a zombie, so its pid and its group can't be another's yet.
static void worker_ended(struct launcher *l, struct worker *worker) {
    // What it reported before it died is in the pipe by now.
    read_reports(l);
    kill(-worker->pid, SIGKILL);
    int status = 0;
    struct rusage usage;
    memset(&usage, 0, sizeof usage);
    wait4(worker->pid, &status, __WALL, &usage);
    struct taibai_event event = {.kind = TAIBAI_EXITED, .worker = worker->id, .pid = worker->pid, .status = status};
    if (worker->state == WORKER_RUNNING) {
        event.cpu_microseconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
            + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        event.memory_peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    } else {
        event.kind = TAIBAI_FAILED;
        event.step = worker->failed_step ? worker->failed_step : TAIBAI_STEP_SETTING_UP;
        event.error = worker->failed_step ? worker->failed_error : ECANCELED;
    }
    if (worker->pidfd >= 0) close(worker->pidfd);
    worker_remove(l, worker);
    l->must_sweep = true;
    tell(event, -1);
}

static uint32_t zygote_of_pid(struct launcher *l, pid_t pid) {
    uint32_t runtime = 0;
    while (runtime < TAIBAI_RUNTIMES_END && l->zygotes[runtime].pid != pid) runtime++;
    return runtime;
}

// Waits for every child that has ended. While orders are open, an ended child that nobody knows may be a worker whose
// zygote has yet to announce it; it stays a zombie until then.
static void reap(struct launcher *l) {
    pid_t pid;
    while ((pid = taibai_ended_child()) > 0) {
        struct worker *worker = worker_by_pid(l, pid);
        uint32_t runtime = zygote_of_pid(l, pid);
        if (worker) {
            worker_ended(l, worker);
        } else if (runtime < TAIBAI_RUNTIMES_END) {
            int status = 0;
            wait4(pid, &status, __WALL, NULL);
            zygote_ended(l, runtime, status);
        } else if (l->cloning > 0) {
            l->must_sweep = true;
            return;
        } else {
            wait4(pid, NULL, __WALL, NULL);
            l->must_sweep = true;
        }
    }
}

// Kills the children that belong to nobody: what ended workers have left, adopted because this process is a child
// subreaper. One whose session is a living worker's belongs to that worker. Their own children come to us when they
// die, which tells us by SIGCHLD to look again.
static void sweep(struct launcher *l) {
    l->must_sweep = false;
    int count = list_children();
    for (int i = 0; i < count; i++) {
        if (worker_by_pid(l, children[i]) || zygote_of_pid(l, children[i]) < TAIBAI_RUNTIMES_END) continue;
        pid_t session = getsid(children[i]);
        if (session > 0 && worker_by_pid(l, session)) continue;
        kill(children[i], SIGKILL);
    }
}

// Kills everything and exits: the server is gone, so nobody is left to run functions for.
_Noreturn static void shut_down(void) {
    for (;;) {
        int count = list_children();
        for (int i = 0; i < count; i++) {
            kill(-children[i], SIGKILL);
            kill(children[i], SIGKILL);
        }
        pid_t ended = waitpid(-1, NULL, __WALL);
        while (ended > 0) ended = waitpid(-1, NULL, __WALL | WNOHANG);
        if (ended < 0 && errno == ECHILD) _exit(0);
    }
}

static void read_requests(struct launcher *l) {
    for (int i = 0; i < REQUESTS_A_TURN; i++) {
        struct taibai_request request;
        int descriptors[TAIBAI_DESCRIPTORS_MAX];
        int error = taibai_receive(LAUNCHER_SOCKET, &request, sizeof request, descriptors);
        if (error == EAGAIN) return;
        if (error == EPIPE) shut_down();
        if (error == EMSGSIZE) request = (struct taibai_request){0};
        if (error) {
            refuse(&request, TAIBAI_STEP_DESCRIPTORS, error);
            continue;
        }
        obey(l, &request, descriptors);
        for (int j = 0; j < TAIBAI_DESCRIPTORS_MAX; j++) {
            if (descriptors[j] >= 0) close(descriptors[j]);
        }
    }
}

static void read_signals(struct launcher *l) {
    struct signalfd_siginfo signals[8];
    ssize_t length;
    while ((length = read(l->signals, signals, sizeof signals)) > 0) {
        for (size_t i = 0; i < (size_t)length / sizeof signals[0]; i++) {
            // The kernel sends SIGTERM when the thread that started us has ended. Its process may live on.
            if (signals[i].ssi_signo == SIGTERM) l->must_check_server = true;
        }
    }
}

_Noreturn static void run(struct launcher *l) {
    for (;;) {
        struct pollfd watched[3 + TAIBAI_RUNTIMES_END] = {
            {.fd = LAUNCHER_SOCKET, .events = POLLIN},
            {.fd = l->signals, .events = POLLIN},
            {.fd = l->reports_in, .events = POLLIN},
        };
        for (int i = 0; i < TAIBAI_RUNTIMES_END; i++) {
            watched[3 + i].fd = l->zygotes[i].pid > 0 ? l->zygotes[i].socket : -1;
            watched[3 + i].events = POLLIN;
        }
        bool must_check = l->cloning > 0 || l->must_check_server;
        if (poll(watched, 3 + TAIBAI_RUNTIMES_END, must_check ? CHECK_MILLISECONDS : -1) < 0) continue;
        if (watched[1].revents) read_signals(l);
        if (l->must_check_server && getppid() != l->server) shut_down();
        for (uint32_t i = 0; i < TAIBAI_RUNTIMES_END; i++) {
            if (watched[3 + i].revents) zygote_answers(l, i);
        }
        if (watched[2].revents) read_reports(l);
        reap(l);
        if (l->must_sweep && l->cloning == 0) sweep(l);
        zygotes_check_time(l);
        if (watched[0].revents & POLLIN) {
            read_requests(l);
        } else if (watched[0].revents) {
            shut_down();
        }
        zygote_orders(l);
    }
}

_Noreturn static void refuse_to_start(uint32_t step) {
    taibai_send(
        LAUNCHER_SOCKET, &(struct taibai_event){.kind = TAIBAI_REFUSED, .step = step, .error = errno},
        sizeof(struct taibai_event), NULL, 0);
    _exit(1);
}

static void watch_signals(struct launcher *l) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    // SIGKILL, SIGSTOP and glibc's own two can't be set; all others can.
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGTERM);
    if (sigprocmask(SIG_SETMASK, &watched, NULL) < 0) refuse_to_start(TAIBAI_STEP_SIGNALS);
    l->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signals < 0) refuse_to_start(TAIBAI_STEP_SIGNALS);
}

static void prepare(struct launcher *l) {
    // An own session: Ctrl-C in the server's terminal is for the server.
    if (setsid() < 0) refuse_to_start(TAIBAI_STEP_SESSION);
    prctl(PR_SET_NAME, TAIBAI_LAUNCHER_NAME);
    if (syscall(SYS_close_range, WORKER_PROGRAM + 1, ~0u, 0) < 0) refuse_to_start(TAIBAI_STEP_STREAMS);
    watch_signals(l);
    // A signal and not SIGKILL, so that there is time to clean up. The socket's hang-up usually comes first.
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) refuse_to_start(TAIBAI_STEP_PARENT_DEATH);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) refuse_to_start(TAIBAI_STEP_SUBREAPER);
    int reports[2];
    if (pipe2(reports, O_CLOEXEC) < 0) refuse_to_start(TAIBAI_STEP_STREAMS);
    if (fcntl(reports[0], F_SETFL, O_NONBLOCK) < 0) refuse_to_start(TAIBAI_STEP_STREAMS);
    l->reports_in = reports[0];
    l->reports_out = reports[1];
    int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0 || dup2(nothing, 0) < 0) refuse_to_start(TAIBAI_STEP_STREAMS);
    close(nothing);
    // A descriptor for each directory, and the ones on their way.
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!taibai_children_listed()) refuse_to_start(TAIBAI_STEP_CHILDREN_LIST);
}

/// Runs the launcher until the server's socket hangs up.
_Noreturn void taibai_launcher(int argument_count, char **arguments) {
    static struct launcher the_launcher;
    struct launcher *l = &the_launcher;
    int type = 0;
    socklen_t length = sizeof type;
    bool is_ours = getsockopt(LAUNCHER_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
    if (argument_count != 2 || !is_ours) {
        fprintf(stderr, "%s: is started by the server only; try `taibai serve`\n", TAIBAI_LAUNCHER_NAME);
        _exit(2);
    }
    l->python = arguments[1];
    l->self = getpid();
    l->server = getppid();
    state_init(l);
    prepare(l);
    tell((struct taibai_event){
        .kind = TAIBAI_READY, .status = TAIBAI_LAUNCHER_PROTOCOL, .pid = l->self,
        .levels = 1u << TAIBAI_LEVEL_PROCESS}, -1);
    run(l);
}

// Before main, and before the constructors of later priority; so a launcher never runs what the server's binary does.
__attribute__((constructor(101))) static void become_launcher(int argument_count, char **arguments) {
    if (argument_count > 0 && strcmp(arguments[0], TAIBAI_LAUNCHER_NAME) == 0) {
        taibai_launcher(argument_count, arguments);
    }
}
