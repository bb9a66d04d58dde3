/* SCRAM's two messages of the server. Whoever doesn't know the password is never believed. */
#include "auth/scram.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scram_setup setup = {.hash = "SHA256",
                                .username = "u",
                                .password = "secret",
                                .gs2 = "n,,",
                                .binding = {"", 0},
                                .nonce = "abcdefghijklmnopqrstuvwx"};
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = newline != NULL ? (size_t)(newline - data) : size;
    enum scram_progress progress = SCRAM_WORKING;
    struct buffer out = {0};
    struct error error;
    struct scram *scram = scram_new(&setup, &error);

    MUST(scram != NULL);
    scram_first(scram, &out);
    if (scram_continue(scram, fuzz_slice(data, first), &error)) {
        for (int i = 0; i < 20 && progress == SCRAM_WORKING; i++) { /* not all of 100 000 rounds */
            progress = scram_work(scram, &out, &error);
        }
    }
    if (newline != NULL && progress != SCRAM_WORKING) {
        MUST(!scram_finish(scram, fuzz_slice(newline + 1, size - first - 1), &error));
    }
    buffer_free(&out);
    scram_free(scram);
    return 0;
}
