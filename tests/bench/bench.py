"""Measures topsell and four other engines on the same purchases, in turn.

    python tests/bench/bench.py FOLDER [--sections XS S flat flat30k flat200k age M XL] [--runs 5]

FOLDER is where the purchases, the lakes and the results are written: results.json, results.md and the
pictures. Nothing else is touched; publish.py copies results into the documentation.
Sections, each with its own workload: XS and S (one and ten million purchases), flat (a thousand
categories, 24 hours), flat30k and flat200k (ten million purchases in as many categories without
levels), age (a lake of a week and one of three years), M (a hundred million purchases), XL (the
hourly aggregates of 5.4 billion). Sections that were not
asked for keep the figures that results.json has of them. Needs Linux, for S 10 GB of disk and for all 60.

The peers' results are held against topsell's before any time is taken. A peer measures its own
work, with the loading of Python and of its library left out; topsell is measured as a whole
process, and syncs what it wrote to disk, which the peers do not.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

import picture
import report
from measure import built_binary, say, tidy
from peers import PEERS
from sections import SECTIONS, Bench
from workload import workloads


def machine():
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in processors if line.startswith("model name")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processors": os.cpu_count(),
        "model": models[0] if models else platform.machine(),
        "memory_bytes": pages,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def versions(binary):
    own = subprocess.check_output([binary, "--version"], text=True).split()[1]
    return {"topsell": own, **{name: importlib.metadata.version(name) for name in PEERS}}


def described(name, bench):
    workload = bench.workloads.get(name)
    return f"{name}: {workload.purchases:,} purchases" if workload else name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=["XS", "S"])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--binary", type=Path, help="instead of the release build of this folder")
    parser.add_argument("--scale", type=float, default=1.0, help="for trying out: a share of each workload")
    options = parser.parse_args()

    binary = (options.binary or built_binary()).resolve()
    folder = options.folder.resolve()
    bench = Bench(binary, folder, options.runs, options.peers, workloads(options.scale))
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {"sections": {}}
    for name in options.sections:
        say(described(name, bench))
        try:
            measured = SECTIONS[name](bench)
        finally:
            tidy(folder / name)
        measured |= {"date": datetime.date.today().isoformat(), "runs": options.runs}
        results |= {"machine": machine(), "versions": versions(binary)}
        done = results["sections"] | {name: measured}
        results["sections"] = {name: done[name] for name in SECTIONS if name in done}
        kept.write_text(json.dumps(results, indent=1))
    text = report.markdown(results)
    (folder / "results.md").write_text(text)
    picture.draw(results, folder)
    print(text)


if __name__ == "__main__":
    main()
