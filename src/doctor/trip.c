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

bool trip_start(struct exam *exam, int64_t now_us)
{
    struct stream_setup setup = {
        .conn = exam_conn(exam, SIDE_SENDER),
        .status_interval_us = STATUS_INTERVAL_US,
        .liveness_us = CLOCK_NEVER, /* the state's deadline is shorter */
        .never_synchronous = true,
    };
    struct buffer sql = {0};
    bool ok = true;

    exam->stream = stream_new(&setup, now_us);
    exam->message_sent = facts_in_recovery(&exam->facts);
    if (!exam->message_sent) {
        buffer_format(&sql, MESSAGE_SQL, exam->slot); /* which nobody else's message holds */
        buffer_byte(&sql, '\0');
        ok = !sql.failed;
    }
    if (ok && !exam->message_sent) {
        exam->side = SIDE_ORDINARY;
        query_start(&exam->query, exam_conn(exam, SIDE_ORDINARY), sql.data, NULL, NULL);
    }
    buffer_free(&sql);
    return ok && exam->stream != NULL;
}

/* Both plugins write the prefix and the slot's name as they are. */
static bool is_ours(const struct exam *exam, struct slice payload)
{
    size_t len = strlen(exam->slot);
    bool ours = false;

    for (size_t i = 0; !ours && i + len <= payload.len; i++) {
        ours = memcmp(payload.data + i, exam->slot, len) == 0;
    }
    return ours;
}

static bool take_stream(struct exam *exam, int64_t now_us, struct error *error)
{
    struct stream_message message;
    enum stream_event event;

    if (!stream_receive(exam->stream, now_us, error)) {
        return false;
    }
    while ((event = stream_next(exam->stream, &message, error)) != STREAM_NOTHING) {
        if (event == STREAM_FAILED) {
            return false;
        }
        exam->came_back =
            exam->came_back || (event == STREAM_BEGIN && is_ours(exam, message.payload));
    }
    if (facts_in_recovery(&exam->facts)) {
        exam->came_back = stream_position(exam->stream) > 0;
    }
    return stream_answer(exam->stream, now_us, error);
}

enum step trip_step(struct exam *exam, int64_t now_us, struct error *error)
{
    if (!exam->message_sent) {
        switch (query_step(&exam->query, error)) {
        case STEP_WAIT:
            break;
        case STEP_DONE:
            exam->message_sent = true;
            break;
        case STEP_FAILED:
            return STEP_FAILED;
        }
    }
    if (!take_stream(exam, now_us, error)) {
        return STEP_FAILED;
    }
    return exam->message_sent && exam->came_back ? STEP_DONE : STEP_WAIT;
}

static const char *check_name(const struct exam *exam)
{
    return facts_in_recovery(&exam->facts) ? "stream" : "round trip";
}

void trip_report_left_out(struct exam *exam)
{
    report_check(exam->report, CHECK_WARN, check_name(exam),
                 "left out: this time the server had made no slot when the doctor gave up waiting");
    report_cure(exam->report, "%s", plugins_waiting_cure(exam));
}

void trip_report(struct exam *exam, const struct error *error, int64_t took_us)
{
    if (error != NULL && !exam->message_sent && strcmp(error->sqlstate, "42501") == 0) {
        report_error(exam->report, CHECK_WARN, check_name(exam), error,
                     "A feed needs no such right; run the doctor as a role that has it.");
    } else if (error != NULL) {
        report_error(exam->report, CHECK_FAIL, check_name(exam), error,
                     "Look into the server's log; is a pooler or proxy in between?");
    } else if (facts_in_recovery(&exam->facts)) {
        report_check(exam->report, CHECK_OK, check_name(exam),
                     "live, answered after %.1f ms (a standby writes no message of its own to "
                     "send round)",
                     (double)took_us / (double)CLOCK_MS);
    } else {
        report_check(exam->report, CHECK_OK, check_name(exam),
                     "a message came back through %s after %.1f ms",
                     plugins[exam_chosen(exam)].name, (double)took_us / (double)CLOCK_MS);
    }
}
