// The launcher's tables: workers by id and by pid (chained hashes over a fixed array), directories by id.

#include <string.h>

#include "state.h"

static struct worker **id_chain(struct launcher *l, uint64_t id) { return &l->by_id[id % TAIBAI_WORKERS_MAX]; }

static struct worker **pid_chain(struct launcher *l, pid_t pid) {
    return &l->by_pid[(uint32_t)pid % TAIBAI_WORKERS_MAX];
}

/// Makes all tables empty. `l` is zero-filled memory.
void state_init(struct launcher *l) {
    for (int i = TAIBAI_WORKERS_MAX - 1; i >= 0; i--) {
        l->workers[i].next_by_id = l->free_workers;
        l->free_workers = &l->workers[i];
    }
}

/// A new entry in state WAITING, or NULL when the table is full. The id must not be in the table.
struct worker *worker_add(struct launcher *l, uint64_t id, uint32_t runtime) {
    struct worker *worker = l->free_workers;
    if (!worker) return NULL;
    l->free_workers = worker->next_by_id;
    struct worker **chain = id_chain(l, id);
    *worker = (struct worker){
        .id = id, .state = WORKER_WAITING, .runtime = runtime, .pidfd = -1, .next_by_id = *chain};
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

/// Takes the worker out of all tables; the pointer is not valid afterwards.
void worker_remove(struct launcher *l, struct worker *worker) {
    struct worker **link = id_chain(l, worker->id);
    while (*link != worker) link = &(*link)->next_by_id;
    *link = worker->next_by_id;
    if (worker->pid > 0) {
        link = pid_chain(l, worker->pid);
        while (*link != worker) link = &(*link)->next_by_pid;
        *link = worker->next_by_pid;
    }
    memset(worker, 0, sizeof *worker);
    worker->next_by_id = l->free_workers;
    l->free_workers = worker;
}

struct worker *worker_by_id(struct launcher *l, uint64_t id) {
    struct worker *worker = *id_chain(l, id);
    while (worker && worker->id != id) worker = worker->next_by_id;
    return worker;
}

struct worker *worker_by_pid(struct launcher *l, pid_t pid) {
    struct worker *worker = *pid_chain(l, pid);
    while (worker && worker->pid != pid) worker = worker->next_by_pid;
    return worker;
}

/// The entry of this id, or a free one for id 0; NULL when there is none.
struct directory *directory_by_id(struct launcher *l, uint64_t id) {
    for (int i = 0; i < TAIBAI_DIRECTORIES_MAX; i++) {
        if (l->directories[i].id == id) return &l->directories[i];
    }
    return NULL;
}
