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
        cells = [f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}" for at, (cell, width) in enumerate(zip(row, widths))]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (width + 2) if at == 0 else "-" * (width + 1) + ":" for at, width in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def number(value):
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def bar_table(sections):
    rows = []
    for bar in bars(sections):
        sign = "≥" if bar.more_is_better else "≤"
        limits = [f"{sign} {number(limit)}{bar.unit}" for limit in (bar.must, bar.aim)]
        rows.append([bar.what, bar.ours, bar.best, f"{number(bar.value)}{bar.unit}", *limits, bar.verdict()])
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
            row = [f"{section_name}: {TASKS[task_name]}", *(cell(task, name, kind) for name in names), ratio]
            rows.append(row if kind != "peak_bytes" else row[:-1])
    head = ["", *names, "best peer / ours"]
    return table(head if kind != "peak_bytes" else head[:-1], rows)


def growth_table(sections):
    rows = []
    for name in ("XS", "S", "M"):
        section = sections.get(name)
        if section:
            workload, steps, sizes = section["workload"], section["steps"], section["sizes"]
            rows.append([
                f"{workload['purchases']:,}",
                f"{workload['items']:,}",
                f"{workload['leaves']:,}",
                *(f"{seconds(steps[step]['cpu'])}, {size(steps[step]['peak_bytes'])}" for step in steps),
                *(size(sizes[f"{part}_bytes"]) for part in ("event", "rollup", "snapshot")),
            ])
    head = ["purchases", "items", "leaves", "ingest", "rollup", "rank", "rank again", "events", "rollups", "snapshot"]
    return table(head, rows)


def markdown(results):
    sections, machine = results["sections"], results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    runs = ", ".join(f"{name} {section['date']} ({section['runs']} runs)" for name, section in sections.items())
    shown = [f"{name}: {section['show']['median_ms']:.1f} ms, 99 of 100 below {section['show']['p99_ms']:.1f} ms, "
             f"a process that does nothing {section['show']['empty_process_ms']:.1f} ms"
             for name, section in sections.items() if "show" in section]
    parts = [
        f"{machine['processors']} processors ({machine['model']}), {size(machine['memory_bytes'])} of memory, {machine['system']}. {versions}.",
        f"Medians of runs in turn: {runs}. Files stay in the page cache; ours are synced to disk, the peers' are not. "
        "A peer's start and imports are left out, ours are not. Limits: 8 GiB, 15 minutes.",
        "## Bars", bar_table(sections),
        "## CPU seconds", task_table(sections, "cpu"),
        "## Wall seconds", task_table(sections, "wall"),
        "## Peak memory", task_table(sections, "peak_bytes"),
        "An asterisk marks a peer that ran once, to find the best one. Peers rank leaves and the shop, ours every level. "
        "XL's sums are written straight into `rollups`, without the events they would be the sums of.",
        "## Growth: CPU seconds and peak memory of each step, bytes on disk", growth_table(sections),
    ]
    if shown:
        parts += ["`show` of one category: " + "; ".join(shown) + "."]
    return "\n\n".join(parts) + "\n"
