"""The jobs: rank, rollup, ingest and verify, each as rounds of tasks that Spark schedules and repeats.

A task may run twice, at the same time, too: the same part has the same result under the same name.
"""

import os
import secrets
import socket
import sys

from topsell_spark import program

#: Tasks for each core, so that none of them waits long for the last one.
TASKS_PER_CORE = 4
#: As often as a plan is made again where the lake has changed meanwhile, or results are damaged.
MAX_PLANS = 4
BUSY, DAMAGED = 6, 3


def traceparent():
    """The trace that all runs of a job belong to: that of the environment, or a new one."""
    told = os.environ.get("TRACEPARENT")
    return told or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


class Job:
    """A job on a lake: the driver's own steps, and rounds of tasks."""

    def __init__(self, spark, lake, parts=None):
        self.spark = spark
        self.lake = lake
        self.parts = parts or spark.defaultParallelism * TASKS_PER_CORE
        self.threads = int(spark.getConf().get("spark.task.cpus", "1"))
        self.trace = traceparent()
        #: What each step and each task took.
        self.took = []

    def step(self, *words):
        """Runs a step on the driver, and returns what it printed."""
        done = program.run(self.lake, list(words), trace=self.trace)
        self.took.append({"step": " ".join(words[:2]), "seconds": done["seconds"], "cpu_seconds": done["cpu_seconds"]})
        sys.stderr.write(done["said"])
        return done["printed"].strip()

    def round(self, name, count, words_of, accepted=()):
        """Runs a task for each of some parts, as one stage that has the name in Spark's UI."""
        spark, lake, threads, trace = self.spark, self.lake, self.threads, self.trace
        spark.setJobGroup("topsell", f"topsell {name}")
        spark.setJobDescription(f"topsell {name}")

        def work(part):
            return task(lake, part, words_of(part), threads, trace, accepted)

        done = spark.parallelize(range(count), count).map(work).setName(f"topsell {name}").collect()
        self.took.extend({"step": name, **each} for each in done)
        return done

    def rank(self, options):
        """Publishes the ranking of the newest events, and with `--all-items` the item totals."""
        options, merge = split_options(options, ("--catalog", "--catalog-map"))
        self.rollup([])
        printed = self.step("rank", "plan", "--wait", "--parts", str(self.parts), *options)
        number = 0
        while printed:
            plan, parts = planned(printed)
            name = f"rank: {os.path.basename(os.path.dirname(plan))}, round {number}, {parts} parts"
            printed = self.brought_together(
                name, ("rank", "partial", plan), parts, ("rank", "merge", "--wait", plan, *merge)
            )
            number += 1

    def rollup(self, options):
        """Brings the aggregates up to date, in one commit."""
        for tried in range(1, MAX_PLANS + 1):
            printed = self.step("rollup", "plan", "--wait", "--parts", str(self.parts), *options)
            if not printed:
                return
            plan, parts = planned(printed)
            name = f"rollup: {os.path.basename(os.path.dirname(plan))}, {parts} parts"
            try:
                self.brought_together(
                    name, ("rollup", "partial", plan), parts, ("rollup", "commit", "--wait", plan)
                )
                return
            except program.Failed as failed:
                # The aggregates have changed meanwhile.
                if failed.code != BUSY or tried == MAX_PLANS:
                    raise

    def brought_together(self, name, part_words, parts, words):
        """Computes all parts of a plan, and merges or commits them; once more those that are damaged."""
        words_of = part_command(part_words)
        self.round(name, parts, words_of)
        try:
            return self.step(*words)
        except program.Failed as failed:
            if failed.code != DAMAGED:
                raise
            sys.stderr.write(f"warning: {failed.said}; it is computed again\n")
            self.round(name, parts, words_of)
            return self.step(*words)

    def ingest(self, options):
        """Loads logs from many hosts: each task loads a share of them, exactly once by their content."""
        parts = self.parts
        # Where the lake is not there yet, one makes it.
        done = self.round(f"ingest: {parts} shares", parts, share_command(("ingest", *options), parts), accepted=(4,))
        return 4 if any(each["code"] == 4 for each in done) else 0

    def verify(self, options):
        """Checks all data; tasks check shares of the files and days."""
        parts = self.parts
        words = ("lake", "verify", *options)
        done = self.round(f"verify: {parts} shares", parts, share_command(words, parts), accepted=(DAMAGED,))
        damaged = [each for each in done if each["code"] == DAMAGED]
        for each in damaged:
            sys.stderr.write(each["said"])
        return DAMAGED if damaged else 0


def task(lake, part, words, threads, trace, accepted):
    """Runs a part on the host of the task. An exception makes Spark try again, elsewhere perhaps."""
    from pyspark import TaskContext

    context = TaskContext.get()
    about = {"part": part, "host": socket.gethostname(), "attempt": context.attemptNumber() if context else 0}
    try:
        done = program.run(lake, list(words), threads, trace)
    except program.Failed as failed:
        if failed.code not in accepted:
            raise
        return {**about, "code": failed.code, "said": failed.said, "seconds": 0.0, "cpu_seconds": 0.0}
    return {**about, "code": 0, "said": "", "seconds": done["seconds"], "cpu_seconds": done["cpu_seconds"]}


def part_command(words):
    """The command of a part of a plan."""
    return lambda part: (*words, "--part", str(part))


def share_command(words, of):
    """The command of one of several shares."""
    return lambda part: (*words, "--only-share", f"{part + 1}/{of}")


def planned(printed):
    """The name of a plan and the number of its parts, as they are printed."""
    plan, parts = printed.split("\t")
    return plan, int(parts)


def split_options(options, names):
    """Splits the options of some names, and their values, from all others."""
    others, found, left = [], [], list(options)
    while left:
        word = left.pop(0)
        name, equals, _ = word.partition("=")
        if name not in names:
            others.append(word)
        else:
            found.append(word)
            if not equals and left:
                found.append(left.pop(0))
    return others, found
