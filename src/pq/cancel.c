#include "pq/cancel.h"

#include <stdlib.h>

#include "net/dial.h"
#include "wire/message.h"

#define CANCEL_REQUEST_CODE 80877102

/* 1. Either `dial` or `transport` is there. */
struct cancel {
    struct dial *dial;           /* until connected */
    struct transport *transport; /* from then on */
    struct buffer request;       /* what is still to be sent */
};

struct cancel *cancel_start(struct conn *conn, const struct conninfo *info, struct error *error)
{
    const struct cancel_key *key = conn_cancel_key(conn);
    struct cancel *cancel = calloc(1, sizeof(*cancel));
    size_t mark;

    if (cancel == NULL) {
        error_memory(error);
        return NULL;
    }
    mark = message_begin(&cancel->request, 0);
    buffer_be32(&cancel->request, CANCEL_REQUEST_CODE);
    buffer_be32(&cancel->request, key->pid);
    buffer_append(&cancel->request, key->key, key->len);
    message_end(&cancel->request, mark);
    cancel->dial = dial_start(conn_address(conn), info,
                              conn_tls(conn) != NULL ? ENCRYPT_YES : ENCRYPT_NO, error);
    if (cancel->dial == NULL) {
        cancel_free(cancel);
        return NULL;
    }
    return cancel;
}

static enum io step_sent(struct cancel *cancel, struct error *error)
{
    char byte;
    size_t len = 0;
    enum io io = IO_DONE;

    while (io == IO_DONE && cancel->request.len > 0) {
        io = transport_write(cancel->transport, cancel->request.data, cancel->request.len, &len,
                             error);
        buffer_consume(&cancel->request, io == IO_DONE ? len : 0);
    }
    return io == IO_DONE ? transport_read(cancel->transport, &byte, 1, &len, error) : io;
}

enum step cancel_step(struct cancel *cancel, struct error *error)
{
    enum io io;

    if (cancel->request.failed) {
        error_memory(error);
        return STEP_FAILED;
    }
    if (cancel->transport == NULL) {
        io = dial_step(cancel->dial, error);
        if (io != IO_DONE) {
            return io == IO_AGAIN ? STEP_WAIT : STEP_FAILED;
        }
        cancel->transport = dial_take(cancel->dial);
        dial_free(cancel->dial);
        cancel->dial = NULL;
    }
    io = step_sent(cancel, error);
    return io == IO_AGAIN ? STEP_WAIT : io == IO_ERROR ? STEP_FAILED : STEP_DONE;
}

struct pollfd cancel_pollfd(const struct cancel *cancel)
{
    return cancel->transport != NULL ? transport_pollfd(cancel->transport, cancel->request.len > 0)
                                     : dial_pollfd(cancel->dial);
}

void cancel_free(struct cancel *cancel)
{
    if (cancel != NULL) {
        dial_free(cancel->dial);
        transport_close(cancel->transport);
        buffer_free(&cancel->request);
        free(cancel);
    }
}
