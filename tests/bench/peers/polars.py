"""Polars: lazy queries on the streaming engine; the sums are held once, for both rankings read
them, and the hundredth score of each leaf cuts off the rest before anything is sorted."""

import os
from datetime import datetime, timezone
from pathlib import Path

import polars as pl

from peers import END, END_HOUR, HALF_LIFE_HOURS, START, TOP

MICROSECONDS = 3_600_000_000
ORDER = ["score", "units", "item_id"]
DESCENDING = [True, True, False]


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def weight(hour):
    return pl.lit(2.0).pow((hour - (END_HOUR - 1)) / HALF_LIFE_HOURS)


def partition(logs, out):
    partition_all(sorted(Path(logs).glob("*.csv")), csv_rows, out)


def ingest_ndjson(logs, out):
    partition_all(sorted(Path(logs).glob("*.ndjson")), ndjson_rows, out)


def partition_all(logs, read, out):
    # A log for each processor at a time takes two thirds of the CPU of all at once, and a tenth of
    # the memory.
    step = os.cpu_count()
    for start in range(0, len(logs), step):
        sinks = [sink(read(log), out) for log in logs[start : start + step]]
        pl.collect_all(sinks, engine="streaming")


def csv_rows(log):
    schema = {
        "ts": pl.String,
        "item_id": pl.String,
        "category": pl.String,
        "quantity": pl.Int64,
        "amount": pl.Decimal(18, 4),
    }
    return pl.scan_csv(log, schema=schema).with_columns(categories=pl.col("category").str.split("|"))


def ndjson_rows(log):
    schema = {
        "ts": pl.String,
        "item_id": pl.String,
        "categories": pl.List(pl.String),
        "quantity": pl.Int64,
        # Numbers cannot be read as decimals directly.
        "amount": pl.Float64,
    }
    return pl.scan_ndjson(log, schema=schema).with_columns(pl.col("amount").cast(pl.Decimal(18, 4)))


def sink(rows, out):
    ts = pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    rows = rows.with_columns(ts=ts)
    top = pl.col("categories").str.split("/").list.first()
    # An event in one path needs no regrouping; of the others an event's number brings its paths
    # together again, below each top-level category.
    one = pl.col("categories").list.len() == 1
    path = pl.col("categories").list.first()
    single = rows.filter(one).with_columns(category=path.str.split("/").list.first())
    several = (
        rows.filter(~one)
        .with_row_index("event")
        .explode("categories")
        .with_columns(category=top)
        .group_by("event", "category")
        .agg(pl.col("ts", "item_id", "quantity", "amount").first(), "categories")
    )
    columns = ["ts", "item_id", "categories", "quantity", "amount", "category"]
    copies = pl.concat([single.select(columns), several.select(columns)])
    copies = copies.with_columns(date=pl.col("ts").dt.date(), hour=pl.col("ts").dt.hour())
    target = pl.PartitionBy(out, key=["category", "date", "hour"], include_key=False)
    return copies.sink_parquet(target, compression="zstd", mkdir=True, maintain_order=False, lazy=True)


def rank(sums, out):
    """Ranks lazy sums by item_id, categories and in_shop."""
    sums = sums.collect(engine="streaming").lazy()
    added = [pl.col("score").sum(), pl.col("units").sum()]
    positive = (pl.col("score") > 0) & (pl.col("units") > 0)
    columns = ["leaf", "item_id", "score", "units"]

    leaves = sums.select("item_id", "score", "units", leaf="categories").explode("leaf")
    leaves = leaves.group_by("leaf", "item_id").agg(added).filter(positive)
    cuts = leaves.group_by("leaf").agg(cut=pl.col("score").top_k(TOP).min())
    leaves = leaves.join(cuts, on="leaf").filter(pl.col("score") >= pl.col("cut"))
    leaves = leaves.sort(["leaf", *ORDER], descending=[False, *DESCENDING])
    leaves = leaves.group_by("leaf", maintain_order=True).head(TOP)

    shop = sums.filter("in_shop").group_by("item_id").agg(added).filter(positive)
    shop = shop.top_k(TOP, by=ORDER, reverse=[not descending for descending in DESCENDING])
    shop = shop.with_columns(leaf=pl.lit(None, pl.String))
    pl.concat([leaves.select(columns), shop.select(columns)]).sink_parquet(out, engine="streaming")


def rank_raw(hourly, out):
    hour = pl.col("ts").dt.epoch("us") // MICROSECONDS
    events = pl.scan_parquet(f"{hourly}/*.parquet")
    events = events.filter(pl.col("ts").is_between(moment(START), moment(END), closed="left"))
    sums = events.group_by("item_id", "categories").agg(
        score=(pl.col("quantity") * weight(hour)).sum(), units=pl.col("quantity").sum()
    )
    rank(sums.with_columns(in_shop=True), out)


def rank_rollups(lake, out):
    hour = pl.col("date").dt.epoch("d") * 24 + pl.col("hour")
    rows = pl.scan_parquet(f"{lake}/rollups/event_type=purchase/*/*/*.parquet", hive_partitioning=True)
    rows = rows.filter(pl.col("date") >= moment(START).date(), hour < END_HOUR)
    sums = rows.group_by("item_id", "categories", in_shop="is_primary").agg(
        score=(pl.col("units") * weight(hour)).sum(), units=pl.col("units").sum()
    )
    rank(sums, out)


def units(hourly, out):
    day = (pl.col("ts").dt.epoch("us") // (24 * MICROSECONDS)).cast(pl.Int32)
    rows = pl.scan_parquet(f"{hourly}/*.parquet")
    rows = rows.group_by("item_id", "categories", day=day).agg(units=pl.col("quantity").sum())
    rows = rows.select("item_id", "day", "units", leaf="categories").explode("leaf")
    rows = rows.group_by("leaf", "item_id", "day").agg(pl.col("units").sum())
    rows.sink_parquet(out, engine="streaming")
