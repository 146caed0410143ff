"""Order lines from a PostgreSQL server into a lake, each exactly once: writers insert, wait, commit and roll
back at random, while jobs/postgresql/order-lines.sh is killed at random; then both are compared.

Usage: order_lines.py TOPSELL [SECONDS]

The server is a new cluster in a temporary directory, on a free port of the loopback interface, and runs as
the user `postgres` where this is root. It is stopped at the end.
"""

import csv
import io
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal

TOPSELL = str(pathlib.Path(sys.argv[1]).resolve())
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 40
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "jobs/postgresql/order-lines.sh"
LIMIT = 120
WRITERS = 4
TABLE = """
CREATE TABLE order_lines (
    id bigserial PRIMARY KEY,
    sold_at timestamptz NOT NULL DEFAULT now(),
    sku text NOT NULL,
    department text,
    quantity int NOT NULL,
    amount numeric(12, 2)
)
"""


def server_programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        sys.exit("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


def as_server(*command):
    """Runs a program of the server, never as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *map(str, command)], check=True, timeout=LIMIT, stdout=subprocess.DEVNULL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def psql(environment, sql):
    command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(command, input=sql, env=environment, text=True, capture_output=True, timeout=LIMIT)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def write_orders(environment, seed, until):
    chance = random.Random(seed)
    while time.monotonic() < until:
        rows = []
        for _ in range(chance.randrange(1, 6)):
            quantity = chance.choice([1, 1, 2, 3, -1])
            rows.append(f"('sku-{chance.randrange(40)}', 'Food', {quantity}, {quantity * 1.25})")
        end = "ROLLBACK" if chance.random() < 0.1 else "COMMIT"
        # Ids are given out here, and seen by others only after the wait.
        psql(environment, f"""
            BEGIN;
            INSERT INTO order_lines (sku, department, quantity, amount) VALUES {", ".join(rows)};
            SELECT pg_sleep({chance.random() * 0.3});
            {end};
        """)


def run_script(environment, kill_after=None):
    process = subprocess.Popen(
        [str(SCRIPT)], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    try:
        _, said = process.communicate(timeout=kill_after or LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    # A lock that was not free in time is no failure: the next run gets it.
    if process.returncode != 0 and "lock timeout" not in said:
        sys.exit(f"{SCRIPT} ended with {process.returncode}: {said}")
    return False


def in_database(environment):
    rows = psql(environment, "SELECT sku, sum(quantity), count(*), sum(amount) FROM order_lines GROUP BY sku")
    sums = {}
    for row in rows.split():
        sku, units, purchases, amount = row.split("|")
        sums[sku] = (int(units), int(purchases), Decimal(amount))
    return sums


def in_lake(environment):
    topsell = [TOPSELL, "--quiet"]
    subprocess.run([*topsell, "rank", "--window", "48h", "--no-decay", "--limit", "100000", "--min-items", "1"],
                   env=environment, check=True, timeout=LIMIT)
    shown = subprocess.run([*topsell, "show", "--format", "csv"],
                           env=environment, check=True, timeout=LIMIT, capture_output=True, text=True)
    rows = csv.DictReader(io.StringIO(shown.stdout))
    return {row["item_id"]: (int(row["units"]), int(row["purchases"]), Decimal(row["amount"])) for row in rows}


def check(directory, port):
    environment = {
        "PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres",
        "PGDATABASE": "postgres", "WORK_DIR": str(directory / "work"), "TOPSELL": TOPSELL,
        "TOPSELL_LAKE": str(directory / "lake"),
    }
    psql(environment, TABLE)
    until = time.monotonic() + SECONDS
    writers = [threading.Thread(target=write_orders, args=(environment, seed, until)) for seed in range(WRITERS)]
    for writer in writers:
        writer.start()
    chance, runs, killed = random.Random(17), 0, 0
    while time.monotonic() < until:
        runs += 1
        killed += run_script(environment, chance.choice([None, chance.random() * 0.6]))
    for writer in writers:
        writer.join()
    run_script(environment)
    run_script(environment)
    expected, found = in_database(environment), in_lake(environment)
    # A ranking has no items without units.
    expected = {sku: sums for sku, sums in expected.items() if sums[0] > 0}
    if expected != found:
        differing = {sku: (expected.get(sku), found.get(sku)) for sku in {*expected, *found}
                     if expected.get(sku) != found.get(sku)}
        sys.exit(f"the lake differs from the database: {differing}")
    lines = sum(purchases for _, purchases, _ in expected.values())
    print(f"{lines} order lines, each exactly once; {killed} of {runs} runs were killed")
    if killed == 0:
        sys.exit("no run was killed")


def main():
    programs = server_programs()
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder)
        cluster = directory / "cluster"
        cluster.mkdir()
        if os.geteuid() == 0:
            directory.chmod(0o755)
            subprocess.run(["chown", "postgres", str(cluster)], check=True)
        as_server(programs / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "--no-sync")
        port = free_port()
        options = f"-p {port} -h 127.0.0.1 -k {cluster} -c fsync=off"
        as_server(programs / "pg_ctl", "-D", cluster, "-w", "-t", "60", "-l", cluster / "log", "-o", options, "start")
        try:
            check(directory, port)
        finally:
            as_server(programs / "pg_ctl", "-D", cluster, "-m", "immediate", "stop")


main()
