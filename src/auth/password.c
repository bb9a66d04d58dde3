#include "auth/password.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/prompt.h"
#include "base/text.h"

enum password_state { PASSWORD_UNASKED, PASSWORD_ASKING, PASSWORD_ASKED };

struct password {
    enum password_state state;
    enum password_asking asking;
    struct prompt *prompt; /* while ASKING */
    char *text;            /* in the secure heap; NULL: none */
};

struct password *password_new(enum password_asking asking)
{
    struct password *password = calloc(1, sizeof(*password));

    if (password != NULL) {
        password->asking = asking;
    }
    return password;
}

bool password_comes_first(const struct password *password)
{
    return password != NULL && password->asking == PASSWORD_FIRST;
}

bool password_ask(struct password *password, const char *user, const char *remark)
{
    char text[PROMPT_TEXT_MAX];

    if (password == NULL || password->state == PASSWORD_ASKED) {
        return false;
    }
    if (password->state == PASSWORD_UNASKED) {
        snprintf(text, sizeof(text), "Password for user %.200s: ", user);
        password->prompt = prompt_open(remark, text);
        password->state = password->prompt != NULL ? PASSWORD_ASKING : PASSWORD_ASKED;
    }
    return password->state == PASSWORD_ASKING;
}

bool password_waits(const struct password *password)
{
    return password != NULL && password->state == PASSWORD_ASKING;
}

const char *password_text(const struct password *password)
{
    return password != NULL ? password->text : NULL;
}

struct pollfd password_pollfd(const struct password *password)
{
    return password_waits(password) ? prompt_pollfd(password->prompt) : (struct pollfd){.fd = -1};
}

void password_step(struct password *password)
{
    struct slice answer;

    if (!password_waits(password)) {
        return;
    }
    switch (prompt_step(password->prompt)) {
    case PROMPT_WAIT:
        break;
    case PROMPT_ANSWERED:
        answer = slice_of(prompt_answer(password->prompt));
        password->text = OPENSSL_secure_zalloc(answer.len + 1);
        if (password->text != NULL) {
            memcpy(password->text, answer.data, answer.len);
        }
        password_stop(password);
        break;
    case PROMPT_GIVEN_UP:
        password_stop(password);
        break;
    }
}

void password_stop(struct password *password)
{
    if (password_waits(password)) {
        prompt_close(password->prompt);
        password->prompt = NULL;
        password->state = PASSWORD_ASKED;
    }
}

void password_free(struct password *password)
{
    if (password != NULL) {
        password_stop(password);
        if (password->text != NULL) {
            OPENSSL_secure_clear_free(password->text, strlen(password->text) + 1);
        }
        free(password);
    }
}
