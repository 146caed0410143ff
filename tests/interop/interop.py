"""Reads a lake's two tables with other Delta readers and checks that they agree.

    pip install -r requirements.txt
    python interop.py LAKE [--expect-events N] [--expect-units N] [--expect-amount X]

LAKE is the folder (or URL) that holds `events` and `rollups`. Three things are checked, at
each table's latest version:

  - the partition columns, and the type of every column;
  - that the events, each counted once, add up to the rollups: for every event type over the
    primary copies, and for every event type and top-level category over all copies;
  - that the deltalake package and polars, which read Parquet each in its own way, see the same.

Rows of one event type and day with the same event_id, item_id and sign of quantity are one event and are taken to be
alike; rows without an event_id are all different events. The `--expect` figures are totals
over all event types. Prints the totals and `interop: ok`, or what disagrees and exits 1.
"""

import argparse
import sys
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

PARTITIONS = {
    "events": ["event_type", "category_group", "date"],
    "rollups": ["event_type", "category_group", "date"],
}
TYPES = {
    "events": {
        "event_type": "string",
        "category_group": "string",
        "category": "string",
        "date": "date",
        "hour": "integer",
        "ts": "timestamp",
        "event_id": "string",
        "item_id": "string",
        "categories": "array<string>",
        "quantity": "decimal(18,4)",
        "amount": "decimal(18,4)",
        "is_primary": "boolean",
        "all_categories": "string",
        "batch": "string",
        "version": "long",
    },
    "rollups": {
        "event_type": "string",
        "category_group": "string",
        "category": "string",
        "date": "date",
        "hour": "integer",
        "item_id": "string",
        "categories": "array<string>",
        "is_primary": "boolean",
        "purchases": "long",
        "units": "decimal(38,4)",
        "amount": "decimal(38,4)",
    },
}
SUMS = ["purchases", "units", "amount"]
# What is added up: primary copies by event type, and all copies by event type and category.
GROUPS = [(True, ["event_type"]), (False, ["event_type", "category"])]


def type_name(delta_type):
    """A Delta type as TYPES spells it."""
    if delta_type.type == "array":
        return f"array<{type_name(delta_type.element_type)}>"
    return delta_type.type


def schema_problems(name, table):
    partitions = table.metadata().partition_columns
    if partitions != PARTITIONS[name]:
        yield f"{name}: partitioned by {partitions}, not by {PARTITIONS[name]}"
    found = {field.name: type_name(field.type) for field in table.schema().fields}
    for column in found.keys() | TYPES[name].keys():
        is_type, should_be = found.get(column), TYPES[name].get(column)
        if is_type != should_be:
            yield f"{name}: column {column} is {is_type}, not {should_be}"


def with_deltalake(name, table):
    """For each of GROUPS the sums by the values of its keys, read by deltalake."""
    found = []
    for primary_only, keys in GROUPS:
        rows = table.to_pyarrow_table(filters=[("is_primary", "=", True)] if primary_only else None)
        if name == "events":
            rows = arrow_events_once(rows, keys)
        sums = rows.group_by(keys).aggregate([(column, "sum") for column in SUMS]).to_pylist()
        found.append(
            {
                tuple(row[key] for key in keys): tuple(row[f"{column}_sum"] or 0 for column in SUMS)
                for row in sums
            }
        )
    return found


def arrow_events_once(rows, keys):
    """One row for each event within the keys, with the columns of a rollup."""
    has_id = pc.is_valid(rows["event_id"])
    rows = rows.append_column("is_return", pc.less(rows["quantity"], 0))
    same_event = [*keys, "date", "event_id", "item_id", "is_return"]
    same_event = list(dict.fromkeys(same_event))
    once = rows.filter(has_id).group_by(same_event)
    once = once.aggregate([("quantity", "min"), ("amount", "min")])
    parts = []
    for part, suffix in ((once, "_min"), (rows.filter(pc.invert(has_id)), "")):
        columns = {key: part[key] for key in keys}
        columns["purchases"] = pa.array([1] * part.num_rows, pa.int64())
        columns["units"] = part[f"quantity{suffix}"].cast(pa.decimal128(38, 4))
        columns["amount"] = part[f"amount{suffix}"].cast(pa.decimal128(38, 4))
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def with_polars(name, path):
    """The same sums, read by polars."""
    found = []
    for primary_only, keys in GROUPS:
        rows = pl.scan_delta(path)
        if primary_only:
            rows = rows.filter("is_primary")
        if name == "events":
            # Null ids must not be taken for one another: only rows with an id are made unique.
            has_id = pl.col("event_id").is_not_null()
            is_return = (pl.col("quantity") < 0).alias("is_return")
            rows = rows.with_columns(is_return)
            same_event = dict.fromkeys([*keys, "date", "event_id", "item_id", "is_return"])
            once = rows.filter(has_id).unique(list(same_event))
            rows = pl.concat([once, rows.filter(~has_id)])
            rows = rows.with_columns(purchases=pl.lit(1, pl.Int64), units="quantity")
        sums = rows.group_by(keys).agg(pl.col(SUMS).sum()).collect()
        found.append({row[: len(keys)]: row[len(keys) :] for row in sums.rows()})
    return found


def differences(one, two, one_name, two_name):
    for key in sorted(one.keys() | two.keys(), key=str):
        if one.get(key) != two.get(key):
            where = ", ".join(str(value) for value in key)
            yield f"{where}: {one_name} {spell(one.get(key))}, {two_name} {spell(two.get(key))}"


def spell(sums):
    if sums is None:
        return "has no rows"
    return "says " + ", ".join(f"{value} {name}" for name, value in zip(SUMS, sums))


def print_totals(by_type):
    total = tuple(map(sum, zip(*by_type.values()))) or (0, 0, 0)
    lines = [("event type", "events", "units", "amount")]
    lines += [(key[0], *sums) for key, sums in sorted(by_type.items())]
    lines.append(("total", *total))
    for name, *numbers in lines:
        print(f"{name:<16}" + "".join(f"{number!s:>20}" for number in numbers))
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake")
    parser.add_argument("--expect-events", type=int)
    parser.add_argument("--expect-units", type=Decimal)
    parser.add_argument("--expect-amount", type=Decimal)
    args = parser.parse_args()

    problems, sums = [], {}
    for name in PARTITIONS:
        path = f"{args.lake.rstrip('/')}/{name}"
        table = DeltaTable(path)
        wrong_types = list(schema_problems(name, table))
        problems += wrong_types
        if wrong_types:
            continue
        sums[name] = with_deltalake(name, table)
        for one, two in zip(sums[name], with_polars(name, path)):
            problems += differences(one, two, f"{name} by deltalake", f"{name} by polars")
    if not problems:
        for one, two in zip(sums["events"], sums["rollups"]):
            problems += differences(one, two, "events", "rollups")
        total = print_totals(sums["events"][0])
        expected = (args.expect_events, args.expect_units, args.expect_amount)
        for name, is_sum, should_be in zip(("events", "units", "amount"), total, expected):
            if should_be is not None and is_sum != should_be:
                problems.append(f"{name} total {is_sum}, not {should_be}")
    for problem in problems[:50]:
        print(f"interop: {problem}")
    if len(problems) > 50:
        print(f"interop: ... and {len(problems) - 50} more")
    if problems:
        sys.exit(1)
    print("interop: ok")


if __name__ == "__main__":
    main()
