"""Measures versioned lists beside nginx, which serves the same bytes as files, and kinto, on this machine.

Usage: bars.py TOPSELL FOLDER [KINTO]

KINTO is the folder of a virtual environment that has kinto. wrk makes the requests, on the same cores.
"""

import http.client
import json
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ENTRIES = 1_000_000
VERSIONS = 1_800
SECONDS = 10
FILES = 100
KINTO_ENTRIES = 20_000
PREFIXES = "application/vnd.topsell.list-prefixes"

program, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
kinto = Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else None
started = []
rows = []
draw = random.Random(7)


def row(what, value, bar=""):
    rows.append((what, value, bar))
    print(f"{what:64} {value:>18}  {bar}", flush=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, test, seconds=120):
    ends = time.monotonic() + seconds
    while not test():
        if time.monotonic() > ends:
            raise SystemExit(f"{what} does not happen within {seconds} s")
        time.sleep(0.05)


def start(name, words):
    log = open(folder / f"{name}.log", "ab")
    process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, cwd=folder)
    started.append(process)
    return process


def rss_bytes(process):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text()).group(1)) * 1024


def ask(port, path, method="GET", body=None, headers=None, connection=None):
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    own.request(method, path, body, headers or {})
    answer = own.getresponse()
    data = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {data[:200]}")
    return data


def host(number):
    # 20 bytes.
    return f"h{number * 2654435761 % 2**32:010d}.example."[:-1] + "x"


def wrk(port, paths, accept=None, seconds=SECONDS):
    """Returns requests a second and the 99th percentile in milliseconds, each request for the next of some paths."""
    header = f'wrk.headers["Accept"] = "{accept}"\n' if accept else ""
    (folder / "paths").write_text("\n".join(paths) + "\n")
    (folder / "ask.lua").write_text(
        header + f'local paths = {{}}\nfor path in io.lines("{folder}/paths") do paths[#paths + 1] = path end\n'
        "local at = 0\nrequest = function()\n  at = at % #paths + 1\n  return wrk.format(\"GET\", paths[at])\nend\n")
    words = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", str(folder / "ask.lua"), f"http://127.0.0.1:{port}/"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    p99 = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)), p99


def change(connection, add=(), remove=()):
    body = json.dumps({"add": list(add), "remove": list(remove)})
    data = ask(None, "/v1/lists/blocked", "POST", body, {"Content-Type": "application/json"}, connection)
    return json.loads(data)["version"]


def start_server(lake):
    port = free_port()
    words = [program, "--lake", lake, "serve", "--listen", f"127.0.0.1:{port}"]
    process = start("serve", words)

    def is_ready():
        try:
            return ask(port, "/readyz") == b"ok\n"
        except (OSError, SystemExit):
            return False

    until("the server is ready", is_ready)
    return process, port


def published(port, version):
    until("the change is published", lambda: json.loads(ask(port, f"/v1/lists/blocked?since={version}"))["version"] == version)


def versions_of(port, changes, first_new):
    """Makes versions of so many changes each, half of them removals, and returns the texts of all."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    versions, took = [], []
    removed = draw.sample(range(ENTRIES), VERSIONS * changes // 2 + 1)
    for number in range(VERSIONS):
        begin, half = number * changes, (changes + 1) // 2
        if changes == 1:
            add = [host(first_new + number)] if number % 2 else []
            remove = [] if number % 2 else [host(removed[number // 2])]
        else:
            add = [host(first_new + begin + of) for of in range(half)]
            remove = [host(of) for of in removed[number * half : number * half + half]]
        before = time.perf_counter()
        versions.append(change(connection, add, remove))
        took.append(time.perf_counter() - before)
    published(port, versions[-1])
    return versions, sorted(took)[int(len(took) * 0.99)] * 1000


def sizes(port, since):
    delta = json.loads(ask(port, f"/v1/lists/blocked?since={since}"))
    added, removed = len(delta["added"]), len(delta["removed"])
    direct = sum(len(json.dumps(key)) + 1 for key in delta["added"] + delta["removed"])
    as_json = len(ask(port, f"/v1/lists/blocked?since={since}"))
    data = ask(port, f"/v1/lists/blocked?since={since}", headers={"Accept": PREFIXES})
    at = 84 + int.from_bytes(data[82:84], "big")

    def part(at):
        first = at
        for _ in range(2):
            size = shift = 0
            while True:
                byte = data[at]
                at += 1
                size |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if _ == 0:
                at += 1
        return at + size - first

    of_removed = part(at)
    of_added = part(at + of_removed)
    return added, removed, of_added / added, of_removed / removed, as_json / direct, len(data)


def nginx_of(answers):
    files = folder / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    for number, data in enumerate(answers):
        (files / str(number)).write_bytes(data)
    port = free_port()
    temporary = "".join(f"{name}_temp_path {folder}/temp-{name};\n" for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    (folder / "nginx.conf").write_text(
        f"daemon off;\nworker_processes 2;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\nsendfile on;\ntcp_nopush on;\nopen_file_cache max=10000;\n{temporary}"
        f"server {{ listen 127.0.0.1:{port}; root {files}; keepalive_requests 100000000; }}\n}}\n")
    process = start("nginx", ["nginx", "-e", folder / "error.log", "-c", folder / "nginx.conf"])

    def is_ready():
        try:
            return bool(ask(port, "/0"))
        except OSError:
            return False

    until("nginx is ready", is_ready)
    return process, port


def pulls(port, versions, label, changes, first_new, bar):
    """Measures pulls from all versions while changes go on."""
    stops = threading.Event()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []

    def go_on():
        number = first_new
        while not stops.is_set():
            before = time.perf_counter()
            change(connection, [host(number + of) for of in range(changes)])
            took.append((time.perf_counter() - before) * 1000)
            number += changes
            stops.wait(max(0, 1 - (time.perf_counter() - before)))

    thread = threading.Thread(target=go_on)
    thread.start()
    order = versions[:]
    draw.shuffle(order)
    paths = [f"/v1/lists/blocked?since={version}" for version in order]
    as_prefixes = wrk(port, paths, PREFIXES)
    as_json = wrk(port, paths) if changes == 1 else None
    stops.set()
    thread.join()
    row(f"{label}: pulls/s, compact form", f"{as_prefixes[0]:,.0f}", bar)
    row(f"{label}: p99 of pulls, compact form", f"{as_prefixes[1]:.2f} ms", "< 10 ms" if changes == 1 else "")
    if as_json:
        row(f"{label}: pulls/s, JSON", f"{as_json[0]:,.0f}", bar)
        row(f"{label}: p99 of pulls, JSON", f"{as_json[1]:.2f} ms", "< 10 ms")
    row(f"{label}: slowest change meanwhile", f"{max(took):.1f} ms")
    files = [ask(port, path, headers={"Accept": PREFIXES}) for path in paths[:FILES]]
    process, nginx_port = nginx_of(files)
    of_nginx = wrk(nginx_port, [f"/{number}" for number in range(len(files))])
    process.terminate()
    row(f"{label}: nginx with the same bytes as files", f"{of_nginx[0]:,.0f}")
    size = statistics.mean(map(len, files))
    row(f"{label}: topsell / nginx, {size / 1000:,.1f} kB each", f"{as_prefixes[0] / of_nginx[0]:.2f}", "" if changes == 1 else ">= 0.5")
    return max(as_prefixes[0], as_json[0] if as_json else 0)


def seen(port):
    """How long after a change was answered a long poll has it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for number in range(20):
        version = json.loads(ask(port, "/v1/lists/blocked?since=" + change(connection, [f"seen{number}.example"])))["version"]
        published(port, change(connection, [f"seen{number}b.example"]))
        version = json.loads(ask(port, f"/v1/lists/blocked?since={version}"))["version"]
        done = []

        def wait():
            ask(port, f"/v1/lists/blocked?since={version}&wait=30s")
            done.append(time.perf_counter())

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2 + draw.random() / 2)
        before = time.perf_counter()
        change(connection, [f"seen{number}c.example"])
        thread.join()
        took.append(done[0] - before)
    row("a change is seen by a long poll, slowest of 20", f"{max(took):.2f} s", "< 1.5 s")


def with_kinto(best):
    port = free_port()
    (folder / "kinto.ini").write_text(
        "[server:main]\nuse = egg:waitress#main\nhost = 127.0.0.1\n" f"port = {port}\nthreads = 4\n"
        "[app:main]\nuse = egg:kinto\nkinto.userid_hmac_secret = a\nkinto.storage_backend = kinto.core.storage.memory\n"
        "kinto.cache_backend = kinto.core.cache.memory\nkinto.permission_backend = kinto.core.permission.memory\n"
        "kinto.bucket_write_principals = system.Everyone\nkinto.bucket_create_principals = system.Everyone\n"
        "kinto.paginate_by = 10000\nkinto.batch_max_requests = 200\nkinto.includes =\n"
        "[loggers]\nkeys = root\n[handlers]\nkeys =\n[formatters]\nkeys =\n[logger_root]\nlevel = ERROR\nhandlers =\n")
    start("kinto", [kinto / "bin/python", "-m", "kinto", "start", "--ini", folder / "kinto.ini"])

    def is_ready():
        try:
            return bool(ask(port, "/v1/"))
        except (OSError, SystemExit):
            return False

    until("kinto is ready", is_ready)
    headers = {"Content-Type": "application/json"}
    everyone = json.dumps({"permissions": {"write": ["system.Everyone"]}})
    ask(port, "/v1/buckets/b", "PUT", everyone, headers)
    ask(port, "/v1/buckets/b/collections/c", "PUT", everyone, headers)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    records = "/buckets/b/collections/c/records"

    def put(numbers):
        requests = [{"method": "PUT", "path": f"{records}/r{of}", "body": {"data": {"host": host(of)}}} for of in numbers]
        ask(port, "/v1/batch", "POST", json.dumps({"requests": requests}), headers, connection)

    for first in range(0, KINTO_ENTRIES, 200):
        put(range(first, first + 200))
    etags = []
    for number in range(VERSIONS):
        ask(port, f"/v1{records}/n{number}", "PUT", json.dumps({"data": {"host": host(KINTO_ENTRIES + number)}}), headers, connection)
        if number % 18 == 0:
            listed = json.loads(ask(port, f"/v1{records}?_limit=1", connection=connection))
            etags.append(listed["data"][0]["last_modified"])
    size = len(ask(port, f"/v1{records}?_since={etags[0]}", connection=connection))
    of_kinto = wrk(port, [f"/v1{records}?_since={etag}" for etag in etags])
    row(f"kinto (memory, {KINTO_ENTRIES:,} entries): pulls/s", f"{of_kinto[0]:,.1f}")
    row(f"kinto: bytes of {VERSIONS - 1:,} changes, not compressed", f"{size:,}")
    row("topsell / kinto", f"{best / of_kinto[0]:,.0f}", ">= 50")


shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
try:
    lake = folder / "lake"
    subprocess.run([program, "--lake", lake, "-q", "list", "create", "blocked", "--kind", "host"], check=True)
    empty, port = start_server(lake)
    without = rss_bytes(empty)
    empty.terminate()
    empty.wait()
    text = "".join(f"{host(number)}\n" for number in range(ENTRIES))
    before = time.perf_counter()
    subprocess.run([program, "--lake", lake, "-q", "list", "replace", "blocked", "-"], input=text.encode(), check=True)
    row("list replace of 1,000,000 entries", f"{time.perf_counter() - before:.1f} s")
    before = time.perf_counter()
    server, port = start_server(lake)
    row("start with 1,000,000 entries", f"{time.perf_counter() - before:.1f} s")
    row("memory an entry, after the start", f"{(rss_bytes(server) - without) / ENTRIES:.0f} B")
    whole = len(ask(port, "/v1/lists/blocked", headers={"Accept": PREFIXES}))
    row("whole list, compact form, an entry", f"{whole / ENTRIES:.2f} B", "<= 1.80 B (design)")
    versions, p99 = versions_of(port, 1, ENTRIES)
    row("change answered, p99 of 1,800", f"{p99:.1f} ms", "< 20 ms")
    added, removed, of_added, of_removed, ratio, size = sizes(port, versions[0])
    row(f"{VERSIONS:,} versions: an added entry, of {added:,}", f"{of_added:.2f} B", "<= 3.2 B")
    row(f"{VERSIONS:,} versions: a removed entry, of {removed:,}", f"{of_removed:.2f} B", "<= 1.6 B")
    row(f"{VERSIONS:,} versions: JSON / direct difference", f"{ratio:.2f}", "<= 1.2")
    best = pulls(port, versions, "1 change/s", 1, 2 * ENTRIES, ">= 5,000")
    row("memory an entry, after pulls", f"{(rss_bytes(server) - without) / ENTRIES:.0f} B", "<= 120 B")
    seen(port)
    versions, p99 = versions_of(port, 100, 3 * ENTRIES)
    row("100 changes at once answered, p99 of 1,800", f"{p99:.1f} ms", "< 20 ms")
    added, removed, of_added, of_removed, ratio, size = sizes(port, versions[0])
    row(f"180,000 changes: an added entry, of {added:,}", f"{of_added:.2f} B", "<= 3.2 B")
    row(f"180,000 changes: a removed entry, of {removed:,}", f"{of_removed:.2f} B", "<= 1.6 B")
    row("180,000 changes: JSON / direct difference", f"{ratio:.2f}", "<= 1.2")
    pulls(port, versions, "100 changes/s", 100, 5 * ENTRIES, "")
    row("memory an entry, in the end", f"{(rss_bytes(server) - without) / ENTRIES:.0f} B")
    if kinto:
        with_kinto(best)
finally:
    for process in reversed(started):
        process.terminate()
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
