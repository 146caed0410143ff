"""Reads a lake's newest ranking with readers that are not ours and checks that they agree.

    pip install -r requirements.txt
    python rankings.py LAKE [--expect-rows N]

LAKE is the folder that holds `rankings`. The file is Parquet in some of its newer encodings, which
pyarrow, polars and duckdb decode each in its own way. The first example of the book's page on DuckDB
is run as it is printed there, and must find the best sellers of the shop. Prints how many rows there
are, or which reader sees another column otherwise and exits 1.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import duckdb
import polars
import pyarrow.compute
import pyarrow.parquet

PAGE = Path(__file__).parents[2] / "docs" / "src" / "data" / "duckdb.md"
# The lake of the examples.
LAKE_OF_PAGE = "data/lake"


def read(file):
    """The rows by each reader, all in the types that pyarrow reads."""
    table = pyarrow.parquet.read_table(file)
    duckdb.sql("SET TimeZone = 'UTC'")
    others = {
        "polars": polars.read_parquet(file).to_arrow(),
        "duckdb": duckdb.sql(f"SELECT * FROM read_parquet('{file}')").to_arrow_table(),
    }
    return table, {name: other.cast(table.schema) for name, other in others.items()}


def with_book_example(lake):
    """What the first example of the page prints, of this lake."""
    example = re.search(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    statements = duckdb.extract_statements(example.replace(LAKE_OF_PAGE, str(lake)))
    for statement in statements[:-1]:
        duckdb.execute(statement)
    return duckdb.sql(statements[-1].query).to_arrow_table()


def best_sellers(table, columns, limit):
    """The first ranks of the shop, read by pyarrow."""
    of_shop = table.filter(pyarrow.compute.is_null(table["category"]))
    return of_shop.sort_by("rank").select(columns).slice(0, limit)


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
    example = with_book_example(args.lake)
    expected = best_sellers(table, example.column_names, example.num_rows)
    if example.num_rows == 0 or not example.cast(expected.schema).equals(expected):
        problems.append(f"the example of {PAGE.name} does not print the best sellers")
    if args.expect_rows is not None and table.num_rows != args.expect_rows:
        problems.append(f"{table.num_rows} rows, not {args.expect_rows}")
    for problem in problems:
        print(f"rankings: {file.name}: {problem}")
    if problems:
        sys.exit(1)
    print(f"rankings: {table.num_rows} rows, the same by pyarrow, {' and '.join(others)}")
    print(f"rankings: the example of {PAGE.name} prints {example.num_rows} best sellers")


if __name__ == "__main__":
    main()
