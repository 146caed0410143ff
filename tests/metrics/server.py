"""Prints the metrics of a server that has taken in events and answered requests.

    python tests/metrics/server.py PROGRAM LAKE
"""

import argparse
import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until_ready(url):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server is not ready")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("program", type=Path)
    arguments.add_argument("lake", type=Path)
    options = arguments.parse_args()
    port = free_port()
    words = [options.program, "--lake", options.lake, "serve", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url)
        event = json.dumps({"ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "item_id": "mug"}).encode()
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{url}/v1/events", event, headers), timeout=30).read()
        for question in ["count?item=mug", "top?last=1h", "top?last=10min"]:
            urllib.request.urlopen(f"{url}/v1/{question}", timeout=30).read()
        print(urllib.request.urlopen(f"{url}/metrics", timeout=30).read().decode(), end="")
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    main()
