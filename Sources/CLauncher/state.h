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
// The report may overtake the answer, since one comes from the worker and the other from its zygote.
enum worker_state { WORKER_FREE, WORKER_WAITING, WORKER_CLONING, WORKER_SETTING_UP, WORKER_RUNNING };

// The channel, the output, and secrets or the unpacker's two.
enum { WORKER_DESCRIPTORS = 4 };

struct worker {
    enum worker_state state;
    pid_t pid;
    int pidfd;
    // The report has come: step 0, or the step that failed.
    bool has_reported;
    uint32_t failed_step;
    int failed_error;
    // A signal that was ordered before there was a process to send it to.
    int signal_waiting;
    // What was asked for; the descriptors are handed over with the order.
    struct taibai_request request;
    int descriptors[WORKER_DESCRIPTORS];
    // What it was given.
    struct sandbox *sandbox;
    int group;
    bool has_scratch;
    struct worker *next_waiting;
    struct worker *next_by_id;
    struct worker *next_by_pid;
};

enum sandbox_state { SANDBOX_NONE, SANDBOX_WAITING, SANDBOX_USED, SANDBOX_ENDING };

struct sandbox {
    enum sandbox_state state;
    // Its init.
    pid_t pid;
    int pidfd;
    // In the sandbox's network: for the egress proxy, and for the Runtime API.
    int listener, api_listener;
    // Its network is the host's.
    bool is_open;
    // The clone of python3's zygote that waits in it, 0: none; what it takes orders from, and its control group or -1.
    pid_t spare;
    int spare_pidfd;
    int spare_socket;
    int spare_group;
};

// The one spare that is being cloned. Its sandbox is NULL when that has ended meanwhile.
struct spare_order {
    bool is_cloning;
    struct sandbox *sandbox;
    int socket;
    int group;
};

enum group_state { GROUP_NONE, GROUP_FREE, GROUP_USED };
enum { GROUP_CONTROLLERS = 3 };

struct groups {
    int kind;
    // The folder of this launcher's groups, and the one it is in; -1: there is none.
    int unified, unified_parent;
    int folders[GROUP_CONTROLLERS], parents[GROUP_CONTROLLERS];
    char name[32];
    uint8_t states[TAIBAI_WORKERS_MAX];
    int64_t kills_before[TAIBAI_WORKERS_MAX];
    // By which version 1 tells that a group is out of memory (-1: it does not), and what watches all of them.
    int memory_events[TAIBAI_WORKERS_MAX];
    bool has_run_out[TAIBAI_WORKERS_MAX];
    int events;
    int free_count;
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
    // Where python3 is installed, when that is not below /usr; else NULL.
    const char *python_folder;
    bool is_sealed;
    // The launcher has no privilege but in a user namespace of its own.
    bool is_unprivileged;
    // The server's, when the launcher is root; else 0.
    uid_t user;
    gid_t group;
    int landlock;
    int capability_count;
    int program;
    int packages;
    pid_t self;
    pid_t server;
    int signals;
    int reports_in;
    int reports_out;
    // The server has been told that all works; before that, trials run.
    bool is_ready;
    int trials;
    struct taibai_event trial;
    struct zygote zygotes[TAIBAI_RUNTIMES_END];
    struct worker workers[TAIBAI_WORKERS_MAX];
    struct worker *first_free;
    struct worker *by_id[TAIBAI_WORKERS_MAX];
    struct worker *by_pid[TAIBAI_WORKERS_MAX];
    struct sandbox sandboxes[TAIBAI_WORKERS_MAX];
    int sandboxes_waiting;
    struct spare_order spare;
    bool must_refill;
    struct groups groups;
    // The folder of folders for files of a while (-1: none), and how many of those in it are to be removed, and have
    // been.
    int scratch;
    uint64_t scratch_doomed, scratch_removed;
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
struct worker *worker_add(struct launcher *l, const struct taibai_request *request);
void worker_set_pid(struct launcher *l, struct worker *worker, pid_t pid, int pidfd);
void worker_remove(struct launcher *l, struct worker *worker);
struct worker *worker_by_id(struct launcher *l, uint64_t id);
struct worker *worker_by_pid(struct launcher *l, pid_t pid);

// launcher.c
int64_t milliseconds(void);
void tell(struct launcher *l, struct taibai_event event, const int *descriptors, int count);
void tell_failed(struct launcher *l, uint64_t worker, uint32_t step, int error);
void worker_progressed(struct launcher *l, struct worker *worker);
void worker_failed(struct launcher *l, struct worker *worker, uint32_t step, int error);

// requests.c
void refuse(struct launcher *l, const struct taibai_request *request, uint32_t step, int error);
void obey(struct launcher *l, const struct taibai_request *request, int descriptors[TAIBAI_DESCRIPTORS_MAX]);
void signal_worker(struct launcher *l, struct worker *worker, int signal);
void begin_trial(struct launcher *l, uint32_t level);

// orders.c
uint32_t order_make(struct launcher *l, struct worker *worker, struct taibai_order *order, int *descriptors);

// sandbox.c
uint32_t sandbox_make(struct launcher *l, bool is_open);
struct sandbox *sandbox_take(struct launcher *l, const struct taibai_request *request, uint32_t *step);
void sandbox_close_listeners(struct sandbox *sandbox);
void sandbox_close(struct launcher *l, struct sandbox *sandbox);
void sandbox_end(struct launcher *l, struct sandbox *sandbox);
struct sandbox *sandbox_by_pid(struct launcher *l, pid_t pid);
void sandbox_ended(struct launcher *l, struct sandbox *sandbox);

// spares.c
bool spare_order(struct launcher *l);
void spare_answered(struct launcher *l, pid_t pid, int *pidfd);
void spare_failed(struct launcher *l);
void spare_end(struct launcher *l, struct sandbox *sandbox);
void spares_end(struct launcher *l);
void spare_becomes(struct launcher *l, struct sandbox *sandbox, struct worker *worker);
struct sandbox *sandbox_by_spare(struct launcher *l, pid_t pid);

// secrets.c
int taibai_secrets_mount(int memory_file, uid_t owner);

// groups.c
void groups_open(struct launcher *l);
int group_take(struct launcher *l, const struct taibai_limits *limits);
bool group_limit(struct launcher *l, int group, const struct taibai_limits *limits);
bool group_open(struct launcher *l, int group, int *unified, int *tasks, int *tasks_count);
bool group_freeze(struct launcher *l, int group, bool is_frozen);
int group_out_of_memory(struct launcher *l);
bool group_was_out_of_memory(struct launcher *l, int group);
void group_give_back(struct launcher *l, int group);
void groups_tidy(struct launcher *l);
void groups_remove_folders(struct launcher *l);

// scratch.c
void scratch_open(struct launcher *l);
int scratch_make(struct launcher *l, uint64_t worker, uid_t user, gid_t group);
void scratch_give_up(struct launcher *l, uint64_t worker);
bool scratch_tidy(struct launcher *l);
void scratch_close(struct launcher *l);

// zygotes.c
uint32_t zygote_of(uint32_t runtime);
void zygote_start(struct launcher *l, uint32_t runtime);
void zygote_enqueue(struct launcher *l, struct worker *worker);
void zygote_orders(struct launcher *l);
void zygote_answers(struct launcher *l, uint32_t runtime);
void zygote_stop(struct launcher *l, uint32_t runtime);
void zygote_ended(struct launcher *l, uint32_t runtime, int status);
void zygotes_check_time(struct launcher *l);

#endif
