"""The results as one page of Markdown that reads well in a terminal too."""

from bars import bars, best_peer, seconds, size
from peers import PEERS

TASKS = {
    "partition": "CSV into Hive partitions",
    "ingest_ndjson": "NDJSON into the same",
    "rank_raw": "decayed top 100, raw events",
    "rank_rollups": "decayed top 100, our sums",
    "units": "units by leaf, item and day",
    "rank_sums": "ranking of all categories, from sums",
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
    return table(["what", "ours", "best peer, or base", "figure", "must", "aim", "reached"], rows)


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
    head = ["", *names, "best peer / ours"]
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
        "snapshot",
    ]
    return table(head, rows)


HOW = """\
Runs in turn. Files stay in the page cache for everyone; what we write is synced to disk,
what the peers write is not; a peer's start and imports are left out, ours are not. Limits: 8 GiB, 15
minutes. Peers rank leaf paths and the whole shop, we every level.\
"""
NOTES = """\
An asterisk marks a peer that ran once, to find the best one. XL's sums are written straight into
`rollups`, without the events that they would be the sums of.\
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
    """How long `show` and `count` take, beside a process that does nothing."""
    for name, section in sections.items():
        for command in (command for command in ANSWERS if command in section):
            median, most, nothing = (
                section[command][key] for key in ("median_ms", "p99_ms", "empty_process_ms")
            )
            yield (
                f"{ANSWERS[command].format(name)}: {median:.1f} ms, 99 of 100 below {most:.1f} ms; "
                f"a process that does nothing {nothing:.1f} ms."
            )


def everyone(sections):
    """What it costs to tell what every item comes to."""
    for name, section in sections.items():
        if "everyone" in section:
            best, all_ = (section["everyone"][step] for step in ("rank", "rank --tail"))
            yield (
                f"`rank --tail` of {name}: {all_['wall']:.2f} s, {all_['cpu']:.2f} s of CPU and "
                f"{all_['peak_bytes'] / 2**20:,.0f} MiB; `rank` alone {best['wall']:.2f} s, "
                f"{best['cpu']:.2f} s and {best['peak_bytes'] / 2**20:,.0f} MiB."
            )


GROWTH = "CPU seconds and peak memory of each step, and what lies on the disk then:"


def for_readme(results):
    """What the README shows of the results."""
    sections = results["sections"]
    parts = [
        environment(results),
        "CPU seconds:",
        task_table(sections, "cpu"),
        "Peak memory:",
        task_table(sections, "peak_bytes"),
        NOTES,
        *shown(sections),
        *everyone(sections),
        GROWTH,
        growth_table(sections),
    ]
    return "\n\n".join(parts) + "\n"


def markdown(results):
    sections = results["sections"]
    parts = [
        environment(results),
        HOW,
        "## Bars",
        bar_table(sections),
        "## CPU seconds",
        task_table(sections, "cpu"),
        "## Wall seconds",
        task_table(sections, "wall"),
        "## Peak memory",
        task_table(sections, "peak_bytes"),
        NOTES,
        *shown(sections),
        *everyone(sections),
    ]
    if any("steps" in section for section in sections.values()):
        parts += [
            "## Growth",
            GROWTH,
            growth_table(sections),
        ]
    return "\n\n".join(parts) + "\n"
