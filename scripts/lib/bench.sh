# shellcheck shell=bash
#
# What scripts/bench keeps of its measurements, and how it tells them.
#
#   record CASE COMMAND...          run it: each line "metric<TAB>value" is a round's value of CASE
#   row LABEL UNIT CASE METRIC [CASE METRIC]
#                                   a line of the table: the median, and another one beside it
#   median CASE METRIC              print it, or nothing where there is none
#   calc EXPRESSION                 print what awk makes of it; nothing where a value is missing
#   bound LABEL VALUE LIMIT         a line of the bounds: VALUE should be at most LIMIT
#   print_table, print_bounds
#
# All of it stands in files below $BENCH_KEPT.

record() {
    local case=$1 metric value
    shift
    "$@" >"$BENCH_KEPT/told"
    while IFS=$'\t' read -r metric value; do
        printf '%s\t%s\t%s\n' "$case" "$metric" "$value"
    done <"$BENCH_KEPT/told" >>"$BENCH_KEPT/values"
}

row() {
    (IFS=$'\t' && echo "$*") >>"$BENCH_KEPT/rows"
}

# awk functions for both: values as they are read, medians, numbers of three or four digits.
# shellcheck disable=SC2016 # awk's
_bench_awk='
function keep(key, value) { all[key, ++count[key]] = value }

function median(key,    i, j, v, n, sorted) {
    n = count[key]
    for (i = 1; i <= n; i++) {
        v = all[key, i]
        for (j = i - 1; j > 0 && sorted[j] > v; j--) sorted[j + 1] = sorted[j]
        sorted[j + 1] = v
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function shown(v) {
    return sprintf(v >= 100 ? "%.0f" : v >= 10 ? "%.1f" : v >= 1 ? "%.2f" : "%.3f", v)
}
'

median() {
    awk -F '\t' -v wanted="$1"$'\t'"$2" "$_bench_awk"'
        $1 FS $2 == wanted { keep(wanted, $3 + 0) }
        END { if (count[wanted]) print median(wanted) }' "$BENCH_KEPT/values"
}

calc() {
    awk "BEGIN { print $1 }" 2>/dev/null || true
}

# over CASE METRIC CASE [METRIC]: how many times the second one the first is.
over() {
    local a b
    a=$(median "$1" "$2") b=$(median "$3" "${4:-$2}")
    [[ -z $a || -z $b ]] || calc "$a / $b"
}

bound() {
    [[ -z $2 || -z $3 ]] || printf '%s\t%s\t%s\n' "$@" >>"$BENCH_KEPT/bounds"
}

# The ratio of each round shows how far the noise goes.
print_table() {
    awk -F '\t' "$_bench_awk"'
        BEGIN { line = "%-62s %-6s %8s %8s %7s  %s\n" }
        FNR == NR { keep($1 FS $2, $3 + 0); next }
        $2 == "" {
            printf (FNR > 1 ? "\n" : "") line, $1, "unit", "pgnudge", "beside", "ratio", "in rounds"
            next
        }
        {
            ours = $3 FS $4; theirs = $5 FS $6
            a = count[ours] ? median(ours) : "-"
            b = count[theirs] ? median(theirs) : "-"
            ratio = spread = "-"
            if (a != "-" && b != "-" && b > 0) {
                ratio = shown(a / b)
                n = count[ours] < count[theirs] ? count[ours] : count[theirs]
                low = high = ""
                for (i = 1; i <= n; i++) {
                    if (all[theirs, i] <= 0) continue
                    r = all[ours, i] / all[theirs, i]
                    if (low == "" || r < low) low = r
                    if (high == "" || r > high) high = r
                }
                spread = shown(low) " to " shown(high)
            }
            printf line, $1, $2, a == "-" ? a : shown(a), b == "-" ? b : shown(b), ratio, spread
        }' "$BENCH_KEPT/values" "$BENCH_KEPT/rows"
}

print_bounds() {
    [[ -s $BENCH_KEPT/bounds ]] || return 0
    awk -F '\t' "$_bench_awk"'
        BEGIN {
            line = "%-72s %8s %8s  %s\n"
            printf line, "bounds", "reached", "at most", "holds"
        }
        {
            holds = $2 <= $3 / 2 ? "by half" : $2 <= $3 + 0 ? "yes" : "NO"
            printf line, $1, shown($2), shown($3), holds
        }' "$BENCH_KEPT/bounds"
}
