// The other side of AWS Lambda's Runtime API and nothing else: hands the same event out again and again, as fast as its
// client asks, on one connection. Prints its port, and after `seconds` from the first event how many were answered.

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char event[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1\r\n"
    "Lambda-Runtime-Deadline-Ms: 9999999999999\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Sampled=0\r\nContent-Length: 2\r\n\r\n{}";
static const char accepted[] =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void send_all(int peer, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = send(peer, bytes, length, MSG_NOSIGNAL);
        if (count <= 0) exit(1);
        bytes += count;
        length -= (size_t)count;
    }
}

// Reads one request; whether it is a response of the function.
static int read_request(int peer, char *buffer, size_t size) {
    size_t used = 0;
    for (;;) {
        ssize_t count = recv(peer, buffer + used, size - 1 - used, 0);
        if (count <= 0) exit(1);
        used += (size_t)count;
        buffer[used] = 0;
        char *body = strstr(buffer, "\r\n\r\n");
        if (!body) continue;
        char *field = strcasestr(buffer, "\r\ncontent-length:");
        size_t length = field && field < body ? (size_t)atol(field + 17) : 0;
        if (used - (size_t)(body + 4 - buffer) >= length) return buffer[0] == 'P';
    }
}

int main(int count, char **arguments) {
    static char buffer[1 << 20];
    double seconds = count > 1 ? atof(arguments[1]) : 5;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0) return 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int peer = accept(listener, NULL, NULL);
    double start = 0;
    long answered = 0;
    while (start == 0 || now() - start < seconds) {
        if (read_request(peer, buffer, sizeof buffer)) {
            answered++;
            send_all(peer, accepted, sizeof accepted - 1);
        } else {
            if (start == 0) start = now();
            send_all(peer, event, sizeof event - 1);
        }
    }
    printf("%ld\n", answered);
    return 0;
}
