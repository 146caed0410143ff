"""Compares when things are due with croniter, cronsim and systemd: expressions of chance, zones, five years.

Every difference is written down, with the reason it has. A reason is a rule of the other's or of ours that
is checked for that very moment; a difference that no rule explains ends the comparison with exit code 1.
"""

import argparse
import bisect
import collections
import csv
import datetime
import itertools
import multiprocessing
import os
import random
import shlex
import shutil
import subprocess
import tempfile
import zoneinfo

import croniter
import cronsim

UTC = datetime.timezone.utc
YEARS = 5
STARTS = [2009, 2014, 2019, 2024]
ZONES = """
UTC Europe/Berlin Europe/London Europe/Dublin Europe/Lisbon America/New_York America/Los_Angeles America/St_Johns
America/Sao_Paulo America/Santiago America/Asuncion America/Havana America/Caracas America/Scoresbysund
Africa/Casablanca Africa/Cairo Asia/Beirut Asia/Jerusalem Asia/Tehran Asia/Amman Asia/Kolkata Asia/Kathmandu
Asia/Tokyo Asia/Pyongyang Asia/Almaty Australia/Lord_Howe Australia/Adelaide Pacific/Chatham Pacific/Auckland
Pacific/Apia Pacific/Norfolk Antarctica/Troll Atlantic/Azores
""".split()
FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()
NIGHT = [0, 1, 2, 3, 23]
# Of an expression with more times than these, the days around changes of clocks are compared, and others by chance.
DENSE = 20_000
CHANCE_DAYS = 20
# Of expressions that are due more often than this a day, most are drawn anew: their times are all alike.
OFTEN = 100
# As many times of each expression are asked of systemd, from its start and around each change.
SYSTEMD_TIMES = 60
# What some versions say of some hours that come twice.
SYSTEMD_FAULT = "Resource deadlock avoided"


class Expression:
    """An expression, its zone, the numbers that each of its fields names, and when its five years begin."""

    def __init__(self, chance):
        self.zone = chance.choice(ZONES)
        self.year = chance.choice(STARTS)
        fields = [field(chance, at) for at in range(5)]
        self.text = " ".join(text for text, _ in fields)
        self.minutes, self.hours, self.days, self.months, weekdays = (numbers for _, numbers in fields)
        self.weekdays = {number % 7 for number in weekdays}
        _, _, day, _, weekday = self.text.split()
        self.by_both = day.startswith("*") or weekday.startswith("*")

    def names_day(self, day):
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        is_day = (by_month and by_week) if self.by_both else (by_month or by_week)
        return day.month in self.months and is_day

    def names(self, reading):
        return self.names_day(reading) and reading.hour in self.hours and reading.minute in self.minutes

    def is_ever(self):
        days = (datetime.date(2000, 1, 1) + datetime.timedelta(days) for days in range(366))
        longest = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
        return any(
            day.day <= longest.get(day.month, 31) and day.day in self.days and day.month in self.months for day in days
        ) or not self.by_both

    def is_often(self):
        days = min(len(self.days) / 31, len(self.weekdays) / 7) * len(self.months) / 12
        return len(self.minutes) * len(self.hours) * days > OFTEN

    def start(self):
        return datetime.datetime(self.year, 1, 1, tzinfo=UTC)

    def end(self):
        return datetime.datetime(self.year + YEARS, 1, 1, tzinfo=UTC)


def field(chance, at):
    """Returns one field as text, and the numbers it names."""
    least, most = FIELDS[at]
    kind = chance.choices(["*", "*/", "-", "-/", ","], weights=[[4, 2, 1, 1, 12], [8, 3, 2, 2, 9], [14, 2, 1, 1, 4],
                                                                 [16, 1, 1, 1, 3], [14, 1, 3, 1, 4]][at])[0]
    if kind == "*":
        return "*", set(range(least, most + 1))
    if kind == "*/":
        step = chance.randint(1, most)
        return f"*/{step}", set(range(least, most + 1, step))
    if kind == ",":
        # Clocks are changed at night.
        one = lambda: chance.choice(NIGHT) if at == 1 and chance.random() < 0.4 else chance.randint(least, most)
        numbers = [one() for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        return ",".join(spelled(chance, at, number) for number in numbers), set(numbers)
    first, last = sorted(chance.sample(range(least, most + 1), 2))
    step = 1 if kind == "-" else chance.randint(1, max(2, (last - first) * 2 // 3))
    text = f"{spelled(chance, at, first)}-{spelled(chance, at, last)}"
    return (text if kind == "-" else f"{text}/{step}"), set(range(first, last + 1, step))


def spelled(chance, at, number):
    """Returns a number, or now and then its name in letters of chance's case."""
    names = {3: dict(enumerate(MONTHS, 1)), 4: dict(enumerate(WEEKDAYS))}.get(at, {})
    if number in names and chance.random() < 0.3:
        return chance.choice([names[number], names[number].lower(), names[number].title()])
    return str(number)


class Clocks:
    """The changes of a zone's clocks: the moment, and the readings before and after."""

    def __init__(self, expression):
        self.zone = zoneinfo.ZoneInfo(expression.zone)
        at, end, step = expression.start(), expression.end(), datetime.timedelta(hours=12)
        self.changes = []
        while at < end:
            if self.offset(at) != self.offset(at + step):
                self.changes.append(self.change(at, at + step))
            at += step

    def offset(self, moment):
        return moment.astimezone(self.zone).utcoffset()

    def change(self, low, high):
        while high - low > datetime.timedelta(seconds=1):
            middle = (low + (high - low) / 2).replace(microsecond=0)
            low, high = (middle, high) if self.offset(middle) == self.offset(low) else (low, middle)
        before, after = self.offset(low), self.offset(high)
        naive = high.replace(tzinfo=None)
        return high, naive + before, naive + after

    def is_second_showing(self, moment):
        """Whether clocks showed the same before they were last changed."""
        reading = self.reading(moment)
        return any(at <= moment and after <= reading < before for at, before, after in self.changes
                   if moment - at < datetime.timedelta(days=2))

    def jumped(self, moment):
        """Returns the readings, minute by minute, that clocks jump over at a moment."""
        for at, before, after in self.changes:
            if at == moment and before < after:
                minutes = (after - before) // datetime.timedelta(minutes=1)
                return [before + datetime.timedelta(minutes=passed) for passed in range(minutes)]
        return []

    def last_change(self, moment):
        return max((change for change in self.changes if change[0] <= moment), default=None)

    def reading(self, moment):
        return moment.astimezone(self.zone).replace(tzinfo=None)


def windows(expression, clocks, times):
    """Returns the spans that are compared."""
    if len(times) <= DENSE:
        return [(expression.start(), expression.end())]
    day = datetime.timedelta(days=1)
    chance = random.Random(expression.text)
    days = [change - 2 * day for change, _, _ in clocks.changes]
    days += [expression.start() + chance.randrange(YEARS * 365 - 4) * day for _ in range(CHANCE_DAYS)]
    bounds = sorted((max(at, expression.start()), min(at + 4 * day, expression.end())) for at in days)
    merged = [bounds[0]]
    for start, end in bounds[1:]:
        if start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def of_croniter(expression, start, end):
    local = start.astimezone(zoneinfo.ZoneInfo(expression.zone))
    found = croniter.croniter(expression.text, local, ret_type=datetime.datetime, implement_cron_bug=True,
                              max_years_between_matches=YEARS + 1)
    try:
        while (at := found.get_next(datetime.datetime).astimezone(UTC)) < end:
            yield at
    except croniter.CroniterBadDateError:
        pass  # There is none in years.


def of_cronsim(expression, start, end):
    local = start.astimezone(zoneinfo.ZoneInfo(expression.zone))
    for at in cronsim.CronSim(expression.text, local):
        if (at := at.astimezone(UTC)) >= end:
            return
        yield at


def ours(program, expressions):
    """Returns our times of expressions that begin in the same year, as texts, which sort as they do."""
    with tempfile.NamedTemporaryFile("w", prefix="crontab-") as tab:
        tab.writelines(f"CRON_TZ={one.zone}\n{one.text} true\n" for one in expressions)
        tab.flush()
        # The moment that the five years begin with is one of theirs.
        now = expressions[0].start() - datetime.timedelta(seconds=1)
        command = [*program, "schedule", "--list", "--crontab", tab.name, "--format", "csv", "--quiet",
                   "--until", expressions[0].end().isoformat()]
        environment = {**os.environ, "TOPSELL_NOW": now.isoformat()}
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        times = {(one.zone, one.text): [] for one in expressions}
        rows = csv.reader(run.stdout)
        assert next(rows)[:5] == ["due", "utc", "job", "time_zone", "schedule"]
        for _, moment, _, zone, schedule, _ in rows:
            times[zone, schedule].append(moment)
        assert run.wait() == 0, f"{command} failed"
        return [times[one.zone, one.text] for one in expressions]


# Reasons. Each is checked for the moment at which two differ; where one is said to be wrong, another of the
# three must have what we have at that moment.

def reason(expression, clocks, moment, is_ours, whose, agrees):
    """Returns why one of two has a time that the other has not; nothing where no rule says so."""
    every_hour = len(expression.hours) == 24
    minute, hour = expression.text.split()[:2]
    has_star = minute.startswith("*") or hour.startswith("*")
    is_named = expression.names(clocks.reading(moment))
    is_second = clocks.is_second_showing(moment)
    is_after_jump = any(expression.names(jumped) for jumped in clocks.jumped(moment))
    if is_named and is_second and not every_hour and not is_ours:
        if whose == "croniter":
            return "comes twice: croniter has it both times, we the first time"
        if whose == "cronsim" and has_star:
            return "comes twice: cronsim has * in minute or hour both times, we have some hours the first time"
    if is_after_jump and not is_named and not every_hour and is_ours:
        if whose == "cronsim" and has_star:
            return "jumped over: cronsim leaves * in minute or hour out, we have some hours right after"
        if whose == "systemd":
            return "jumped over: systemd leaves it out, we have it right after"
    if is_named and is_second and every_hour and is_ours and whose == "systemd":
        return "comes twice: systemd has it once, we have every hour both times"
    if not (is_named and is_ours and agrees):
        return None
    change = clocks.last_change(moment)
    if change is None:
        return None
    at, before, after = change
    is_whole = (after - before) % datetime.timedelta(hours=1) == datetime.timedelta(0)
    since = moment - at
    hours = datetime.timedelta(hours=1)
    if whose == "croniter" and is_second and not is_whole:
        return f"comes twice, by less than an hour: croniter leaves it out, {agrees} and we have it"
    if is_second:
        return None
    if whose == "cronsim" and has_star and not is_whole and since < 25 * hours:
        return f"on the day of a change that is no whole hour: cronsim leaves it out, {agrees} and we have it"
    if whose == "cronsim" and has_star and before.time() == datetime.time() and before < after and since < hours:
        return f"the hour after midnight was jumped over: cronsim leaves it out, {agrees} and we have it"
    is_same_day = clocks.reading(moment).date() == after.date()
    if whose == "systemd" and is_same_day and any(expression.names(jumped) for jumped in clocks.jumped(at)):
        return f"later on a day on which a named one was jumped over: systemd leaves it out, {agrees} and we have it"
    return None


def compared(work):
    """Compares expressions that begin in the same year; returns counts and differences."""
    program, expressions, with_systemd = work
    counts, differences = collections.Counter(), []
    for expression, times in zip(expressions, ours(program, expressions)):
        clocks = Clocks(expression)
        counts["expressions"] += 1
        counts["our times"] += len(times)
        counts["times without a next"] += times != sorted(set(times))
        spans = windows(expression, clocks, times)
        differing = {"croniter": {}, "cronsim": {}, "systemd": {}}
        counts["expressions compared in parts"] += len(times) > DENSE
        for whose, find in [("croniter", of_croniter), ("cronsim", of_cronsim)]:
            for start, end in spans:
                just_before = start - datetime.timedelta(seconds=1)
                mine = of_span(times, start, end)
                theirs = set(find(expression, just_before, end))
                counts[f"times compared with {whose}"] += len(mine | theirs)
                differing[whose] |= {moment: moment in mine for moment in mine ^ theirs}
        if with_systemd and (spec := of_systemd_spec(expression)):
            counts["expressions compared with systemd"] += 1
            bases = [expression.start()] + [at - datetime.timedelta(hours=30) for at, _, _ in clocks.changes]
            for base in bases:
                theirs = of_systemd(spec, base)
                if isinstance(theirs, str):
                    counts["times systemd was asked and failed"] += 1
                    why = "systemd fails: " + theirs if theirs == SYSTEMD_FAULT else None
                    differences.append(("systemd", expression.text, expression.zone, base, True, why))
                    continue
                second = datetime.timedelta(seconds=1)
                end = min(theirs[-1] + second if len(theirs) == SYSTEMD_TIMES else expression.end(), expression.end())
                mine = of_span(times, base + second, end)
                theirs = {time for time in theirs if time < expression.end()}
                counts["times compared with systemd"] += len(mine | theirs)
                differing["systemd"] |= {moment: moment in mine for moment in mine ^ theirs}
        for whose, moments in differing.items():
            counts[f"expressions that differ from {whose}"] += bool(moments)
            for moment, is_ours in moments.items():
                compared_too = any(start <= moment < end for start, end in spans)
                others = [other for other in ("croniter", "cronsim") if moment not in differing[other]]
                agrees = next(iter(others), None) if compared_too else None
                why = reason(expression, clocks, moment, is_ours, whose, agrees)
                differences.append((whose, expression.text, expression.zone, moment, is_ours, why))
    return counts, differences


def of_span(times, start, end):
    """Returns our times from one moment to another."""
    first, last = (bisect.bisect_left(times, moment.strftime("%Y-%m-%dT%H:%M:%SZ")) for moment in (start, end))
    return {datetime.datetime.fromisoformat(time) for time in times[first:last]}


def of_systemd_spec(expression):
    """Returns an expression as systemd writes it, if it can: a day must be named by both there."""
    if not expression.by_both:
        return None
    listed = lambda numbers: ",".join(f"{number:02}" for number in sorted(numbers))
    some = lambda numbers, all_of: "*" if len(numbers) == all_of else listed(numbers)
    week = "" if len(expression.weekdays) == 7 else ",".join(WEEKDAYS[day].title() for day in sorted(expression.weekdays)) + " "
    months, days = some(expression.months, 12), some(expression.days, 31)
    hours, minutes = some(expression.hours, 24), some(expression.minutes, 60)
    return f"{week}*-{months}-{days} {hours}:{minutes}:00 {expression.zone}"


def of_systemd(spec, base):
    """Returns the first times after a moment, or what systemd says where it fails."""
    command = ["systemd-analyze", "calendar", f"--iterations={SYSTEMD_TIMES}",
               f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", spec]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"})
    if run.returncode != 0:
        return run.stderr.strip().rpartition(": ")[2]
    times = []
    for line in run.stdout.splitlines():
        name, _, rest = line.strip().partition(": ")
        if (name == "Next elapse" or name.startswith("Iter")) and rest.strip() != "never":
            _, date, time, zone = rest.split()
            assert zone == "UTC", line
            times.append(datetime.datetime.fromisoformat(f"{date}T{time}+00:00"))
    return times


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("program", help="how to call topsell")
    parse.add_argument("output", help="folder for differences.csv")
    parse.add_argument("--expressions", type=int, default=1000)
    parse.add_argument("--seed", type=int, default=1)
    asked = parse.parse_args()
    chance = random.Random(asked.seed)
    expressions = {}
    while len(expressions) < asked.expressions:
        one = Expression(chance)
        is_kept = not one.is_often() or chance.random() < 0.1
        if one.is_ever() and is_kept:
            expressions.setdefault((one.zone, one.text), one)
    with_systemd = shutil.which("systemd-analyze") is not None
    by_year = sorted(expressions.values(), key=lambda one: one.year)
    work = []
    for _, of_year in itertools.groupby(by_year, key=lambda one: one.year):
        for some in itertools.batched(of_year, 10) if hasattr(itertools, "batched") else batched(of_year, 10):
            work.append((shlex.split(asked.program), list(some), with_systemd))
    counts, differences = collections.Counter(), []
    with multiprocessing.Pool() as pool:
        for some_counts, some_differences in pool.imap_unordered(compared, work):
            counts += some_counts
            differences += some_differences
    os.makedirs(asked.output, exist_ok=True)
    path = os.path.join(asked.output, "differences.csv")
    with open(path, "w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["other", "expression", "time_zone", "utc", "who_has_it", "reason"])
        for whose, text, zone, moment, is_ours, why in sorted(differences, key=str):
            rows.writerow([whose, text, zone, moment.isoformat(), "topsell" if is_ours else whose, why or "NONE"])
    for name, count in sorted(counts.items()):
        print(f"{count:>12,}  {name}")
    print(f"{len(differences):>12,}  differences, all in {path}; by their reasons:")
    reasons = collections.Counter((whose, why) for whose, _, _, _, _, why in differences)
    for (whose, why), count in sorted(reasons.items(), key=str):
        print(f"{count:>12,}  {whose}: {why or 'NO REASON'}")
    unexplained = [one for one in differences if one[5] is None]
    for whose, text, zone, moment, is_ours, _ in unexplained[:40]:
        print(f"without a reason: {text} in {zone} at {moment} ({'topsell' if is_ours else whose} alone)")
    if not with_systemd:
        print("systemd-analyze is not there, and was not asked")
    raise SystemExit(1 if unexplained or counts["times without a next"] else 0)


def batched(items, size):
    items = list(items)
    return (items[at:at + size] for at in range(0, len(items), size))


if __name__ == "__main__":
    main()
