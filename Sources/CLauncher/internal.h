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
};

// Descriptors of a zygote: the launcher's socket, then the two programs as above, then the pipe for reports.
enum { ZYGOTE_SOCKET = 3, ZYGOTE_REPORTS = 6 };

// Descriptor of a worker's channel.
enum { WORKER_CHANNEL = 3 };

// One resource limit to set in the new process, and the step to name when that fails.
struct taibai_rlimit {
    uint32_t resource;
    uint32_t step;
    uint64_t value;
};

enum { TAIBAI_RLIMITS_MAX = 8 };

// How to make a worker: what the launcher tells a zygote, and what its own child follows (child.c). With it go three
// descriptors: channel, output, directory. python3/zygote.py reads the same layout.
struct taibai_order {
    uint64_t worker;
    uint32_t level;
    int32_t launcher;
    uint32_t rlimit_count;
    uint32_t reserved;
    struct taibai_rlimit rlimits[TAIBAI_RLIMITS_MAX];
};

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

_Static_assert(sizeof(struct taibai_order) == 152, "python3/zygote.py reads this layout");
_Static_assert(sizeof(struct taibai_clone_answer) == 16, "python3/zygote.py writes this layout");
_Static_assert(sizeof(struct taibai_report) == 16, "python3/zygote.py writes this layout");

// child.c: a new process, and the steps in it.
pid_t taibai_clone(int *pidfd);
void taibai_child_setup(const struct taibai_order *order, int channel, int output, int directory, int reports);
_Noreturn void taibai_child_exec_zygote(
    const char *python, uint32_t runtime, pid_t launcher, int socket, int reports);

// children.c: who is whose child.
bool taibai_children_listed(void);
int taibai_children(pid_t *pids, int pids_max);
pid_t taibai_ended_child(void);

// exec_host.c: what a worker of the exec runtime runs.
_Noreturn void taibai_exec_host(void);

// launcher.c
_Noreturn void taibai_launcher(int argument_count, char **arguments);

#endif
