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
    for kind in ("cpu", "wall"):
        yield from against(f"{name}: first ranking, from raw events", first, raw, kind, 0.75, 0.5)
    yield from against(f"{name}: ranking again; peers on raw", again, raw, "cpu", 1 / 5, 1 / 20)
    yield from against(f"{name}: ranking again; others on hourly aggregates", again, rollups, "cpu", 0.45, 0.25)
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
    for part, must, aim in (("rollup", 7, 5), ("snapshot", 22, 16)):
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
            1.75,
            1.9,
            True,
        )


def of_ingest(name, section, must, aim):
    task = section["tasks"]["partition"]
    for kind in ("cpu", "wall"):
        yield from against(f"{name}: ingest of CSV", task["topsell"], task, kind, must, aim)


def of_ages(ages):
    """A lake of three years, to one of a week; what looks back a year, to one of a year, too."""
    for step, taken in ages.items():
        years = taken["three years"]
        for younger in ["a week", *(["a year"] if step == "rank" else [])]:
            for kind, word, shown in (("cpu", "CPU", milliseconds), ("peak_bytes", "memory", size)):
                yield Bar(
                    f"age: {step}, {word}, to {younger}",
                    shown(years[kind]),
                    shown(taken[younger][kind]),
                    years[kind] / taken[younger][kind],
                    "×",
                    1.2,
                    1.05,
                )


def of_categories(name, section, small, must):
    """Many categories without levels, to the fifty top-level ones of S."""
    for step in section["steps"]:
        many, few = (cost_of(step, one) for one in (section, small))
        yield Bar(f"{name} to S: {step}, CPU", seconds(many), seconds(few), many / few, "×", must, 1.25)
    for command in ("show", "count"):
        many, few = (one[command]["median_ms"] for one in (section, small))
        yield Bar(f"{name} to S: {command}", f"{many:.1f} ms", f"{few:.1f} ms", many / few, "×", must, 1.25)
    peak = max(taken["peak_bytes"] for taken in section["steps"].values())
    yield Bar(f"{name}: memory, most of any step", size(peak), "", peak / MIB, " MiB", 512, 256)


def cost_of(step, section):
    return section["steps"][step]["cpu"]


def milliseconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else seconds(value)


def bars(sections):
    """All that what was measured allows."""
    small, large = sections.get("S"), sections.get("M")
    if small:
        yield from of_ingest("S", small, 1 / 2, 1 / 4)
        ndjson = small["tasks"]["ingest_ndjson"]
        for kind in ("cpu", "wall"):
            yield from against("S: ingest of NDJSON", ndjson["topsell"], ndjson, kind, 0.5, 0.3)
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
            25,
            15,
        )
        yield Bar("XL: its memory", size(taken["peak_bytes"]), "", taken["peak_bytes"] / GIB, " GiB", 0.6, 0.6)
    if "age" in sections:
        yield from of_ages(sections["age"]["ages"])
    for name, must in (("flat30k", 1.5), ("flat200k", 2.5)):
        if small and name in sections:
            yield from of_categories(name, sections[name], small, must)
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
        few, many = (cost(section, "ingest") / section["workload"]["purchases"] for section in (small, large))
        yield Bar(
            "S to M: ingest, CPU a purchase",
            f"{many * 1e9:.0f} ns",
            f"{few * 1e9:.0f} ns",
            many / few,
            "×",
            1.15,
            1.05,
        )
        for step in ("ingest", "first ranking", "rank again"):
            few, many = (cost(section, step) for section in (small, large))
            yield Bar(f"S to M: {step}, CPU", seconds(many), seconds(few), many / few, "×", 12, 10)


def cost(section, step):
    if step == "first ranking":
        return section["tasks"]["rank_raw"]["topsell"]["cpu"]
    return section["steps"][step]["cpu"]
