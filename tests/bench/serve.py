"""Measures the server beside Redis: counts in memory, pages of counts, durable events, lists that are kept, and an
item's counts of three years.

    python tests/bench/serve.py FOLDER [--binary FILE] [--seconds 10] [--purchases 2000000]

Needs wrk, redis-server and redis-benchmark (Debian: wrk, redis-server, redis-tools). Everything runs on the
same CPUs, the load generators too. Redis keeps a counter for each item and hour: a count of 24 hours is an
MGET of 24 keys; an event is an INCR, synced each time (appendfsync always).
"""

import argparse
import csv
import datetime
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from measure import built_binary, say
from report import table

NOW = "2024-01-07T05:30:00Z"
PURCHASES, ITEMS = 2_000_000, 200_000
POST = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local number = 0
request = function()
  number = number + 1
  local id = math.random(1e15) .. "-" .. number
  local item = "item" .. number % 1000
  local event = '{"ts":"2024-01-07T05:29:00Z","event_id":"%s","item_id":"%s","quantity":1,"amount":2.50}'
  return wrk.format(nil, "/v1/events", nil, event:format(id, item))
end
"""
# A hundred events in one request, of as many types as TYPES has.
BATCH = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-ndjson"
local number, types = 0, {TYPES}
local paths = {"T1/L1", "T1/L2", "T2/L3/M1", "T3/L4|T4/L5"}
request = function()
  local lines = {}
  for line = 1, 100 do
    number = number + 1
    lines[line] = string.format(
      '{"ts":"2024-01-07T05:29:00Z","event_id":"%d-%d","item_id":"item%d","category":"%s","event_type":"%s","quantity":1}',
      math.random(1e15), number, number % 20000, paths[number % 4 + 1], types[number % #types + 1])
  end
  return wrk.format(nil, "/v1/events", nil, table.concat(lines, "\\n"))
end
"""


# An item's counts after another's.
LIFE = """\
local number, paths = 0, {PATHS}
request = function()
  number = number % #paths + 1
  return wrk.format("GET", paths[number])
end
"""
FIRST = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
LIFE_HOURS = 3 * 365 * 24


class Process:
    """A server under load, and the CPU time that it takes."""

    def __init__(self, command, port):
        self.child = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{command[0]} does not listen")

    def cpu(self):
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def memory_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.child.pid}/status").read_text())[1]) << 10

    def stop(self):
        self.child.terminate()
        self.child.wait(60)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wrk(url, seconds, connections, script=None):
    """Requests a second, and milliseconds of the median and of the slowest hundredth."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", *(["-s", script] if script else []), url]
    said = subprocess.check_output(list(map(str, command)), text=True)
    if "Non-2xx" in said:
        raise SystemExit(said)
    units = {"us": 0.001, "ms": 1, "s": 1000}

    def percentile(name):
        value, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", said).groups()
        return float(value) * units[unit]

    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), percentile(50), percentile(99)


def redis_benchmark(port, connections, requests, *command):
    words = ["redis-benchmark", "-p", port, "-c", connections, "-n", requests, "-r", ITEMS, "--csv", *command]
    line = subprocess.check_output(list(map(str, words)), text=True).splitlines()[-1]
    fields = [field.strip('"') for field in line.split(",")]
    return float(fields[1]), float(fields[4]), float(fields[6])


def row(what, process, load, per_request=1):
    say(f"  {what}")
    before, start = process.cpu(), time.monotonic()
    rate, median, most = load()
    seconds = time.monotonic() - start
    micros = (process.cpu() - before) / (rate * seconds) / per_request * 1e6
    return [what, f"{rate:,.0f}", f"{median:.2f} ms", f"{most:.2f} ms", f"{micros:.1f} µs"]


def batches(folder, types):
    script = folder / f"batch-{len(types)}.lua"
    script.write_text(BATCH.replace("{TYPES}", "{" + ", ".join(f'"{name}"' for name in types) + "}"))
    return script


def lists(server, url, folder, seconds, wait_for_lists):
    """Lists before and after they are in memory, and what it costs every purchase to keep them."""
    purchases = batches(folder, ["purchase"])
    rows = [
        row("topsell: a purchase in batches of 100, no lists; CPU per event", server,
            lambda: wrk(url, seconds, 8, purchases), 100),
        row("topsell: the three types in batches of 100; CPU per event", server,
            lambda: wrk(url, seconds, 8, batches(folder, ["view", "like", "purchase"])), 100),
    ]
    wait_for_lists()
    # Of every category, so that all lists are kept.
    for path in ["", "T1", "T1/L1", "T1/L2", "T2", "T2/L3", "T2/L3/M1", "T3", "T3/L4", "T4", "T4/L5"]:
        urllib.request.urlopen(f"{url}/v1/top?last=24h&limit=10" + (f"&category={path}" if path else "")).read()
    rows += [
        row("topsell: list of the shop, 24 hours, kept", server,
            lambda: wrk(f"{url}/v1/top?last=24h&limit=10", seconds, 16)),
        row("topsell: list of a category, 24 hours, kept", server,
            lambda: wrk(f"{url}/v1/top?last=24h&limit=10&category=T1/L1", seconds, 16)),
        row("topsell: a purchase in batches of 100, lists kept; CPU per event", server,
            lambda: wrk(url, seconds, 8, purchases), 100),
    ]
    return rows


def topsell(binary, folder, seconds, purchases):
    logs, lake = folder / "logs", folder / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    words = ["--purchases", purchases, "--items", ITEMS, "--leaves", 1000, "--tops", 50, logs]
    run = lambda *words: subprocess.run([binary, "--quiet", *map(str, words)], check=True)  # noqa: E731
    run("datagen", *words)
    run("--now", NOW, "--lake", lake, "ingest", logs)
    run("--now", NOW, "--lake", lake, "rollup")
    port = free_port()
    server = Process([binary, "--now", NOW, "--lake", lake, "serve", "--listen", f"127.0.0.1:{port}"], port)
    url = f"http://127.0.0.1:{port}"
    status = lambda: json.load(urllib.request.urlopen(f"{url}/v1/status"))  # noqa: E731
    while not status()["recent_in_memory"]:
        time.sleep(0.1)
    lines = (logs / "purchases-2024-01-07T05.csv").read_text().splitlines()[1:]
    items = list(dict.fromkeys(line.split(",")[1] for line in lines))[:20]
    page = "&".join(f"item={item}" for item in items)
    script = folder / "post.lua"
    script.write_text(POST)
    rows = [
        row("topsell: count of one item, 24 hours", server,
            lambda: wrk(f"{url}/v1/count?item={items[0]}&last=24h", seconds, 16)),
        row("topsell: a page of 20 counts; CPU per item", server,
            lambda: wrk(f"{url}/v1/count?{page}&last=24h", seconds, 16), 20),
        row("topsell: an item's whole life", server,
            lambda: wrk(f"{url}/v1/count?item={items[0]}&from=2021-01-01", seconds, 16)),
        row("topsell: one event with an id, synced", server, lambda: wrk(url, seconds, 64, script)),
    ]

    def wait_for_lists():
        deadline = time.monotonic() + 120
        while status()["lists_in_memory"] == 0:
            if time.monotonic() > deadline:
                raise SystemExit("no list is kept in memory")
            urllib.request.urlopen(f"{url}/v1/top?last=24h&limit=10").read()
            time.sleep(0.1)

    rows += lists(server, url, folder, seconds, wait_for_lists)
    memory, uncommitted = server.memory_bytes(), status()["uncommitted_events"]
    server.stop()
    return rows, f"topsell held {memory / 2**20:.0f} MiB, {uncommitted:,} of its events not in the lake yet."


def whole_life(binary, folder, seconds):
    """Counts of all hours of a lake of three years, each of another of its best sellers."""
    old = folder / "three-years"
    shutil.rmtree(old, ignore_errors=True)
    words = ["--purchases", 15 * LIFE_HOURS, "--items", 20_000, "--leaves", 1_000, "--tops", 50]
    words = [*words, "--lake-age", f"{LIFE_HOURS}h", old]
    subprocess.run([binary, "--quiet", "datagen", *map(str, words)], check=True)
    lake = old / "lake"
    end = (FIRST + datetime.timedelta(hours=LIFE_HOURS)).isoformat().replace("+00:00", "Z")
    run = lambda *words: subprocess.check_output(  # noqa: E731
        [binary, "--quiet", "--now", end, "--lake", lake, *map(str, words)], text=True
    )
    run("rank")
    run("lake", "compact")
    items = [row["item_id"] for row in csv.DictReader(run("show", "-n", 100, "--format", "csv").splitlines())]
    script = folder / "life.lua"
    paths = ", ".join(f'"/v1/count?item={item}&from={FIRST:%Y-%m-%d}"' for item in items)
    script.write_text(LIFE.replace("{PATHS}", "{" + paths + "}"))
    port = free_port()
    words = [binary, "--now", end, "--lake", lake, "serve", "--listen", f"127.0.0.1:{port}"]
    server, url = Process(words, port), f"http://127.0.0.1:{port}"
    while not json.load(urllib.request.urlopen(f"{url}/v1/status"))["recent_in_memory"]:
        time.sleep(0.1)
    rows = [row("topsell: an item's whole life of three years", server, lambda: wrk(url, seconds, 1, script))]
    server.stop()
    return rows


def redis(folder, seconds):
    port = free_port()
    words = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", folder]
    server = Process(["redis-server", *words, "--appendfsync", "always"], port)
    keys = [f"item:__rand_int__:{hour}" for hour in range(24)]
    requests = 20_000 * seconds
    rows = [
        row("redis: GET of one key", server, lambda: redis_benchmark(port, 16, requests, "GET", keys[0])),
        row("redis: MGET of 24 hours of one item", server,
            lambda: redis_benchmark(port, 16, requests // 2, "MGET", *keys)),
        row("redis: INCR, synced, 100 at a time; CPU per event", server,
            lambda: redis_benchmark(port, 8, requests, "-P", 100, "INCR", keys[0])),
        row("redis: INCR, synced", server, lambda: redis_benchmark(port, 64, requests, "INCR", keys[0])),
    ]
    server.stop()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--binary", type=Path, help="instead of the release build of this folder")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--purchases", type=int, default=PURCHASES)
    options = parser.parse_args()
    missing = [name for name in ("wrk", "redis-server", "redis-benchmark") if not shutil.which(name)]
    if missing:
        raise SystemExit(f"install {', '.join(missing)} first: apt-get install wrk redis-server redis-tools")
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    binary = (options.binary or built_binary()).resolve()
    rows, memory = topsell(binary, folder, options.seconds, options.purchases)
    rows += whole_life(binary, folder, options.seconds)
    rows += redis(folder, options.seconds)
    head = ["", "requests/s", "median", "99 %", "server CPU per request"]
    print(f"{table(head, rows)}\n\n{memory}")


if __name__ == "__main__":
    main()
