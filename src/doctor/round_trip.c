#include <string.h>

#include "base/clock.h"
#include "decode/plugins.h"
#include "doctor/state.h"

#define DOCTOR_PREFIX      "pgnudge-doctor" /* running feeds ignore it */
#define STATUS_INTERVAL_US (200 * CLOCK_MS) /* each asks for an answer, the sign of life */

/* Local: a COMMIT that waits for a synchronous standby would outlive us. */
#define MESSAGE_SQL                                                                                \
    "SELECT pg_catalog.set_config('synchronous_commit', 'local', true);"                           \
    " SELECT pg_catalog.pg_logical_emit_message(true, '" DOCTOR_PREFIX "', '%s')"

/* A standby can't write one, and a plugin may not bring it: then the stream's answer has to do. */
static bool has_no_message(const struct checks *checks)
{
    return facts_in_recovery(&checks->facts) ||
           !plugins_have_messages(checks, checks_chosen(checks));
}

bool round_trip_start(struct checks *checks, int64_t now_us)
{
    struct stream_setup setup = {
        .conn = checks_conn(checks, SIDE_SENDER),
        .status_interval_us = STATUS_INTERVAL_US,
        .liveness_us = CLOCK_NEVER, /* the state's deadline is shorter */
        .never_synchronous = true,
    };
    struct buffer sql = {0};
    bool ok = true;

    checks->stream = stream_new(&setup, now_us);
    checks->message_sent = has_no_message(checks);
    if (!checks->message_sent) {
        buffer_format(&sql, MESSAGE_SQL, checks->slot); /* which nobody else's message holds */
        buffer_byte(&sql, '\0');
        ok = !sql.failed;
    }
    if (ok && !checks->message_sent) {
        checks->side = SIDE_ORDINARY;
        query_start(&checks->query, checks_conn(checks, SIDE_ORDINARY), sql.data, NULL, NULL);
    }
    buffer_free(&sql);
    return ok && checks->stream != NULL;
}

/* Both plugins write the prefix and the slot's name as they are. */
static bool is_ours(const struct checks *checks, struct slice payload)
{
    size_t len = strlen(checks->slot);
    bool ours = false;

    for (size_t i = 0; !ours && i + len <= payload.len; i++) {
        ours = memcmp(payload.data + i, checks->slot, len) == 0;
    }
    return ours;
}

static bool take_stream(struct checks *checks, int64_t now_us, struct error *error)
{
    struct stream_message message;
    enum stream_event event;

    if (!stream_receive(checks->stream, now_us, error)) {
        return false;
    }
    while ((event = stream_next(checks->stream, &message, error)) != STREAM_NOTHING) {
        if (event == STREAM_FAILED) {
            return false;
        }
        checks->came_back =
            checks->came_back || (event == STREAM_BEGIN && is_ours(checks, message.payload));
    }
    if (has_no_message(checks)) {
        checks->came_back = stream_position(checks->stream) > 0;
    }
    return stream_answer(checks->stream, now_us, error);
}

enum step round_trip_step(struct checks *checks, int64_t now_us, struct error *error)
{
    if (!checks->message_sent) {
        switch (query_step(&checks->query, error)) {
        case STEP_WAIT:
            break;
        case STEP_DONE:
            checks->message_sent = true;
            break;
        case STEP_FAILED:
            return STEP_FAILED;
        }
    }
    if (!take_stream(checks, now_us, error)) {
        return STEP_FAILED;
    }
    return checks->message_sent && checks->came_back ? STEP_DONE : STEP_WAIT;
}

static const char *check_name(const struct checks *checks)
{
    return has_no_message(checks) ? "stream" : "round trip";
}

void round_trip_report_left_out(struct checks *checks)
{
    report_check(
        checks->report, CHECK_WARN, check_name(checks),
        "skipped: this time the server had not created the slot when the doctor gave up waiting");
    report_fix(checks->report, "%s", plugins_waiting_fix(checks));
}

void round_trip_report(struct checks *checks, const struct error *error, int64_t took_us)
{
    if (error != NULL && !checks->message_sent && strcmp(error->sqlstate, "42501") == 0) {
        report_error(
            checks->report, CHECK_WARN, check_name(checks), error,
            "pgnudge itself does not need this right; run the doctor as a role that has it.");
    } else if (error != NULL) {
        report_error(checks->report, CHECK_FAIL, check_name(checks), error,
                     "Check the server log, and whether a pooler or proxy is in between.");
    } else if (!facts_in_recovery(&checks->facts) && has_no_message(checks)) {
        report_check(checks->report, CHECK_OK, check_name(checks),
                     "live, answered after %.1f ms (before 14, pgoutput brings no message)",
                     (double)took_us / (double)CLOCK_MS);
    } else if (has_no_message(checks)) {
        report_check(
            checks->report, CHECK_OK, check_name(checks),
            "live, answered after %.1f ms (a standby can't write a message for the round trip)",
            (double)took_us / (double)CLOCK_MS);
    } else {
        report_check(checks->report, CHECK_OK, check_name(checks),
                     "a message came back through %s after %.1f ms",
                     plugins[checks_chosen(checks)].name, (double)took_us / (double)CLOCK_MS);
    }
}
