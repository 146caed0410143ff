"""Compares a lake in a bucket with one in a folder: the same commands, answers and published files.

    flow.py TOPSELL

Reads the bucket's name from TOPSELL_TEST_BUCKET. Both lakes get the same logs, with names of categories that are hard
for folders and URLs. Processes are killed while they write to the bucket, and several write at once; then both lakes
must be the same again, and so must copies of them.
"""

import csv
import filecmp
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

NOW = "2017-01-15T00:00:00Z"
CATEGORIES = [
    "Books/New", "Toys", "Bücher & Co/a~b", "DRUG GM/x", "日本/語", "a%252Fb", "q'uote\"s", "plus+and?hash#",
    "Very " + "long ü" * 40,
]
# Folders have these names, too.
EVENT_TYPES = ["purchase"] * 8 + ["Rück gabe/ü%20", "view&more?#~+"]
KILLS = 25
WRITERS, FILES_EACH = 4, 5


class Program:
    def __init__(self, program, folder, lake):
        self.program, self.folder, self.lake = program, folder, lake

    def words(self, line):
        return [self.program, "--lake", self.lake, *line]

    def run(self, *line, expect=0):
        said = subprocess.run(self.words(line), cwd=self.folder, env=env(), capture_output=True, text=True)
        if said.returncode != expect:
            fail(f"{' '.join(line)} on {self.lake}: exit code {said.returncode}\n{said.stdout}{said.stderr}")
        # Names of files of tables are random, and the logs have a commit for each process that ingested.
        text = said.stdout + said.stderr
        return re.sub(r"\(\d+ s old\)|[0-9a-f]{32}|\d+ (?=event files|log files)", "…", text.replace(self.lake, "LAKE"))

    def start(self, *line):
        quiet = subprocess.DEVNULL
        return subprocess.Popen(self.words(line), cwd=self.folder, env=env(), stdout=quiet, stderr=quiet)


def env():
    return {**os.environ, "TOPSELL_NOW": NOW}


def fail(text):
    sys.exit(f"bucket: {text}")


def write_log(path, rows, seed):
    rand = random.Random(seed)
    with open(path, "w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["ts", "event_id", "item_id", "category", "quantity", "amount", "event_type"])
        for row in range(rows):
            day, hour, minute = rand.randint(12, 14), rand.randint(0, 23), rand.randint(0, 59)
            ts = f"2017-01-{day}T{hour:02}:{minute:02}:00Z"
            item, amount = f"i{rand.randint(1, 200)}", f"{rand.randint(1, 900) / 100:.2f}"
            category, event_type = rand.choice(CATEGORIES), rand.choice(EVENT_TYPES)
            log.writerow([ts, f"{seed}-{row}", item, category, rand.randint(1, 4), amount, event_type])


def compare(one, other, *line, expect=0):
    texts = [lake.run(*line, expect=expect) for lake in (one, other)]
    if texts[0] != texts[1]:
        fail(f"{' '.join(line)}:\n{texts[0]}\n--- in the bucket:\n{texts[1]}")


def compare_answers(folder, bucket):
    for line in (
        ["show", "--format", "json"], ["show", "Bücher & Co", "--format", "json"], ["show", "日本/語"], ["show", "--item", "i1", "--format", "csv"],
        ["count", "i1", "--last", "72h", "--by", "hour", "--format", "csv"],
        ["count", "i1", "--last", "48h", "--exact-times", "--format", "json"],
        ["top", "--last", "24h", "--format", "json"], ["top", "--decay", "--window", "72h", "--format", "csv"],
        ["lake", "verify"],
    ):
        compare(folder, bucket, *line)


def published(folder):
    root = pathlib.Path(folder)
    found = [path for name in ("rankings", "totals") for path in (root / name).glob("*")]
    return {str(path.relative_to(root)): path for path in found}


def compare_published(folder, copy):
    one, other = published(folder), published(copy)
    if one.keys() != other.keys() or not one:
        fail(f"published: {sorted(one)} and {sorted(other)}")
    for name, path in one.items():
        if not filecmp.cmp(path, other[name], shallow=False):
            fail(f"{name} has other bytes in the bucket")


def kill_while_writing(bucket, logs):
    """Ingests logs by processes that are killed at some moment, then by one that is not."""
    rand = random.Random(7)
    begun = time.monotonic()
    bucket.run("ingest", str(logs[0]))
    usual = time.monotonic() - begun
    for log in logs[1:]:
        process = bucket.start("ingest", str(log))
        time.sleep(rand.random() * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for log in logs:
        bucket.run("ingest", str(log))


def ingest_from_bucket(folder, bucket, work, prefix):
    """Ingests logs that are objects of the bucket themselves; those of a copied folder are as good as any."""
    write_log(work / "raw.csv", 300, 50)
    folder.run("ingest", "raw.csv")
    # The program copies lakes and no logs: these go there by the Arrow library.
    from pyarrow import fs

    store = fs.S3FileSystem(
        endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"), scheme="http",
        access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    with store.open_output_stream(f"{prefix.removeprefix('s3://')}/day=1/raw.csv") as out:
        out.write((work / "raw.csv").read_bytes())
    first = bucket.run("ingest", prefix)
    again = bucket.run("ingest", prefix)
    # By the clock of this machine, like the times of the objects.
    line = ["ingest", "--spool", prefix, "--min-age", "0s"]
    spooled = subprocess.run(bucket.words(line), capture_output=True, text=True).stderr
    if "300 accepted" not in first or not all("300 duplicate" in said for said in (again, spooled)):
        fail(f"logs in a bucket:\n{first}{again}{spooled}")


UNFINISHED = """
import os, sys
from pyarrow import fs
store = fs.S3FileSystem(
    endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"), scheme="http",
    access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
)
out = store.open_output_stream(sys.argv[1])
out.write(bytes(12 << 20))
os._exit(0)
"""


def leave_upload(bucket):
    """Begins an upload in parts that nobody completes; whoever prunes after a day is told of it."""
    place = f"{bucket.lake.removeprefix('s3://')}/events/unfinished.parquet"
    subprocess.run([sys.executable, "-c", UNFINISHED, place], check=True)
    for now, is_named in ((None, False), ("2035-01-01T00:00:00Z", True)):
        later = {**env(), "TOPSELL_NOW": now} if now else {k: v for k, v in env().items() if k != "TOPSELL_NOW"}
        line = bucket.words(["lake", "prune", "--dry-run"])
        said = subprocess.run(line, cwd=bucket.folder, env=later, capture_output=True, text=True).stderr
        if ("1 upload of large files" in said and "put-bucket-lifecycle-configuration" in said) != is_named:
            fail(f"an upload that was never completed, now {now}:\n{said}")


def run_job(bucket, work):
    """Runs a job twice: each run has the lock of the job for itself, and its steps know its number."""
    job = work / "epoch.toml"
    job.write_text(
        'schedule = "@hourly"\n'
        'steps = [{ exec = ["sh", "-c", "echo $TOPSELL_LOCK_EPOCH >> epochs"] }]\n'
        f'working_dir = "{work}"\n'
    )
    for _ in range(2):
        bucket.run("run", job.name)
    if (work / "epochs").read_text().split() != ["1", "2"]:
        fail(f"a job's steps: {(work / 'epochs').read_text()}")


def encrypt(folder, program, prefix):
    """Asks the store for encryption: with its own key it does what it is asked for, and it has no key management."""
    variable = "AWS_SERVER_SIDE_ENCRYPTION"
    try:
        os.environ[variable] = "AES256"
        bucket = Program(program, folder.folder, f"{prefix}/encrypted")
        for log in ("log-0.csv", "log-1.csv"):
            bucket.run("ingest", log)
        compare(folder, bucket, "count", "i1", "--last", "72h", "--by", "hour", "--format", "csv")
        os.environ[variable] = "aws:kms"
        line = Program(program, folder.folder, f"{prefix}/managed").words(["ingest", "log-0.csv"])
        said = subprocess.run(line, cwd=folder.folder, env=env(), capture_output=True, text=True)
        if said.returncode == 0:
            fail("the store was not asked for an encryption by managed keys, which it does not have")
    finally:
        del os.environ[variable]


def main():
    program = os.path.abspath(sys.argv[1])
    name = os.environ["TOPSELL_TEST_BUCKET"]
    with tempfile.TemporaryDirectory(prefix="topsell-bucket-") as work:
        work = pathlib.Path(work)
        prefix = f"s3://{name}/{work.name}"
        folder = Program(program, work, str(work / "lake"))
        bucket = Program(program, work, f"{prefix}/lake")
        # By the clock of this machine.
        checked = subprocess.run(bucket.words(["doctor"]), capture_output=True, text=True).stdout
        if "missing" in checked or checked.count("ok: ") < 6:
            fail(f"doctor:\n{checked}")
        for number, rows in enumerate([3_000, 500]):
            write_log(work / f"log-{number}.csv", rows, number)
            compare(folder, bucket, "ingest", f"log-{number}.csv")
            compare(folder, bucket, "ingest", f"log-{number}.csv")
        encrypt(folder, program, prefix)
        rank = ["rank", "--window", "72h", "--min-items", "1", "--as-of", NOW, "--all-items"]
        for lake in (folder, bucket):
            lake.run(*rank)
        compare_answers(folder, bucket)
        # Later, the killed runs are problems.
        compare(folder, bucket, "health")

        leave_upload(bucket)
        run_job(bucket, work)
        ingest_from_bucket(folder, bucket, work, f"{prefix}/logs")

        logs = []
        for number in range(KILLS):
            logs.append(work / f"killed-{number}.csv")
            write_log(logs[-1], 200, 100 + number)
        kill_while_writing(bucket, logs)
        folder.run("ingest", *map(str, logs))

        writers = []
        for writer in range(WRITERS):
            names = [f"writer-{writer}-{number}.csv" for number in range(FILES_EACH)]
            for number, file in enumerate(names):
                write_log(work / file, 100, 1_000 + writer * FILES_EACH + number)
            writers.append(bucket.start("ingest", *names))
            folder.run("ingest", *names)
        if any(writer.wait() for writer in writers):
            fail("one of several ingests at once failed")

        # Of killed runs the lock may be left for a while.
        for lake in (folder, bucket):
            lake.run(*rank, "--wait")
        compare_answers(folder, bucket)
        for lake in (folder, bucket):
            lake.run("lake", "compact", "--wait")
            lake.run("lake", "prune", "--retention", "10000d", "--wait")
        compare_answers(folder, bucket)

        readers = pathlib.Path(__file__).parent.parent / "interop" / "interop.py"
        if subprocess.run([sys.executable, readers, bucket.lake], env=env()).returncode:
            fail("other programs read other numbers from the bucket")

        others = pathlib.Path(__file__).parent / "readers.py"
        if subprocess.run([sys.executable, others, bucket.lake], env=env()).returncode:
            fail("DuckDB or chDB read other numbers from the bucket")

        copy = Program(program, work, str(work / "copy"))
        copy.run("lake", "copy", bucket.lake, copy.lake)
        compare_published(folder.lake, copy.lake)
        compare_answers(folder, copy)
        back = Program(program, work, f"{prefix}/back")
        copy.run("lake", "copy", folder.lake, back.lake)
        again = copy.run("lake", "copy", folder.lake, back.lake)
        if "copied before" not in again:
            fail(f"a second copy: {again}")
        compare_answers(folder, back)
    print("bucket: ok")


main()
