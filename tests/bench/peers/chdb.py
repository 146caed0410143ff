"""chDB, which is ClickHouse in a library: a session, the file() table function with its columns
named, sums in a table of the Memory engine, `LIMIT n BY`."""

import tempfile
from pathlib import Path

from chdb import session

from peers import END, END_HOUR, HALF_LIFE_HOURS, MEMORY_GIB, START, TOP, WINDOW_HOURS

EVENTS = "ts DateTime64(6, ''UTC''), item_id String, categories Array(String), quantity Int64"
SUMS = "hour Int32, item_id String, categories Array(String), is_primary Bool, units Int64"
LOGS = "ts DateTime(''UTC''), item_id String, {}, quantity Int64, amount Decimal(18, 4)"
CSV = f"SELECT *, splitByChar('|', category) AS paths FROM file('{{}}', CSVWithNames, '{LOGS.format('category String')}')"
NDJSON = f"SELECT *, categories AS paths FROM file('{{}}', JSONEachRow, '{LOGS.format('categories Array(String)')}')"


def open_session():
    # In a folder that goes when it is closed.
    opened = session.Session(tempfile.mkdtemp(prefix="bench-chdb-"))
    opened.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
    return opened


def settings(**more):
    bytes_ = MEMORY_GIB << 30
    chosen = {
        "max_memory_usage": bytes_,
        "max_bytes_before_external_group_by": bytes_ // 2,
        "output_format_parquet_compression_method": "'zstd'",
        "date_time_input_format": "'best_effort'",
        **more,
    }
    return "SETTINGS " + ", ".join(f"{name} = {value}" for name, value in chosen.items())


def weight(hour):
    return f"exp2(({hour} - {END_HOUR - 1}) / {HALF_LIFE_HOURS}.)"


def partition(logs, out):
    partition_all(sorted(Path(logs).glob("*.csv")), CSV, out)


def ingest_ndjson(logs, out):
    partition_all(sorted(Path(logs).glob("*.ndjson")), NDJSON, out)


def partition_all(logs, read, out):
    # A file at a time: a writer stays open, with a megabyte of buffers, for every partition that
    # a statement writes.
    opened = open_session()
    for log in logs:
        opened.query(partition_one(read.format(log), out))


def partition_one(log, out):
    hive = "concat('category=', top, '/date=', toString(date), '/hour=', toString(hour))"
    return f"""
        INSERT INTO FUNCTION file('{out}/{{_partition_id}}/data.parquet', Parquet,
            'ts DateTime64(6, ''UTC''), item_id String, categories Array(String), quantity Int64,
             amount Decimal(18, 4), top String, date Date, hour UInt8')
        PARTITION BY {hive}
        SELECT ts, item_id, arrayFilter(p -> splitByChar('/', p)[1] = top, paths), quantity, amount,
            arrayJoin(arrayDistinct(arrayMap(p -> splitByChar('/', p)[1], paths))) AS top,
            toDate(ts), toHour(ts)
        FROM (
            {log}
        )
        {settings(max_partitions_per_insert_block=0, engine_file_truncate_on_insert=1)}"""


def rank(sums, out):
    """Ranks sums by item_id, paths (joined by |) and in_shop."""
    opened = open_session()
    opened.query(f"CREATE TABLE bench.sums ENGINE = Memory AS {sums} {settings()}")
    columns = "item_id, sum(score) AS total, sum(units) AS sold"
    positive = "HAVING total > 0 AND sold > 0"
    order = "total DESC, sold DESC, item_id"
    opened.query(f"""
        SELECT leaf, item_id, total AS score, sold AS units FROM (
            SELECT toNullable(arrayJoin(splitByChar('|', paths))) AS leaf, {columns}
            FROM bench.sums GROUP BY leaf, item_id {positive}
            ORDER BY leaf, {order} LIMIT {TOP} BY leaf
            UNION ALL
            SELECT NULL, {columns} FROM bench.sums WHERE in_shop GROUP BY item_id {positive}
            ORDER BY {order} LIMIT {TOP}
        )
        INTO OUTFILE '{out}' FORMAT Parquet {settings()}""")


def rank_raw(hourly, out):
    hour = "intDiv(toUnixTimestamp(ts), 3600)"
    rank(
        f"""SELECT item_id, arrayStringConcat(categories, '|') AS paths, true AS in_shop,
            sum(quantity * {weight(hour)}) AS score, sum(quantity) AS units
        FROM file('{hourly}/*.parquet', Parquet, '{EVENTS}')
        WHERE ts >= toDateTime64('{START}', 6, 'UTC') AND ts < toDateTime64('{END}', 6, 'UTC')
        GROUP BY item_id, paths""",
        out,
    )


def rank_rollups(lake, out):
    rank(
        f"""SELECT item_id, arrayStringConcat(categories, '|') AS paths, is_primary AS in_shop,
            sum(sold * {weight("number")}) AS score, sum(sold) AS units
        FROM (
            SELECT item_id, categories, is_primary, units AS sold,
                toUInt32(toDate(extract(_path, 'date=([0-9-]+)'))) * 24 + hour AS number
            FROM file('{lake}/rollups/event_type=purchase/*/*/*.parquet', Parquet, '{SUMS}')
        )
        WHERE number < {END_HOUR} AND number >= {END_HOUR - WINDOW_HOURS}
        GROUP BY item_id, paths, in_shop""",
        out,
    )


def units(hourly, out):
    open_session().query(f"""
        SELECT arrayJoin(splitByChar('|', paths)) AS leaf, item_id, day, sum(sold) AS units
        FROM (
            SELECT item_id, arrayStringConcat(categories, '|') AS paths,
                toInt32(intDiv(toUnixTimestamp(ts), 86400)) AS day, sum(quantity) AS sold
            FROM file('{hourly}/*.parquet', Parquet, '{EVENTS}') GROUP BY item_id, paths, day
        )
        GROUP BY leaf, item_id, day
        INTO OUTFILE '{out}' FORMAT Parquet {settings()}""")
