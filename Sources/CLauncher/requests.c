// What the server asks of the launcher: each field is checked before anything is done, and what can't be done as
// ordered is refused with the step and the errno. Nothing is done in part or more weakly than ordered.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "state.h"

// What a runtime needs for itself beside the function's memory: the interpreter, its heap and the stacks of a few
// threads (python3 idles at 18 MiB of private writable mappings; a thread has a stack of 1 MiB there, else of 8 MiB).
enum { RUNTIME_MEMORY = 64 << 20 };
// Memory that can't be swapped out, and message queues: a function has no use for either.
enum { LOCKED_MEMORY_MAX = 64 << 10, QUEUE_BYTES_MAX = 0 };
static const uint64_t memory_min = 16ull << 20, memory_max = 1ull << 40;
static const uint32_t open_files_min = 16, open_files_max = 1u << 20;

/// Tells that a request was not obeyed.
void refuse(const struct taibai_request *request, uint32_t step, int error) {
    if (request->kind == TAIBAI_START_WORKER) {
        tell_failed(request->worker, step, error);
        return;
    }
    tell((struct taibai_event){
        .kind = TAIBAI_REFUSED, .request = request->kind, .step = step, .error = error,
        .worker = request->worker ? request->worker : request->directory, .runtime = request->runtime}, -1);
}

static int descriptor_count(const int *descriptors) {
    int count = 0;
    while (count < TAIBAI_DESCRIPTORS_MAX && descriptors[count] >= 0) count++;
    return count;
}

// Whether all fields but those of the mask are zero, and those are not.
enum { HAS_RUNTIME = 1, HAS_WORKER = 2, HAS_DIRECTORY = 4, HAS_LEVEL = 8, HAS_SIGNAL = 16, HAS_LIMITS = 32 };

static bool has_exactly(const struct taibai_request *request, unsigned fields) {
    unsigned found = 0;
    if (request->runtime) found |= HAS_RUNTIME;
    if (request->worker) found |= HAS_WORKER;
    if (request->directory) found |= HAS_DIRECTORY;
    if (request->level) found |= HAS_LEVEL;
    if (request->signal) found |= HAS_SIGNAL;
    static const struct taibai_limits no_limits;
    if (memcmp(&request->limits, &no_limits, sizeof no_limits) != 0) found |= HAS_LIMITS;
    static const uint64_t nothing[7];
    if (memcmp(request->reserved, nothing, sizeof nothing) != 0 || request->limits.reserved != 0) return false;
    return found == fields;
}

static void register_directory(struct launcher *l, const struct taibai_request *request, int *descriptors) {
    if (!has_exactly(request, HAS_DIRECTORY)) return refuse(request, TAIBAI_STEP_REQUEST, EINVAL);
    if (descriptor_count(descriptors) != 1) return refuse(request, TAIBAI_STEP_DESCRIPTORS, EBADF);
    if (directory_by_id(l, request->directory)) return refuse(request, TAIBAI_STEP_DIRECTORY, EEXIST);
    struct directory *free_entry = directory_by_id(l, 0);
    if (!free_entry) return refuse(request, TAIBAI_STEP_DIRECTORY_TABLE, ENOSPC);
    *free_entry = (struct directory){.id = request->directory, .descriptor = descriptors[0]};
    descriptors[0] = -1;
}

static void unregister_directory(struct launcher *l, const struct taibai_request *request) {
    if (!has_exactly(request, HAS_DIRECTORY)) return refuse(request, TAIBAI_STEP_REQUEST, EINVAL);
    struct directory *entry = directory_by_id(l, request->directory);
    if (!entry) return refuse(request, TAIBAI_STEP_DIRECTORY, ENOENT);
    close(entry->descriptor);
    *entry = (struct directory){0};
}

static void add_limit(struct taibai_order *order, uint32_t resource, uint64_t value, uint32_t step) {
    order->rlimits[order->rlimit_count++] =
        (struct taibai_rlimit){.resource = resource, .step = step, .value = value};
}

// A ceiling nobody orders: where the launcher's own is lower already, that one stays.
static void add_ceiling(struct taibai_order *order, uint32_t resource, uint64_t value, uint32_t step) {
    struct rlimit own;
    if (getrlimit((int)resource, &own) == 0 && own.rlim_max < value) value = own.rlim_max;
    add_limit(order, resource, value, step);
}

// Turns limits into what the level can enforce. Returns 0 or the errno to refuse with.
static int plan_limits(struct taibai_order *order, const struct taibai_limits *limits) {
    if (limits->memory_bytes < memory_min || limits->memory_bytes > memory_max) return EINVAL;
    if (limits->open_files && (limits->open_files < open_files_min || limits->open_files > open_files_max)) {
        return EINVAL;
    }
    // Without a control group and an own /tmp these can't be held, so they are not accepted.
    if (limits->cpu_percent || limits->scratch_bytes) return EOPNOTSUPP;
    add_limit(order, RLIMIT_DATA, limits->memory_bytes + RUNTIME_MEMORY, TAIBAI_STEP_LIMIT_MEMORY);
    if (limits->file_bytes) add_limit(order, RLIMIT_FSIZE, limits->file_bytes, TAIBAI_STEP_LIMIT_FILE_SIZE);
    if (limits->open_files) add_limit(order, RLIMIT_NOFILE, limits->open_files, TAIBAI_STEP_LIMIT_OPEN_FILES);
    if (limits->processes) add_limit(order, RLIMIT_NPROC, limits->processes, TAIBAI_STEP_LIMIT_PROCESSES);
    add_limit(order, RLIMIT_CORE, 0, TAIBAI_STEP_LIMIT_CORE);
    add_ceiling(order, RLIMIT_MEMLOCK, LOCKED_MEMORY_MAX, TAIBAI_STEP_LIMIT_LOCKED_MEMORY);
    add_ceiling(order, RLIMIT_MSGQUEUE, QUEUE_BYTES_MAX, TAIBAI_STEP_LIMIT_QUEUES);
    return 0;
}

static void clone_exec_host(
    struct launcher *l, struct worker *worker, const struct taibai_order *order, const int *descriptors) {
    int pidfd;
    pid_t pid = taibai_clone(&pidfd);
    if (pid == 0) {
        taibai_child_setup(order, descriptors[0], descriptors[1], descriptors[2], l->reports_out);
        taibai_exec_host();
    }
    if (pid < 0) {
        tell_failed(worker->id, TAIBAI_STEP_CLONE, errno);
        worker_remove(l, worker);
        return;
    }
    worker_set_pid(l, worker, pid, pidfd);
    worker->state = WORKER_SETTING_UP;
}

static void start_worker(struct launcher *l, const struct taibai_request *request, int *descriptors) {
    const unsigned fields = HAS_RUNTIME | HAS_WORKER | HAS_DIRECTORY | HAS_LEVEL | HAS_LIMITS;
    struct taibai_order order = {.worker = request->worker, .level = request->level, .launcher = l->self};
    if (!has_exactly(request, fields) || request->worker >= ZYGOTE_REPORT_ID) {
        return refuse(request, TAIBAI_STEP_REQUEST, EINVAL);
    }
    if (request->runtime >= TAIBAI_RUNTIMES_END) return refuse(request, TAIBAI_STEP_REQUEST, ENOSYS);
    if (descriptor_count(descriptors) != 2) return refuse(request, TAIBAI_STEP_DESCRIPTORS, EBADF);
    if (request->level != TAIBAI_LEVEL_PROCESS) return refuse(request, TAIBAI_STEP_LEVEL, EOPNOTSUPP);
    int error = plan_limits(&order, &request->limits);
    if (error) return refuse(request, TAIBAI_STEP_LIMITS, error);
    struct directory *directory = directory_by_id(l, request->directory);
    if (!directory) return refuse(request, TAIBAI_STEP_DIRECTORY, ENOENT);
    if (worker_by_id(l, request->worker)) return refuse(request, TAIBAI_STEP_WORKER, EEXIST);
    struct worker *worker = worker_add(l, request->worker, request->runtime);
    if (!worker) return refuse(request, TAIBAI_STEP_WORKER_TABLE, ENOSPC);
    if (request->runtime == TAIBAI_RUNTIME_EXEC) {
        descriptors[2] = directory->descriptor;
        clone_exec_host(l, worker, &order, descriptors);
        descriptors[2] = -1;
        return;
    }
    // The directory may be forgotten while the worker waits.
    descriptors[2] = fcntl(directory->descriptor, F_DUPFD_CLOEXEC, 0);
    if (descriptors[2] < 0) {
        worker_remove(l, worker);
        return refuse(request, TAIBAI_STEP_DESCRIPTORS, errno);
    }
    zygote_enqueue(l, worker, &order, descriptors);
}

static void kill_worker(struct launcher *l, const struct taibai_request *request) {
    if (!has_exactly(request, HAS_WORKER | HAS_SIGNAL) || request->signal < 1 || request->signal >= NSIG) {
        return refuse(request, TAIBAI_STEP_REQUEST, EINVAL);
    }
    struct worker *worker = worker_by_id(l, request->worker);
    if (!worker) return;
    if (worker->pid > 0) {
        signal_worker(worker, request->signal);
    } else {
        worker->signal_waiting = request->signal;
    }
}

static void change_zygote(struct launcher *l, const struct taibai_request *request) {
    if (!has_exactly(request, HAS_RUNTIME)) return refuse(request, TAIBAI_STEP_REQUEST, EINVAL);
    // Programs have nothing to load beforehand, so exec has no zygote.
    if (request->runtime != TAIBAI_RUNTIME_PYTHON3) return refuse(request, TAIBAI_STEP_ZYGOTE, ENOSYS);
    if (request->kind == TAIBAI_START_ZYGOTE) return zygote_start(l, request->runtime);
    zygote_stop(l, request->runtime);
}

/// Does what one request asks, or refuses it. Descriptors it keeps become -1; the caller closes the rest.
void obey(struct launcher *l, const struct taibai_request *request, int descriptors[TAIBAI_DESCRIPTORS_MAX]) {
    bool takes_descriptors = request->kind == TAIBAI_REGISTER_DIRECTORY || request->kind == TAIBAI_START_WORKER;
    if (!takes_descriptors && descriptor_count(descriptors) != 0) {
        return refuse(request, TAIBAI_STEP_DESCRIPTORS, EBADF);
    }
    switch (request->kind) {
    case TAIBAI_REGISTER_DIRECTORY: return register_directory(l, request, descriptors);
    case TAIBAI_UNREGISTER_DIRECTORY: return unregister_directory(l, request);
    case TAIBAI_START_WORKER: return start_worker(l, request, descriptors);
    case TAIBAI_KILL_WORKER: return kill_worker(l, request);
    case TAIBAI_START_ZYGOTE:
    case TAIBAI_STOP_ZYGOTE: return change_zygote(l, request);
    default: refuse(request, TAIBAI_STEP_REQUEST, ENOSYS);
    }
}
