"""Power failures: all commands run on a file system whose block writes are recorded; then the disk is put
together as a power failure at many moments may leave it, mounted, and compared with what was acknowledged.

Usage: power.py TOPSELL FOLDER [CUTS [SEED]]

Of each of ext4, XFS and Btrfs, CUTS moments are tried (default 40). What the disk was told to flush is there;
of what was written since, at random: everything, nothing, some writes, or some sectors. Required is:

- the file system can be mounted, and the lake has no damage;
- an acknowledged batch is complete, and any other batch is complete or absent, also one that a server took in,
  whose log is moved to the lake first;
- the current ranking is the newest that was reported as published, or a newer one;
- ingesting everything again gives each purchase once, and the same best sellers as without a failure.

As a control, the last flushes are ignored as well, like by a disk that does not obey them: some of these
moments must fail, or this test would find nothing.

Needs root, loop devices and FUSE; writes only in FOLDER.
"""

import collections
import json
import pathlib
import random
import shutil
import subprocess
import sys
import time
import urllib.request

from recorded_disk import Disk, Record, loop_device, wait_until_detached

TOPSELL = str(pathlib.Path(sys.argv[1]).resolve())
FOLDER = pathlib.Path(sys.argv[2]).resolve()
CUTS = int(sys.argv[3]) if len(sys.argv) > 3 else 40
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else 1
CONTROLS = 12
FLUSHES_IGNORED = 12
SIZE = 384 << 20
LIMIT = 120
ROUNDS = 12
MESSAGES = 4
SERVED = 4
# So long that the server moves what it has acknowledged to the lake between some of the requests.
REQUEST_PAUSE = 0.15
ROWS = 25
FIRST_HOUR = 6
FILE_SYSTEMS = {
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard"],
    "xfs": ["mkfs.xfs", "-q", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-K"],
}


class Lost(Exception):
    """What a power failure has done that it must not."""


def run(lake, hour, *arguments, stdin=None):
    now = f"2017-01-14T{hour:02}:00:00Z"
    command = [TOPSELL, "--lake", lake, "--now", now, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode != 0:
        raise Lost(f"{' '.join(map(str, arguments))}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def lines_of(batch, hour):
    """The purchases of a batch: all of one item, so that its units tell whether the batch is whole."""
    return [
        f'{{"event_id":"{batch}-{row}","ts":"2017-01-14T{hour:02}:{row:02}:00Z","item_id":"{batch}",'
        f'"category":"Food/{batch[0]}","quantity":1}}\n'
        for row in range(ROWS)
    ]


def batches_of(round_):
    """The batches of a round: a file, messages of a stream, and requests to a server."""
    messages = [f"message{round_}-{k}" for k in range(MESSAGES)]
    return [f"file{round_}"], messages, [f"served{round_}-{k}" for k in range(SERVED)]


def ingest_file(lake, batch, hour, folder):
    path = folder / f"{batch}.ndjson"
    path.write_text("".join(lines_of(batch, hour)))
    run(lake, hour + 1, "ingest", path)


def ingest_stream(lake, batches, hour, acknowledged):
    """Sends one transaction for each batch, and calls `acknowledged` when its answer has come."""
    now = f"2017-01-14T{hour + 1:02}:00:00Z"
    command = [TOPSELL, "--lake", lake, "--now", now, "ingest", "--format", "ndjson", "--ack", "rsyslog", "-"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    if process.stdout.readline() != "OK\n":
        raise Lost(f"the stream is not ready: {process.stderr.read()}")
    for batch in batches:
        process.stdin.writelines(["BEGIN TRANSACTION\n", *lines_of(batch, hour), "COMMIT TRANSACTION\n"])
        process.stdin.flush()
        answers = [process.stdout.readline() for _ in range(ROWS + 2)]
        if answers[-1] != "OK\n":
            raise Lost(f"the stream was not acknowledged: {answers} {process.stderr.read()}")
        acknowledged(batch)
    process.stdin.close()
    process.wait(timeout=LIMIT)


class Server:
    """A server of a lake, ready to answer, which moves events from its log to the lake at once."""

    def __init__(self, lake, hour):
        now = f"2017-01-14T{hour:02}:00:00Z"
        command = [TOPSELL, "--lake", lake, "--now", now, "serve", "--listen", "127.0.0.1:0", "--segment-age", "0s"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "listening on " in line:
                self.address = "http://" + line.split("://")[1].split()[0]
            if line.rstrip().endswith("ready"):
                return
        raise Lost(f"the server does not start: {''.join(said).strip()}")

    def post(self, batch, hour):
        body = "".join(lines_of(batch, hour)).encode()
        request = urllib.request.Request(f"{self.address}/v1/events", body, {"Content-Type": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            if json.load(answer)["accepted"] != ROWS:
                raise Lost(f"the server has not accepted {batch}")

    def stop(self):
        """Stops the server, which moves its whole log to the lake before it ends."""
        self.process.terminate()
        said = self.process.communicate(timeout=LIMIT)[1]
        if self.process.returncode != 0:
            raise Lost(f"the server ended with exit code {self.process.returncode}: {said.strip()}")

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=LIMIT)


def serve(lake, batches, hour, acknowledged, ends):
    """Sends one request for each batch, and calls `acknowledged` when its answer has come."""
    server = Server(lake, hour + 1)
    try:
        for batch in batches:
            server.post(batch, hour)
            acknowledged(batch)
            time.sleep(REQUEST_PAUSE)
        ends(server)
    finally:
        server.kill()


def write_lake(lake, folder, acknowledged):
    """Runs all commands that write; `acknowledged(kind, what)` is called when one is done."""
    for round_ in range(ROUNDS):
        hour = FIRST_HOUR + round_
        files, messages, served = batches_of(round_)
        for batch in files:
            ingest_file(lake, batch, hour, folder)
            acknowledged("batch", batch)
        ingest_stream(lake, messages, hour, lambda batch: acknowledged("batch", batch))
        # The server of the next round begins with the log of one that was killed.
        ends = Server.stop if round_ % 2 else Server.kill
        serve(lake, served, hour, lambda batch: acknowledged("batch", batch), ends)
        if round_ % 3 == 1:
            run(lake, hour + 1, "rollup")
        run(lake, hour + 1, "rank", *(["--all-items"] if round_ % 2 else []))
        acknowledged("ranking", f"2017-01-14T{hour + 1:02}:00:00Z")
        if round_ % 3 == 2:
            run(lake, hour + 1, "lake", "compact")
            run(lake, hour + 1, "lake", "prune", "--keep-versions", "0s")


def units(lake):
    """Returns the units of each item, after a ranking of everything."""
    try:
        run(lake, 23, "rank", "--window", "24h", "--no-decay", "--limit", "1000")
    except Lost as loss:
        # Nothing was ingested yet.
        if "no item is eligible" in str(loss):
            return {}
        raise
    return {item["item_id"]: item["units"] for item in current(lake)["items"]}


def current(lake):
    return json.loads(run(lake, 23, "show", "--limit", "1000", "--json"))


def best_sellers(lake):
    """Returns the current ranking without what it says about earlier ones."""
    names = ["rank", "item_id", "score", "units", "purchases", "amount"]
    return [[item[name] for name in names] for item in current(lake)["items"]]


def check(lake, folder, acknowledged, expected):
    batches = {what for kind, what in acknowledged if kind == "batch"}
    rankings = [what for kind, what in acknowledged if kind == "ranking"]
    if rankings:
        as_of = current(lake)["as_of"]
        if as_of < rankings[-1]:
            raise Lost(f"the current ranking is of {as_of}, and one of {rankings[-1]} was published")
    Server(lake, 22).stop()
    run(lake, 22, "lake", "verify")
    for batch, count in units(lake).items():
        if count != ROWS:
            raise Lost(f"of batch {batch} there are {count} of {ROWS}")
    missing = batches - units(lake).keys()
    if missing:
        raise Lost(f"batches were acknowledged and are missing: {sorted(missing)}")
    write_again(lake, folder)
    if best_sellers(lake) != expected:
        raise Lost("after ingesting everything again, the best sellers differ")


def write_again(lake, folder):
    for round_ in range(ROUNDS):
        files, messages, served = batches_of(round_)
        for batch in [*files, *messages, *served]:
            path = folder / f"{batch}.ndjson"
            path.write_text("".join(lines_of(batch, FIRST_HOUR + round_)))
    run(lake, 22, "ingest", *sorted(folder.glob("*.ndjson")))
    units(lake)


class Mounted:
    """An image, mounted; unmounted at the end."""

    def __init__(self, image, point):
        self.image, self.point = image, point

    def __enter__(self):
        self.device = loop_device(self.image)
        self.point.mkdir(exist_ok=True)
        done = subprocess.run(["mount", self.device, self.point], capture_output=True, text=True)
        if done.returncode != 0:
            self.detach()
            raise Lost(f"the file system cannot be mounted: {done.stderr.strip()}")
        return self.point

    def __exit__(self, *error):
        subprocess.run(["umount", self.point], check=True)
        self.detach()

    def detach(self):
        subprocess.run(["losetup", "-d", self.device], check=True)
        wait_until_detached(self.device)


def record(name, directory):
    """Runs all commands on a recorded disk, and returns what was acknowledged when."""
    acknowledgements = []
    disk = Disk(directory, SIZE)
    point = directory / "mounted"
    point.mkdir()
    files = directory / "files"
    files.mkdir()
    try:
        subprocess.run([*FILE_SYSTEMS[name], disk.device], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["mount", disk.device, point], check=True)
        begin = disk.recorded()
        try:
            write_lake(
                point / "lake", files, lambda *what: acknowledgements.append((disk.recorded(), what))
            )
            end = disk.recorded()
        finally:
            subprocess.run(["umount", point], check=True)
    finally:
        disk.close()
    return begin, end, acknowledgements


def ways_to_keep(chance):
    """What is kept of writes that were not flushed: returns the name of a way and its choice of sectors."""
    share = chance.choice([0.2, 0.5, 0.9])
    return chance.choice([
        ("nothing", lambda sectors: [False] * sectors),
        ("everything", lambda sectors: [True] * sectors),
        ("some writes", lambda sectors: [chance.random() < share] * sectors),
        ("some sectors", lambda sectors: [chance.random() < share for _ in range(sectors)]),
    ])


def fail_at_many_moments(name, directory, expected, chance):
    started = time.monotonic()
    begin, end, acknowledgements = record(name, directory)
    recorded = Record(directory, SIZE)
    entries = range(len(recorded.entries))
    cuts = [at + 1 for at in entries if begin <= recorded.entries[at][0] <= end]
    flushes = sum(kind == b"F" for _, kind, *_ in recorded.entries)
    print(f"{name}: {len(recorded.entries)} entries recorded, {flushes} of them flushes, "
          f"{len(acknowledgements)} acknowledgements")
    losses, ways, unflushed = [], collections.Counter(), 0
    # Most is at risk just before a flush.
    before_flushes = [cut for cut in cuts if recorded.entries[cut - 1][1] == b"F"]
    before_flushes = [cut - 1 for cut in before_flushes if cut > cuts[0]]
    chosen = chance.choices(cuts, k=CUTS - CUTS // 2) + chance.choices(before_flushes, k=CUTS // 2)
    for cut in sorted(chosen):
        way, keeps = ways_to_keep(chance)
        ways[way] += 1
        at_risk, loss = fail_at(recorded, cut, keeps, directory, acknowledgements, expected)
        unflushed += at_risk
        if loss:
            losses.append(f"{name}, entry {cut}, {way} kept: {loss}")
    # The last flushes are ignored from here on; images go forward again.
    recorded = Record(directory, SIZE)

    def half_of_writes(sectors):
        return [chance.random() < 0.5] * sectors

    found = 0
    for cut in sorted(chance.choices(cuts[len(cuts) // 3 :], k=CONTROLS)):
        _, loss = fail_at(recorded, cut, half_of_writes, directory, acknowledgements, expected, FLUSHES_IGNORED)
        found += loss is not None
    kept = ", ".join(f"{way} {count}" for way, count in sorted(ways.items()))
    print(f"{name}: {CUTS} power failures ({kept}; {unflushed} writes at risk), {len(losses)} with a loss; "
          f"control: {found} of {CONTROLS} with a loss; {time.monotonic() - started:.0f} s", flush=True)
    if found == 0:
        losses.append(f"{name}: the control found nothing")
    return losses


def fail_at(recorded, cut, keeps, directory, acknowledgements, expected, flushes_ignored=0):
    """Returns how many writes were not flushed, and what was lost."""
    image = directory / "image"
    at_risk = recorded.image(image, cut, keeps, flushes_ignored)
    moment = recorded.entries[cut - 1][0]
    acknowledged = [what for position, what in acknowledgements if position <= moment]
    files = directory / "again"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    try:
        with Mounted(image, directory / "recovered") as point:
            check(point / "lake", files, acknowledged, expected)
        return at_risk, None
    except Lost as loss:
        return at_risk, loss
    except OSError as error:
        return at_risk, Lost(f"the file system fails: {error}")


def main():
    chance = random.Random(SEED)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    intact = FOLDER / "intact"
    intact.mkdir()
    write_again(intact / "lake", intact)
    expected = best_sellers(intact / "lake")
    losses = []
    for name in FILE_SYSTEMS:
        directory = FOLDER / name
        directory.mkdir()
        losses.extend(fail_at_many_moments(name, directory, expected, chance))
        shutil.rmtree(directory)
    for loss in losses:
        print(loss, file=sys.stderr)
    if losses:
        sys.exit(f"{len(losses)} losses; seed {SEED}")


main()
