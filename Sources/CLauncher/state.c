// The launcher's table of workers, by id and by pid: chained hashes over a fixed array.

#include <string.h>
#include <unistd.h>

#include "state.h"

static struct worker **id_chain(struct launcher *l, uint64_t id) { return &l->by_id[id % TAIBAI_WORKERS_MAX]; }

static struct worker **pid_chain(struct launcher *l, pid_t pid) {
    return &l->by_pid[(uint32_t)pid % TAIBAI_WORKERS_MAX];
}

/// Makes all tables empty. `l` is zero-filled memory.
void state_init(struct launcher *l) {
    for (int i = TAIBAI_WORKERS_MAX - 1; i >= 0; i--) {
        l->workers[i].next_by_id = l->first_free;
        l->first_free = &l->workers[i];
    }
}

/// A new entry in state WAITING, or NULL when the table is full. The request's worker must not be in the table.
struct worker *worker_add(struct launcher *l, const struct taibai_request *request) {
    struct worker *worker = l->first_free;
    if (!worker) return NULL;
    l->first_free = worker->next_by_id;
    struct worker **chain = id_chain(l, request->worker);
    *worker = (struct worker){
        .state = WORKER_WAITING, .request = *request, .pidfd = -1, .group = -1, .next_by_id = *chain,
        .descriptors = {-1, -1, -1, -1}};
    *chain = worker;
    return worker;
}

/// Enters the process of a worker that had none.
void worker_set_pid(struct launcher *l, struct worker *worker, pid_t pid, int pidfd) {
    struct worker **chain = pid_chain(l, pid);
    worker->pid = pid;
    worker->pidfd = pidfd;
    worker->next_by_pid = *chain;
    *chain = worker;
}

/// Takes the worker out of all tables, and gives back what it had; the pointer is not valid afterwards.
void worker_remove(struct launcher *l, struct worker *worker) {
    struct worker **link = id_chain(l, worker->request.worker);
    while (*link != worker) link = &(*link)->next_by_id;
    *link = worker->next_by_id;
    if (worker->pid > 0) {
        link = pid_chain(l, worker->pid);
        while (*link != worker) link = &(*link)->next_by_pid;
        *link = worker->next_by_pid;
    }
    for (int i = 0; i < WORKER_DESCRIPTORS; i++) {
        if (worker->descriptors[i] >= 0) close(worker->descriptors[i]);
    }
    if (worker->pidfd >= 0) close(worker->pidfd);
    sandbox_end(l, worker->sandbox);
    if (worker->has_scratch) scratch_give_up(l, worker->request.worker);
    l->must_refill = l->must_refill || worker->group >= 0;
    group_give_back(l, worker->group);
    memset(worker, 0, sizeof *worker);
    worker->next_by_id = l->first_free;
    l->first_free = worker;
}

struct worker *worker_by_id(struct launcher *l, uint64_t id) {
    struct worker *worker = *id_chain(l, id);
    while (worker && worker->request.worker != id) worker = worker->next_by_id;
    return worker;
}

struct worker *worker_by_pid(struct launcher *l, pid_t pid) {
    struct worker *worker = *pid_chain(l, pid);
    while (worker && worker->pid != pid) worker = worker->next_by_pid;
    return worker;
}
