// What the files of the exec host share: exec_host.c takes requests, exec_program.c runs a program for each,
// exec_answer.c turns what it writes into an answer, exec_environment.c says what it is told, frames.c speaks.

#ifndef TAIBAI_EXEC_H
#define TAIBAI_EXEC_H

#include "internal.h"

// Frames of the worker channel. Runtime/README.md describes protocol 1.
enum {
    FRAME_SETUP = 1, FRAME_REQUEST, FRAME_BODY, FRAME_CANCEL, FRAME_DRAIN, FRAME_CREDIT,
    FRAME_HELLO = 17, FRAME_READY, FRAME_INIT_FAILED, FRAME_HEAD, FRAME_CHUNK, FRAME_END, FRAME_LOG,
};
enum { FLAG_LAST = 1, FLAG_STANDARD_ERROR = 2 };
enum { OUTCOME_ANSWERED = 0, OUTCOME_RAISED = 1, OUTCOME_CANCELLED = 2 };
enum {
    PROTOCOL_VERSION = 1,
    FRAME_BODY_MAX = 262144,
    // Body bytes of a request on the way in one direction.
    WINDOW = 262144,
    // Consumed bytes are credited when there are so many: a quarter of the window.
    CREDIT_STEP = 65536,
    LOG_TEXT_MAX = 16384,
    // What a program may write to descriptor 3: the limit that servers commonly have for a head.
    HEAD_TEXT_MAX = 16384,
    ERROR_MESSAGE_MAX = 512,
    // Requests that may be here at once: the most a function's concurrency may be, and as many read ahead.
    PROGRAMS_MAX = 2000,
};

struct frame {
    uint8_t type;
    uint8_t flags;
    uint64_t request;
    uint64_t nonce;
    const unsigned char *body;
    size_t length;
};

struct field {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};

// One request, and the process that answers it once its turn has come.
struct program {
    uint64_t request;
    uint64_t nonce;
    uint64_t deadline;
    uint64_t body_length;
    // The fields of the request as they came, until the process starts.
    unsigned char *fields;
    size_t fields_length;
    uint16_t field_count;

    pid_t pid;
    bool has_started;
    bool has_exited;
    bool is_cancelled;
    int status;
    uint64_t cpu_nanoseconds;

    // Our ends of its pipes; -1: closed.
    int input;
    int output;
    int errors;
    int head;

    // Body bytes that the program has not taken yet.
    unsigned char *body;
    size_t body_start;
    size_t body_end;
    bool has_body_ended;
    uint32_t uncredited;

    // The answer.
    uint64_t window;
    bool has_sent_head;
    // All of its output is in the pipe, although it still runs.
    bool has_closed_output;
    // When its first output was there (milliseconds, monotonic), 0: none yet.
    int64_t output_since;
    // Why the answer can't be given although the program runs: type and message.
    const char *fault;
    char fault_message[160];
    size_t head_length;
    size_t log_length;
    char head_text[HEAD_TEXT_MAX];
    char log_text[LOG_TEXT_MAX];

    struct program *next;
};

// frames.c
bool frames_receive(void);
bool frames_receive_one(struct frame *frame);
bool frames_next(struct frame *frame);
void frames_send(uint8_t type, uint8_t flags, const struct program *program, const void *body, size_t length);
void frames_send_two(
    uint8_t type, uint8_t flags, const struct program *program, const void *first, size_t first_length,
    const void *second, size_t second_length);
void frames_flush(void);
_Noreturn void protocol_error(const char *what);
bool fields_next(const unsigned char *bytes, size_t length, size_t *at, struct field *field);
bool field_is(const struct field *field, const char *name);
size_t put_field(unsigned char *to, const char *name, size_t name_length, const char *value, size_t value_length);
size_t put_error(unsigned char *to, const char *type, const char *message);

// exec_environment.c
void environment_set_up(const unsigned char *fields, size_t length, uint16_t count, bool is_lambda);
char **environment_of(const struct program *program, char **memory);
char **environment_of_worker(void);
const char *environment_function(void);

// exec_program.c
void program_start(struct program *program, const char *handler);
void program_feed(struct program *program);
void program_take_body(struct program *program, const unsigned char *bytes, size_t length, bool is_last);
void program_close(int *descriptor);

// exec_answer.c
int64_t now_milliseconds(void);
void answer_read_output(struct program *program);
void answer_read_head(struct program *program);
void answer_read_errors(struct program *program);
bool answer_finish(struct program *program, uint64_t memory_peak);
int64_t answer_held_until(const struct program *program);
bool answer_wants_output(const struct program *program);

#endif
