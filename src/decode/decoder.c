#include "decode/decoder.h"

#include "decode/plugins.h"

static const struct {
    const char *name;
    const char *options;
    bool (*next)(struct decoder *decoder, struct change *change);
    bool (*unquote)(struct slice name, struct buffer *schema, struct buffer *table);
    bool (*content)(struct slice content, struct buffer *out);
} plugins[] = {
    [PLUGIN_TEST_DECODING] =
        {
            "test_decoding",
            "\"include-xids\" 'on', \"include-timestamp\" 'off'",
            test_decoding_next,
            test_decoding_name,
            test_decoding_content,
        },
    [PLUGIN_WAL2JSON] =
        {
            "wal2json",
            "\"format-version\" '2', \"include-xids\" 'true', \"include-transaction\" 'true', "
            "\"include-types\" 'false', \"include-typmod\" 'false'",
            wal2json_next,
            wal2json_name,
            wal2json_content,
        },
};

const char *plugin_name(enum plugin plugin)
{
    return plugins[plugin].name;
}

const char *plugin_options(enum plugin plugin)
{
    return plugins[plugin].options;
}

void decoder_init(struct decoder *decoder, enum plugin plugin)
{
    *decoder = (struct decoder){.plugin = plugin};
}

void decoder_begin(struct decoder *decoder, struct slice text, bool more)
{
    decoder->input = text;
    decoder->more = more;
    decoder->begun = true;
    decoder->in_names = decoder->in_quotes = decoder->after_comma = false;
    decoder->carry_len = 0;
}

void decoder_more(struct decoder *decoder, struct slice text, bool more)
{
    decoder->input = text;
    decoder->more = more;
}

bool decoder_next(struct decoder *decoder, struct change *change)
{
    *change = (struct change){.kind = CHANGE_IGNORED};
    return plugins[decoder->plugin].next(decoder, change);
}

bool decoder_name(enum plugin plugin, struct slice name, struct buffer *schema,
                  struct buffer *table)
{
    return plugins[plugin].unquote(name, schema, table) && schema->len > 0 && table->len > 0;
}

bool decoder_content(enum plugin plugin, struct slice content, struct buffer *out)
{
    return plugins[plugin].content(content, out);
}

uint32_t plugin_xid(struct slice text)
{
    uint32_t xid = 0;

    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        xid = xid * 10 + (uint32_t)(text.data[i] - '0');
    }
    return xid;
}
