#include "wire/frame.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 5 /* bytes: type and length */

/*
 * 1. start <= end <= FRAME_BUFFER.
 * 2. While `left` > 0 the bytes at `start` belong to the message handed out last.
 * 3. `bad` is final: nothing is read from there on.
 */
struct frame_reader {
    /*      consumed      |     unread     |  room for more
     *   0 ......... start ......... end ......... FRAME_BUFFER   */
    size_t start;
    size_t end;
    size_t left; /* bytes of the message handed out last that are still to come */
    char type;   /* of that message */
    bool bad;
    size_t body_max;
    char data[FRAME_BUFFER];
};

struct frame_reader *frame_reader_new(void)
{
    struct frame_reader *reader = malloc(sizeof(*reader));

    if (reader != NULL) {
        reader->start = reader->end = reader->left = 0;
        reader->type = 0;
        reader->bad = false;
        reader->body_max = FRAME_BODY_MAX - 4;
    }
    return reader;
}

void frame_limit(struct frame_reader *reader, size_t body_max)
{
    reader->body_max = body_max;
}

void *frame_space(struct frame_reader *reader, size_t *cap)
{
    /* After FRAME_NONE what is unread is less than a header and a prefix: cheap to move. */
    if (reader->start > 0) {
        memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    *cap = FRAME_BUFFER - reader->end;
    return reader->data + reader->end;
}

void frame_filled(struct frame_reader *reader, size_t len)
{
    reader->end += len;
}

static uint32_t read_be32(const char *data)
{
    const unsigned char *p = (const unsigned char *)data;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct frame next_piece(struct frame_reader *reader)
{
    struct frame frame = {.kind = FRAME_MORE, .type = reader->type};
    size_t have = reader->end - reader->start;

    if (have == 0) {
        return (struct frame){.kind = FRAME_NONE};
    }
    frame.body.data = reader->data + reader->start;
    frame.body.len = have < reader->left ? have : reader->left;
    reader->start += frame.body.len;
    reader->left -= frame.body.len;
    frame.left = reader->left;
    return frame;
}

struct frame frame_next(struct frame_reader *reader)
{
    struct frame frame = {.kind = FRAME_BEGIN};
    const char *at = reader->data + reader->start;
    size_t have = reader->end - reader->start;
    size_t len;

    if (reader->bad) {
        return (struct frame){.kind = FRAME_BAD};
    }
    if (reader->left > 0) {
        return next_piece(reader);
    }
    if (have < HEADER) {
        return (struct frame){.kind = FRAME_NONE};
    }
    len = read_be32(at + 1);
    if (len < 4 || len - 4 > reader->body_max) {
        reader->bad = true;
        return (struct frame){.kind = FRAME_BAD};
    }
    len -= 4;
    frame.body.len = len < FRAME_PREFIX ? len : FRAME_PREFIX;
    if (have - HEADER < frame.body.len) {
        return (struct frame){.kind = FRAME_NONE};
    }
    reader->type = frame.type = at[0];
    reader->left = frame.left = len - frame.body.len;
    frame.body.data = at + HEADER;
    reader->start += HEADER + frame.body.len;
    return frame;
}

void frame_reader_free(struct frame_reader *reader)
{
    if (reader != NULL) {
        OPENSSL_cleanse(reader->data,
                        sizeof(reader->data)); /* a server may echo what it was told */
        free(reader);
    }
}
