// Spares: clones of the zygote of python3 that are made ahead of need, each in a sandbox that waits and in a control
// group of its own, and take an order themselves. The clone and the pages it copies on its first request, 4 ms of a
// start, are then behind it. Until its order a spare has run nothing but our own code.
//
//   (no spare) ─order─▶ cloning ─answer─▶ waits in its sandbox ─worker's order─▶ is the worker's process
//                          └─ zygote or sandbox lost ─┴─ lost ─▶ (no spare)

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "state.h"

// What a burst finds ready, at 4 MiB each; later starts of it are cloned from the zygote.
enum { SPARES_MAX = 2 };

static struct sandbox *without_spare(struct launcher *l) {
    struct sandbox *found = NULL;
    int spares = 0;
    for (struct sandbox *sandbox = l->sandboxes; sandbox < l->sandboxes + TAIBAI_WORKERS_MAX; sandbox++) {
        if (sandbox->state != SANDBOX_WAITING || sandbox->is_open) continue;
        if (sandbox->spare > 0) {
            spares++;
        } else if (!found) {
            found = sandbox;
        }
    }
    return spares < SPARES_MAX ? found : NULL;
}

// The control group of a spare; what it may use is set with its order.
static bool take_group(struct launcher *l, int *group, int *folder) {
    const struct taibai_limits limits = {.memory_bytes = 256ull << 20};
    int tasks[GROUP_CONTROLLERS], tasks_count = 0;
    *group = *folder = -1;
    if (l->groups.kind == TAIBAI_GROUPS_NONE) return true;
    *group = group_take(l, &limits);
    if (*group < 0) return false;
    if (!group_open(l, *group, folder, tasks, &tasks_count)) {
        group_give_back(l, *group);
        return false;
    }
    for (int i = 0; i < tasks_count; i++) close(tasks[i]);
    return true;
}

/// Orders a spare, if one is missing. Returns whether it did.
bool spare_order(struct launcher *l) {
    static struct taibai_order order;
    struct zygote *zygote = &l->zygotes[TAIBAI_RUNTIME_PYTHON3];
    struct sandbox *sandbox = without_spare(l);
    if (!zygote->is_up || l->spare.is_cloning || !sandbox) return false;
    int ends[2], group, folder;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return false;
    bool is_ordered = take_group(l, &group, &folder);
    if (is_ordered) {
        memset(&order, 0, ORDER_HEAD_SIZE);
        order.worker = SPARE_ID;
        order.runtime = TAIBAI_RUNTIME_PYTHON3;
        order.is_sandboxed = 1;
        order.is_grouped = folder >= 0;
        order.descriptor_count = folder >= 0 ? 3 : 2;
        order.targets[0] = WORKER_CHANNEL;
        order.targets[1] = CHILD_SANDBOX;
        order.targets[2] = CHILD_GROUP;
        const int descriptors[] = {ends[1], sandbox->pidfd, folder};
        is_ordered = !taibai_send(zygote->socket, &order, ORDER_HEAD_SIZE, descriptors, (int)order.descriptor_count);
        if (!is_ordered && group >= 0) group_give_back(l, group);
    }
    if (folder >= 0) close(folder);
    close(ends[1]);
    if (!is_ordered) {
        close(ends[0]);
        return false;
    }
    l->spare = (struct spare_order){.is_cloning = true, .sandbox = sandbox, .socket = ends[0], .group = group};
    if (l->cloning++ == 0) l->cloning_since = milliseconds();
    return true;
}

/// The order at hand comes to nothing. Its clone, if there is one, sees its socket end, and is swept up.
void spare_failed(struct launcher *l) {
    if (!l->spare.is_cloning) return;
    l->cloning--;
    close(l->spare.socket);
    if (l->spare.group >= 0) group_give_back(l, l->spare.group);
    l->spare = (struct spare_order){0};
    l->must_sweep = true;
}

/// The zygote has answered. Takes the pidfd, unless there is nobody to give it to.
void spare_answered(struct launcher *l, pid_t pid, int *pidfd) {
    struct sandbox *sandbox = l->spare.sandbox;
    if (!l->spare.is_cloning) return;
    if (pid <= 0 || *pidfd < 0 || !sandbox) {
        spare_failed(l);
        return;
    }
    l->cloning--;
    sandbox->spare = pid;
    sandbox->spare_pidfd = *pidfd;
    sandbox->spare_socket = l->spare.socket;
    sandbox->spare_group = l->spare.group;
    *pidfd = -1;
    l->spare = (struct spare_order){0};
    l->must_refill = true;
}

/// The sandbox's spare is nobody's any more: it ends, and is swept up.
void spare_end(struct launcher *l, struct sandbox *sandbox) {
    // The clone of an order that is under way finds no sandbox.
    if (l->spare.sandbox == sandbox) l->spare.sandbox = NULL;
    if (sandbox->spare == 0) return;
    kill(sandbox->spare, SIGKILL);
    close(sandbox->spare_socket);
    close(sandbox->spare_pidfd);
    if (sandbox->spare_group >= 0) group_give_back(l, sandbox->spare_group);
    sandbox->spare = 0;
    l->must_sweep = true;
}

/// The zygote they came from is gone.
void spares_end(struct launcher *l) {
    spare_failed(l);
    for (struct sandbox *sandbox = l->sandboxes; sandbox < l->sandboxes + TAIBAI_WORKERS_MAX; sandbox++) {
        if (sandbox->state != SANDBOX_NONE) spare_end(l, sandbox);
    }
}

/// The spare becomes the process of a worker whose order it has been sent; the worker has its group already.
void spare_becomes(struct launcher *l, struct sandbox *sandbox, struct worker *worker) {
    close(sandbox->spare_socket);
    worker_set_pid(l, worker, sandbox->spare, sandbox->spare_pidfd);
    sandbox->spare = 0;
    worker->state = WORKER_SETTING_UP;
    worker_progressed(l, worker);
}

/// The sandbox whose spare this is.
struct sandbox *sandbox_by_spare(struct launcher *l, pid_t pid) {
    for (struct sandbox *sandbox = l->sandboxes; sandbox < l->sandboxes + TAIBAI_WORKERS_MAX; sandbox++) {
        if (sandbox->state != SANDBOX_NONE && sandbox->spare == pid) return sandbox;
    }
    return NULL;
}
