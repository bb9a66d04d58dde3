/*
 * The model of the promise: a follower that reloads and refetches exactly as told keeps a copy of
 * what is watched, while writers, DDL and faults do what they can. At rest the copy is right.
 */
#ifndef PGNUDGE_TESTS_MODEL_H
#define PGNUDGE_TESTS_MODEL_H

#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WRITERS   4
#define HISTORY   60  /* of transactions and of lines, to be shown at a failure */
#define TEXT_MAX  600 /* bytes of one of them */
#define SLOTS     6   /* partitions and tables that become ones */
#define NAMES_MAX 8

/* What the processes share. */
struct shared {
    volatile bool writing;        /* writers go on */
    volatile bool faults;         /* so do the faults */
    bool keyed;                   /* --keys: see keyed.c */
    volatile pid_t pgnudge;       /* 0 where it isn't there */
    volatile pid_t processes[32]; /* fanout: publishers, then readers */
    volatile unsigned next;       /* of `history` */
    volatile unsigned done;       /* transactions */
    volatile unsigned faulted;
    char history[HISTORY][TEXT_MAX];
};

/* Numbers that look random, the same for a seed (xorshift64). */
struct random {
    uint64_t state;
};

uint32_t random_next(struct random *random);
uint32_t random_below(struct random *random, uint32_t count);
bool random_one_in(struct random *random, uint32_t count);

struct follower;

/* ---- harness.c ---- */

extern struct shared *state;
extern uint64_t run_seed;
extern struct follower *shown; /* whose lines a failure shows */

void harness_start(uint64_t with_seed);

/* Runs it; its standard output is the pipe that is returned. */
int start_program(char *const argv[], pid_t *pid);

/* Writers, and who makes the faults. */
extern pid_t children[WRITERS + 1];

void start_writers(const char *conninfo, uint64_t salt);

/* Whether all have ended. */
bool writers_are_over(void);

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void note(struct shared *shared, const char *format, ...) __attribute__((format(printf, 2, 3)));
PGconn *connect_to(const char *conninfo);
void pause_ms(unsigned ms);

long long now_ms(void);

/*
 * The first column of the first row; "" for none, false for an error. A server that is away is waited
 * for, and asked again.
 */
bool ask(PGconn *conn, char *value, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a text of any length. */
bool ask_text(PGconn *conn, char *value, size_t size, const char *sql);

/* ---- writers.c ---- */

void make_tables(PGconn *conn);

/* A writer's whole life. What a lost connection leaves prepared is rolled back. */
void write_until_stopped(struct shared *shared, const char *conninfo, int number, uint64_t seed);

/* What asks for a resync, as at the end of a migration. */
#define MESSAGE "SELECT pg_logical_emit_message(true, 'pgnudge', '')"

/* ---- keyed.c ---- */

void make_keyed_tables(PGconn *conn);
void keyed_dml(struct random *random, char *sql, size_t size);
void keyed_ddl(struct random *random, char *sql, size_t size);
void keyed_take(PGconn *conn, const char *line);
bool keyed_is_right(PGconn *conn, char wrong[TEXT_MAX]);

/* Events with keys, until now. */
unsigned keyed_so_far(void);

/* ---- health.c ---- */

struct health {
    unsigned long memory_kib; /* resident */
    unsigned descriptors;
    double cpu_s; /* user and system, since its start */
};

/* Of a process, as /proc has it. */
struct health health_of(pid_t pid);

/* ---- faults.c ---- */

/* One after the other. $MODEL_FAULT, where it is set, is a program that knows more of them, by numbers. */
void fault_until_stopped(struct shared *shared, const char *conninfo, uint64_t seed);

/* A transaction of some other table that stays open until it is closed. */
PGconn *stranger_begins(const char *conninfo);

/* The same for an application's: COMMITs wait for a standby that nobody is. */
void stall(PGconn *conn, unsigned ms);

void freeze(pid_t pid, unsigned ms);

/* ---- fanout.c ---- */

/* Publishers and readers instead of one; returns main's status. */
int fanout(const char *program, const char *conninfo, long long seconds, char **options, int count);

/* ---- follower.c ---- */

struct follower {
    PGconn *conn;
    const char *const *names;
    size_t count;
    char copy[NAMES_MAX][64];
    uint64_t journal_told; /* rows of m.j named since the last resync */
    bool live;             /* a resync has come */
    size_t lines;
    size_t resyncs;
    bool keyed;
    char history[HISTORY][TEXT_MAX];
};

/* Does what a line says. */
void follower_take(struct follower *follower, const char *line);

/* Whether the copy is right now; `wrong` is the first name that isn't. */
bool follower_is_right(struct follower *follower, char wrong[TEXT_MAX]);

#endif
