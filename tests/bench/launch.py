"""Runs one command within limits and prints what it took, as one line of JSON.

    python -I -S launch.py OUT COMMAND...

OUT is the file that all that the command says goes to. More than 8 GiB of memory of its own, or 15 minutes,
and the command is stopped. Small on purpose and a process of its own: Linux counts the memory of
whoever starts a process as that process's own peak.
"""

import json
import os
import subprocess
import sys
import threading
import time

MEMORY_LIMIT = 8 << 30
TIME_LIMIT = 15 * 60


def own_memory(pid):
    """Bytes of a process that are its own; files that it has mapped are not."""
    try:
        with open(f"/proc/{pid}/status") as status:
            lines = [line for line in status if line.startswith("RssAnon:")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) * 1024 if lines else 0


def watch(process, ended, stopped):
    """Stops a process that takes too much memory or time, and says why in `stopped`."""
    end = time.monotonic() + TIME_LIMIT
    while not ended.wait(0.05):
        if own_memory(process.pid) > MEMORY_LIMIT:
            stopped.append("out of memory")
        elif time.monotonic() > end:
            stopped.append("stopped after 15 minutes")
        if stopped:
            process.kill()
            return


def main():
    out, command = sys.argv[1], sys.argv[2:]
    ended, stopped = threading.Event(), []
    # Nobody pays for what another left to be written.
    os.sync()
    with open(out, "wb") as file:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        watcher = threading.Thread(target=watch, args=(process, ended, stopped))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    ended.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 and not stopped:
        stopped.append(f"exit code {process.returncode}")
    taken = {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": wall,
        "peak_bytes": usage.ru_maxrss * 1024,
        "failed": stopped[0] if stopped else "",
    }
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
