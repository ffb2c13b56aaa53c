// From a request to an order: what the worker is given (a sandbox, a control group, its package, its secrets), and the
// plan it follows.

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "state.h"

// A package's files are in the folder of packages under `DIGEST/code`.
enum { PACKAGE_NAME_SIZE = 2 * TAIBAI_DIGEST_SIZE + sizeof "/code" };

static void name_package(const uint8_t digest[TAIBAI_DIGEST_SIZE], char name[PACKAGE_NAME_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < TAIBAI_DIGEST_SIZE; i++) {
        name[2 * i] = digits[digest[i] >> 4];
        name[2 * i + 1] = digits[digest[i] & 15];
    }
    memcpy(name + 2 * TAIBAI_DIGEST_SIZE, "/code", sizeof "/code");
}

// The folder of a package, found below the folder of packages and through no link.
static int open_package(struct launcher *l, const struct taibai_request *request) {
    char name[PACKAGE_NAME_SIZE] = ".";
    if (request->runtime) name_package(request->package, name);
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int folder = (int)syscall(SYS_openat2, l->packages, name, &how, sizeof how);
    if (folder < 0 || !l->is_sealed) return folder;
    // A mount of its own, to be moved into the worker's namespace; nobody can write through it.
    int tree = (int)syscall(SYS_open_tree, folder, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr wanted = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (tree >= 0 && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &wanted, sizeof wanted) < 0) {
        int error = errno;
        close(tree);
        tree = -1;
        errno = error;
    }
    int error = errno;
    close(folder);
    errno = error;
    return tree;
}

struct hand_over {
    struct taibai_order *order;
    int *descriptors;
};

// The descriptor goes to the new process as `target`, and is closed here afterwards.
static void give(struct hand_over *to, int descriptor, int target) {
    to->descriptors[to->order->descriptor_count] = descriptor;
    to->order->targets[to->order->descriptor_count++] = (uint8_t)target;
}

static bool give_copy(struct hand_over *to, int descriptor, int target) {
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0) give(to, copy, target);
    return copy >= 0;
}

static uint32_t give_own(struct launcher *l, struct worker *worker, struct hand_over *to) {
    bool unpacks = worker->request.runtime == TAIBAI_RUNTIME_UNPACK;
    const int targets[WORKER_DESCRIPTORS] = {
        WORKER_CHANNEL, WORKER_OUTPUT, unpacks ? CHILD_ARCHIVE : -1, unpacks ? CHILD_FOLDER : -1};
    for (int i = 0; i < WORKER_DESCRIPTORS; i++) {
        if (worker->descriptors[i] < 0 || targets[i] < 0) continue;
        give(to, worker->descriptors[i], targets[i]);
        worker->descriptors[i] = -1;
    }
    if (unpacks) return give_copy(to, l->program, CHILD_PROGRAM) ? TAIBAI_STEP_NONE : TAIBAI_STEP_DESCRIPTORS;
    int package = open_package(l, &worker->request);
    if (package < 0) return TAIBAI_STEP_PACKAGE;
    give(to, package, CHILD_PACKAGE);
    return TAIBAI_STEP_NONE;
}

static uint32_t give_sandbox(struct launcher *l, struct worker *worker, struct hand_over *to) {
    uint32_t step;
    worker->sandbox = sandbox_take(l, &worker->request, &step);
    l->must_refill = true;
    if (!worker->sandbox) return step;
    if (!give_copy(to, worker->sandbox->pidfd, CHILD_SANDBOX)) return TAIBAI_STEP_DESCRIPTORS;
    to->order->is_sandboxed = 1;
    if (worker->descriptors[2] < 0) return TAIBAI_STEP_NONE;
    uid_t owner = l->is_unprivileged ? 0 : OUTER_USERS + (uid_t)(worker->sandbox - l->sandboxes);
    int secrets = taibai_secrets_mount(worker->descriptors[2], owner);
    if (secrets < 0) return TAIBAI_STEP_SECRETS;
    give(to, secrets, CHILD_SECRETS);
    return TAIBAI_STEP_NONE;
}

static uint32_t give_group(struct launcher *l, struct worker *worker, struct hand_over *to, int *tasks_count) {
    int unified, tasks[GROUP_CONTROLLERS];
    if (l->groups.kind == TAIBAI_GROUPS_NONE) return TAIBAI_STEP_NONE;
    struct sandbox *sandbox = worker->sandbox;
    if (sandbox && sandbox->spare > 0) {
        worker->group = sandbox->spare_group;
        sandbox->spare_group = -1;
        if (!group_limit(l, worker->group, &worker->request.limits)) return TAIBAI_STEP_GROUP;
    } else {
        worker->group = group_take(l, &worker->request.limits);
    }
    if (worker->group < 0 || !group_open(l, worker->group, &unified, tasks, tasks_count)) return TAIBAI_STEP_GROUP;
    if (unified >= 0) give(to, unified, CHILD_GROUP);
    to->order->is_grouped = unified >= 0;
    for (int i = 0; i < *tasks_count; i++) give(to, tasks[i], CHILD_TASKS + i);
    return TAIBAI_STEP_NONE;
}

/// Makes the order for a worker, and takes for it what it needs. `descriptors` holds TAIBAI_DESCRIPTORS_MAX; the
/// caller closes the `descriptor_count` that are set, also on failure.
/// Returns the step that failed, with errno, or TAIBAI_STEP_NONE.
uint32_t order_make(struct launcher *l, struct worker *worker, struct taibai_order *order, int *descriptors) {
    const struct taibai_request *request = &worker->request;
    struct hand_over to = {order, descriptors};
    memset(order, 0, ORDER_HEAD_SIZE);
    order->worker = request->worker;
    order->runtime = request->runtime;
    bool has_secrets = request->runtime != TAIBAI_RUNTIME_UNPACK && worker->descriptors[2] >= 0;
    struct taibai_worker_plan plan = {
        .level = request->level, .runtime = request->runtime, .egress = request->egress, .limits = &request->limits,
        .has_secrets = has_secrets, .can_set_groups = l->user != 0, .landlock = l->landlock,
        .python_folder = l->python_folder};
    uint32_t step = give_own(l, worker, &to);
    if (!step && request->level == TAIBAI_LEVEL_SEALED) step = give_sandbox(l, worker, &to);
    if (!step) step = give_group(l, worker, &to, &plan.tasks_count);
    if (step) return step;
    plan.is_grouped = worker->group >= 0;
    plan.user = l->user;
    plan.group = l->group;
    // An unpacker writes what will be the server's.
    if (l->user && request->level == TAIBAI_LEVEL_GUARDED && request->runtime != TAIBAI_RUNTIME_UNPACK) {
        // The server's group may enter the folder of packages.
        plan.user = OUTER_USERS + (uid_t)(worker - l->workers);
    }
    if (request->level == TAIBAI_LEVEL_GUARDED && request->runtime != TAIBAI_RUNTIME_UNPACK && l->scratch >= 0) {
        int scratch = scratch_make(l, request->worker, plan.user, plan.group);
        if (scratch < 0) return TAIBAI_STEP_SCRATCH;
        worker->has_scratch = plan.has_scratch = true;
        give(&to, scratch, CHILD_SCRATCH);
    }
    // In a sandbox the process has every capability of its namespaces until then.
    if (l->user || request->level == TAIBAI_LEVEL_SEALED) plan.capability_count = l->capability_count;
    errno = taibai_plan(order, &plan);
    return errno ? TAIBAI_STEP_REQUEST : TAIBAI_STEP_NONE;
}
