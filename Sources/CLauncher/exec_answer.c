// From what a program writes to an answer: standard output is its body, descriptor 3 its head, standard error the
// function's log, the exit status its outcome.

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"

// The first output waits so long for the program's end: one that fails soon after its first line is then a failure the
// caller sees as such, not a broken answer with status 200. Later output is passed on at once.
enum { HOLD_MILLISECONDS = 10 };
enum { READ_MAX = 65536, ANSWER_FIELDS_MAX = 100 };

/// The monotonic clock, never 0.
int64_t now_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

static void fault(struct program *program, const char *type, const char *message) {
    if (program->fault) return;
    program->fault = type;
    snprintf(program->fault_message, sizeof program->fault_message, "%s", message);
    if (program->pid > 0 && !program->has_exited) kill(-program->pid, SIGKILL);
}

/// Reads what the program has written to descriptor 3 so far.
void answer_read_head(struct program *program) {
    while (program->head >= 0 && !program->has_sent_head) {
        size_t room = HEAD_TEXT_MAX - program->head_length;
        if (room == 0) return fault(program, "Exec.HeadError", "more than 16384 bytes were written to descriptor 3");
        ssize_t count = read(program->head, program->head_text + program->head_length, room);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return;
        if (count == 0) return program_close(&program->head);
        program->head_length += (size_t)count;
    }
}

static bool is_name(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        // token of RFC 9110 §5.6.2
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_plain && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return length > 0;
}

static bool is_value(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f) return false;
    }
    return true;
}

// The head of an answer as it is being put together.
struct head {
    unsigned char bytes[2 * HEAD_TEXT_MAX];
    size_t length;
    uint16_t status;
    uint16_t count;
    bool has_type;
};

static bool take_head_line(struct head *head, const char *line, size_t length) {
    if (length > 0 && line[length - 1] == '\r') length--;
    if (length == 0) return true;
    const char *colon = memchr(line, ':', length);
    if (!colon) return false;
    size_t name_length = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t value_length = length - name_length - 1;
    while (value_length > 0 && (*value == ' ' || *value == '\t')) value++, value_length--;
    if (!is_name(line, name_length) || !is_value(value, value_length)) return false;
    if (name_length == 6 && strncasecmp(line, "status", 6) == 0) {
        // `404` or, as CGI has it, `404 Not Found`.
        if (value_length < 3 || (value_length > 3 && value[3] != ' ')) return false;
        int status = 0;
        for (int i = 0; i < 3; i++) {
            if (value[i] < '0' || value[i] > '9') return false;
            status = status * 10 + value[i] - '0';
        }
        head->status = (uint16_t)status;
        return status >= 200 && status <= 599;
    }
    if (head->count == ANSWER_FIELDS_MAX) return false;
    char name[HEAD_TEXT_MAX];
    for (size_t i = 0; i < name_length; i++) name[i] = line[i] >= 'A' && line[i] <= 'Z' ? line[i] | 0x20 : line[i];
    head->has_type = head->has_type || (name_length == 12 && memcmp(name, "content-type", 12) == 0);
    head->length += put_field(head->bytes + head->length, name, name_length, value, value_length);
    head->count++;
    return true;
}

// Builds the head from the lines of descriptor 3. False with a fault when one of them is no head line.
static bool build_head(struct program *program, struct head *head) {
    head->status = 200;
    head->count = 0;
    head->has_type = false;
    head->length = 4;
    answer_read_head(program);
    for (size_t at = 0; at < program->head_length && !program->fault;) {
        const char *line = program->head_text + at;
        const char *end = memchr(line, '\n', program->head_length - at);
        size_t length = end ? (size_t)(end - line) : program->head_length - at;
        if (!take_head_line(head, line, length)) {
            fault(
                program, "Exec.HeadError",
                "descriptor 3 takes lines 'Status: 404' or 'Name: value', at most 100 of them");
        }
        at += length + 1;
    }
    if (program->fault) return false;
    if (!head->has_type) {
        head->length += put_field(head->bytes + head->length, "content-type", 12, "text/plain; charset=utf-8", 25);
        head->count++;
    }
    memcpy(head->bytes, &head->status, 2);
    memcpy(head->bytes + 2, &head->count, 2);
    return true;
}

static void send_output(struct program *program, const char *bytes, size_t length, bool is_whole) {
    if (program->has_sent_head) {
        frames_send(FRAME_CHUNK, 0, program, bytes, length);
    } else {
        static struct head head;
        if (!build_head(program, &head)) return;
        program->has_sent_head = true;
        frames_send_two(
            FRAME_HEAD, is_whole ? FLAG_LAST : 0, program, head.bytes, head.length, bytes, length);
    }
    program->window -= length;
}

static bool has_failed(const struct program *program) {
    return program->fault || program->is_cancelled || (program->has_exited && program->status != 0);
}

/// Whether its output is to be watched now.
bool answer_wants_output(const struct program *program) {
    bool waits_for_end = program->has_closed_output && !program->has_exited;
    return program->output >= 0 && program->window > 0 && !waits_for_end && answer_held_until(program) == 0;
}

// Whether nobody is left to write to the pipe; what has been written may still be in it.
static bool has_no_writer(int descriptor) {
    struct pollfd pipe = {.fd = descriptor, .events = POLLIN};
    return poll(&pipe, 1, 0) == 1 && pipe.revents & POLLHUP;
}

/// Until when the first output is held, 0 when nothing is.
int64_t answer_held_until(const struct program *program) {
    bool holds = program->output_since && !program->has_sent_head && !program->has_exited;
    return holds && now_milliseconds() < program->output_since + HOLD_MILLISECONDS
        ? program->output_since + HOLD_MILLISECONDS
        : 0;
}

// Reads until `room` bytes are there or the pipe is empty; in the latter case closes it if nobody can write more: after
// the program's end its group is dead, so an empty pipe stays empty.
static size_t read_output(struct program *program, char *bytes, size_t room) {
    size_t length = 0;
    while (length < room) {
        ssize_t count = read(program->output, bytes + length, room - length);
        if (count < 0 && errno == EINTR) continue;
        if (count == 0 || (count < 0 && (errno != EAGAIN || program->has_exited))) program_close(&program->output);
        if (count <= 0) break;
        length += (size_t)count;
    }
    return length;
}

/// Passes on output, of which there is some, as the window allows.
void answer_read_output(struct program *program) {
    static char bytes[READ_MAX];
    if (!program->output_since) program->output_since = now_milliseconds();
    if (!program->has_sent_head && !program->has_exited && answer_held_until(program) == 0) {
        // Nothing more will come, so the answer can as well wait for the exit status. A process that dies closes its
        // output some time before its end is told.
        program->has_closed_output = program->has_closed_output || has_no_writer(program->output);
    }
    while (!has_failed(program) && answer_wants_output(program)) {
        size_t room = program->window < sizeof bytes ? program->window : sizeof bytes;
        size_t length = read_output(program, bytes, room);
        bool has_ended = program->output < 0;
        if (length > 0 || (has_ended && !program->has_sent_head)) send_output(program, bytes, length, has_ended);
        if (length < room) return;
    }
}

static void send_log(struct program *program, size_t length) {
    frames_send(FRAME_LOG, FLAG_STANDARD_ERROR, program, program->log_text, length);
    program->log_length -= length;
    memmove(program->log_text, program->log_text + length, program->log_length);
}

/// Passes on standard error by whole lines; a line longer than a frame in pieces.
void answer_read_errors(struct program *program) {
    while (program->errors >= 0) {
        size_t room = LOG_TEXT_MAX - program->log_length;
        ssize_t count = read(program->errors, program->log_text + program->log_length, room);
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) program_close(&program->errors);
        if (count <= 0) return;
        program->log_length += (size_t)count;
        char *last = memrchr(program->log_text, '\n', program->log_length);
        if (last) {
            send_log(program, (size_t)(last - program->log_text) + 1);
        } else if (program->log_length == LOG_TEXT_MAX) {
            send_log(program, LOG_TEXT_MAX);
        }
    }
}

static void explain_status(struct program *program) {
    char *message = program->fault_message;
    size_t size = sizeof program->fault_message;
    const char *name = WIFSIGNALED(program->status) ? sigabbrev_np(WTERMSIG(program->status)) : NULL;
    program->fault = "Exec.ExitError";
    if (name) {
        snprintf(message, size, "killed by SIG%s", name);
    } else if (WIFSIGNALED(program->status)) {
        snprintf(message, size, "killed by signal %d", WTERMSIG(program->status));
    } else {
        snprintf(message, size, "exit status %d", WEXITSTATUS(program->status));
    }
}

/// Sends the end of the request if there is nothing more to wait for. Then the program can be forgotten.
bool answer_finish(struct program *program, uint64_t memory_peak) {
    if (program->pid > 0 && !program->has_exited) return false;
    // The rest of its output may wait for the window.
    if (program->output >= 0 && !has_failed(program)) return false;
    answer_read_errors(program);
    if (program->log_length) send_log(program, program->log_length);
    if (!program->fault && program->has_exited && program->status != 0) explain_status(program);
    unsigned char end[17 + ERROR_MESSAGE_MAX + 64];
    uint64_t cpu = program->has_exited ? program->cpu_nanoseconds : UINT64_MAX;
    end[0] = program->is_cancelled ? OUTCOME_CANCELLED : program->fault ? OUTCOME_RAISED : OUTCOME_ANSWERED;
    memcpy(end + 1, &cpu, 8);
    if (memory_peak == 0) memory_peak = UINT64_MAX;
    memcpy(end + 9, &memory_peak, 8);
    size_t length = 17;
    if (end[0] == OUTCOME_RAISED) {
        length += put_error(end + 17, program->fault, program->fault_message);
    }
    frames_send(FRAME_END, 0, program, end, length);
    return true;
}
