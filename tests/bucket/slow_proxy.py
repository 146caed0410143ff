"""Runs a command whose requests to a store each take some milliseconds longer, and are counted.

    slow_proxy.py MILLISECONDS COMMAND [ARGUMENT...]

Stands between the command and the store of AWS_ENDPOINT_URL. Prints the number of requests of each method to stderr,
and how many commits of tables were made and how many were refused because another one was first. Fails where, of each
commit, more were refused than MAX_LOST_RACES.
"""

import asyncio
import collections
import os
import re
import sys
import time
import urllib.parse


async def read_head(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return head, lines[0].split(" "), headers


async def relay_body(reader, writer, headers):
    if headers.get("transfer-encoding") == "chunked":
        while True:
            size = await reader.readline()
            writer.write(size)
            chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
            writer.write(chunk)
            if len(chunk) == 2:
                break
    else:
        left = int(headers.get("content-length", 0))
        while left:
            some = await reader.read(min(left, 1 << 16))
            if not some:
                raise asyncio.IncompleteReadError(b"", left)
            writer.write(some)
            left -= len(some)
    await writer.drain()


async def main():
    delay, command = float(sys.argv[1]) / 1_000, sys.argv[2:]
    store = urllib.parse.urlparse(os.environ["AWS_ENDPOINT_URL"])
    counts, commits = collections.Counter(), collections.Counter()

    async def serve(reader, writer):
        up_reader = up_writer = None
        try:
            up_reader, up_writer = await asyncio.open_connection(store.hostname, store.port)
            while True:
                head, (method, path, *_), headers = await read_head(reader)
                is_listing = method == "GET" and "list-type=" in path
                counts["LIST" if is_listing else method] += 1
                if "REQUESTS" in os.environ:
                    with open(os.environ["REQUESTS"], "a") as log:
                        log.write(f"{time.monotonic():.3f} {method} {path[:160]} {headers.get('range', '')}\n")
                await asyncio.sleep(delay)
                up_writer.write(head)
                await relay_body(reader, up_writer, headers)
                answer, (_, status, *_), headers = await read_head(up_reader)
                if method == "PUT" and re.search(r"_delta_log/\d{20}\.json", path):
                    commits[status in ("409", "412")] += 1
                writer.write(answer)
                has_body = method != "HEAD" and status not in ("204", "304")
                await relay_body(up_reader, writer, headers if has_body else {})
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for end in (writer, up_writer):
                if end:
                    end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    env = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, env=env)
    code = await process.wait()
    seconds = time.monotonic() - begun
    print(f"{sum(counts.values())} requests {dict(counts)}, {seconds:.2f} s", file=sys.stderr)
    print(f"{commits[False]} commits, {commits[True]} lost races", file=sys.stderr)
    if commits[True] > float(os.environ.get("MAX_LOST_RACES", "inf")) * max(commits[False], 1):
        sys.exit("slow_proxy.py: too many lost races")
    sys.exit(code)


asyncio.run(main())
