/* Service and password files. */
#include <sys/stat.h>
#include <unistd.h>

#include "conninfo/conninfo.h"
#include "conninfo/passfile.h"
#include "conninfo/servicefile.h"
#include "fuzz/fuzz.h"

static char path[64];

static void remove_file(void)
{
    unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    snprintf(path, sizeof(path), "/tmp/pgnudge_fuzz.%ld", (long)getpid());
    atexit(remove_file);
    return 0;
}

static bool take(void *context, const char *keyword, const char *value, struct error *error)
{
    (void)context;
    (void)error;
    MUST(strlen(keyword) + strlen(value) < SERVICEFILE_LINE_MAX);
    return true;
}

static void write_file(const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "w");

    MUST(file != NULL && fwrite(data, 1, size, file) == size);
    fclose(file);
    MUST(chmod(path, 0600) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conninfo info;
    struct host host = {.name = "localhost", .addr = "", .port = "5432"};
    struct error error;

    error_clear(&error);
    write_file(data, size);
    servicefile_read(path, "s", take, NULL, &error);
    conninfo_init(&info);
    if (conninfo_set(&info, CONN_PASSFILE, path, &error) &&
        conninfo_set(&info, CONN_USER, "u", &error) &&
        conninfo_set(&info, CONN_DBNAME, "d", &error)) {
        passfile_free(passfile_lookup(&info, &host, &error));
    }
    conninfo_free(&info);
    return 0;
}
