"""What each command costs on a lake of one week, of one year and of three years, side by side.

A ranking looks back a year at most: on the lake of three years it finds as much as on that of one. All lakes are
compacted and have the same sales an hour. A round is what a day of a shop is to a lake: a
purchase comes in, is aggregated, ranked, shown and counted; then the nightly job runs.
"""

import datetime

import measure
import workload as made
from measure import Taken, in_turn, say
from topsell import Topsell

AGES = {"a week": 7 * 24, "a year": 365 * 24, "three years": 3 * 365 * 24}
FIRST = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
# The steps of jobs/nightly.toml.
NIGHTLY = [
    ("lake", "compact"),
    ("rollup", "--since", "7d", "--share", "1/30"),
    ("rank", "--all-items"),
    ("lake", "prune"),
    ("lake", "verify", "--since", "7d", "--share", "1/30"),
    ("report", "-o"),
]


class AgedLake:
    """A lake, the clock of its commands, and the purchases that come in one by one."""

    def __init__(self, binary, folder, hours):
        self.folder = made.old_lake(binary, folder, hours)
        self.lake = Topsell(binary, self.folder / "lake")
        self.end = FIRST + datetime.timedelta(hours=hours)
        self.purchases = 0
        self.run("rank")
        self.item = next(iter(self.lake.ranked("item_id")))

    def run(self, *words):
        return self.lake.must("--now", self.end.isoformat().replace("+00:00", "Z"), *words)

    def ingest_one(self):
        self.purchases += 1
        log = self.folder / f"purchase-{self.purchases}.csv"
        ts = (self.end - datetime.timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
        log.write_text(f"ts,item_id,category,quantity,amount\n{ts},{self.item},{self.category},1,2.00\n")
        return self.run("ingest", log)

    @property
    def category(self):
        return next(category for category in self.lake.ranked("category") if category)

    def nightly(self):
        """The whole job: the sum of the times of its steps, and the greatest memory of one."""
        self.ingest_one()
        steps = [self.run(*step, *self.output(step)) for step in NIGHTLY]
        return Taken(
            cpu=sum(one.cpu for one in steps),
            wall=sum(one.wall for one in steps),
            peak_bytes=max(one.peak_bytes for one in steps),
        )

    def output(self, step):
        return [self.folder / "report.html"] if step[-1] == "-o" else []

    def steps(self):
        """Name and work of each step, in the order in which one prepares the next."""
        return {
            "ingest one purchase": self.ingest_one,
            "rollup": lambda: self.run("rollup"),
            "rank, without look-back": self.rank_window_only,
            "rank": lambda: self.run("rank"),
            "show": lambda: self.run("show", "--category", self.category),
            "count 24 hours": lambda: self.run("count", self.item),
            "count everything": lambda: self.run("count", self.item, "--from", "2024-01-01"),
            "health": lambda: self.run("health", "--max-age", "90y"),
            "compact": lambda: self.run("lake", "compact"),
            "prune": lambda: self.run("lake", "prune"),
            "nightly job": self.nightly,
        }

    def rank_window_only(self):
        return self.run("rank", "--min-items", "0")


def age(bench):
    """Lakes of all ages, in turn."""
    folder = bench.folder / "age"
    folder.mkdir(parents=True, exist_ok=True)
    lakes = {name: AgedLake(bench.binary, folder, hours) for name, hours in AGES.items()}
    steps = {name: lake.steps() for name, lake in lakes.items()}
    taken = {}
    for step in steps["a week"]:
        say(f"  {step}")
        taken[step] = in_turn(bench.runs, {name: steps[name][step] for name in lakes})
    return {"ages": taken, "sizes": {name: measured(lake) for name, lake in lakes.items()}}


def measured(lake):
    files = sum(1 for table in ("events", "rollups") for _ in (lake.lake.lake / table).rglob("*.parquet"))
    return {"files": files, "lake_bytes": made.size_bytes(lake.lake.lake)}
