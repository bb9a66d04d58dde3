#include "pq/query.h"

#include "wire/cursor.h"
#include "wire/message.h"
#include "wire/servererror.h"

#define NULL_VALUE UINT32_MAX /* a column's length of -1 */

bool query_row_next(struct query_row *row, struct slice *value)
{
    uint32_t len;

    if (row->columns == 0 || !cursor_be32(&row->rest, &len)) {
        return false;
    }
    row->columns--;
    *value = (struct slice){NULL, 0};
    return len == NULL_VALUE || cursor_bytes(&row->rest, len, value);
}

void query_start(struct query *query, struct conn *conn, const char *sql, query_row_fn *on_row,
                 void *context)
{
    *query = (struct query){.conn = conn, .on_row = on_row, .context = context};
    message_query(conn_out(conn), sql);
}

static bool take_row(const struct query *query, struct slice body)
{
    struct query_row row;

    if (!cursor_be16(&body, &row.columns)) {
        return false;
    }
    row.rest = body;
    return query->on_row == NULL || query->on_row(query->context, &row);
}

static enum step malformed(struct error *error)
{
    error_set(error, ERROR_TRANSIENT, "received an unexpected message from the server");
    return STEP_FAILED;
}

static enum step take_frame(struct query *query, const struct frame *frame, struct error *error)
{
    if (frame->kind == FRAME_MORE) {
        return STEP_WAIT;
    }
    if (frame->kind == FRAME_BAD) {
        return malformed(error);
    }
    switch (frame->type) {
    case 'T': /* RowDescription */
    case 'C': /* CommandComplete */
    case 'I': /* EmptyQueryResponse */
    case 'N': /* NoticeResponse */
    case 'A': /* NotificationResponse */
        return STEP_WAIT;
    case 'D':
        /* A row that doesn't fit the frame's prefix is none that pgnudge asks for. */
        return frame->left == 0 && take_row(query, frame->body) ? STEP_WAIT : malformed(error);
    case 'E':
        server_error_read(frame->body, &query->error);
        return STEP_WAIT;
    case 'W':
        return STEP_DONE;
    case 'Z':
        query->ready = true;
        if (query->error.kind == ERROR_NONE) {
            return STEP_DONE;
        }
        *error = query->error;
        return STEP_FAILED;
    default:
        return malformed(error);
    }
}

enum step query_step(struct query *query, struct error *error)
{
    enum step step = STEP_WAIT;
    struct frame frame;
    enum io io = conn_flush(query->conn, error);

    if (io != IO_ERROR) {
        io = conn_receive(query->conn, error);
    }
    if (io == IO_EOF) {
        if (query->error.kind != ERROR_NONE) {
            *error = query->error; /* a FATAL one */
        } else {
            error_set(error, ERROR_TRANSIENT, "the server closed the connection unexpectedly");
        }
        return STEP_FAILED;
    }
    if (io != IO_DONE) {
        return io == IO_AGAIN ? STEP_WAIT : STEP_FAILED;
    }
    while (step == STEP_WAIT && (frame = conn_next(query->conn)).kind != FRAME_NONE) {
        step = take_frame(query, &frame, error);
    }
    return step;
}
