// Folders for files of a while, at level guarded, whose workers have no /tmp of their own: one for each, below one of
// the launcher's. What a worker leaves there is removed bit by bit, when there is nothing else to do: it may be a
// million files, or a thousand folders deep.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "state.h"

// Entries looked at in one go.
enum { ENTRIES_A_TURN = 256 };

// Source: getdents64(2).
struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

// Takes over what a launcher that was killed has left, to be removed with the rest: a folder of ours whose process is
// gone, and which nobody has locked (a process elsewhere may have the same number). Called at the start, when memory
// may still be asked for.
static void take_stale(struct launcher *l) {
    DIR *list = opendir("/tmp");
    if (!list) return;
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
        if (!taibai_is_leftover(entry->d_name)) continue;
        int folder = openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct stat status;
        bool is_ours = folder >= 0 && fstat(folder, &status) == 0 && status.st_uid == geteuid();
        char doomed[32];
        snprintf(doomed, sizeof doomed, "x%llu", (unsigned long long)l->scratch_doomed);
        if (is_ours && flock(folder, LOCK_EX | LOCK_NB) == 0
            && renameat(dirfd(list), entry->d_name, l->scratch, doomed) == 0) {
            l->scratch_doomed++;
            l->must_refill = true;
        }
        if (folder >= 0) close(folder);
    }
    closedir(list);
}

/// Makes the folder of this launcher's folders; without it, guarded workers have none.
void scratch_open(struct launcher *l) {
    char path[64];
    l->scratch = -1;
    snprintf(path, sizeof path, SCRATCH_FOLDER, l->self);
    // Nobody else may have put something there: the folder must be new.
    if (mkdir(path, 0711) < 0 || chmod(path, 0711) < 0) return;
    l->scratch = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (l->scratch < 0) return;
    flock(l->scratch, LOCK_SH);
    take_stale(l);
}

static void name_of(uint64_t worker, char name[24]) { snprintf(name, 24, "%llu", (unsigned long long)worker); }

/// Makes a worker's folder, for that user (0: this process's). Returns it open, or -1 with errno.
int scratch_make(struct launcher *l, uint64_t worker, uid_t user, gid_t group) {
    char name[24];
    name_of(worker, name);
    if (mkdirat(l->scratch, name, 0700) < 0) return -1;
    int folder = openat(l->scratch, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder >= 0 && user != 0 && fchown(folder, user, group) < 0) {
        int error = errno;
        close(folder);
        errno = error;
        return -1;
    }
    return folder;
}

/// The worker has ended: its folder goes by and by.
void scratch_give_up(struct launcher *l, uint64_t worker) {
    char name[24], doomed[32];
    name_of(worker, name);
    snprintf(doomed, sizeof doomed, "x%llu", (unsigned long long)l->scratch_doomed++);
    if (renameat(l->scratch, name, l->scratch, doomed) == 0) l->must_refill = true;
}

// Removes what is in one doomed folder, at most so many entries. A folder in it that is not empty becomes doomed
// itself, so that depth does not matter.
static void empty(struct launcher *l, int folder, int *entries_left) {
    char bytes[4096];
    bool has_found = true;
    while (has_found && *entries_left > 0) {
        long length = syscall(SYS_getdents64, folder, bytes, sizeof bytes);
        has_found = false;
        for (long at = 0; at < length; at += ((struct entry *)(bytes + at))->size) {
            const char *name = ((struct entry *)(bytes + at))->name;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
            has_found = true;
            (*entries_left)--;
            if (unlinkat(folder, name, 0) == 0 || unlinkat(folder, name, AT_REMOVEDIR) == 0) continue;
            char doomed[32];
            snprintf(doomed, sizeof doomed, "x%llu", (unsigned long long)l->scratch_doomed++);
            renameat(folder, name, l->scratch, doomed);
        }
        lseek(folder, 0, SEEK_SET);
    }
}

/// Removes some of what workers have left. False when nothing is left.
bool scratch_tidy(struct launcher *l) {
    int entries_left = ENTRIES_A_TURN;
    for (; l->scratch >= 0 && l->scratch_removed < l->scratch_doomed && entries_left > 0; entries_left--) {
        char name[32];
        snprintf(name, sizeof name, "x%llu", (unsigned long long)l->scratch_removed);
        int folder = openat(l->scratch, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (folder >= 0) {
            empty(l, folder, &entries_left);
            close(folder);
        }
        bool is_gone = unlinkat(l->scratch, name, AT_REMOVEDIR) == 0 || unlinkat(l->scratch, name, 0) == 0;
        if (!is_gone && errno != ENOENT && entries_left <= 0) return true;
        l->scratch_removed++;
    }
    return l->scratch >= 0 && l->scratch_removed < l->scratch_doomed;
}

/// Removes everything, the launcher's folder too. Every worker has ended.
void scratch_close(struct launcher *l) {
    char path[64];
    if (l->scratch < 0) return;
    // The folders of workers that were killed with the launcher: their ends have not been told one by one.
    int entries_left = TAIBAI_WORKERS_MAX;
    int own = openat(l->scratch, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (scratch_tidy(l)) continue;
    if (own >= 0) {
        empty(l, own, &entries_left);
        close(own);
    }
    while (scratch_tidy(l)) continue;
    snprintf(path, sizeof path, SCRATCH_FOLDER, l->self);
    rmdir(path);
}
