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
    decoder->in_row = false;
    decoder->in_relation = false;
    decoder->in_names = decoder->in_quotes = decoder->after_comma = false;
    decoder->carry_len = 0;
}

void decoder_more(struct decoder *decoder, struct slice text, bool more)
{
    decoder->input = text;
    decoder->more = more;
}

static bool next_in_row(struct decoder *decoder, struct change *change)
{
    enum row_step step =
        plugins[decoder->plugin].row(&decoder->scan, &decoder->input, decoder->more);

    decoder->in_row = step == ROW_MORE;
    *change = (struct change){.kind = CHANGE_KEYS, .keys = &decoder->keys};
    decoder->keys.len = 0;
    if (step == ROW_DONE) {
        row_scan_keys(&decoder->scan, &decoder->keys);
    }
    return step != ROW_MORE;
}

bool decoder_next(struct decoder *decoder, struct change *change)
{
    bool found;

    if (decoder->in_row) {
        return next_in_row(decoder, change);
    }
    *change = (struct change){.kind = CHANGE_IGNORED};
    found = plugins[decoder->plugin].next(decoder, change);
    decoder->operation = change->operation;
    return found;
}

void decoder_want_keys(struct decoder *decoder, const struct key_columns *columns)
{
    decoder->in_row = true;
    decoder->scan.layout = decoder->layout;
    row_scan_begin(&decoder->scan, columns, decoder->operation);
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

void decoder_free(struct decoder *decoder)
{
    relations_free(&decoder->relations);
}
