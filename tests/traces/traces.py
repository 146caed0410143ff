"""Exports traces of real runs and has them read by those whom they are for.

    pip install -r requirements.txt
    python traces.py TOPSELL SAMPLE FOLDER [--trace-processor PATH]

TOPSELL is the program's command line, SAMPLE a folder of purchase logs, FOLDER where to work. The runs:
an ingest, a rank, a verify that is a part of the rank's trace, and an ingest that is killed in the middle.

OTLP: parsed by the messages of the opentelemetry-proto package, with no unknown field allowed. Its JSON
reader is Protobuf's, which OTLP departs from in one thing, https://opentelemetry.io/docs/specs/otlp/:
ids are hexadecimal, not base64. They are converted first, and checked; so is what Protobuf would let pass and
OTLP does not: numbers of choices as names, field names in snake_case.

Chrome's trace format: held against its description, event by event. With --trace-processor, Perfetto's own
reader loads it, too, through the perfetto package; the program itself is no part of that package.

Prints `traces: ok`, or what is wrong and exits 1.
"""

import argparse
import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
WIDE = {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64}
FAILED = []


def check(holds, what):
    if not holds:
        FAILED.append(what)


def no_twins(pairs):
    keys = [key for key, _ in pairs]
    check(len(keys) == len(set(keys)), f"a key twice among {keys}")
    return dict(pairs)


def strict(value, message, path):
    """Checks that JSON is spelled as OTLP spells a message, and returns it as Protobuf spells it."""
    fields = {field.json_name: field for field in message.fields}
    spelled = {}
    for key, part in value.items():
        here = f"{path}.{key}"
        field = fields.get(key)
        if field is None:
            check(False, f"{here}: no such field of {message.full_name}")
            continue
        parts = part if field.is_repeated else [part]
        done = []
        for one in parts:
            if field.message_type:
                one = strict(one, field.message_type, here)
            elif key in IDS:
                is_id = isinstance(one, str) and re.fullmatch(f"[0-9a-f]{{{IDS[key]}}}", one)
                check(is_id and set(one) != {"0"}, f"{here}: {one!r} is no id")
                one = base64.b64encode(bytes.fromhex(one)).decode()
            elif field.enum_type:
                check(type(one) is int and one in field.enum_type.values_by_number, f"{here}: {one!r} is no choice")
            elif field.type in WIDE:
                check(isinstance(one, str) and re.fullmatch("-?[0-9]+", one), f"{here}: {one!r} is no text of a number")
            elif field.type == FieldDescriptor.TYPE_STRING:
                check(isinstance(one, str), f"{here}: {one!r} is no text")
            done.append(one)
        spelled[key] = done if field.is_repeated else done[0]
    return spelled


def check_otlp(text, name):
    value = json.loads(text, object_pairs_hook=no_twins)
    spelled = strict(value, TracesData.DESCRIPTOR, name)
    data = json_format.Parse(json.dumps(spelled), TracesData(), ignore_unknown_fields=False)
    request = json_format.Parse(json.dumps(spelled), ExportTraceServiceRequest(), ignore_unknown_fields=False)
    check(list(data.resource_spans) == list(request.resource_spans), f"{name}: read differently by the two messages")
    back = TracesData.FromString(data.SerializeToString())
    check(back == data, f"{name}: not the same after being sent")
    spans = [span for of in data.resource_spans for scope in of.scope_spans for span in scope.spans]
    for of in data.resource_spans:
        named = {attribute.key: attribute.value.string_value for attribute in of.resource.attributes}
        check(named.get("service.name") == "topsell", f"{name}: no service.name")
    ids = [span.span_id for span in spans]
    check(len(ids) == len(set(ids)), f"{name}: a span's id twice")
    check(len({span.trace_id for span in spans}) == 1, f"{name}: more than one trace")
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        check(span.name and span.start_time_unix_nano > 10**18, f"{name}: {span.name!r} began at {span.start_time_unix_nano}")
        check(span.start_time_unix_nano <= span.end_time_unix_nano, f"{name}: {span.name} ends before it begins")
        parent = by_id.get(span.parent_span_id)
        check(parent or span.parent_span_id in (b"", bytes.fromhex(PARENT)), f"{name}: {span.name} is a part of nothing")
        if parent:
            check(parent.start_time_unix_nano <= span.start_time_unix_nano, f"{name}: {span.name} begins before its whole")
    return spans


KEYS = {
    "M": {"ph", "name", "pid", "tid", "args"},
    "X": {"ph", "name", "cat", "ts", "dur", "pid", "tid", "args"},
}
METADATA = {"process_name": ("name", str), "thread_name": ("name", str), "process_sort_index": ("sort_index", int)}


def check_chrome(text, name):
    value = json.loads(text, object_pairs_hook=no_twins)
    check(set(value) == {"traceEvents", "displayTimeUnit"}, f"{name}: {set(value)}")
    check(value["displayTimeUnit"] in ("ms", "ns"), f"{name}: displayTimeUnit {value['displayTimeUnit']}")
    named, lanes = set(), {}
    for event in value["traceEvents"]:
        check(event.get("ph") in KEYS and set(event) == KEYS[event["ph"]], f"{name}: {event}")
        check(type(event["pid"]) is int and type(event["tid"]) is int, f"{name}: {event}")
        check(isinstance(event["name"], str) and event["name"] and isinstance(event["args"], dict), f"{name}: {event}")
        if event["ph"] == "M":
            key, kind = METADATA[event["name"]]
            check(set(event["args"]) == {key} and type(event["args"][key]) is kind, f"{name}: {event}")
            named.add(event["pid"])
            continue
        # Microseconds that a double holds exactly: readers have no other numbers.
        check(all(type(event[key]) is int and 0 <= event[key] < 2**53 for key in ("ts", "dur")), f"{name}: {event}")
        lanes.setdefault((event["pid"], event["tid"]), []).append((event["ts"], -event["dur"], event["name"]))
    check(named >= {pid for pid, _ in lanes}, f"{name}: a process without a name")
    for lane in lanes.values():
        open_until = []
        for began, minus_took, what in sorted(lane):
            ended = began - minus_took
            while open_until and open_until[-1] <= began:
                open_until.pop()
            check(not open_until or ended <= open_until[-1], f"{name}: {what} overlaps what it is not a part of")
            open_until.append(ended)
    return sum(len(lane) for lane in lanes.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("topsell")
    parser.add_argument("sample", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trace-processor", type=Path)
    options = parser.parse_args()
    program = shlex.split(options.topsell)
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    lake = options.folder / "lake"

    def topsell(*words, env=None, **more):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TOPSELL_")}
        return subprocess.run(
            [*program, "--lake", str(lake), *words], env=environment | (env or {}), check=True, text=True,
            stdout=subprocess.PIPE, **more,
        ).stdout

    topsell("ingest", *map(str, sorted(options.sample.glob("purchases-*.csv.gz"))[:3]))
    topsell("rank", "--as-of", "2017-01-04T00:00:00Z", env={"TRACEPARENT": f"00-{TRACE}-{PARENT}-01"})

    def runs():
        return json.loads(topsell("runs", "--format", "json"))["runs"]

    rank = next(run for run in runs() if run["command"] == "rank")
    record = json.loads(topsell("runs", "show", rank["id"], "--format", "json"))
    stage = record["spans"][0]["span_id"]
    topsell("lake", "verify", env={"TRACEPARENT": f"00-{TRACE}-{stage}-01"})
    before = len(runs())
    killed = subprocess.Popen([*program, "--lake", str(lake), "ingest", "-"], stdin=subprocess.PIPE, start_new_session=True)
    while len(runs()) == before:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    exported = {}
    for run in runs():
        name = f"{run['command']} {run['id']}"
        otlp = topsell("runs", "export", run["id"], "--format", "otlp")
        spans = check_otlp(otlp, name)
        chrome = topsell("runs", "export", run["id"], "--format", "chrome")
        slices = check_chrome(chrome, name)
        check(len(spans) == slices, f"{name}: {len(spans)} spans, {slices} slices")
        exported[run["id"]] = spans
        for form, text in (("otlp", otlp), ("chrome", chrome)):
            (options.folder / f"{run['id']}.{form}.json").write_text(text)
        if options.trace_processor:
            from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig

            config = TraceProcessorConfig(bin_path=str(options.trace_processor))
            with TraceProcessor(trace=str(options.folder / f"{run['id']}.chrome.json"), config=config) as reader:
                found = list(reader.query("select count(*) as slices, min(dur) as shortest from slice"))[0]
                check(found.slices == slices and found.shortest >= 0, f"{name}: Perfetto sees {found.slices} slices")
        failed = run["state"] == "never ended"
        whole = next(span for span in spans if span.name == run["command"] and not any(
            span.parent_span_id == other.span_id and other.name == run["command"] for other in spans))
        check((whole.status.code == Status.STATUS_CODE_ERROR) == failed, f"{name}: {run['state']}, {whole.status}")
    check(len(exported[rank["id"]]) > 8, "the rank's trace has the spans of the verify, too")
    for what in FAILED:
        print(what, file=sys.stderr)
    if FAILED:
        sys.exit(1)
    by = " and by Perfetto's trace processor" if options.trace_processor else ", the Chrome form against its description"
    total = sum(len(spans) for spans in exported.values())
    print(f"traces: ok: {len(exported)} traces, {total} spans read by opentelemetry-proto{by}")


if __name__ == "__main__":
    main()
