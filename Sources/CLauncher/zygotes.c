// Zygotes: processes that have a runtime loaded and clone themselves for each worker. They are started and ordered
// here; Runtime/python3/zygote.py is what runs in one. A clone is a child of the launcher (CLONE_PARENT), not of the
// zygote, so that a lost zygote takes no worker with it.

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "state.h"

// Orders a zygote may have open: few enough for its socket's queue (212,992 bytes; an order has up to 16 KiB), enough
// to keep it busy.
enum { CLONES_MAX = 6 };
// A zygote that says nothing for so long while an order waits is stuck. 30 s: a start of python3 from a cold disk on
// a busy machine takes seconds.
enum { ZYGOTE_SILENCE_MAX = 30000 };

static void tell_down(struct launcher *l, uint32_t runtime, uint32_t step, int error, int status) {
    tell(l, (struct taibai_event){
        .kind = TAIBAI_ZYGOTE_DOWN, .runtime = runtime, .step = step, .error = error, .status = status}, NULL, 0);
}

static void tell_up(struct launcher *l, uint32_t runtime) {
    tell(l, (struct taibai_event){
        .kind = TAIBAI_ZYGOTE_UP, .runtime = runtime, .pid = l->zygotes[runtime].pid}, NULL, 0);
}

/// The runtime whose zygote makes the workers of `runtime`: python3 has one of its own, all others share the native.
uint32_t zygote_of(uint32_t runtime) {
    return runtime == TAIBAI_RUNTIME_PYTHON3 ? TAIBAI_RUNTIME_PYTHON3 : TAIBAI_RUNTIME_EXEC;
}

/// Starts a zygote, unless it runs.
void zygote_start(struct launcher *l, uint32_t runtime) {
    struct zygote *zygote = &l->zygotes[runtime];
    if (zygote->pid > 0) {
        if (zygote->is_up) tell_up(l, runtime);
        return;
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        tell_down(l, runtime, TAIBAI_STEP_DESCRIPTORS, errno, 0);
        return;
    }
    int pidfd;
    pid_t pid = taibai_clone(0, -1, &pidfd);
    if (pid == 0 && runtime == TAIBAI_RUNTIME_PYTHON3) {
        taibai_exec_zygote(l->python, runtime, l->self, ends[1], l->reports_out);
    } else if (pid == 0) {
        taibai_native_zygote(runtime, l->self, ends[1], l->reports_out);
    }
    int error = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        tell_down(l, runtime, TAIBAI_STEP_CLONE, error, 0);
        return;
    }
    close(pidfd);
    *zygote = (struct zygote){.pid = pid, .socket = ends[0]};
}

/// Lets a worker wait for its zygote.
void zygote_enqueue(struct launcher *l, struct worker *worker) {
    if (l->first_waiting) {
        l->last_waiting->next_waiting = worker;
    } else {
        l->first_waiting = worker;
    }
    l->last_waiting = worker;
}

// Makes an order what it is on the wire: its head, the operations in use, and right behind them the bytes. Returns its
// length.
static size_t pack(struct taibai_order *order) {
    size_t ops = ORDER_HEAD_SIZE + order->op_count * sizeof order->ops[0];
    memmove((unsigned char *)order + ops, order->bytes, order->byte_count);
    return ops + order->byte_count;
}

// Gives the order for a worker; starts the zygote when none runs. The order then waits in its socket.
static void give_order(struct launcher *l, struct worker *worker) {
    static struct taibai_order order;
    int descriptors[TAIBAI_DESCRIPTORS_MAX];
    uint32_t runtime = zygote_of(worker->request.runtime);
    struct zygote *zygote = &l->zygotes[runtime];
    if (zygote->pid == 0) zygote_start(l, runtime);
    uint32_t step = order_make(l, worker, &order, descriptors);
    int error = errno;
    struct sandbox *sandbox = worker->sandbox;
    int count = (int)order.descriptor_count;
    size_t length = step ? 0 : pack(&order);
    bool is_spares = !step && sandbox && sandbox->spare > 0
        && taibai_send(sandbox->spare_socket, &order, length, descriptors, count) == 0;
    if (!step && !is_spares) {
        step = TAIBAI_STEP_ZYGOTE;
        // The queue holds more orders than may be open (CLONES_MAX), so it is never full.
        error = zygote->pid > 0 ? taibai_send(zygote->socket, &order, length, descriptors, count) : ESRCH;
    }
    for (int i = 0; i < count; i++) close(descriptors[i]);
    if (is_spares) return spare_becomes(l, sandbox, worker);
    if (error && step) return worker_failed(l, worker, step, error);
    worker->state = WORKER_CLONING;
    if (l->cloning++ == 0) l->cloning_since = milliseconds();
}

/// Gives orders while zygotes may have more. None are given while there is to be swept: a worker whose zygote has not
/// announced it can't be told from a child that belongs to nobody.
void zygote_orders(struct launcher *l) {
    while (l->first_waiting && l->cloning < CLONES_MAX && !l->must_sweep) {
        struct worker *worker = l->first_waiting;
        l->first_waiting = worker->next_waiting;
        give_order(l, worker);
    }
}

static void take_answer(
    struct launcher *l, uint32_t runtime, const struct taibai_clone_answer *answer, int *pidfd) {
    struct zygote *zygote = &l->zygotes[runtime];
    l->cloning_since = milliseconds();
    if (answer->worker == 0) {
        zygote->is_up = true;
        l->must_refill = true;
        tell_up(l, runtime);
        return;
    }
    if (answer->worker == SPARE_ID) return spare_answered(l, answer->error ? -1 : answer->pid, pidfd);
    struct worker *worker = worker_by_id(l, answer->worker);
    // A zygote only repeats what it was asked, and each order once.
    if (!worker || worker->state != WORKER_CLONING || zygote_of(worker->request.runtime) != runtime) return;
    l->cloning--;
    if (answer->error != 0 || answer->pid <= 0 || *pidfd < 0) {
        worker_failed(l, worker, TAIBAI_STEP_CLONE, answer->error ? answer->error : EPROTO);
        return;
    }
    worker_set_pid(l, worker, answer->pid, *pidfd);
    *pidfd = -1;
    worker->state = WORKER_SETTING_UP;
    worker_progressed(l, worker);
}

/// Reads what the zygote has answered. A zygote that closed its socket or speaks nonsense is killed; its end, which
/// follows, tells the server.
void zygote_answers(struct launcher *l, uint32_t runtime) {
    struct zygote *zygote = &l->zygotes[runtime];
    while (zygote->pid > 0) {
        struct taibai_clone_answer answer;
        int descriptors[TAIBAI_DESCRIPTORS_MAX];
        int error = taibai_receive(zygote->socket, &answer, sizeof answer, descriptors);
        if (error == EAGAIN) return;
        if (error) {
            kill(zygote->pid, SIGKILL);
            return;
        }
        take_answer(l, runtime, &answer, &descriptors[0]);
        for (int i = 0; i < TAIBAI_DESCRIPTORS_MAX; i++) {
            if (descriptors[i] >= 0) close(descriptors[i]);
        }
    }
}

// Forgets a zygote that is dead or dying: its open orders fail. A worker it cloned but did not announce is swept up as
// a child that belongs to nobody.
static struct zygote forget(struct launcher *l, uint32_t runtime) {
    struct zygote *zygote = &l->zygotes[runtime];
    zygote_answers(l, runtime);
    struct zygote was = *zygote;
    close(zygote->socket);
    *zygote = (struct zygote){0};
    if (runtime == TAIBAI_RUNTIME_PYTHON3) spares_end(l);
    for (int i = 0; i < TAIBAI_WORKERS_MAX; i++) {
        struct worker *worker = &l->workers[i];
        if (worker->state != WORKER_CLONING || zygote_of(worker->request.runtime) != runtime) continue;
        l->cloning--;
        worker_failed(
            l, worker, was.failed_step ? was.failed_step : TAIBAI_STEP_ZYGOTE,
            was.failed_step ? was.failed_error : EPIPE);
    }
    l->must_sweep = true;
    return was;
}

/// The zygote has ended by itself and has been waited for.
void zygote_ended(struct launcher *l, uint32_t runtime, int status) {
    struct zygote was = forget(l, runtime);
    tell_down(l, runtime, was.failed_step ? was.failed_step : TAIBAI_STEP_ZYGOTE, was.failed_error, status);
}

/// Kills the zygote of a runtime, if there is one. Its place is free at once; the dying process is waited for like any
/// other child that nobody knows.
void zygote_stop(struct launcher *l, uint32_t runtime) {
    if (l->zygotes[runtime].pid == 0) return;
    kill(l->zygotes[runtime].pid, SIGKILL);
    forget(l, runtime);
    tell_down(l, runtime, TAIBAI_STEP_NONE, 0, SIGKILL);
}

/// Kills zygotes that leave orders unanswered.
void zygotes_check_time(struct launcher *l) {
    if (l->cloning == 0 || milliseconds() - l->cloning_since < ZYGOTE_SILENCE_MAX) return;
    for (int runtime = 0; runtime < TAIBAI_RUNTIMES_END; runtime++) {
        if (l->zygotes[runtime].pid > 0) kill(l->zygotes[runtime].pid, SIGKILL);
    }
}
