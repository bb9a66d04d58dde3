#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_clear(struct error *error)
{
    memset(error, 0, sizeof(*error));
}

bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    char message[ERROR_TEXT_MAX]; /* the arguments may be the error's own texts */
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    error_clear(error);
    error->kind = kind;
    memcpy(error->message, message, sizeof(message));
    return false;
}

bool error_memory(struct error *error)
{
    return error_set(error, ERROR_FATAL, "out of memory");
}

void error_prefix(struct error *error, const char *format, ...)
{
    char prefix[ERROR_TEXT_MAX];
    size_t room = sizeof(error->message);
    size_t len;
    va_list args;

    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix) - 2, format, args);
    va_end(args);
    len = strlen(prefix);
    memcpy(prefix + len, ": ", sizeof(": "));
    len += 2;
    memmove(error->message + len, error->message, room - len);
    memcpy(error->message, prefix, len);
    error->message[room - 1] = '\0';
}

void error_detail(struct error *error, const char *format, ...)
{
    size_t len = strlen(error->detail);
    va_list args;

    if (len > 0 && len < sizeof(error->detail) - 1) {
        error->detail[len++] = '\n';
        error->detail[len] = '\0';
    }
    va_start(args, format);
    vsnprintf(error->detail + len, sizeof(error->detail) - len, format, args);
    va_end(args);
}

void error_hint(struct error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->hint, sizeof(error->hint), format, args);
    va_end(args);
}

void error_add_hint(struct error *error, const char *line)
{
    size_t len = strlen(error->hint);

    snprintf(error->hint + len, sizeof(error->hint) - len, "%s%s", len > 0 ? "\n" : "", line);
}
