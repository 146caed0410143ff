#!/bin/sh
# Loads the new order lines of a PostgreSQL table into a lake, each exactly once, however often it is killed.
#
# WORK_DIR/lines-FROM-TO.csv holds the rows with FROM < id <= TO. Its name is the intent: it appears, by
# renaming, when it is complete, and its rows are the batch `lines-FROM-TO`. The next run loads it again,
# which changes nothing if it is in the lake, and continues from TO.
#
# Environment: WORK_DIR, TOPSELL_LAKE, and what psql takes: PGHOST, PGDATABASE, PGUSER, ...
set -eu
umask 077
: "${WORK_DIR:?is not set}" "${TOPSELL_LAKE:?is not set}"
topsell=${TOPSELL:-topsell}

mkdir -p "$WORK_DIR"
# One run at a time.
exec 9>"$WORK_DIR/lock"
flock --nonblock 9 || exit 0

query() {
    psql --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --command "$1"
}

# Exit code 4: some lines were rejected; they are in the lake's rejects.
load() {
    "$topsell" ingest --batch-id "lines-$1-$2" --format csv - <"$WORK_DIR/lines-$1-$2.csv" || [ $? -eq 4 ]
}

# The range with the greatest end, `FROM TO`.
last=$(ls "$WORK_DIR" | sed -n 's/^lines-\([0-9]*\)-\([0-9]*\)\.csv$/\1 \2/p' | sort -n -k 2 | tail -n 1)
from=0
if [ -n "$last" ]; then
    from=${last#* }
    load "${last% *}" "$from"
fi

# Ids are given out before their transactions commit. The lock waits for those that are writing, so that
# no id up to the greatest one can appear later. Readers do not notice; writers wait a moment.
to=$(query "SET lock_timeout = '5s'; BEGIN; LOCK TABLE order_lines IN SHARE MODE;
    SELECT coalesce(max(id), 0) FROM order_lines; COMMIT")
[ "$to" -gt "$from" ] || exit 0

# Not piped into topsell: on a pipe, rows that are cut off look like all rows.
file=$WORK_DIR/lines-$from-$to.csv
query "COPY (
    SELECT sold_at AS ts, id AS event_id, sku AS item_id, department AS category, quantity, amount
    FROM order_lines WHERE id > $from AND id <= $to ORDER BY id
) TO STDOUT WITH (FORMAT csv, HEADER)" >"$WORK_DIR/lines.part"
sync "$WORK_DIR/lines.part"
mv "$WORK_DIR/lines.part" "$file"
sync "$WORK_DIR"

load "$from" "$to"
find "$WORK_DIR" -name 'lines-*.csv' ! -name "${file##*/}" -delete
