#include "decode/decoder.h"

#include "decode/plugins.h"

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
