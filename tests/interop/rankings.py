"""Reads a lake's newest ranking with readers that are not ours and checks that they agree.

    pip install -r requirements.txt
    python rankings.py LAKE [--expect-rows N]

LAKE is the folder that holds `rankings`. The file is Parquet in some of its newer encodings, which
pyarrow, polars and duckdb decode each in its own way. Prints how many rows there are, or which
reader sees another column otherwise and exits 1.
"""

import argparse
import json
import sys
from pathlib import Path

import duckdb
import polars
import pyarrow.parquet


def read(file):
    """The rows by each reader, all in the types that pyarrow reads."""
    table = pyarrow.parquet.read_table(file)
    duckdb.sql("SET TimeZone = 'UTC'")
    others = {
        "polars": polars.read_parquet(file).to_arrow(),
        "duckdb": duckdb.sql(f"SELECT * FROM read_parquet('{file}')").to_arrow_table(),
    }
    return table, {name: other.cast(table.schema) for name, other in others.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake", type=Path)
    parser.add_argument("--expect-rows", type=int)
    args = parser.parse_args()

    rankings = args.lake / "rankings"
    file = rankings / json.loads((rankings / "current.json").read_text())["file"]
    table, others = read(file)
    problems = [
        f"{column}: {name} and pyarrow differ"
        for name, other in others.items()
        for column in table.column_names
        if not other[column].equals(table[column])
    ]
    if args.expect_rows is not None and table.num_rows != args.expect_rows:
        problems.append(f"{table.num_rows} rows, not {args.expect_rows}")
    for problem in problems:
        print(f"rankings: {file.name}: {problem}")
    if problems:
        sys.exit(1)
    print(f"rankings: {table.num_rows} rows, the same by pyarrow, {' and '.join(others)}")


if __name__ == "__main__":
    main()
