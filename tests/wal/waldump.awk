# What pg_waldump says of transactions that commit: "xid tablespace/node rows" for each file of the
# database db, whose OID is that of no system catalog.

function rows(count,    file) {
    if (!match($0, /rel [0-9]+\/[0-9]+\/[0-9]+/)) return
    split(substr($0, RSTART + 4, RLENGTH - 4), file, "/")
    if (file[2] == db && file[3] >= 16384) changes[xid " " file[1] "/" file[3]] += count
}

# Moves what the transaction and those below it have to `ended`.
function end(top,    below, xids, n, i, key, part) {
    below = ""
    if (match($0, /subxacts: [0-9 ]+/)) below = substr($0, RSTART + 10, RLENGTH - 10)
    n = split(top " " below, xids, " ")
    split("", ended)
    for (i = 1; i <= n; i++)
        for (key in changes) {
            split(key, part, " ")
            if (part[1] == xids[i]) {
                ended[part[2]] += changes[key]
                delete changes[key]
            }
        }
}

{
    match($0, /tx: *[0-9]+/)
    xid = substr($0, RSTART + 3, RLENGTH - 3) + 0
}
/rmgr: Heap .*desc: (INSERT|DELETE|UPDATE|HOT_UPDATE)/ { rows(1) }
/rmgr: Heap2 .*desc: MULTI_INSERT/ {
    match($0, /[0-9]+ tuples|ntuples: [0-9]+/)
    count = substr($0, RSTART, RLENGTH)
    gsub(/[^0-9]/, "", count)
    rows(count + 0)
}
/rmgr: Transaction .*desc: ABORT / { end(xid) }
/rmgr: Transaction .*desc: (COMMIT|ABORT_PREPARED)/ {
    top = xid
    if (match($0, /(COMMIT|ABORT)_PREPARED [0-9]+/)) {
        top = substr($0, RSTART, RLENGTH)
        sub(/.* /, "", top)
        top += 0
    }
    end(top)
    if ($0 ~ /desc: COMMIT/)
        for (file in ended) print top, file, ended[file]
}
