"""Counts the instructions of each step, which say the same however busy the machine is.

    python tests/bench/instructions.py [--keep] [--binary PATH]

Makes 100,000 purchases, and has valgrind count what the program executes, on one thread, to take
them in as CSV and as NDJSON, sum them, rank them and show the ranking. A step that takes over a tenth more instructions
than instructions.json says has become slower, and is named; --keep writes down the new counts
instead. Needs valgrind: apt-get install valgrind.

Two runs of the same program differ by less than a hundredth, because hash tables are seeded at
random and because threads wait for each other. The tenth leaves room for that, for another compiler
and for another C library, whose copying and comparing count too. What waits for the disk or for
memory is not counted: this finds work that was added, and no more.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import HERE, built_binary, say

PURCHASES = 100_000
DATAGEN = ["--items", "10000", "--leaves", "100", "--tops", "10", "--hours", "24"]
FORMS = ["csv", "ndjson"]
# The lake of each step, and what it does.
STEPS = {
    "ingest": ["lake", "ingest", "csv"],
    "ingest NDJSON": ["lake-ndjson", "ingest", "ndjson"],
    "rollup": ["lake", "rollup", "--all"],
    "rank": ["lake", "rank", "--as-of", "2024-01-02T00:00:00Z"],
    "show": ["lake", "show"],
}
KEPT = HERE / "instructions.json"
TOLERANCE = 0.10


def counted(valgrind, command, folder):
    """How many instructions a command executes in user space, on all its threads."""
    out = folder / "callgrind.out"
    counting = [valgrind, "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}", *command]
    done = subprocess.run(counting, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    with open(out) as file:
        totals = [line for line in file if line.startswith("totals:")]
    return int(totals[-1].split()[1])


def count_all(valgrind, binary):
    """Instructions for each purchase, by step."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for form in FORMS:
            words = ["datagen", "--purchases", str(PURCHASES), *DATAGEN, "--format", form, form]
            subprocess.run([binary, "--quiet", *words], cwd=folder, check=True)
        counts = {}
        for name, step in STEPS.items():
            say(f"counting: {name}")
            command = [binary, "--quiet", "--threads", "1", "--lake", *step]
            counts[name] = round(counted(valgrind, command, folder) / PURCHASES, 1)
    return counts


def compared(counts, kept):
    """A table of counts beside those that were kept, and the steps that take too many."""
    print(f"{'step':14} {'per purchase':>14} {'kept':>14} {'change':>8}")
    slower = []
    for name, count in counts.items():
        before = kept.get(name)
        change = count / before - 1 if before else 0.0
        print(f"{name:14} {count:14,.1f} {before or 0.0:14,.1f} {change:+8.1%}")
        if change > TOLERANCE:
            slower.append(name)
    return slower


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the counts down")
    parser.add_argument("--binary", type=Path, help="instead of the release build of this folder")
    options = parser.parse_args()
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        sys.exit("valgrind is missing: apt-get install valgrind")

    counts = count_all(valgrind, (options.binary or built_binary()).resolve())
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    slower = compared(counts, kept)
    if options.keep:
        KEPT.write_text(json.dumps(counts, indent=1) + "\n")
    elif not kept:
        sys.exit(f"there is nothing to compare with: no {KEPT}; --keep writes it")
    elif slower:
        sys.exit(f"over {TOLERANCE:.0%} more instructions than before: {', '.join(slower)}")


if __name__ == "__main__":
    main()
