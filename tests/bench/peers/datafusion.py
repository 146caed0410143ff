"""DataFusion: as many partitions as processors, a pool that spills, the sums held in memory for
both rankings, `row_number` for the best of each leaf."""

import os
from pathlib import Path

import datafusion

from peers import END, END_HOUR, HALF_LIFE_HOURS, MEMORY_GIB, START, TOP


def connect():
    config = datafusion.SessionConfig().with_target_partitions(os.cpu_count())
    runtime = datafusion.RuntimeEnvBuilder().with_disk_manager_os()
    return datafusion.SessionContext(config, runtime.with_fair_spill_pool(MEMORY_GIB << 30))


def weight(hour):
    return f"power(2.0, arrow_cast({hour} - {END_HOUR - 1}, 'Float64') / {HALF_LIFE_HOURS}.0)"


def do(context, sql):
    context.sql(sql).collect()


CSV = """CREATE EXTERNAL TABLE log (ts TIMESTAMP, item_id VARCHAR, category VARCHAR,
        quantity BIGINT, amount DECIMAL(18, 4))
    STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')"""
NDJSON = """CREATE EXTERNAL TABLE log_lists (ts TIMESTAMP, item_id VARCHAR, categories VARCHAR[],
        quantity BIGINT, amount DECIMAL(18, 4))
    STORED AS JSON LOCATION '{}'"""
# An array cannot be looked into as quickly as a text.
NDJSON_AS_CSV = """CREATE VIEW log AS
    SELECT ts, item_id, array_to_string(categories, '|') AS category, quantity, amount FROM log_lists"""


def partition(logs, out):
    partition_all(sorted(Path(logs).glob("*.csv")), [CSV], out)


def ingest_ndjson(logs, out):
    partition_all(sorted(Path(logs).glob("*.ndjson")), [NDJSON, NDJSON_AS_CSV], out)


def partition_all(logs, tables, out):
    # A file at a time: a writer stays open, with a buffer of more than a megabyte, for every
    # partition that a statement writes.
    for log in logs:
        partition_one([table.format(log) for table in tables], out)


def partition_one(tables, out):
    context = connect()
    for table in tables:
        do(context, table)
    # No function filters an array by a condition: the paths are unnested and gathered again,
    # but only those of events that are in several.
    do(
        context,
        f"""COPY (
            SELECT ts, item_id, [category] AS categories, quantity, amount,
                split_part(category, '/', 1) AS category, CAST(CAST(ts AS DATE) AS VARCHAR) AS date,
                CAST(date_part('hour', ts) AS VARCHAR) AS hour
            FROM log WHERE strpos(category, '|') = 0
            UNION ALL
            SELECT first_value(ts), first_value(item_id), array_agg(path), first_value(quantity),
                first_value(amount), top_level,
                CAST(CAST(first_value(ts) AS DATE) AS VARCHAR),
                CAST(date_part('hour', first_value(ts)) AS VARCHAR)
            FROM (
                SELECT *, split_part(path, '/', 1) AS top_level FROM (
                    SELECT event, ts, item_id, quantity, amount,
                        unnest(string_to_array(category, '|')) AS path
                    FROM (SELECT *, row_number() OVER () AS event FROM log WHERE strpos(category, '|') > 0)
                )
            )
            GROUP BY event, top_level
        ) TO '{out}/' STORED AS PARQUET PARTITIONED BY (category, date, hour)
        OPTIONS ('format.compression' 'zstd(3)')""",
    )


def rank(context, sums, out):
    """Ranks sums by item_id, paths (joined by |) and in_shop."""
    context.register_view("sums", context.sql(sums).cache())
    positive = "HAVING sum(score) > 0 AND sum(units) > 0"
    order = "score DESC, units DESC, item_id"
    do(
        context,
        f"""COPY (
            WITH in_leaves AS (
                SELECT leaf, item_id, sum(score) AS score, sum(units) AS units
                FROM (SELECT unnest(string_to_array(paths, '|')) AS leaf, item_id, score, units FROM sums)
                GROUP BY leaf, item_id {positive}
            ),
            in_shop AS (
                SELECT item_id, sum(score) AS score, sum(units) AS units
                FROM sums WHERE in_shop GROUP BY item_id {positive}
                ORDER BY {order} LIMIT {TOP}
            )
            SELECT leaf, item_id, score, units FROM (
                SELECT *, row_number() OVER (PARTITION BY leaf ORDER BY {order}) AS place FROM in_leaves
            ) WHERE place <= {TOP}
            UNION ALL SELECT NULL, item_id, score, units FROM in_shop
        ) TO '{out}' STORED AS PARQUET""",
    )


def rank_raw(hourly, out):
    context = connect()
    context.register_parquet("events", f"{hourly}/")
    rank(
        context,
        f"""SELECT item_id, array_to_string(categories, '|') AS paths, true AS in_shop,
            sum(quantity * {weight("arrow_cast(ts, 'Int64') / 3600000000")}) AS score,
            sum(quantity) AS units
        FROM events WHERE ts >= TIMESTAMP '{START}Z' AND ts < TIMESTAMP '{END}Z'
        GROUP BY item_id, array_to_string(categories, '|')""",
        out,
    )


def rank_rollups(lake, out):
    context = connect()
    do(
        context,
        f"""CREATE EXTERNAL TABLE rollups STORED AS PARQUET PARTITIONED BY (category, date)
        LOCATION '{lake}/rollups/event_type=purchase/'""",
    )
    hour = "CAST(arrow_cast(CAST(date AS DATE), 'Int32') AS BIGINT) * 24 + hour"
    rank(
        context,
        f"""SELECT item_id, array_to_string(categories, '|') AS paths, is_primary AS in_shop,
            sum(units * {weight(hour)}) AS score, sum(units) AS units
        FROM rollups WHERE {hour} < {END_HOUR} AND CAST(date AS DATE) >= DATE '{START[:10]}'
        GROUP BY item_id, array_to_string(categories, '|'), is_primary""",
        out,
    )


def units(hourly, out):
    context = connect()
    context.register_parquet("events", f"{hourly}/")
    do(
        context,
        f"""COPY (
            SELECT leaf, item_id, day, sum(units) AS units FROM (
                SELECT unnest(string_to_array(paths, '|')) AS leaf, item_id, day, units FROM (
                    SELECT item_id, array_to_string(categories, '|') AS paths,
                        arrow_cast(arrow_cast(ts, 'Int64') / 86400000000, 'Int32') AS day,
                        sum(quantity) AS units
                    FROM events GROUP BY 1, 2, 3
                )
            ) GROUP BY leaf, item_id, day
        ) TO '{out}' STORED AS PARQUET""",
    )
