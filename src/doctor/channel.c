#include "bridge/channel.h"
#include "base/clock.h"
#include "doctor/state.h"
#include "server/hints.h"

const char *channel_name(const struct checks *checks)
{
    const struct feed_config *config = checks->config;

    return config->notify != NULL ? config->notify : config->listen;
}

const struct conninfo *channel_info(const struct checks *checks)
{
    return checks->config->has_notify_to ? &checks->config->notify_to : &checks->config->info;
}

void channel_report_failure(struct checks *checks, const struct error *error)
{
    struct error hinted = *error;

    hint_login(&hinted, channel_info(checks));
    report_error(checks->report, CHECK_FAIL, "channel", &hinted,
                 "pgnudge needs an ordinary connection to the channel's database.");
}

static void report_usage(struct checks *checks)
{
    double usage = checks->channel.usage;

    if (usage <= CHANNEL_CROWDED) {
        report_check(checks->report, CHECK_OK, "notification queue", "%.1f%% full", usage * 100);
        return;
    }
    report_check(checks->report, usage <= CHANNEL_FULL ? CHECK_WARN : CHECK_FAIL,
                 "notification queue", "%.0f%% full: a session that listens is in a transaction",
                 usage * 100);
    report_fix(checks->report,
               "SELECT pid, xact_start FROM pg_stat_activity ORDER BY xact_start LIMIT 5;");
}

static void report_holder(struct checks *checks)
{
    const struct channel_lock *lock = &checks->channel;
    bool publishes = checks->config->notify != NULL;

    if (lock->holder == 0 && publishes) {
        report_check(checks->report, CHECK_OK, "channel", "\"%s\" is free", channel_name(checks));
    } else if (lock->holder == 0) {
        report_check(checks->report, CHECK_WARN, "channel", "nobody publishes on \"%s\"",
                     channel_name(checks));
        report_fix(checks->report, "pgnudge --notify %s", channel_name(checks));
    } else if (publishes && !lock->same_role) {
        report_check(checks->report, CHECK_WARN, "channel",
                     "process %u of role \"%s\" holds the lock of \"%s\"", lock->holder, lock->role,
                     channel_name(checks));
        report_fix(checks->report, "SELECT pg_terminate_backend(%u); -- unless it is a pgnudge",
                   lock->holder);
    } else {
        report_check(checks->report, CHECK_OK, "channel",
                     "process %u of role \"%s\" publishes on \"%s\"%s", lock->holder, lock->role,
                     channel_name(checks), publishes ? ", and this one would wait" : "");
    }
}

void channel_report(struct checks *checks)
{
    if (checks->channel.in_recovery) {
        report_check(checks->report, CHECK_FAIL, "channel",
                     "the server is a standby, which has no LISTEN and NOTIFY");
        report_fix(checks->report, "Connect to the primary.");
        return;
    }
    report_holder(checks);
    report_usage(checks);
}
