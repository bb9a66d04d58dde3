#include "cli/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "base/clock.h"
#include "cli/bridge_options.h"
#include "cli/source_options.h"
#include "cli/values.h"
#include "conninfo/connlayers.h"
#include "conninfo/connstring.h"
#include "decode/plugins.h"

#define DEFAULT_DEBOUNCE_US        (50 * CLOCK_MS)
#define DEFAULT_MAX_WAIT_DEBOUNCES 20
#define DEFAULT_MAX_PENDING        8192
#define DEFAULT_STATUS_INTERVAL_US (10 * CLOCK_S)
#define DEFAULT_LIVENESS_US        (30 * CLOCK_S)
#define DEFAULT_BACKOFF_MIN_US     (100 * CLOCK_MS)
#define DEFAULT_BACKOFF_MAX_US     (5 * CLOCK_S)
#define DEFAULT_KEYS               256
#define KEYS_MAX                   1000000  /* more than KEYS_BYTES_MAX holds */
#define MAX_PENDING_MAX            10000000 /* about 5 GB of names: more is a slip */
#define UNSET                      (-1)

/* Beyond the letters: the long options that have none. */
enum {
    OPT_PLUGIN = 256,
    OPT_TRANSPORT,
    OPT_DDL,
    OPT_DEBOUNCE,
    OPT_MAX_BATCH_WAIT,
    OPT_FAILSAFE,
    OPT_NO_VISIBILITY_CHECK,
    OPT_ALLOW_MISSING,
    OPT_VISIBLE_ON,
    OPT_SLOT_TIMEOUT,
    OPT_PARTITIONS,
    OPT_MAX_PENDING,
    OPT_STATUS_INTERVAL,
    OPT_LIVENESS_TIMEOUT,
    OPT_CONNECT_TIMEOUT,
    OPT_BACKOFF,
    OPT_NO_RECONNECT,
    OPT_TIMEOUT,
    OPT_JSON,
    OPT_EXEC_FAIL,
    OPT_METRICS,
    OPT_OPERATIONS,
    OPT_PUBLICATION,
    OPT_SEQUENCE,
    OPT_HEARTBEAT,
    OPT_FROM_STDIN,
    OPT_NOTIFY,
    OPT_NOTIFY_TO,
    OPT_NOTIFY_KEYS,
    OPT_LISTEN,
    OPT_HELP
};

static const char short_options[] = ":h:p:U:d:wWt:x:f:0e:k::n:vqV";

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"username", required_argument, NULL, 'U'},
    {"dbname", required_argument, NULL, 'd'},
    {"no-password", no_argument, NULL, 'w'},
    {"password", no_argument, NULL, 'W'},
    {"tables", required_argument, NULL, 't'},
    {"exclude", required_argument, NULL, 'x'},
    {"plugin", required_argument, NULL, OPT_PLUGIN},
    {"publication", required_argument, NULL, OPT_PUBLICATION},
    {"transport", required_argument, NULL, OPT_TRANSPORT},
    {"ddl", no_argument, NULL, OPT_DDL},
    {"debounce", required_argument, NULL, OPT_DEBOUNCE},
    {"max-batch-wait", required_argument, NULL, OPT_MAX_BATCH_WAIT},
    {"failsafe", required_argument, NULL, OPT_FAILSAFE},
    {"allow-missing", no_argument, NULL, OPT_ALLOW_MISSING},
    {"visible-on", required_argument, NULL, OPT_VISIBLE_ON},
    {"slot-timeout", required_argument, NULL, OPT_SLOT_TIMEOUT},
    {"partitions", required_argument, NULL, OPT_PARTITIONS},
    {"no-visibility-check", no_argument, NULL, OPT_NO_VISIBILITY_CHECK},
    {"max-pending", required_argument, NULL, OPT_MAX_PENDING},
    {"status-interval", required_argument, NULL, OPT_STATUS_INTERVAL},
    {"liveness-timeout", required_argument, NULL, OPT_LIVENESS_TIMEOUT},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
    {"backoff", required_argument, NULL, OPT_BACKOFF},
    {"no-reconnect", no_argument, NULL, OPT_NO_RECONNECT},
    {"format", required_argument, NULL, 'f'},
    {"null", no_argument, NULL, '0'},
    {"exec", required_argument, NULL, 'e'},
    {"exec-fail", required_argument, NULL, OPT_EXEC_FAIL},
    {"metrics", required_argument, NULL, OPT_METRICS},
    {"keys", optional_argument, NULL, 'k'},
    {"operations", no_argument, NULL, OPT_OPERATIONS},
    {"sequence", no_argument, NULL, OPT_SEQUENCE},
    {"heartbeat", required_argument, NULL, OPT_HEARTBEAT},
    {"notify", required_argument, NULL, OPT_NOTIFY},
    {"notify-to", required_argument, NULL, OPT_NOTIFY_TO},
    {"notify-keys", no_argument, NULL, OPT_NOTIFY_KEYS},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"from-stdin", no_argument, NULL, OPT_FROM_STDIN},
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"json", no_argument, NULL, OPT_JSON},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* What can be judged only when all has been read. */
struct typed {
    struct doctor_options *doctor;
    struct conninfo conninfo; /* by options, which rank below connection strings */
    bool no_password;
    enum password_asking password;
    bool null;
    bool exec_fail;
    struct source_options source;
    struct bridge_options bridge;
    char *visible_on[REPLICAS_MAX];
    size_t replicas;
};

void options_init(struct feed_config *config)
{
    *config = (struct feed_config){
        .log = {.level = LOG_WARNING},
        .plugin = PLUGINS,
        .window = {.debounce_us = DEFAULT_DEBOUNCE_US,
                   .max_wait_us = UNSET,
                   .max_pending = DEFAULT_MAX_PENDING},
        .failsafe_us = CLOCK_NEVER,
        .status_interval_us = DEFAULT_STATUS_INTERVAL_US,
        .liveness_us = DEFAULT_LIVENESS_US,
        .backoff_min_us = DEFAULT_BACKOFF_MIN_US,
        .backoff_max_us = DEFAULT_BACKOFF_MAX_US,
        .reconnect = true,
        .visibility_check = true,
        .timeout_us = CLOCK_NEVER,
        .slot_timeout_us = CLOCK_NEVER,
        .heartbeat_us = CLOCK_NEVER,
    };
    conninfo_init(&config->info);
}

static bool read_plugin(struct feed_config *config, const char *value, struct error *error)
{
    config->plugin = PLUGINS;
    if (strcmp(value, "auto") == 0 || plugin_named(value, &config->plugin)) {
        return true;
    }
    return value_wrong("--plugin", value, "auto, wal2json or test_decoding", error);
}

static bool read_publication(struct feed_config *config, const char *value, struct error *error)
{
    if (value[0] == '\0') {
        return error_set(error, ERROR_PERMANENT, "--publication needs a name");
    }
    if (config->publication_count == PUBLICATIONS_MAX) {
        return error_set(error, ERROR_PERMANENT, "--publication may be given %d times at most",
                         PUBLICATIONS_MAX);
    }
    config->publications[config->publication_count++] = value;
    return true;
}

static bool read_exec(struct feed_config *config, const char *value, struct error *error)
{
    config->exec = value;
    return value[strspn(value, " \t\n")] != '\0' ||
           error_set(error, ERROR_PERMANENT, "--exec needs a command");
}

static bool read_exec_fail(struct feed_config *config, const char *value, struct error *error)
{
    static const char *const words[] = {
        [EXEC_RETRY] = "retry", [EXEC_WARN] = "warn", [EXEC_EXIT] = "exit"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            config->exec_fail = (enum exec_fail)i;
            return true;
        }
    }
    return value_wrong("--exec-fail", value, "retry, warn or exit", error);
}

static bool read_backoff(struct feed_config *config, const char *value, struct error *error)
{
    const char *comma = strchr(value, ',');
    char min[32];

    if (comma == NULL || (size_t)(comma - value) >= sizeof(min)) {
        return value_wrong("--backoff", value, "two durations, MIN,MAX", error);
    }
    memcpy(min, value, (size_t)(comma - value));
    min[comma - value] = '\0';
    if (!value_duration("--backoff", min, ZERO_REFUSED, &config->backoff_min_us, error) ||
        !value_duration("--backoff", comma + 1, ZERO_REFUSED, &config->backoff_max_us, error)) {
        return false;
    }
    return config->backoff_min_us <= config->backoff_max_us ||
           value_wrong("--backoff", value, "MIN not above MAX", error);
}

static void hide(char *value)
{
    if (connstring_recognize(value)) {
        connstring_hide_secrets(value);
    }
}

/* A connection string or a database name, as -d or the operand; an empty one says nothing. */
static bool read_dbname(struct feed_config *config, char *value, struct error *error)
{
    bool ok;

    if (value[0] == '\0') {
        return true;
    }
    ok = conninfo_set_dbname(&config->info, value, error);
    hide(value);
    return ok;
}

/* -h, -p, -U: what a connection string says wins, wherever it stands. */
static bool read_conn_option(struct conninfo *given, enum conn_param param, const char *value,
                             struct error *error)
{
    return value[0] == '\0' || conninfo_set(given, param, value, error);
}

/* The sections of the manual page, one after the other; each passes on what is none of its own. */
static bool take_connection_option(struct feed_config *config, struct typed *typed, int option,
                                   char *value, struct error *error)
{
    switch (option) {
    case 'h':
        return read_conn_option(&typed->conninfo, CONN_HOST, value, error);
    case 'p':
        return read_conn_option(&typed->conninfo, CONN_PORT, value, error);
    case 'U':
        return read_conn_option(&typed->conninfo, CONN_USER, value, error);
    case 'd':
        return read_dbname(config, value, error);
    case 'w':
    case 'W':
        typed->no_password = option == 'w';
        typed->password = option == 'W' ? PASSWORD_FIRST : PASSWORD_WHEN_NEEDED;
        return true;
    case 'v':
        config->log.level = config->log.level < LOG_INFO ? LOG_INFO : LOG_DEBUG;
        return true;
    case 'q':
        config->log.level = LOG_ERROR;
        return true;
    case OPT_TRANSPORT:
        return source_options_transport(config, value, error);
    case OPT_DDL:
        config->ddl = true;
        return true;
    case OPT_PLUGIN:
        typed->source.plugin = true;
        return read_plugin(config, value, error);
    case OPT_PUBLICATION:
        return read_publication(config, value, error);
    case OPT_SLOT_TIMEOUT:
        return value_duration("--slot-timeout", value, ZERO_REFUSED, &config->slot_timeout_us,
                              error);
    case OPT_STATUS_INTERVAL:
        config->status_interval_given = true;
        return value_duration("--status-interval", value, ZERO_REFUSED, &config->status_interval_us,
                              error);
    case OPT_LIVENESS_TIMEOUT:
        config->liveness_given = true;
        return value_duration("--liveness-timeout", value, ZERO_NEVER, &config->liveness_us, error);
    case OPT_CONNECT_TIMEOUT:
        return value_duration("--connect-timeout", value, ZERO_NEVER,
                              &typed->conninfo.connect_timeout_us, error) &&
               conninfo_set(&typed->conninfo, CONN_CONNECT_TIMEOUT, "", error);
    case OPT_BACKOFF:
        return read_backoff(config, value, error);
    case OPT_NO_RECONNECT:
        config->reconnect = false;
        return true;
    case OPT_JSON:
        typed->doctor->json = true;
        return typed->doctor->wanted ||
               error_set(error, ERROR_PERMANENT, "--json is an option of \"pgnudge doctor\"");
    default:
        return error_set(error, ERROR_PERMANENT, "unknown option");
    }
}

/* Many readers. */
static bool take_reader_option(struct feed_config *config, struct typed *typed, int option,
                               char *value, struct error *error)
{
    switch (option) {
    case OPT_SEQUENCE:
        config->sequence = true;
        return true;
    case OPT_HEARTBEAT:
        config->sequence = true; /* a heartbeat is a number */
        return value_duration("--heartbeat", value, ZERO_REFUSED, &config->heartbeat_us, error);
    case OPT_NOTIFY:
        config->notify = value;
        return true;
    case OPT_NOTIFY_TO:
        typed->bridge.notify_to = value;
        return true;
    case OPT_NOTIFY_KEYS:
        typed->bridge.notify_keys = true;
        return true;
    case OPT_LISTEN:
        config->listen = value;
        return true;
    case OPT_FROM_STDIN:
        config->from_stdin = true;
        return true;
    default:
        return take_connection_option(config, typed, option, value, error);
    }
}

/* Output. */
static bool take_output_option(struct feed_config *config, struct typed *typed, int option,
                               char *value, struct error *error)
{
    unsigned long long number;

    switch (option) {
    case 'f':
        config->style.format = strcmp(value, "names") == 0 ? ITEM_NAMES : ITEM_JSON;
        return config->style.format == ITEM_NAMES || strcmp(value, "json") == 0 ||
               value_wrong("--format", value, "json or names", error);
    case '0':
        typed->null = true;
        return true;
    case 'e':
        return read_exec(config, value, error);
    case OPT_EXEC_FAIL:
        typed->exec_fail = true;
        return read_exec_fail(config, value, error);
    case OPT_METRICS:
        config->metrics = value;
        return value[0] != '\0' ||
               error_set(error, ERROR_PERMANENT, "--metrics needs the name of a file");
    case 'k':
        number = DEFAULT_KEYS;
        if (value != NULL && !value_number("--keys", value, KEYS_MAX, &number, error)) {
            return false;
        }
        config->window.max_keys = (size_t)number;
        config->style.keys = ITEM_KEYS_ON;
        return true;
    case OPT_OPERATIONS:
        config->style.operations = true;
        return true;
    case 'n':
        if (!value_number("--count", value, UINT64_MAX, &number, error)) {
            return false;
        }
        config->count = number;
        return true;
    case OPT_DEBOUNCE:
        return value_duration("--debounce", value, ZERO_FINE, &config->window.debounce_us, error);
    case OPT_MAX_BATCH_WAIT:
        return value_duration("--max-batch-wait", value, ZERO_REFUSED, &config->window.max_wait_us,
                              error);
    case OPT_FAILSAFE:
        return value_duration("--failsafe", value, ZERO_REFUSED, &config->failsafe_us, error);
    case OPT_VISIBLE_ON:
        if (typed->replicas == REPLICAS_MAX) {
            return error_set(error, ERROR_PERMANENT, "--visible-on may be given %d times at most",
                             REPLICAS_MAX);
        }
        typed->visible_on[typed->replicas++] = value;
        return true;
    case OPT_NO_VISIBILITY_CHECK:
        config->visibility_check = false;
        return true;
    case OPT_MAX_PENDING:
        if (!value_number("--max-pending", value, MAX_PENDING_MAX, &number, error)) {
            return false;
        }
        config->window.max_pending = (size_t)number;
        return true;
    case OPT_TIMEOUT:
        return value_duration("--timeout", value, ZERO_REFUSED, &config->timeout_us, error);
    default:
        return take_reader_option(config, typed, option, value, error);
    }
}

/* Takes one option that has a value, or a flag. False: `error`. */
static bool take_option(struct feed_config *config, struct typed *typed, int option, char *value,
                        struct error *error)
{
    switch (option) {
    case 't':
        return pattern_set_add(&config->tables, value, error);
    case 'x':
        return pattern_set_add(&config->exclude, value, error);
    case OPT_ALLOW_MISSING:
        config->allow_missing = true;
        return true;
    case OPT_PARTITIONS:
        typed->bridge.partitions = true;
        config->partitions = strcmp(value, "leaf") == 0 ? PARTITIONS_LEAF : PARTITIONS_ROOT;
        return strcmp(value, "leaf") == 0 || strcmp(value, "root") == 0 ||
               value_wrong("--partitions", value, "root or leaf", error);
    default:
        return take_output_option(config, typed, option, value, error);
    }
}

/* What makes no sense with --transport physical. */
static void note_decoding(struct source_options *source, int option)
{
    switch (option) {
    case 'k':
        source->decoding_option = "--keys";
        break;
    case OPT_OPERATIONS:
        source->decoding_option = "--operations";
        break;
    case OPT_PLUGIN:
        source->decoding_option = "--plugin";
        break;
    case OPT_PUBLICATION:
        source->decoding_option = "--publication";
        break;
    default:
        break;
    }
}

/* Where one stands that makes no sense with --listen or --from-stdin. */
static void note_kind(struct bridge_options *bridge, int option)
{
    switch (option) {
    case 'h':
        bridge->login_option = "--host";
        break;
    case 'p':
        bridge->login_option = "--port";
        break;
    case 'U':
        bridge->login_option = "--username";
        break;
    case 'd':
        bridge->login_option = "--dbname";
        break;
    case 'W':
        bridge->login_option = "--password";
        break;
    case OPT_PLUGIN:
        bridge->stream_option = "--plugin";
        break;
    case OPT_PUBLICATION:
        bridge->stream_option = "--publication";
        break;
    case OPT_TRANSPORT:
        bridge->stream_option = "--transport";
        break;
    case OPT_DDL:
        bridge->stream_option = "--ddl";
        break;
    case OPT_SLOT_TIMEOUT:
        bridge->stream_option = "--slot-timeout";
        break;
    case OPT_ALLOW_MISSING:
        bridge->stream_option = "--allow-missing";
        break;
    case OPT_VISIBLE_ON:
        bridge->stream_option = "--visible-on";
        break;
    case OPT_NO_VISIBILITY_CHECK:
        bridge->stream_option = "--no-visibility-check";
        break;
    default:
        break;
    }
}

/* What getopt_long could not take: an unknown option, or one with too much or too little. */
static enum options_action not_taken(int option, char **argv, struct error *error)
{
    const char *word = argv[optind - 1];

    if (option == ':') {
        error_set(error, ERROR_PERMANENT, "option \"%s\" requires a value", word);
    } else if (optopt == 0) {
        error_set(error, ERROR_PERMANENT, "unrecognized or ambiguous option \"%s\"", word);
    } else if (strncmp(word, "--", 2) == 0 && strchr(word, '=') != NULL) {
        error_set(error, ERROR_PERMANENT, "option \"%s\" takes no value", word);
    } else {
        error_set(error, ERROR_PERMANENT, "unrecognized option \"-%c\"", optopt);
    }
    error_hint(error, "Try \"pgnudge --help\" for more information.");
    return OPTIONS_WRONG;
}

/* What --visible-on leaves out is taken from the main connection. */
static bool derive_replicas(struct feed_config *config, const struct typed *typed,
                            struct error *error)
{
    if (typed->replicas > 0 && !config->visibility_check) {
        return error_set(error, ERROR_PERMANENT,
                         "--visible-on and --no-visibility-check exclude each other");
    }
    for (size_t i = 0; i < typed->replicas; i++) {
        bool ok =
            conninfo_derive(&config->visible_on[i], &config->info, typed->visible_on[i], error);

        connstring_hide_secrets(typed->visible_on[i]);
        if (!ok) {
            error_prefix(error, "--visible-on");
            return false;
        }
        config->visible_on_count++;
    }
    return true;
}

/* With -W the typed one counts, whatever else is known. */
static bool prepare_password(struct feed_config *config, const struct typed *typed,
                             struct error *error)
{
    if (typed->no_password) {
        return true;
    }
    config->password = password_new(typed->password);
    if (config->password == NULL) {
        return error_memory(error);
    }
    config->info.typed = config->password;
    return typed->password != PASSWORD_FIRST ||
           conninfo_set(&config->info, CONN_PASSWORD, "", error);
}

static bool finish_output(struct feed_config *config, const struct typed *typed,
                          struct error *error)
{
    if (typed->null && config->style.format != ITEM_NAMES) {
        return error_set(error, ERROR_PERMANENT, "--null needs --format names");
    }
    if (typed->exec_fail && config->exec == NULL) {
        return error_set(error, ERROR_PERMANENT, "--exec-fail needs --exec");
    }
    if (config->window.max_keys > 0 && !config->visibility_check) {
        return error_set(error, ERROR_PERMANENT,
                         "--keys and --no-visibility-check exclude each other");
    }
    config->style.format = typed->null ? ITEM_NAMES_NUL : config->style.format;
    return true;
}

/* What holds between options, and the defaults that depend on others. */
static bool finish(struct feed_config *config, const struct typed *typed, struct error *error)
{
    struct window_limits *window = &config->window;

    if (window->max_wait_us == UNSET) {
        window->max_wait_us = window->debounce_us * DEFAULT_MAX_WAIT_DEBOUNCES;
    }
    if (config->status_interval_given && config->liveness_given &&
        config->liveness_us < config->status_interval_us) {
        return error_set(error, ERROR_PERMANENT,
                         "--liveness-timeout is below --status-interval: the server would be "
                         "given up between two status updates");
    }
    return finish_output(config, typed, error) &&
           source_options_finish(config, &typed->source, error) &&
           conninfo_fill(&config->info, &typed->conninfo, error) &&
           conninfo_complete(&config->info, error) && prepare_password(config, typed, error) &&
           derive_replicas(config, typed, error) &&
           bridge_options_finish(config, &typed->bridge, error);
}

static enum options_action parse(struct feed_config *config, struct typed *typed, int argc,
                                 char **argv, struct error *error)
{
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (option == OPT_HELP || (option == '?' && optopt == '?')) {
            return OPTIONS_HELP;
        }
        if (option == 'V') {
            return OPTIONS_VERSION;
        }
        if (option == '?' || option == ':') {
            return not_taken(option, argv, error);
        }
        note_kind(&typed->bridge, option);
        note_decoding(&typed->source, option);
        if (!take_option(config, typed, option, optarg, error)) {
            return OPTIONS_WRONG;
        }
    }
    if (optind < argc) {
        typed->bridge.login_option = "a connection string";
    }
    if (optind < argc && !read_dbname(config, argv[optind++], error)) {
        return OPTIONS_WRONG;
    }
    if (optind < argc) {
        error_set(error, ERROR_PERMANENT, "too many arguments (the first is \"%s\")",
                  connstring_recognize(argv[optind]) ? "…" : argv[optind]);
        for (; optind < argc; optind++) {
            if (strcmp(argv[optind], "doctor") == 0) {
                error_hint(error,
                           "To run the doctor, put the word first: pgnudge doctor [OPTION]...");
            }
            hide(argv[optind]);
        }
        return OPTIONS_WRONG;
    }
    return finish(config, typed, error) ? OPTIONS_RUN : OPTIONS_WRONG;
}

enum options_action options_parse(struct feed_config *config, struct doctor_options *doctor,
                                  int argc, char **argv, struct error *error)
{
    enum options_action action;
    struct typed typed = {.doctor = doctor, .password = PASSWORD_WHEN_NEEDED};

    *doctor = (struct doctor_options){.wanted = argc > 1 && strcmp(argv[1], "doctor") == 0};
    typed.bridge.doctor = doctor->wanted;
    if (doctor->wanted) {
        argc--;
        argv++;
    }
    conninfo_init(&typed.conninfo);
    action = parse(config, &typed, argc, argv, error);
    conninfo_free(&typed.conninfo);
    return action;
}

void options_free(struct feed_config *config)
{
    conninfo_free(&config->info);
    conninfo_free(&config->notify_to);
    for (size_t i = 0; i < config->visible_on_count; i++) {
        conninfo_free(&config->visible_on[i]);
    }
    password_free(config->password);
    pattern_set_free(&config->tables);
    pattern_set_free(&config->exclude);
    buffer_free(&config->scope);
}
