"""Runs a server behind nginx as jobs/nginx/topsell.conf sets it up, on the loopback interface, and asks through it.

Usage: behind_nginx.py TOPSELL FOLDER
"""

import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

WITHIN_SECONDS = 30
READ, WRITE = "read-token-of-the-test", "write-token-of-the-test"
CONFIG = Path("jobs/nginx/topsell.conf")

program, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
checks = 0


def check(is_so, what):
    global checks
    checks += 1
    if not is_so:
        raise SystemExit(f"WRONG: {what}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, test):
    ends = time.monotonic() + WITHIN_SECONDS
    while not test():
        check(time.monotonic() < ends, f"within {WITHIN_SECONDS} s {what}")
        time.sleep(0.05)


def certificate():
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example",
         "-keyout", folder / "shop.key", "-out", folder / "shop.pem"],
        check=True, capture_output=True)


def configuration(upstream, port):
    """The file as it is shipped, with this test's ports and paths, and lower rates."""
    text = CONFIG.read_text()
    for old, new in [
        ("server 127.0.0.1:7600;", f"server 127.0.0.1:{upstream};"),
        ("    listen 443 ssl;", f"    listen 127.0.0.1:{port} ssl;"),
        ("    listen [::]:443 ssl;\n", ""),
        ("/etc/nginx/topsell.pem", str(folder / "shop.pem")),
        ("/etc/nginx/topsell.key", str(folder / "shop.key")),
        ("/var/cache/nginx/topsell", str(folder / "cache")),
        ("zone=topsell_reads:10m  rate=100r/s", "zone=topsell_reads:10m  rate=5r/s"),
    ]:
        check(old in text, f"{CONFIG} has `{old.strip()}`")
        text = text.replace(old, new)
    (folder / "topsell.conf").write_text(text)
    temporary = "".join(f"{name}_temp_path {folder}/temp-{name};\n" for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log {folder}/access.log;\n{temporary}include {folder}/topsell.conf;\n}}\n")


def start_server(port):
    log = open(folder / "serve.log", "ab")
    words = ["--lake", folder / "lake", "serve", "--listen", f"127.0.0.1:{port}", "--token-file", folder / "tokens.txt"]
    return subprocess.Popen([program, *words], stderr=log)


class Client:
    def __init__(self, port):
        self.port = port
        self.context = ssl.create_default_context(cafile=folder / "shop.pem")

    def ask(self, method, target, token=READ, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_SECONDS)
        connection.connect()
        connection.sock = self.context.wrap_socket(connection.sock, server_hostname="shop.example")
        headers = {"Host": "shop.example", **({"Authorization": f"Bearer {token}"} if token else {}), **dict(headers)}
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), answer.read()
        finally:
            connection.close()


def run(client, upstream, server):
    until("it answers", lambda: client_status(client, "/v1/status") == 200)
    time.sleep(1)
    now = int(time.time())
    lines = "".join(json.dumps({"ts": now - 7200, "event_id": f"o{at}", "item_id": f"i{at % 3}"}) + "\n" for at in range(30))
    ndjson = {"Content-Type": "application/x-ndjson"}
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    status, headers, body = client.ask("POST", "/v1/events", WRITE, lines, {**ndjson, "traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    check(status == 200 and json.loads(body)["accepted"] == 30, f"events pass: {status} {body}")
    check(headers["traceresponse"].startswith(f"00-{trace}-"), "the trace passes both ways")
    packed = gzip.compress(lines.encode())
    status, _, body = client.ask("POST", "/v1/events", WRITE, packed, {**ndjson, "Content-Encoding": "gzip"})
    check(status == 200, f"compressed events pass: {status} {body}")
    check(client.ask("POST", "/v1/events", READ, lines, ndjson)[0] == 401, "tokens are the server's matter")
    check(client.ask("POST", "/v1/events", WRITE, b"x" * (17 << 20), ndjson)[0] == 413, "a body of 17 MiB is refused")
    status, headers, body = client.ask("GET", "/v1/count?item=i0&last=24h")
    check(status == 200 and json.loads(body)["items"][0]["units"] == 10, f"counts pass: {body}")
    check(client.ask("GET", "/v1/count?item=i0&last=24h", headers={"If-None-Match": headers["etag"]})[0] == 304, "tags pass")
    time.sleep(2)
    status, headers, body = client.ask("GET", "/", None)
    check(status == 200 and b"<title>topsell</title>" in body, "the page passes")
    check("default-src 'none'" in headers["content-security-policy"], "and its policy")
    for target in ["/metrics", "/healthz", "/readyz", "/other"]:
        check(client.ask("GET", target)[0] == 404, f"{target} is not passed on")
    rankings(client)
    limits(client)
    away(client, upstream, server)


def client_status(client, target):
    try:
        return client.ask("GET", target)[0]
    except OSError:
        return None


def rankings(client):
    check(rank() == 0, "a ranking is published")
    status, headers, body = client.ask("GET", "/v1/show?limit=2")
    check((status, headers["x-cache"]) == (200, "MISS"), f"{status} {headers}")
    check(json.loads(body)["items"][0]["units"] >= 20, f"{body}")
    status, headers, again = client.ask("GET", "/v1/show?limit=2")
    check((status, headers["x-cache"], again) == (200, "HIT", body), f"{status} {headers}")
    tag = headers["etag"]
    status, headers, _ = client.ask("GET", "/v1/show?limit=2", headers={"If-None-Match": tag})
    check(status == 304, f"a client's tag is compared: {status}")
    check(client.ask("GET", "/v1/show?limit=2", None)[0] == 401, "what is kept for a token is for that token")
    # After a second it is asked for again, by its tag.
    time.sleep(1.5)
    seen = [client.ask("GET", "/v1/show?limit=2")[1]["x-cache"] for _ in range(2) if time.sleep(0.3) is None]
    check(seen[0] in ("STALE", "UPDATING", "REVALIDATED") and seen[1] in ("HIT", "UPDATING", "REVALIDATED"), f"{seen}")


def rank():
    # Events of another door: those of the server may not be in the lake yet.
    (folder / "more.ndjson").write_text("".join(json.dumps({"ts": int(time.time()) - 7200, "item_id": "i1"}) + "\n" for _ in range(20)))
    subprocess.run([program, "--lake", folder / "lake", "-q", "ingest", folder / "more.ndjson"], check=True)
    return subprocess.run([program, "--lake", folder / "lake", "-q", "rank", "--min-items", "0"]).returncode


def limits(client):
    statuses = [client.ask("GET", "/v1/status")[0] for _ in range(260)]
    check(statuses.count(200) >= 150 and 429 in statuses, f"{statuses.count(200)} of 260 are answered, then 429")
    time.sleep(3)


def away(client, upstream, server):
    server.send_signal(signal.SIGTERM)
    check(server.wait(WITHIN_SECONDS) == 0, "the server stops")
    status, headers, _ = client.ask("GET", "/v1/show?limit=2")
    check(status == 200, f"the last ranking is shown while the server is away: {status} {headers}")
    check(client.ask("GET", "/v1/count?item=i0")[0] == 502, "a count is not")
    again = start_server(upstream)
    try:
        until("it answers again", lambda: client_status(client, "/v1/count?item=i0") == 200)
    finally:
        again.send_signal(signal.SIGTERM)
        check(again.wait(WITHIN_SECONDS) == 0, "the server stops again")


def main():
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Its worker must reach the folder where it is started by root.
    os.chmod(folder, 0o755)
    (folder / "tokens.txt").write_text(f"read {READ}\nwrite {WRITE}\n")
    certificate()
    upstream, port = free_port(), free_port()
    configuration(upstream, port)
    tested = subprocess.run(["nginx", "-t", "-q", "-p", folder, "-c", folder / "nginx.conf"], capture_output=True, text=True)
    check(tested.returncode == 0 and "warn" not in tested.stderr, tested.stderr)
    server = start_server(upstream)
    nginx = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"])
    try:
        run(Client(port), upstream, server)
    finally:
        for process in [nginx, server]:
            process.terminate()
            process.wait(WITHIN_SECONDS)
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()
    print(f"{checks} checks behind {version}, all is well")


main()
