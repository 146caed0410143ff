"""How long a ranking takes on a cluster of so many cores, by simulation from the costs in a file.

    simulate.py costs.json

Tasks are given out as Spark does, the next one to the core that is free first; a round waits for its last task, and then
the driver reads and merges all results. Task times vary by a share; the numbers of chance are the same in every run.
"""

import heapq
import json
import random
import sys

CORES = [8, 16, 32, 64, 128, 256, 512, 1024]
TASKS_PER_CORE = [1, 2, 4, 8, 16]


def simulate(costs, cores, parts):
    """The seconds that a ranking takes, those of them of the driver alone, and the share of the cores' time in use."""
    chance = random.Random(1)
    each = costs["rows_millions"] / parts * costs["seconds_per_million_rows"] + costs["seconds_per_task"]
    free, used = [0.0] * cores, 0.0
    for _ in range(parts):
        task = each * (1 + chance.uniform(-1, 1) * costs["variation"])
        used += task
        heapq.heappush(free, heapq.heappop(free) + task)
    items = costs["items_millions"]
    read = items * 1e6 * costs["result_bytes_per_item"] / costs["driver_bytes_per_second"]
    merge = items * costs["merge_seconds_per_million_items"] + parts * costs["merge_seconds_per_result"]
    driver = costs["start_seconds"] + costs["plan_seconds"] + read + merge + costs["publish_seconds"]
    return max(free) + driver, driver, used / (cores * (max(free) + driver))


def main():
    costs = json.load(open(sys.argv[1]))
    print("| cores | parts | time | of it the driver alone | cores busy |")
    print("|---|---|---|---|---|")
    for cores in CORES:
        tried = [(simulate(costs, cores, cores * tasks), cores * tasks) for tasks in TASKS_PER_CORE]
        (total, driver, busy), parts = min(tried)
        print(f"| {cores:,} | {parts:,} | {total:,.0f} s | {driver:,.0f} s | {busy:.0%} |")


if __name__ == "__main__":
    main()
