// Messages with descriptors over SOCK_SEQPACKET sockets, and the small calls on descriptors that Swift can't make
// itself because they are variadic or macros. Used on both sides of the socket. Source: unix(7), cmsg(3).

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launcher.h"

union descriptor_space {
    char bytes[CMSG_SPACE(TAIBAI_DESCRIPTORS_MAX * sizeof(int))];
    struct cmsghdr alignment;
};

int taibai_send(int socket, const void *message, size_t length, const int *descriptors, int count) {
    struct iovec part = {.iov_base = (void *)message, .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    union descriptor_space space;
    if (count < 0 || count > TAIBAI_DESCRIPTORS_MAX) return EINVAL;
    if (count > 0) {
        memset(&space, 0, sizeof space);
        header.msg_control = space.bytes;
        header.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(item), descriptors, (size_t)count * sizeof(int));
    }
    for (;;) {
        if (sendmsg(socket, &header, MSG_NOSIGNAL) >= 0) return 0;
        if (errno != EINTR) return errno;
    }
}

// Takes the descriptors out of a received message; more than fit can't come, because the space for them is bounded.
static int take_descriptors(struct msghdr *header, int *descriptors) {
    int taken = 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        int count = (int)((item->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(item) + (size_t)i * sizeof(int), sizeof descriptor);
            if (taken < TAIBAI_DESCRIPTORS_MAX) {
                descriptors[taken++] = descriptor;
            } else {
                close(descriptor);
            }
        }
    }
    return taken;
}

int taibai_receive(int socket, void *message, size_t length, int *descriptors) {
    struct iovec part = {.iov_base = message, .iov_len = length};
    union descriptor_space space;
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    for (int i = 0; i < TAIBAI_DESCRIPTORS_MAX; i++) descriptors[i] = -1;
    ssize_t received;
    do {
        received = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    if (received < 0) return errno == ECONNRESET ? EPIPE : errno;
    int taken = take_descriptors(&header, descriptors);
    int result = 0;
    if (received == 0) {
        result = EPIPE;
    } else if ((size_t)received != length || header.msg_flags & MSG_TRUNC) {
        result = EMSGSIZE;
    } else if (header.msg_flags & MSG_CTRUNC) {
        // The kernel drops what this process has no free descriptor for.
        result = EMFILE;
    }
    if (result == 0) return 0;
    for (int i = 0; i < taken; i++) {
        close(descriptors[i]);
        descriptors[i] = -1;
    }
    return result;
}

int taibai_memory_file(const char *name, const void *bytes, size_t length) {
    int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return -errno;
    size_t written = 0;
    while (written < length) {
        ssize_t count = write(file, (const char *)bytes + written, length - written);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            int error = errno;
            close(file);
            return -error;
        }
        written += (size_t)count;
    }
    if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        int error = errno;
        close(file);
        return -error;
    }
    return file;
}

static int make_non_blocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ? errno : 0;
}

static int close_both(int ends[2], int error) {
    close(ends[0]);
    close(ends[1]);
    return error;
}

int taibai_channel(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    int error = make_non_blocking(ends[0]);
    return error ? close_both(ends, error) : 0;
}

int taibai_output_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) < 0) return errno;
    int error = make_non_blocking(ends[0]);
    return error ? close_both(ends, error) : 0;
}

int taibai_open_directory(const char *path) {
    int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -errno : directory;
}

int taibai_signal_process(int pidfd, int signal) {
    // Called by number: the wrapper came only with glibc 2.36.
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? errno : 0;
}
