/*
 * WAL: pages as they come, or, where the first byte is odd, records that are laid into good pages.
 * The second byte is the major, the third says how the input is cut. What comes of it in pieces is
 * what comes at once, and its memory is bounded.
 */
#include "fuzz/fuzz.h"
#include "wal/build.h"
#include "wal/transactions.h"

#define START ((uint64_t)BUILD_SEGMENT - WAL_PAGE)

static struct build build; /* large */

/* What came out: a hash of it. */
struct outcome {
    uint64_t hash;
    const struct wal_transactions *transactions;
    bool failed;
};

static void add(struct outcome *outcome, uint64_t value)
{
    outcome->hash = (outcome->hash ^ value) * UINT64_C(0x100000001b3);
}

static bool on_commit(void *context, const struct wal_commit *commit)
{
    struct outcome *outcome = context;
    struct slice content;
    size_t count = 0;

    add(outcome, commit->xid);
    add(outcome, commit->lsn);
    for (const struct open_node *change = commit->first; change != NULL;
         change = wal_change_next(outcome->transactions, change)) {
        MUST(++count <= OPEN_NODES_MAX && change->xid == commit->xid);
        if (wal_change_of(outcome->transactions, change, &content) == WAL_CHANGE_CONTENT) {
            MUST(content.len <= WAL_CONTENT_MAX);
        }
        add(outcome, change->file.node + change->count);
    }
    MUST(commit->dropped->len <= WAL_LIST_MAX && commit->redefined->len <= WAL_LIST_MAX);
    for (size_t i = 0; i < commit->dropped->len; i++) {
        MUST(wal_commit_drops(commit, commit->dropped->at[i]));
    }
    for (size_t i = 1; i < commit->redefined->len; i++) {
        MUST(commit->redefined->at[i - 1] < commit->redefined->at[i]);
    }
    return true;
}

static void on_abort(void *context, uint32_t xid)
{
    add(context, xid);
}

static bool on_message(void *context, struct slice content, uint64_t lsn)
{
    MUST(lsn % WAL_ALIGN == 0);
    MUST(content.len <= WAL_CONTENT_MAX);
    add(context, content.len);
    return true;
}

static void on_running(void *context, const struct wal_running *running)
{
    add(context, running->next);
}

static struct outcome read_in(size_t piece)
{
    struct outcome outcome = {.hash = 1};
    struct wal_taker taker = {&outcome, on_commit, on_abort, on_message, on_running};
    struct wal_transactions *transactions =
        wal_transactions_new(&taker, START, BUILD_SEGMENT, 0, BUILD_DATABASE);
    struct error error;

    MUST(transactions != NULL);
    outcome.transactions = transactions;
    for (size_t at = 0; !outcome.failed && at < build.len; at += piece) {
        size_t len = build.len - at < piece ? build.len - at : piece;

        outcome.failed = !wal_transactions_take(
            transactions, (struct slice){(const char *)build.bytes + at, len}, &error);
        MUST(outcome.failed || wal_transactions_position(transactions) == START + at + len);
    }
    wal_transactions_free(transactions);
    return outcome;
}

/* Records: each a length in two bytes, manager, info, xid in one, and so many bytes. */
static void lay_records(const uint8_t *data, size_t size)
{
    while (size > 5) {
        size_t len = (size_t)(data[0] | data[1] << 8);
        uint8_t manager = data[2], info = data[3];
        uint32_t xid = data[4];

        data += 5;
        size -= 5;
        len = len < size ? len : size;
        if (build.len + 2 * len + 4 * WAL_PAGE > BUILD_MAX) {
            return;
        }
        build_record(&build, manager, info, xid, data, len);
        data += len;
        size -= len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t magics[] = {0xd106, 0xd10d, 0xd110, 0xd113, 0xd116, 0xd118, 0xd122};
    struct outcome whole, cut;

    if (size < 4) {
        return 0;
    }
    build_start(&build, START, magics[data[1] % 7]);
    if ((data[0] & 1) != 0) {
        lay_records(data + 3, size - 3);
    } else {
        memcpy(build.bytes, data + 3, size - 3);
        build.len = size - 3;
    }
    whole = read_in(BUILD_MAX);
    cut = read_in(1 + data[2]);
    MUST(whole.failed == cut.failed && whole.hash == cut.hash);
    return 0;
}
