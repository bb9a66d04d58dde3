#include "out/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/name.h"
#include "wire/lsn.h"

extern char **environ;

#define OURS_MAX 4 /* variables in `text` */

/* What a command has no business with, or gets a new one of. */
static bool is_kept(const char *variable)
{
    static const char *const without[] = {"PGPASSWORD=", "NOTIFY_SOCKET=", "WATCHDOG_", "PGNUDGE_"};

    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        if (strncmp(variable, without[i], strlen(without[i])) == 0) {
            return false;
        }
    }
    return true;
}

/* False: a list of lines can't tell them. */
static bool fit_in_lines(const struct item *item)
{
    size_t len = 0;

    for (size_t i = 0; i < item->len; i++) {
        struct slice name = name_text(item->events[i].name);

        len += name.len + 1;
        if (len > ENVIRONMENT_TABLES_MAX || memchr(name.data, '\n', name.len) != NULL) {
            return false;
        }
    }
    return true;
}

static void write_tables(struct buffer *text, const struct item *item)
{
    buffer_text(text, "PGNUDGE_TABLES=");
    for (size_t i = 0; i < item->len; i++) {
        struct slice name = name_text(item->events[i].name);

        if (i > 0) {
            buffer_byte(text, '\n');
        }
        buffer_append(text, name.data, name.len);
    }
    buffer_byte(text, '\0');
}

/* The lines of names with their keys: all of them, then without keys, then a star. */
static void write_keyed_tables(struct buffer *text, const struct item *item)
{
    struct item_style style = {.format = ITEM_NAMES, .keys = ITEM_KEYS_ON};
    size_t start;

    buffer_text(text, "PGNUDGE_TABLES=");
    start = text->len;
    item_write(text, item, &style);
    if (text->len - start > ENVIRONMENT_TABLES_MAX) {
        text->len = start;
        style.keys = ITEM_KEYS_LEFT_OUT;
        item_write(text, item, &style);
    }
    if (text->len - start > ENVIRONMENT_TABLES_MAX) {
        text->len = start;
        buffer_text(text, "*\n");
    }
    if (text->len > start) {
        text->data[text->len - 1] = '\0'; /* the last newline */
    }
}

static void write_ours(struct buffer *text, const struct item *item, enum item_keys keys)
{
    bool is_resync = item->resync != RESYNC_NONE;

    buffer_format(text, "PGNUDGE_TYPE=%s", item_type(item));
    buffer_byte(text, '\0');
    buffer_format(text, "PGNUDGE_LSN=" LSN_FORMAT, LSN_HALVES(item->lsn));
    buffer_byte(text, '\0');
    if (is_resync) {
        buffer_format(text, "PGNUDGE_REASON=%s", resync_text(item->resync));
        buffer_byte(text, '\0');
    } else if (item->heartbeat) {
        return;
    } else if (keys != ITEM_KEYS_OFF) {
        write_keyed_tables(text, item);
    } else if (fit_in_lines(item)) {
        write_tables(text, item);
    }
}

bool environment_make(struct environment *environment, const struct item *item, enum item_keys keys)
{
    struct buffer *text = &environment->text;
    size_t count = 0;
    size_t len = 0;

    *environment = (struct environment){0};
    write_ours(text, item, keys);
    while (environ[count] != NULL) {
        count++;
    }
    environment->variables = calloc(count + OURS_MAX + 1, sizeof(*environment->variables));
    if (text->failed || environment->variables == NULL) {
        environment_free(environment);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_kept(environ[i])) {
            environment->variables[len++] = environ[i];
        }
    }
    for (size_t at = 0; at < text->len; at += strlen(text->data + at) + 1) {
        environment->variables[len++] = text->data + at;
    }
    return true;
}

void environment_free(struct environment *environment)
{
    free(environment->variables);
    buffer_free(&environment->text);
    environment->variables = NULL;
}
