"""What is measured on each workload; every function returns what results.json keeps of it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import compare
import measure
import workload as made
from age import age
from measure import in_turn, run_peer, say
from topsell import HOUR_BEFORE, Topsell, all_but_newest

SHOW_RUNS = 51


@dataclass
class Bench:
    binary: Path
    folder: Path
    runs: int
    peers: list
    workloads: dict

    def at(self, name):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return self.workloads[name], folder

    def ours(self, folder):
        return Topsell(self.binary, folder / "lake")


def described(workload, logs):
    return {**asdict(workload), "log_bytes": made.size_bytes(logs)}


def small(bench):
    """One million purchases, for what grows with what."""
    workload, folder = bench.at("XS")
    logs = made.logs(bench.binary, workload, folder)
    return {"workload": described(workload, logs), **steps(bench, bench.ours(folder), logs)}


def middle(bench):
    """Ten million purchases: every task, with every peer."""
    workload, folder = bench.at("S")
    logs = made.logs(bench.binary, workload, folder)
    hourly = made.hourly_parquet(workload, logs, folder)
    ndjson = made.logs(bench.binary, workload, folder, "ndjson")
    ours = bench.ours(folder)
    ours.ingest_anew(logs)
    ours.rank()
    sources = {
        "rank_raw": hourly,
        "rank_rollups": ours.lake,
        "units": hourly,
        "partition": logs,
        "ingest_ndjson": ndjson,
    }
    checks = {task: checked(bench, task, source, folder, ours) for task, source in sources.items()}
    tasks = {}
    works = {
        "partition": lambda: ours.ingest_anew(logs),
        "ingest_ndjson": lambda: ours.ingest_anew(ndjson),
        "rank_raw": ours.first_ranking,
        "rank_rollups": ours.rank,
        "units": None,
    }
    for task, work in works.items():
        tasks[task] = peers_and(bench, task, sources[task], folder, checks, work)
    ingested = tasks["partition"]["topsell"]
    return {
        "workload": described(workload, logs),
        "tasks": tasks,
        **steps(bench, ours, logs, ingested),
        **ours_alone(bench, ours, logs),
    }


def large(bench):
    """A hundred million purchases: the peers once, and the best of them in turn with ours."""
    workload, folder = bench.at("M")
    logs = made.logs(bench.binary, workload, folder)
    hourly = made.hourly_parquet(workload, logs, folder)
    ours = bench.ours(folder)
    ours.ingest_anew(logs)
    ours.rank()
    sources = {"rank_raw": hourly, "rank_rollups": ours.lake}
    checks = {task: checked(bench, task, source, folder, ours) for task, source in sources.items()}
    tasks = {
        "rank_raw": best_and(bench, "rank_raw", hourly, folder, checks, ours.first_ranking),
        "rank_rollups": best_and(bench, "rank_rollups", ours.lake, folder, checks, ours.rank),
    }
    return {
        "workload": described(workload, logs),
        "tasks": tasks,
        **steps(bench, ours, logs),
        **ours_alone(bench, ours, logs),
    }


def flat(bench):
    """A thousand flat top-level categories, twenty-four hours: 24,000 partitions."""
    workload, folder = bench.at("flat")
    logs = made.logs(bench.binary, workload, folder)
    ours = bench.ours(folder)
    ours.ingest_anew(logs)
    checks = {"partition": checked(bench, "partition", logs, folder, ours)}
    task = peers_and(bench, "partition", logs, folder, checks, lambda: ours.ingest_anew(logs))
    return {"workload": described(workload, logs), "tasks": {"partition": task}}


def hourly_aggregates(bench):
    """The hourly aggregates of billions of purchases, written directly into `rollups`."""
    workload, folder = bench.at("XL")
    ours = Topsell(bench.binary, made.aggregates(bench.binary, workload, folder))
    say("XL: ranks from the aggregates")
    ranking = in_turn(bench.runs, {"topsell": ours.ranking_from_rollups})
    return {"workload": asdict(workload), "tasks": {"rank_aggregates": ranking}, "sizes": ours.sizes()}


def output(folder, task, name):
    """A fresh place for what a peer writes: a folder of partitions, or one file."""
    out = folder / "out" / (f"{task}-{name}" if task in PARTITIONS else f"{task}-{name}.parquet")
    measure.set_aside(out, folder)
    out.parent.mkdir(exist_ok=True)
    return out


def checked(bench, task, source, folder, ours):
    """Each peer's result is held against ours; returns what the peers took, by name.

    A peer that fails is written down. One whose result differs ends the benchmark.
    """
    say(f"  {task}: holds results together")
    taken, expected = {}, None
    for name in bench.peers:
        out = output(folder, task, name)
        taken[name] = run_peer(name, task, source, out)
        if not taken[name].failed:
            if expected is None:
                # No command of ours tells units by day, so there the first peer is the measure.
                expected = READERS[task](out) if task == "units" else of_ours(task, ours)
            try:
                groups = COMPARISONS[task](expected, READERS[task](out))
            except compare.Different as different:
                raise SystemExit(f"{task} by {name}: {different}")
            say(f"    {name}: {groups:,} groups agree, {taken[name].cpu:.2f} s CPU")
        output(folder, task, name)
    return taken


# Written as a folder of partitions.
PARTITIONS = ["partition", "ingest_ndjson"]
READERS = {
    "ingest_ndjson": compare.partitions,
    "partition": compare.partitions,
    "rank_raw": compare.of_peer,
    "rank_rollups": compare.of_peer,
    "units": compare.units,
}
COMPARISONS = {
    "ingest_ndjson": compare.same,
    "partition": compare.same,
    "rank_raw": compare.rankings,
    "rank_rollups": compare.rankings,
    "units": compare.same,
}


def of_ours(task, ours):
    if task in PARTITIONS:
        return compare.partitions(ours.lake / "events" / "event_type=purchase")
    return compare.of_topsell(ours.lake)


def peers_and(bench, task, source, folder, checks, ours=None, names=None):
    """Times ours and each peer in turn."""
    say(f"  {task}: times in turn")
    contenders = {"topsell": ours} if ours else {}
    for name in names or bench.peers:
        contenders[name] = lambda name=name: one_run(task, source, folder, name)
    failed = {name: taken for name, taken in checks[task].items() if taken.failed}
    found = in_turn(bench.runs, contenders, dropped=failed)
    return found | {name: measure.summary([taken]) for name, taken in failed.items()}


def best_and(bench, task, source, folder, checks, ours):
    """Times ours and the peer that was best in the one run that compared results."""
    finished = {name: taken for name, taken in checks[task].items() if not taken.failed}
    best = min(finished, key=lambda name: finished[name].cpu)
    found = peers_and(bench, task, source, folder, checks, ours, [best])
    once = {
        name: {**measure.summary([taken]), "once": True} for name, taken in finished.items() if name != best
    }
    return found | once


def one_run(task, source, folder, name):
    out = output(folder, task, name)
    taken = run_peer(name, task, source, out)
    output(folder, task, name)
    return taken


def steps(bench, ours, logs, ingested=None):
    """Each step by itself, for the growth from one workload to the next.

    `ingested` is what taking in the lake's logs took, where that has been measured.
    """
    say("  steps of ours, one by one")

    def aggregates():
        ours.forget_aggregates()
        return ours.must("rollup")

    work = {"rollup": aggregates, "rank": ours.ranking_from_rollups, "rank again": ours.rank}
    if ingested is None:
        work = {"ingest": lambda: ours.ingest_anew(logs), **work}
        found = in_turn(bench.runs, work)
    else:
        found = {"ingest": ingested, **in_turn(bench.runs, work)}
    events = {"event_bytes": made.size_bytes(ours.lake / "events")}
    return {"steps": found, "sizes": {**ours.sizes(), **events}}


def ours_alone(bench, ours, logs):
    """What no peer does: threads, one more hour, item totals, and a category shown, and an
    item counted, by a cold process.

    The first ranking is of all that is in the lake; `steps` left it whole.
    """
    say("  show")
    shown = ours.show(SHOW_RUNS)
    say("  count")
    counted = ours.count(SHOW_RUNS)
    say("  item totals")
    item_totals = in_turn(bench.runs, {"rank": ours.rank, "rank --all-items": ours.rank_all_items})
    say("  one thread and two")
    work = {}
    for number in ("1", "2"):
        threads = ("--threads", number)
        work[f"ingest, {number}"] = lambda threads=threads: ours.ingest_anew(logs, threads=threads)
        work[f"first ranking, {number}"] = lambda threads=threads: ours.first_ranking(*threads)
        work[f"rank again, {number}"] = lambda threads=threads: ours.rank(*threads)
    found = in_turn(bench.runs, work)
    say("  one more hour")
    kept = Topsell(bench.binary, ours.lake.with_name("lake-kept"))
    kept.ingest_anew(*all_but_newest(logs))
    kept.rank(as_of=HOUR_BEFORE)
    whole = ours.snapshot().name
    hour = in_turn(bench.runs, {"one more hour": lambda: ours.one_more_hour(logs, kept.lake)})
    # A snapshot is named by its content.
    if ours.snapshot().name != whole:
        raise SystemExit(f"one more hour: {ours.snapshot().name}, in one go {whole}")
    measure.set_aside(kept.lake, kept.lake.parent)
    return {
        "show": shown,
        "count": counted,
        "item_totals": item_totals,
        "threads": found,
        "one_more_hour": hour["one more hour"],
    }


def categories(name):
    """Returns the section of a shop of S's size whose many categories have no levels."""

    def section(bench):
        workload, folder = bench.at(name)
        logs = made.logs(bench.binary, workload, folder)
        ours = bench.ours(folder)
        measured = steps(bench, ours, logs)
        show, count = ours.show(SHOW_RUNS), ours.count(SHOW_RUNS)
        return {"workload": described(workload, logs), **measured, "show": show, "count": count}

    return section


SECTIONS = {
    "XS": small,
    "S": middle,
    "flat": flat,
    "flat30k": categories("flat30k"),
    "flat200k": categories("flat200k"),
    "age": age,
    "M": large,
    "XL": hourly_aggregates,
}
