#include "feed/questions.h"

#include "base/clock.h"
#include "server/slotwait.h"

#define SLOTWAIT_AFTER_US (1 * CLOCK_S) /* of waiting for the slot */

void questions_start(struct questions *questions, struct visconn *visconn)
{
    questions->visconn = visconn;
    keycheck_start(&questions->keycheck);
    questions->published = NULL;
    questions->publications_us = CLOCK_NEVER;
    questions->slotwait_asked = questions->life_asked = questions->catalog_asked = false;
}

static bool ask(struct questions *questions, struct question *question, struct buffer *sql,
                int64_t now_us)
{
    bool ok;

    buffer_byte(sql, '\0');
    question->sql = sql->data;
    ok = !sql->failed && visconn_ask(questions->visconn, question, now_us);
    buffer_free(sql);
    return ok;
}

/* ---- tables ---- */

static bool on_catalog_row(void *context, struct query_row *row)
{
    return catalog_row(((struct questions *)context)->catalog, row);
}

static bool on_catalog(void *context, enum answer answer, int64_t now_us, struct error *error)
{
    struct questions *questions = context;

    questions->catalog_asked = false;
    if (answer != ANSWER_COMPLETE) {
        if (answer == ANSWER_REFUSED) {
            log_report(questions->log, LOG_WARNING, error);
        }
        catalog_not_answered(questions->catalog, now_us);
        return true;
    }
    switch (catalog_answered(questions->catalog, visconn_visibility(questions->visconn), now_us)) {
    case CATALOG_FINE:
        return true;
    case CATALOG_REFILTER:
        return error_set(error, ERROR_TRANSIENT,
                         "a table that was filtered in the server has been replaced");
    case CATALOG_FAILED:
        break;
    }
    return error_memory(error);
}

static int64_t catalog_due(const struct questions *questions, bool live)
{
    return live && !questions->catalog_asked ? catalog_deadline(questions->catalog) : CLOCK_NEVER;
}

static void ask_for_catalog(struct questions *questions, int64_t now_us)
{
    struct question question = {
        .on_row = on_catalog_row, .context = questions, .on_answer = on_catalog};
    struct buffer sql = {0};

    catalog_question(questions->catalog, &sql, now_us);
    questions->catalog_asked = ask(questions, &question, &sql, now_us);
    if (!questions->catalog_asked) { /* no memory now: again, later */
        catalog_not_answered(questions->catalog, now_us);
    }
}

/* ---- keys ---- */

static bool on_keys_row(void *context, struct query_row *row)
{
    return keycheck_row(&((struct questions *)context)->keycheck, row);
}

static bool on_keys(void *context, enum answer answer, int64_t now_us, struct error *error)
{
    struct questions *questions = context;

    (void)now_us;
    switch (answer) {
    case ANSWER_COMPLETE:
        keycheck_answered(&questions->keycheck);
        break;
    case ANSWER_REFUSED:
        log_report(questions->log, LOG_WARNING, error);
        keycheck_refused(&questions->keycheck);
        break;
    case ANSWER_LOST:
        keycheck_lost(&questions->keycheck);
        break;
    }
    return true;
}

static void ask_for_keys(struct questions *questions, int64_t now_us)
{
    struct question question = {.on_row = on_keys_row, .context = questions, .on_answer = on_keys};
    struct buffer sql = {0};

    keycheck_question(&questions->keycheck, &sql);
    if (!ask(questions, &question, &sql, now_us)) { /* no memory */
        keycheck_refused(&questions->keycheck);
    }
}

/* ---- publications ---- */

void questions_live(struct questions *questions, const struct source_facts *facts, int64_t now_us)
{
    questions->published = facts->publications;
    if (questions->published != NULL) {
        questions->publications = *questions->published;
        questions->publications_us = now_us; /* the slot may have taken long */
    }
}

static bool on_publications_row(void *context, struct query_row *row)
{
    return publications_row(&((struct questions *)context)->publications, row);
}

/* What isn't published any more is told only by a reload. */
static bool on_publications(void *context, enum answer answer, int64_t now_us, struct error *error)
{
    struct questions *questions = context;

    questions->publications_us = clock_after(now_us, questions->interval_us);
    if (answer == ANSWER_REFUSED) {
        log_report(questions->log, LOG_WARNING, error);
    }
    if (answer != ANSWER_COMPLETE || questions->published == NULL ||
        publications_are_same(&questions->publications, questions->published)) {
        return true;
    }
    if (publications_check(&questions->publications, error)) {
        error_set(error, ERROR_TRANSIENT, "a publication, or what it covers, has changed");
    }
    error->kind = ERROR_TRANSIENT;
    return false;
}

static void ask_for_publications(struct questions *questions, int64_t now_us)
{
    struct question question = {
        .on_row = on_publications_row, .context = questions, .on_answer = on_publications};
    struct buffer sql = {0};

    publications_query(&questions->publications, &sql);
    questions->publications_us =
        ask(questions, &question, &sql, now_us) ? CLOCK_NEVER : clock_after(now_us, CLOCK_S);
}

/* ---- the slot ---- */

static bool on_slotwait_row(void *context, struct query_row *row)
{
    return slotwait_row(((struct questions *)context)->log, row);
}

static bool on_slotwait(void *context, enum answer answer, int64_t now_us, struct error *error)
{
    (void)now_us;
    if (answer == ANSWER_REFUSED) {
        log_report(((struct questions *)context)->log, LOG_WARNING, error);
    }
    return true;
}

static int64_t slotwait_due(const struct questions *questions, const struct source_facts *facts)
{
    return questions->slotwait_asked ? CLOCK_NEVER
                                     : clock_after(facts->slot_since_us, SLOTWAIT_AFTER_US);
}

/* The slot takes its time: who is it that the walsender waits for? */
static void ask_for_slotwait(struct questions *questions, uint32_t pid, int64_t now_us)
{
    struct question question = {
        .on_row = on_slotwait_row, .context = questions, .on_answer = on_slotwait};
    struct buffer sql = {0};

    slotwait_query(&sql, pid);
    questions->slotwait_asked = ask(questions, &question, &sql, now_us);
}

/* ---- life ---- */

static bool on_nothing(void *context, struct query_row *row)
{
    (void)context;
    (void)row;
    return true;
}

static bool on_life(void *context, enum answer answer, int64_t now_us, struct error *error)
{
    (void)answer;
    (void)now_us;
    (void)error;
    ((struct questions *)context)->life_asked = false;
    return true;
}

static int64_t life_due(const struct questions *questions, const struct source_facts *facts)
{
    return questions->visibility_check || questions->life_asked || facts->silent_us == CLOCK_NEVER
               ? CLOCK_NEVER
               : facts->silent_us - questions->liveness_us / 2;
}

/* ---- all ---- */

void questions_ask(struct questions *questions, const struct source_facts *facts, bool live,
                   int64_t now_us)
{
    struct question life = {"SELECT 1", on_nothing, questions, false, on_life};

    if (now_us >= slotwait_due(questions, facts)) {
        ask_for_slotwait(questions, facts->pid, now_us);
    }
    if (now_us >= life_due(questions, facts)) {
        questions->life_asked = visconn_ask(questions->visconn, &life, now_us);
    }
    if (keycheck_due(&questions->keycheck)) {
        ask_for_keys(questions, now_us);
    }
    if (now_us >= questions->publications_us) {
        ask_for_publications(questions, now_us);
    }
    if (now_us >= catalog_due(questions, live)) {
        ask_for_catalog(questions, now_us);
    }
}

int64_t questions_due(const struct questions *questions, const struct source_facts *facts,
                      bool live)
{
    if (keycheck_due(&questions->keycheck)) {
        return 0;
    }
    return clock_earlier(clock_earlier(catalog_due(questions, live), questions->publications_us),
                         clock_earlier(slotwait_due(questions, facts), life_due(questions, facts)));
}
