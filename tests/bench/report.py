"""The results as one page of Markdown that reads well in a terminal too."""

from bars import bars, best_peer, seconds, size
from peers import PEERS

TASKS = {
    "partition": "CSV into Hive partitions",
    "ingest_ndjson": "NDJSON into the same",
    "rank_raw": "decayed top 100, raw events",
    "rank_rollups": "decayed top 100, hourly aggregates",
    "units": "units by leaf, item and day",
    "rank_aggregates": "ranking of all categories, hourly aggregates",
}


def table(head, rows):
    """A Markdown table, its columns padded to one width; all but the first to the right."""
    widths = [max(len(str(row[at])) for row in [head, *rows]) for at in range(len(head))]

    def line(row):
        cells = [
            f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = (
        "|"
        + "|".join(
            "-" * (width + 2) if at == 0 else "-" * (width + 1) + ":" for at, width in enumerate(widths)
        )
        + "|"
    )
    return "\n".join([line(head), rule, *map(line, rows)])


def number(value):
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def bar_table(sections):
    rows = []
    for bar in bars(sections):
        sign = "≥" if bar.more_is_better else "≤"
        limits = [f"{sign} {number(limit)}{bar.unit}" for limit in (bar.must, bar.aim)]
        rows.append(
            [bar.what, bar.ours, bar.best, f"{number(bar.value)}{bar.unit}", *limits, bar.verdict()]
        )
    return table(["what", "topsell", "best other, or base", "figure", "must", "aim", "reached"], rows)


def cell(task, name, kind):
    taken = task.get(name)
    if taken is None:
        return ""
    if "failed" in taken:
        return taken["failed"] if len(taken["failed"]) < 24 else "failed"
    shown = size(taken[kind]) if kind == "peak_bytes" else seconds(taken[kind])
    return shown + ("*" if taken.get("once") else "")


def task_table(sections, kind):
    names = ["topsell", *PEERS]
    rows = []
    for section_name, section in sections.items():
        for task_name, task in section.get("tasks", {}).items():
            ratio = ""
            if "topsell" in task and kind != "peak_bytes" and best_peer(task, kind):
                ratio = f"{best_peer(task, kind)[1] / task['topsell'][kind]:.1f}×"
            row = [
                f"{section_name}: {TASKS[task_name]}",
                *(cell(task, name, kind) for name in names),
                ratio,
            ]
            rows.append(row if kind != "peak_bytes" else row[:-1])
    head = ["", *names, "best other / topsell"]
    return table(head if kind != "peak_bytes" else head[:-1], rows)


def growth_table(sections):
    rows = []
    for name in ("XS", "S", "M"):
        section = sections.get(name)
        if section:
            workload, steps, sizes = section["workload"], section["steps"], section["sizes"]
            rows.append(
                [
                    f"{workload['purchases']:,}",
                    f"{workload['items']:,}",
                    f"{workload['leaves']:,}",
                    *(
                        f"{seconds(steps[step]['cpu'])}, {size(steps[step]['peak_bytes'])}"
                        for step in steps
                    ),
                    *(size(sizes[f"{part}_bytes"]) for part in ("event", "rollup", "snapshot")),
                ]
            )
    head = [
        "purchases",
        "items",
        "leaves",
        "ingest",
        "rollup",
        "rank",
        "rank again",
        "events",
        "rollups",
        "ranking",
    ]
    return table(head, rows)


HOW = """\
Engines run in turn. Files are in the page cache for all of them; what topsell writes is synced to disk,
what the others write is not; their start and imports are not counted, that of topsell is. Limits: 8 GiB, 15
minutes. The others rank leaf categories and the whole shop, topsell every level.\
"""
NOTES = """\
An asterisk marks an engine that ran once, in the search for the fastest one. The aggregates of XL are
written directly into `rollups`, without events.\
"""


def environment(results):
    machine = results["machine"]
    versions = [f"{name} {version}" for name, version in results["versions"].items()]
    memory = size(machine["memory_bytes"])
    words = [
        f"{machine['processors']} processors",
        machine["model"],
        f"{memory} of memory",
        machine["system"],
    ]
    dates = [f"{name} {one['date']}, median of {one['runs']}" for name, one in results["sections"].items()]
    return f"{', '.join(words)}. {', '.join(versions)}. {'; '.join(dates)}."


ANSWERS = {"show": "`show` of one category of {}", "count": "`count` of one item of {} over 24 hours"}


def shown(sections):
    """How long `show` and `count` take, and an empty process."""
    for name, section in sections.items():
        for command in (command for command in ANSWERS if command in section):
            median, most, nothing = (
                section[command][key] for key in ("median_ms", "p99_ms", "empty_process_ms")
            )
            yield (
                f"{ANSWERS[command].format(name)}: {median:.1f} ms, 99 % below {most:.1f} ms; "
                f"an empty process {nothing:.1f} ms."
            )


def item_totals(sections):
    """What item totals cost."""
    for name, section in sections.items():
        if "item_totals" in section:
            best, all_ = (section["item_totals"][step] for step in ("rank", "rank --all-items"))
            yield (
                f"`rank --all-items` of {name}: {all_['wall']:.2f} s, {all_['cpu']:.2f} s of CPU and "
                f"{all_['peak_bytes'] / 2**20:,.0f} MiB; `rank` alone {best['wall']:.2f} s, "
                f"{best['cpu']:.2f} s and {best['peak_bytes'] / 2**20:,.0f} MiB."
            )


AGES = """\
What commands cost on a lake of a week and on one of three years with the same sales an hour, CPU seconds and
peak memory:\
"""


def old_and_new(sections):
    """What each step costs by the age of the lake."""
    if "age" not in sections:
        return
    names = list(sections["age"]["sizes"])
    rows = [
        [step, *(f"{taken[name]['cpu']:.3f} s, {size(taken[name]['peak_bytes'])}" for name in names)]
        for step, taken in sections["age"]["ages"].items()
    ]
    yield AGES
    yield table(["", *names], rows)


GROWTH = "CPU seconds and peak memory of each step, and the size of the files afterwards:"


def for_docs(results):
    """What the documentation shows of the results."""
    sections = results["sections"]
    parts = [
        environment(results),
        "CPU seconds:",
        task_table(sections, "cpu"),
        "Peak memory:",
        task_table(sections, "peak_bytes"),
        NOTES,
        *shown(sections),
        *item_totals(sections),
        *old_and_new(sections),
        GROWTH,
        growth_table(sections),
    ]
    return "\n\n".join(parts) + "\n"


def markdown(results):
    sections = results["sections"]
    parts = [
        environment(results),
        HOW,
        "## Targets",
        bar_table(sections),
        "## CPU seconds",
        task_table(sections, "cpu"),
        "## Wall seconds",
        task_table(sections, "wall"),
        "## Peak memory",
        task_table(sections, "peak_bytes"),
        NOTES,
        *shown(sections),
        *item_totals(sections),
        *old_and_new(sections),
    ]
    if any("steps" in section for section in sections.values()):
        parts += [
            "## Growth",
            GROWTH,
            growth_table(sections),
        ]
    return "\n\n".join(parts) + "\n"
