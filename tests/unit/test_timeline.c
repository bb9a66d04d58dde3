/* Histories of timelines, and up to where two of them agree. */
#include "repl/timeline.h"

#include "check.h"

static void read_files(void)
{
    struct timeline timeline;

    CHECK(timeline_read(&timeline, 1, slice_of("")));
    CHECK(timeline.id == 1 && timeline.len == 0);
    CHECK(timeline_read(&timeline, 3,
                        slice_of("1\t0/3000148\tno recovery target specified\n\n# comment\n"
                                 "2\t1/5000000\tbefore 2000-01-01 00:00:00+00\n")));
    CHECK_INT(timeline.len, 2);
    CHECK_INT(timeline.ancestors[0].id, 1);
    CHECK_INT(timeline.ancestors[1].id, 2);
    CHECK(timeline.ancestors[1].end == UINT64_C(0x105000000));
    CHECK(timeline_read(&timeline, 2, slice_of("1 0/10"))); /* the last line's end is missing */
    CHECK_INT(timeline.len, 1);
}

static void malformed(void)
{
    static const char *const files[] = {
        "x", "1", "1\t", "1\t0", "1\tx/y\tz\n", "4294967296\t0/1", "1\t0/1\n2\n"};
    struct timeline timeline;

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        CASE("%s", files[i]);
        CHECK(!timeline_read(&timeline, 5, slice_of(files[i])));
        CHECK_INT(timeline.id, 0);
    }
}

static void has_a_bound(void)
{
    struct timeline timeline;
    struct buffer file = {0};

    for (int i = 1; i <= TIMELINES_MAX; i++) {
        buffer_format(&file, "%d\t0/%d\tx\n", i, i);
    }
    CHECK(timeline_read(&timeline, 1000, check_content(&file)));
    buffer_text(&file, "301\t0/301\n");
    CHECK(!timeline_read(&timeline, 1000, check_content(&file)));
    buffer_free(&file);
}

static void common(void)
{
    static const struct {
        uint32_t a;
        const char *of_a;
        uint32_t b;
        const char *of_b;
        uint64_t expected;
    } cases[] = {
        {1, "", 1, "", UINT64_MAX},
        {0, "", 1, "", 0},
        {1, "", 2, "1\t0/100\t", 0x100}, /* b was promoted */
        {2, "1\t0/100\t", 2, "1\t0/100\t", UINT64_MAX},
        {2, "1\t0/100\t", 2, "1\t0/90\t", 0x90},   /* the same number, twice */
        {2, "1\t0/100\t", 3, "1\t0/200\t", 0x100}, /* two branches */
        {3, "1\t0/100\t\n2\t0/200\t", 2, "1\t0/100\t", 0x200},
        {4, "1\t0/100\t\n3\t0/300\t", 2, "1\t0/100\t", 0x100}, /* 3 left 1 where 2 did */
        {5, "4\t0/100\t", 1, "", 0},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct timeline a, b;

        CASE("%zu", i);
        CHECK(timeline_read(&a, cases[i].a, slice_of(cases[i].of_a)));
        CHECK(timeline_read(&b, cases[i].b, slice_of(cases[i].of_b)));
        CHECK(timeline_common(&a, &b) == cases[i].expected);
        CHECK(timeline_common(&b, &a) == cases[i].expected);
    }
}

static const struct check_test tests[] = {
    {"a history file's lines", read_files},
    {"malformed ones leave nothing known", malformed},
    {"it takes TIMELINES_MAX and no more", has_a_bound},
    {"up to where two agree", common},
};

CHECK_MAIN(tests)
