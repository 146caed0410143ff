"""Gives a lake a long history, merges and prunes it, and checks it with interop.py.

    python history.py TOPSELL SAMPLE LAKE

TOPSELL is how to call the program, SAMPLE the folder of the sample's purchase logs, LAKE a folder
that is made anew. The logs come in as 140 batches, every tenth of them again; sums are brought up
to date and files merged on the way. In the end the first two days are dropped and every file that
the newest versions do not name is removed. What must be left is counted from the logs here.
"""

import csv
import gzip
import io
import pathlib
import shlex
import shutil
import subprocess
import sys
from decimal import Decimal

BATCHES_A_LOG = 10
# The sample ends on 14 January 2017; twelve days before that are kept.
NOW, RETENTION, FIRST_KEPT = "2017-01-15T00:00:00Z", "288h", "2017-01-03T00:00:00Z"


def batches(sample):
    """The logs in pieces, each with its header, as bytes."""
    for log in sorted(sample.glob("purchases-*.csv.gz")):
        with gzip.open(log, "rt", newline="") as lines:
            header, *rows = list(csv.reader(lines))
        for piece in range(BATCHES_A_LOG):
            text = io.StringIO()
            csv.writer(text).writerows([header, *rows[piece::BATCHES_A_LOG]])
            yield header, rows[piece::BATCHES_A_LOG], text.getvalue().encode()


def main():
    topsell, sample, lake = shlex.split(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    shutil.rmtree(lake, ignore_errors=True)

    def run(*words, stdin=b""):
        subprocess.run([*topsell, "--quiet", "--lake", lake, *words], input=stdin, check=True)

    events, units, amount = 0, 0, Decimal(0)
    for number, (header, rows, content) in enumerate(batches(sample)):
        ts, quantity, paid = (header.index(name) for name in ("ts", "quantity", "amount"))
        for row in rows:
            if row[ts] >= FIRST_KEPT:
                events += 1
                units += int(row[quantity])
                amount += Decimal(row[paid]).quantize(Decimal("0.0001"))
        run("ingest", "--format", "csv", "-", stdin=content)
        if number % 10 == 0:
            run("ingest", "--format", "csv", "-", stdin=content)
            run("rollup")
        if number % 50 == 0:
            run("lake", "compact")
    run("rank", "--as-of", NOW)
    run("lake", "compact")
    run("lake", "prune", "--now", NOW, "--retention", RETENTION)
    run("lake", "prune", "--keep-versions", "0s")
    run("lake", "verify")

    commits = [name for name in (pathlib.Path(lake) / "events" / "_delta_log").glob("*.json")]
    newest = max(int(name.stem) for name in commits)
    print(f"history: {newest} commits, of whose log {len(commits)} are left")
    if newest < 100 or len(commits) > 60:
        sys.exit("history: the log is not as long, or not cut as short, as it should be")
    here = pathlib.Path(__file__).parent
    figures = ["--expect-events", str(events), "--expect-units", str(units), "--expect-amount", str(amount)]
    sys.exit(subprocess.run([sys.executable, here / "interop.py", lake, *figures]).returncode)


if __name__ == "__main__":
    main()
