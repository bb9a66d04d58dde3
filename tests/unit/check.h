/*
 * A test program: a table of tests, each a sentence and a function full of
 * CHECKs. CHECK_MAIN prints TAP and fails if any check did.
 *
 * A failed CHECK is noted and the test goes on; REQUIRE leaves the function,
 * for what the next line would crash without.
 */
#ifndef PGNUDGE_TESTS_CHECK_H
#define PGNUDGE_TESTS_CHECK_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct check_test {
    const char *name;
    void (*run)(void);
};

static struct {
    unsigned failed;   /* checks of the test that runs */
    char context[200]; /* which row of a table that was; "" for none */
} check_state;

/* Says which case the next checks of the test are about. */
#define CASE(...) ((void)snprintf(check_state.context, sizeof(check_state.context), __VA_ARGS__))

/* Bytes as one line of printable text. */
static inline void check_show(const char *label, struct slice s)
{
    printf("#   %s: ", label);
    for (size_t i = 0; i < s.len && i < 400; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c >= ' ' && c < 0x7f && c != '\\') {
            putchar(c);
        } else {
            printf("\\x%02x", c);
        }
    }
    printf(" (%zu bytes)\n", s.len);
}

static inline bool check_failed(const char *file, int line, const char *what)
{
    check_state.failed++;
    printf("# %s:%d: %s\n", file, line, what);
    if (check_state.context[0] != '\0') {
        check_show("case", slice_of(check_state.context));
    }
    return false;
}

static inline bool check_true(bool ok, const char *file, int line, const char *what)
{
    return ok || check_failed(file, line, what);
}

static inline bool check_int(intmax_t got, intmax_t expected, const char *file, int line,
                             const char *what)
{
    if (got != expected) {
        check_failed(file, line, what);
        printf("#   got %jd, expected %jd\n", got, expected);
    }
    return got == expected;
}

static inline bool check_bytes(struct slice got, struct slice expected, const char *file, int line,
                               const char *what)
{
    bool ok = slice_equal(got, expected);

    if (!ok) {
        check_failed(file, line, what);
        check_show("got     ", got);
        check_show("expected", expected);
    }
    return ok;
}

#define CHECK(condition) check_true((condition), __FILE__, __LINE__, #condition)
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!CHECK(condition)) {                                                                   \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define CHECK_INT(got, expected)                                                                   \
    check_int((intmax_t)(got), (intmax_t)(expected), __FILE__, __LINE__, #got)
#define CHECK_SLICE(got, expected) check_bytes((got), (expected), __FILE__, __LINE__, #got)
#define CHECK_TEXT(got, expected)                                                                  \
    check_bytes(slice_of(got), slice_of(expected), __FILE__, __LINE__, #got)
#define CHECK_BUFFER(buffer, expected)                                                             \
    check_bytes(check_content(&(buffer)), slice_of(expected), __FILE__, __LINE__, #buffer)

static inline struct slice check_content(const struct buffer *buffer)
{
    return (struct slice){buffer->len > 0 ? buffer->data : "", buffer->len};
}

/* A string literal that may have NULs inside: to initialize a slice, and as one. */
#define LITERAL(literal)                                                                           \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define BYTES(literal) ((struct slice)LITERAL(literal))

/* Numbers that look random and are the same in every run (xorshift64). */
static inline uint32_t check_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 32);
}

static inline int check_run(const struct check_test *tests, size_t count)
{
    unsigned failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0); /* what a crash was about must be out by then */
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        check_state.failed = 0;
        check_state.context[0] = '\0';
        tests[i].run();
        printf("%s %zu - %s\n", check_state.failed > 0 ? "not ok" : "ok", i + 1, tests[i].name);
        failed += check_state.failed > 0 ? 1 : 0;
    }
    return failed > 0 ? 1 : 0;
}

#define CHECK_MAIN(tests)                                                                          \
    int main(void)                                                                                 \
    {                                                                                              \
        return check_run((tests), COUNT_OF(tests));                                                \
    }

#endif
