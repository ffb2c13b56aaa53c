// What a program is told through its environment: the function's own variables, the request in the words of CGI
// (RFC 3875 §4.1), the same in OpenFaaS's spelling, and what is Taibai's. Nothing of the server's environment.

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec.h"

// Variables of a function (4 KiB together) and of a request (100 headers at most) in number.
enum { VARIABLES_MAX = 1024 };

// The variables that are the same for every request, each once, as NAME=value.
static char *own[VARIABLES_MAX];
static int own_count;
static char function_name[64];

// What a program is told of its function: fields of the setup, and the variables they become.
static const struct { const char *field, *variable; } facts[] = {
    {"function", "TAIBAI_FUNCTION"}, {"version", "TAIBAI_VERSION"}, {"concurrency", "TAIBAI_CONCURRENCY"},
    {"memory", "TAIBAI_MEMORY"}, {"timeout", "TAIBAI_TIMEOUT_MS"}, {"body-max", "TAIBAI_BODY_MAX"},
};

struct builder {
    char *memory;
    size_t used;
    char *items[VARIABLES_MAX];
    int count;
};

/// The function's name, for messages and the process's name.
const char *environment_function(void) { return function_name; }

static size_t name_length_of(const char *item) { return strcspn(item, "="); }

static void set_own(const char *name, size_t name_length, const char *value, size_t value_length) {
    char *item = malloc(name_length + value_length + 2);
    if (!item) protocol_error("no memory for the environment");
    memcpy(item, name, name_length);
    item[name_length] = '=';
    memcpy(item + name_length + 1, value, value_length);
    item[name_length + 1 + value_length] = 0;
    for (int i = 0; i < own_count; i++) {
        if (name_length_of(own[i]) == name_length && memcmp(own[i], name, name_length) == 0) {
            free(own[i]);
            own[i] = item;
            return;
        }
    }
    // Room is left for what environment_of adds beside the headers.
    if (own_count >= VARIABLES_MAX / 2) protocol_error("more variables than a function may have");
    own[own_count++] = item;
}

// A function's variable of such a name would hide, or be hidden by, what the request says.
static bool belongs_to_request(const char *name, size_t length) {
    static const char *const names[] = {
        "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR",
        "SERVER_PROTOCOL"};
    static const char *const prefixes[] = {"HTTP_", "Http_", "TAIBAI_"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == length && memcmp(name, names[i], length) == 0) return true;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (length >= strlen(prefixes[i]) && memcmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    }
    return false;
}

static void set_fact(const struct field *field) {
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        if (!field_is(field, facts[i].field)) continue;
        set_own(facts[i].variable, strlen(facts[i].variable), field->value, field->value_length);
    }
}

// Where AWS Lambda's clients find the package, and where libraries and Python modules are: in it, and in its layers.
static void set_task_root(void) {
    char folder[4096], path[4 * sizeof folder];
    if (!getcwd(folder, sizeof folder)) return;
    set_own("LAMBDA_TASK_ROOT", 16, folder, strlen(folder));
    int length = snprintf(path, sizeof path, "%s:%s/lib:/opt/lib", folder, folder);
    set_own("LD_LIBRARY_PATH", 15, path, (size_t)length);
    length = snprintf(path, sizeof path, "%s:%s/python:%s/vendor:/opt/python", folder, folder, folder);
    set_own("PYTHONPATH", 10, path, (size_t)length);
}

/// Takes the function's variables, and what is to be known of it, out of the setup.
void environment_set_up(const unsigned char *fields, size_t length, uint16_t count, bool is_lambda) {
    set_own("PATH", 4, "/usr/local/bin:/usr/bin:/bin", 28);
    set_own("HOME", 4, "/tmp", 4);
    set_own("LANG", 4, "C.UTF-8", 7);
    if (is_lambda) set_task_root();
    struct field field;
    size_t at = 0;
    for (uint16_t i = 0; i < count && fields_next(fields, length, &at, &field); i++) {
        set_fact(&field);
        if (field_is(&field, "function")) {
            snprintf(function_name, sizeof function_name, "%.*s", (int)field.value_length, field.value);
        } else if (field.name_length > 4 && memcmp(field.name, "env:", 4) == 0) {
            if (!is_lambda && belongs_to_request(field.name + 4, field.name_length - 4)) continue;
            set_own(field.name + 4, field.name_length - 4, field.value, field.value_length);
        }
    }
}

static void add(struct builder *b, const char *name, const char *value, size_t value_length) {
    // A NUL would end the variable early and hide the rest; no header that reaches us has one.
    if (b->count >= VARIABLES_MAX - 1 || memchr(value, 0, value_length)) return;
    char *item = b->memory + b->used;
    size_t name_length = strlen(name);
    memcpy(item, name, name_length);
    item[name_length] = '=';
    memcpy(item + name_length + 1, value, value_length);
    item[name_length + 1 + value_length] = 0;
    b->used += name_length + value_length + 2;
    b->items[b->count++] = item;
}

// Appends to the variable that was added last, which stands at the end of the memory.
static void extend(struct builder *b, const char *text, size_t length) {
    memcpy(b->memory + b->used - 1, text, length);
    b->used += length;
    b->memory[b->used - 1] = 0;
}

static int hexadecimal(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// PATH_INFO is not encoded (RFC 3875 §4.1.5). A path that does not decode, or to a NUL, is handed on as it came.
static void add_path_info(struct builder *b, const struct field *path) {
    char *decoded = malloc(path->value_length + 1);
    size_t length = 0;
    bool is_good = decoded != NULL;
    for (size_t i = 0; is_good && i < path->value_length; i++) {
        char c = path->value[i];
        if (c == '%') {
            int high = i + 2 < path->value_length ? hexadecimal(path->value[i + 1]) : -1;
            int low = i + 2 < path->value_length ? hexadecimal(path->value[i + 2]) : -1;
            is_good = high >= 0 && low >= 0 && (high | low);
            if (is_good) c = (char)(high << 4 | low);
            i += 2;
        }
        decoded[length++] = c;
    }
    if (is_good) {
        add(b, "PATH_INFO", decoded, length);
    } else {
        add(b, "PATH_INFO", path->value, path->value_length);
    }
    free(decoded);
}

static void add_special(struct builder *b, const struct field *field) {
    static const struct { const char *field; const char *names[2]; } plain[] = {
        {":method", {"REQUEST_METHOD", "Http_Method"}}, {":path", {"Http_Path", NULL}},
        {":query", {"QUERY_STRING", "Http_Query"}}, {":source", {"REMOTE_ADDR", NULL}},
        {":host", {"Http_Host", NULL}}, {":protocol", {"SERVER_PROTOCOL", NULL}},
        {":id", {"TAIBAI_EXECUTION_ID", NULL}}, {":trigger", {"TAIBAI_TRIGGER", NULL}},
    };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (!field_is(field, plain[i].field)) continue;
        for (int j = 0; j < 2 && plain[i].names[j]; j++) {
            add(b, plain[i].names[j], field->value, field->value_length);
        }
    }
    if (field_is(field, ":path")) add_path_info(b, field);
}

// HTTP_ and the name in capitals, `-` as `_`. A name with another sign is left out: `content_length` must not pass for
// `content-length`. So is `proxy`, because many programs take HTTP_PROXY for a setting (httpoxy.org).
static bool header_variable(const struct field *field, char *name, size_t size) {
    if (field->name_length + 6 > size || field_is(field, "proxy")) return false;
    memcpy(name, "HTTP_", 5);
    for (size_t i = 0; i < field->name_length; i++) {
        char c = field->name[i];
        if (!isalnum((unsigned char)c) && c != '-') return false;
        name[5 + i] = c == '-' ? '_' : (char)toupper((unsigned char)c);
    }
    name[5 + field->name_length] = 0;
    return true;
}

static bool is_same_header(const struct field *a, const struct field *b) {
    return a->name_length == b->name_length && memcmp(a->name, b->name, a->name_length) == 0;
}

// Repeated headers become one, joined by a comma (RFC 3875 §4.1.18), cookies by a semicolon (RFC 6265 §5.4).
static void add_header(struct builder *b, const struct program *program, const struct field *field, size_t after) {
    char name[128];
    if (field_is(field, "content-type")) {
        add(b, "CONTENT_TYPE", field->value, field->value_length);
        return;
    }
    if (field_is(field, "content-length") || !header_variable(field, name, sizeof name)) return;
    for (int i = 0; i < b->count; i++) {
        if (strncmp(b->items[i], name, strlen(name)) == 0 && b->items[i][strlen(name)] == '=') return;
    }
    int before = b->count;
    add(b, name, field->value, field->value_length);
    struct field other;
    while (b->count > before && fields_next(program->fields, program->fields_length, &after, &other)) {
        if (!is_same_header(field, &other) || memchr(other.value, 0, other.value_length)) continue;
        extend(b, field_is(field, "cookie") ? "; " : ", ", 2);
        extend(b, other.value, other.value_length);
    }
}

// The variables of every request, and then those of one.
static char **join(char *const *items, int count) {
    char **all = malloc((size_t)(own_count + count + 1) * sizeof *all);
    if (!all) return NULL;
    memcpy(all, own, (size_t)own_count * sizeof *all);
    if (count) memcpy(all + own_count, items, (size_t)count * sizeof *all);
    all[own_count + count] = NULL;
    return all;
}

/// The environment for a request. The caller frees `*memory` and the array. NULL: no memory.
char **environment_of(const struct program *program, char **memory) {
    struct builder b = {.count = 0};
    // Each field is copied three times at most (the path), with a name of 20 characters before it.
    b.memory = *memory = malloc(3 * program->fields_length + 32 * (size_t)program->field_count + 1024);
    if (!b.memory) return NULL;
    struct field field;
    size_t at = 0;
    bool has_query = false;
    while (fields_next(program->fields, program->fields_length, &at, &field)) {
        if (field.name_length > 0 && field.name[0] == ':') {
            has_query = has_query || field_is(&field, ":query");
            add_special(&b, &field);
        } else {
            add_header(&b, program, &field, at);
        }
    }
    char number[24];
    // RFC 3875 §4.1.7: defined also when the request has none.
    if (!has_query) add(&b, "QUERY_STRING", "", 0);
    if (program->body_length != UINT64_MAX) {
        size_t length = (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)program->body_length);
        add(&b, "CONTENT_LENGTH", number, length);
        add(&b, "Http_Content_Length", number, length);
    }
    size_t length = (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)program->deadline);
    add(&b, "TAIBAI_DEADLINE_MS", number, length);
    return join(b.items, b.count);
}

/// The environment of a program that is the worker itself. NULL: no memory.
char **environment_of_worker(void) { return join(NULL, 0); }
