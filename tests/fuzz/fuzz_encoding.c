/* What comes in any encoding is valid UTF-8, and finds back; a terminal gets no command. */
#include "base/encoding.h"
#include "batch/payload.h"
#include "fuzz/fuzz.h"

static const char *const names[] = {"UTF8",    "SQL_ASCII", "LATIN1",       "EUC_JP",
                                    "GB18030", "WIN1252",   "MULE_INTERNAL"};
static struct encoding *encodings[sizeof(names) / sizeof(names[0])];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        encodings[i] = encoding_open(names[i]);
        MUST(encodings[i] != NULL);
    }
    return 0;
}

static bool is_utf8(struct slice text)
{
    size_t len = 1;

    while (text.len > 0 && (len = utf8_sequence(text)) > 0) {
        text.data += len;
        text.len -= len;
    }
    return text.len == 0;
}

static bool has_controls(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 || c == 0x7f ||
            (c == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xa0)) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = fuzz_slice(data, size);
    char *copy = fuzz_text(data, size);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buffer utf8 = {0}, back = {0}, again = {0}, json = {0};
        struct slice read;

        encoding_to_utf8(encodings[i], text, &utf8);
        read = (struct slice){utf8.len > 0 ? utf8.data : "", utf8.len};
        MUST(utf8.failed || is_utf8(read));
        if (encoding_from_utf8(encodings[i], read, &back)) {
            encoding_to_utf8(encodings[i], (struct slice){back.len > 0 ? back.data : "", back.len},
                             &again);
            MUST(again.len == read.len &&
                 memcmp(again.data != NULL ? again.data : "", read.data, read.len) == 0);
        }
        payload_json(&json, read, read);
        MUST(json.failed || !has_controls((struct slice){json.data, json.len}));
        buffer_free(&json);
        buffer_free(&again);
        buffer_free(&back);
        buffer_free(&utf8);
    }
    utf8_disarm(copy);
    MUST(!has_controls(slice_of(copy)) && is_utf8(slice_of(copy)));
    free(copy);
    return 0;
}
