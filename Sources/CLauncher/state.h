// Everything the launcher knows: fixed tables, no memory asked for after the start. state.c finds, adds and removes;
// nothing else touches the links.

#ifndef TAIBAI_STATE_H
#define TAIBAI_STATE_H

#include "internal.h"

// The life of a worker here:
//
//   WAITING ─ordered─▶ CLONING ─answer─▶ SETTING_UP ─report─▶ RUNNING ─ended─▶ (exited)
//                         └─ zygote lost ─┴─ reported a failed step, or ended ─▶ (failed)
//
// The report may overtake the answer, since one comes from the worker and the other from its zygote. A worker without
// a zygote begins as SETTING_UP.
enum worker_state { WORKER_FREE, WORKER_WAITING, WORKER_CLONING, WORKER_SETTING_UP, WORKER_RUNNING };

struct worker {
    uint64_t id;
    enum worker_state state;
    uint32_t runtime;
    pid_t pid;
    int pidfd;
    // The report has come: step 0, or the step that failed.
    bool has_reported;
    uint32_t failed_step;
    int failed_error;
    // A signal that was ordered before there was a process to send it to.
    int signal_waiting;
    // While WAITING: what to order, and the descriptors to hand over.
    struct taibai_order order;
    int descriptors[TAIBAI_DESCRIPTORS_MAX];
    struct worker *next_waiting;
    struct worker *next_by_id;
    struct worker *next_by_pid;
};

struct directory {
    uint64_t id;
    int descriptor;
};

// A zygote, at most one a runtime. `pid` 0: none runs.
struct zygote {
    pid_t pid;
    int socket;
    bool is_up;
    uint32_t failed_step;
    int failed_error;
};

struct launcher {
    const char *python;
    pid_t self;
    pid_t server;
    int signals;
    int reports_in;
    int reports_out;
    struct zygote zygotes[TAIBAI_RUNTIMES_END];
    struct worker workers[TAIBAI_WORKERS_MAX];
    struct worker *free_workers;
    struct worker *by_id[TAIBAI_WORKERS_MAX];
    struct worker *by_pid[TAIBAI_WORKERS_MAX];
    struct directory directories[TAIBAI_DIRECTORIES_MAX];
    // Workers whose zygote has yet to be told, oldest first.
    struct worker *first_waiting;
    struct worker *last_waiting;
    // Orders given to zygotes and not answered yet, and when (milliseconds, monotonic) the last sign of life came.
    int cloning;
    int64_t cloning_since;
    // Children may be there that belong to nobody.
    bool must_sweep;
    // The server may be gone although its socket is open: somebody else holds it.
    bool must_check_server;
};

// state.c
void state_init(struct launcher *l);
struct worker *worker_add(struct launcher *l, uint64_t id, uint32_t runtime);
void worker_set_pid(struct launcher *l, struct worker *worker, pid_t pid, int pidfd);
void worker_remove(struct launcher *l, struct worker *worker);
struct worker *worker_by_id(struct launcher *l, uint64_t id);
struct worker *worker_by_pid(struct launcher *l, pid_t pid);
struct directory *directory_by_id(struct launcher *l, uint64_t id);

// launcher.c
int64_t milliseconds(void);
void tell(struct taibai_event event, int descriptor);
void tell_failed(uint64_t worker, uint32_t step, int error);
void worker_progressed(struct worker *worker);
void signal_worker(struct worker *worker, int signal);

// requests.c
void refuse(const struct taibai_request *request, uint32_t step, int error);
void obey(struct launcher *l, const struct taibai_request *request, int descriptors[TAIBAI_DESCRIPTORS_MAX]);

// zygotes.c
void zygote_start(struct launcher *l, uint32_t runtime);
void zygote_enqueue(struct launcher *l, struct worker *worker, const struct taibai_order *order, int *descriptors);
void zygote_orders(struct launcher *l);
void zygote_answers(struct launcher *l, uint32_t runtime);
void zygote_stop(struct launcher *l, uint32_t runtime);
void zygote_ended(struct launcher *l, uint32_t runtime, int status);
void zygotes_check_time(struct launcher *l);

#endif
