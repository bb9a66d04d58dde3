#include "conninfo/passfile.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular.h"

/*
 * host:port:database:user:password, where a star stands for any value of a
 * field and a backslash protects a colon or a backslash. Returns what follows
 * the first field of `line` if `wanted` matches that, else NULL.
 */
static const char *match_field(const char *line, const char *wanted)
{
    if (line == NULL) {
        return NULL;
    }
    if (line[0] == '*' && line[1] == ':') {
        return line + 2;
    }
    for (; *line != '\0'; line++, wanted++) {
        if (*line == ':' && *wanted == '\0') {
            return line + 1;
        }
        if (*line == '\\') {
            line++;
        }
        if (*wanted == '\0' || *line != *wanted) {
            return NULL;
        }
    }
    return NULL;
}

/* The password field without its escapes, up to a colon or the end. NULL: out of memory. */
static char *password_of(const char *field)
{
    char *password = OPENSSL_secure_zalloc(strlen(field) + 1);
    char *out = password;

    if (password == NULL) {
        return NULL;
    }
    for (; *field != ':' && *field != '\0'; field++) {
        if (*field == '\\' && field[1] != '\0') {
            field++;
        }
        *out++ = *field;
    }
    return password;
}

/* What the file calls the host: the default socket directory is "localhost". */
static const char *host_name(const struct host *host)
{
    return strcmp(host->name, DEFAULT_SOCKET_DIR) == 0 ? "localhost" : host_label(host);
}

static const char *match_line(const struct conninfo *info, const struct host *host,
                              const char *line)
{
    line = match_field(line, host_name(host));
    line = match_field(line, host->port);
    line = match_field(line, conninfo_text(info, CONN_DBNAME));
    return match_field(line, conninfo_text(info, CONN_USER));
}

/* Reads one line without its end. False: the file's end. A line that is too long comes empty. */
static bool read_line(FILE *file, char *line)
{
    bool whole;
    size_t len;

    if (fgets(line, PASSFILE_LINE_MAX, file) == NULL) {
        return false;
    }
    whole = strchr(line, '\n') != NULL || feof(file);
    for (len = strlen(line); len > 0 && strchr("\r\n", line[len - 1]) != NULL; len--) {
        line[len - 1] = '\0';
    }
    if (!whole) {
        while (!whole && fgets(line, PASSFILE_LINE_MAX, file) != NULL) {
            whole = strchr(line, '\n') != NULL;
        }
        line[0] = '\0';
    }
    return true;
}

/* The first line that matches decides. */
static char *search(const struct conninfo *info, const struct host *host, FILE *file, char *line)
{
    const char *password;

    while (read_line(file, line)) {
        password = line[0] != '#' ? match_line(info, host, line) : NULL;
        if (password != NULL) {
            return password_of(password);
        }
    }
    return NULL;
}

/*
 * systemd's credentials (systemd.exec(5)) are root's, and the service's user may read them by an ACL,
 * which shows as the group's permission.
 */
static bool is_credential(const char *path, const struct stat *status)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t len = directory != NULL ? strlen(directory) : 0;

    return len > 0 && strncmp(path, directory, len) == 0 && path[len] == '/' &&
           strstr(path, "/../") == NULL && status->st_uid == 0 &&
           (status->st_mode & (S_IWGRP | S_IRWXO)) == 0;
}

/* Opens it if it is the user's own business. NULL: it isn't there, or `why` says more. */
static FILE *open_private(const char *path, struct error *why)
{
    struct stat status;
    int fd = regular_open(path, &status);
    FILE *file = NULL;

    if (fd < 0) {
        if (errno == EINVAL) {
            error_set(why, ERROR_PERMANENT, "password file \"%s\" is not a plain file", path);
        } else if (errno != ENOENT && errno != ENOTDIR) {
            error_set(why, ERROR_PERMANENT, "could not open password file \"%s\": %s", path,
                      strerror(errno));
        }
        return NULL;
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 && !is_credential(path, &status)) {
        error_set(why, ERROR_PERMANENT,
                  "password file \"%s\" has group or world access; permissions should be u=rw "
                  "(0600) or less",
                  path);
    } else {
        file = fdopen(fd, "r");
    }
    if (file == NULL) {
        close(fd);
    }
    return file;
}

char *passfile_lookup(const struct conninfo *info, const struct host *host, struct error *why)
{
    FILE *file;
    char *memory; /* stdio's buffer and a line, both full of passwords */
    char *password = NULL;

    error_clear(why);
    file = open_private(conninfo_text(info, CONN_PASSFILE), why);
    if (file == NULL) {
        return NULL;
    }
    memory = OPENSSL_secure_malloc(BUFSIZ + PASSFILE_LINE_MAX);
    if (memory != NULL) {
        setvbuf(file, memory, _IOFBF, BUFSIZ);
        password = search(info, host, file, memory + BUFSIZ);
    }
    fclose(file);
    OPENSSL_secure_clear_free(memory, BUFSIZ + PASSFILE_LINE_MAX);
    return password;
}

void passfile_free(char *password)
{
    if (password != NULL) {
        OPENSSL_secure_clear_free(password, strlen(password) + 1);
    }
}
