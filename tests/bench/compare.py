"""Holds the peers' results against topsell's, before any time is taken.

Rankings: the same items with the same units, scores within 1e-9 of one another; floating-point sums
depend on the order in which threads add, so items that close to the last one listed may stand in
for each other. Partitions: rows, paths, quantities and amounts of every category and hour.
"""

import json
from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow.compute
import pyarrow.parquet

CLOSE = 1e-9


class Different(Exception):
    """The first differences between two results."""


def lists(table, names):
    """Category (or None for the shop) -> item -> score and units."""
    columns = [table[name].to_pylist() for name in names]
    found = defaultdict(dict)
    for category, item, score, units in zip(*columns):
        found[category][item] = (score, units)
    return found


def of_peer(path):
    table = pyarrow.parquet.read_table(path)
    for name in ("leaf", "item_id"):
        # Some write text as bytes.
        table = table.set_column(
            table.schema.get_field_index(name), name, pyarrow.compute.cast(table[name], "string")
        )
    return lists(table, ["leaf", "item_id", "score", "units"])


def of_topsell(lake):
    rankings = Path(lake) / "rankings"
    snapshot = rankings / json.loads((rankings / "current.json").read_text())["file"]
    names = ["category", "item_id", "score", "units"]
    return lists(pyarrow.parquet.read_table(snapshot, columns=names), names)


def near(one, two):
    return abs(one - two) <= CLOSE * max(abs(one), abs(two))


def differences(name, ours, theirs):
    if len(ours) != len(theirs):
        yield f"{name}: {len(ours)} items, the peer lists {len(theirs)}"
    last = min(score for score, _ in theirs.values())
    for item in sorted(ours.keys() ^ theirs.keys()):
        score, _ = ours.get(item) or theirs[item]
        if not near(score, last):
            yield f"{name}: {item} only {'here' if item in ours else 'at the peer'}"
    for item in sorted(ours.keys() & theirs.keys()):
        (score, units), (their_score, their_units) = ours[item], theirs[item]
        if units != their_units or not near(score, their_score):
            yield f"{name}: {item} {score} {units}, at the peer {their_score} {their_units}"


def rankings(ours, theirs):
    """Holds the list of every leaf and of the shop together; returns how many there were."""
    parents = {path[:at] for path in ours if path for at, sign in enumerate(path) if sign == "/"}
    ours = {name: ranked for name, ranked in ours.items() if name not in parents}
    found = [f"{name}: not ranked by the peer" for name in ours.keys() - theirs.keys()]
    found += [f"{name}: ranked by the peer alone" for name in theirs.keys() - ours.keys()]
    for name in sorted(ours.keys() & theirs.keys(), key=str):
        found += differences(name or "the shop", ours[name], theirs[name])
    if found:
        raise Different("; ".join(found[:5]) + f" ({len(found)} in all)")
    return len(ours)


def partitions(folder):
    """Per category, date and hour: rows, paths, quantity and amount. Of a lake, category and hour are columns;
    the peers partition by them."""
    is_lake = any(Path(folder).glob("category_group=*"))
    files = "category_group=*/date=*" if is_lake else "category=*/date=*/hour=*"
    types = "{'date': DATE}" if is_lake else "{'category': VARCHAR, 'date': DATE, 'hour': INTEGER}"
    return (
        duckdb.connect()
        .execute(f"""
        SELECT category, date, "hour", count(*), sum(len(categories)), sum(quantity), sum(amount)::DECIMAL(38, 4)
        FROM read_parquet('{folder}/{files}/*.parquet',
            hive_partitioning = true, hive_types = {types})
        GROUP BY ALL ORDER BY ALL""")
        .fetchall()
    )


def units(path):
    """Per leaf and day: rows and units."""
    return (
        duckdb.connect()
        .execute(f"""
        SELECT leaf::VARCHAR, day, count(*), sum(units)::BIGINT FROM read_parquet('{path}')
        GROUP BY ALL ORDER BY ALL""")
        .fetchall()
    )


def same(ours, theirs):
    if ours != theirs:
        pairs = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
        raise Different(f"{len(ours)} and {len(theirs)} groups, first different: {pairs[:2]}")
    return len(ours)
