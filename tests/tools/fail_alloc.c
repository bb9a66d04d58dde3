/*
 * Linked into pgnudge by `make oom` (--wrap): the allocation with the number PGNUDGE_FAIL_AT fails,
 * cJSON's too; at the end their count is appended to the file PGNUDGE_ALLOCATIONS.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static unsigned long made, fail_at;

static int fails(void)
{
    if (++made != fail_at) {
        return 0;
    }
    errno = ENOMEM;
    return 1;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

static void __attribute__((constructor)) begin(void)
{
    cJSON_Hooks hooks = {__wrap_malloc, free};
    const char *number = getenv("PGNUDGE_FAIL_AT");

    cJSON_InitHooks(&hooks);
    fail_at = number != NULL ? strtoul(number, NULL, 10) : 0;
}

static void __attribute__((destructor)) end(void)
{
    const char *path = getenv("PGNUDGE_ALLOCATIONS");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;

    if (file != NULL) {
        fprintf(file, "%lu\n", made);
        fclose(file);
    }
}
