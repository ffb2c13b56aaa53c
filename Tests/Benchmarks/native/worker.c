// A native worker: a program that speaks the worker channel itself (protocol 1, Runtime/README.md), so that a request
// costs no process. It greets a request without a body, and tells one with a body how many bytes it had. It is the
// benchmarks' no-op, and what to begin a worker of one's own with: change `answer`.
//
// It reads whatever has come, answers all that it can, and writes the answers with one system call: with many requests
// on the way a wake-up is shared by many of them.
//
// One thread. SIGTERM is left at its default: the server sends it only when nobody waits for what runs any more.

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are taken as they stand in the frames");

enum { CHANNEL = 3, PROTOCOL = 1 };
enum { REQUEST = 2, BODY, CANCEL, DRAIN, CREDIT };
enum { HELLO = 17, READY = 18, HEAD = 20, END = 22 };
enum { LAST = 1 };
enum { ANSWERED = 0, CANCELLED = 2 };
enum {
    BODY_MAX = 262144,
    CREDIT_STEP = 65536,
    // The highest concurrency there is, and what may come early.
    REQUESTS_MAX = 1004,
    // More than any one answer here.
    ANSWER_MAX = 512,
};

struct header {
    uint32_t length;
    uint8_t type, flags;
    uint16_t zero;
    uint64_t request, nonce;
};
_Static_assert(sizeof(struct header) == 24, "a frame's header as it is on the wire");

// A request whose answer is not on its way, because its body has not ended or those before it have not.
struct request {
    uint64_t number, nonce, body_length;
    uint32_t uncredited;
    bool has_ended;
};

static unsigned char in[2 * (sizeof(struct header) + BODY_MAX)];
static size_t in_start, in_end;
static unsigned char out[BODY_MAX];
static size_t out_length;
static struct request requests[REQUESTS_MAX];
static size_t request_count;
static uint64_t last_request;
static bool takes_turns, is_draining;

_Noreturn static void protocol_error(const char *what) {
    // Standard error is the function's log.
    fprintf(stderr, "the server broke the protocol: %s\n", what);
    exit(70);
}

static void write_out(void) {
    for (size_t written = 0; written < out_length;) {
        ssize_t count = send(CHANNEL, out + written, out_length - written, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        // Nobody is there to answer.
        if (count < 0) exit(0);
        written += (size_t)count;
    }
    out_length = 0;
}

static void put(const void *bytes, size_t length) {
    memcpy(out + out_length, bytes, length);
    out_length += length;
}

static void put_header(uint8_t type, uint8_t flags, uint64_t request, uint64_t nonce, size_t length) {
    if (out_length + sizeof(struct header) + length > sizeof out) write_out();
    struct header header = {(uint32_t)length, type, flags, 0, request, nonce};
    put(&header, sizeof header);
}

static void put_end(const struct request *request, uint8_t outcome) {
    // Processor time and memory of one request among many are not known: all ones.
    unsigned char body[17];
    memset(body, 0xff, sizeof body);
    body[0] = outcome;
    put_header(END, 0, request->number, request->nonce, sizeof body);
    put(body, sizeof body);
}

// The function itself. The head's fields: their count, then the lengths of name and value before each.
static void answer(const struct request *request) {
    static const unsigned char head[] = "\xc8\0" "\1\0" "\x0c\0" "\x10\0\0\0" "content-typeapplication/json";
    char text[ANSWER_MAX] = "{\"message\": \"Hello, world!\"}";
    if (request->body_length > 0) {
        snprintf(text, sizeof text, "{\"bytes\": %llu}", (unsigned long long)request->body_length);
    }
    size_t length = strlen(text);
    put_header(HEAD, LAST, request->number, request->nonce, sizeof head - 1 + length);
    put(head, sizeof head - 1);
    put(text, length);
    put_end(request, ANSWERED);
}

// Answers what has ended: with a concurrency of 1 only while none before it is left.
static void answer_ended(void) {
    size_t left = 0;
    for (size_t i = 0; i < request_count; i++) {
        if (requests[i].has_ended && (left == 0 || !takes_turns)) {
            answer(&requests[i]);
        } else {
            requests[left++] = requests[i];
        }
    }
    request_count = left;
}

static void take_body(struct request *request, size_t length, bool is_last) {
    if (request->has_ended) protocol_error("a body goes on after its end");
    request->body_length += length;
    request->uncredited += (uint32_t)length;
    request->has_ended = is_last;
    if (is_last || request->uncredited < CREDIT_STEP) return;
    put_header(CREDIT, 0, request->number, request->nonce, sizeof request->uncredited);
    put(&request->uncredited, sizeof request->uncredited);
    request->uncredited = 0;
}

// Where the first bytes of a request's body begin: behind its deadline, its body's length and its fields.
static size_t body_start(const unsigned char *frame, size_t length) {
    uint16_t count, name_length;
    uint32_t value_length;
    size_t at = 18;
    if (length < at) protocol_error("a request without a head");
    memcpy(&count, frame + 16, sizeof count);
    for (; count > 0; count--) {
        if (length - at < 6) protocol_error("fields are cut short");
        memcpy(&name_length, frame + at, sizeof name_length);
        memcpy(&value_length, frame + at + 2, sizeof value_length);
        at += 6;
        if (length - at < (size_t)name_length + value_length) protocol_error("fields are cut short");
        at += (size_t)name_length + value_length;
    }
    return at;
}

static void take_request(const struct header *header, const unsigned char *body) {
    if (header->request <= last_request) protocol_error("a request came twice");
    if (request_count == REQUESTS_MAX) protocol_error("more requests than a worker may hold");
    last_request = header->request;
    struct request *request = &requests[request_count++];
    *request = (struct request){.number = header->request, .nonce = header->nonce};
    take_body(request, header->length - body_start(body, header->length), header->flags & LAST);
}

static void take_news(const struct header *header) {
    struct request *request = requests;
    while (request < requests + request_count && request->number != header->request) request++;
    if (request == requests + request_count) {
        // It has ended meanwhile: this and its end have crossed.
        if (header->request == 0 || header->request > last_request) protocol_error("a frame about no request");
        return;
    }
    if (request->nonce != header->nonce) protocol_error("a wrong nonce");
    if (header->type == BODY) {
        take_body(request, header->length, header->flags & LAST);
    } else if (header->type == CANCEL) {
        put_end(request, CANCELLED);
        size_t behind = (size_t)(requests + --request_count - request);
        memmove(request, request + 1, behind * sizeof *request);
    }
    // Credit is of no interest: no answer is longer than the window.
}

static void take_frame(const struct header *header, const unsigned char *body) {
    switch (header->type) {
    case REQUEST: take_request(header, body); break;
    case BODY:
    case CANCEL:
    case CREDIT: take_news(header); break;
    case DRAIN: is_draining = true; break;
    default: protocol_error("a frame of an unknown type");
    }
}

// Takes in all whole frames there are.
static void take_frames(void) {
    struct header header;
    while (in_end - in_start >= sizeof header) {
        memcpy(&header, in + in_start, sizeof header);
        if (header.length > BODY_MAX) protocol_error("a frame is longer than 262144 bytes");
        if (in_end - in_start - sizeof header < header.length) return;
        take_frame(&header, in + in_start + sizeof header);
        in_start += sizeof header + header.length;
    }
}

// Waits until something has come. False: the server has closed the channel.
static bool read_in(void) {
    memmove(in, in + in_start, in_end - in_start);
    in_end -= in_start;
    in_start = 0;
    ssize_t count;
    do {
        count = read(CHANNEL, in + in_end, sizeof in - in_end);
    } while (count < 0 && errno == EINTR);
    if (count > 0) in_end += (size_t)count;
    return count > 0;
}

int main(void) {
    const char *concurrency = getenv("TAIBAI_CONCURRENCY");
    const uint32_t protocol = PROTOCOL;
    takes_turns = !concurrency || strcmp(concurrency, "1") == 0;
    put_header(HELLO, 0, 0, 0, sizeof protocol);
    put(&protocol, sizeof protocol);
    // What takes long, such as opening a file with data, belongs here: requests come from then on.
    put_header(READY, 0, 0, 0, 0);
    do {
        write_out();
        if (is_draining && request_count == 0) return 0;
        if (!read_in()) return 0;
        take_frames();
        answer_ended();
    } while (true);
}
