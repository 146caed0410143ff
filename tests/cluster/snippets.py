"""Runs the queries of the page on SQL with DuckDB, chDB, Polars and Spark, which must give the same answers.

    snippets.py PAGE LAKE PLAN

A query is a code block that begins with a comment of its engine and name. The catalogue is made here, from the items.
"""

import csv
import json
import pathlib
import re
import sys
import tempfile
from datetime import date
from decimal import Decimal

BLOCK = re.compile(r"^```(?:sql|python)\n(?:--|#) (\w+): (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUESTIONS = ["top", "days", "names"]


def plain(rows):
    """Rows with what looks like a number as a decimal, whatever types an engine has; a CSV file has texts only."""
    def value(of):
        text = str(of)
        return Decimal(text).normalize() if re.fullmatch(r"-?\d+(\.\d+)?", text) else text

    return [tuple(value(of) for of in row) for row in rows]


def by_duckdb(text):
    import duckdb
    import duckdb_ext

    folder = pathlib.Path(list(duckdb_ext.__path__)[0]) / "extensions"
    connection = duckdb.connect(config={"extension_directory": str(folder)})
    connection.execute("LOAD delta")
    return connection.execute(text).fetchall()


def by_chdb(text):
    import chdb

    return list(csv.reader(str(chdb.query(text, "CSV")).splitlines()))


def by_polars(text):
    import polars as pl

    return eval(text, {"pl": pl, "date": date}).collect().rows()


def by_spark(text, lake, plan):
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    settings["spark.ui.showConsoleProgress"] = "false"
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    files = [f"{lake}/rollups/{file['path']}" for file in json.loads(pathlib.Path(plan).read_text())["files"]]
    spark.read.option("basePath", f"{lake}/rollups").parquet(*files).createOrReplaceTempView("rollups")
    rows = [tuple(row) for row in spark.sql(text).collect()]
    spark.stop()
    return rows


ENGINES = {"duckdb": by_duckdb, "chdb": by_chdb, "polars": by_polars}


def main():
    page, lake = pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2]).absolute()
    blocks = {(engine, name): text for engine, name, text in BLOCK.findall(page)}
    with tempfile.TemporaryDirectory() as folder:
        catalog = pathlib.Path(folder) / "catalog.csv"
        import polars as pl

        items = pl.scan_delta(str(lake / "rollups")).select("item_id").unique().sort("item_id").collect()
        names = items.with_columns(("item " + pl.col("item_id")).alias("name"))
        names.write_csv(catalog)
        for question in QUESTIONS:
            answers = {}
            for engine, run in ENGINES.items():
                text = blocks[engine, question].replace("$LAKE", str(lake)).replace("$CATALOG", str(catalog))
                answers[engine] = plain(run(text))
            if question == "top":
                answers["spark"] = plain(by_spark(blocks["spark", question], lake, sys.argv[3]))
            first = answers["polars"]
            if not first or any(answer != first for answer in answers.values()):
                sys.exit(f"snippets: {question}: {answers}")
            print(f"snippets: {question}: {len(first)} rows, the same by {', '.join(answers)}")


main()
