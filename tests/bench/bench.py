"""Measures topsell and a peer on the same purchases, in the same run.

    python tests/bench/bench.py FOLDER [--events N] [--items M] [--runs R]

FOLDER is where the synthetic purchases and the lake are made; they are made anew each time.
The peer (peer.py) computes the same ranking from the same files with polars on all processors.
Times are wall clock, the median of R runs; what counts is the ratio, since both ran on the same
machine in the same minutes. At the end compare.py checks that both rankings agree.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
AS_OF = "2024-01-07T06:00:00Z"


def timed(command, before=lambda: None, runs=1):
    """The median seconds and the largest peak of memory in MiB of some runs of a command."""
    seconds, peaks = [], []
    for _ in range(runs):
        before()
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.monotonic() - start)
        peaks.append(usage.ru_maxrss / 1024)
        if status != 0:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{said}")
    return statistics.median(seconds), max(peaks)


def topsell_binary():
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    target = json.loads(subprocess.check_output(metadata, cwd=ROOT))["target_directory"]
    return pathlib.Path(target) / "release" / "topsell"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()

    logs, lake = options.folder / "logs", options.folder / "lake"
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    python, binary = sys.executable, topsell_binary()
    generate = [python, HERE / "generate.py", logs, "--seed", "1"]
    subprocess.check_call([*generate, "--events", str(options.events), "--items", str(options.items)])
    topsell = [binary, "--quiet", "--lake", lake]
    rank = [*topsell, "rank", "--as-of", AS_OF]
    from_logs, from_sums = options.folder / "logs.parquet", options.folder / "sums.parquet"

    figures = {}
    figures["ingest"] = timed([*topsell, "ingest", logs], lambda: shutil.rmtree(lake, True), options.runs)
    figures["rollup, from the ground"] = timed([*topsell, "rollup", "--all"], runs=options.runs)
    figures["rollup, nothing new"] = timed([*topsell, "rollup"], runs=options.runs)
    figures["rank, from the sums"] = timed(rank, runs=options.runs)
    figures["show one category"] = timed([*topsell, "show", "--limit", "10"], runs=options.runs)
    figures["peer, rank from the logs"] = timed([python, HERE / "peer.py", logs, "--out", from_logs], runs=options.runs)
    peer_sums = [python, HERE / "peer.py", "--rollups", lake, "--out", from_sums]
    figures["peer, rank from the sums"] = timed(peer_sums, runs=options.runs)

    print(f"{options.events:,} purchases of {options.items:,} items, 150 hours, {os.cpu_count()} processors")
    print(f"{'':28}{'seconds':>10}{'peak MiB':>10}")
    for name, (seconds, peak) in figures.items():
        print(f"{name:28}{seconds:>10.2f}{peak:>10.0f}")
    seconds = {name: figure[0] for name, figure in figures.items()}
    logs_ratio = seconds["peer, rank from the logs"] / seconds["rank, from the sums"]
    sums_ratio = seconds["peer, rank from the sums"] / seconds["rank, from the sums"]
    first = seconds["ingest"] + seconds["rollup, from the ground"] + seconds["rank, from the sums"]
    print(f"every ranking after the first: peer from the logs takes {logs_ratio:.1f} times as long")
    print(f"the same sums, each its own reader: peer takes {sums_ratio:.1f} times as long")
    print(f"the first ranking, lake and all: topsell takes {first / seconds['peer, rank from the logs']:.1f} times as long")
    for peer in (from_logs, from_sums):
        subprocess.check_call([python, HERE / "compare.py", peer, lake / "rankings" / "current.json"])


if __name__ == "__main__":
    main()
