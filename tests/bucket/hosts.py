"""Lets several hosts ingest small files into a lake in a bucket at once, and prints how fast they are.

    hosts.py TOPSELL [FILES [FILES_EACH_RUN]]

To be run by with_seaweedfs.py, and by slow_proxy.py for the time that requests take and the commits that are lost. Of
eight hosts each runs one `ingest` after another, of FILES_EACH_RUN files. KILLS of the runs of each host are killed, and
all files are ingested again at the end. Every event must be there once.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

HOSTS, ROWS = 8, 20
NOW = "2017-01-15T00:00:00Z"


def main():
    program, files = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 200
    each = int(sys.argv[3]) if sys.argv[3:] else 1
    kills = int(os.environ.get("KILLS", "0"))
    env = {**os.environ, "TOPSELL_NOW": NOW}
    with tempfile.TemporaryDirectory(prefix="topsell-hosts-") as work:
        work = pathlib.Path(work)
        base = [program, "--lake", f"s3://{os.environ['TOPSELL_TEST_BUCKET']}/{work.name}"]

        def run(*line):
            said = subprocess.run([*base, *line], cwd=work, env=env, capture_output=True, text=True)
            if said.returncode:
                sys.exit(f"hosts: {' '.join(line[:3])}: exit code {said.returncode}\n{said.stdout}{said.stderr}")
            return said.stdout

        names = [f"{number}.csv" for number in range(files)]
        for number, name in enumerate(names):
            rows = [f"2017-01-14T{row:02}:00:00Z,{number}-{row},item,Toys,1" for row in range(ROWS)]
            (work / name).write_text("\n".join(["ts,event_id,item_id,category,quantity", *rows, ""]))
        (work / "first.csv").write_text(f"ts,event_id,item_id,category,quantity\n2017-01-14T00:00:00Z,f,item,Toys,1\n")
        run("ingest", "first.csv")

        failed = []

        def host(number):
            rand = random.Random(number)
            own = names[number::HOSTS]
            runs = [own[at:at + each] for at in range(0, len(own), each)]
            killed = set(rand.sample(range(len(runs)), min(kills, len(runs))))
            for at, batch in enumerate(runs):
                quiet = subprocess.DEVNULL
                process = subprocess.Popen([*base, "ingest", *batch], cwd=work, env=env, stdout=quiet, stderr=subprocess.PIPE, text=True)
                if at in killed:
                    time.sleep(rand.random())
                    process.kill()
                    process.communicate()
                else:
                    _, said = process.communicate()
                    if process.returncode:
                        failed.append(said)

        begun = time.monotonic()
        hosts = [threading.Thread(target=host, args=[number]) for number in range(HOSTS)]
        for one in hosts:
            one.start()
        for one in hosts:
            one.join()
        seconds = time.monotonic() - begun
        if failed:
            sys.exit(f"hosts: {len(failed)} runs failed: {failed[0]}")
        if kills:
            run("ingest", *names)
        total = run("count", "item", "--last", "48h", "--format", "csv")
        if str(files * ROWS + 1) not in total.replace("\n", ",").split(","):
            sys.exit(f"hosts: not {files * ROWS + 1} events:\n{total}")
    print(f"{files} batches of {HOSTS} hosts, {each} a run: {files / seconds:.1f} a second")


main()
