#include "batch/sequence.h"

#include <openssl/rand.h>
#include <stdio.h>

#include "base/clock.h"

#define SESSION_BYTES 8

bool sequence_start(struct sequence *sequence)
{
    unsigned char random[SESSION_BYTES];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(sequence->session + i * 2, 3, "%02x", random[i]);
    }
    sequence->seq = 0;
    return true;
}

void sequence_write(struct buffer *out, const struct sequence *sequence)
{
    buffer_format(out, ",\"session\":\"%s\",\"seq\":", sequence->session);
    buffer_decimal(out, sequence->seq, 1);
}

/* Seconds, with as many digits as it takes, but at least one behind the point. */
static void append_seconds(struct buffer *out, int64_t us)
{
    uint64_t fraction = (uint64_t)(us % CLOCK_S);
    unsigned width = 6;

    while (width > 1 && fraction % 10 == 0) {
        fraction /= 10;
        width--;
    }
    buffer_decimal(out, (uint64_t)(us / CLOCK_S), 1);
    buffer_byte(out, '.');
    buffer_decimal(out, fraction, width);
}

void sequence_write_scope(struct buffer *out, const struct sequence *sequence)
{
    if (sequence->interval_us != CLOCK_NEVER) {
        buffer_text(out, ",\"interval\":");
        append_seconds(out, sequence->interval_us);
    }
    buffer_text(out, sequence->scope);
}
