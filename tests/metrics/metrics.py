"""Reads a file of metrics as Prometheus's own library does, and checks what it holds."""

import argparse
import pathlib
import re

from prometheus_client.parser import text_string_to_metric_families

# What any lake that was ranked has.
EXPECTED = {
    "topsell_build_info",
    "topsell_lake_readable",
    "topsell_ranking_as_of_timestamp_seconds",
    "topsell_ranking_age_seconds",
    "topsell_newest_hour_end_timestamp_seconds",
    "topsell_newest_hour_lag_seconds",
    "topsell_table_size_bytes",
    "topsell_table_files",
    "topsell_last_run_timestamp_seconds",
    "topsell_last_success_timestamp_seconds",
    "topsell_last_run_failed",
    "topsell_last_run_exit_code",
    "topsell_last_run_stage_duration_seconds",
    "topsell_last_run_lines",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=pathlib.Path)
    file = arguments.parse_args().file
    families = list(text_string_to_metric_families(file.read_text(encoding="utf-8")))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), f"a metric comes twice: {names}"
    assert EXPECTED <= set(names), f"missing: {sorted(EXPECTED - set(names))}"
    samples = 0
    for family in families:
        assert re.fullmatch(r"topsell_[a-z_]+", family.name), family.name
        assert family.type == "gauge" and family.documentation.endswith("."), family
        assert family.samples, f"{family.name} has no samples"
        seen = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len(seen) == len(set(seen)), f"a sample of {family.name} comes twice"
        assert len({tuple(label for label, _ in labels) for labels in seen}) == 1, f"{family.name}: labels differ"
        samples += len(seen)
    print(f"{file}: {len(families)} metrics, {samples} samples, as they should be")


if __name__ == "__main__":
    main()
