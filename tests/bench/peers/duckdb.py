"""DuckDB: `min(struct, n)` in the place of a window function, constants as doubles, insertion
order given up, sums held in a temporary result that both rankings read."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from peers import END, END_HOUR, HALF_LIFE_HOURS, MEMORY_GIB, START, TOP


def connect():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET memory_limit = '{MEMORY_GIB}GiB'")
    return connection


def weight(hour):
    return f"pow(2.0::DOUBLE, ({hour} - {END_HOUR - 1}) / {HALF_LIFE_HOURS}.0::DOUBLE)"


CSV = """(
    SELECT *, string_split(category, '|') AS paths
    FROM read_csv('{}', header = true, auto_detect = false, delim = ',',
        timestampformat = '%Y-%m-%dT%H:%M:%SZ', columns = {{'ts': 'TIMESTAMP', 'item_id': 'VARCHAR',
        'category': 'VARCHAR', 'quantity': 'BIGINT', 'amount': 'DECIMAL(18,4)'}}))"""
NDJSON = """(
    SELECT *, categories AS paths
    FROM read_json('{}', format = 'newline_delimited', auto_detect = false,
        timestampformat = '%Y-%m-%dT%H:%M:%SZ', columns = {{'ts': 'TIMESTAMP', 'item_id': 'VARCHAR',
        'categories': 'VARCHAR[]', 'quantity': 'BIGINT', 'amount': 'DECIMAL(18,4)'}}))"""


def partition(logs, out):
    partition_all(sorted(Path(logs).glob("*.csv")), CSV, out)


def ingest_ndjson(logs, out):
    partition_all(sorted(Path(logs).glob("*.ndjson")), NDJSON, out)


def partition_all(logs, read, out):
    # A log for each processor at a time: all at once keeps some rows of every partition in memory
    # for long, and one at a time leaves a processor idle.
    connection = connect()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda log: partition_one(connection.cursor(), read.format(log), out), logs))


def partition_one(connection, log, out):
    connection.execute(f"""
        COPY (
            SELECT ts, item_id, list_filter(paths, lambda p: split_part(p, '/', 1) = top) AS categories,
                quantity, amount, top AS category, ts::DATE AS date, hour(ts) AS "hour"
            FROM (
                SELECT *, unnest(list_distinct(tops)) AS top FROM (
                    SELECT *, list_transform(paths, lambda p: split_part(p, '/', 1)) AS tops FROM {log}
                )
            )
        ) TO '{out}' (FORMAT parquet, COMPRESSION zstd, APPEND, PARTITION_BY (category, date, "hour"))""")


def rank(sums, out):
    """Ranks sums by item_id, paths (joined by |) and in_shop."""
    positive = "HAVING sum(score) > 0 AND sum(units) > 0"
    best = f"unnest(min(struct_pack(s := -score, u := -units, i := item_id), {TOP})) AS row"
    connect().execute(f"""
        COPY (
            WITH sums AS MATERIALIZED ({sums}),
            in_leaves AS (
                SELECT leaf, item_id, sum(score) AS score, sum(units)::BIGINT AS units
                FROM (SELECT unnest(string_split(paths, '|')) AS leaf, item_id, score, units FROM sums)
                GROUP BY leaf, item_id {positive}
            ),
            in_shop AS (
                SELECT item_id, sum(score) AS score, sum(units)::BIGINT AS units
                FROM sums WHERE in_shop GROUP BY item_id {positive}
            )
            SELECT leaf, row.i AS item_id, -row.s AS score, -row.u AS units FROM (
                SELECT leaf, {best} FROM in_leaves GROUP BY leaf
                UNION ALL SELECT NULL, {best} FROM in_shop
            )
        ) TO '{out}' (FORMAT parquet)""")


def rank_raw(hourly, out):
    rank(
        f"""SELECT item_id, array_to_string(categories, '|') AS paths, true AS in_shop,
            sum(quantity * {weight("epoch_us(ts) // 3600000000")}) AS score, sum(quantity) AS units
        FROM read_parquet('{hourly}/*.parquet')
        WHERE ts >= TIMESTAMPTZ '{START}+00' AND ts < TIMESTAMPTZ '{END}+00'
        GROUP BY item_id, paths""",
        out,
    )


def rank_rollups(lake, out):
    hour = "date_diff('day', DATE '1970-01-01', date) * 24 + hour"
    files = f"{lake}/rollups/event_type=purchase/*/*/*.parquet"
    rank(
        f"""SELECT item_id, array_to_string(categories, '|') AS paths, is_primary AS in_shop,
            sum(units * {weight("hour_number")}) AS score, sum(units) AS units
        FROM (
            SELECT *, {hour} AS hour_number
            FROM read_parquet('{files}', hive_partitioning = true, hive_types = {{'date': DATE}})
        )
        WHERE hour_number < {END_HOUR} AND date >= DATE '{START[:10]}'
        GROUP BY item_id, paths, in_shop""",
        out,
    )


def units(hourly, out):
    connect().execute(f"""
        COPY (
            SELECT leaf, item_id, day, sum(units)::BIGINT AS units
            FROM (
                SELECT unnest(string_split(paths, '|')) AS leaf, item_id, day, units
                FROM (
                    SELECT item_id, array_to_string(categories, '|') AS paths,
                        (epoch_us(ts) // 86400000000)::INTEGER AS day, sum(quantity) AS units
                    FROM read_parquet('{hourly}/*.parquet') GROUP BY item_id, paths, day
                )
            )
            GROUP BY leaf, item_id, day
        ) TO '{out}' (FORMAT parquet)""")
