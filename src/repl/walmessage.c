/*
 * XLogData:        'w' start:u64 end:u64 time:i64 payload
 * keepalive:       'k' end:u64 time:i64 reply:u8
 * standby status:  'r' written:u64 flushed:u64 applied:u64 time:i64 reply:u8
 *
 * Times are microseconds since 2000-01-01. A logical walsender sets XLogData's
 * start and end alike; a physical one's end is how far its server's WAL goes.
 */
#include "repl/walmessage.h"

#include "wire/cursor.h"
#include "wire/message.h"

#define EPOCH_2000_US INT64_C(946684800000000) /* 2000-01-01 in microseconds since 1970 */

bool wal_message_read(struct slice body, struct wal_message *message)
{
    uint8_t kind, reply;
    uint64_t end, time;

    *message = (struct wal_message){.kind = WAL_UNKNOWN};
    if (!cursor_u8(&body, &kind)) {
        return false;
    }
    if (kind == 'w') {
        message->kind = WAL_DATA;
        if (!cursor_be64(&body, &message->lsn) || !cursor_be64(&body, &end) ||
            !cursor_be64(&body, &time)) {
            return false;
        }
        message->payload = body;
    } else if (kind == 'k') {
        message->kind = WAL_KEEPALIVE;
        if (!cursor_be64(&body, &message->lsn) || !cursor_be64(&body, &time) ||
            !cursor_u8(&body, &reply)) {
            return false;
        }
        message->reply_requested = reply != 0;
    }
    return true;
}

void standby_status_write(struct buffer *out, const struct standby_status *status)
{
    size_t mark = message_begin(out, 'd');

    buffer_byte(out, 'r');
    buffer_be64(out, status->written);
    buffer_be64(out, status->flushed);
    buffer_be64(out, status->applied);
    buffer_be64(out, (uint64_t)(status->wall_us - EPOCH_2000_US));
    buffer_byte(out, status->reply_requested ? 1 : 0);
    message_end(out, mark);
}
