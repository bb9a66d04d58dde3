/* Bytes of a server through framing: whole, and one at a time, they are the same messages. */
#include "fuzz/fuzz.h"
#include "repl/walmessage.h"
#include "wire/frame.h"
#include "wire/servererror.h"

/* A digest of the frames. */
static uint64_t frames_of(const uint8_t *data, size_t size, size_t chunk, bool bounded)
{
    struct frame_reader *reader = frame_reader_new();
    uint64_t digest = 14695981039346656037u;
    size_t at = 0;
    bool bad = false;

    if (reader == NULL) {
        exit(1);
    }
    if (bounded) {
        frame_limit(reader, LOGIN_BODY_MAX);
    }
    while (at < size && !bad) {
        size_t cap, len;
        char *space = frame_space(reader, &cap);
        struct frame frame;

        len = chunk < size - at ? chunk : size - at;
        len = len < cap ? len : cap;
        MUST(len > 0); /* room is left, or it never goes on */
        memcpy(space, data + at, len);
        at += len;
        frame_filled(reader, len);
        while ((frame = frame_next(reader)).kind != FRAME_NONE && !bad) {
            bad = frame.kind == FRAME_BAD;
            if (!bad) {
                digest = (digest ^ (unsigned char)frame.type) * 1099511628211u;
                for (size_t i = 0; i < frame.body.len; i++) {
                    digest = (digest ^ (unsigned char)frame.body.data[i]) * 1099511628211u;
                }
            }
        }
    }
    frame_reader_free(reader);
    return digest * 2 + bad;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wal_message message;
    struct slice text;
    struct error error;

    for (int bounded = 0; bounded < 2; bounded++) {
        frames_of(data, size, 65536, bounded);
        frames_of(data, size, 1, bounded);
    }
    if (wal_message_read(fuzz_slice(data, size), &message) && message.kind == WAL_DATA) {
        MUST(message.payload.len == size - 25);
    }
    server_error_read(fuzz_slice(data, size), &error);
    MUST(strlen(error.message) < sizeof(error.message));
    for (int letter = 0; letter < 128; letter++) {
        server_error_field(fuzz_slice(data, size), (char)letter, &text);
    }
    return 0;
}
