/* The questions that more than one connection asks. All run on 13 and later. */
#ifndef PGNUDGE_SERVER_SERVERSQL_H
#define PGNUDGE_SERVER_SERVERSQL_H

#define SERVER_VERSION_MIN 13 /* that has all of this */

/*
 * What a role or database may have set that would end a long-lived connection,
 * or change what it says; only what this major knows. The catalog is read by its indexes,
 * whatever the planner thinks of its size.
 */
#define SQL_SETTINGS                                                                               \
    "SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES"                            \
    " ('statement_timeout', '0'), ('lock_timeout', '0'), ('idle_session_timeout', '0'),"           \
    " ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),"                 \
    " ('client_min_messages', 'warning'), ('standard_conforming_strings', 'on'),"                  \
    " ('quote_all_identifiers', 'off'), ('default_transaction_deferrable', 'off'),"                \
    " ('default_transaction_isolation', 'read committed'), ('extra_float_digits', '1'),"           \
    " ('DateStyle', 'ISO'), ('TimeZone', 'UTC'), ('IntervalStyle', 'postgres'),"                   \
    " ('bytea_output', 'hex'),"                                                                    \
    " ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'),"         \
    " ('enable_nestloop', 'on'), ('enable_indexscan', 'on'), ('jit', 'off'),"                      \
    " ('plan_cache_mode', 'force_generic_plan')"                                                   \
    ") v(name, value) JOIN pg_catalog.pg_settings s USING (name)"

/*
 * Makes the server notice our death while it makes the slot, once SQL_ARM has armed it. From 14 on,
 * and not on every platform of the server: a refusal is no failure.
 */
#define SQL_DEATH_CHECK                                                                            \
    "SELECT pg_catalog.set_config(name, '1s', false) FROM pg_catalog.pg_settings"                  \
    " WHERE name = 'client_connection_check_interval'"

/* Any plain statement, right before each slot: an error disarms it, and so does a second of rest. */
#define SQL_ARM "SELECT 1"

/* An expression: the same on two connections to one run of one server. */
#define SQL_IDENTITY                                                                               \
    "(extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text || '/' ||"                   \
    " (SELECT system_identifier FROM pg_catalog.pg_control_system())::text)"

#define SQL_SYSTEM_ID "(SELECT system_identifier FROM pg_catalog.pg_control_system())::text"

#define IDENTITY_MAX  64 /* bytes of SQL_IDENTITY's result, NUL included */
#define SYSTEM_ID_MAX 24 /* bytes of SQL_SYSTEM_ID's result, NUL included */

#endif
