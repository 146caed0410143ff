"""Has programs of others follow a list of a server: curl with jq, minisign, dnsmasq and rspamd, and a decoder of the compact
form that shares no code with the server's.

Usage: real_clients.py TOPSELL FOLDER
"""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

WITHIN_SECONDS = 30
# rspamd compiles its rules when it first starts.
RSPAMD_STARTS_WITHIN_SECONDS = 300
BOOK = Path("docs/src/guides/lists.md")

program, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
checks = 0
started = []


def check(is_so, what):
    global checks
    checks += 1
    if not is_so:
        raise SystemExit(f"WRONG: {what}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, test, seconds=WITHIN_SECONDS):
    ends = time.monotonic() + seconds
    while not test():
        check(time.monotonic() < ends, f"within {seconds} s {what}")
        time.sleep(0.1)


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, cwd=folder, **more).stdout


def start(name, words):
    log = open(folder / f"{name}.log", "ab")
    process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, cwd=folder)
    started.append(process)
    return process


def topsell(*words):
    return run(program, "--lake", folder / "lake", "-q", *words)


def get(path, **headers):
    request = urllib.request.Request(url + path, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def change(**body):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url + "/v1/lists/blocked", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        version = json.load(answer)["version"]
    until("the change is published", lambda: json.loads(get("/v1/lists/blocked"))["version"] == version)


# curl, with an entity tag.
def with_curl():
    def fetch():
        address = url + "/v1/lists/blocked.txt"
        return run("curl", "-sS", "--etag-save", "tag", "--etag-compare", "tag", "-o", "curl.txt", "-w", "%{http_code}", address)

    check(fetch() == b"200", "curl fetches the list")
    check(fetch() == b"304", "curl is told that nothing has changed")
    change(add=["curl.example"])
    check(fetch() == b"200", "curl fetches the list when it has changed")
    check(b"curl.example\n" in (folder / "curl.txt").read_bytes(), "and has what is new")


# The twenty lines of the book, with curl and jq.
def with_shell():
    script = re.search(r"```sh\n(#!/bin/sh\n.*?)```", BOOK.read_text(), re.S).group(1)
    (folder / "follow-list").write_text(script)

    def follow():
        run("sh", "follow-list", url + "/v1/lists/blocked", "blocked.txt")
        return (folder / "blocked.txt").read_bytes()

    check(follow() == get("/v1/lists/blocked.txt"), "the shell client has the list")
    for number in range(20):
        change(add=[f"n{number}.example"], remove=[f"n{number - 3}.example"])
        if number % 4 == 0:
            check(follow() == get("/v1/lists/blocked.txt"), f"after change {number}")
            check(b'"full":false' in (folder / "blocked.txt.answer").read_bytes(), "it got what had changed")


# The compact form, read by what is written in the book.
def numbers(data, at):
    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    count = varint()
    low_bits = data[at]
    at += 1
    size = varint()
    bits = int.from_bytes(data[at : at + size], "little")
    at += size
    values, value = [], 0
    for _ in range(count):
        ones = 0
        while bits & 1:
            ones += 1
            bits >>= 1
        bits >>= 1
        value += (ones << low_bits) | (bits & ((1 << low_bits) - 1))
        bits >>= low_bits
        values.append(value)
    return values, at


def with_prefixes():
    form = {"Accept": "application/vnd.topsell.list-prefixes"}

    def follow(version, held):
        data = get(f"/v1/lists/blocked?since={version}", **form)
        check(data[:5] == b"TSLP\x01", "it begins as documented")
        version = base64.urlsafe_b64encode(data[10:38]).rstrip(b"=").decode()
        (entries,) = struct.unpack(">I", data[46:50])
        (signature_size,) = struct.unpack(">H", data[82:84])
        removed, at = numbers(data, 84 + signature_size)
        added, at = numbers(data, at)
        check(at == len(data), "nothing follows")
        removed = set(removed)
        kept = [] if data[5] else [prefix for index, prefix in enumerate(held) if index not in removed]
        held = sorted(kept + added)
        digest = hashlib.sha256(b"".join(struct.pack(">I", prefix) for prefix in held)).digest()
        check(digest == data[50:82] and len(held) == entries, "the prefixes have the hash that the answer says")
        text = data[92 : 84 + signature_size].decode()
        verify(text, "prefixes", version, data[38:46], data[84:92], entries, digest.hex())
        return version, held, bool(data[5])

    version, held, is_full = follow("", [])
    check(is_full, "the whole list comes first")
    for number in range(6):
        change(add=[f"p{number}.example", f"q{number}.example"], remove=[f"p{number - 2}.example", f"n{number + 14}.example"])
        version, held, is_full = follow(version, held)
        check(not is_full, "then what has changed")
    entries = get("/v1/lists/blocked.txt").decode().split()
    expected = sorted(int(hashlib.sha256(entry.encode()).hexdigest()[:8], 16) for entry in entries)
    check(held == expected, "the prefixes are those of the entries")
    hashes = json.loads(get(f"/v1/lists/blocked?prefix={hashlib.sha256(b'q1.example').hexdigest()[:8]}"))
    check(hashlib.sha256(b"q1.example").hexdigest() in [of["sha256"] for of in hashes["hashes"]], "full hashes are told")


def verify(signature, form, version, time_text, expires_text, entries, digest):
    def text(of):
        if isinstance(of, str):
            return of
        micros = struct.unpack(">q", of)[0]
        seconds, rest = divmod(micros, 1_000_000)
        fraction = f".{rest:06d}".rstrip("0").rstrip(".") if rest else ""
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"

    (folder / "signed").write_text(
        f"topsell list blocked\nform {form}\nversion {version}\ntime {text(time_text)}\nexpires {text(expires_text)}\n"
        f"entries {entries}\nsha256 {digest}\n")
    (folder / "signed.minisig").write_text(signature)
    run("minisign", "-V", "-p", "lists.pub", "-m", "signed", "-x", "signed.minisig")


# minisign itself.
def with_minisign():
    of = json.loads(get("/v1/lists/blocked"))
    fields = [of["version"], of["time"], of["expires"], of["entries"], of["sha256"]]
    verify(of["signature"], "text", *fields)
    try:
        verify(of["signature"], "text", *fields[:3], of["entries"] + 1, of["sha256"])
    except subprocess.CalledProcessError:
        pass
    else:
        check(False, "minisign refuses another number of entries")
    topsell("list", "fetch", url + "/v1/lists/blocked", "--into", folder / "signed.txt", "--key", folder / "lists.pub")
    check((folder / "signed.txt").read_bytes() == get("/v1/lists/blocked.txt"), "list fetch takes what minisign takes")


# dnsmasq answers with the address of the hosts file.
def address_of(host, port):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
    query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.sendto(query, ("127.0.0.1", port))
        try:
            answer = sock.recv(512)
        except (TimeoutError, ConnectionError):
            return None
    (answers,) = struct.unpack(">H", answer[6:8])
    return socket.inet_ntoa(answer[-4:]) if answers else ""


def with_dnsmasq():
    port = free_port()

    def fetch():
        (folder / "hosts.new").write_bytes(get("/v1/lists/blocked.hosts"))
        os.replace(folder / "hosts.new", folder / "hosts")

    fetch()
    words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", f"--port={port}"]
    words += ["--listen-address=127.0.0.1", "--bind-interfaces", f"--addn-hosts={folder}/hosts", "--user=root", "--pid-file"]
    dnsmasq = start("dnsmasq", words)
    until("dnsmasq answers", lambda: address_of("bad.example", port) == "0.0.0.0")
    check(address_of("dns.example", port) == "", "it does not know what is not in the list")
    change(add=["dns.example"], remove=["bad.example"])
    fetch()
    dnsmasq.send_signal(signal.SIGHUP)
    until("dnsmasq has what is new", lambda: address_of("dns.example", port) == "0.0.0.0")
    check(address_of("bad.example", port) == "", "and no longer what was removed")


# rspamd scans a mail before and after.
def with_rspamd():
    port = free_port()
    for name in ["rspamd/local.d", "rspamd/override.d", "rspamd/db", "rspamd/run", "rspamd/log"]:
        (folder / name).mkdir(parents=True)
    local = folder / "rspamd/local.d"
    (local / "options.inc").write_text(
        'map_watch_interval = 1s;\ndns { nameserver = "127.0.0.1:9"; timeout = 0.1s; retransmits = 1; }\n'
        f'control_socket = "{folder}/rspamd/run/control.sock mode=0600";\n')
    (local / "logging.inc").write_text(f'type = "file";\nfilename = "{folder}/rspamd/log/rspamd.log";\n')
    (local / "worker-normal.inc").write_text(f'bind_socket = "127.0.0.1:{port}";\ncount = 1;\n')
    for worker in ["controller", "proxy", "fuzzy"]:
        (local / f"worker-{worker}.inc").write_text("enabled = false;\n")
    (local / "multimap.conf").write_text(
        f'BLOCKED_SENDER {{ type = "from"; filter = "email:domain"; map = "{url}/v1/lists/blocked.txt"; score = 8.0; }}\n')
    variables = {"LOCAL_CONFDIR": "rspamd", "DBDIR": "rspamd/db", "RUNDIR": "rspamd/run", "LOGDIR": "rspamd/log"}
    words = ["rspamd", "-f", "-i", "-c", "/etc/rspamd/rspamd.conf"]
    start("rspamd", words + [f"--var={name}={folder / path}" for name, path in variables.items()])
    mail = b"From: a@spam.example\r\nTo: b@good.example\r\nSubject: hello\r\nMessage-ID: <1@spam.example>\r\n\r\nhello\r\n"

    def blocks():
        request = urllib.request.Request(f"http://127.0.0.1:{port}/checkv2", mail, {"From": "a@spam.example"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return "BLOCKED_SENDER" in json.load(answer)["symbols"]
        except (OSError, urllib.error.URLError):
            return None

    until("rspamd scans", lambda: blocks() is not None, RSPAMD_STARTS_WITHIN_SECONDS)
    check(blocks() is False, "the sender is not blocked before")
    change(add=["spam.example"])
    until("rspamd blocks the sender after", lambda: blocks() is True, 120)


shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
try:
    run("minisign", "-G", "-W", "-f", "-p", "lists.pub", "-s", "lists.key")
    topsell("list", "create", "blocked", "--kind", "host")
    topsell("list", "add", "blocked", "bad.example", "other.example")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    start("serve", [program, "--lake", folder / "lake", "serve", "--listen", f"127.0.0.1:{port}", "--list-key", "lists.key"])
    until("the server is ready", lambda: subprocess.run(["curl", "-sf", url + "/readyz"], capture_output=True).returncode == 0)
    for client in [with_curl, with_shell, with_minisign, with_prefixes, with_dnsmasq, with_rspamd]:
        client()
        print(f"{client.__name__.removeprefix('with_')}: as it should be", flush=True)
finally:
    for process in reversed(started):
        process.terminate()
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
print(f"{checks} checks")
