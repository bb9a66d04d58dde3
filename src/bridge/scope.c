#include "bridge/scope.h"

#include "batch/json.h"

static void write_patterns(struct buffer *out, const char *name, const struct pattern_set *set)
{
    struct buffer text = {0}, clean = {0};

    buffer_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < set->len; i++) {
        buffer_clear(&text);
        buffer_clear(&clean);
        pattern_write(&text, &set->patterns[i]);
        utf8_append(&clean, (struct slice){text.data, text.len});
        buffer_clear(&text);
        json_string(&text, (struct slice){clean.data, clean.len});
        buffer_text(out, i > 0 ? "," : "");
        json_ascii(out, (struct slice){text.data, text.len});
        out->failed |= text.failed || clean.failed;
    }
    buffer_byte(out, ']');
    buffer_free(&text);
    buffer_free(&clean);
}

void scope_write(struct buffer *out, const struct verdict_rules *rules)
{
    buffer_format(out, ",\"partitions\":\"%s\"",
                  rules->partitions == PARTITIONS_LEAF ? "leaf" : "root");
    write_patterns(out, "tables", rules->tables);
    write_patterns(out, "exclude", rules->exclude);
}

/* The first pattern that the set doesn't cover; NULL: there is none. */
static const struct pattern *uncovered(const struct pattern_set *set,
                                       const struct pattern_set *patterns)
{
    for (size_t i = 0; i < patterns->len; i++) {
        if (!pattern_set_covers(set, &patterns->patterns[i])) {
            return &patterns->patterns[i];
        }
    }
    return NULL;
}

/* `where`: who should have it as `option`. */
static bool lacks(struct error *error, const char *what, const struct pattern *pattern,
                  const char *option, const char *where)
{
    struct buffer text = {0};

    pattern_write(&text, pattern);
    buffer_byte(&text, '\0');
    if (text.failed) {
        buffer_free(&text);
        return error_memory(error);
    }
    error_set(error, ERROR_PERMANENT, "the publisher %s %s", what, text.data);
    error_hint(error, "Give %s %s '%s'.", where, option, text.data);
    buffer_free(&text);
    return false;
}

bool scope_covers(const struct verdict_rules *theirs, const struct verdict_rules *ours,
                  struct error *error)
{
    const struct pattern *pattern = uncovered(ours->exclude, theirs->exclude);

    if (pattern != NULL) {
        return lacks(error, "excludes", pattern, "--exclude", "this reader, too,");
    }
    if (theirs->tables->len > 0 && ours->tables->len == 0) {
        error_set(error, ERROR_PERMANENT, "the publisher doesn't watch all tables");
        error_hint(error, "Add --tables here, with some of those that it watches.");
        return false;
    }
    pattern = theirs->tables->len > 0 ? uncovered(theirs->tables, ours->tables) : NULL;
    if (pattern != NULL) {
        return lacks(error, "doesn't watch", pattern, "--tables", "the publisher");
    }
    if (theirs->partitions == PARTITIONS_ROOT && ours->tables->len > 0 &&
        (theirs->tables->len == 0 || uncovered(ours->tables, theirs->tables) != NULL)) {
        error_set(error, ERROR_PERMANENT,
                  "the publisher reports partitioned tables, so --tables can't choose among its "
                  "events");
        error_hint(error, "Start the publisher with --partitions leaf, or remove --tables here.");
        return false;
    }
    return true;
}
