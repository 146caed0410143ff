"""What commands take, CPU and wall seconds and peak memory, of contenders that take turns.

Files stay in the page cache between runs, for everyone alike.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Free space below which what was set aside is deleted after all.
FREE_BYTES = 12 << 30


@dataclass
class Taken:
    cpu: float = 0.0
    wall: float = 0.0
    peak_bytes: int = 0
    failed: str = ""


def say(text):
    print(text, file=sys.stderr, flush=True)


def set_aside(path, folder):
    """Moves what is in the way, if it is there, to where `tidy` finds it.

    Where files were deleted within the last minutes, the file system looks long for the place of a
    new one: whoever creates thousands of files next would pay for what was there before.
    """
    aside = folder / "aside"
    if path.exists():
        aside.mkdir(exist_ok=True)
        path.rename(aside / str(time.time_ns()))
    if shutil.disk_usage(folder).free < FREE_BYTES:
        tidy(folder)


def tidy(folder):
    """Deletes what was set aside."""
    shutil.rmtree(folder / "aside", ignore_errors=True)


def built_binary():
    """The release build of this folder."""
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    target = json.loads(subprocess.check_output(metadata, cwd=ROOT))["target_directory"]
    return Path(target) / "release" / "topsell"


def run(command):
    """The whole process: how topsell is measured."""
    taken, _ = run_and_listen(command)
    return taken


def run_peer(name, task, source, out):
    """The peer's work alone, as it measures itself: loading Python and the library is left out."""
    taken, said = run_and_listen([sys.executable, HERE / "peer.py", name, task, source, out])
    return taken if taken.failed else Taken(**json.loads(said.splitlines()[-1]))


def run_and_listen(command):
    command = [str(word) for word in command]
    with tempfile.NamedTemporaryFile("r", errors="replace") as heard:
        launch = [sys.executable, "-I", "-S", HERE / "launch.py", heard.name, *command]
        taken = Taken(**json.loads(subprocess.check_output(launch)))
        said = heard.read()
    if taken.failed:
        last = (said.strip().splitlines() or ["without a word"])[-1]
        say(f"    {' '.join(command)}: {taken.failed}: {last[:300]}")
        if "memory" in last.lower():
            taken.failed = "out of memory"
    return taken, said


def in_turn(runs, contenders, dropped=()):
    """Has each contender do its work once, then each again, `runs` times.

    A contender is a name and a function that returns what its work took; one that failed is
    not asked again. What one has written is on disk before the next begins, so that nobody's work
    is disturbed by another's. Returns the runs of each.
    """
    taken = {name: [] for name in contenders}
    for number in range(runs):
        for name, work in contenders.items():
            if name in dropped or any(one.failed for one in taken[name]):
                continue
            os.sync()
            taken[name].append(work())
            one = taken[name][-1]
            say(f"    run {number + 1}: {name:12} {one.cpu:8.2f} s CPU {one.wall:8.2f} s wall {one.failed}")
    return {name: summary(runs) for name, runs in taken.items() if runs}


def summary(taken):
    failed = [one.failed for one in taken if one.failed]
    if failed:
        return {"failed": failed[0], "peak_bytes": max(one.peak_bytes for one in taken)}
    return {
        "cpu": statistics.median(one.cpu for one in taken),
        "wall": statistics.median(one.wall for one in taken),
        "peak_bytes": max(one.peak_bytes for one in taken),
        "cpu_runs": [round(one.cpu, 3) for one in taken],
        "wall_runs": [round(one.wall, 3) for one in taken],
    }
