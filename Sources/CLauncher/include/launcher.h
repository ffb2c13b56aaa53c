// What the server and the launcher say to each other: fixed-size messages over one SOCK_SEQPACKET socket, descriptors
// beside them (SCM_RIGHTS). Everything is named by number or by digest; no message holds a path. Sources/Launcher is
// the server's side, launcher.c the other. Unused fields are zero, and a request with anything else in them is refused.

#ifndef TAIBAI_LAUNCHER_H
#define TAIBAI_LAUNCHER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The program names under which this binary is a launcher, with its socket as descriptor 3, or an unpacker.
#define TAIBAI_LAUNCHER_NAME "taibai-launcher"
#define TAIBAI_UNPACKER_NAME "taibai-unpacker"

enum {
    TAIBAI_LAUNCHER_PROTOCOL = 3,
    // Workers that can exist at once: four for each of a thousand functions.
    TAIBAI_WORKERS_MAX = 4096,
    // Descriptors that may come with one message.
    TAIBAI_DESCRIPTORS_MAX = 12,
    TAIBAI_DIGEST_SIZE = 32,
};

// Kinds of requests, server to launcher.
enum {
    // worker, runtime, package, level, egress, runtime_api, limits; descriptors: the worker's end of the channel, the
    // write end of its output pipe, and, if it is given secrets, a memory file of them (see TAIBAI_SECRET_HEADER). For
    // the runtime unpack, without a package: the archive and the folder to unpack into. Answered by started or failed.
    TAIBAI_START_WORKER = 1,
    // worker, signal: to all of the worker's processes. No answer; a worker that is gone already is no mistake.
    TAIBAI_KILL_WORKER = 2,
    // worker: none of its processes runs until it is thawed. No answer. A signal thaws it.
    TAIBAI_FREEZE_WORKER = 3,
    TAIBAI_THAW_WORKER = 4,
    // runtime. Answered by zygote-up or zygote-down. An order for a worker starts its zygote as well.
    TAIBAI_START_ZYGOTE = 5,
    // runtime. Answered by zygote-down with step 0 if one ran. Its workers live on.
    TAIBAI_STOP_ZYGOTE = 6,
};

// Kinds of events, launcher to server.
enum {
    // The launcher works: levels, protocol (in `status`), groups, facts, and for levels it can't give the first step
    // that failed. Always the first event.
    TAIBAI_READY = 1,
    // worker, pid; descriptors: the pidfd, then the listeners in the worker's network that were asked for: of the
    // egress proxy, of the Runtime API. Every step that shuts the worker in has succeeded.
    TAIBAI_STARTED = 2,
    // worker, step, error: there is no such worker, and nothing is left of the attempt.
    TAIBAI_FAILED = 3,
    // worker, status (as from wait4(2)), cpu, memory, out_of_memory: its whole process group has been killed;
    // processes that had left the group are killed right after.
    TAIBAI_EXITED = 4,
    // runtime, pid.
    TAIBAI_ZYGOTE_UP = 5,
    // runtime, step, error, status: it was stopped (step 0), ended by itself or could not be started. Orders it had not
    // fulfilled fail.
    TAIBAI_ZYGOTE_DOWN = 6,
    // request (its kind), step, error, worker: a request other than start-worker that was not obeyed.
    TAIBAI_REFUSED = 7,
};

// Runtimes the launcher knows.
enum {
    TAIBAI_RUNTIME_PYTHON3 = 1,
    TAIBAI_RUNTIME_EXEC = 2,
    // This binary as TAIBAI_UNPACKER_NAME, which takes hostile archives apart.
    TAIBAI_RUNTIME_UNPACK = 3,
    TAIBAI_RUNTIMES_END = 4,
};

// Levels of isolation; bit (1 << level) in a ready event says that this launcher can give it.
enum {
    TAIBAI_LEVEL_PROCESS = 1,
    TAIBAI_LEVEL_GUARDED = 2,
    TAIBAI_LEVEL_SEALED = 3,
    TAIBAI_LEVELS_END = 4,
};

// What holds memory, processes and processor share (`groups` of a ready event).
enum { TAIBAI_GROUPS_NONE = 0, TAIBAI_GROUPS_V1 = 1, TAIBAI_GROUPS_V2 = 2 };

// Bits of `facts` in a ready event.
enum {
    // Each worker has a user id of its own on the host.
    TAIBAI_FACT_OWN_USERS = 1,
    // Idle workers are frozen by their control group (else by SIGSTOP).
    TAIBAI_FACT_FREEZER = 2,
};

// Where a worker may connect to.
enum { TAIBAI_EGRESS_NONE = 0, TAIBAI_EGRESS_PROXY = 1, TAIBAI_EGRESS_OPEN = 2 };

// The port on 127.0.0.1 inside each sealed worker's network at which the egress proxy answers.
enum { TAIBAI_PROXY_PORT = 3128 };

// The port there of AWS Lambda's Runtime API: the one it has on AWS.
enum { TAIBAI_RUNTIME_API_PORT = 9001 };

// Where a worker of level guarded keeps files of a while, in a folder named by its number: TMPDIR for its function.
// The number is the launcher's pid.
#define SCRATCH_FOLDER "/tmp/taibai-%d"

// A memory file of secrets: for each of them its name's length (u32), its value's (u32), name, value.
enum { TAIBAI_SECRET_HEADER = 8, TAIBAI_SECRETS_MAX = 32, TAIBAI_SECRET_BYTES_MAX = 65536 };

// What failed: a step of the launcher, or of the new process before any code of a function runs in it.
enum {
    TAIBAI_STEP_NONE,
    // The request itself.
    TAIBAI_STEP_REQUEST, TAIBAI_STEP_DESCRIPTORS, TAIBAI_STEP_LEVEL, TAIBAI_STEP_LIMITS, TAIBAI_STEP_WORKER,
    TAIBAI_STEP_WORKER_TABLE, TAIBAI_STEP_PACKAGE, TAIBAI_STEP_EGRESS, TAIBAI_STEP_SECRETS,
    // Making the process.
    TAIBAI_STEP_ZYGOTE, TAIBAI_STEP_CLONE, TAIBAI_STEP_SETTING_UP, TAIBAI_STEP_SANDBOX, TAIBAI_STEP_GROUP,
    TAIBAI_STEP_SCRATCH,
    // In the new process, in the order in which they are taken.
    TAIBAI_STEP_SESSION, TAIBAI_STEP_PARENT_DEATH, TAIBAI_STEP_STREAMS, TAIBAI_STEP_SIGNALS,
    TAIBAI_STEP_JOIN_GROUP, TAIBAI_STEP_JOIN_NAMESPACES,
    TAIBAI_STEP_MOUNT_TMP, TAIBAI_STEP_MOUNT_SHM, TAIBAI_STEP_MOUNT_PACKAGE, TAIBAI_STEP_MOUNT_SECRETS,
    TAIBAI_STEP_WORKING_DIRECTORY,
    TAIBAI_STEP_LIMIT_MEMORY, TAIBAI_STEP_LIMIT_FILE_SIZE, TAIBAI_STEP_LIMIT_OPEN_FILES,
    TAIBAI_STEP_LIMIT_PROCESSES, TAIBAI_STEP_LIMIT_CORE, TAIBAI_STEP_LIMIT_LOCKED_MEMORY, TAIBAI_STEP_LIMIT_QUEUES,
    TAIBAI_STEP_BOUNDING_SET, TAIBAI_STEP_USER_GROUPS, TAIBAI_STEP_IDENTITY, TAIBAI_STEP_CAPABILITIES,
    TAIBAI_STEP_DUMPABLE, TAIBAI_STEP_NO_NEW_PRIVILEGES, TAIBAI_STEP_LANDLOCK, TAIBAI_STEP_SECCOMP,
    TAIBAI_STEP_CLOSE, TAIBAI_STEP_EXEC,
    // Making a sandbox: its init process, which owns the namespaces.
    TAIBAI_STEP_USER_MAP, TAIBAI_STEP_LOOPBACK, TAIBAI_STEP_LISTENER, TAIBAI_STEP_MOUNT_PROC, TAIBAI_STEP_HOST_NAME,
    // Making the root that sealed workers see, at the launcher's start.
    TAIBAI_STEP_OWN_NAMESPACES, TAIBAI_STEP_ROOT_MOUNT, TAIBAI_STEP_ROOT_FILES, TAIBAI_STEP_ROOT_BIND,
    TAIBAI_STEP_ROOT_PIVOT,
    // Starting the launcher itself.
    TAIBAI_STEP_LAUNCHER_SOCKET, TAIBAI_STEP_LAUNCHER_SPAWN, TAIBAI_STEP_LAUNCHER_READY, TAIBAI_STEP_CHILDREN_LIST,
    TAIBAI_STEP_SUBREAPER,
    TAIBAI_STEPS_END,
};

// What a worker may use. Zero means "not limited", except for memory.
struct taibai_limits {
    // The function's own memory, 16 MiB … 1 TiB: of all its processes together where there is a control group; else
    // RLIMIT_DATA of each process is this plus what the runtime needs for itself.
    uint64_t memory_bytes;
    // Size of a file it writes (RLIMIT_FSIZE).
    uint64_t file_bytes;
    // Size of its private /tmp. Only at level sealed, where it must be given.
    uint64_t scratch_bytes;
    // Open descriptors a process (RLIMIT_NOFILE), 16 … 1,048,576.
    uint32_t open_files;
    // Processes and threads: of the worker where it has a control group or user namespace of its own, else
    // RLIMIT_NPROC, which counts all processes of the user.
    uint32_t processes;
    // Share of one processor, 100 is a whole one. Refused where there is no control group.
    uint32_t cpu_percent;
    uint32_t reserved;
};

struct taibai_request {
    uint32_t kind;
    uint32_t runtime;
    uint64_t worker;
    uint32_t level;
    int32_t signal;
    // SHA-256 of the package, whose files are in the folder of packages under its hexadecimal form.
    uint8_t package[TAIBAI_DIGEST_SIZE];
    struct taibai_limits limits;
    uint32_t egress;
    // 1: the server serves the Runtime API in the worker's network. Only at level sealed, where it has one of its own.
    uint32_t runtime_api;
    uint32_t reserved[6];
};

struct taibai_event {
    uint32_t kind;
    uint32_t request;
    uint64_t worker;
    uint32_t runtime;
    uint32_t levels;
    int32_t pid;
    int32_t status;
    uint32_t step;
    int32_t error;
    // User and system time of the worker and of those of its children it has waited for.
    uint64_t cpu_microseconds;
    uint64_t memory_peak_bytes;
    // 1: the kernel killed it for want of memory, as its control group tells. Always 0 without one.
    uint32_t out_of_memory;
    uint32_t groups;
    uint32_t facts;
    uint32_t landlock;
    // By level: the first step of a whole trial that failed, and why.
    uint32_t missing_step[TAIBAI_LEVELS_END];
    int32_t missing_error[TAIBAI_LEVELS_END];
    uint32_t reserved[6];
};

_Static_assert(sizeof(struct taibai_limits) == 40, "the message layout is fixed");
_Static_assert(sizeof(struct taibai_request) == 128, "the message layout is fixed");
_Static_assert(sizeof(struct taibai_event) == 128, "the message layout is fixed");

/// What a launcher is started with.
struct taibai_launcher_options {
    // The interpreter of the runtime python3.
    const char *python;
    // Descriptors of zygote.py, of worker.py, and of the folder of packages. They stay the caller's.
    int zygote_program, worker_program, packages;
    // 1: the launcher shuts itself in and gives level sealed only. 0: it gives guarded and process.
    int is_sealed;
    // Whom unpacked files and workers of level process belong to, when the launcher runs as root.
    uid_t user;
    gid_t group;
};

/// Starts this binary again as a launcher and gives back its pid and the server's end of the socket (non-blocking).
/// Call it before the process has threads that might end: the launcher watches the calling thread's process.
/// Returns 0, or an errno with `*step` set.
int taibai_spawn_launcher(const struct taibai_launcher_options *options, pid_t *pid, int *socket, uint32_t *step);

/// Sends one message with up to TAIBAI_DESCRIPTORS_MAX descriptors. Returns 0 or an errno (EAGAIN: the queue is full).
int taibai_send(int socket, const void *message, size_t length, const int *descriptors, int count);

/// Receives one message of exactly `length` bytes. `descriptors` holds TAIBAI_DESCRIPTORS_MAX; unused ones become -1.
/// Returns 0 or an errno: EAGAIN none there, EPIPE the peer is gone, EMSGSIZE wrong length, EMFILE the message is there
/// but this process had no room for its descriptors.
int taibai_receive(int socket, void *message, size_t length, int *descriptors);

/// A sealed-length memory file with these contents, readable at offset 0 through /proc/self/fd. Returns it or -errno.
int taibai_memory_file(const char *name, const void *bytes, size_t length);

/// A connected pair of stream sockets: `ends[0]` non-blocking for the server, `ends[1]` blocking for the worker.
/// Both close on exec. Returns 0 or an errno.
int taibai_channel(int ends[2]);

/// A pipe: `ends[0]` non-blocking for the server to read, `ends[1]` for the worker to write. Returns 0 or an errno.
int taibai_output_pipe(int ends[2]);

/// Opens a directory for reading. Returns it or -errno.
int taibai_open_directory(const char *path);

/// Sends a signal to the process a pidfd stands for. Returns 0 or an errno.
int taibai_signal_process(int pidfd, int signal);

/// Gives up every privilege of root for good: the groups, then the ids, then whatever capability is left.
/// For a process with one thread. Returns 0 or an errno.
int taibai_drop_privileges(uid_t user, gid_t group);

/// In a mount namespace of this process's own, makes the directory `path` reachable as `at` too, whatever the
/// permissions above it. Returns 0 or an errno.
int taibai_bind_own(const char *path, const char *at);

#endif
