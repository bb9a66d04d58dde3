#include "doctor/report.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct report {
    enum report_form form;
    struct buffer text;
    struct buffer failures; /* their lines once more, for a terminal */
    bool in_failure;
    unsigned counts[CHECK_FAIL + 1];
    cJSON *document; /* NULL: lines for people */
    cJSON *checks;   /* borrowed from the document, as are the next */
    cJSON *last;
    cJSON *plugin;
    cJSON *options;
};

static const char *const status_labels[] = {
    [CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "FAIL"};

static const char *const status_words[] = {
    [CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail"};

struct report *report_new(enum report_form form)
{
    struct report *report = calloc(1, sizeof(*report));

    if (report != NULL && form == REPORT_JSON) {
        report->document = cJSON_CreateObject();
        report->plugin = cJSON_AddObjectToObject(report->document, "plugin");
        report->options = cJSON_AddArrayToObject(report->document, "options");
        report->checks = cJSON_AddArrayToObject(report->document, "checks");
        if (report->plugin == NULL || report->options == NULL || report->checks == NULL) {
            report_free(report);
            report = NULL;
        }
    }
    if (report != NULL) {
        report->form = form;
    }
    return report;
}

__attribute__((format(printf, 2, 0))) static void format_text(char text[REPORT_TEXT_MAX],
                                                              const char *format, va_list args)
{
    vsnprintf(text, REPORT_TEXT_MAX, format, args);
    utf8_disarm(text);
}

static void add_line(struct report *report, const char *label, const char *name, const char *text)
{
    buffer_format(&report->text, "%-4s  %s%s%s\n", label, name, name[0] != '\0' ? ": " : "", text);
    if (report->in_failure && report->form == REPORT_TERMINAL) {
        buffer_format(&report->failures, "%-4s  %s%s%s\n", label, name, name[0] != '\0' ? ": " : "",
                      text);
    }
}

static void add_member(struct report *report, cJSON *object, const char *key, const char *text)
{
    report->text.failed |= cJSON_AddStringToObject(object, key, text) == NULL;
}

/* An object of its own in `array`, or NULL. */
static cJSON *add_object(struct report *report, cJSON *array)
{
    cJSON *object = cJSON_CreateObject();

    report->text.failed |= object == NULL || !cJSON_AddItemToArray(array, object);
    return object;
}

/* "table public.orders" is a check and its object. */
static void add_name(struct report *report, const char *name)
{
    static const char *const kinds[] = {"table", "plugin"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(name, kinds[i], len) == 0 && name[len] == ' ') {
            add_member(report, report->last, "check", kinds[i]);
            add_member(report, report->last, "object", name + len + 1);
            return;
        }
    }
    add_member(report, report->last, "check", name);
}

static void add_check(struct report *report, enum check_status status, const char *name,
                      const char *found)
{
    char safe_name[REPORT_TEXT_MAX];

    snprintf(safe_name, sizeof(safe_name), "%s", name);
    utf8_disarm(safe_name);
    report->counts[status]++;
    report->in_failure = status == CHECK_FAIL;
    if (report->document == NULL) {
        add_line(report, status_labels[status], safe_name, found);
        return;
    }
    report->last = add_object(report, report->checks);
    add_name(report, safe_name);
    add_member(report, report->last, "status", status_words[status]);
    add_member(report, report->last, "text", found);
    report->text.failed |= cJSON_AddArrayToObject(report->last, "fixes") == NULL;
}

static void add_fix(struct report *report, const char *fix)
{
    if (report->document == NULL) {
        add_line(report, "", "", fix);
    } else {
        report->text.failed |= !cJSON_AddItemToArray(cJSON_GetObjectItem(report->last, "fixes"),
                                                     cJSON_CreateString(fix));
    }
}

void report_check(struct report *report, enum check_status status, const char *name,
                  const char *format, ...)
{
    char found[REPORT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    format_text(found, format, args);
    va_end(args);
    add_check(report, status, name, found);
}

void report_fix(struct report *report, const char *format, ...)
{
    char fix[REPORT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    format_text(fix, format, args);
    va_end(args);
    add_fix(report, fix);
}

void report_error(struct report *report, enum check_status status, const char *name,
                  const struct error *error, const char *fix)
{
    const char *line = error->hint[0] != '\0' ? error->hint : fix;
    struct error told = *error;
    size_t len;

    for (char *end = told.detail; (end = strchr(end, '\n')) != NULL;) {
        *end = ' ';
    }
    report_check(report, status, name, "%s%s%s", told.message, told.detail[0] != '\0' ? "; " : "",
                 told.detail);
    for (; *line != '\0'; line += len + (line[len] == '\n' ? 1 : 0)) {
        len = strcspn(line, "\n");
        report_fix(report, "%.*s", (int)len, line);
    }
}

void report_plugin(struct report *report, const char *plugin, const char *format, ...)
{
    char why[REPORT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    format_text(why, format, args);
    va_end(args);
    report->in_failure = false;
    if (report->document == NULL) {
        add_line(report, "use", plugin != NULL ? plugin : "no plugin", why);
        return;
    }
    report->text.failed |= cJSON_AddItemToObject(report->plugin, "use",
                                                 plugin != NULL ? cJSON_CreateString(plugin)
                                                                : cJSON_CreateNull()) == 0;
    add_member(report, report->plugin, "text", why);
}

void report_option(struct report *report, const char *option, const char *format, ...)
{
    char why[REPORT_TEXT_MAX];
    cJSON *object;
    va_list args;

    va_start(args, format);
    format_text(why, format, args);
    va_end(args);
    if (report->document == NULL) {
        add_line(report, "use", option, why);
        return;
    }
    object = add_object(report, report->options);
    add_member(report, object, "use", option);
    add_member(report, object, "text", why);
}

static void add_document(struct report *report)
{
    char *text;

    report->text.failed |=
        cJSON_AddBoolToObject(report->document, "ready", report->counts[CHECK_FAIL] == 0) == NULL;
    text = cJSON_Print(report->document);
    report->text.failed |= text == NULL;
    if (text != NULL) {
        buffer_text(&report->text, text);
        buffer_byte(&report->text, '\n');
        cJSON_free(text);
    }
}

void report_end(struct report *report)
{
    unsigned failed = report->counts[CHECK_FAIL];
    unsigned warned = report->counts[CHECK_WARN];

    if (report->document != NULL) {
        add_document(report);
    } else if (failed > 0) {
        buffer_append(&report->text, report->failures.data, report->failures.len);
        report->text.failed |= report->failures.failed;
        buffer_format(&report->text, "result: NOT READY, %u check%s failed\n", failed,
                      failed > 1 ? "s" : "");
    } else if (warned > 0) {
        buffer_format(&report->text, "result: ready, with %u warning%s\n", warned,
                      warned > 1 ? "s" : "");
    } else {
        buffer_text(&report->text, "result: ready\n");
    }
}

unsigned report_count(const struct report *report, enum check_status status)
{
    return report->counts[status];
}

struct buffer *report_text(struct report *report)
{
    return &report->text;
}

void report_free(struct report *report)
{
    if (report != NULL) {
        buffer_free(&report->text);
        buffer_free(&report->failures);
        cJSON_Delete(report->document);
        free(report);
    }
}
