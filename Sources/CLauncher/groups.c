// Control groups: one for each worker that needs one, in folders that are used again. Version 1 holds memory, processes
// and processor share where its controllers are mounted; version 2 does the same where it has them, and freezes and
// kills in either case. Nothing is moved into a group from outside: that takes 6 to 10 ms on a quiet machine, because
// the kernel waits for all processors (DECISIONS, D-014). Workers are cloned into theirs, or move themselves.
// Sources: cgroups(7), https://docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/memory.html

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "state.h"

// Empty groups kept for the next workers.
enum { FREE_GROUPS_MAX = 8 };
enum { MEMORY, PROCESSES, PROCESSOR };
static const char *const controllers[GROUP_CONTROLLERS] = {"memory", "pids", "cpu"};

static bool write_at(int folder, const char *file, const char *text) {
    int descriptor = openat(folder, file, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    ssize_t written = write(descriptor, text, strlen(text));
    int error = errno;
    close(descriptor);
    errno = error;
    return written >= 0;
}

static bool read_at(int folder, const char *file, char *text, size_t size) {
    int descriptor = openat(folder, file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    ssize_t length = read(descriptor, text, size - 1);
    close(descriptor);
    text[length > 0 ? length : 0] = 0;
    return length >= 0;
}

static int64_t number_after(const char *text, const char *key) {
    const char *found = strstr(text, key);
    return found ? strtoll(found + strlen(key), NULL, 10) : -1;
}

// The path of this process in a hierarchy: `controller` of version 1, or version 2 for an empty one.
static bool own_path(const char *controller, char *path, size_t size) {
    char text[4096], wanted[32];
    if (!read_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof text)) return false;
    snprintf(wanted, sizeof wanted, "%s%s", controller, *controller ? "" : "0:");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *names = strchr(line, ':');
        char *where = names ? strchr(names + 1, ':') : NULL;
        if (!where) continue;
        *where = 0;
        bool is_wanted = *controller ? false : strcmp(line, "0:") == 0;
        for (const char *name = *controller ? names + 1 : NULL; name;) {
            size_t length = strcspn(name, ",");
            is_wanted = is_wanted || (length == strlen(controller) && memcmp(name, controller, length) == 0);
            name = name[length] == ',' ? name + length + 1 : NULL;
        }
        if (!is_wanted) continue;
        snprintf(path, size, "%s", strcmp(where + 1, "/") == 0 ? "" : where + 1);
        return true;
    }
    return false;
}

// Removes what a launcher that was killed has left: folders of ours whose process is gone. Called at the start, when
// memory may still be asked for.
static void remove_stale(int parent) {
    int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    if (!list) return;
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
        if (!taibai_is_leftover(entry->d_name)) continue;
        int folder = openat(parent, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *groups = folder >= 0 ? fdopendir(folder) : NULL;
        for (struct dirent *group = groups ? readdir(groups) : NULL; group; group = readdir(groups)) {
            if (group->d_name[0] == 'w') unlinkat(folder, group->d_name, AT_REMOVEDIR);
        }
        if (groups) closedir(groups);
        unlinkat(parent, entry->d_name, AT_REMOVEDIR);
    }
    closedir(list);
}

static int make_folder(int parent, const char *name) {
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST) return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_folder(const char *format, const char *first, const char *second) {
    char path[4400];
    snprintf(path, sizeof path, format, first, second);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// Version 2 hands controllers down only from a group without processes of its own, so the server and the launcher go
// into one beside the workers' first.
static bool hand_down(struct launcher *l, int own) {
    const char *all = "+memory +pids +cpu";
    if (write_at(own, "cgroup.subtree_control", all)) return true;
    if (errno != EBUSY) return false;
    int main_group = make_folder(own, "taibai-main");
    if (main_group < 0) return false;
    char pid[16];
    snprintf(pid, sizeof pid, "%d", l->server);
    bool has_moved = write_at(main_group, "cgroup.procs", pid) && write_at(main_group, "cgroup.procs", "0");
    close(main_group);
    return has_moved && write_at(own, "cgroup.subtree_control", all);
}

static void open_version_2(struct launcher *l) {
    struct groups *g = &l->groups;
    char path[4096], text[1024];
    if (!own_path("", path, sizeof path)) return;
    int own = open_folder("/sys/fs/cgroup/%s%s", "", path);
    if (own < 0 || faccessat(own, "cgroup.controllers", F_OK, 0) < 0) {
        if (own >= 0) close(own);
        own = open_folder("/sys/fs/cgroup/unified/%s%s", "", path);
    }
    if (own < 0) return;
    bool has_all = read_at(own, "cgroup.controllers", text, sizeof text) && strstr(text, "memory")
        && strstr(text, "pids") && strstr(text, "cpu");
    bool is_handed_down = has_all && hand_down(l, own);
    remove_stale(own);
    g->unified = make_folder(own, g->name);
    g->unified_parent = own;
    if (g->unified < 0) return;
    if (is_handed_down && write_at(g->unified, "cgroup.subtree_control", "+memory +pids +cpu")) {
        g->kind = TAIBAI_GROUPS_V2;
    }
}

static void open_version_1(struct launcher *l) {
    struct groups *g = &l->groups;
    for (int i = 0; i < GROUP_CONTROLLERS; i++) {
        char path[4096];
        if (!own_path(controllers[i], path, sizeof path)) return;
        g->parents[i] = open_folder("/sys/fs/cgroup/%s/%s", controllers[i], path);
        if (g->parents[i] < 0) return;
        remove_stale(g->parents[i]);
        g->folders[i] = make_folder(g->parents[i], g->name);
        if (g->folders[i] < 0) return;
    }
    g->kind = TAIBAI_GROUPS_V1;
}

/// Makes the folders in which workers get theirs. What can't be had is told by `kind` and `unified` (-1).
void groups_open(struct launcher *l) {
    struct groups *g = &l->groups;
    g->unified = g->unified_parent = -1;
    for (int i = 0; i < GROUP_CONTROLLERS; i++) g->folders[i] = g->parents[i] = -1;
    snprintf(g->name, sizeof g->name, "taibai-%d", l->self);
    g->events = epoll_create1(EPOLL_CLOEXEC);
    // Nothing is cloned into a group by the old clone(2).
    bool has_clone3 = syscall(SYS_clone3, NULL, 0) < 0 && errno != ENOSYS;
    if (has_clone3) open_version_2(l);
    if (g->kind == TAIBAI_GROUPS_NONE) open_version_1(l);
    if (g->kind == TAIBAI_GROUPS_NONE || !taibai_has_layer("cgroup")) {
        g->kind = TAIBAI_GROUPS_NONE;
        groups_remove_folders(l);
    }
}

static bool is_empty(struct launcher *l, const char *name) {
    char file[48], text[256];
    if (l->groups.unified >= 0) {
        snprintf(file, sizeof file, "%s/cgroup.events", name);
        return read_at(l->groups.unified, file, text, sizeof text) && number_after(text, "populated ") == 0;
    }
    snprintf(file, sizeof file, "%s/tasks", name);
    return read_at(l->groups.folders[PROCESSES], file, text, sizeof text) && text[0] == 0;
}

static void name_of(int group, char name[16]) { snprintf(name, 16, "w%d", group); }

static bool make_group(struct launcher *l, const char *name) {
    struct groups *g = &l->groups;
    if (g->unified >= 0 && mkdirat(g->unified, name, 0755) < 0 && errno != EEXIST) return false;
    for (int i = 0; g->kind == TAIBAI_GROUPS_V1 && i < GROUP_CONTROLLERS; i++) {
        if (mkdirat(g->folders[i], name, 0755) < 0 && errno != EEXIST) return false;
    }
    return true;
}

static bool remove_group(struct launcher *l, const char *name) {
    struct groups *g = &l->groups;
    bool is_gone = g->unified < 0 || unlinkat(g->unified, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
    for (int i = 0; i < GROUP_CONTROLLERS; i++) {
        if (g->folders[i] < 0) continue;
        is_gone = (unlinkat(g->folders[i], name, AT_REMOVEDIR) == 0 || errno == ENOENT) && is_gone;
    }
    return is_gone;
}

static bool set(struct launcher *l, int controller, const char *name, const char *file, uint64_t value) {
    char path[64], text[24];
    int folder = l->groups.kind == TAIBAI_GROUPS_V2 ? l->groups.unified : l->groups.folders[controller];
    snprintf(path, sizeof path, "%s/%s", name, file);
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return write_at(folder, path, text);
}

static bool set_limits(struct launcher *l, const char *name, const struct taibai_limits *limits) {
    // A period of 100 ms is the kernel's default.
    uint64_t quota = (uint64_t)limits->cpu_percent * 1000;
    bool is_limited = limits->processes && taibai_has_layer("processes");
    uint64_t processes = is_limited ? limits->processes : TAIBAI_PROCESSES_MAX;
    if (l->groups.kind == TAIBAI_GROUPS_V2) {
        char path[64], text[32];
        snprintf(path, sizeof path, "%s/cpu.max", name);
        snprintf(text, sizeof text, quota ? "%llu 100000" : "max 100000", (unsigned long long)quota);
        if (!write_at(l->groups.unified, path, text)) return false;
        // Swap accounting may be off, then there is no such file.
        snprintf(path, sizeof path, "%s/memory.swap.max", name);
        if (!write_at(l->groups.unified, path, "0") && errno != ENOENT) return false;
        return set(l, MEMORY, name, "memory.max", limits->memory_bytes) && set(l, MEMORY, name, "memory.oom.group", 1)
            && set(l, PROCESSES, name, "pids.max", processes);
    }
    bool is_unlimited = quota == 0;
    // The order of the two limits depends on which is in the way, so memory alone goes first and last.
    set(l, MEMORY, name, "memory.limit_in_bytes", limits->memory_bytes);
    bool has_swap_limit = set(l, MEMORY, name, "memory.memsw.limit_in_bytes", limits->memory_bytes) || errno == ENOENT
        || errno == EACCES || errno == EOPNOTSUPP;
    char path[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", name);
    bool has_share = is_unlimited ? write_at(l->groups.folders[PROCESSOR], path, "-1") || errno == ENOENT
                                  : set(l, PROCESSOR, name, "cpu.cfs_quota_us", quota);
    set(l, MEMORY, name, "memory.max_usage_in_bytes", 0);
    return has_swap_limit && has_share && set(l, MEMORY, name, "memory.limit_in_bytes", limits->memory_bytes)
        && set(l, PROCESSES, name, "pids.max", processes);
}

// How often the kernel has killed in this group for want of memory.
static int64_t kills_for_memory(struct launcher *l, const char *name) {
    char path[64], text[1024];
    bool is_v2 = l->groups.kind == TAIBAI_GROUPS_V2;
    snprintf(path, sizeof path, is_v2 ? "%s/memory.events" : "%s/memory.oom_control", name);
    if (!read_at(is_v2 ? l->groups.unified : l->groups.folders[MEMORY], path, text, sizeof text)) return 0;
    return number_after(text, "oom_kill ");
}

// With version 2 a group out of memory is killed as a whole (memory.oom.group); version 1 kills one process and tells
// of it by an event, on which the launcher kills the rest: a worker that lost a child could answer nonsense.
static int watch_memory(struct launcher *l, const char *name) {
    char path[64], text[32];
    if (l->groups.kind != TAIBAI_GROUPS_V1) return -1;
    snprintf(path, sizeof path, "%s/memory.oom_control", name);
    int control = openat(l->groups.folders[MEMORY], path, O_RDONLY | O_CLOEXEC);
    int event = control < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event >= 0) {
        snprintf(path, sizeof path, "%s/cgroup.event_control", name);
        snprintf(text, sizeof text, "%d %d", event, control);
        if (!write_at(l->groups.folders[MEMORY], path, text)) {
            close(event);
            event = -1;
        }
    }
    if (control >= 0) close(control);
    return event;
}

/// A group with these limits: its number, or -1 with errno.
int group_take(struct launcher *l, const struct taibai_limits *limits) {
    struct groups *g = &l->groups;
    char name[16];
    int group = -1;
    for (int i = 0; i < TAIBAI_WORKERS_MAX && group < 0; i++) {
        name_of(i, name);
        if (g->states[i] == GROUP_NONE || (g->states[i] == GROUP_FREE && is_empty(l, name))) group = i;
    }
    if (group < 0) {
        errno = ENOSPC;
        return -1;
    }
    if (g->states[group] == GROUP_FREE) g->free_count--;
    g->states[group] = GROUP_USED;
    g->memory_events[group] = -1;
    g->has_run_out[group] = false;
    if (!make_group(l, name) || (g->kind != TAIBAI_GROUPS_NONE && !set_limits(l, name, limits))) {
        int error = errno;
        group_give_back(l, group);
        errno = error;
        return -1;
    }
    g->kills_before[group] = g->kind == TAIBAI_GROUPS_NONE ? 0 : kills_for_memory(l, name);
    g->memory_events[group] = watch_memory(l, name);
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)group};
    if (g->memory_events[group] >= 0) epoll_ctl(g->events, EPOLL_CTL_ADD, g->memory_events[group], &wanted);
    return group;
}

/// Gives a group that was taken other limits. False with errno.
bool group_limit(struct launcher *l, int group, const struct taibai_limits *limits) {
    char name[16];
    name_of(group, name);
    return set_limits(l, name, limits);
}

/// Opens what a worker needs to be in the group: its folder of version 2 (or -1), and its `tasks` files of version 1
/// (their count in `*tasks_count`). False with errno when one can't be opened; nothing is open then.
bool group_open(struct launcher *l, int group, int *unified, int *tasks, int *tasks_count) {
    struct groups *g = &l->groups;
    char name[16], path[32];
    name_of(group, name);
    *unified = -1;
    *tasks_count = 0;
    if (g->unified >= 0) {
        *unified = openat(g->unified, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*unified < 0) return false;
    }
    snprintf(path, sizeof path, "%s/tasks", name);
    for (int i = 0; g->kind == TAIBAI_GROUPS_V1 && i < GROUP_CONTROLLERS; i++) {
        tasks[i] = openat(g->folders[i], path, O_WRONLY | O_CLOEXEC);
        if (tasks[i] < 0) {
            int error = errno;
            while (i > 0) close(tasks[--i]);
            if (*unified >= 0) close(*unified);
            errno = error;
            return false;
        }
        *tasks_count = i + 1;
    }
    return true;
}

static bool command(struct launcher *l, int group, const char *file, const char *text) {
    char path[48];
    if (group < 0 || l->groups.unified < 0) return false;
    snprintf(path, sizeof path, "w%d/%s", group, file);
    return write_at(l->groups.unified, path, text);
}

/// Stops all processes of the group, or lets them go on. False where there is no freezer.
bool group_freeze(struct launcher *l, int group, bool is_frozen) {
    return command(l, group, "cgroup.freeze", is_frozen ? "1" : "0");
}

/// Kills all processes of the group, frozen ones too. False where that is not known (before Linux 5.14).
bool group_kill(struct launcher *l, int group) { return command(l, group, "cgroup.kill", "1"); }

/// Whether the kernel has killed in the group for want of memory since it was taken.
bool group_was_out_of_memory(struct launcher *l, int group) {
    if (group < 0 || l->groups.kind == TAIBAI_GROUPS_NONE) return false;
    char name[16];
    name_of(group, name);
    return l->groups.has_run_out[group] || kills_for_memory(l, name) > l->groups.kills_before[group];
}

/// A group that has run out of memory since this was asked last, or -1.
int group_out_of_memory(struct launcher *l) {
    struct epoll_event found;
    uint64_t count;
    if (epoll_wait(l->groups.events, &found, 1, 0) != 1) return -1;
    int group = (int)found.data.u32;
    // It is also told when the group is removed; then nobody is in it.
    if (read(l->groups.memory_events[group], &count, sizeof count) < 0) return -1;
    // The kernel tells before it kills, and counts afterwards: whoever it would have killed may be dead by then.
    l->groups.has_run_out[group] = true;
    return group;
}

/// The worker has ended; the group is used again when its last process has gone.
void group_give_back(struct launcher *l, int group) {
    struct groups *g = &l->groups;
    if (group < 0 || g->states[group] != GROUP_USED) return;
    group_freeze(l, group, false);
    if (g->memory_events[group] >= 0) close(g->memory_events[group]);
    g->memory_events[group] = -1;
    g->states[group] = GROUP_FREE;
    g->free_count++;
}

/// Removes empty groups beyond those that are kept. Called when there is nothing else to do.
void groups_tidy(struct launcher *l) {
    struct groups *g = &l->groups;
    for (int i = TAIBAI_WORKERS_MAX - 1; i >= 0 && g->free_count > FREE_GROUPS_MAX; i--) {
        char name[16];
        name_of(i, name);
        if (g->states[i] != GROUP_FREE || !remove_group(l, name)) continue;
        g->states[i] = GROUP_NONE;
        g->free_count--;
    }
}

/// Removes every folder that was made. Whoever is in one has been killed; the last may take a moment to leave.
void groups_remove_folders(struct launcher *l) {
    struct groups *g = &l->groups;
    for (int i = 0; i < TAIBAI_WORKERS_MAX; i++) {
        char name[16];
        name_of(i, name);
        for (int tries = 0; g->states[i] != GROUP_NONE && tries < 100 && !remove_group(l, name); tries++) usleep(1000);
        g->states[i] = GROUP_NONE;
    }
    if (g->unified_parent >= 0) unlinkat(g->unified_parent, g->name, AT_REMOVEDIR);
    for (int i = 0; i < GROUP_CONTROLLERS; i++) {
        if (g->parents[i] >= 0) unlinkat(g->parents[i], g->name, AT_REMOVEDIR);
    }
}
