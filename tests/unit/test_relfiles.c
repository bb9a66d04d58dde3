/* Which relation a file belongs to. The server's answers are made up, and the times. */
#include "catalog/relfiles.h"

#include <stdio.h>

#include "base/clock.h"
#include "check.h"

#define NOW    (5 * CLOCK_S)
#define TABLE  20000
#define FILE_1 ((struct relfile){1663, 30001})
#define FILE_2 ((struct relfile){1663, 30002})

static void be_int32(struct buffer *bytes, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        buffer_byte(bytes, (char)(value >> shift));
    }
}

/* A row of the answer: a file, the relation's OID (0: NULL), whether it is a table, the end of WAL. */
static void row(struct relfiles *files, struct relfile file, uint32_t oid, bool is_table,
                uint64_t lsn)
{
    char texts[5][40];
    struct buffer bytes = {0};
    struct query_row query_row = {.columns = 5};

    snprintf(texts[0], 40, "%" PRIu32, file.tablespace);
    snprintf(texts[1], 40, "%" PRIu32, file.node);
    snprintf(texts[2], 40, "%" PRIu32, oid);
    snprintf(texts[3], 40, "%s", is_table ? "true" : "false");
    snprintf(texts[4], 40, "0/%" PRIX64, lsn);
    for (int i = 0; i < 5; i++) {
        bool null = i == 2 && oid == 0;

        be_int32(&bytes, null ? UINT32_MAX : (uint32_t)strlen(texts[i]));
        buffer_text(&bytes, null ? "" : texts[i]);
    }
    query_row.rest = check_content(&bytes);
    CHECK(relfiles_row(files, &query_row));
    buffer_free(&bytes);
}

static void ask(struct relfiles *files)
{
    struct buffer sql = {0};

    CHECK(relfiles_due(files) <= NOW);
    relfiles_question(files, &sql);
    CHECK(sql.len > 0 && !sql.failed);
    buffer_free(&sql);
}

/* The answer of a question is complete; the one wait that was asked is said to be of this kind. */
static void answered(struct relfiles *files, enum relfile_kind expected)
{
    enum relfile_kind kind = RELFILE_UNKNOWN;
    uint32_t oid;
    struct relfile_wait *wait;

    relfiles_answered(files);
    wait = relfiles_next(files, &kind, &oid);
    REQUIRE(wait != NULL);
    CHECK(kind == expected);
    relfiles_done(files, wait);
    CHECK(relfiles_next(files, &kind, &oid) == NULL);
    relfiles_rest(files, NOW);
}

/* Table FILE_1 is known since WAL ended at 0x100. */
static void start(struct relfiles *files)
{
    relfiles_start(files, NOW);
    ask(files);
    row(files, FILE_1, TABLE, true, 0x100);
    relfiles_answered(files);
    CHECK(relfiles_due(files) == CLOCK_NEVER);
}

static void test_seed(void)
{
    struct relfiles files = {0};
    uint32_t oid;

    start(&files);
    CHECK(relfiles_find(&files, FILE_1, &oid) == RELFILE_TABLE && oid == TABLE);
    CHECK(relfiles_find(&files, FILE_2, &oid) == RELFILE_UNKNOWN);
    CHECK(!relfiles_dropped(&files, FILE_1));
    CHECK(relfiles_find(&files, FILE_1, &oid) == RELFILE_UNKNOWN);
    relfiles_free(&files);
}

static void test_unknown(void)
{
    struct relfiles files = {0};
    struct relfile_wait *wait;
    uint32_t oid;

    start(&files);
    wait = relfiles_wait_file(&files, FILE_2);
    REQUIRE(wait != NULL);
    CHECK(relfiles_wait_file(&files, FILE_2) == wait && files.pending == 1);
    ask(&files);
    row(&files, FILE_2, TABLE + 1, false, 0x200);
    answered(&files, RELFILE_OTHER);
    CHECK(relfiles_find(&files, FILE_2, &oid) == RELFILE_OTHER && files.pending == 0);
    relfiles_free(&files);
}

static void test_not_there(void)
{
    struct relfiles files = {0};
    enum relfile_kind kind;
    uint32_t oid;
    struct relfile_wait *wait;

    start(&files);
    REQUIRE(relfiles_wait_file(&files, FILE_2) != NULL);
    ask(&files);
    row(&files, FILE_2, 0, false, 0x200);
    relfiles_answered(&files);
    wait = relfiles_next(&files, &kind, &oid);
    REQUIRE(wait != NULL && kind == RELFILE_UNKNOWN);
    relfiles_again(&files, wait);
    relfiles_rest(&files, NOW);
    CHECK(files.pending == 0 && files.hidden == 1);
    CHECK(relfiles_due(&files) > NOW && relfiles_due(&files) < NOW + CLOCK_S);
    CHECK(relfiles_dropped(&files, FILE_2) && wait->dropped);
    relfiles_drop(&files);
    CHECK(files.hidden == 0 && files.len == 0);
    CHECK(relfiles_find(&files, FILE_2, &oid) == RELFILE_UNKNOWN);
    relfiles_free(&files);
}

/* A COMMIT that ends at `commit_lsn` may have rewritten the table, which is found to have `file`. */
static void rewritten(uint64_t commit_lsn, struct relfile file, enum relfile_kind expected)
{
    struct relfiles files = {0};
    struct relfile_wait *wait;

    CASE("a COMMIT at %" PRIx64 ", node %" PRIu32, commit_lsn, file.node);
    start(&files);
    wait = relfiles_wait_oid(&files, TABLE, true);
    REQUIRE(wait != NULL);
    wait->rewritten_lsn = commit_lsn;
    ask(&files);
    row(&files, file, TABLE, true, 0x300);
    answered(&files, expected);
    relfiles_free(&files);
}

static void test_rewritten(void)
{
    rewritten(0x200, FILE_2, RELFILE_TABLE);
    rewritten(0x200, FILE_1, RELFILE_SAME);
    rewritten(0x100, FILE_1, RELFILE_TABLE); /* what was known may be of after it */
    rewritten(0x80, FILE_1, RELFILE_TABLE);
    rewritten(0, FILE_1, RELFILE_TABLE);
}

static void test_bounds(void)
{
    struct relfiles files = {0};
    uint32_t oid;

    start(&files);
    for (uint32_t i = 0; i < RELFILES_WAITS_MAX; i++) {
        REQUIRE(relfiles_wait_oid(&files, i, i % 2 == 0) != NULL);
    }
    CHECK(relfiles_wait_oid(&files, 7, true) == NULL);
    CHECK(relfiles_wait_file(&files, FILE_2) == NULL);
    CHECK(relfiles_find(&files, FILE_2, &oid) == RELFILE_UNKNOWN);
    relfiles_drop(&files);
    for (uint32_t i = 0; i < RELFILES_MAX + 10; i++) {
        row(&files, (struct relfile){1663, 40000 + i}, 50000 + i, true, 0x400);
    }
    CHECK(files.map.len <= RELFILES_MAX);
    CHECK(relfiles_find(&files, (struct relfile){1663, 40000 + RELFILES_MAX + 9}, &oid) ==
          RELFILE_TABLE);
    relfiles_free(&files);
}

static const struct check_test tests[] = {
    {"what is read when a stream begins", test_seed},
    {"a file that is met for the first time", test_unknown},
    {"one that is not there, and one that is dropped", test_not_there},
    {"whether a table was rewritten", test_rewritten},
    {"no more than the bounds", test_bounds},
};

CHECK_MAIN(tests)
