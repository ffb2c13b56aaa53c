// What goal P3 is measured against: an HTTP gateway of the same shape as the server, in C on libuv. One process parses
// HTTP/1.1 and hands each request over a Unix stream socket to one of N worker processes, one at a time to each; who
// finds none free waits in the gateway's queue, and the worker that was busy last is taken first. A connection's
// answers leave in one write at the end of a loop turn.
//
// It has the shape and nothing else: no isolation, deadlines, records, log, or growth of the pool. `gateway 4` has four
// workers and prints its port. It is compiled with -D_GNU_SOURCE and linked with -luv.

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { WORKERS_MAX = 64, HEAD_MAX = 16384, BODY_MAX = 1 << 20, READ_SIZE = 65536, BACKLOG = 1024 };

static const char answer_type[] = "application/json";
static const char answer_body[] = "{\"message\": \"Hello, world!\"}";

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "gateway: %s: %s\n", what, strerror(errno));
    exit(1);
}

// Bytes that are appended at the end and consumed at the start.
struct bytes {
    char *memory;
    size_t start, end, capacity;
};

static size_t bytes_count(const struct bytes *b) { return b->end - b->start; }

static char *bytes_room(struct bytes *b, size_t count) {
    if (b->start == b->end) b->start = b->end = 0;
    if (b->capacity - b->end < count) {
        if (b->start > 0) memmove(b->memory, b->memory + b->start, bytes_count(b));
        b->end -= b->start;
        b->start = 0;
        while (b->capacity - b->end < count) b->capacity = b->capacity ? 2 * b->capacity : 4096;
        b->memory = realloc(b->memory, b->capacity);
        if (!b->memory) fail("no memory");
    }
    return b->memory + b->end;
}

static void bytes_append(struct bytes *b, const void *from, size_t count) {
    memcpy(bytes_room(b, count), from, count);
    b->end += count;
}

// Between gateway and worker: this and then `length` bytes. There a request as it came, here type and body of the
// answer, with a newline between them.
struct frame {
    uint32_t length;
    uint32_t status;
};

// The worker's process.

_Noreturn static void work(int channel) {
    static char in[sizeof(struct frame) + HEAD_MAX + BODY_MAX], out[256];
    struct frame frame;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t have = 0;;) {
        ssize_t count = read(channel, in + have, sizeof in - have);
        if (count <= 0) exit(0);
        have += (size_t)count;
        if (have >= sizeof frame) memcpy(&frame, in, sizeof frame);
        if (have < sizeof frame || have < sizeof frame + frame.length) continue;
        have = 0;
        frame.status = 200;
        frame.length = (uint32_t)snprintf(
            out + sizeof frame, sizeof out - sizeof frame, "%s\n%s", answer_type, answer_body);
        memcpy(out, &frame, sizeof frame);
        ssize_t length = (ssize_t)(sizeof frame + frame.length);
        if (write(channel, out, (size_t)length) != length) exit(1);
    }
}

// The gateway's process.

struct connection {
    uv_tcp_t handle;
    struct bytes in, out;
    // Of the request that is being answered, or waits for it: how long it is with its body.
    size_t request_length;
    bool is_waiting, is_busy, is_dirty, closes_after, has_last_answer, is_closing, is_closed;
    struct connection *next_waiting, *next_dirty;
};

struct worker {
    uv_pipe_t handle;
    struct bytes in;
    struct connection *connection;
};

static uv_loop_t *loop;
static struct worker workers[WORKERS_MAX];
// Workers without a request, the one that was busy last on top; connections whose request waits, the oldest first;
// connections with something to write at the end of the turn.
static struct worker *idle[WORKERS_MAX];
static int idle_count;
static struct connection *first_waiting, *last_waiting, *first_dirty;

static void release(struct connection *c) {
    if (!c->is_closed || c->is_busy || c->is_waiting || c->is_dirty) return;
    free(c->in.memory);
    free(c->out.memory);
    free(c);
}

static void connection_closed(uv_handle_t *handle) {
    struct connection *c = handle->data;
    c->is_closed = true;
    release(c);
}

static void connection_close(struct connection *c) {
    if (c->is_closing) return;
    c->is_closing = true;
    uv_close((uv_handle_t *)&c->handle, connection_closed);
}

struct write {
    uv_write_t request;
    char bytes[];
};

static void written(uv_write_t *request, int status) {
    struct connection *c = request->data;
    if (c && (status < 0 || (c->has_last_answer && request->handle->write_queue_size == 0))) connection_close(c);
    free(request);
}

// Writes now what the socket takes, and the rest when it takes more.
static void stream_write(uv_stream_t *stream, struct connection *c, const uv_buf_t *parts, unsigned count) {
    int done = uv_try_write(stream, parts, count);
    size_t skip = done > 0 ? (size_t)done : 0, total = 0, at = 0;
    for (unsigned i = 0; i < count; i++) total += parts[i].len;
    if (skip == total) {
        if (c && c->has_last_answer) connection_close(c);
        return;
    }
    struct write *rest = malloc(sizeof *rest + total);
    if (!rest) fail("no memory");
    for (unsigned i = 0; i < count; at += parts[i++].len) memcpy(rest->bytes + at, parts[i].base, parts[i].len);
    rest->request.data = c;
    uv_buf_t buffer = uv_buf_init(rest->bytes + skip, (unsigned)(total - skip));
    if (uv_write(&rest->request, stream, &buffer, 1, written) < 0) {
        free(rest);
        if (c) connection_close(c);
    }
}

static void give(struct worker *w, struct connection *c) {
    struct frame frame = {.length = (uint32_t)c->request_length};
    uv_buf_t parts[] = {
        uv_buf_init((char *)&frame, sizeof frame),
        uv_buf_init(c->in.memory + c->in.start, (unsigned)c->request_length)};
    w->connection = c;
    c->is_busy = true;
    stream_write((uv_stream_t *)&w->handle, NULL, parts, 2);
    c->in.start += c->request_length;
}

static void serve_waiting(void) {
    while (first_waiting && idle_count > 0) {
        struct connection *c = first_waiting;
        first_waiting = c->next_waiting;
        c->is_waiting = false;
        if (c->is_closing) {
            release(c);
        } else {
            give(idle[--idle_count], c);
        }
    }
}

static void put_answer(
    struct connection *c, unsigned status, const char *type, size_t type_length, const char *body, size_t length) {
    char head[256];
    int head_length = snprintf(
        head, sizeof head, "HTTP/1.1 %u %s\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n%s\r\n", status,
        status == 200 ? "OK" : "Refused", (int)type_length, type, length,
        c->closes_after ? "Connection: close\r\n" : "");
    if (head_length < 0 || (size_t)head_length >= sizeof head) fail("the head of an answer is too long");
    bytes_append(&c->out, head, (size_t)head_length);
    bytes_append(&c->out, body, length);
    c->has_last_answer = c->closes_after;
    if (c->is_dirty) return;
    c->is_dirty = true;
    c->next_dirty = first_dirty;
    first_dirty = c;
}

static void refuse(struct connection *c, unsigned status) {
    c->closes_after = true;
    put_answer(c, status, "text/plain", 10, "refused\n", 8);
}

// What matters of a request's head.
struct head {
    size_t body_length;
    bool keeps_alive;
    unsigned refusal;
};

static bool value_is(const char *value, size_t length, const char *word) {
    return length == strlen(word) && strncasecmp(value, word, length) == 0;
}

static void read_field(struct head *head, const char *name, size_t name_length, const char *value, size_t length) {
    if (value_is(name, name_length, "content-length")) {
        size_t number = 0;
        if (length == 0 || length > 9) head->refusal = 413;
        for (size_t i = 0; i < length && !head->refusal; i++) {
            if (!isdigit((unsigned char)value[i])) head->refusal = 400;
            number = 10 * number + (size_t)(value[i] - '0');
        }
        // Two that differ would let the next request begin in the wrong place.
        if (head->body_length > 0 && head->body_length != number) head->refusal = 400;
        head->body_length = number;
        if (number > BODY_MAX) head->refusal = 413;
    } else if (value_is(name, name_length, "transfer-encoding")) {
        head->refusal = 501;
    } else if (value_is(name, name_length, "connection")) {
        if (value_is(value, length, "close")) head->keeps_alive = false;
        if (value_is(value, length, "keep-alive")) head->keeps_alive = true;
    }
}

// Source: RFC 9112 §3 and §5; lines end with CR LF.
static struct head read_head(const char *text, const char *end) {
    struct head head = {.keeps_alive = true, .refusal = 400};
    const char *line_end = memmem(text, (size_t)(end - text), "\r\n", 2);
    const char *target = memchr(text, ' ', (size_t)(line_end - text));
    if (!target || target == text || target[1] != '/') return head;
    const char *version = memchr(target + 1, ' ', (size_t)(line_end - target - 1));
    if (!version || line_end - version != 9 || memcmp(version + 1, "HTTP/1.", 7) != 0) return head;
    head.keeps_alive = version[8] != '0';
    head.refusal = 0;
    for (const char *line = line_end + 2; line < end && !head.refusal; line = line_end + 2) {
        line_end = memmem(line, (size_t)(end - line), "\r\n", 2);
        const char *colon = memchr(line, ':', (size_t)(line_end - line));
        if (!colon || colon == line || colon[-1] == ' ' || *line == ' ' || *line == '\t') {
            head.refusal = 400;
            break;
        }
        const char *value = colon + 1, *value_end = line_end;
        while (value < value_end && (*value == ' ' || *value == '\t')) value++;
        while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t')) value_end--;
        read_field(&head, line, (size_t)(colon - line), value, (size_t)(value_end - value));
    }
    return head;
}

// Takes the next request, if it is there and the one before it is answered.
static void connection_advance(struct connection *c) {
    size_t count = bytes_count(&c->in);
    if (c->is_busy || c->is_waiting || c->closes_after || c->is_closing || count == 0) return;
    const char *start = c->in.memory + c->in.start;
    const char *blank = memmem(start, count, "\r\n\r\n", 4);
    if (!blank || blank - start > HEAD_MAX - 4) {
        if (blank || count > HEAD_MAX) refuse(c, 431);
        return;
    }
    struct head head = read_head(start, blank + 2);
    if (head.refusal) return refuse(c, head.refusal);
    size_t length = (size_t)(blank + 4 - start) + head.body_length;
    if (count < length) return;
    c->request_length = length;
    c->closes_after = !head.keeps_alive;
    c->is_waiting = true;
    c->next_waiting = NULL;
    if (first_waiting) {
        last_waiting->next_waiting = c;
    } else {
        first_waiting = c;
    }
    last_waiting = c;
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    struct bytes *in = handle->type == UV_TCP ? &((struct connection *)handle->data)->in
                                              : &((struct worker *)handle->data)->in;
    *buffer = uv_buf_init(bytes_room(in, READ_SIZE), READ_SIZE);
}

static void connection_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    (void)buffer;
    struct connection *c = stream->data;
    if (count < 0) return connection_close(c);
    c->in.end += (size_t)count;
    // More than a request and the next head: who sends so far ahead is not waited for.
    if (bytes_count(&c->in) > 2 * (HEAD_MAX + BODY_MAX)) return connection_close(c);
    connection_advance(c);
    serve_waiting();
}

static void worker_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    (void)buffer;
    struct worker *w = stream->data;
    struct frame frame;
    if (count < 0) fail("a worker has ended");
    w->in.end += (size_t)count;
    if (bytes_count(&w->in) < sizeof frame) return;
    memcpy(&frame, w->in.memory + w->in.start, sizeof frame);
    if (bytes_count(&w->in) < sizeof frame + frame.length) return;
    const char *type = w->in.memory + w->in.start + sizeof frame;
    const char *line_end = memchr(type, '\n', frame.length);
    struct connection *c = w->connection;
    if (!line_end || !c) fail("a worker broke the protocol");
    size_t type_length = (size_t)(line_end - type);
    w->connection = NULL;
    c->is_busy = false;
    idle[idle_count++] = w;
    if (c->is_closing) {
        release(c);
    } else {
        put_answer(c, frame.status, type, type_length, line_end + 1, frame.length - type_length - 1);
        connection_advance(c);
    }
    w->in.start += sizeof frame + frame.length;
    serve_waiting();
}

static void turn_ends(uv_check_t *check) {
    (void)check;
    while (first_dirty) {
        struct connection *c = first_dirty;
        first_dirty = c->next_dirty;
        c->is_dirty = false;
        uv_buf_t part = uv_buf_init(c->out.memory + c->out.start, (unsigned)bytes_count(&c->out));
        c->out.start = c->out.end;
        if (!c->is_closing) stream_write((uv_stream_t *)&c->handle, c, &part, 1);
        release(c);
    }
}

static void connected(uv_stream_t *listener, int status) {
    struct connection *c = calloc(1, sizeof *c);
    if (status < 0 || !c || uv_tcp_init(loop, &c->handle) < 0) fail("a connection can't be taken");
    c->handle.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->handle) < 0) return connection_close(c);
    uv_tcp_nodelay(&c->handle, 1);
    if (uv_read_start((uv_stream_t *)&c->handle, allocate, connection_read) < 0) connection_close(c);
}

// Before the loop exists: the workers must have nothing of it.
static void start_workers(int count, int *channels) {
    for (int i = 0; i < count; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) fail("socketpair");
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid == 0) {
            for (int j = 0; j < i; j++) close(channels[j]);
            close(ends[0]);
            work(ends[1]);
        }
        close(ends[1]);
        channels[i] = ends[0];
    }
}

int main(int argc, char **argv) {
    int channels[WORKERS_MAX], count = argc > 1 ? atoi(argv[1]) : 4;
    if (count < 1 || count > WORKERS_MAX) return fprintf(stderr, "usage: gateway WORKERS, 1 to 64\n"), 2;
    start_workers(count, channels);
    loop = uv_default_loop();
    for (int i = 0; i < count; i++) {
        struct worker *w = idle[idle_count++] = &workers[i];
        w->handle.data = w;
        uv_stream_t *stream = (uv_stream_t *)&w->handle;
        if (uv_pipe_init(loop, &w->handle, 0) < 0 || uv_pipe_open(&w->handle, channels[i]) < 0) fail("uv_pipe_open");
        if (uv_read_start(stream, allocate, worker_read) < 0) fail("uv_read_start");
    }
    uv_check_t check;
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_check_init(loop, &check) < 0 || uv_check_start(&check, turn_ends) < 0) fail("uv_check_start");
    if (uv_tcp_init(loop, &listener) < 0 || uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) < 0
        || uv_listen((uv_stream_t *)&listener, BACKLOG, connected) < 0
        || uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length) < 0) fail("can't listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
