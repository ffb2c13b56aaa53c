// Who is a child of this process: the launcher and the exec host ask it, because both are child subreapers and so
// inherit what their descendants leave behind. Source: proc(5) on /proc/PID/task/TID/children, waitid(2).

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

// This process has one thread, so its list is the whole list.
static int open_children(void) { return open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC); }

/// Whether the kernel lists children at all (CONFIG_PROC_CHILDREN). errno says why not.
bool taibai_children_listed(void) {
    int file = open_children();
    if (file < 0) return false;
    close(file);
    return true;
}

/// Writes the pids of this process's children, at most `pids_max`, and returns how many; -1 with errno on failure. The
/// kernel may miss one while others end, so a caller looks again after each SIGCHLD.
int taibai_children(pid_t *pids, int pids_max) {
    int file = open_children();
    if (file < 0) return -1;
    char text[4096];
    int count = 0;
    pid_t pid = 0;
    ssize_t length;
    while ((length = read(file, text, sizeof text)) != 0) {
        if (length < 0) {
            if (errno == EINTR) continue;
            break;
        }
        for (ssize_t i = 0; i < length; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid > 0) {
                if (count < pids_max) pids[count++] = pid;
                pid = 0;
            }
        }
    }
    close(file);
    return count;
}

/// A child that has ended and is not yet waited for, so that its pid and its process group can't be anybody else's;
/// 0 when there is none.
pid_t taibai_ended_child(void) {
    siginfo_t ended;
    ended.si_pid = 0;
    int result;
    do {
        result = waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL);
    } while (result < 0 && errno == EINTR);
    return result == 0 ? ended.si_pid : 0;
}

/// Whether a folder of this name, `taibai-PID`, is that of a launcher whose process is gone.
bool taibai_is_leftover(const char *name) {
    int pid = 0, end = 0;
    if (sscanf(name, "taibai-%d%n", &pid, &end) != 1 || name[end] || pid <= 0) return false;
    return kill(pid, 0) < 0 && errno == ESRCH;
}
