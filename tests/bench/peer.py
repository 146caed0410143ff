"""Has one peer do one task, in a process of its own, and says what that took.

    python tests/bench/peer.py duckdb rank_raw SOURCE OUT

Prints one line of JSON: CPU and wall seconds from the first call to the last, with the time
left out in which Python and the peer's library were loaded, and the process's peak of memory.
"""

import importlib
import json
import resource
import sys
import time


def cpu_seconds():
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak_bytes():
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def main():
    name, task, source, out = sys.argv[1:]
    do = getattr(importlib.import_module(f"peers.{name}"), task)
    cpu, wall = cpu_seconds(), time.monotonic()
    do(source, out)
    cpu, wall = cpu_seconds() - cpu, time.monotonic() - wall
    print(json.dumps({"cpu": cpu, "wall": wall, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
