#include "repl/command.h"

#include <openssl/rand.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "wire/lsn.h"

bool slot_name(char name[SLOT_NAME_MAX])
{
    unsigned char random[8];
    uint64_t number = 0;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        number = number << 8 | random[i];
    }
    /* The process ID is for people who look at pg_replication_slots. */
    snprintf(name, SLOT_NAME_MAX, "pgnudge_%ld_%016llx", (long)getpid(),
             (unsigned long long)number);
    return true;
}

static void quote(struct buffer *out, struct slice text, char mark)
{
    buffer_byte(out, mark);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == mark) {
            buffer_byte(out, mark);
        }
        buffer_byte(out, text.data[i]);
    }
    buffer_byte(out, mark);
}

void sql_literal(struct buffer *out, struct slice text)
{
    quote(out, text, '\'');
}

void sql_identifier(struct buffer *out, struct slice name)
{
    quote(out, name, '"');
}

bool sql_name_literal(struct buffer *out, struct encoding *encoding, struct slice name)
{
    struct buffer text = {0};
    bool ok = encoding_from_utf8(encoding, name, &text);

    sql_literal(out, (struct slice){text.data, text.len});
    out->failed |= text.failed;
    buffer_free(&text);
    return ok;
}

void command_create_slot(struct buffer *out, const char *slot, const char *plugin)
{
    buffer_format(out, "CREATE_REPLICATION_SLOT \"%s\" TEMPORARY LOGICAL \"%s\" NOEXPORT_SNAPSHOT",
                  slot, plugin);
}

void command_drop_slot(struct buffer *out, const char *slot)
{
    buffer_format(out, "DROP_REPLICATION_SLOT \"%s\"", slot);
}

void command_start_physical(struct buffer *out, uint64_t lsn)
{
    buffer_format(out, "START_REPLICATION PHYSICAL " LSN_FORMAT, LSN_HALVES(lsn));
}

void command_start(struct buffer *out, const char *slot, struct slice options)
{
    buffer_format(out, "START_REPLICATION SLOT \"%s\" LOGICAL 0/0 (", slot);
    buffer_append(out, options.data, options.len);
    buffer_byte(out, ')');
}
