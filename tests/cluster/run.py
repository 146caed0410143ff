"""Ranks by a real Spark cluster on the loopback interface, and compares it with one process and with Spark SQL.

    run.py TOPSELL FOLDER WHEEL_ZIP ENTRY_FILE

Runs beside a store (tests/bucket/with_seaweedfs.py), whose bucket holds the lakes. The bytes that are published must be
those of one process: by `cluster local`, by one and two workers of Spark, with workers and the driver killed in mid-stage.
PURCHASES is the size of the lake that is ranked (default 100,000,000, as M of the benchmarks), EVENTS that of the logs that are loaded
(default 1,000,000).
"""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

import bucket
from decayed_sql import TOP
from standalone import Standalone, descendants, kill_all, stages

PURCHASES = int(os.environ.get("PURCHASES", "100000000"))
EVENTS = int(os.environ.get("EVENTS", "1000000"))
# Of small lakes, starting processes is most of the work.
MAX_CPU_RATIO = float(os.environ.get("MAX_CPU_RATIO", "1.4"))
MAX_SQL_SHARE = float(os.environ.get("MAX_SQL_SHARE", str(1 / 3)))
AS_OF = "2024-01-07T06:00:00Z"
RANK = ["--as-of", AS_OF, "--window", "150h", "--all-items"]
PARTS = "40"


def fail(text):
    sys.exit(f"cluster: {text}")


def say(text):
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {text}", flush=True)


class Lake:
    """A lake in the bucket."""

    def __init__(self, program, name):
        self.program, self.name = program, name
        self.url = f"s3://{os.environ['TOPSELL_TEST_BUCKET']}/{name}"

    def run(self, *words, lake=None):
        """Runs a command, and returns the seconds of CPU and of time that it took."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run([self.program, "--lake", lake or self.url, *words], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            fail(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu, time.monotonic() - began

    def published(self):
        """The hashes of the published ranking and of the item totals, and their files read again."""
        found = {}
        for folder in ("rankings", "totals"):
            pointer = bucket.read(f"{self.name}/{folder}/current.json")
            if pointer is not None:
                pointer = json.loads(pointer)
                found[folder] = (pointer["blake3"], bucket.read(f"{self.name}/{folder}/{pointer['file']}"))
        return found

    def forget(self):
        for folder in ("rankings", "totals"):
            bucket.remove(f"{self.name}/{folder}/current.json")


def expect(what, lake, expected):
    found = lake.published()
    if found != expected:
        fail(f"{what}: published {[(name, of[0]) for name, of in found.items()]}")
    lake.forget()
    say(f"{what}: the same bytes")


def cpu_of(processes):
    """The seconds of CPU of processes and of all that they have waited for."""
    ticks = 0
    for process in processes:
        try:
            fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def timed(cluster, files, words, conf=()):
    """Submits a job; returns the CPU of driver, executors and tasks, and the time."""
    workers = [worker.pid for worker in cluster.workers]
    before, own = cpu_of(workers), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    cluster.submit(files, words, conf)
    wall = time.monotonic() - began
    # Workers wait for their executors when the application has ended.
    until = time.monotonic() + 30
    while any(descendants(worker) for worker in workers) and time.monotonic() < until:
        time.sleep(0.1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    driver = after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime
    return cpu_of(workers) - before + driver, wall


def wait_for_share(process, ui, share):
    """Waits until a share of the tasks of the running stage is done; false where the job has ended before."""
    while process.poll() is None:
        for stage in stages(ui):
            if stage["status"] == "ACTIVE" and stage["numTasks"] >= 10:
                if stage["numCompleteTasks"] >= stage["numTasks"] * share / 100:
                    return True
        time.sleep(0.02)
    return False


def load_and_aggregate(program, folder, cluster, files):
    """Logs in a bucket are loaded, aggregated, ranked and verified by Spark; and by one process, to compare."""
    logs = folder / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    size = ["--purchases", str(EVENTS), "--items", "50000", "--leaves", "200", "--tops", "20", "--event-ids"]
    subprocess.run([program, "datagen", *size, str(logs)], check=True, capture_output=True)
    lake, alone = Lake(program, "loaded"), folder / "alone"
    for file in sorted(logs.iterdir()):
        bucket.write(f"raw/{file.name}", file.read_bytes())
    shutil.rmtree(alone, ignore_errors=True)
    lake.run("ingest", str(logs), lake=str(alone))
    lake.run("rank", *RANK, lake=str(alone))
    raw = f"s3://{os.environ['TOPSELL_TEST_BUCKET']}/raw"
    for again in (False, True):
        cluster.submit(files, ["--lake", lake.url, "--parts", "4", "ingest", raw])
        say(f"{'loaded again, with no change' if again else 'loaded by Spark'}")
    cluster.submit(files, ["--lake", lake.url, "--parts", "8", "rollup"])
    cluster.submit(files, ["--lake", lake.url, "--parts", "8", "rollup", "--all"])
    cluster.submit(files, ["--lake", lake.url, "--parts", "8", "rank", *RANK])
    expected = {}
    for name in ("rankings", "totals"):
        pointer = json.loads((alone / name / "current.json").read_text())
        expected[name] = (pointer["blake3"], (alone / name / pointer["file"]).read_bytes())
    expect("loaded, aggregated and ranked by Spark", lake, expected)
    cluster.submit(files, ["--lake", lake.url, "--parts", "4", "verify"])
    say("verified by Spark")


def killed(cluster, files, lake, expected):
    words = ["--lake", lake.url, "--parts", PARTS, "rank", *RANK]
    for share in (20, 50, 80):
        process, ui = cluster.begin(files, words)
        if not wait_for_share(process, ui, share):
            fail(f"the job had ended before {share} % of its tasks: {process.stdout.read()[-4_000:]}")
        cluster.kill_worker()
        output, _ = process.communicate(timeout=600)
        if process.returncode != 0:
            fail(f"a worker killed at {share} %: {output[-6_000:]}")
        expect(f"a worker and its executor killed at {share} %", lake, expected)
        cluster.add_worker()
    process, ui = cluster.begin(files, words)
    if not wait_for_share(process, ui, 50):
        fail("the job had ended before its driver was killed")
    kill_all([process.pid, *descendants(process.pid)])
    process.communicate()
    if lake.published():
        fail("a driver that was killed has published something")
    cluster.submit(files, words)
    expect("the driver killed at 50 % and started again", lake, expected)


def main():
    program, folder, package, entry = sys.argv[1:]
    folder = pathlib.Path(folder).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = ["--py-files", str(pathlib.Path(package).absolute()), str(pathlib.Path(entry).absolute())]
    results = {"purchases": PURCHASES}
    made = folder / "made"
    size = ["--purchases", str(PURCHASES), "--items", str(PURCHASES // 10), "--leaves", "10000", "--tops", "50"]
    subprocess.run([program, "datagen", "--aggregates", *size, str(made)], check=True, capture_output=True)
    lake = Lake(program, "lake")
    lake.run("lake", "copy", str(made), lake.url)
    say(f"a lake of {PURCHASES:,} purchases is in the bucket")
    one_cpu, one_wall = lake.run("rank", *RANK)
    expected = lake.published()
    lake.forget()
    results["one process"] = {"cpu_seconds": one_cpu, "seconds": one_wall}
    say(f"one process: {one_cpu:.1f} s of CPU, {one_wall:.1f} s")
    cpu, wall = lake.run("cluster", "local", "--workers", "7", "rank", *RANK)
    results["7 processes"] = {"cpu_seconds": cpu, "seconds": wall, "ratio": cpu / one_cpu}
    expect(f"7 processes of this host, {cpu:.1f} s of CPU, {cpu / one_cpu:.2f} times that of one", lake, expected)
    with Standalone(folder / "spark", 1) as cluster:
        for workers in (1, 2):
            report = folder / f"report-{workers}.json"
            words = ["--lake", lake.url, "--report", str(report), "rank", *RANK]
            all_cpu, wall = timed(cluster, files, words)
            took = json.loads(report.read_text())
            cpu = sum(each["cpu_seconds"] for each in took)
            ratio = cpu / one_cpu
            results[f"{workers} workers"] = {"cpu_seconds": cpu, "with_spark": all_cpu, "seconds": wall, "ratio": ratio}
            expect(
                f"{workers} of Spark's workers, {cpu:.1f} s of CPU in our processes, {ratio:.2f} times that of one, "
                f"{all_cpu:.1f} s with Spark's own, {wall:.1f} s",
                lake, expected,
            )
            if ratio > MAX_CPU_RATIO:
                fail(f"our processes took {ratio:.2f} times the CPU of one; at most {MAX_CPU_RATIO}")
            if workers == 1:
                cluster.add_worker()
        killed(cluster, files, lake, expected)
        compare_with_sql(cluster, files, lake, made, folder, results)
        load_and_aggregate(program, folder, cluster, files)
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    say(f"all is as it should be; {folder / 'results.json'} has the figures")


def compare_with_sql(cluster, files, lake, made, folder, results):
    """The decayed top 100 of each category, in Spark SQL over the same files, which it reads from the local disk."""
    listed = folder / "files.json"
    subprocess.run(
        [lake.program, "--lake", str(made), "rank", "plan", "--as-of", AS_OF, "--window", "150h", "-o", str(listed)],
        check=True, capture_output=True,
    )
    sql = pathlib.Path(__file__).with_name("decayed_sql.py")
    sql_cpu, sql_wall = timed(cluster, [str(sql)], [str(made / "rollups"), str(listed), str(folder / "sql"), AS_OF])
    cpu, wall = timed(cluster, files, ["--lake", lake.url, "rank", *RANK[:-1], "--min-items", "0", "-n", str(TOP)])
    lake.forget()
    results["Spark SQL"] = {"cpu_seconds": sql_cpu, "seconds": sql_wall, "ours": {"cpu_seconds": cpu, "seconds": wall}}
    say(f"Spark SQL: {sql_cpu:.1f} s of CPU, {sql_wall:.1f} s; the same by topsell: {cpu:.1f} s of CPU, {wall:.1f} s")
    if cpu > sql_cpu * MAX_SQL_SHARE or wall > sql_wall * MAX_SQL_SHARE:
        fail(f"the bar is a third of the CPU and of the time: {cpu / sql_cpu:.2f} and {wall / sql_wall:.2f}")


BEGAN = time.monotonic()
if __name__ == "__main__":
    main()
