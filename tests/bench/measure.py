"""Runs a command and says what it took: CPU and wall seconds, and its peak of memory.

A command that uses more than 8 GiB or runs for more than 15 minutes is stopped, and that is
its result. Files stay in the page cache between runs, for everyone alike.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

MEMORY_LIMIT = 8 << 30
TIME_LIMIT = 15 * 60
HERE = Path(__file__).resolve().parent


@dataclass
class Taken:
    cpu: float = 0.0
    wall: float = 0.0
    peak_bytes: int = 0
    failed: str = ""


def say(text):
    print(text, file=sys.stderr, flush=True)


def own_memory(pid):
    """Bytes of a process that are its own; files that it has mapped are not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def watch(process, stopped):
    """Stops a process that takes too much memory or time, and says why in `stopped`."""
    end = time.monotonic() + TIME_LIMIT
    while process.returncode is None and not stopped:
        if own_memory(process.pid) > MEMORY_LIMIT:
            stopped.append("out of memory (8 GiB)")
        elif time.monotonic() > end:
            stopped.append("stopped after 15 minutes")
        time.sleep(0.05)
    if process.returncode is None:
        process.kill()


def run(command):
    """The whole process: how `topsell` is measured."""
    taken, _ = run_process(command)
    return taken


def run_process(command):
    command = [str(word) for word in command]
    # Nobody pays for what another left to be written.
    os.sync()
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stopped, said = [], []
    # What it says on stderr is read beside, or a full pipe would hold it up.
    reader = threading.Thread(target=lambda: said.append(process.stderr.read()))
    watcher = threading.Thread(target=watch, args=(process, stopped), daemon=True)
    reader.start(), watcher.start()
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join(), watcher.join()
    taken = Taken(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024)
    if stopped or process.returncode != 0:
        taken.failed = (stopped or [last_line(said[0])])[0]
        say(f"    {' '.join(command)}: {taken.failed}")
    return taken, out


def last_line(said):
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "failed without a word"


def run_peer(name, task, source, out):
    """The peer's work alone, as it measures itself: loading Python and the library is left out."""
    taken, said = run_process([sys.executable, HERE / "peer.py", name, task, source, out])
    if not taken.failed:
        taken = Taken(**json.loads(said.splitlines()[-1]))
    return taken


def in_turn(runs, contenders, dropped=()):
    """Has each contender do its work once, then each again, `runs` times.

    A contender is a name and a function that returns what its work took; one that failed is
    not asked again. Returns the runs of each.
    """
    taken = {name: [] for name in contenders}
    for number in range(runs):
        for name, work in contenders.items():
            if name in dropped or any(one.failed for one in taken[name]):
                continue
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
