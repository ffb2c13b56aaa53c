// One program for one request: its pipes, its start, and its standard input. Source: vfork(2); measured at 0.1 ms a
// start where fork(2) takes 0.25.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "exec.h"

/// Closes a descriptor once.
void program_close(int *descriptor) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
}

// The program's end of a pipe goes into `theirs`, ours, which does not block, into `ours`.
static bool make_pipe(int *ours, int *theirs, bool we_read) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return false;
    *ours = ends[we_read ? 0 : 1];
    *theirs = ends[we_read ? 1 : 0];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

struct ends {
    int input, output, errors, head;
};

static bool make_pipes(struct program *program, struct ends *theirs) {
    if (program->has_body_ended && program->body_end == 0) {
        theirs->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (theirs->input < 0) return false;
    } else if (!make_pipe(&program->input, &theirs->input, false)) {
        return false;
    }
    return make_pipe(&program->output, &theirs->output, true) && make_pipe(&program->errors, &theirs->errors, true)
        && make_pipe(&program->head, &theirs->head, true);
}

// Runs in the new process, which shares our memory until it executes: only system calls here.
_Noreturn static void become_program(
    const char *handler, char **environment, const struct ends *ends, volatile int *error) {
    sigset_t none;
    sigemptyset(&none);
    bool is_ready = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0
        && signal(SIGPIPE, SIG_DFL) != SIG_ERR && sigprocmask(SIG_SETMASK, &none, NULL) == 0
        && dup2(ends->input, 0) == 0 && dup2(ends->output, 1) == 1 && dup2(ends->errors, 2) == 2
        && dup2(ends->head, WORKER_CHANNEL) == WORKER_CHANNEL;
    if (is_ready) {
        char *arguments[] = {(char *)handler, NULL};
        execve(handler, arguments, environment);
        if (errno == ENOEXEC) {
            // Neither a binary nor a script with an interpreter: the shell's own language, as execvp(3) has it.
            char *shell_arguments[] = {"sh", (char *)handler, NULL};
            execve("/bin/sh", shell_arguments, environment);
        }
    }
    *error = errno;
    _exit(127);
}

// A function of its own, so that no variable of a longer-lived frame is changed between vfork and exec.
static pid_t spawn(const char *handler, char **environment, const struct ends *ends, volatile int *error) {
    *error = 0;
    pid_t pid = vfork();
    if (pid == 0) become_program(handler, environment, ends, error);
    if (pid < 0) *error = errno;
    return pid;
}

/// Starts the program for a request. On failure the request has a fault and no process.
void program_start(struct program *program, const char *handler) {
    struct ends theirs = {-1, -1, -1, -1};
    char *memory = NULL;
    char **environment = environment_of(program, &memory);
    volatile int error = environment ? 0 : ENOMEM;
    program->has_started = true;
    if (!error && !make_pipes(program, &theirs)) error = errno;
    if (!error) {
        // What fits into the pipe is in it before the program begins; mostly that is all of the body.
        program_feed(program);
        program->pid = spawn(handler, environment, &theirs, &error);
    }
    program_close(&theirs.input);
    program_close(&theirs.output);
    program_close(&theirs.errors);
    program_close(&theirs.head);
    free(environment);
    free(memory);
    free(program->fields);
    program->fields = NULL;
    program->fields_length = 0;
    if (!error) return;
    // A process that could not execute is waited for like any other; what it was to answer is known already.
    program->fault = "Exec.StartError";
    snprintf(
        program->fault_message, sizeof program->fault_message, "%.80s can't be executed: %s", handler,
        strerror(error));
}

static void credit(struct program *program, size_t count) {
    program->uncredited += (uint32_t)count;
    if (program->uncredited < CREDIT_STEP || program->has_body_ended) return;
    frames_send(FRAME_CREDIT, 0, program, &program->uncredited, sizeof program->uncredited);
    program->uncredited = 0;
}

/// Writes body bytes into the program's standard input, as many as it takes now, and credits them. What a program does
/// not want, because it closed its input or ended, is dropped, so that the caller can finish sending.
void program_feed(struct program *program) {
    while (program->body_start < program->body_end) {
        size_t length = program->body_end - program->body_start;
        ssize_t count = (ssize_t)length;
        if (program->input >= 0) {
            count = write(program->input, program->body + program->body_start, length);
            if (count < 0 && errno == EAGAIN) return;
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) {
                program_close(&program->input);
                continue;
            }
        }
        program->body_start += (size_t)count;
        credit(program, (size_t)count);
    }
    program->body_start = program->body_end = 0;
    if (program->has_body_ended) program_close(&program->input);
}

/// Takes over more of the request's body.
void program_take_body(struct program *program, const unsigned char *bytes, size_t length, bool is_last) {
    if (program->has_body_ended) protocol_error("a body goes on after its end");
    if (program->body_end - program->body_start + length > WINDOW) protocol_error("more body than was credited");
    program->has_body_ended = is_last;
    if (length > 0) {
        if (!program->body) program->body = malloc(WINDOW);
        if (!program->body) protocol_error("no memory for a request's body");
        memmove(
            program->body, program->body + program->body_start, program->body_end - program->body_start);
        program->body_end -= program->body_start;
        program->body_start = 0;
        memcpy(program->body + program->body_end, bytes, length);
        program->body_end += length;
    }
    if (program->has_started) program_feed(program);
}
