// What a new process does before it runs anything of a function: a list of system calls, made here by the launcher,
// done by the process itself (perform.c, python3/zygote.py). Read it top to bottom: that is the order. At level sealed
// the process joins a sandbox that its init has prepared (sandbox.c).
// Sources: setns(2), mount(2), move_mount(2), capabilities(7), landlock(7), seccomp(2).

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

// What a runtime needs for itself beside the function's memory where no control group counts what is really used: the
// interpreter, its heap and the stacks of a few threads (python3 idles at 18 MiB of private writable mappings; a thread
// has a stack of 1 MiB there, else of 8 MiB).
enum { RUNTIME_MEMORY = 64 << 20 };
// Memory that can't be swapped out, and message queues: a function has no use for either.
enum { LOCKED_MEMORY_MAX = 64 << 10, QUEUE_BYTES_MAX = 0 };
// Shared memory: as much as a container commonly has is 64 MiB; it counts as memory of the worker.
#define SHARED_MEMORY "size=16m,nr_inodes=1000,mode=1777,uid=1000,gid=1000"
// Files and folders in /tmp: an entry costs about 1 KiB of kernel memory.
enum { SCRATCH_INODES_MAX = 10000 };
enum { FILTER_MAX = 160 };

// linux/landlock.h of Debian 12 ends at ABI 2. Source: https://docs.kernel.org/userspace-api/landlock.html
struct ruleset_attributes {
    uint64_t files, network, scopes;
};
struct path_rule {
    uint64_t access;
    int32_t parent;
} __attribute__((packed));
enum { SCOPE_ABSTRACT_SOCKETS = 1, SCOPE_SIGNALS = 2, RULE_PATH_BENEATH = 1, ABI_WITH_SCOPES = 6 };
enum {
    FILE_EXECUTE = 1, FILE_WRITE = 2, FILE_READ = 4, FOLDER_READ = 8, FILE_TRUNCATE = 1 << 14,
    READING = FILE_EXECUTE | FILE_READ | FOLDER_READ,
    // All accesses but making device files and talking to devices.
    EVERYTHING_BUT_DEVICES = 0x7fff & ~((1 << 6) | (1 << 11)),
};
// Where the ruleset and a rule's path are while rules are added: above everything else that is open.
enum { RULESET = CHILD_DESCRIPTORS_END };

// The accesses to files that an ABI knows, and the size of its attributes: before 4 it knew no network, before 6 no
// scopes. A worker is not started where Landlock is missing altogether.
static uint64_t known_accesses(int abi) {
    static const uint64_t by_abi[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff};
    return abi < 5 ? by_abi[abi] : 0xffff;
}

static size_t attributes_size(int abi) { return abi < 4 ? 8 : abi < ABI_WITH_SCOPES ? 16 : 24; }

static uint64_t put_bytes(struct taibai_order *order, const void *bytes, size_t length) {
    // Aligned, since structures are among them.
    uint32_t at = (order->byte_count + 7) & ~7u;
    if (at + length > PLAN_BYTES_MAX) {
        order->byte_count = PLAN_BYTES_MAX;
        return 0;
    }
    memcpy(order->bytes + at, bytes, length);
    order->byte_count = at + (uint32_t)length;
    return at;
}

static uint64_t put_text(struct taibai_order *order, const char *text) {
    return put_bytes(order, text, strlen(text) + 1);
}

static void add(struct taibai_order *order, struct taibai_op op) {
    // Tests let each step fail in turn; no kernel has this call.
    if (taibai_must_fail(op.step)) op = (struct taibai_op){.step = op.step, .kind = OP_CALL, .number = 100000};
    // One too many is counted but not written, which taibai_plan sees.
    if (order->op_count < PLAN_OPS_MAX) order->ops[order->op_count] = op;
    order->op_count++;
}

#define BYTES_AT(i) (1 << (i))
#define KEPT_AT(i) (1 << (8 + (i)))

static void call(
    struct taibai_order *order, uint32_t step, int flags, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
    uint64_t e) {
    add(order, (struct taibai_op){
        .step = step, .kind = OP_CALL, .flags = (uint16_t)flags, .number = number, .arguments = {a, b, c, d, e}});
}

static void call_keep(
    struct taibai_order *order, uint32_t step, int flags, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    add(order, (struct taibai_op){
        .step = step, .kind = OP_CALL_KEEP, .flags = (uint16_t)flags, .number = number, .arguments = {a, b, c, d}});
}

static void control(struct taibai_order *order, uint32_t step, uint64_t what, uint64_t value) {
    call(order, step, 0, SYS_prctl, what, value, 0, 0, 0);
}

static void limit(struct taibai_order *order, uint32_t step, uint32_t resource, uint64_t value) {
    uint64_t both[2] = {value, value};
    call(order, step, BYTES_AT(2), SYS_prlimit64, 0, resource, put_bytes(order, both, sizeof both), 0, 0);
}

// A ceiling nobody orders: where the launcher's own is lower already, that one stays.
static void ceiling(struct taibai_order *order, uint32_t step, uint32_t resource, uint64_t value) {
    struct rlimit own;
    if (getrlimit((int)resource, &own) == 0 && own.rlim_max < value) value = own.rlim_max;
    limit(order, step, resource, value);
}

static void mount_memory(
    struct taibai_order *order, uint32_t step, const char *at, uint64_t flags, const char *options) {
    call(order, step, BYTES_AT(0) | BYTES_AT(1) | BYTES_AT(2) | BYTES_AT(4), SYS_mount, put_text(order, "taibai"),
        put_text(order, at), put_text(order, "tmpfs"), MS_NOSUID | MS_NODEV | flags, put_text(order, options));
}

// Gives a mount that has no place yet its place.
static void place_mount(struct taibai_order *order, uint32_t step, int mount, const char *at) {
    enum { FROM_IS_EMPTY = 4 };
    call(order, step, BYTES_AT(1) | BYTES_AT(3), SYS_move_mount, (uint64_t)mount, put_text(order, ""),
        (uint64_t)AT_FDCWD, put_text(order, at), FROM_IS_EMPTY);
}

static void join_sandbox(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    bool has_network = plan->egress != TAIBAI_EGRESS_OPEN && taibai_has_layer("net-ns");
    char options[96];
    call(order, TAIBAI_STEP_JOIN_NAMESPACES, 0, SYS_setns, CHILD_SANDBOX,
        has_network ? namespaces | CLONE_NEWNET : namespaces, 0, 0, 0);
    uint64_t size = taibai_has_layer("tmpfs") ? plan->limits->scratch_bytes : 1ull << 34;
    snprintf(options, sizeof options, "size=%llu,nr_inodes=%d,mode=1777,uid=%d,gid=%d",
        (unsigned long long)size, SCRATCH_INODES_MAX, INNER_USER, INNER_USER);
    mount_memory(order, TAIBAI_STEP_MOUNT_TMP, "/tmp", 0, options);
    mount_memory(order, TAIBAI_STEP_MOUNT_SHM, "/dev/shm", MS_NOEXEC, SHARED_MEMORY);
    // What is at CODE_FOLDER without this is the folder of all packages: see root.c.
    if (plan->runtime == TAIBAI_RUNTIME_UNPACK) {
        mount_memory(order, TAIBAI_STEP_MOUNT_PACKAGE, CODE_FOLDER, MS_RDONLY, "size=4k,nr_inodes=1,mode=555");
    } else {
        place_mount(order, TAIBAI_STEP_MOUNT_PACKAGE, CHILD_PACKAGE, CODE_FOLDER);
    }
    if (plan->has_secrets) place_mount(order, TAIBAI_STEP_MOUNT_SECRETS, CHILD_SECRETS, SECRETS_FOLDER);
}

static void set_limits(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    const struct taibai_limits *limits = plan->limits;
    if (!plan->is_grouped) limit(order, TAIBAI_STEP_LIMIT_MEMORY, RLIMIT_DATA, limits->memory_bytes + RUNTIME_MEMORY);
    if (!taibai_has_layer("rlimits")) return;
    if (limits->file_bytes) limit(order, TAIBAI_STEP_LIMIT_FILE_SIZE, RLIMIT_FSIZE, limits->file_bytes);
    if (limits->open_files) limit(order, TAIBAI_STEP_LIMIT_OPEN_FILES, RLIMIT_NOFILE, limits->open_files);
    if (limits->processes && !plan->is_grouped) {
        limit(order, TAIBAI_STEP_LIMIT_PROCESSES, RLIMIT_NPROC, limits->processes);
    }
    limit(order, TAIBAI_STEP_LIMIT_CORE, RLIMIT_CORE, 0);
    ceiling(order, TAIBAI_STEP_LIMIT_LOCKED_MEMORY, RLIMIT_MEMLOCK, LOCKED_MEMORY_MAX);
    ceiling(order, TAIBAI_STEP_LIMIT_QUEUES, RLIMIT_MSGQUEUE, QUEUE_BYTES_MAX);
}

static void become_user(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    uid_t user = plan->user;
    gid_t group = plan->group;
    if (plan->level == TAIBAI_LEVEL_SEALED) {
        bool is_owner = plan->runtime == TAIBAI_RUNTIME_UNPACK && plan->user != 0;
        user = group = is_owner ? INNER_OWNER : INNER_USER;
    } else if (user == 0) {
        return;
    }
    if (plan->can_set_groups) call(order, TAIBAI_STEP_USER_GROUPS, 0, SYS_setgroups, 0, 0, 0, 0, 0);
    call(order, TAIBAI_STEP_IDENTITY, 0, SYS_setresgid, group, group, group, 0, 0);
    call(order, TAIBAI_STEP_IDENTITY, 0, SYS_setresuid, user, user, user, 0, 0);
}

static void drop_capabilities(struct taibai_order *order) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    call(order, TAIBAI_STEP_CAPABILITIES, BYTES_AT(0) | BYTES_AT(1), SYS_capset,
        put_bytes(order, &header, sizeof header), put_bytes(order, none, sizeof none), 0, 0, 0);
}

// Allows `accesses` to what is below a descriptor.
static void allow_descriptor(
    struct taibai_order *order, const struct taibai_worker_plan *plan, uint64_t accesses, int descriptor) {
    struct path_rule rule = {.access = accesses & known_accesses(plan->landlock), .parent = descriptor};
    call(order, TAIBAI_STEP_LANDLOCK, BYTES_AT(2), SYS_landlock_add_rule, RULESET, RULE_PATH_BENEATH,
        put_bytes(order, &rule, sizeof rule), 0, 0);
}

static void allow(
    struct taibai_order *order, const struct taibai_worker_plan *plan, uint64_t accesses, const char *path) {
    struct path_rule rule = {.access = accesses & known_accesses(plan->landlock)};
    call_keep(order, TAIBAI_STEP_LANDLOCK, BYTES_AT(1), SYS_openat, (uint64_t)AT_FDCWD, put_text(order, path),
        O_PATH | O_CLOEXEC, 0);
    uint64_t at = put_bytes(order, &rule, sizeof rule);
    add(order, (struct taibai_op){
        .step = TAIBAI_STEP_LANDLOCK, .kind = OP_STORE_KEPT,
        .arguments = {at + offsetof(struct path_rule, parent)}});
    call(order, TAIBAI_STEP_LANDLOCK, BYTES_AT(2), SYS_landlock_add_rule, RULESET, RULE_PATH_BENEATH, at, 0, 0);
    call(order, TAIBAI_STEP_LANDLOCK, KEPT_AT(0), SYS_close, 0, 0, 0, 0, 0);
}

static void allow_if_there(
    struct taibai_order *order, const struct taibai_worker_plan *plan, uint64_t accesses, const char *path) {
    if (access(path, F_OK) == 0) allow(order, plan, accesses, path);
}

static void allow_unpacking(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    allow_descriptor(order, plan, EVERYTHING_BUT_DEVICES, CHILD_FOLDER);
    allow_descriptor(order, plan, FILE_EXECUTE | FILE_READ, CHILD_PROGRAM);
}

static void rules_for_sealed(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    allow(order, plan, READING, "/");
    allow(order, plan, FILE_WRITE, "/dev");
    // Its own name (comm) and its own order in want of memory (oom_score_adj).
    allow(order, plan, FILE_WRITE | FILE_TRUNCATE, "/proc");
    allow(order, plan, EVERYTHING_BUT_DEVICES, "/tmp");
    allow(order, plan, EVERYTHING_BUT_DEVICES, "/dev/shm");
    if (plan->runtime == TAIBAI_RUNTIME_UNPACK) allow_unpacking(order, plan);
}

struct library_rules {
    struct taibai_order *order;
    const struct taibai_worker_plan *plan;
    char last[512];
};

// The libraries of a program that is not linked statically, as in root.c.
static int allow_library(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct library_rules *rules = context;
    char folder[512];
    const char *name = info->dlpi_name;
    if (name[0] != '/' || strncmp(name, "/usr/", 5) == 0 || strncmp(name, "/lib", 4) == 0) return 0;
    if (snprintf(folder, sizeof folder, "%s", name) >= (int)sizeof folder) return 1;
    *strrchr(folder, '/') = 0;
    if (strcmp(folder, rules->last) == 0) return 0;
    snprintf(rules->last, sizeof rules->last, "%s", folder);
    allow(rules->order, rules->plan, READING, folder);
    return 0;
}

// What a process may read of itself: interpreters and C libraries look there.
static const char *const own[] = {
    "/proc/self/status", "/proc/self/stat", "/proc/self/statm", "/proc/self/maps", "/proc/self/cmdline",
    "/proc/self/environ", "/proc/self/limits", "/proc/thread-self/children"};

// Never a folder whose other entries are none of the function's business: so not /etc, /proc or /dev.
static void rules_for_guarded(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    static const char *const readable[] = {
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/alternatives"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    for (size_t i = 0; i < sizeof readable / sizeof readable[0]; i++) {
        bool is_file = strcmp(readable[i], "/etc/ld.so.cache") == 0;
        allow_if_there(order, plan, is_file ? FILE_READ : READING, readable[i]);
    }
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        allow_if_there(order, plan, FILE_READ | FILE_WRITE, devices[i]);
    }
    // Of /proc/self not the whole: below it is also what the host's network does.
    allow(order, plan, FILE_READ | FOLDER_READ, "/proc/self/fd");
    allow(order, plan, FILE_READ | FILE_WRITE | FILE_TRUNCATE, "/proc/self/comm");
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) allow_if_there(order, plan, FILE_READ, own[i]);
    if (plan->runtime == TAIBAI_RUNTIME_UNPACK) {
        allow_unpacking(order, plan);
        dl_iterate_phdr(allow_library, &(struct library_rules){order, plan, ""});
    } else {
        allow_descriptor(order, plan, READING, CHILD_PACKAGE);
    }
    if (plan->python_folder) allow(order, plan, READING, plan->python_folder);
    if (plan->has_scratch) allow_descriptor(order, plan, EVERYTHING_BUT_DEVICES, CHILD_SCRATCH);
}

static void confine_files(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    struct ruleset_attributes attributes = {
        .files = known_accesses(plan->landlock), .scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS};
    call_keep(order, TAIBAI_STEP_LANDLOCK, BYTES_AT(0), SYS_landlock_create_ruleset,
        put_bytes(order, &attributes, sizeof attributes), attributes_size(plan->landlock), 0, 0);
    call(order, TAIBAI_STEP_LANDLOCK, KEPT_AT(0), SYS_dup3, 0, RULESET, O_CLOEXEC, 0, 0);
    call(order, TAIBAI_STEP_LANDLOCK, KEPT_AT(0), SYS_close, 0, 0, 0, 0, 0);
    if (plan->level == TAIBAI_LEVEL_SEALED) {
        rules_for_sealed(order, plan);
    } else {
        rules_for_guarded(order, plan);
    }
    call(order, TAIBAI_STEP_LANDLOCK, 0, SYS_landlock_restrict_self, RULESET, 0, 0, 0, 0);
}

static void close_the_rest(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    if (plan->runtime != TAIBAI_RUNTIME_UNPACK) {
        call(order, TAIBAI_STEP_CLOSE, 0, SYS_close_range, CHILD_REPORTS + 1, ~0u, 0, 0, 0);
        return;
    }
    call(order, TAIBAI_STEP_CLOSE, 0, SYS_close_range, CHILD_REPORTS + 1, CHILD_ARCHIVE - 1, 0, 0, 0);
    call(order, TAIBAI_STEP_CLOSE, 0, SYS_close_range, CHILD_PROGRAM + 1, ~0u, 0, 0, 0);
}

static void filter_calls(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    struct sock_filter program[FILTER_MAX];
    bool has_network = plan->level == TAIBAI_LEVEL_SEALED || plan->egress == TAIBAI_EGRESS_OPEN;
    int count = taibai_filter(program, FILTER_MAX, has_network);
    uint64_t instructions = put_bytes(order, program, (size_t)count * sizeof program[0]);
    struct sock_fprog whole = {.len = (unsigned short)count};
    uint64_t at = put_bytes(order, &whole, sizeof whole);
    add(order, (struct taibai_op){
        .step = TAIBAI_STEP_SECCOMP, .kind = OP_STORE_ADDRESS,
        .arguments = {at + offsetof(struct sock_fprog, filter), instructions}});
    call(order, TAIBAI_STEP_SECCOMP, BYTES_AT(2), SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, at, 0, 0);
}

/// Writes the operations for a worker. Returns 0, or an errno when they have no room.
int taibai_plan(struct taibai_order *order, const struct taibai_worker_plan *plan) {
    bool is_sealed = plan->level == TAIBAI_LEVEL_SEALED;
    bool is_process = plan->level == TAIBAI_LEVEL_PROCESS;
    // Offset 0 stands for "no room".
    order->byte_count = 8;
    call(order, TAIBAI_STEP_SESSION, 0, SYS_setsid, 0, 0, 0, 0, 0);
    control(order, TAIBAI_STEP_PARENT_DEATH, PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < plan->tasks_count; i++) {
        // One thread that moves itself needs no lock over all processes, which takes 6 ms on a quiet machine.
        call(order, TAIBAI_STEP_JOIN_GROUP, BYTES_AT(1), SYS_write, (uint64_t)(CHILD_TASKS + i), put_text(order, "0"),
            1, 0, 0);
    }
    if (is_sealed) join_sandbox(order, plan);
    bool unpacks = plan->runtime == TAIBAI_RUNTIME_UNPACK;
    if (is_sealed || unpacks) {
        const char *folder = unpacks ? "/" : CODE_FOLDER;
        call(order, TAIBAI_STEP_WORKING_DIRECTORY, BYTES_AT(0), SYS_chdir, put_text(order, folder), 0, 0, 0, 0);
    } else {
        call(order, TAIBAI_STEP_WORKING_DIRECTORY, 0, SYS_fchdir, CHILD_PACKAGE, 0, 0, 0, 0);
    }
    set_limits(order, plan);
    if (plan->capability_count > 0 && taibai_has_layer("caps")) {
        add(order, (struct taibai_op){
            .step = TAIBAI_STEP_BOUNDING_SET, .kind = OP_CALL_EACH, .number = SYS_prctl,
            .arguments = {PR_CAPBSET_DROP, 0, 0, 0, 0, (uint64_t)plan->capability_count}});
    }
    if (taibai_has_layer("uid") || unpacks) become_user(order, plan);
    if (taibai_has_layer("caps") && (taibai_has_layer("uid") || unpacks)) drop_capabilities(order);
    // A change of user makes a process unreadable for itself (/proc/self), and forgets the signal.
    control(order, TAIBAI_STEP_DUMPABLE, PR_SET_DUMPABLE, 1);
    control(order, TAIBAI_STEP_PARENT_DEATH, PR_SET_PDEATHSIG, SIGKILL);
    control(order, TAIBAI_STEP_NO_NEW_PRIVILEGES, PR_SET_NO_NEW_PRIVS, 1);
    if (!is_process && taibai_has_layer("landlock")) confine_files(order, plan);
    if (taibai_has_layer("fds")) close_the_rest(order, plan);
    if (!is_process && taibai_has_layer("seccomp")) filter_calls(order, plan);
    return order->op_count <= PLAN_OPS_MAX && order->byte_count < PLAN_BYTES_MAX ? 0 : E2BIG;
}
