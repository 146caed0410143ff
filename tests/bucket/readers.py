"""Reads the aggregates of a lake in a bucket with DuckDB and chDB, and compares their sums with those of deltalake.

    readers.py s3://BUCKET/PREFIX

For every event type and category the purchases, units and amounts must be equal; the bucket is that of the AWS_*
variables. DuckDB's extensions are those of the Python packages beside it, so that nothing is loaded from elsewhere.
"""

import csv
import io
import os
import pathlib
import sys
from decimal import Decimal

import chdb
import duckdb
import duckdb_ext
from deltalake import DeltaTable

KEYS = ["event_type", "category"]
SUMS = ["purchases", "units", "amount"]


def with_deltalake(lake):
    options = {"AWS_ALLOW_HTTP": "true"}
    rows = DeltaTable(f"{lake}/rollups", storage_options=options).to_pyarrow_table()
    rows = rows.group_by(KEYS).aggregate([(column, "sum") for column in SUMS]).to_pylist()
    return {tuple(row[key] for key in KEYS): tuple(row[f"{column}_sum"] for column in SUMS) for row in rows}


def question(table):
    sums = ", ".join(f"sum({column})" for column in SUMS)
    return f"SELECT {', '.join(KEYS)}, {sums} FROM {table} GROUP BY {', '.join(KEYS)}"


def with_duckdb(lake):
    folder = pathlib.Path(list(duckdb_ext.__path__)[0]) / "extensions"
    settings = {"extension_directory": str(folder), "autoinstall_known_extensions": "false"}
    connection = duckdb.connect(config=settings)
    for extension in ("httpfs", "delta"):
        connection.execute(f"LOAD {extension}")
    endpoint = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', ENDPOINT '{endpoint}', REGION 'us-east-1', "
        "URL_STYLE 'path', USE_SSL false)"
    )
    rows = connection.execute(question(f"delta_scan('{lake}/rollups')")).fetchall()
    return {row[:2]: row[2:] for row in rows}


def with_chdb(lake):
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    url = f"{os.environ['AWS_ENDPOINT_URL']}/{lake.removeprefix('s3://')}/rollups/"
    text = str(chdb.query(question(f"deltaLake('{url}', '{key}', '{secret}')"), "CSV"))
    return {tuple(row[:2]): (int(row[2]), Decimal(row[3]), Decimal(row[4])) for row in csv.reader(io.StringIO(text))}


def main():
    lake = sys.argv[1]
    expected = {tuple(key or "" for key in keys): sums for keys, sums in with_deltalake(lake).items()}
    for name, read in (("DuckDB", with_duckdb), ("chDB", with_chdb)):
        found = {tuple("" if key in (None, "\\N") else key for key in keys): sums for keys, sums in read(lake).items()}
        if found != expected:
            differing = [keys for keys in expected.keys() | found.keys() if expected.get(keys) != found.get(keys)]
            sys.exit(f"readers: {name} reads other numbers of {differing[:3]}")
    print(f"readers: {len(expected)} categories, the same by DuckDB and chDB")


main()
