"""The workloads, and the files made of them: logs, and one Parquet file of events an hour.

What a folder holds already, made with the same arguments, is not made again.
"""

import json
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from measure import say


@dataclass(frozen=True)
class Workload:
    name: str
    purchases: int
    items: int
    leaves: int
    tops: int
    hours: int = 150


def workloads(scale):
    """The workloads by name; a scale below 1 makes smaller ones, to try the benchmark out."""

    def sized(name, millions, leaves, tops=50, hours=150, share=10):
        purchases = int(millions * 1_000_000 * scale)
        return Workload(name, purchases, max(purchases // share, leaves), leaves, tops, hours)

    made = [
        sized("XS", 1, 1_000),
        sized("S", 10, 1_000),
        sized("M", 100, 10_000),
        sized("flat", 10, 1_000, tops=1_000, hours=24),
        # Categories without levels, at the size of S.
        sized("flat30k", 10, 30_000, tops=30_000),
        sized("flat200k", 10, 200_000, tops=200_000),
        # Written as hourly aggregates, 540 purchases to an item.
        sized("XL", 5_400, 10_000, share=540),
    ]
    return {workload.name: workload for workload in made}


def once(folder, arguments, make):
    """Makes a folder unless it was made with the same arguments before."""
    stamp = folder.with_suffix(".made.json")
    wanted = json.dumps(arguments)
    if stamp.exists() and stamp.read_text() == wanted and folder.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    folder.mkdir(parents=True)
    make()
    stamp.write_text(wanted)
    return folder


def datagen(binary, workload, *more):
    numbers = {
        "--purchases": workload.purchases,
        "--items": workload.items,
        "--leaves": workload.leaves,
        "--tops": workload.tops,
        "--hours": workload.hours,
        "--seed": 1,
    }
    words = [str(word) for pair in numbers.items() for word in pair]
    subprocess.run([binary, "--quiet", "datagen", *words, *more], check=True, stdout=subprocess.DEVNULL)


def logs(binary, workload, folder, form="csv"):
    """One file of events an hour, as shops' log shippers bring them."""
    out = folder / f"logs-{form}"

    def make():
        say(f"  makes {workload.purchases:,} purchases as {form}")
        datagen(binary, workload, "--format", form, out)

    return once(out, [asdict(workload), form], make)


def hourly_parquet(workload, source, folder):
    """The peers' best layout: one Parquet file of events an hour, in the order they came."""
    out = folder / "hourly"
    types = {
        "ts": pyarrow.timestamp("us", "UTC"),
        "item_id": pyarrow.string(),
        "category": pyarrow.string(),
        "quantity": pyarrow.int64(),
        "amount": pyarrow.decimal128(18, 4),
    }

    def make():
        say("  writes them as one Parquet file an hour")
        options = pyarrow.csv.ConvertOptions(column_types=types)
        for log in sorted(source.glob("*.csv")):
            table = pyarrow.csv.read_csv(log, convert_options=options)
            paths = pyarrow.compute.split_pattern(table["category"], "|")
            at = table.schema.get_field_index("category")
            table = table.set_column(at, "categories", paths)
            pyarrow.parquet.write_table(table, out / f"{log.stem}.parquet", compression="zstd")

    return once(out, asdict(workload), make)


def aggregates(binary, workload, folder):
    """A lake of hourly aggregates, written without the events that they would be the aggregates of."""
    out = folder / "lake-aggregates"

    def make():
        say(f"  makes the hourly aggregates of {workload.purchases:,} purchases")
        datagen(binary, workload, "--aggregates", out)

    return once(out, asdict(workload), make)


# Purchases an hour of the lakes by age: a small shop, so that the number of files and hours decides.
AGED_PURCHASES_PER_HOUR = 15


def old_lake(binary, folder, hours):
    """A lake of that many hours, compacted, and its logs."""
    out = folder / f"old-{hours}"
    workload = Workload("age", AGED_PURCHASES_PER_HOUR * hours, 20_000, 1_000, 50, hours)

    def make():
        say(f"  makes a lake of {hours:,} hours")
        arguments = ["--purchases", workload.purchases, "--items", workload.items]
        arguments += ["--leaves", workload.leaves, "--tops", workload.tops, "--lake-age", f"{hours}h", out]
        subprocess.run([binary, "--quiet", "datagen", *map(str, arguments)], check=True)

    # The lake is written to by what is measured, so that it is created again for each run of the benchmark.
    shutil.rmtree(out, ignore_errors=True)
    return once(out, asdict(workload), make)


def size_bytes(folder):
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
