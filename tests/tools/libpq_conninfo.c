/*
 * What libpq makes of a connection string: a line `keyword=value` for each
 * parameter that it gives, or status 1. For tests; pgnudge has no libpq.
 */
#include <libpq-fe.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char *message = NULL;
    PQconninfoOption *options = argc == 2 ? PQconninfoParse(argv[1], &message) : NULL;

    if (options == NULL) {
        fprintf(stderr, "%s", message != NULL ? message : "usage: libpq_conninfo STRING\n");
        PQfreemem(message);
        return 1;
    }
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val != NULL) {
            printf("%s=%s\n", option->keyword, option->val);
        }
    }
    PQconninfoFree(options);
    return 0;
}
