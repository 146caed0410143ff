"""Holds a lake made of the whole Complete Journey against figures from the package's own files.

    pip install -r requirements.txt
    python journey.py FOLDER --as-of 2018-01-01T05:00:00Z

FOLDER holds `transactions.parquet`, `products.parquet` and, made of them by mapping and
catalog, `lake`. From the two files this works out, without topsell:

  - how many purchases, products, departments and category paths there are;
  - the units and the amount, of the shop and of each department, which the lake's sums must
    equal, to four places;
  - the whole ranking, by tests/independent/figures.py, and the names of what ranks, which the
    published ranking must equal, scores to 1e-12.

Prints the totals and `journey: ok`, or what disagrees and exits 1.
"""

import argparse
import sys
from collections import defaultdict
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl

sys.path.append(str(Path(__file__).resolve().parents[1] / "independent"))
import figures

# What is known of the package. Two of its 32 departments sold nothing.
PURCHASES, PRODUCTS, DEPARTMENTS, PATHS = 1_469_307, 68_509, 32, 3_394
SELLING_DEPARTMENTS = 30
LEVELS = ["department", "product_category", "product_type"]


def category_paths(folder):
    """product -> its path, as topsell spells it; up to the first level that is missing."""
    paths = {}
    for product, *levels in pl.read_parquet(folder / "products.parquet", columns=["product_id", *LEVELS]).rows():
        known = levels[: levels.index(None)] if None in levels else levels
        escaped = (level.replace("%", "%25").replace("/", "%2F").replace("|", "%7C") for level in known)
        paths[str(product)] = "/".join(escaped)
    return paths


def purchases(folder, paths):
    """Each (hour, product, path or nothing, units, amount)."""
    columns = ["transaction_timestamp", "product_id", "quantity", "sales_value"]
    rows = pl.read_parquet(folder / "transactions.parquet", columns=columns)
    hours = pl.col("transaction_timestamp").dt.epoch("s").floordiv(3600)
    rounded = {}
    for hour, product, units, value in rows.with_columns(hours).rows():
        amount = rounded.get(value)
        if amount is None:
            # The shortest decimal that is this float, as any program prints it.
            amount = Decimal(repr(value)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
            rounded[value] = amount
        yield hour, str(product), paths.get(str(product), ""), units, amount


def totals_of(events):
    """department, or nothing for the shop -> [purchases, units, amount]"""
    totals = defaultdict(lambda: [0, 0, Decimal(0)])
    for _, _, path, units, amount in events:
        for node in {"", path.split("/")[0]}:
            total = totals[node]
            total[0] += 1
            total[1] += units
            total[2] += amount
    return {node: tuple(total) for node, total in totals.items()}


def lake_totals(lake):
    """The same from the lake's sums."""
    sums = [pl.col(name).sum() for name in ("purchases", "units", "amount")]
    rollups = pl.scan_delta(str(lake / "rollups"))
    shop = rollups.filter("is_primary").select(sums).collect().rows()[0]
    departments = rollups.filter(pl.col("category").is_not_null()).group_by("category").agg(sums)
    return {"": shop, **{node: tuple(rest) for node, *rest in departments.collect().rows()}}


def differences(folder, as_of):
    paths = category_paths(folder)
    events = list(purchases(folder, paths))
    totals, theirs = totals_of(events), lake_totals(folder / "lake")
    for node in sorted(totals.keys() | theirs.keys()):
        print(f"{node or 'the shop':<20}", *(f"{n!s:>16}" for n in totals.get(node, ())))
        if totals.get(node) != theirs.get(node):
            yield f"{node or 'the shop'}: the lake has {theirs.get(node)}, the files {totals.get(node)}"

    departments = {path.split("/")[0] for path in paths.values()}
    if len(departments) != DEPARTMENTS:
        yield f"the catalog has {len(departments)} departments, not {DEPARTMENTS}"
    rollups = pl.scan_delta(str(folder / "lake" / "rollups"))
    lake_paths = rollups.select(pl.col("categories").explode().drop_nulls().n_unique()).collect().item()
    lake_items = rollups.select(pl.col("item_id").n_unique()).collect().item()
    counts = [
        ("purchases", PURCHASES, len(events), theirs[""][0]),
        ("products", PRODUCTS, len({event[1] for event in events}), lake_items),
        ("departments that sold", SELLING_DEPARTMENTS, len(totals) - 1, len(theirs) - 1),
        ("category paths", PATHS, len({event[2] for event in events} - {""}), lake_paths),
    ]
    for name, known, ours, lake in counts:
        print(f"{name}: {ours} in the files, {lake} in the lake")
        if not known == ours == lake:
            yield f"{name}: {known} were to be expected"

    rows = figures.ranking(figures.gather(events, int(as_of.timestamp()) // 3600), as_of)
    pointer = folder / "lake" / "rankings" / "current.json"
    if not figures.compare(rows, figures.read_snapshot(pointer)):
        yield "the ranking is another"
    names = pl.read_parquet(folder / "products.parquet", columns=["product_id", "product_type"])
    names = {str(product): name for product, name in names.rows()}
    ranked = pl.read_parquet(pointer.parent / figures.json.loads(pointer.read_text())["file"])
    wrong = [item for item, name in ranked.select("item_id", "name").rows() if names.get(item) != name]
    print(f"{ranked['name'].count()} of {len(ranked)} ranked rows have names")
    for item in wrong[:20]:
        yield f"the name of {item} is not {names.get(item)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as-of", required=True)
    args = parser.parse_args()
    as_of = datetime.fromisoformat(args.as_of).astimezone(timezone.utc)
    found = list(differences(args.folder, as_of))
    for difference in found:
        print(f"journey: {difference}")
    if found:
        sys.exit(1)
    print("journey: ok")


if __name__ == "__main__":
    main()
