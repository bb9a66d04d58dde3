/*
 * What pgnudge makes of a connection string, in the form of
 * tests/tools/libpq_conninfo.c, which it is compared with.
 */
#include <stdio.h>

#include "conninfo/conninfo.h"

int main(int argc, char **argv)
{
    struct conninfo info;
    struct error error;

    if (argc != 2) {
        return 2;
    }
    conninfo_init(&info);
    if (!conninfo_set_string(&info, argv[1], &error)) {
        fprintf(stderr, "%s\n", error.message);
        conninfo_free(&info);
        return 1;
    }
    for (int param = 0; param < CONN_PARAMS; param++) {
        if (info.value[param] != NULL) {
            printf("%s=%s\n", conninfo_keyword((enum conn_param)param), info.value[param]);
        }
    }
    conninfo_free(&info);
    return 0;
}
