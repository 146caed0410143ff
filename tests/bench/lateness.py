"""How late runs start: 1,000 jobs due in the same second; and what a scheduler costs that only waits.

    lateness.py PROGRAM [JOBS] [ROUNDS]

A start is told twice: when the run's record says it began, and when its command itself ran. Both count
from the moment at which the run was due, by the machine's clock.
"""

import datetime
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

IDLE_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")


def main(program, jobs="1000", rounds="3"):
    program = str(pathlib.Path(program).resolve())
    for number in range(int(rounds)):
        burst(program, int(jobs), number + 1)
    idle(program)


def write_jobs(folder, count, schedule, script):
    jobs = folder / "jobs"
    jobs.mkdir(mode=0o755)
    for number in range(count):
        name = f"job-{number:04}"
        words = json.dumps(["sh", "-c", script.replace("NAME", name)])
        (jobs / f"{name}.toml").write_text(f'schedule = "{schedule}"\nsteps = [{{ exec = {words} }}]\n')
    return jobs


def start(program, folder):
    log = open(folder / "log", "w")
    words = [program, "--lake", str(folder / "lake"), "schedule", "--jobs", str(folder / "jobs")]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)


def burst(program, count, number):
    """All jobs are due in one second, a while from now."""
    with tempfile.TemporaryDirectory(prefix="topsell-lateness-") as name:
        folder = pathlib.Path(name)
        due = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=12)).replace(microsecond=0)
        (folder / "ran").mkdir()
        schedule = f"{due.second} {due.minute} {due.hour} {due.day} {due.month} *"
        # The name of the file, and the moment: the shell's own words, so that no other process is waited for.
        write_jobs(folder, count, schedule, ": > ran/NAME")
        scheduler = start(program, folder)
        try:
            deadline = time.monotonic() + 180
            while len(list((folder / "ran").iterdir())) < count:
                if time.monotonic() > deadline or scheduler.poll() is not None:
                    sys.exit((folder / "log").read_text()[-4000:])
                time.sleep(1)
            time.sleep(2)
        finally:
            scheduler.send_signal(signal.SIGTERM)
            scheduler.wait()
        began = sorted(started(path, due) for path in (folder / "lake" / "runs").glob("*-job-*.json"))
        ran = sorted(path.stat().st_mtime - due.timestamp() for path in (folder / "ran").iterdir())
        print(f"round {number}: {count} jobs due at {due:%H:%M:%S}, load {os.getloadavg()[0]:.1f}")
        for what, late in [("the record says it began", began), ("the command ran", ran)]:
            for most in [100, count]:
                print(f"  {what}, first {most}: {told(late[:most])}")


def started(path, due):
    moment = datetime.datetime.fromisoformat(json.loads(path.read_text())["started"])
    return (moment - due).total_seconds()


def told(late):
    """Half of them, 99 of 100, all."""
    late = sorted(late)
    p99 = late[min(len(late) - 1, int(len(late) * 0.99))]
    return f"p50 {statistics.median(late) * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, max {late[-1] * 1e3:.1f} ms"


def idle(program):
    """Ten jobs, each due once a year, not soon."""
    with tempfile.TemporaryDirectory(prefix="topsell-lateness-") as name:
        folder = pathlib.Path(name)
        month = (datetime.datetime.now(datetime.UTC).month + 5) % 12 + 1
        write_jobs(folder, 10, f"0 0 1 {month} *", "true")
        scheduler = start(program, folder)
        try:
            time.sleep(5)
            before = cpu_seconds(scheduler.pid)
            time.sleep(IDLE_SECONDS)
            took = cpu_seconds(scheduler.pid) - before
            own = memory(scheduler.pid)
            children = pathlib.Path(f"/proc/{scheduler.pid}/task/{scheduler.pid}/children").read_text().split()
            others = sum(memory(int(child)) for child in children)
        finally:
            scheduler.send_signal(signal.SIGTERM)
            scheduler.wait()
        print(f"idle: {took:.2f} s of CPU in {IDLE_SECONDS} s ({took / IDLE_SECONDS:.3%}), {own:.1f} MB of its own,"
              f" and {others:.1f} MB for {len(children)} that wait")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """Memory that no other process shares, and its part of what they do."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


main(*sys.argv[1:])
