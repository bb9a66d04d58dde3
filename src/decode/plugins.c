#include "decode/plugins.h"

#include <string.h>

#include "decode/pgoutput.h"
#include "decode/test_decoding.h"
#include "decode/test_decoding_row.h"
#include "decode/wal2json.h"
#include "decode/wal2json_row.h"

const struct plugin_entry plugins[PLUGINS] = {
    [PLUGIN_TEST_DECODING] =
        {
            .name = "test_decoding",
            .options = "\"include-xids\" 'on', \"include-timestamp\" 'off'",
            .install = "Install PostgreSQL's contrib modules on the server (RHEL: "
                       "postgresql-contrib; elsewhere they come with it).",
            .next = test_decoding_next,
            .unquote = test_decoding_name,
            .content = test_decoding_content,
            .row = test_decoding_row,
        },
    [PLUGIN_WAL2JSON] =
        {
            .name = "wal2json",
            .options = "\"format-version\" '2', \"include-xids\" 'true', "
                       "\"include-transaction\" 'true', \"include-types\" 'false', "
                       "\"include-typmod\" 'false'",
            .install = "Install it on the server (Debian: postgresql-NN-wal2json, RHEL: "
                       "wal2json_NN); or use test_decoding, from PostgreSQL's contrib modules.",
            .filters = true,
            .next = wal2json_next,
            .unquote = wal2json_name,
            .content = wal2json_content,
            .row = wal2json_row,
        },
    [PLUGIN_PGOUTPUT] =
        {
            .name = "pgoutput",
            .options = "\"proto_version\" '1'",
            .install = "It comes with every PostgreSQL server.",
            .publications = true,
            .next = pgoutput_next,
            .unquote = pgoutput_name,
            .content = pgoutput_content,
            .row = pgoutput_row,
        },
};

bool plugin_named(const char *name, enum plugin *plugin)
{
    for (int i = 0; i < PLUGINS_AUTO; i++) {
        if (strcmp(name, plugins[i].name) == 0) {
            *plugin = (enum plugin)i;
            return true;
        }
    }
    return false;
}
