"""The bars: what each step must cost at most, against the best peer or in itself."""

from dataclasses import dataclass

MIB, GIB = 1 << 20, 1 << 30


@dataclass
class Bar:
    what: str
    ours: str
    best: str
    value: float
    unit: str
    must: float
    aim: float
    more_is_better: bool = False

    def verdict(self):
        def reaches(limit):
            return self.value >= limit if self.more_is_better else self.value <= limit

        return "aim" if reaches(self.aim) else "must" if reaches(self.must) else "missed"


def seconds(value):
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def size(value):
    return f"{value / GIB:.1f} GiB" if value >= GIB else f"{value / MIB:.0f} MiB"


def best_peer(task, kind):
    """Name and seconds of the peer that finished with the least, or None."""
    times = {
        name: taken[kind]
        for name, taken in task.items()
        if name != "topsell" and "failed" not in taken and not taken.get("once")
    }
    return min(times.items(), key=lambda pair: pair[1]) if times else None


def against(what, ours, task, kind, must, aim):
    """A bar that compares ours with the best peer at a task, by CPU or wall seconds."""
    best = best_peer(task, kind)
    if best:
        name, theirs = best
        word = {"cpu": "CPU", "wall": "wall"}[kind]
        yield Bar(
            f"{what}, {word}",
            seconds(ours[kind]),
            f"{seconds(theirs)} ({name})",
            ours[kind] / theirs,
            "×",
            must,
            aim,
        )


def of_rankings(name, section):
    raw, rollups = section["tasks"]["rank_raw"], section["tasks"]["rank_rollups"]
    first, again = raw["topsell"], rollups["topsell"]
    yield from against(f"{name}: first ranking, from raw events", first, raw, "cpu", 1, 1 / 2)
    yield from against(f"{name}: ranking again; peers on raw", again, raw, "cpu", 1 / 5, 1 / 20)
    yield from against(f"{name}: ranking again; others on hourly aggregates", again, rollups, "cpu", 1 / 2, 1 / 5)
    hour, full = section["one_more_hour"]["cpu"], section["steps"]["rank"]["cpu"]
    yield Bar(
        f"{name}: one more hour, to a full ranking of the aggregates, CPU",
        seconds(hour),
        seconds(full),
        hour / full,
        "×",
        1 / 5,
        1 / 20,
    )
    shown = section["show"]["median_ms"]
    yield Bar(f"{name}: show, cold process", f"{shown:.1f} ms", "", shown, " ms", 10, 3)
    if "count" in section:
        counted = section["count"]["median_ms"]
        yield Bar(f"{name}: count, cold process", f"{counted:.1f} ms", "", counted, " ms", 20, 10)
    if "item_totals" in section:
        best, all_items = (section["item_totals"][step] for step in ("rank", "rank --all-items"))
        for kind, name_of in (("wall", "wall"), ("cpu", "CPU")):
            yield Bar(
                f"{name}: item totals, to a ranking alone, {name_of}",
                seconds(all_items[kind]),
                seconds(best[kind]),
                all_items[kind] / best[kind],
                "×",
                2,
                1.5,
            )
    sizes = section["sizes"]
    for part, must, aim in (("rollup", 5, 2), ("snapshot", 16, 10)):
        bytes_, rows = sizes[f"{part}_bytes"], sizes[f"{part}_rows"]
        yield Bar(
            f"{name}: size of a row of the {part}",
            f"{size(bytes_)}, {rows:,} rows",
            "",
            bytes_ / rows,
            " B",
            must,
            aim,
        )
    ranked = max(taken["peak_bytes"] for taken in (first, again))
    yield Bar(f"{name}: memory, rank", size(ranked), "", ranked / MIB, " MiB", 2048, 1024)
    for step in ("ingest", "first ranking", "rank again"):
        one, two = (section["threads"][f"{step}, {number}"]["wall"] for number in (1, 2))
        yield Bar(
            f"{name}: one thread to two, {step}, wall",
            f"{seconds(one)} to {seconds(two)}",
            "",
            one / two,
            "×",
            1.7,
            1.9,
            True,
        )


def of_ingest(name, section, must, aim):
    task = section["tasks"]["partition"]
    for kind in ("cpu", "wall"):
        yield from against(f"{name}: ingest of CSV", task["topsell"], task, kind, must, aim)


def bars(sections):
    """All that what was measured allows."""
    small, large = sections.get("S"), sections.get("M")
    if small:
        yield from of_ingest("S", small, 1 / 2, 1 / 4)
        yield from of_rankings("S", small)
    if large:
        yield from of_rankings("M", large)
    if "flat" in sections:
        yield from of_ingest("flat", sections["flat"], 1, 1 / 2)
    if "XL" in sections:
        taken = sections["XL"]["tasks"]["rank_aggregates"]["topsell"]
        yield Bar(
            "XL: ranking, from aggregates written directly into `rollups`",
            seconds(taken["wall"]),
            "",
            taken["wall"],
            " s",
            120,
            30,
        )
        yield Bar("XL: its memory", size(taken["peak_bytes"]), "", taken["peak_bytes"] / GIB, " GiB", 8, 4)
    peaks = [
        (section["steps"]["ingest"]["peak_bytes"], name)
        for name, section in sections.items()
        if "steps" in section
    ]
    peaks += [
        (section["tasks"]["partition"]["topsell"]["peak_bytes"], name)
        for name, section in sections.items()
        if "partition" in section.get("tasks", {})
    ]
    if peaks:
        peak, name = max(peaks)
        yield Bar(
            f"memory, ingest of any size (most at {name})", size(peak), "", peak / MIB, " MiB", 512, 256
        )
    if small and large:
        for step in ("ingest", "first ranking", "rank again"):
            few, many = (cost(section, step) for section in (small, large))
            yield Bar(f"S to M: {step}, CPU", seconds(many), seconds(few), many / few, "×", 12, 10)


def cost(section, step):
    if step == "first ranking":
        return section["tasks"]["rank_raw"]["topsell"]["cpu"]
    return section["steps"][step]["cpu"]
