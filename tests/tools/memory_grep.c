/*
 * Whether a process holds a text where a core dump would show it: status 0 and
 * a line for each place if it does, 1 if it doesn't. Mappings that are marked
 * to be left out of dumps ("dd") don't count.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One mapping: prints each place in it. */
static bool search(int memory, unsigned long begin, unsigned long end, const char *text)
{
    size_t size = end - begin;
    char *copy = malloc(size);
    ssize_t len = copy != NULL ? pread(memory, copy, size, (off_t)begin) : -1;
    bool found = false;

    for (char *at = copy; len > 0; at++) {
        at = memmem(at, (size_t)(copy + len - at), text, strlen(text));
        if (at == NULL) {
            break;
        }
        printf("%#lx\n", begin + (unsigned long)(at - copy));
        found = true;
    }
    free(copy);
    return found;
}

static FILE *open_maps(const char *pid, int *memory)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%s/mem", pid);
    *memory = open(path, O_RDONLY);
    snprintf(path, sizeof(path), "/proc/%s/smaps", pid);
    return *memory >= 0 ? fopen(path, "r") : NULL;
}

int main(int argc, char **argv)
{
    unsigned long begin = 0, end = 0, next_begin, next_end;
    bool found = false;
    char line[4096], mode[5] = "", next_mode[5];
    int memory;
    FILE *maps = argc == 3 ? open_maps(argv[1], &memory) : NULL;

    if (maps == NULL) {
        fprintf(stderr, "usage: memory_grep PID TEXT, of a process that is there\n");
        return 2;
    }
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx %4s", &next_begin, &next_end, next_mode) == 3) {
            begin = next_begin, end = next_end;
            strcpy(mode, next_mode);
        } else if (strncmp(line, "VmFlags:", 8) == 0 && mode[0] == 'r' && mode[1] == 'w' &&
                   strstr(line, " dd") == NULL) {
            found |= search(memory, begin, end, argv[2]);
        }
    }
    return found ? 0 : 1;
}
