/*
 * Decoding alone, without a server: decode PLUGIN FILE; or, with no FILE, say
 * what pgnudge asks of the plugin.
 *
 * FILE holds what the plugin wrote, a message a line, as pg_recvlogical records
 * it. It is framed as the server sends it (CopyData, XLogData), and goes the
 * feed's way: frames, messages, decoder, names, window, over and over. What
 * stands for the socket is a copy into the frame reader's buffer, as recv(2)
 * makes one.
 *
 * Tells `bytes` (GB, framing included) and `messages` (millions), each by second
 * of CPU time, and `cpu` (us a message).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "../unit/know.h"
#include "base/clock.h"
#include "decode/plugins.h"
#include "feed/intake.h"
#include "process.h"
#include "repl/walmessage.h"
#include "source/reader.h"
#include "tool.h"
#include "wire/frame.h"
#include "wire/message.h"

#define MEASURE_NS  (NS_PER_S / 5)
#define RECORD_MAX  ((size_t)512 << 20) /* bytes */
#define TABLES_MAX  20000
#define RECORD_LSN  0x16B3748
#define WINDOW_WAIT CLOCK_S

/* What was spent of the CPU: what else runs on the machine doesn't count. */
static int64_t spent_ns(void)
{
    return process_cpu_ns(getpid());
}

/* What the feed keeps, as far as a change's way goes. */
struct way {
    struct pattern_set none;
    struct encoding *encoding;
    struct names *names;
    struct catalog catalog;
    struct window window;
    struct barrier barrier;
    struct unseen unseen;
    struct intake intake;
    struct counters counters;
    struct sink sink;
    struct reader reader;
    struct log log;
};

static void way_open(struct way *way, enum plugin plugin)
{
    static const struct window_limits limits = {
        .debounce_us = WINDOW_WAIT, .max_wait_us = WINDOW_WAIT, .max_pending = TABLES_MAX};
    struct verdict_rules rules = {
        .tables = &way->none, .exclude = &way->none, .partitions = PARTITIONS_ROOT};

    *way = (struct way){.log = {.level = LOG_WARNING}};
    unseen_init(&way->unseen, UNSEEN_MAX);
    window_init(&way->window, &limits, &way->unseen);
    way->encoding = encoding_open("UTF8");
    way->names = names_new(&rules);
    if (way->encoding == NULL || way->names == NULL) {
        fail("out of memory");
    }
    way->catalog =
        (struct catalog){.names = way->names, .window = &way->window, .unseen = &way->unseen};
    way->intake = (struct intake){
        .names = way->names,
        .catalog = &way->catalog,
        .window = &way->window,
        .barrier = &way->barrier,
        .counters = &way->counters,
    };
    catalog_start(&way->catalog, way->encoding, 3, clock_now_us());
    way->sink = intake_sink(&way->intake);
    reader_start(&way->reader, plugin, &way->sink, way->encoding, &way->log);
}

static void way_close(struct way *way)
{
    window_clear(&way->window);
    window_free(&way->window);
    catalog_stop(&way->catalog);
    catalog_free(&way->catalog);
    unseen_free(&way->unseen);
    names_free(way->names);
    encoding_close(way->encoding);
}

/* What the feed does about once a second: here the catalog knows every table. */
static void look(struct way *way)
{
    if (!know_tables(&way->catalog, way->window.xid + 1, clock_now_us() + 3600 * CLOCK_S)) {
        fail("out of memory");
    }
}

/* The file's lines, framed. Returns how many they are. */
static size_t record_read(const char *path, struct buffer *record)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0, count = 0;
    ssize_t len;

    if (file == NULL) {
        fail("could not read %s", path);
    }
    record->limit = RECORD_MAX;
    while ((len = getline(&line, &cap, file)) > 1) {
        size_t mark = message_begin(record, 'd');

        buffer_byte(record, 'w');
        buffer_be64(record, RECORD_LSN + count);
        buffer_be64(record, RECORD_LSN + count);
        buffer_be64(record, 0);
        buffer_append(record, line, (size_t)len - 1);
        message_end(record, mark);
        count++;
    }
    free(line);
    fclose(file);
    if (record->failed || count == 0) {
        fail("%s is empty or too large", path);
    }
    return count;
}

static void take_frame(struct way *way, const struct frame *frame)
{
    bool first = frame->kind == FRAME_BEGIN;
    struct stream_message message = {.payload = frame->body, .more = frame->left > 0};
    struct wal_message wal;
    struct error error;

    if (first) {
        if (frame->type != 'd' || !wal_message_read(frame->body, &wal) || wal.kind != WAL_DATA) {
            fail("the framing is wrong");
        }
        message.payload = wal.payload;
        message.lsn = wal.lsn;
    }
    if (!reader_take(&way->reader, &message, first, &error)) {
        fail("out of memory");
    }
}

/* One pass over the record, as the feed's turns would have it. */
static void pass(struct way *way, struct frame_reader *reader, const struct buffer *record)
{
    size_t at = 0;

    while (at < record->len) {
        size_t cap, left = record->len - at;
        void *space = frame_space(reader, &cap);
        size_t len = left < cap ? left : cap;
        struct frame frame;

        way->intake.now_us = clock_now_us();
        memcpy(space, record->data + at, len);
        frame_filled(reader, len);
        at += len;
        while ((frame = frame_next(reader)).kind != FRAME_NONE) {
            if (frame.kind == FRAME_BAD) {
                fail("the framing is wrong");
            }
            take_frame(way, &frame);
        }
    }
    look(way);
}

/* The changes that the window has counted: that all were read, and none as something else. */
static uint64_t take_count(struct window *window)
{
    uint64_t count = 0;

    for (size_t i = 0; i < window->item.len; i++) {
        count += window->item.events[i].tally.count;
    }
    if (count == 0 || window->item.resync != RESYNC_NONE || window->in_transaction) {
        fail("the record could not be read");
    }
    window_clear(window);
    return count;
}

static void measure(enum plugin plugin, const char *path)
{
    struct buffer record = {0};
    struct frame_reader *reader = frame_reader_new();
    size_t messages = record_read(path, &record), passes = 0;
    int64_t start, spent = 0;
    struct way way;
    uint64_t changes;
    double seconds;

    if (reader == NULL) {
        fail("out of memory");
    }
    way_open(&way, plugin);
    pass(&way, reader, &record); /* the names become known */
    changes = take_count(&way.window);
    start = spent_ns();
    while (spent < MEASURE_NS) {
        pass(&way, reader, &record);
        if (take_count(&way.window) != changes) {
            fail("the passes differ");
        }
        passes++;
        spent = spent_ns() - start;
    }
    seconds = (double)spent / (double)NS_PER_S;
    tell("bytes", (double)record.len * (double)passes / seconds / 1e9);
    tell("messages", (double)messages * (double)passes / seconds / 1e6);
    tell("cpu", seconds * 1e6 / ((double)messages * (double)passes));
    way_close(&way);
    frame_reader_free(reader);
    buffer_free(&record);
}

int main(int argc, char **argv)
{
    enum plugin plugin = PLUGIN_TEST_DECODING;

    if (argc < 2 || argc > 3) {
        fail("usage: decode PLUGIN [FILE]");
    }
    if (strcmp(argv[1], plugins[PLUGIN_WAL2JSON].name) == 0) {
        plugin = PLUGIN_WAL2JSON;
    }
    if (argc == 2) {
        puts(plugins[plugin].options);
    } else {
        measure(plugin, argv[2]);
    }
    return 0;
}
