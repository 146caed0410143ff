"""The whole ranking of the sample purchase logs, worked out without topsell.

Everything here follows the written definitions (windows, decay, look-back, category
nodes) in the plainest way, so that topsell's answer can be held against a second one.
Only the standard library is used; `--compare` alone needs pyarrow, to read Parquet.

    python3 figures.py --out ranking.csv        every row, as CSV
    python3 figures.py --summary expected.csv   the small committed file
    python3 figures.py --compare SNAPSHOT       a snapshot's .parquet, or current.json

`--data DIR` names another folder of purchases*.csv or purchases*.csv.gz files, `--as-of`
another (whole) hour. `--compare` exits 1 at any difference.

The ranking CSV has the columns
    category,rank,item_id,score,units,purchases,amount,window_from,window_to,eligible_items
with an empty category for the whole shop, scores as Python's repr() gives them, and at
most 100 rows a category.

expected.csv is a part of that, in one layout with two kinds of line:
    rank 0     one for the shop and every category node: category, rank, window_hours and
               eligible_items are filled in
    rank 1...  the shop's top 100 and the top 10 of every top-level category: all columns
               but those two, which stand in the category's rank 0 line
To stay small it gives the length of the window in hours for its two ends: window_to is
as_of in every line, and window_from is that many hours earlier. Lines are sorted as the
ranking is, by category (the shop first, then byte order) and rank.
"""

import argparse
import csv
import functools
import gzip
import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

WINDOW = 150  # hours
HALF_LIFE = 48  # hours
TOP = 100
MIN_ITEMS = 10
MAX_LOOKBACK = 365 * 24  # hours
SHOP = ""
COLUMNS = [
    "category", "rank", "item_id", "score", "units",
    "purchases", "amount", "window_from", "window_to", "eligible_items",
]  # fmt: skip


def read_events(folder):
    """Yields (hour, item, category field, quantity, amount), each event once an hour.

    Lines of one id and item are one event, a sale and a return each."""
    seen = set()
    for path in sorted(folder.glob("purchases*.csv*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if row["event_type"] != "purchase":
                    continue
                hour = int(datetime.fromisoformat(row["ts"]).timestamp()) // 3600
                if row["event_id"]:
                    is_return = int(row["quantity"]) < 0
                    event = (hour, row["event_id"], row["item_id"], is_return)
                    if event in seen:
                        continue
                    seen.add(event)
                # The tables keep four decimals. The sample has two at most, so that this
                # rounds nothing there; the full year has amounts such as 1.776357e-15.
                amount = Decimal(row["amount"] or 0).quantize(Decimal("0.0001"), ROUND_HALF_UP)
                yield hour, row["item_id"], row["category"], int(row["quantity"]), amount


def nodes_of(field):
    """The shop and every node at or above one of the field's paths, each once."""
    nodes = {SHOP}
    for path in filter(None, field.split("|")):
        levels = path.split("/")
        nodes.update("/".join(levels[: n + 1]) for n in range(len(levels)))
    return nodes


def gather(events, as_of_hour):
    """node -> item -> age in hours -> [units, purchases, amount]"""
    cells = defaultdict(lambda: defaultdict(dict))
    for hour, item, field, quantity, amount in events:
        age = as_of_hour - 1 - hour
        if not 0 <= age < MAX_LOOKBACK:
            continue
        for node in nodes_of(field):
            cell = cells[node][item].setdefault(age, [0, 0, Decimal(0)])
            cell[0] += quantity
            cell[1] += 1
            cell[2] += amount
    return cells


@functools.cache
def weight(hour):
    """2^(hour / HALF_LIFE) as mantissa and exponent: floor(hour / HALF_LIFE), and the integer nearest to
    2^52 times the rest's power, from 80 digits."""
    exponent, rest = divmod(hour, HALF_LIFE)
    with localcontext() as context:
        context.prec = 80
        mantissa = Decimal(2) ** (Decimal(rest) / HALF_LIFE) * 2**52
        return int(mantissa.to_integral_value(ROUND_HALF_EVEN)), exponent


def rank_within(items, window, as_of_hour):
    """The eligible items of one node over one window, best first."""
    newest, oldest = as_of_hour - 1, as_of_hour - window

    def scaled(hour):
        mantissa, exponent = weight(hour)
        return mantissa << (exponent - weight(oldest)[1])

    ranked = []
    for item, ages in items.items():
        inside = [(age, cell) for age, cell in ages.items() if age < window]
        units = sum(cell[0] for _, cell in inside)
        score = sum(cell[0] * scaled(newest - age) for age, cell in inside)
        if units > 0 and score > 0:
            purchases = sum(cell[1] for _, cell in inside)
            amount = sum((cell[2] for _, cell in inside), Decimal(0))
            ranked.append((item, score, units, purchases, amount))
    ranked.sort(key=lambda row: (-row[1], -row[2], row[0].encode()))
    # Python divides integers with one rounding, half to even.
    unit = scaled(newest)
    return [(item, score / unit, *rest) for item, score, *rest in ranked]


def ranking(cells, as_of):
    """All rows of the ranking, in order, each a dict of COLUMNS."""
    as_of_hour = int(as_of.timestamp()) // 3600
    rows = []
    for node in sorted(cells, key=str.encode):
        window = WINDOW
        ranked = rank_within(cells[node], window, as_of_hour)
        while len(ranked) < MIN_ITEMS and window < MAX_LOOKBACK:
            window = min(window * 2, MAX_LOOKBACK)
            ranked = rank_within(cells[node], window, as_of_hour)
        for rank, values in enumerate(ranked[:TOP], 1):
            span = (as_of - timedelta(hours=window), as_of, len(ranked))
            rows.append(dict(zip(COLUMNS, (node, rank, *values, *span))))
    return rows


def as_text(row):
    """A row as the CSV files write it."""
    row = dict(row)
    for name in ("window_from", "window_to"):
        if name in row:
            row[name] = row[name].strftime("%Y-%m-%dT%H:%M:%SZ")
    if "score" in row:
        row["score"] = repr(row["score"])
    return row


def write(path, columns, rows):
    with open(path, "w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(as_text(row) for row in rows)


def summary(rows):
    """The lines of the committed file; see the top of this one."""
    lines = []
    for row in rows:
        node = row["category"]
        if row["rank"] == 1:
            hours = (row["window_to"] - row["window_from"]) // timedelta(hours=1)
            lines.append(
                {"category": node, "rank": 0, "window_hours": hours, "eligible_items": row["eligible_items"]}
            )
        if row["rank"] <= (100 if node == SHOP else 10 if "/" not in node else 0):
            lines.append({name: row[name] for name in COLUMNS[:7]})
    return lines


def read_snapshot(path):
    # Parquet is beyond the standard library; nothing else in this file needs pyarrow.
    import pyarrow.parquet

    if path.suffix == ".json":
        path = path.parent / json.loads(path.read_text())["file"]
    rows = pyarrow.parquet.read_table(path).select(COLUMNS).to_pylist()
    return [{**row, "category": row["category"] or SHOP} for row in rows]


def compare(rows, snapshot):
    """Prints what agrees and the first differences; True when nothing differs."""
    ours = {(row["category"], row["rank"]): row for row in rows}
    theirs = {(row["category"], row["rank"]): row for row in snapshot}
    differences, bad_categories = [], set()
    if len(theirs) != len(snapshot):
        differences.append("the snapshot has two rows of one category and rank")
    in_order = sorted(theirs, key=lambda key: (key[0].encode(), key[1]))
    if list(theirs) != in_order:
        differences.append("the snapshot is not sorted by category and rank")
    agreeing = 0
    for key in sorted(ours.keys() | theirs.keys()):
        where = f"{key[0] or 'the shop'}, rank {key[1]}"
        mine, other = ours.get(key), theirs.get(key)
        if mine is None or other is None:
            found = [f"{where}: only in the {'snapshot' if mine is None else 'figures'}"]
        else:
            found = [
                f"{where}: {name} is {other[name]}, figures say {mine[name]}"
                for name in COLUMNS
                if mine[name] != other[name]
            ]
        agreeing += not found
        if found:
            bad_categories.add(key[0])
            differences += found
    categories = {key[0] for key in ours.keys() | theirs.keys()}
    print(f"{len(categories) - len(bad_categories)} of {len(categories)} categories agree")
    print(f"{agreeing} of {len(ours.keys() | theirs.keys())} rows agree")
    for difference in differences[:20]:
        print(difference)
    if len(differences) > 20:
        print(f"... and {len(differences) - 20} more")
    return not differences


def main():
    sample = Path(__file__).resolve().parents[2] / "data" / "complete-journey"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=sample)
    parser.add_argument("--as-of", default="2017-01-15T00:00:00Z")
    parser.add_argument("--out", type=Path, help="write the whole ranking here")
    parser.add_argument("--summary", type=Path, help="write the small expected file here")
    parser.add_argument("--compare", type=Path, help="a snapshot to hold the ranking against")
    args = parser.parse_args()

    as_of = datetime.fromisoformat(args.as_of).astimezone(timezone.utc)
    cells = gather(read_events(args.data), int(as_of.timestamp()) // 3600)
    rows = ranking(cells, as_of)
    nodes = {row["category"]: row["window_from"] for row in rows}
    base = as_of - timedelta(hours=WINDOW)
    print(
        f"{len(nodes) - (SHOP in nodes)} category nodes and {len(rows)} rows,",
        f"{sum(start < base for start in nodes.values())} of the nodes looked further back",
    )
    if args.out:
        write(args.out, COLUMNS, rows)
    if args.summary:
        write(args.summary, [*COLUMNS[:7], "window_hours", "eligible_items"], summary(rows))
    if args.compare and not compare(rows, read_snapshot(args.compare)):
        sys.exit(1)


if __name__ == "__main__":
    main()
