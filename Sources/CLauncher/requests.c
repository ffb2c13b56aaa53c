// What the server asks of the launcher: each field is checked before anything is done, and what can't be done as
// ordered is refused with the step and the errno. Nothing is done in part or more weakly than ordered.

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "state.h"

static const uint64_t memory_min = 16ull << 20, memory_max = 1ull << 40, scratch_max = 1ull << 40;
static const uint32_t open_files_min = 16, open_files_max = 1u << 20, processes_max = TAIBAI_PROCESSES_MAX;

/// Tells that a request was not obeyed.
void refuse(struct launcher *l, const struct taibai_request *request, uint32_t step, int error) {
    if (request->kind == TAIBAI_START_WORKER) {
        tell_failed(l, request->worker, step, error);
        return;
    }
    tell(l, (struct taibai_event){
        .kind = TAIBAI_REFUSED, .request = request->kind, .step = step, .error = error, .worker = request->worker,
        .runtime = request->runtime}, NULL, 0);
}

static int descriptor_count(const int *descriptors) {
    int count = 0;
    while (count < TAIBAI_DESCRIPTORS_MAX && descriptors[count] >= 0) count++;
    return count;
}

// Whether all fields but those of the mask are zero, and those are not.
enum { HAS_RUNTIME = 1, HAS_WORKER = 2, HAS_PACKAGE = 4, HAS_LEVEL = 8, HAS_SIGNAL = 16, HAS_LIMITS = 32 };

static bool is_zero(const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    while (length > 0 && *at == 0) at++, length--;
    return length == 0;
}

static bool has_exactly(const struct taibai_request *request, unsigned fields) {
    unsigned found = 0;
    if (request->runtime) found |= HAS_RUNTIME;
    if (request->worker) found |= HAS_WORKER;
    if (!is_zero(request->package, sizeof request->package)) found |= HAS_PACKAGE;
    if (request->level) found |= HAS_LEVEL;
    if (request->signal) found |= HAS_SIGNAL;
    if (!is_zero(&request->limits, sizeof request->limits)) found |= HAS_LIMITS;
    bool is_start = request->kind == TAIBAI_START_WORKER;
    if (!is_zero(request->reserved, sizeof request->reserved) || request->limits.reserved != 0) return false;
    return found == fields && (is_start || (request->egress == 0 && request->runtime_api == 0));
}

static bool gives_level(const struct launcher *l, uint32_t level) {
    return level < TAIBAI_LEVELS_END && l->trial.levels >> level & 1;
}

// Returns 0, or the errno to refuse the limits with.
static int check_limits(const struct launcher *l, const struct taibai_request *request) {
    const struct taibai_limits *limits = &request->limits;
    bool is_sealed = request->level == TAIBAI_LEVEL_SEALED;
    if (limits->memory_bytes < memory_min || limits->memory_bytes > memory_max) return EINVAL;
    if (limits->open_files && (limits->open_files < open_files_min || limits->open_files > open_files_max)) {
        return EINVAL;
    }
    if (limits->processes > processes_max || limits->scratch_bytes > scratch_max) return EINVAL;
    // Without an own /tmp and a control group these can't be held, so they are not accepted.
    if (is_sealed != (limits->scratch_bytes > 0)) return is_sealed ? EINVAL : EOPNOTSUPP;
    if (limits->cpu_percent && l->groups.kind == TAIBAI_GROUPS_NONE) return EOPNOTSUPP;
    return 0;
}

static void start_worker(struct launcher *l, const struct taibai_request *request, int *descriptors) {
    bool unpacks = request->runtime == TAIBAI_RUNTIME_UNPACK;
    unsigned fields = HAS_RUNTIME | HAS_WORKER | HAS_LEVEL | HAS_LIMITS | (unpacks ? 0 : HAS_PACKAGE);
    int count = descriptor_count(descriptors);
    if (!has_exactly(request, fields) || request->worker >= SPARE_ID) {
        return refuse(l, request, TAIBAI_STEP_REQUEST, EINVAL);
    }
    if (request->runtime >= TAIBAI_RUNTIMES_END) return refuse(l, request, TAIBAI_STEP_REQUEST, ENOSYS);
    if (unpacks ? count != 4 : count != 2 && count != 3) return refuse(l, request, TAIBAI_STEP_DESCRIPTORS, EBADF);
    if (!gives_level(l, request->level)) return refuse(l, request, TAIBAI_STEP_LEVEL, EOPNOTSUPP);
    // A proxy listens in a sandbox's network, and secrets are mounted in a sandbox.
    if (request->egress > TAIBAI_EGRESS_OPEN || (request->egress == TAIBAI_EGRESS_PROXY && !l->is_sealed)) {
        return refuse(l, request, TAIBAI_STEP_EGRESS, EOPNOTSUPP);
    }
    bool has_network = request->level == TAIBAI_LEVEL_SEALED && request->egress != TAIBAI_EGRESS_OPEN;
    if (request->runtime_api > 1 || (request->runtime_api == 1 && !has_network)) {
        return refuse(l, request, TAIBAI_STEP_EGRESS, EOPNOTSUPP);
    }
    if (count == 3 && !l->is_sealed) return refuse(l, request, TAIBAI_STEP_SECRETS, EOPNOTSUPP);
    int error = check_limits(l, request);
    if (error) return refuse(l, request, TAIBAI_STEP_LIMITS, error);
    if (worker_by_id(l, request->worker)) return refuse(l, request, TAIBAI_STEP_WORKER, EEXIST);
    struct worker *worker = worker_add(l, request);
    if (!worker) return refuse(l, request, TAIBAI_STEP_WORKER_TABLE, ENOSPC);
    for (int i = 0; i < count; i++) {
        worker->descriptors[i] = descriptors[i];
        descriptors[i] = -1;
    }
    zygote_enqueue(l, worker);
}

/// Tries out a level with a worker that ends when it is shut in: the same way as all others, to the last step.
void begin_trial(struct launcher *l, uint32_t level) {
    struct taibai_request request = {
        .kind = TAIBAI_START_WORKER, .worker = TRIAL_ID + level, .level = level,
        .limits = {
            .memory_bytes = memory_min, .open_files = open_files_min * 4,
            .scratch_bytes = level == TAIBAI_LEVEL_SEALED ? memory_min : 0}};
    l->trials++;
    zygote_enqueue(l, worker_add(l, &request));
}

static void freeze(struct launcher *l, struct worker *worker, bool is_frozen) {
    if (group_freeze(l, worker->group, is_frozen)) return;
    if (worker->sandbox) {
        kill(worker->sandbox->pid, is_frozen ? SIGUSR1 : SIGUSR2);
    } else {
        kill(-worker->pid, is_frozen ? SIGSTOP : SIGCONT);
    }
}

/// Signals all processes of a worker: SIGKILL ends its sandbox, other signals go to its process group, which is thawed
/// so that it can act on them. Before the worker has made its group there is only the worker itself.
void signal_worker(struct launcher *l, struct worker *worker, int signal) {
    if (signal == SIGKILL && worker->sandbox) kill(worker->sandbox->pid, SIGKILL);
    if (kill(-worker->pid, signal) < 0) kill(worker->pid, signal);
    if (signal != SIGKILL && worker->state == WORKER_RUNNING) freeze(l, worker, false);
}

static void act_on_worker(struct launcher *l, const struct taibai_request *request) {
    bool is_kill = request->kind == TAIBAI_KILL_WORKER;
    bool is_signal = request->signal >= 1 && request->signal < NSIG;
    if (!has_exactly(request, is_kill ? HAS_WORKER | HAS_SIGNAL : HAS_WORKER) || is_signal != is_kill) {
        return refuse(l, request, TAIBAI_STEP_REQUEST, EINVAL);
    }
    struct worker *worker = worker_by_id(l, request->worker);
    if (!worker) return;
    if (is_kill && worker->pid == 0) {
        worker->signal_waiting = request->signal;
    } else if (is_kill) {
        signal_worker(l, worker, request->signal);
    } else if (worker->state == WORKER_RUNNING) {
        freeze(l, worker, request->kind == TAIBAI_FREEZE_WORKER);
    }
}

static void change_zygote(struct launcher *l, const struct taibai_request *request) {
    if (!has_exactly(request, HAS_RUNTIME)) return refuse(l, request, TAIBAI_STEP_REQUEST, EINVAL);
    if (request->runtime >= TAIBAI_RUNTIMES_END) return refuse(l, request, TAIBAI_STEP_REQUEST, ENOSYS);
    if (request->kind == TAIBAI_START_ZYGOTE) return zygote_start(l, zygote_of(request->runtime));
    zygote_stop(l, zygote_of(request->runtime));
}

/// Does what one request asks, or refuses it. Descriptors it keeps become -1; the caller closes the rest.
void obey(struct launcher *l, const struct taibai_request *request, int descriptors[TAIBAI_DESCRIPTORS_MAX]) {
    if (request->kind != TAIBAI_START_WORKER && descriptor_count(descriptors) != 0) {
        return refuse(l, request, TAIBAI_STEP_DESCRIPTORS, EBADF);
    }
    switch (request->kind) {
    case TAIBAI_START_WORKER: return start_worker(l, request, descriptors);
    case TAIBAI_KILL_WORKER:
    case TAIBAI_FREEZE_WORKER:
    case TAIBAI_THAW_WORKER: return act_on_worker(l, request);
    case TAIBAI_START_ZYGOTE:
    case TAIBAI_STOP_ZYGOTE: return change_zygote(l, request);
    default: refuse(l, request, TAIBAI_STEP_REQUEST, ENOSYS);
    }
}
