"""Writes synthetic purchase logs: plain CSV, one file per 24 hours, in time order.

    pip install -r requirements.txt
    python generate.py OUT_DIR --events 10000000 --items 100000 --seed 1

The same arguments always give the same files. The logs span the 150 hours that end at
2024-01-07T06:00:00Z, evenly. Items sell by a Zipf law with exponent 1.05. There are 50
top-level categories with 2,000 leaf paths of two or three levels below them; an item lies in
one path (70%), two (20%) or three (10%), always the same ones, and has one price. Every
event_id is unique. Quantities are 1 (93%), 2 (4%), 3 (2%) and, for returns, -1 (1%).
"""

import argparse
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

START = datetime(2024, 1, 1)
HOURS = 150
FILE_HOURS = 24
EXPONENT = 1.05
TOPS = 50
LEAVES = 40  # below each top-level category
GROUPS = 4  # of leaves below each top-level category; the last has no middle level


def leaf_paths():
    """The 2,000 paths: in each top-level category ten of two levels, thirty of three."""
    paths = []
    for top in range(TOPS):
        for leaf in range(LEAVES):
            group = leaf % GROUPS
            # Real names hold slashes and percent signs, so some of these do, escaped.
            name = ("Wet %2F Dry", "100%25 Wool", "Basics", "")[group]
            middle = f"/{name} {group}" if name else ""
            paths.append(f"Department {top:02}{middle}/Shelf {leaf:02}")
    return np.array(paths)


def make_items(random, count):
    """Id, category field, price and share of the sales of every item, best seller first."""
    # Ids are shuffled, so that their order says nothing about sales.
    ids = [f"item-{number:08}" for number in random.permutation(count).tolist()]
    paths = leaf_paths()
    choices = paths[random.integers(0, len(paths), (count, 3))].tolist()
    how_many = random.choice([1, 2, 3], count, p=[0.7, 0.2, 0.1]).tolist()
    # An item drawn twice into one path lies in it once.
    fields = ["|".join(dict.fromkeys(c[:n])) for c, n in zip(choices, how_many)]
    cents = np.maximum(random.lognormal(6.5, 1.0, count), 1).astype(np.int64)
    shares = np.arange(1, count + 1, dtype=np.float64) ** -EXPONENT
    return pl.Series("item_id", ids), pl.Series("category", fields), cents, shares / shares.sum()


def event_ids(seed, first, count):
    """Distinct ids without order or pattern, as real ones are, for consecutive events."""
    numbers = np.arange(first, first + count, dtype=np.uint64) + np.uint64(seed << 40)
    # Multiplying by an odd number modulo 2^64 and xoring in a shift are both one to one.
    for odd in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(odd)
    digits = np.frombuffer(numbers.astype(">u8").tobytes().hex().encode(), dtype="S16")
    return pl.Series("event_id", digits.astype("U16"))


def hour_of_events(random, seed, hour, first, count, items):
    ids, fields, cents, cumulative = items
    seconds = np.sort(random.integers(0, 3600, count)) + hour * 3600
    which = np.searchsorted(cumulative, random.random(count), side="right")
    which = np.minimum(which, len(cents) - 1)
    quantity = random.choice(np.array([1, 2, 3, -1]), count, p=[0.93, 0.04, 0.02, 0.01])
    return pl.DataFrame(
        {
            "ts": pl.Series(np.datetime64(START, "ms") + seconds * 1000),
            "event_id": event_ids(seed, first, count),
            "item_id": ids[which],
            "category": fields[which],
            "event_type": pl.repeat("purchase", count, eager=True),
            "quantity": quantity,
            "amount": quantity * cents[which] / 100,
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    args.out_dir.mkdir(parents=True, exist_ok=True)
    random = np.random.Generator(np.random.PCG64(args.seed))
    ids, fields, cents, shares = make_items(random, args.items)
    items = ids, fields, cents, np.cumsum(shares)
    # One hour at a time, so that memory does not grow with the number of events.
    counts = random.multinomial(args.events, np.full(HOURS, 1 / HOURS)).tolist()
    first = 0
    for start in range(0, HOURS, FILE_HOURS):
        path = args.out_dir / f"purchases-2024-01-{1 + start // 24:02}.csv"
        with open(path, "wb") as out:
            for hour in range(start, min(start + FILE_HOURS, HOURS)):
                rows = hour_of_events(random, args.seed, hour, first, counts[hour], items)
                rows.write_csv(
                    out,
                    include_header=hour == start,
                    datetime_format="%Y-%m-%dT%H:%M:%SZ",
                    float_precision=2,
                )
                first += counts[hour]
    print(f"{first} events of {args.items} items in {args.out_dir}")


if __name__ == "__main__":
    main()
