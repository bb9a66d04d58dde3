#include "server/pooler.h"

bool pooler_row(void *context, struct query_row *row)
{
    uint32_t *pid = context;
    struct slice text;
    uint64_t number;

    if (!query_row_next(row, &text) || !slice_number(text, &number) || number > UINT32_MAX) {
        return false;
    }
    *pid = (uint32_t)number;
    return true;
}

bool pooler_absent(struct conn *conn, uint32_t pid, struct error *error)
{
    const struct cancel_key *key = conn_cancel_key(conn);

    if (key->len == 0 || key->pid == pid) {
        return true;
    }
    error_set(error, ERROR_PERMANENT, "a connection pooler is between pgnudge and %s",
              conn_address(conn)->text);
    error_detail(error, "The login named process %u, but process %u answers.", key->pid, pid);
    error_hint(error, "Connect to the server itself, at its own host and port.");
    return false;
}
