"""Kills and stops schedulers on roots of their own that share only a lake in a bucket.

    schedulers.py TOPSELL [KILLS]

Three schedulers run the same jobs, one of them leads. Each is killed and started again, or stopped for longer than its
lease lasts and continued, at random. At the end each due run between the first and the last one must have a record, once,
and its command must have been started once.
"""

import collections
import datetime
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from pyarrow import fs

SCHEDULERS, JOBS, EVERY_SECONDS = 3, ("a", "b"), 5
# Longer than a lease lasts.
STOPPED_SECONDS = 25
# Of so many times that one is chosen, it is stopped once instead of killed.
STOPS = 10
# A lease of one that was killed is over, and what was missed is made up for.
SETTLE_SECONDS = 60


def fail(text):
    sys.exit(f"schedulers: {text}")


class Scheduler:
    def __init__(self, program, work, lake, number):
        self.root = work / f"root-{number}"
        (self.root / "jobs").mkdir(parents=True)
        for job in JOBS:
            started = work / f"started-{job}"
            (self.root / "jobs" / f"{job}.toml").write_text(
                f'schedule = "*/{EVERY_SECONDS} * * * * *"\noverlap = "queue"\nmissed = "all"\n'
                f'steps = [{{ exec = ["sh", "-c", "echo x >> {started}"] }}]\n'
            )
        self.line = [program, "--lake", lake, "schedule", "--jobs", "jobs"]
        self.log = open(self.root / "log", "a")
        self.start()

    def start(self):
        env = {name: value for name, value in os.environ.items() if name != "TOPSELL_NOW"}
        self.process = subprocess.Popen(self.line, cwd=self.root, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def stop_for_a_while(self):
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        self.process.send_signal(signal.SIGCONT)


def records(folder):
    store = fs.S3FileSystem(
        endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"), scheme="http",
        access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    for file in store.get_file_info(fs.FileSelector(f"{folder}/runs", recursive=True)):
        if file.path.endswith(".json"):
            with store.open_input_stream(file.path) as stream:
                record = json.loads(stream.read())
            if record["command"] == "run":
                yield record


def check(folder, work):
    runs = collections.defaultdict(list)
    for record in records(folder):
        if record["outcome"] != "done":
            fail(f"a run did not end: {record}")
        due = datetime.datetime.fromisoformat(record["due"]["at"])
        runs[record["due"]["job"]].append(due)
    for job in JOBS:
        dues = sorted(runs[job])
        if len(set(dues)) != len(dues) or not dues:
            fail(f"{job}: {len(dues)} runs of {len(set(dues))} moments")
        expected = (dues[-1] - dues[0]).total_seconds() / EVERY_SECONDS + 1
        if len(dues) != expected:
            fail(f"{job}: {len(dues)} of {expected:.0f} due runs")
        started = len((work / f"started-{job}").read_text().split())
        if started != len(dues):
            fail(f"{job}: {len(dues)} runs, and the command was started {started} times")
        print(f"schedulers: {job}: {len(dues)} due runs, each started once")


def main():
    program, kills = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 20
    rand = random.Random(3)
    with tempfile.TemporaryDirectory(prefix="topsell-schedulers-") as work:
        work = pathlib.Path(work)
        folder = f"{os.environ['TOPSELL_TEST_BUCKET']}/{work.name}"
        (work / "first.csv").write_text("ts,item_id\n2017-01-14T00:00:00Z,a\n")
        subprocess.run([program, "--lake", f"s3://{folder}", "--quiet", "ingest", work / "first.csv"], check=True)
        group = [Scheduler(program, work, f"s3://{folder}", number) for number in range(SCHEDULERS)]
        try:
            while not all((work / f"started-{job}").exists() for job in JOBS):
                time.sleep(0.1)
            for number in range(kills):
                time.sleep(rand.random() * 3)
                one = rand.choice(group)
                if number % STOPS == STOPS - 1:
                    one.stop_for_a_while()
                else:
                    one.kill()
            time.sleep(SETTLE_SECONDS)
            for one in group:
                one.process.terminate()
            for one in group:
                one.process.wait(timeout=60)
            check(folder, work)
        finally:
            for one in group:
                one.process.kill()


main()
