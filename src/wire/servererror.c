#include "wire/servererror.h"

#include <stdio.h>
#include <string.h>

#include "wire/cursor.h"

static void copy(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", (int)(from.len < size ? from.len : size), from.data);
}

/* What no retry mends, by SQLSTATE (appendix A). */
static enum error_kind kind_of(const char *sqlstate)
{
    static const char *const permanent[] = {
        "0A000", /* feature_not_supported: a pooler, or a standby before 16 */
        "08P01", /* protocol_violation: a pooler that doesn't know `replication` */
        "22023", /* invalid_parameter_value: the plugin doesn't know an option */
        "28000", /* invalid_authorization_specification: pg_hba.conf, no such role */
        "28P01", /* invalid_password */
        "3D000", /* invalid_catalog_name: no such database */
        "42501", /* insufficient_privilege: REPLICATION, CONNECT, the plugin */
        "42601", /* syntax_error: a pooler */
        "42704", /* undefined_object: a startup parameter */
        "55000", /* object_not_in_prerequisite_state: wal_level */
        "58P01", /* undefined_file: the plugin isn't installed */
    };

    for (size_t i = 0; i < sizeof(permanent) / sizeof(permanent[0]); i++) {
        if (strcmp(sqlstate, permanent[i]) == 0) {
            return ERROR_PERMANENT;
        }
    }
    return ERROR_TRANSIENT;
}

void server_error_read(struct slice body, struct error *error)
{
    struct slice severity = slice_of("ERROR");
    struct slice message = slice_of("no message");
    struct slice text;
    uint8_t field;

    error_clear(error);
    while (cursor_u8(&body, &field) && field != 0 && cursor_string(&body, &text)) {
        switch (field) {
        case 'S':
            severity = text;
            break;
        case 'C':
            copy(error->sqlstate, sizeof(error->sqlstate), text);
            break;
        case 'M':
            message = text;
            break;
        case 'D':
            copy(error->detail, sizeof(error->detail), text);
            break;
        case 'H':
            copy(error->hint, sizeof(error->hint), text);
            break;
        default:
            break;
        }
    }
    snprintf(error->message, sizeof(error->message), "%.*s:  %.*s", (int)severity.len,
             severity.data, (int)(message.len < ERROR_TEXT_MAX ? message.len : ERROR_TEXT_MAX),
             message.data);
    error->kind = kind_of(error->sqlstate);
}

bool server_error_field(struct slice body, char letter, struct slice *text)
{
    uint8_t field;

    while (cursor_u8(&body, &field) && field != 0 && cursor_string(&body, text)) {
        if (field == (uint8_t)letter) {
            return true;
        }
    }
    return false;
}

bool server_error_refused_plugin(const struct error *error)
{
    return strcmp(error->sqlstate, "58P01") == 0 ||
           (strcmp(error->sqlstate, "42501") == 0 &&
            strstr(error->hint, "output_plugin_libraries") != NULL);
}
