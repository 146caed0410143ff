"""Tells how large a program is, and how long it takes to start and say its version."""

import os
import statistics
import subprocess
import sys
import time

RUNS = 200


def milliseconds(command):
    """Returns the median of many runs."""
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took.append(1e3 * (time.perf_counter() - began))
    return statistics.median(took)


program = sys.argv[1]
print(f"size: {os.path.getsize(program) / 1e6:.1f} MB")
print(f"start: {milliseconds([program, '--version']):.1f} ms; a process that does nothing {milliseconds(['true']):.1f} ms")
