// The exec host: the worker of the runtime exec. It runs one program for each request (Runtime/exec/README.md) and is
// entered in the launcher's child without an exec, so that it shares the launcher's memory. One thread, one loop.
// With the contracts channel and lambda-api it becomes the function's program instead, which is the worker from then
// on.

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"

enum { HANDLER_MAX = 4096, CHILDREN_MAX = 16384, ARGUMENTS_MAX = 8 };
// Where a layer may bring the program of a function.
#define LAYERS_FOLDER "/opt/"

struct host {
    char handler[HANDLER_MAX];
    // Whether the program speaks the worker channel itself (contract channel).
    bool is_channel;
    // Whether it speaks AWS Lambda's Runtime API, and the server the other side of it (contract lambda-api).
    bool is_lambda;
    // What the program is called with, its own name first.
    char *arguments[ARGUMENTS_MAX + 2];
    int argument_count;
    unsigned concurrency;
    bool is_draining;
    uint64_t last_request;
    uint64_t memory_peak;
    int signals;
    struct program *first;
    int count;
    int running;
};

static struct program *program_of(struct host *h, uint64_t request) {
    struct program *program = h->first;
    while (program && program->request != request) program = program->next;
    return program;
}

static void add_request(struct host *h, const struct frame *frame) {
    if (frame->request <= h->last_request) protocol_error("a request came twice or out of order");
    if (h->count == PROGRAMS_MAX) protocol_error("more requests than a worker may hold");
    struct program *program = calloc(1, sizeof *program);
    if (frame->length < 18 || !program) protocol_error(program ? "a request without a head" : "no memory");
    h->last_request = frame->request;
    program->request = frame->request;
    program->nonce = frame->nonce;
    program->window = WINDOW;
    program->input = program->output = program->errors = program->head = -1;
    memcpy(&program->deadline, frame->body, 8);
    memcpy(&program->body_length, frame->body + 8, 8);
    memcpy(&program->field_count, frame->body + 16, 2);
    size_t at = 18;
    struct field field;
    for (uint16_t i = 0; i < program->field_count; i++) {
        if (!fields_next(frame->body, frame->length, &at, &field)) protocol_error("a request's fields are cut short");
    }
    program->fields_length = at - 18;
    program->fields = malloc(program->fields_length + 1);
    if (!program->fields) protocol_error("no memory");
    memcpy(program->fields, frame->body + 18, program->fields_length);
    struct program **last = &h->first;
    while (*last) last = &(*last)->next;
    *last = program;
    h->count++;
    program_take_body(program, frame->body + at, frame->length - at, frame->flags & FLAG_LAST);
}

static void cancel(struct program *program) {
    program->is_cancelled = true;
    if (program->pid > 0 && !program->has_exited) kill(-program->pid, SIGKILL);
}

static void handle(struct host *h, const struct frame *frame) {
    if (frame->type == FRAME_REQUEST) return add_request(h, frame);
    if (frame->type == FRAME_DRAIN) {
        h->is_draining = true;
        return;
    }
    if (frame->type != FRAME_BODY && frame->type != FRAME_CANCEL && frame->type != FRAME_CREDIT) {
        protocol_error("a frame of an unknown type");
    }
    struct program *program = program_of(h, frame->request);
    if (!program) {
        // About a request that has ended: the frame and the end have crossed.
        if (frame->request == 0 || frame->request > h->last_request) protocol_error("a frame about no request");
        return;
    }
    if (frame->nonce != program->nonce) protocol_error("a frame with a wrong nonce");
    if (frame->type == FRAME_BODY) {
        program_take_body(program, frame->body, frame->length, frame->flags & FLAG_LAST);
    } else if (frame->type == FRAME_CANCEL) {
        cancel(program);
    } else {
        uint32_t credit;
        if (frame->length != sizeof credit) protocol_error("a credit of a wrong length");
        memcpy(&credit, frame->body, sizeof credit);
        program->window += credit;
    }
}

static struct program *program_of_pid(struct host *h, pid_t pid) {
    struct program *program = h->first;
    while (program && (program->pid != pid || program->has_exited)) program = program->next;
    return program;
}

// Kills what programs have left behind: children we adopted, unless their group is a running program's.
static void sweep(struct host *h) {
    static pid_t pids[CHILDREN_MAX];
    int count = taibai_children(pids, CHILDREN_MAX);
    for (int i = 0; i < count; i++) {
        if (program_of_pid(h, pids[i])) continue;
        pid_t group = getpgid(pids[i]);
        if (group > 0 && program_of_pid(h, group)) continue;
        kill(pids[i], SIGKILL);
    }
}

static void reap(struct host *h) {
    struct signalfd_siginfo signals[8];
    while (read(h->signals, signals, sizeof signals) > 0) continue;
    pid_t pid;
    bool has_ended = false;
    while ((pid = taibai_ended_child()) > 0) {
        struct program *program = program_of_pid(h, pid);
        // Still a zombie, so the group is its own.
        if (program) kill(-pid, SIGKILL);
        int status = 0;
        struct rusage usage;
        memset(&usage, 0, sizeof usage);
        wait4(pid, &status, __WALL, &usage);
        has_ended = true;
        if (!program) continue;
        program->has_exited = true;
        program->status = status;
        program->cpu_nanoseconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000
            + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
        uint64_t peak = (uint64_t)usage.ru_maxrss * 1024;
        if (peak > h->memory_peak) h->memory_peak = peak;
        program_close(&program->input);
        program_feed(program);
    }
    if (has_ended) sweep(h);
}

static void forget(struct host *h, struct program **link) {
    struct program *program = *link;
    *link = program->next;
    h->count--;
    if (program->has_started) h->running--;
    program_close(&program->input);
    program_close(&program->output);
    program_close(&program->errors);
    program_close(&program->head);
    free(program->body);
    free(program->fields);
    free(program);
}

// Starts what may start, and ends what has ended, in the order the requests came.
static void advance(struct host *h) {
    struct program **link = &h->first;
    while (*link) {
        struct program *program = *link;
        if (!program->has_started && !program->is_cancelled && h->running < (int)h->concurrency) {
            h->running++;
            program_start(program, h->handler);
        }
        if (program->has_exited) answer_read_output(program);
        bool is_over = (program->has_started || program->is_cancelled) && answer_finish(program, h->memory_peak);
        if (is_over) {
            forget(h, link);
        } else {
            link = &program->next;
        }
    }
}

_Noreturn static void leave(struct host *h) {
    for (struct program *program = h->first; program; program = program->next) cancel(program);
    _exit(0);
}

// What is watched for one program, in this order.
enum { WATCH_INPUT, WATCH_OUTPUT, WATCH_ERRORS, WATCH_HEAD, WATCHES };

static int watch(struct host *h, struct pollfd *watched, int *timeout) {
    int count = 0;
    *timeout = -1;
    for (struct program *program = h->first; program; program = program->next) {
        if (!program->has_started) continue;
        bool has_body = program->body_end > program->body_start;
        bool wants_head = !program->has_sent_head && !program->fault;
        watched[count + WATCH_INPUT] = (struct pollfd){.fd = has_body ? program->input : -1, .events = POLLOUT};
        watched[count + WATCH_OUTPUT] =
            (struct pollfd){.fd = answer_wants_output(program) ? program->output : -1, .events = POLLIN};
        watched[count + WATCH_ERRORS] = (struct pollfd){.fd = program->errors, .events = POLLIN};
        watched[count + WATCH_HEAD] = (struct pollfd){.fd = wants_head ? program->head : -1, .events = POLLIN};
        count += WATCHES;
        int64_t held = answer_held_until(program);
        int left = held ? (int)(held - now_milliseconds()) : -1;
        if (held && (*timeout < 0 || left < *timeout)) *timeout = left > 0 ? left : 0;
    }
    return count;
}

static void move_bytes(struct host *h, const struct pollfd *watched) {
    for (struct program *program = h->first; program; program = program->next) {
        if (!program->has_started) continue;
        if (watched[WATCH_INPUT].revents) program_feed(program);
        if (watched[WATCH_HEAD].revents) answer_read_head(program);
        if (watched[WATCH_ERRORS].revents) answer_read_errors(program);
        // Output that was held is not watched; its time may have come.
        bool was_held = program->output_since && !program->has_sent_head && !program->has_closed_output;
        if (watched[WATCH_OUTPUT].revents || was_held) answer_read_output(program);
        watched += WATCHES;
    }
}

_Noreturn static void run(struct host *h) {
    static struct pollfd watched[2 + WATCHES * PROGRAMS_MAX];
    for (;;) {
        frames_flush();
        if (h->is_draining && h->count == 0) leave(h);
        int timeout;
        int count = watch(h, watched + 2, &timeout);
        watched[0] = (struct pollfd){.fd = WORKER_CHANNEL, .events = POLLIN};
        watched[1] = (struct pollfd){.fd = h->signals, .events = POLLIN};
        if (poll(watched, (nfds_t)(2 + count), timeout) < 0 && errno != EINTR) protocol_error("poll failed");
        move_bytes(h, watched + 2);
        if (watched[1].revents) reap(h);
        if (watched[0].revents) {
            if (!frames_receive()) leave(h);
            struct frame frame;
            while (frames_next(&frame)) handle(h, &frame);
        }
        advance(h);
    }
}

static void say_hello(void) {
    const uint32_t version = PROTOCOL_VERSION;
    frames_send(FRAME_HELLO, 0, NULL, &version, sizeof version);
    frames_flush();
}

_Noreturn static void init_failed(const struct host *h, const char *type, const char *message) {
    // In place of a program that can't say it.
    if (h->is_channel) say_hello();
    unsigned char error[ERROR_MESSAGE_MAX + 64];
    frames_send(FRAME_INIT_FAILED, 0, NULL, error, put_error(error, type, message));
    frames_flush();
    _exit(1);
}

// The handler must be a file of the package: found below it, and through no link that leads out (openat2(2), Linux
// 5.6). It is executed by its path later, because a script's interpreter must be able to open it.
static void check_handler(const struct host *h) {
    const char *handler = h->handler + 2;
    char message[HANDLER_MAX + 160];
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int file = (int)syscall(SYS_openat2, AT_FDCWD, handler, &how, sizeof how);
    if (file < 0 && (errno == EXDEV || errno == ELOOP)) {
        snprintf(message, sizeof message, "'%s' leads out of the package; put the program itself into it", handler);
        init_failed(h, "Exec.HandlerNotInPackage", message);
    }
    if (file < 0) {
        snprintf(message, sizeof message, "'%s' can't be opened in the package: %s", handler, strerror(errno));
        init_failed(h, "Exec.HandlerNotFound", message);
    }
    struct stat about;
    if (fstat(file, &about) < 0 || !S_ISREG(about.st_mode)) {
        snprintf(message, sizeof message, "'%s' is not a file; name the program to run", handler);
        init_failed(h, "Exec.HandlerNotFound", message);
    }
    close(file);
    if (access(handler, X_OK) < 0) {
        snprintf(
            message, sizeof message, "'%s' can't be executed: %s; run chmod +x on it before you deploy", handler,
            strerror(errno));
        init_failed(h, "Exec.HandlerNotExecutable", message);
    }
}

// A text of the setup, as C has them.
static char *text_of(const struct field *field) {
    char *text = strndup(field->value, field->value_length);
    if (!text) protocol_error("no memory for the setup");
    return text;
}

static bool value_is(const struct field *field, const char *text) {
    return field->value_length == strlen(text) && memcmp(field->value, text, field->value_length) == 0;
}

static void take_field(struct host *h, const struct field *field) {
    if (field_is(field, "handler")) {
        if (field->value_length + 3 > sizeof h->handler) protocol_error("the handler's path is too long");
        // An absolute one is the interpreter that the server has chosen.
        const char *folder = field->value_length > 0 && field->value[0] == '/' ? "" : "./";
        snprintf(h->handler, sizeof h->handler, "%s%.*s", folder, (int)field->value_length, field->value);
    } else if (field_is(field, "argument")) {
        if (h->argument_count == ARGUMENTS_MAX) protocol_error("more arguments than a program may have");
        h->arguments[++h->argument_count] = text_of(field);
    } else if (field_is(field, "contract")) {
        // An interpreter with our own program in it speaks the channel, and sees what AWS Lambda's runtimes see.
        h->is_channel = value_is(field, "channel") || value_is(field, "runtime");
        h->is_lambda = value_is(field, "lambda-api") || value_is(field, "runtime");
    } else if (field_is(field, "concurrency")) {
        char *number = text_of(field);
        h->concurrency = (unsigned)strtoul(number, NULL, 10);
        free(number);
    }
}

// A layer may bring the program that the package has not.
static void look_in_layers(struct host *h) {
    char path[HANDLER_MAX + sizeof LAYERS_FOLDER];
    snprintf(path, sizeof path, LAYERS_FOLDER "%s", h->handler + 2);
    if (access(h->handler, F_OK) < 0 && access(path, X_OK) == 0) snprintf(h->handler, sizeof h->handler, "%s", path);
}

static void set_up(struct host *h, const struct frame *frame) {
    uint16_t count = 0;
    if (frame->type != FRAME_SETUP || frame->length < 2) protocol_error("the first frame is not the setup");
    memcpy(&count, frame->body, 2);
    struct field field;
    size_t at = 2;
    for (uint16_t i = 0; i < count; i++) {
        if (!fields_next(frame->body, frame->length, &at, &field)) protocol_error("the setup's fields are cut short");
        take_field(h, &field);
    }
    if (h->concurrency < 1) h->concurrency = 1;
    environment_set_up(frame->body + 2, frame->length - 2, count, h->is_lambda);
    char name[16];
    snprintf(name, sizeof name, "taibai:%.8s", environment_function());
    prctl(PR_SET_NAME, name);
    if (!h->is_channel) say_hello();
    if (h->is_lambda && h->handler[0] == '.') look_in_layers(h);
    if (h->handler[0] == '.') check_handler(h);
}

// The program takes this process over: what it is limited to stays as it is, descriptors 0 to 3 stay open, signals are
// at their defaults. The server waits for its hello and ready.
_Noreturn static void hand_over(struct host *h) {
    h->arguments[0] = h->handler;
    char *const *arguments = h->arguments;
    char **environment = environment_of_worker();
    if (!environment) protocol_error("no memory for the environment");
    fcntl(WORKER_CHANNEL, F_SETFD, 0);
    execve(h->handler, arguments, environment);
    char message[HANDLER_MAX + 160];
    const char *reason = strerror(errno);
    // The file itself is there.
    if (errno == ENOENT) reason = "the interpreter or loader that it names is not there; link it with -static";
    if (errno == ENOEXEC) reason = "it is no program for this machine, and does not begin with #!";
    const char *program = h->handler[0] == '.' ? h->handler + 2 : h->handler;
    snprintf(message, sizeof message, "'%s' can't be executed: %s", program, reason);
    init_failed(h, "Exec.StartError", message);
}

static void watch_children(struct host *h) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_SETMASK, &children, NULL);
    // A program that does not read its input is no reason to end.
    signal(SIGPIPE, SIG_IGN);
    h->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (h->signals < 0) init_failed(h, "Exec.StartError", "signalfd failed");
    // What programs leave behind comes to us and not to the launcher.
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) init_failed(h, "Exec.StartError", "PR_SET_CHILD_SUBREAPER failed");
}

/// The whole life of a worker of the runtime exec. Standard descriptors, channel and limits are in place.
_Noreturn void taibai_exec_host(void) {
    static struct host the_host;
    struct host *h = &the_host;
    h->concurrency = 1;
    struct frame frame;
    if (!frames_receive_one(&frame)) leave(h);
    set_up(h, &frame);
    if (h->is_channel || h->is_lambda) hand_over(h);
    fcntl(WORKER_CHANNEL, F_SETFD, FD_CLOEXEC);
    watch_children(h);
    frames_send(FRAME_READY, 0, NULL, NULL, 0);
    run(h);
}
