/*
 * Usage: walread DATABASE LSN SEGMENT_SIZE [PIECE] < WAL
 *
 * Prints what src/wal/ finds in WAL that begins at LSN (a number, of a page's start): a line for
 * each transaction that commits, with its xid, the COMMIT's end, and the files that it has changed,
 * each with its rows; then those that it has dropped, and the relations that it has redefined.
 * PIECE: bytes that it is given at once, 65536 unless told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wal/transactions.h"

struct printer {
    struct wal_transactions *transactions;
};

static bool commit(void *context, const struct wal_commit *commit)
{
    const struct printer *printer = context;
    const struct open_node *change = commit->first;
    struct slice content;

    printf("commit %" PRIu32 " %" PRIu64 "%s%s%s", commit->xid, commit->lsn,
           commit->lost ? " lost" : "", commit->catalog ? " catalog" : "",
           commit->all_redefined ? " all" : "");
    for (; change != NULL; change = wal_change_next(printer->transactions, change)) {
        switch (wal_change_of(printer->transactions, change, &content)) {
        case WAL_CHANGE_FILE:
            printf(" %" PRIu32 "/%" PRIu32 ":%" PRIu64, change->file.tablespace, change->file.node,
                   change->count);
            break;
        case WAL_CHANGE_RESYNC:
            printf(" resync");
            break;
        case WAL_CHANGE_CONTENT:
            printf(" message:%.*s", (int)content.len, content.data);
            break;
        case WAL_CHANGE_NONE:
            break;
        }
    }
    for (size_t i = 0; i < commit->dropped->len; i++) {
        printf(" -%" PRIu32 "/%" PRIu32, commit->dropped->at[i].tablespace,
               commit->dropped->at[i].node);
    }
    for (size_t i = 0; i < commit->redefined->len; i++) {
        printf(" ~%" PRIu32, commit->redefined->at[i]);
    }
    printf("\n");
    return true;
}

static void rolled_back(void *context, uint32_t xid)
{
    (void)context;
    printf("abort %" PRIu32 "\n", xid);
}

static bool message(void *context, struct slice content, uint64_t lsn)
{
    (void)context;
    (void)lsn;
    printf("message %.*s\n", (int)content.len, content.len > 0 ? content.data : "");
    return true;
}

static void running(void *context, const struct wal_running *running)
{
    (void)context;
    printf("running %" PRIu32 " %" PRIu32 "\n", running->next, running->oldest);
}

/* Reads all of standard input. False: it is no WAL, or there is no memory. */
static bool run(struct wal_transactions *transactions, size_t piece, struct error *error)
{
    char *bytes = malloc(piece);
    size_t len = 0;
    bool ok = bytes != NULL;

    while (ok && (len = fread(bytes, 1, piece, stdin)) > 0) {
        ok = wal_transactions_take(transactions, (struct slice){bytes, len}, error);
    }
    free(bytes);
    return ok;
}

int main(int argc, char **argv)
{
    struct printer printer = {NULL};
    struct wal_taker taker = {&printer, commit, rolled_back, message, running};
    struct error error;
    bool ok;

    if (argc < 4) {
        fprintf(stderr, "Usage: walread DATABASE LSN SEGMENT_SIZE [PIECE] < WAL\n");
        return 2;
    }
    error_clear(&error);
    printer.transactions = wal_transactions_new(&taker, strtoull(argv[2], NULL, 10),
                                                (uint32_t)strtoul(argv[3], NULL, 10), 0,
                                                (uint32_t)strtoul(argv[1], NULL, 10));
    ok = printer.transactions != NULL &&
         run(printer.transactions, argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : 65536, &error);
    if (!ok) {
        fprintf(stderr, "%s\n", error.message);
    }
    wal_transactions_free(printer.transactions);
    return ok ? 0 : 1;
}
