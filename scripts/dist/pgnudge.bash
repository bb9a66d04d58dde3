# bash completion for pgnudge                                    -*- shell-script -*-

_pgnudge() {
    local current=$2 previous=$3 words=
    local options='--host --port --username --dbname --no-password --password --tables --exclude
        --allow-missing --partitions --format --null --keys --operations --metrics --exec --exec-fail
        --debounce --max-batch-wait
        --max-pending --visible-on --no-visibility-check --failsafe --count --timeout --plugin --publication
        --transport --ddl
        --status-interval --liveness-timeout --slot-timeout --connect-timeout --backoff --no-reconnect
        --sequence --heartbeat --notify --notify-to --notify-keys --listen --from-stdin
        --json --verbose --quiet --version --help'

    # "=" stands alone among the words.
    if [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    [[ $current != = ]] || current=
    case $previous in
    --partitions) words='root leaf' ;;
    -f | --format) words='json names' ;;
    --exec-fail) words='retry warn exit' ;;
    --transport) words='logical physical' ;;
    --plugin) words='auto test_decoding wal2json' ;;
    -h | --host)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
        return
        ;;
    --metrics)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    -e | --exec)
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
        return
        ;;
    -[pUdtxn] | --port | --username | --dbname | --tables | --exclude | --debounce | --max-batch-wait | \
        --max-pending | --visible-on | --failsafe | --count | --publication | --timeout | --status-interval | \
        --liveness-timeout | --slot-timeout | --connect-timeout | --backoff | --heartbeat | --notify | \
        --notify-to | --listen)
        return
        ;;
    *)
        words=$options
        if ((COMP_CWORD == 1)) && [[ $current != -* ]]; then words=doctor; fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _pgnudge pgnudge
