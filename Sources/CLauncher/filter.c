// The filter of system calls for sealed and guarded workers (filter_table.h), as a program for seccomp(2). Where a
// call's arguments matter it is looked at by them: clone, socket, ioctl. Source: seccomp(2), bpf(4), linux/filter.h.

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "filter_table.h"
#include "internal.h"

// The first number that was no system call when this list was made (Linux 6.18). On x86-64 it also keeps out the x32
// ones, which have bit 30.
enum { FILTER_CEILING = 470 };

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#define THIS_NUMBER(name, x86_64, arm64) x86_64,
#elif defined(__aarch64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#define THIS_NUMBER(name, x86_64, arm64) arm64,
#else
#error "the numbers of system calls are known for x86-64 and arm64 only"
#endif

static const int refused[] = {TAIBAI_REFUSED_CALLS(THIS_NUMBER, -1)};

// Flags of clone(2) that make namespaces. CLONE_NEWTIME is no flag of clone.
static const unsigned new_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// Offsets into struct seccomp_data; the lower half of an argument, since both architectures are little-endian.
enum { AT_NUMBER = 0, AT_ARCHITECTURE = 4, AT_ARGUMENT_0 = 16, AT_ARGUMENT_1 = 24 };

struct writer {
    struct sock_filter *program;
    int count;
    int max;
};

static void put(struct writer *w, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false) {
    if (w->count < w->max) w->program[w->count] = (struct sock_filter){code, if_true, if_false, value};
    w->count++;
}

static void load(struct writer *w, uint32_t offset) { put(w, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }

static void give(struct writer *w, uint32_t result) { put(w, BPF_RET | BPF_K, result, 0, 0); }

// Skips `count` instructions unless the loaded value is `value`.
static void unless_equal_skip(struct writer *w, uint32_t value, uint8_t count) {
    put(w, BPF_JMP | BPF_JEQ | BPF_K, value, 0, count);
}

// A socket of a family that is not among these is refused: each namespace of networks has AF_VSOCK (which on a cloud's
// machine reaches the hypervisor), AF_NETLINK and AF_PACKET of its own or of the host.
static void put_families(struct writer *w, uint32_t number, bool has_network) {
    static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6};
    int count = has_network ? 3 : 1;
    unless_equal_skip(w, number, (uint8_t)(3 + count));
    load(w, AT_ARGUMENT_0);
    for (int i = 0; i < count; i++) {
        put(w, BPF_JMP | BPF_JEQ | BPF_K, families[i], (uint8_t)(count - i), 0);
    }
    give(w, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
    give(w, SECCOMP_RET_ALLOW);
}

/// Writes the program and returns how many instructions it has, or 0 when there is no room for them.
/// `has_network`: whether sockets of the internet families may be made; a sealed worker has a network of its own.
int taibai_filter(struct sock_filter *program, int instructions_max, bool has_network) {
    struct writer writer = {program, 0, instructions_max};
    struct writer *w = &writer;
    load(w, AT_ARCHITECTURE);
    // Another architecture's calls (int 0x80) have other numbers. There is no honest reason for them: kill.
    put(w, BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 1, 0);
    give(w, SECCOMP_RET_KILL_PROCESS);
    load(w, AT_NUMBER);
    put(w, BPF_JMP | BPF_JGE | BPF_K, FILTER_CEILING, 0, 1);
    give(w, SECCOMP_RET_ERRNO | ENOSYS);
    // Its flags are in memory, where a filter can't look; with ENOSYS the C library takes clone.
    unless_equal_skip(w, SYS_clone3, 1);
    give(w, SECCOMP_RET_ERRNO | ENOSYS);
    unless_equal_skip(w, SYS_clone, 4);
    load(w, AT_ARGUMENT_0);
    put(w, BPF_JMP | BPF_JSET | BPF_K, new_namespaces, 0, 1);
    give(w, SECCOMP_RET_ERRNO | EPERM);
    give(w, SECCOMP_RET_ALLOW);
    put_families(w, SYS_socket, has_network);
    put_families(w, SYS_socketpair, has_network);
    // Typing into a terminal that somebody else reads.
    unless_equal_skip(w, SYS_ioctl, 5);
    load(w, AT_ARGUMENT_1);
    put(w, BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0);
    unless_equal_skip(w, TIOCLINUX, 1);
    give(w, SECCOMP_RET_ERRNO | EPERM);
    give(w, SECCOMP_RET_ALLOW);
    int refused_count = (int)(sizeof refused / sizeof refused[0]);
    for (int i = 0; i < refused_count; i++) {
        // -1, a call that this architecture lacks, equals no number.
        put(w, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refused[i], (uint8_t)(refused_count - i), 0);
    }
    give(w, SECCOMP_RET_ALLOW);
    give(w, SECCOMP_RET_ERRNO | EPERM);
    return w->count <= w->max ? w->count : 0;
}
