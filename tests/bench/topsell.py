"""What topsell is asked to do, and the states that its lake is put into before."""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import deltalake
import pyarrow.parquet

import measure

END = "2024-01-07T06:00:00Z"
HOUR_BEFORE = "2024-01-07T05:00:00Z"
DAY_BEFORE = "2024-01-06T06:00:00Z"


class Topsell:
    """A binary and a lake."""

    def __init__(self, binary, lake):
        self.binary, self.lake = Path(binary), Path(lake)

    def command(self, *words):
        return [self.binary, "--quiet", "--lake", self.lake, *words]

    def run(self, *words):
        return measure.run(self.command(*words))

    def must(self, *words):
        taken = self.run(*words)
        if taken.failed:
            raise SystemExit(f"topsell {' '.join(map(str, words))}: {taken.failed}")
        return taken

    def set_aside(self, path):
        measure.set_aside(path, self.lake.parent)

    def ingest_anew(self, *logs, threads=()):
        self.set_aside(self.lake)
        return self.must(*threads, "ingest", *logs)

    def rank(self, *more, as_of=END):
        # Small categories do not look further back: the peers do not either.
        return self.must(*more, "rank", "--min-items", "0", "--as-of", as_of)

    def rank_all_items(self):
        """With what every item comes to, not only the best."""
        return self.must("rank", "--min-items", "0", "--as-of", END, "--all-items")

    def forget_rankings(self):
        self.set_aside(self.lake / "rankings")

    def forget_aggregates(self):
        """Leaves the events alone, as they are after the first ingest."""
        self.forget_rankings()
        self.set_aside(self.lake / "rollups")

    def first_ranking(self, *more):
        self.forget_aggregates()
        return self.rank(*more)

    def ranking_from_rollups(self, *more):
        self.forget_rankings()
        return self.rank(*more)

    def one_more_hour(self, logs, kept):
        """The ranking after the newest hour's log came in; taking it in is not measured.

        `kept` is a copy of the lake as it was an hour before.
        """
        self.set_aside(self.lake)
        # Links suffice: no file of a lake is ever written to again, but for locks, which must not be links.
        subprocess.run(["cp", "--recursive", "--link", kept, self.lake], check=True)
        for lock in self.lake.rglob("*.lock"):
            lock.unlink()
        self.must("ingest", newest(logs))
        return self.rank()

    def show(self, runs):
        """Milliseconds of cold processes that show one category each."""
        categories = [category for category in self.ranked("category") if category]
        return milliseconds(self.command("show", "--category", one) for one in some_of(categories, runs))

    def count(self, runs):
        """Milliseconds of cold processes that count one item each, over a day, by the hour."""
        window = ["--from", DAY_BEFORE, "--to", END, "--by", "hour"]
        items = some_of(self.ranked("item_id"), runs)
        return milliseconds(self.command("count", *window, "--", item) for item in items)

    def ranked(self, column):
        table = pyarrow.parquet.read_table(self.snapshot(), columns=[column])
        return table[column].unique().to_pylist()

    def snapshot(self):
        rankings = self.lake / "rankings"
        return rankings / json.loads((rankings / "current.json").read_text())["file"]

    def sizes(self):
        """Bytes and rows of the aggregates, and of the files that belong to the published ranking."""
        files = live_files(self.lake / "rollups")
        snapshot = self.snapshot()
        parts = [part for part in snapshot.parent.iterdir() if part.stem == snapshot.stem]
        return {
            "rollup_bytes": sum(file.stat().st_size for file in files),
            "rollup_rows": sum(pyarrow.parquet.read_metadata(file).num_rows for file in files),
            "snapshot_bytes": sum(part.stat().st_size for part in parts),
            "snapshot_rows": pyarrow.parquet.read_metadata(snapshot).num_rows,
        }


def live_files(table):
    """The files of a Delta table, by another reader; those on disk must be the same, for the
    peers read the folder."""
    live = {
        Path(uri.removeprefix("file://")).resolve() for uri in deltalake.DeltaTable(str(table)).file_uris()
    }
    on_disk = {file.resolve() for file in table.glob("event_type=*/**/*.parquet")}
    if live != on_disk:
        raise SystemExit(f"{table}: {len(live)} live files, {len(on_disk)} on disk")
    return sorted(live)


def newest(logs):
    return max(Path(logs).iterdir())


def all_but_newest(logs):
    return sorted(Path(logs).iterdir())[:-1]


def some_of(values, number):
    return [values[at * 7919 % len(values)] for at in range(number)]


def milliseconds(commands):
    """What each of some commands takes, and a process that does nothing."""
    taken = sorted(map(spawn_milliseconds, commands))
    return {
        "median_ms": statistics.median(taken),
        "p99_ms": taken[min(len(taken) - 1, len(taken) * 99 // 100)],
        "empty_process_ms": statistics.median(spawn_milliseconds(["/bin/true"]) for _ in taken),
        "runs": len(taken),
    }


def spawn_milliseconds(command):
    command = [str(word) for word in command]
    null = (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[null])
    _, status = os.waitpid(pid, 0)
    taken = (time.perf_counter() - start) * 1000
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return taken
