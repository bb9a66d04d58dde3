#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

static void read_status(pid_t pid, struct health *health)
{
    char path[64], line[200];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        sscanf(line, "VmRSS: %lu", &health->memory_kib);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void read_cpu(pid_t pid, struct health *health)
{
    unsigned long user = 0, system = 0;
    char path[64], line[1000];
    const char *end;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (file == NULL) {
        return;
    }
    if (fgets(line, sizeof(line), file) != NULL && (end = strrchr(line, ')')) != NULL &&
        sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) ==
            2) {
        health->cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    }
    fclose(file);
}

struct health health_of(pid_t pid)
{
    struct health health = {0};
    const struct dirent *entry;
    char path[64];
    DIR *dir;

    read_status(pid, &health);
    read_cpu(pid, &health);
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        health.descriptors += entry->d_name[0] != '.';
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return health;
}
