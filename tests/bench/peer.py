"""The same ranking by polars, as a peer to time topsell against.

    pip install -r requirements.txt
    python peer.py LOGS --out ranking.parquet             from the CSV files in LOGS
    python peer.py --rollups LAKE --out ranking.parquet   from the Delta table LAKE/rollups

Ranks the whole shop and every category over the 150 hours before 2024-01-07T06:00:00Z (or
`--as-of`), half-life 48 hours, top 100, without looking further back for small categories,
and writes the columns of a snapshot. Prints the seconds from start to written file, imports
left out, and the most memory used.

The work is laid out to suit polars: the streaming engine scans the logs once for doubled
event ids and once for sums by item and category field, and what is left is small. Timestamps
must look like 2024-01-01T00:00:00Z. Scores may differ from topsell's in the last digits, for
events are added up in whatever order threads meet them.
"""

import argparse
import resource
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import polars as pl

WINDOW = 150  # hours
HALF_LIFE = 48  # hours
TOP = 100
LOG_COLUMNS = {
    "ts": pl.String,
    "event_id": pl.String,
    "item_id": pl.String,
    "category": pl.String,
    "event_type": pl.String,
    "quantity": pl.Int64,
    "amount": pl.Decimal(18, 4),
}


def in_window(rows, as_of):
    """The purchases of the window's hours, with the weight of a unit."""
    age = int(as_of.timestamp()) // 3600 - 1 - pl.col("hour_number")
    # Whole halvings are exact, so that scores which should tie do.
    halvings, rest = age // HALF_LIFE, age % HALF_LIFE
    weight = pl.lit(2.0).pow(-rest / HALF_LIFE) * pl.lit(2.0).pow(-halvings)
    wanted = (pl.col("event_type") == "purchase") & age.is_between(0, WINDOW - 1)
    return rows.filter(wanted).with_columns(weight=weight)


def scan_logs(folder):
    moment = pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="ms")
    rows = pl.scan_csv(f"{folder}/purchases*.csv*", schema=LOG_COLUMNS)
    rows = rows.with_columns(
        hour_number=(moment.dt.epoch("ms") // 3_600_000).cast(pl.Int32),
        category=pl.col("category").fill_null(""),
    )
    return rows


def each_event_once(rows):
    """Leaves one of the rows that share an event id and an hour.

    Making all rows unique would hold every one of them in memory. Hashes show which few might
    be doubled, usually none, and only those are looked at in full.
    """
    mark = pl.struct("event_id", "hour_number").hash()
    has_id = pl.col("event_id").is_not_null()
    marks = rows.filter(has_id).select(mark.alias("mark")).collect(engine="streaming")
    marks = marks["mark"].sort()
    doubled = marks.filter(marks == marks.shift(1)).unique()
    if doubled.is_empty():
        return rows
    suspect = has_id & mark.is_in(doubled.implode())
    once = rows.filter(suspect).unique(["event_id", "hour_number"])
    return pl.concat([rows.filter(~suspect), once])


def sums_from_logs(folder, as_of):
    """Sums by item and category field; every one of them counts in the shop."""
    rows = each_event_once(in_window(scan_logs(folder), as_of))
    sums = rows.group_by("item_id", "category").agg(
        score=(pl.col("quantity") * pl.col("weight")).sum(),
        units=pl.col("quantity").sum(),
        purchases=pl.len().cast(pl.Int64),
        amount=pl.col("amount").sum(),
    )
    return sums.collect(engine="streaming").with_columns(in_shop=True)


def sums_from_rollups(lake, as_of):
    """The same by item and the paths below one top-level category.

    An event in several top-level categories is in the rollups once for each, and only its
    primary copy counts in the shop.
    """
    first_date = (as_of - timedelta(hours=WINDOW)).date()
    rows = pl.scan_delta(f"{lake}/rollups")
    # Partitions are told apart by date; the exact hours come next.
    rows = rows.filter(pl.col("date").is_between(first_date, as_of.date()))
    days = pl.col("date").dt.epoch("d")
    rows = rows.with_columns(
        hour_number=days * 24 + pl.col("hour"),
        category=pl.col("categories").list.join("|").fill_null(""),
        in_shop="is_primary",
    )
    sums = in_window(rows, as_of).group_by("item_id", "category", "in_shop")
    sums = sums.agg(
        score=(pl.col("units") * pl.col("weight")).sum(),
        units=pl.col("units").sum(),
        purchases=pl.col("purchases").sum(),
        amount=pl.col("amount").sum(),
    )
    return sums.collect(engine="streaming")


def nodes_of(fields):
    """Pairs of a category field and each node at or above one of its paths."""
    pairs = fields.filter(pl.col("category") != "").with_columns(
        path=pl.col("category").str.split("|")
    )
    pairs = pairs.explode("path")
    paths = pairs.select("path").unique()
    levels = paths["path"].str.split("/")
    deepest = levels.list.len().max() or 0
    nodes = pl.concat(
        paths.with_columns(node=levels.list.head(depth).list.join("/"))
        for depth in range(1, deepest + 1)
    )
    return pairs.join(nodes.unique(), on="path").select("category", "node").unique()


def rank(sums):
    """The top of every node and of the shop, where the node is null."""
    numbers = ["score", "units", "purchases", "amount"]
    # Grouping by small numbers is cheaper than by long texts.
    fields = sums.select("category").unique().with_row_index("field")
    nodes = nodes_of(fields.select("category"))
    names = nodes.select("node").unique().with_row_index("node_number")
    nodes = nodes.join(names, on="node").join(fields, on="category")
    sums = sums.join(fields, on="category")
    items = sums.select("item_id").unique().with_row_index("item")
    sums = sums.join(items, on="item_id").select("item", "field", "in_shop", *numbers)

    in_nodes = sums.lazy().join(nodes.lazy().select("field", "node_number"), on="field")
    in_shop = sums.lazy().filter("in_shop").with_columns(node_number=pl.lit(None, pl.UInt32))
    columns = ["node_number", "item", *numbers]
    scores = pl.concat([in_nodes.select(columns), in_shop.select(columns)])
    scores = scores.group_by("node_number", "item").agg(pl.col(numbers).sum())
    scores = scores.filter(pl.col("units") > 0, pl.col("score") > 0)
    # Sums taken in another order differ in the last digits, which should not part a tie.
    scores = scores.with_columns(key=pl.col("score").round_sig_figs(12)).collect()

    limits = scores.group_by("node_number").agg(
        limit=pl.col("key").top_k(TOP).min(), rankable=pl.len().cast(pl.Int64)
    )
    best = scores.join(limits, on="node_number", nulls_equal=True)
    best = best.filter(pl.col("key") >= pl.col("limit")).join(items, on="item")
    best = best.join(names, on="node_number", how="left")
    best = best.sort(
        ["node", "key", "units", "item_id"],
        descending=[False, True, True, False],
        nulls_last=False,
    )
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("node_number")
    return best.with_columns(rank=place).filter(pl.col("rank") <= TOP)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logs", nargs="?", type=Path)
    parser.add_argument("--rollups", metavar="LAKE")
    parser.add_argument("--as-of", default="2024-01-07T06:00:00Z")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if (args.logs is None) == (args.rollups is None):
        parser.error("give either LOGS or --rollups LAKE")

    start = time.perf_counter()
    as_of = datetime.fromisoformat(args.as_of).astimezone(timezone.utc)
    if args.rollups:
        sums = sums_from_rollups(args.rollups, as_of)
    else:
        sums = sums_from_logs(args.logs, as_of)
    ranking = rank(sums).select(
        pl.col("node").alias("category"),
        "rank",
        "item_id",
        "score",
        "units",
        "purchases",
        pl.col("amount").cast(pl.Decimal(38, 4)),
        window_from=pl.lit(as_of - timedelta(hours=WINDOW)).dt.cast_time_unit("us"),
        window_to=pl.lit(as_of).dt.cast_time_unit("us"),
        rankable="rankable",
    )
    ranking.write_parquet(args.out)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    nodes = ranking["category"].n_unique() - ranking["category"].is_null().any()
    print(f"{ranking.height} rows of {nodes} categories, {seconds:.2f} s, {memory} MiB at most")


if __name__ == "__main__":
    main()
