// The launcher: starts workers, signals them, tells when they end, and leaves nothing behind. This same binary under
// another name, entered before any Swift runs; one thread, no memory asked for after the start, one loop over poll(2).
// It is told numbers, never paths (include/launcher.h), and does what it is told or says which step failed.
//
// Reading order: state.h, requests.c, orders.c, plan.c, perform.c, zygotes.c, spares.c, sandbox.c, root.c, this loop.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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
// Sandboxes that wait for workers: what a burst finds ready. One costs about 0.3 MiB.
enum { SANDBOXES_WAITING_MAX = 4 };
// After so long without anything to do there is time to prepare for what comes next.
enum { SPARE_MILLISECONDS = 20 };
// How often a suspicion is looked after: a lost server, a stuck zygote.
enum { CHECK_MILLISECONDS = 1000 };

/// Whether a layer of isolation is there: always, but in the control runs of a debug build.
bool taibai_has_layer(const char *name) {
#ifdef TAIBAI_CONTROL_RUNS
    const char *without = getenv("TAIBAI_WITHOUT_LAYER");
    return !without || strcmp(without, name) != 0;
#else
    (void)name;
    return true;
#endif
}

/// Whether a step of new processes is to fail: in tests of a debug build.
bool taibai_must_fail(uint32_t step) {
#ifdef TAIBAI_CONTROL_RUNS
    const char *failing = getenv("TAIBAI_FAILING_STEP");
    return failing && strtoul(failing, NULL, 10) == step;
#else
    (void)step;
    return false;
#endif
}

/// The monotonic clock in milliseconds.
int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// The children there are, whenever that is looked at.
static pid_t children[4 * TAIBAI_WORKERS_MAX];

static int list_children(void) { return taibai_children(children, sizeof children / sizeof children[0]); }

_Noreturn static void shut_down(struct launcher *l);

/// Sends an event. Waits while the server's queue is full: everything here is done for the server, so there is nothing
/// better to do meanwhile. Before the server knows that the launcher works, it is told nothing else.
void tell(struct launcher *l, struct taibai_event event, const int *descriptors, int count) {
    if (!l->is_ready) return;
    int error = taibai_send(LAUNCHER_SOCKET, &event, sizeof event, descriptors, count);
    if (error) shut_down(l);
}

// A level has been tried. After the last one the server is told what there is.
static void trial_ended(struct launcher *l, uint32_t level, uint32_t step, int error) {
    if (step == TAIBAI_STEP_NONE) {
        l->trial.levels |= 1u << level;
    } else {
        l->trial.missing_step[level] = step;
        l->trial.missing_error[level] = error;
    }
    if (--l->trials > 0) return;
    l->is_ready = true;
    l->trial.kind = TAIBAI_READY;
    tell(l, l->trial, NULL, 0);
}

/// Tells that a worker could not be started. What has begun of it is gone, or never was.
void tell_failed(struct launcher *l, uint64_t worker, uint32_t step, int error) {
    if (worker >= TRIAL_ID && !l->is_ready) {
        trial_ended(l, (uint32_t)(worker - TRIAL_ID), step, error);
        return;
    }
    tell(l, (struct taibai_event){.kind = TAIBAI_FAILED, .worker = worker, .step = step, .error = error}, NULL, 0);
}

/// A worker has no process and will have none.
void worker_failed(struct launcher *l, struct worker *worker, uint32_t step, int error) {
    uint64_t id = worker->request.worker;
    worker_remove(l, worker);
    tell_failed(l, id, step, error);
}

/// Moves a worker on after its pid or its report has become known.
void worker_progressed(struct launcher *l, struct worker *worker) {
    if (worker->state != WORKER_SETTING_UP) return;
    if (worker->signal_waiting) {
        signal_worker(l, worker, worker->signal_waiting);
        worker->signal_waiting = 0;
    }
    // A failed step ends the process; the event follows when it has.
    if (!worker->has_reported || worker->failed_step) return;
    worker->state = WORKER_RUNNING;
    int descriptors[3] = {worker->pidfd, -1, -1}, count = 1;
    if (worker->request.egress == TAIBAI_EGRESS_PROXY) descriptors[count++] = worker->sandbox->listener;
    if (worker->request.runtime_api) descriptors[count++] = worker->sandbox->api_listener;
    tell(l, (struct taibai_event){
        .kind = TAIBAI_STARTED, .worker = worker->request.worker, .pid = worker->pid}, descriptors, count);
    close(worker->pidfd);
    worker->pidfd = -1;
    if (!worker->sandbox) return;
    // Whether the server has them now or nobody wants them: nobody answers there but the server.
    sandbox_close_listeners(worker->sandbox);
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
        worker_progressed(l, worker);
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
    l->must_sweep = true;
    if (worker->state != WORKER_RUNNING) {
        worker_failed(
            l, worker, worker->failed_step ? worker->failed_step : TAIBAI_STEP_SETTING_UP,
            worker->failed_step ? worker->failed_error : ECANCELED);
        return;
    }
    struct taibai_event event = {
        .kind = TAIBAI_EXITED, .worker = worker->request.worker, .pid = worker->pid, .status = status,
        .cpu_microseconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
            + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec),
        .memory_peak_bytes = (uint64_t)usage.ru_maxrss * 1024,
        .out_of_memory = group_was_out_of_memory(l, worker->group)};
    worker_remove(l, worker);
    if (event.worker >= TRIAL_ID) {
        trial_ended(l, (uint32_t)(event.worker - TRIAL_ID), TAIBAI_STEP_NONE, 0);
    } else {
        tell(l, event, NULL, 0);
    }
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
        struct sandbox *sandbox = worker ? NULL : sandbox_by_pid(l, pid);
        struct sandbox *held = worker ? NULL : sandbox_by_spare(l, pid);
        if (worker) {
            worker_ended(l, worker);
        } else if (runtime < TAIBAI_RUNTIMES_END) {
            int status = 0;
            wait4(pid, &status, __WALL, NULL);
            zygote_ended(l, runtime, status);
        } else if (sandbox) {
            wait4(pid, NULL, __WALL, NULL);
            sandbox_ended(l, sandbox);
        } else if (held) {
            wait4(pid, NULL, __WALL, NULL);
            spare_end(l, held);
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
        if (sandbox_by_pid(l, children[i]) || sandbox_by_spare(l, children[i])) continue;
        pid_t session = getsid(children[i]);
        if (session > 0 && worker_by_pid(l, session)) continue;
        kill(children[i], SIGKILL);
    }
}

// Kills everything and exits: the server is gone, so nobody is left to run functions for.
_Noreturn static void shut_down(struct launcher *l) {
    for (;;) {
        int count = list_children();
        for (int i = 0; i < count; i++) {
            kill(-children[i], SIGKILL);
            kill(children[i], SIGKILL);
        }
        pid_t ended = waitpid(-1, NULL, __WALL);
        while (ended > 0) ended = waitpid(-1, NULL, __WALL | WNOHANG);
        if (ended < 0 && errno == ECHILD) break;
    }
    groups_remove_folders(l);
    scratch_close(l);
    _exit(0);
}

static void read_requests(struct launcher *l) {
    for (int i = 0; i < REQUESTS_A_TURN; i++) {
        struct taibai_request request;
        int descriptors[TAIBAI_DESCRIPTORS_MAX];
        int error = taibai_receive(LAUNCHER_SOCKET, &request, sizeof request, descriptors);
        if (error == EAGAIN) return;
        if (error == EPIPE) shut_down(l);
        if (error == EMSGSIZE) request = (struct taibai_request){0};
        if (error) {
            refuse(l, &request, TAIBAI_STEP_DESCRIPTORS, error);
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

// With nothing else to do: a sandbox waits for each of the next workers, since one takes more than a millisecond.
static void prepare_for_next(struct launcher *l) {
    groups_tidy(l);
    if (scratch_tidy(l)) return;
    bool must_make = l->is_sealed && l->sandboxes_waiting < SANDBOXES_WAITING_MAX;
    l->must_refill = must_make && sandbox_make(l, false) == TAIBAI_STEP_NONE;
    if (!l->must_refill) spare_order(l);
}

// A worker of which the kernel has killed a process for want of memory ends as a whole.
static void end_out_of_memory(struct launcher *l) {
    for (int group = group_out_of_memory(l); group >= 0; group = group_out_of_memory(l)) {
        for (int i = 0; i < TAIBAI_WORKERS_MAX; i++) {
            struct worker *worker = &l->workers[i];
            if (worker->state == WORKER_RUNNING && worker->group == group) signal_worker(l, worker, SIGKILL);
        }
    }
}

_Noreturn static void run(struct launcher *l) {
    enum { SOCKET, SIGNALS, REPORTS, MEMORY_EVENTS, ZYGOTES, WATCHED = ZYGOTES + TAIBAI_RUNTIMES_END };
    for (;;) {
        struct pollfd watched[WATCHED] = {
            [SOCKET] = {.fd = LAUNCHER_SOCKET, .events = POLLIN},
            [SIGNALS] = {.fd = l->signals, .events = POLLIN},
            [REPORTS] = {.fd = l->reports_in, .events = POLLIN},
            [MEMORY_EVENTS] = {.fd = l->groups.events, .events = POLLIN},
        };
        for (int i = 0; i < TAIBAI_RUNTIMES_END; i++) {
            watched[ZYGOTES + i].fd = l->zygotes[i].pid > 0 ? l->zygotes[i].socket : -1;
            watched[ZYGOTES + i].events = POLLIN;
        }
        bool must_check = l->cloning > 0 || l->must_check_server;
        // Not while a worker is being set up, nor right after: it would wait for the processor, and its start for us.
        bool has_spare_time = l->cloning == 0 && l->must_refill;
        int timeout = has_spare_time ? SPARE_MILLISECONDS : must_check ? CHECK_MILLISECONDS : -1;
        int event_count = poll(watched, WATCHED, timeout);
        if (event_count < 0) continue;
        if (event_count == 0 && has_spare_time) prepare_for_next(l);
        if (watched[SIGNALS].revents) read_signals(l);
        if (l->must_check_server && getppid() != l->server) shut_down(l);
        for (uint32_t i = 0; i < TAIBAI_RUNTIMES_END; i++) {
            if (watched[ZYGOTES + i].revents) zygote_answers(l, i);
        }
        if (watched[REPORTS].revents) read_reports(l);
        if (watched[MEMORY_EVENTS].revents) end_out_of_memory(l);
        reap(l);
        if (l->must_sweep && l->cloning == 0) sweep(l);
        zygotes_check_time(l);
        if (watched[SOCKET].revents & POLLIN) {
            read_requests(l);
        } else if (watched[SOCKET].revents) {
            shut_down(l);
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
    if (syscall(SYS_close_range, PACKAGES_FOLDER + 1, ~0u, 0) < 0) refuse_to_start(TAIBAI_STEP_STREAMS);
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
    // For what workers have while they are set up, and for sandboxes that wait.
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!taibai_children_listed()) refuse_to_start(TAIBAI_STEP_CHILDREN_LIST);
}

// Where python3 is installed, if functions would not find it below /usr: the folder above its `bin`.
static const char *folder_of_python(const char *python) {
    static char path[PATH_MAX];
    if (!realpath(python, path) || strncmp(path, "/usr/", 5) == 0) return NULL;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (slash == path) return NULL;
        *slash = 0;
    }
    return path;
}

static int count_capabilities(void) {
    int count = 0;
    while (prctl(PR_CAPBSET_READ, count) >= 0) count++;
    return count;
}

// Finds out what this launcher can do, level by level, by doing it. The answers come as the trials end.
static void begin_trials(struct launcher *l) {
    enum { RULESET_VERSION = 1 };
    uint32_t step = TAIBAI_STEP_NONE;
    groups_open(l);
    l->landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
    if (l->landlock < 0) step = TAIBAI_STEP_LANDLOCK;
    l->packages = PACKAGES_FOLDER;
    l->scratch = -1;
    if (!l->is_sealed) scratch_open(l);
    if (!step && l->is_sealed) step = taibai_enter_root(l->python_folder, &l->is_unprivileged);
    int error = errno;
    if (!step && l->is_sealed) {
        l->packages = open(CODE_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (l->packages < 0) step = TAIBAI_STEP_PACKAGE;
        error = errno;
        if (l->is_unprivileged) l->user = l->group = 0;
    }
    l->program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    l->trial.status = TAIBAI_LAUNCHER_PROTOCOL;
    l->trial.pid = l->self;
    l->trial.groups = (uint32_t)l->groups.kind;
    l->trial.landlock = l->landlock > 0 ? (uint32_t)l->landlock : 0;
    l->trial.facts = (l->user ? TAIBAI_FACT_OWN_USERS : 0) | (l->groups.unified >= 0 ? TAIBAI_FACT_FREEZER : 0);
    uint32_t level = l->is_sealed ? TAIBAI_LEVEL_SEALED : TAIBAI_LEVEL_GUARDED;
    if (!l->is_sealed) begin_trial(l, TAIBAI_LEVEL_PROCESS);
    if (!step) return begin_trial(l, level);
    l->trials++;
    trial_ended(l, level, step, error);
}

/// Runs the launcher until the server's socket hangs up. Arguments: its name, the interpreter for python3, `sealed` or
/// `open`, and, if it is root, the user and the group of the server.
_Noreturn void taibai_launcher(int argument_count, char **arguments) {
    static struct launcher the_launcher;
    struct launcher *l = &the_launcher;
    int type = 0;
    socklen_t length = sizeof type;
    bool is_ours = getsockopt(LAUNCHER_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
    if (argument_count != 5 || !is_ours) {
        fprintf(stderr, "%s: is started by the server only; try `taibai serve`\n", TAIBAI_LAUNCHER_NAME);
        _exit(2);
    }
    l->python = arguments[1];
    l->python_folder = folder_of_python(arguments[1]);
    l->is_sealed = strcmp(arguments[2], "sealed") == 0;
    if (geteuid() == 0) {
        l->user = (uid_t)strtoul(arguments[3], NULL, 10);
        l->group = (gid_t)strtoul(arguments[4], NULL, 10);
    }
    l->self = getpid();
    l->server = getppid();
    state_init(l);
    prepare(l);
    l->capability_count = count_capabilities();
    begin_trials(l);
    zygote_orders(l);
    run(l);
}

// Before main, and before the constructors of later priority; so a launcher never runs what the server's binary does.
__attribute__((constructor(101))) static void become_launcher(int argument_count, char **arguments) {
    if (argument_count > 0 && strcmp(arguments[0], TAIBAI_LAUNCHER_NAME) == 0) {
        taibai_launcher(argument_count, arguments);
    }
}
