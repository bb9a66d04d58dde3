/*
 * Measures one client once, for scripts/bench, which says what is compared.
 *
 *   measure load    -o FILE -w SQL -W WORD -c SQL… -C WORD -n UNITS [-p SQL] [-r WORD] COMMAND…
 *   measure idle    -o FILE -w SQL -W WORD -s SECONDS [-p SQL] [-r WORD] COMMAND…
 *   measure latency -c SQL -n COUNT -i US -C WORD [-r WORD] COMMAND…
 *   measure latency -c SQL -n COUNT -i US -l CHANNEL
 *   measure query   [-w SQL] -c SQL -n COUNT -i US
 *   measure start   -C WORD COMMAND…
 *   measure fanout  -n READERS -s SECONDS -c SQL -C WORD [-r WORD COMMAND… | -l CHANNEL]
 *
 * What they do and tell stands in load.h, latency.h and fanout.h.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client.h"
#include "fanout.h"
#include "latency.h"
#include "load.h"
#include "tool.h"

static void add_work(struct load *load, const char *sql)
{
    if (load->work_count == LOAD_STATEMENTS_MAX) {
        fail("more than %d statements", LOAD_STATEMENTS_MAX);
    }
    load->work[load->work_count++] = sql;
}

static void read_options(int argc, char **argv, struct load *load, long *pause_us,
                         const char **channel)
{
    int option;

    while ((option = getopt(argc, argv, "+o:p:r:w:W:c:C:n:s:i:l:")) != -1) {
        switch (option) {
        case 'o':
            load->output = optarg;
            break;
        case 'p':
            load->prepare = optarg;
            break;
        case 'r':
            load->listens = optarg;
            break;
        case 'w':
            load->warm = optarg;
            break;
        case 'W':
            load->warmed = optarg;
            break;
        case 'c':
            add_work(load, optarg);
            break;
        case 'C':
            load->worked = optarg;
            break;
        case 'n':
            load->units = read_count(optarg);
            break;
        case 's':
            load->idle_s = read_count(optarg);
            break;
        case 'i':
            *pause_us = read_count(optarg);
            break;
        case 'l':
            *channel = optarg;
            break;
        default:
            exit(2);
        }
    }
    load->command = argv + optind;
}

/* Whether all that this way of measuring needs has been given. */
static bool complete(const struct load *load, const char *channel, const char *what)
{
    bool has_command = load->command[0] != NULL;
    bool has_warm_up = load->output != NULL && load->warm != NULL && load->warmed != NULL;

    if (strcmp(what, "load") == 0) {
        return has_command && has_warm_up && load->work_count > 0 && load->worked != NULL &&
               load->units > 0;
    }
    if (strcmp(what, "idle") == 0) {
        return has_command && has_warm_up && load->idle_s > 0;
    }
    if (strcmp(what, "start") == 0) {
        return has_command && load->worked != NULL;
    }
    if (strcmp(what, "fanout") == 0) {
        return load->idle_s > 0 && load->work_count == 1 && load->worked != NULL &&
               (channel != NULL || load->units == 0 || (has_command && load->listens != NULL));
    }
    if (strcmp(what, "latency") == 0 && channel == NULL && (!has_command || load->worked == NULL)) {
        return false;
    }
    return load->work_count == 1 && load->units > 0;
}

static void run_fanout(const struct load *load, const char *channel)
{
    struct fanout fanout = {.count = load->units,
                            .seconds = load->idle_s,
                            .sql = load->work[0],
                            .wanted = load->worked,
                            .listens = load->listens,
                            .channel = channel,
                            .command = load->command};

    fanout_run(&fanout);
}

int main(int argc, char **argv)
{
    struct load load = {0};
    struct latency latency = {0};
    const char *what = argc > 1 ? argv[1] : "";

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* with scripts/bench all ends */
    client_name();
    if (argc > 1) {
        read_options(argc - 1, argv + 1, &load, &latency.pause_us, &latency.channel);
    }
    if (argc < 2 || !complete(&load, latency.channel, what)) {
        fail("usage: see the top of tests/bench/measure.c");
    }
    latency.setup = load.warm;
    latency.work = load.work[0];
    latency.wanted = load.worked;
    latency.listens = load.listens;
    latency.count = load.units;
    latency.command = load.command;
    if (strcmp(what, "load") == 0) {
        load_run(&load);
    } else if (strcmp(what, "idle") == 0) {
        load_idle(&load);
    } else if (strcmp(what, "latency") == 0) {
        latency_run(&latency);
    } else if (strcmp(what, "query") == 0) {
        latency_round_trip(&latency);
    } else if (strcmp(what, "fanout") == 0) {
        run_fanout(&load, latency.channel);
    } else if (strcmp(what, "start") == 0) {
        latency_start(&latency);
    } else {
        fail("there is no \"measure %s\"", what);
    }
    return 0;
}
