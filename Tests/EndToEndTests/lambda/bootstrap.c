// A bootstrap in C with nothing but sockets: one connection for all calls, as AWS's own clients have. It answers with
// the event it got; an event with "die" in it ends the process, one with "fail" is reported as an error.

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE = 8 << 20 };

static char buffer[BUFFER_SIZE];
static char head[4096];

static int connect_to_api(void) {
    char address[64] = "";
    snprintf(address, sizeof address, "%s", getenv("AWS_LAMBDA_RUNTIME_API"));
    char *colon = strchr(address, ':');
    if (!colon) exit(2);
    *colon = 0;
    struct sockaddr_in api = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    inet_pton(AF_INET, address, &api.sin_addr);
    int api_socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(api_socket, (struct sockaddr *)&api, sizeof api) < 0) exit(3);
    return api_socket;
}

static void send_all(int api, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = send(api, bytes, length, MSG_NOSIGNAL);
        if (count <= 0) exit(4);
        bytes += count;
        length -= (size_t)count;
    }
}

// The value of a field of the head at the beginning of the buffer, up to the end of its line.
static const char *field(const char *name, size_t *length) {
    for (char *line = buffer; (line = strstr(line, "\r\n")) && strncmp(line, "\r\n\r\n", 4) != 0;) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) != 0) continue;
        const char *value = line + strlen(name) + 2;
        *length = strcspn(value, "\r");
        return value;
    }
    exit(5);
}

// Reads one answer into the buffer. Returns where its body begins.
static char *read_answer(int api, size_t *body_length) {
    size_t used = 0;
    char *body = NULL;
    for (;;) {
        ssize_t count = recv(api, buffer + used, sizeof buffer - 1 - used, 0);
        if (count <= 0) exit(0);
        used += (size_t)count;
        buffer[used] = 0;
        if (!body && !(body = strstr(buffer, "\r\n\r\n"))) continue;
        size_t length;
        *body_length = (size_t)atol(field("content-length", &length));
        if (used - (size_t)(body + 4 - buffer) >= *body_length) return body + 4;
    }
}

int main(void) {
    int api = connect_to_api();
    const char *next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
    for (;;) {
        size_t length, id_length;
        send_all(api, next, strlen(next));
        char *event = read_answer(api, &length);
        const char *id = field("lambda-runtime-aws-request-id", &id_length);
        if (strstr(event, "die")) exit(17);
        const char *failure = "{\"errorType\":\"Function.CError\",\"errorMessage\":\"told to fail\"}";
        int fails = strstr(event, "fail") != NULL;
        if (fails) length = strlen(failure);
        int count = snprintf(
            head, sizeof head, "POST /2018-06-01/runtime/invocation/%.*s/%s HTTP/1.1\r\nHost: api\r\n"
            "Content-Length: %zu\r\n\r\n", (int)id_length, id, fails ? "error" : "response", length);
        send_all(api, head, (size_t)count);
        send_all(api, fails ? failure : event, length);
        read_answer(api, &length);
    }
}
