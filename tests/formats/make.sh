#!/bin/sh
# Makes the lake of a format: make.sh PROGRAM FOLDER
set -eu
program=$(realpath "$1")
mkdir "$2"
lake=$(realpath "$2")
work=$(mktemp -d)
cd "$work"
cat > monday.csv <<'CSV'
ts,event_id,item_id,category,quantity,amount
2017-01-13T10:05:00Z,a1,apple,Food/Fruit,3,4.50
2017-01-13T10:10:00Z,a2,pear,Food/Fruit,1,2.00
2017-01-13T10:20:00Z,a3,bread,Food/Bakery,2,6.00
2017-01-13T10:30:00Z,a4,ball,Toys,1,9.99
CSV
cat > tuesday.csv <<'CSV'
ts,event_id,item_id,category,quantity,amount
2017-01-14T09:05:00Z,b1,pear,Food/Fruit,5,10.00
2017-01-14T09:15:00Z,b2,ball,Toys,2,19.98
2017-01-14T09:25:00Z,b3,bread,Food/Bakery,-1,-3.00
2017-01-14T09:35:00Z,b4,,Food/Bakery,1,3.00
CSV
ln -s "$lake" lake
for day in 13:monday 14:tuesday; do
    date=2017-01-${day%%:*}
    run() { time=$1; shift; TOPSELL_NOW=${date}T$time:00Z TOPSELL_LAKE=lake "$program" "$@"; }
    # The second log has a line without an item.
    run 12:00 ingest "${day##*:}.csv" || [ $? = 4 ]
    run 12:01 rollup
    run 12:02 rank --window 48h --half-life 24h --min-items 1 --all-items
    run 12:03 lake compact
done
rm -r "$work"
