#include "conninfo/servicefile.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/regular.h"

#define BLANKS " \t\n\v\f\r"

struct reader {
    FILE *file;
    const char *path;
    const char *service;
    unsigned long number; /* of the line */
    servicefile_take *take;
    void *context;
    struct error *error;
};

static enum servicefile wrong(const struct reader *reader, const char *what)
{
    error_set(reader->error, ERROR_PERMANENT, "service file \"%s\", line %lu: %s", reader->path,
              reader->number, what);
    return SERVICEFILE_WRONG;
}

/* Without the blanks around it. */
static char *trim(char *line)
{
    size_t len = strlen(line);

    while (len > 0 && strchr(BLANKS, line[len - 1]) != NULL) {
        line[--len] = '\0';
    }
    return line + strspn(line, BLANKS);
}

static bool is_header_of(const char *line, const char *service)
{
    size_t len = strlen(service);

    return strncmp(line + 1, service, len) == 0 && line[1 + len] == ']';
}

static enum servicefile take_line(const struct reader *reader, char *line)
{
    char *equals = strchr(line, '=');

    if (strncmp(line, "ldap", 4) == 0) {
        return wrong(reader, "services in LDAP are not supported");
    }
    if (equals == NULL) {
        return wrong(reader, "missing \"=\"");
    }
    *equals = '\0';
    if (strcmp(line, "service") == 0 || strcmp(line, "servicefile") == 0) {
        return wrong(reader, "a service can't name another one");
    }
    if (reader->take(reader->context, line, equals + 1, reader->error)) {
        return SERVICEFILE_FOUND;
    }
    error_prefix(reader->error, "service file \"%s\", line %lu", reader->path, reader->number);
    return SERVICEFILE_WRONG;
}

/* Whether `line`, as read, is a whole one. */
static bool is_whole(const struct reader *reader, const char *line)
{
    return strchr(line, '\n') != NULL || feof(reader->file);
}

static enum servicefile read_lines(struct reader *reader, char *buffer)
{
    enum servicefile state = SERVICEFILE_NOT_FOUND;

    while (state != SERVICEFILE_WRONG &&
           fgets(buffer, SERVICEFILE_LINE_MAX, reader->file) != NULL) {
        char *line;

        reader->number++;
        if (!is_whole(reader, buffer)) {
            return wrong(reader, "too long");
        }
        line = trim(buffer);
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        if (line[0] == '[') {
            if (state == SERVICEFILE_FOUND) {
                break; /* the next service */
            }
            state = is_header_of(line, reader->service) ? SERVICEFILE_FOUND : state;
        } else if (state == SERVICEFILE_FOUND) {
            state = take_line(reader, line);
        }
    }
    return state;
}

static FILE *open_file(const char *path, struct error *error)
{
    struct stat status;
    int fd = regular_open(path, &status);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

    if (file == NULL) {
        error_set(error, ERROR_PERMANENT, "could not open service file \"%s\": %s", path,
                  errno == EINVAL ? "it is not a regular file" : strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
    }
    return file;
}

enum servicefile servicefile_read(const char *path, const char *service, servicefile_take *take,
                                  void *context, struct error *error)
{
    struct reader reader = {
        .path = path, .service = service, .take = take, .context = context, .error = error};
    enum servicefile state = SERVICEFILE_WRONG;
    char *memory; /* stdio's buffer and a line: the file may hold passwords */

    reader.file = open_file(path, error);
    if (reader.file == NULL) {
        return SERVICEFILE_WRONG;
    }
    memory = OPENSSL_secure_malloc(BUFSIZ + SERVICEFILE_LINE_MAX);
    if (memory == NULL) {
        error_memory(error);
    } else {
        setvbuf(reader.file, memory, _IOFBF, BUFSIZ);
        state = read_lines(&reader, memory + BUFSIZ);
    }
    fclose(reader.file);
    OPENSSL_secure_clear_free(memory, BUFSIZ + SERVICEFILE_LINE_MAX);
    return state;
}
