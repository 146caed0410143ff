"""Draws the results: peers.svg (bars by task) and growth.svg (lines on logarithmic axes).

    python tests/bench/picture.py RESULTS.json FOLDER

Plain SVG whose colors follow the reader's light or dark scheme.
"""

import json
import math
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from peers import PEERS
from report import TASKS

STYLE = """<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.quiet { fill: #6e7781 }
.ours { fill: #0969da } .peer { fill: #afb8c1 } .grid { stroke: #d0d7de; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #8d96a0 }
  .ours { fill: #4493f8 } .peer { fill: #656c76 } .grid { stroke: #3d444d }
}
</style>"""
LINES = ["#0969da", "#bf8700", "#2da44e", "#cf222e"]
WIDTH, LABELS, ROOM = 760, 110, 150


def text(x, y, words, kind="", anchor="start"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(str(words))}</text>'
    )


def svg(height, parts, described):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
    return "\n".join([head, f"<title>{escape(described)}</title>", STYLE, *parts, "</svg>\n"])


def bars(results):
    """CPU seconds by task, ours first; each task on its own scale, for ratios are what counts."""
    parts, y = [text(0, 20, "CPU seconds, less is better", "title")], 50
    for section_name, section in results["sections"].items():
        tasks = section.get("tasks", {})
        for task_name in [name for name, task in tasks.items() if "topsell" in task and len(task) > 1]:
            rows = [
                (name, tasks[task_name][name]) for name in ("topsell", *PEERS) if name in tasks[task_name]
            ]
            if task_name == "rank_raw":
                # The second ranking and all after it have no need of the raw events.
                rows.insert(1, ("topsell, again", tasks["rank_rollups"]["topsell"]))
            millions = section["workload"]["purchases"] / 1_000_000
            parts.append(text(0, y, f"{TASKS[task_name]} ({section_name}, {millions:g} million purchases)"))
            parts += group(rows, y + 8)
            y += 30 + 20 * len(rows)
    return svg(y - 16, parts, "CPU seconds of topsell and its peers by task")


def group(rows, y):
    """The bars of one task."""
    longest = max(taken["cpu"] for _, taken in rows if "cpu" in taken)
    ours = rows[0][1]["cpu"]
    for name, taken in rows:
        yield text(LABELS - 8, y + 13, name, "", "end")
        if "cpu" in taken:
            long = max(taken["cpu"] / longest * (WIDTH - LABELS - ROOM), 1)
            kind = "ours" if name.startswith("topsell") else "peer"
            yield f'<rect x="{LABELS}" y="{y + 2}" width="{long:.1f}" height="14" rx="2" class="{kind}"/>'
            ratio = f" · {taken['cpu'] / ours:.1f}×" if kind == "peer" else ""
            yield text(LABELS + long + 6, y + 13, f"{taken['cpu']:.2f} s{ratio}", "quiet")
        else:
            yield text(LABELS, y + 13, taken["failed"], "quiet")
        y += 20


def growth(results):
    """CPU seconds of each step over the number of purchases."""
    sections = [results["sections"][name] for name in ("XS", "S", "M") if name in results["sections"]]
    if len(sections) < 2:
        return None
    series = {
        step: [(section["workload"]["purchases"], section["steps"][step]["cpu"]) for section in sections]
        for step in sections[0]["steps"]
    }
    left, top, height = 60, 50, 360
    xs = [math.log10(x) for x, _ in next(iter(series.values()))]
    ys = [math.log10(y) for points in series.values() for _, y in points]
    low, high = math.floor(min(ys)), math.ceil(max(ys))

    def place(x, y):
        across = (x - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - left - ROOM)
        return left + across, top + (high - y) / (high - low) * height

    parts = [text(0, 20, "CPU seconds by number of purchases, both logarithmic", "title")]
    for power in range(low, high + 1):
        _, y = place(xs[0], power)
        parts.append(f'<line x1="{left}" x2="{WIDTH - ROOM}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(text(left - 8, y + 4, f"{10.0**power:g} s", "quiet", "end"))
    for x in xs:
        across, y = place(x, low)
        parts.append(text(across, y + 22, f"{10**x / 1e6:g} million", "quiet", "middle"))
    names = label_places({step: place(0, math.log10(points[-1][1]))[1] for step, points in series.items()})
    for color, (step, points) in zip(LINES, series.items()):
        at = [place(math.log10(x), math.log10(y)) for x, y in points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{color}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>' for x, y in at]
        parts.append(text(at[-1][0] + 10, names[step] + 4, f"{step} {points[-1][1]:.2f} s"))
    return svg(top + height + 40, parts, "Growth of each step with the number of purchases")


def label_places(wanted):
    """Heights for labels, each a line below the last at least."""
    places, last = {}, -math.inf
    for name, y in sorted(wanted.items(), key=lambda pair: pair[1]):
        last = places[name] = max(y, last + 17)
    return places


def draw(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in {"peers.svg": bars(results), "growth.svg": growth(results)}.items():
        if drawn:
            (folder / name).write_text(drawn)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
