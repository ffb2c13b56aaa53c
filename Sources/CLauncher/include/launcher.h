// What the server and the launcher say to each other: fixed-size messages over one SOCK_SEQPACKET socket, descriptors
// beside them (SCM_RIGHTS). Everything is named by number; no message holds a path. Sources/Launcher is the server's
// side, launcher.c the other. Unused fields are zero, and a request with anything else in them is refused.

#ifndef TAIBAI_LAUNCHER_H
#define TAIBAI_LAUNCHER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The program name under which this binary is a launcher, and the descriptor on which it then finds its socket.
#define TAIBAI_LAUNCHER_NAME "taibai-launcher"

enum {
    TAIBAI_LAUNCHER_PROTOCOL = 1,
    // Workers and package directories that can exist at once. Four workers for each of a thousand functions; a
    // directory costs one descriptor.
    TAIBAI_WORKERS_MAX = 4096,
    TAIBAI_DIRECTORIES_MAX = 4096,
    // Descriptors that may come with one message.
    TAIBAI_DESCRIPTORS_MAX = 3,
};

// Kinds of requests, server to launcher.
enum {
    // directory; descriptor: the open package directory. Answered only when refused.
    TAIBAI_REGISTER_DIRECTORY = 1,
    // directory. Workers that run in it keep it.
    TAIBAI_UNREGISTER_DIRECTORY = 2,
    // worker, runtime, directory, level, limits; descriptors: the worker's end of the channel, the write end of its
    // output pipe. Answered by started or failed.
    TAIBAI_START_WORKER = 3,
    // worker, signal: to the worker's whole process group. No answer; a worker that is gone already is no mistake.
    TAIBAI_KILL_WORKER = 4,
    // runtime. Answered by zygote-up or zygote-down. An order for a worker starts its zygote as well.
    TAIBAI_START_ZYGOTE = 5,
    // runtime. Answered by zygote-down with step 0 if one ran. Its workers live on.
    TAIBAI_STOP_ZYGOTE = 6,
};

// Kinds of events, launcher to server.
enum {
    // The launcher works: levels, protocol (in `status`). Always the first event.
    TAIBAI_READY = 1,
    // worker, pid; descriptor: the pidfd. Every step that shuts the worker in has succeeded.
    TAIBAI_STARTED = 2,
    // worker, step, error: there is no such worker, and nothing is left of the attempt.
    TAIBAI_FAILED = 3,
    // worker, status (as from wait4(2)), cpu, memory: its whole process group has been killed; processes that had left
    // the group are killed right after.
    TAIBAI_EXITED = 4,
    // runtime, pid.
    TAIBAI_ZYGOTE_UP = 5,
    // runtime, step, error, status: it was stopped (step 0), ended by itself or could not be started. Orders it had not
    // fulfilled fail.
    TAIBAI_ZYGOTE_DOWN = 6,
    // request (its kind), step, error, and worker or directory (in `worker`): a request other than start-worker that
    // was not obeyed.
    TAIBAI_REFUSED = 7,
};

// Runtimes the launcher knows.
enum {
    TAIBAI_RUNTIME_PYTHON3 = 1,
    TAIBAI_RUNTIME_EXEC = 2,
    TAIBAI_RUNTIMES_END = 3,
};

// Levels of isolation; bit (1 << level) in a ready event says that this host can give it.
enum {
    TAIBAI_LEVEL_PROCESS = 1,
    TAIBAI_LEVEL_GUARDED = 2,
    TAIBAI_LEVEL_SEALED = 3,
};

// What failed: a step of the launcher, or of the new process before any code of a function runs in it.
enum {
    TAIBAI_STEP_NONE = 0,
    // The request itself.
    TAIBAI_STEP_REQUEST = 1,
    TAIBAI_STEP_DESCRIPTORS = 2,
    TAIBAI_STEP_LEVEL = 3,
    TAIBAI_STEP_LIMITS = 4,
    TAIBAI_STEP_WORKER = 5,
    TAIBAI_STEP_WORKER_TABLE = 6,
    TAIBAI_STEP_DIRECTORY = 7,
    TAIBAI_STEP_DIRECTORY_TABLE = 8,
    // Making the process.
    TAIBAI_STEP_ZYGOTE = 9,
    TAIBAI_STEP_CLONE = 10,
    TAIBAI_STEP_SETTING_UP = 11,
    // In the new process.
    TAIBAI_STEP_SESSION = 12,
    TAIBAI_STEP_PARENT_DEATH = 13,
    TAIBAI_STEP_SUBREAPER = 14,
    TAIBAI_STEP_STREAMS = 15,
    TAIBAI_STEP_WORKING_DIRECTORY = 16,
    TAIBAI_STEP_SIGNALS = 17,
    TAIBAI_STEP_LIMIT_MEMORY = 18,
    TAIBAI_STEP_LIMIT_FILE_SIZE = 19,
    TAIBAI_STEP_LIMIT_OPEN_FILES = 20,
    TAIBAI_STEP_LIMIT_PROCESSES = 21,
    TAIBAI_STEP_LIMIT_CORE = 22,
    TAIBAI_STEP_LIMIT_LOCKED_MEMORY = 23,
    TAIBAI_STEP_LIMIT_QUEUES = 24,
    TAIBAI_STEP_EXEC = 25,
    // Starting the launcher itself.
    TAIBAI_STEP_LAUNCHER_SOCKET = 26,
    TAIBAI_STEP_LAUNCHER_SPAWN = 27,
    TAIBAI_STEP_LAUNCHER_READY = 28,
    TAIBAI_STEP_CHILDREN_LIST = 29,
    TAIBAI_STEPS_END = 30,
};

// What a worker may use. Zero means "not limited", except for memory.
struct taibai_limits {
    // The function's own memory. At level process: RLIMIT_DATA is this plus what the runtime needs for itself, for
    // each process of the worker. 16 MiB … 1 TiB.
    uint64_t memory_bytes;
    // Size of a file it writes (RLIMIT_FSIZE).
    uint64_t file_bytes;
    // Size of its private /tmp. Refused at level process, which has none.
    uint64_t scratch_bytes;
    // Open descriptors a process (RLIMIT_NOFILE), 16 … 1,048,576.
    uint32_t open_files;
    // Processes and threads. At level process RLIMIT_NPROC, which counts all processes of the user.
    uint32_t processes;
    // Share of one processor, 100 is a whole one. Refused at level process, which has no control group.
    uint32_t cpu_percent;
    uint32_t reserved;
};

struct taibai_request {
    uint32_t kind;
    uint32_t runtime;
    uint64_t worker;
    uint64_t directory;
    uint32_t level;
    int32_t signal;
    struct taibai_limits limits;
    uint64_t reserved[7];
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
    uint32_t reserved;
    uint64_t reserved_more[8];
};

_Static_assert(sizeof(struct taibai_limits) == 40, "the message layout is fixed");
_Static_assert(sizeof(struct taibai_request) == 128, "the message layout is fixed");
_Static_assert(sizeof(struct taibai_event) == 128, "the message layout is fixed");

/// Starts this binary again as the launcher and gives back its pid and the server's end of the socket (non-blocking).
/// Call it before the process has threads that might end: the launcher watches the calling thread's process.
/// `programs`: descriptors of zygote.py and worker.py, which stay the caller's.
/// Returns 0, or an errno with `*step` set.
int taibai_spawn_launcher(const char *python, const int programs[2], pid_t *pid, int *socket, uint32_t *step);

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

/// Opens a directory as a mere handle (O_PATH). Returns it or -errno.
int taibai_open_directory(const char *path);

/// Sends a signal to the process a pidfd stands for. Returns 0 or an errno.
int taibai_signal_process(int pidfd, int signal);

#endif
