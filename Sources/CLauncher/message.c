// Messages with descriptors over SOCK_SEQPACKET sockets, for both sides. Source: unix(7), cmsg(3).

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

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

static int receive(
    int socket, void *message, size_t length, size_t *received_length, int *descriptors, int flags) {
    struct iovec part = {.iov_base = message, .iov_len = length};
    union descriptor_space space;
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    for (int i = 0; i < TAIBAI_DESCRIPTORS_MAX; i++) descriptors[i] = -1;
    ssize_t received;
    do {
        received = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
    } while (received < 0 && errno == EINTR);
    if (received < 0) return errno == ECONNRESET ? EPIPE : errno;
    int taken = take_descriptors(&header, descriptors);
    int result = 0;
    if (received == 0) {
        result = EPIPE;
    } else if ((!received_length && (size_t)received != length) || header.msg_flags & MSG_TRUNC) {
        result = EMSGSIZE;
    } else if (header.msg_flags & MSG_CTRUNC) {
        // The kernel drops what this process has no free descriptor for.
        result = EMFILE;
    }
    if (received_length) *received_length = (size_t)received;
    if (result == 0) return 0;
    // Those that did come are of no use without the others.
    for (int i = 0; i < taken; i++) {
        close(descriptors[i]);
        descriptors[i] = -1;
    }
    return result;
}

int taibai_receive(int socket, void *message, size_t length, int *descriptors) {
    return receive(socket, message, length, NULL, descriptors, MSG_DONTWAIT);
}

/// Waits for a message of at most `length` bytes, whose length is stored. Otherwise as taibai_receive.
int taibai_receive_waiting(int socket, void *message, size_t length, size_t *received, int *descriptors) {
    return receive(socket, message, length, received, descriptors, 0);
}
