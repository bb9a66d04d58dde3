/* Connection strings and URIs: what is refused shows nothing of a secret. */
#include "conninfo/conninfo.h"
#include "conninfo/connstring.h"
#include "fuzz/fuzz.h"

#define SECRET "hunter2hunter2"

static bool take(void *context, const struct connstring_item *item, struct error *error)
{
    (void)error;
    *(size_t *)context += strlen(item->keyword) + strlen(item->value);
    return true;
}

/* The secret stands in it; nothing that is said, and nothing that is left, shows it. */
static void check_hidden(char *text)
{
    size_t lengths = 0;
    struct error error;

    error_clear(&error);
    connstring_parse(text, take, &lengths, &error);
    MUST(strstr(error.message, SECRET) == NULL && strstr(error.detail, SECRET) == NULL);
    connstring_hide_secrets(text);
    MUST(strstr(text, SECRET) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    size_t room = size + sizeof("postgresql://u:" SECRET "@");
    char *around = malloc(room);
    size_t lengths = 0;
    struct error error;

    error_clear(&error);
    connstring_recognize(text);
    if (!connstring_parse(text, take, &lengths, &error)) {
        MUST(error.message[0] != '\0');
    }
    MUST(lengths <= 40 * (strlen(text) + 40)); /* keywords may be longer in a URI's place */
    if (around != NULL && strstr(text, "hunter") == NULL) {
        snprintf(around, room, "password=" SECRET " %s", text);
        check_hidden(around);
        snprintf(around, room, "postgresql://u:" SECRET "@%s", text);
        check_hidden(around);
    }
    free(around);
    free(text);
    return 0;
}
