// Frames on the worker channel (protocol 1, Runtime/README.md). What is sent gathers and leaves in one write at the end
// of a turn, since a wake-up of the server costs more than the bytes. Integers are little-endian, as on every machine
// this is built for.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written as they stand in memory");

enum { HEADER_SIZE = 24, FRAME_MAX = HEADER_SIZE + FRAME_BODY_MAX };

static unsigned char received[2 * FRAME_MAX];
static size_t received_start, received_end;
static unsigned char waiting[FRAME_MAX];
static size_t waiting_length;

/// Ends the worker, saying why in its output. The server kills what breaks the protocol; this is for the other side.
_Noreturn void protocol_error(const char *what) {
    dprintf(2, "taibai: the server broke the protocol: %s\n", what);
    _exit(70);
}

/// Reads what the server has sent. False: it has closed the channel.
bool frames_receive(void) {
    memmove(received, received + received_start, received_end - received_start);
    received_end -= received_start;
    received_start = 0;
    ssize_t count = recv(WORKER_CHANNEL, received + received_end, sizeof received - received_end, MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    received_end += (size_t)count;
    return count > 0;
}

/// Waits for one frame, and takes nothing of what comes behind it: that may be for a program which takes the channel
/// over. False: the server has closed the channel.
bool frames_receive_one(struct frame *frame) {
    while (!frames_next(frame)) {
        size_t available = received_end - received_start;
        uint32_t length = 0;
        if (available >= HEADER_SIZE) memcpy(&length, received + received_start, 4);
        ssize_t count = recv(WORKER_CHANNEL, received + received_end, HEADER_SIZE + length - available, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        received_end += (size_t)count;
    }
    return true;
}

/// The next whole frame, if there is one; its body is valid until the next `frames_receive`.
bool frames_next(struct frame *frame) {
    const unsigned char *start = received + received_start;
    size_t available = received_end - received_start;
    uint32_t length;
    if (available < HEADER_SIZE) return false;
    memcpy(&length, start, 4);
    if (length > FRAME_BODY_MAX) protocol_error("a frame is longer than 262144 bytes");
    if (available < HEADER_SIZE + (size_t)length) return false;
    frame->type = start[4];
    frame->flags = start[5];
    memcpy(&frame->request, start + 8, 8);
    memcpy(&frame->nonce, start + 16, 8);
    frame->body = start + HEADER_SIZE;
    frame->length = length;
    received_start += HEADER_SIZE + length;
    return true;
}

/// Writes what has gathered; waits for the server to read it. A server that is gone ends the worker.
void frames_flush(void) {
    size_t written = 0;
    while (written < waiting_length) {
        ssize_t count = send(WORKER_CHANNEL, waiting + written, waiting_length - written, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) _exit(0);
        written += (size_t)count;
    }
    waiting_length = 0;
}

/// Queues a frame whose body is two pieces; about `program`, or about the worker itself (NULL).
void frames_send_two(
    uint8_t type, uint8_t flags, const struct program *program, const void *first, size_t first_length,
    const void *second, size_t second_length) {
    uint32_t length = (uint32_t)(first_length + second_length);
    if (waiting_length + HEADER_SIZE + length > sizeof waiting) frames_flush();
    unsigned char *to = waiting + waiting_length;
    memset(to, 0, HEADER_SIZE);
    memcpy(to, &length, 4);
    to[4] = type;
    to[5] = flags;
    if (program) {
        memcpy(to + 8, &program->request, 8);
        memcpy(to + 16, &program->nonce, 8);
    }
    if (first_length) memcpy(to + HEADER_SIZE, first, first_length);
    if (second_length) memcpy(to + HEADER_SIZE + first_length, second, second_length);
    waiting_length += HEADER_SIZE + length;
}

/// Queues a frame.
void frames_send(uint8_t type, uint8_t flags, const struct program *program, const void *body, size_t length) {
    frames_send_two(type, flags, program, body, length, NULL, 0);
}

/// Steps through fields: false when none begins at `*at`, or when the bytes are too short for it.
bool fields_next(const unsigned char *bytes, size_t length, size_t *at, struct field *field) {
    uint16_t name_length;
    uint32_t value_length;
    if (length - *at < 6) return false;
    memcpy(&name_length, bytes + *at, 2);
    memcpy(&value_length, bytes + *at + 2, 4);
    if (length - *at - 6 < (size_t)name_length + value_length) return false;
    field->name = (const char *)bytes + *at + 6;
    field->name_length = name_length;
    field->value = field->name + name_length;
    field->value_length = value_length;
    *at += 6 + (size_t)name_length + value_length;
    return true;
}

bool field_is(const struct field *field, const char *name) {
    return field->name_length == strlen(name) && memcmp(field->name, name, field->name_length) == 0;
}

/// Writes one field and returns its size.
size_t put_field(unsigned char *to, const char *name, size_t name_length, const char *value, size_t value_length) {
    uint16_t short_length = (uint16_t)name_length;
    uint32_t long_length = (uint32_t)value_length;
    memcpy(to, &short_length, 2);
    memcpy(to + 2, &long_length, 4);
    memcpy(to + 6, name, name_length);
    memcpy(to + 6 + name_length, value, value_length);
    return 6 + name_length + value_length;
}

/// Writes an error as the fields `type` and `message` and returns their size, ERROR_MESSAGE_MAX + 64 at most: the type
/// is one of our own words, the message is cut.
size_t put_error(unsigned char *to, const char *type, const char *message) {
    const uint16_t count = 2;
    memcpy(to, &count, 2);
    size_t length = 2 + put_field(to + 2, "type", 4, type, strlen(type));
    return length + put_field(to + length, "message", 7, message, strnlen(message, ERROR_MESSAGE_MAX));
}
