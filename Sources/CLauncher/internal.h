// What the launcher's files share with each other. Nothing here is for the server.

#ifndef TAIBAI_INTERNAL_H
#define TAIBAI_INTERNAL_H

#include <stdbool.h>
#include <sys/resource.h>

#include "launcher.h"

// Descriptors of the launcher at its start. The server passes exactly these.
enum {
    LAUNCHER_SOCKET = 3,
    ZYGOTE_PROGRAM = 4,
    WORKER_PROGRAM = 5,
    PACKAGES_FOLDER = 6,
};

// Descriptors of a zygote: the launcher's socket, then the two programs as above, then the pipe for reports.
enum { ZYGOTE_SOCKET = 3, ZYGOTE_REPORTS = 6 };

// Descriptors of a new process, from when they are arranged until the plan closes those above the channel.
enum {
    WORKER_OUTPUT = 1,
    WORKER_CHANNEL = 3,
    CHILD_REPORTS = 4,
    // Its package: a folder (O_PATH), or at level sealed a mount that has no place yet.
    CHILD_PACKAGE = 5,
    // The init process of its sandbox (a pidfd).
    CHILD_SANDBOX = 6,
    // A mount with its secrets.
    CHILD_SECRETS = 7,
    // Its control group of version 2, then the `tasks` files of its control groups of version 1.
    CHILD_GROUP = 8,
    CHILD_TASKS = 9,
    CHILD_TASKS_MAX = 3,
    // What the unpacker reads, where it writes, and its program.
    CHILD_ARCHIVE = 12,
    CHILD_FOLDER = 13,
    CHILD_PROGRAM = 14,
    // A guarded worker's own folder for files of a while.
    CHILD_SCRATCH = 15,
    // Descriptors received for an order stay above these until they are arranged.
    CHILD_DESCRIPTORS_END = 16,
};

// Where things are for a sealed worker. AWS Lambda's folder for code, and the usual one for secrets.
#define CODE_FOLDER "/var/task"
#define SECRETS_FOLDER "/run/secrets"

// The user and group a sealed worker sees itself as, and the user the unpacker has in the same sandbox.
enum { INNER_USER = 1000, INNER_OWNER = 1001 };
// Users that workers are on the host when the launcher is root: this plus the worker's place in the table. Unassigned
// in systemd's table of uid ranges, above what containers use (https://systemd.io/UIDS-GIDS).
enum { OUTER_USERS = 1900000000 };

// One system call of a new process, or a preparation for one. `Sources/CLauncher/plan.c` lists them, perform.c and
// python3/zygote.py do them. A result below 0 is reported as (step, errno) and ends the process.
struct taibai_op {
    uint32_t step;
    uint16_t kind;
    // Bit i: argument i is an offset into the plan's bytes. Bit 8 + i: argument i is the kept result.
    uint16_t flags;
    int64_t number;
    uint64_t arguments[6];
};

enum {
    OP_CALL = 1,
    // Keeps the result for later arguments.
    OP_CALL_KEEP = 2,
    // Repeats the call with argument 1 counting from 0 to below argument 5.
    OP_CALL_EACH = 3,
    // Writes the address of the byte at argument 1 into the eight bytes at argument 0 (both offsets).
    OP_STORE_ADDRESS = 4,
    // Writes the kept result into the four bytes at argument 0.
    OP_STORE_KEPT = 5,
};

// Processes and threads of a worker at most, and where no number was ordered.
enum { TAIBAI_PROCESSES_MAX = 10000 };

enum { PLAN_OPS_MAX = 160, PLAN_BYTES_MAX = 6144 };

// How to make a worker: what the launcher tells a zygote. With it go descriptors; `targets` are the numbers they are
// to have. On the wire the operations that are used come first, then the bytes. python3/zygote.py reads this layout.
struct taibai_order {
    uint64_t worker;
    uint32_t op_count;
    uint32_t byte_count;
    uint32_t descriptor_count;
    // 1: clone into the control group at CHILD_GROUP (CLONE_INTO_CGROUP).
    uint32_t is_grouped;
    // 1: the new process shall be in the process namespace of CHILD_SANDBOX.
    uint32_t is_sandboxed;
    uint32_t runtime;
    uint8_t targets[TAIBAI_DESCRIPTORS_MAX];
    uint32_t reserved;
    struct taibai_op ops[PLAN_OPS_MAX];
    uint8_t bytes[PLAN_BYTES_MAX];
};

enum { ORDER_HEAD_SIZE = 48 };

// What a zygote answers to an order: the pid (pidfd beside it) or an errno. The first one, about worker 0, says that
// the zygote is ready.
struct taibai_clone_answer {
    uint64_t worker;
    int32_t pid;
    int32_t error;
};

// What a new process writes into the report pipe, once, before any code of a function runs in it: step 0 when it is
// shut in as ordered. A zygote that can't be executed reports under ZYGOTE_REPORT_ID + runtime.
struct taibai_report {
    uint64_t worker;
    uint32_t step;
    int32_t error;
};

#define ZYGOTE_REPORT_ID 0xffffffffffffff00ull
// Workers of the launcher itself, by which it finds out what it can do: this plus the level.
#define TRIAL_ID 0xfffffffffffffe00ull
// An order for a clone that waits for the order of a worker (spares.c). Below it are the ids of the server's workers.
#define SPARE_ID 0xfffffffffffffd00ull

_Static_assert(sizeof(struct taibai_op) == 64, "python3/zygote.py reads this layout");
_Static_assert(offsetof(struct taibai_order, ops) == ORDER_HEAD_SIZE, "python3/zygote.py reads this layout");
_Static_assert(sizeof(struct taibai_clone_answer) == 16, "python3/zygote.py writes this layout");
_Static_assert(sizeof(struct taibai_report) == 16, "python3/zygote.py writes this layout");

// plan.c: what a new process has to do.
struct taibai_worker_plan {
    uint32_t level;
    uint32_t runtime;
    uint32_t egress;
    const struct taibai_limits *limits;
    // Whether memory and processes are held by a control group.
    bool is_grouped;
    // `tasks` files of version 1 that it must write itself into.
    int tasks_count;
    bool has_secrets;
    // Its user on the host, at the levels without a sandbox; 0: the launcher's own, which is not root.
    uid_t user;
    gid_t group;
    // Whether groups can be given up: not in a user namespace that was made without privilege.
    bool can_set_groups;
    bool has_scratch;
    // Capabilities to strike out of the bounding set; 0: it may not.
    int capability_count;
    // The version of Landlock's interface.
    int landlock;
    // Where python3 is, when that is not below /usr.
    const char *python_folder;
};
int taibai_plan(struct taibai_order *order, const struct taibai_worker_plan *plan);

// filter.c: the table of system calls, as a BPF program. Returns the number of instructions, 8 bytes each.
struct sock_filter;
int taibai_filter(struct sock_filter *program, int instructions_max, bool has_network);

// perform.c: a new process, and the steps in it.
pid_t taibai_clone(uint64_t flags, int group, int *pidfd);
_Noreturn void taibai_exec_zygote(const char *python, uint32_t runtime, pid_t launcher, int socket, int reports);
_Noreturn void taibai_native_zygote(uint32_t runtime, pid_t launcher, int socket, int reports);

// root.c: the root that sealed workers see.
struct launcher;
uint32_t taibai_enter_root(const char *python_folder, bool *is_unprivileged);

// message.c
int taibai_receive_waiting(int socket, void *message, size_t length, size_t *received, int *descriptors);

// children.c: who is whose child.
bool taibai_children_listed(void);
int taibai_children(pid_t *pids, int pids_max);
pid_t taibai_ended_child(void);
bool taibai_is_leftover(const char *name);

// exec_host.c: what a worker of the exec runtime runs.
_Noreturn void taibai_exec_host(void);

// Control runs of the tests take away one layer of a debug build (Tests/HostileTests) to see that its absence is seen.
bool taibai_has_layer(const char *name);
bool taibai_must_fail(uint32_t step);

// launcher.c
_Noreturn void taibai_launcher(int argument_count, char **arguments);

#endif
