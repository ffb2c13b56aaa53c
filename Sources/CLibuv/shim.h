#ifndef TAIBAI_CLIBUV_SHIM_H
#define TAIBAI_CLIBUV_SHIM_H
#include <sys/socket.h>
#include <uv.h>

/* libuv's handles "inherit" by struct prefix. Typed upcasts keep pointer rebinding out of Swift. */
static inline uv_handle_t *taibai_handle(void *handle) { return (uv_handle_t *)handle; }
static inline uv_stream_t *taibai_stream(void *handle) { return (uv_stream_t *)handle; }
static inline void *taibai_handle_data(const void *handle) { return ((const uv_handle_t *)handle)->data; }
static inline void taibai_set_handle_data(void *handle, void *data) { ((uv_handle_t *)handle)->data = data; }
static inline void *taibai_request_data(const void *request) { return ((const uv_req_t *)request)->data; }
static inline void taibai_set_request_data(void *request, void *data) { ((uv_req_t *)request)->data = data; }

/* accept4(2) is hidden from Swift, whose Glibc module is built without _GNU_SOURCE. */
struct sockaddr;
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
static inline int taibai_accept(int descriptor) {
    return accept4(descriptor, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
#endif
