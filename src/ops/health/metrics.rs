//! The status of a lake in the Prometheus text format,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
//!
//! Ages are those at the time of writing. Alerts that must fire when nothing runs any more should compare a
//! `…_timestamp_seconds` with the current time instead.

use std::fmt::Write;

use crate::health::status::{Status, TableStatus};
use crate::run_history::{LastRuns, Outcome, RunKey, RunRecord, RunState};
use topsell_core::model::Timestamp;

/// The counts of lines in the records of `ingest`.
const OUTCOMES: [&str; 3] = ["accepted", "duplicate", "rejected"];

/// Returns the content of the metrics file.
pub fn metrics(status: &Status, version: &str) -> String {
    let mut text = Text::default();
    text.gauge("build_info", "Version of topsell that wrote this file.", [(vec![("version", version)], 1.0)]);
    let is_readable = status.lake.is_some() && status.corruption.is_empty();
    text.gauge(
        "lake_readable",
        "Whether the lake could be read without errors.",
        [(vec![], f64::from(u8::from(is_readable)))],
    );
    text.gauge(
        "disk_free_bytes",
        "Space that was left on the disk of the lake when this file was written.",
        status.free_bytes.map(|bytes| (vec![], bytes as f64)),
    );
    of_ranking(status, &mut text);
    of_tables(status, &mut text);
    of_runs(status, &mut text);
    text.0
}

fn of_ranking(status: &Status, text: &mut Text) {
    let ranking = status.ranking.as_ref();
    let one = |value: Option<f64>| value.map(|value| (vec![], value));
    let moment = |moment: Timestamp| seconds(moment);
    text.gauge(
        "ranking_as_of_timestamp_seconds",
        "End of the window of the published ranking.",
        one(ranking.map(|ranking| moment(ranking.as_of))),
    );
    text.gauge(
        "ranking_age_seconds",
        "Age of the published ranking when this file was written.",
        one(ranking.map(|ranking| status.now.seconds_since(ranking.since()) as f64)),
    );
    let newest = status.lake.as_ref().and_then(|lake| lake.newest_hour).map(|hour| hour.plus(1).start());
    text.gauge(
        "newest_hour_end_timestamp_seconds",
        "End of the newest hour with ranked events.",
        one(newest.map(moment)),
    );
    text.gauge(
        "newest_hour_lag_seconds",
        "Time since the end of the newest hour with ranked events when this file was written.",
        one(newest.map(|end| status.now.seconds_since(end) as f64)),
    );
}

fn of_tables(status: &Status, text: &mut Text) {
    let tables: Vec<(&str, TableStatus)> = status.lake.iter().flat_map(|lake| lake.tables.clone()).collect();
    let mut of = |name: &str, help: &str, value: &dyn Fn(&TableStatus) -> u64| {
        let of_tables = tables.iter().map(|(table, of)| (vec![("table", *table)], value(of) as f64));
        text.gauge(name, help, of_tables);
    };
    of("table_size_bytes", "Size of the files in the newest version of the table.", &|of| of.size_bytes);
    of("table_files", "Number of files in the newest version of the table.", &|of| of.files);
    of("table_rows", "Number of rows in the newest version of the table.", &|of| of.rows);
    of("table_version", "Newest version of the table.", &|of| of.version);
}

fn of_runs(status: &Status, text: &mut Text) {
    let ended = |record: &RunRecord| {
        let moment = record.ended.as_ref().unwrap_or(&record.started);
        Timestamp::parse(moment).map_or(0.0, seconds)
    };
    let mut of = |name: &str, help: &str, value: &dyn Fn(&LastRuns) -> Option<f64>| {
        let of_runs = status.runs.iter().filter_map(|(ran, last)| Some((labels(ran), value(last)?)));
        text.gauge(name, help, of_runs);
    };
    of("last_run_timestamp_seconds", "End of the last run of a command or job.", &|of| {
        of.last.as_ref().map(ended)
    });
    of("last_success_timestamp_seconds", "End of the last successful run of a command or job.", &|of| {
        Some(of.last_done.as_ref().map_or(0.0, ended))
    });
    of("last_run_failed", "Whether the last run failed, was terminated or never ended.", &|of| {
        of.last.as_ref().map(|last| f64::from(u8::from(last.state() != RunState::Ended(Outcome::Done))))
    });
    of("last_run_exit_code", "Exit code of the last run; no sample if a signal terminated it.", &|of| {
        of.last.as_ref()?.exit_code.map(f64::from)
    });
    of("last_run_duration_seconds", "Duration of the last run.", &|of| of.last.as_ref()?.seconds);
    of("last_run_peak_memory_bytes", "Peak memory of the last run.", &|of| {
        Some(of.last.as_ref()?.peak_memory_bytes? as f64)
    });
    let last = || status.runs.iter().filter_map(|(ran, of)| Some((ran, of.last.as_ref()?)));
    let stages = last().flat_map(|(ran, last)| {
        last.stage_seconds
            .iter()
            .map(move |(stage, took)| ([labels(ran), vec![("stage", stage.as_str())]].concat(), *took))
    });
    text.gauge("last_run_stage_duration_seconds", "Duration of each stage of the last run.", stages);
    let lines = last().flat_map(|(ran, last)| {
        OUTCOMES.into_iter().filter_map(move |outcome| {
            let count = last.counts.get(outcome)?;
            Some(([labels(ran), vec![("outcome", outcome)]].concat(), *count as f64))
        })
    });
    text.gauge("last_run_lines", "Lines read by the last run, by outcome.", lines);
    let mut differing = |name: &str, help: &str, count: &str| {
        let counts = last().filter_map(|(ran, last)| Some((labels(ran), *last.counts.get(count)? as f64)));
        text.gauge(name, help, counts);
    };
    differing(
        "last_run_differing_hours",
        "Hours whose aggregates differed from those recomputed from raw events.",
        "differing_hours",
    );
    differing(
        "last_run_differing_rows",
        "Rows of aggregates that differed from those recomputed from raw events.",
        "differing_rows",
    );
}

fn labels(ran: &RunKey) -> Vec<(&str, &str)> {
    vec![("command", &ran.command), ("job", ran.job.as_deref().unwrap_or_default())]
}

/// Returns a timestamp in seconds since 1970.
fn seconds(moment: Timestamp) -> f64 {
    moment.micros() as f64 / 1e6
}

/// Text in the Prometheus format.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Appends a metric and its samples, if there are any.
    fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.add(format_args!("# HELP topsell_{name} {help}\n# TYPE topsell_{name} gauge\n"));
        for (labels, value) in samples {
            let labels = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text)));
            match labels.collect::<Vec<_>>().join(",") {
                none if none.is_empty() => self.add(format_args!("topsell_{name} {value}\n")),
                some => self.add(format_args!("topsell_{name}{{{some}}} {value}\n")),
            }
        }
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a text can grow");
    }
}

/// Escapes the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::*;
    use crate::health::status::{LakeStatus, RankingStatus};

    #[test]
    fn a_metric_has_a_help_line_a_type_line_and_a_line_per_sample() {
        let at = |text: &str| Timestamp::parse(text).expect("it is a moment");
        let table = TableStatus { version: 7, files: 3, rows: 1_234_567, size_bytes: 89_000_000_000 };
        let newest_hour = Some(at("2017-01-15T10:00:00Z").hour());
        let record = RunRecord {
            outcome: Outcome::Done,
            started: "2017-01-15T11:00:00Z".to_owned(),
            ended: Some("2017-01-15T11:00:02.5Z".to_owned()),
            seconds: Some(2.5),
            exit_code: Some(4),
            counts: BTreeMap::from([("accepted".to_owned(), 5), ("rejected".to_owned(), 1)]),
            stage_seconds: BTreeMap::from([("ingest".to_owned(), 2.25)]),
            ..RunRecord::default()
        };
        let failed = RunRecord {
            outcome: Outcome::Killed,
            started: "2017-01-15T11:30:00Z".to_owned(),
            ..RunRecord::default()
        };
        let ran = |command: &str, job: Option<&str>| RunKey {
            command: command.to_owned(),
            job: job.map(str::to_owned),
        };
        let status = Status {
            now: at("2017-01-15T11:37:00Z"),
            lake: Some(LakeStatus { tables: vec![("events", table), ("rollups", table)], newest_hour }),
            ranking: Some(RankingStatus {
                as_of: at("2017-01-15T12:00:00Z"),
                published: Some(at("2017-01-15T11:02:00Z")),
            }),
            runs: BTreeMap::from([
                (ran("ingest", None), LastRuns { last: Some(record.clone()), last_done: Some(record) }),
                (ran("run", Some("a\"b\\c\nd")), LastRuns { last: Some(failed), last_done: None }),
            ]),
            future_runs: 0,
            free_bytes: Some(5_000),
            errors: Vec::new(),
            corruption: Vec::new(),
        };
        expect![[r##"
            # HELP topsell_build_info Version of topsell that wrote this file.
            # TYPE topsell_build_info gauge
            topsell_build_info{version="0.1.0"} 1
            # HELP topsell_lake_readable Whether the lake could be read without errors.
            # TYPE topsell_lake_readable gauge
            topsell_lake_readable 1
            # HELP topsell_disk_free_bytes Space that was left on the disk of the lake when this file was written.
            # TYPE topsell_disk_free_bytes gauge
            topsell_disk_free_bytes 5000
            # HELP topsell_ranking_as_of_timestamp_seconds End of the window of the published ranking.
            # TYPE topsell_ranking_as_of_timestamp_seconds gauge
            topsell_ranking_as_of_timestamp_seconds 1484481600
            # HELP topsell_ranking_age_seconds Age of the published ranking when this file was written.
            # TYPE topsell_ranking_age_seconds gauge
            topsell_ranking_age_seconds 2100
            # HELP topsell_newest_hour_end_timestamp_seconds End of the newest hour with ranked events.
            # TYPE topsell_newest_hour_end_timestamp_seconds gauge
            topsell_newest_hour_end_timestamp_seconds 1484478000
            # HELP topsell_newest_hour_lag_seconds Time since the end of the newest hour with ranked events when this file was written.
            # TYPE topsell_newest_hour_lag_seconds gauge
            topsell_newest_hour_lag_seconds 2220
            # HELP topsell_table_size_bytes Size of the files in the newest version of the table.
            # TYPE topsell_table_size_bytes gauge
            topsell_table_size_bytes{table="events"} 89000000000
            topsell_table_size_bytes{table="rollups"} 89000000000
            # HELP topsell_table_files Number of files in the newest version of the table.
            # TYPE topsell_table_files gauge
            topsell_table_files{table="events"} 3
            topsell_table_files{table="rollups"} 3
            # HELP topsell_table_rows Number of rows in the newest version of the table.
            # TYPE topsell_table_rows gauge
            topsell_table_rows{table="events"} 1234567
            topsell_table_rows{table="rollups"} 1234567
            # HELP topsell_table_version Newest version of the table.
            # TYPE topsell_table_version gauge
            topsell_table_version{table="events"} 7
            topsell_table_version{table="rollups"} 7
            # HELP topsell_last_run_timestamp_seconds End of the last run of a command or job.
            # TYPE topsell_last_run_timestamp_seconds gauge
            topsell_last_run_timestamp_seconds{command="ingest",job=""} 1484478002.5
            topsell_last_run_timestamp_seconds{command="run",job="a\"b\\c\nd"} 1484479800
            # HELP topsell_last_success_timestamp_seconds End of the last successful run of a command or job.
            # TYPE topsell_last_success_timestamp_seconds gauge
            topsell_last_success_timestamp_seconds{command="ingest",job=""} 1484478002.5
            topsell_last_success_timestamp_seconds{command="run",job="a\"b\\c\nd"} 0
            # HELP topsell_last_run_failed Whether the last run failed, was terminated or never ended.
            # TYPE topsell_last_run_failed gauge
            topsell_last_run_failed{command="ingest",job=""} 0
            topsell_last_run_failed{command="run",job="a\"b\\c\nd"} 1
            # HELP topsell_last_run_exit_code Exit code of the last run; no sample if a signal terminated it.
            # TYPE topsell_last_run_exit_code gauge
            topsell_last_run_exit_code{command="ingest",job=""} 4
            # HELP topsell_last_run_duration_seconds Duration of the last run.
            # TYPE topsell_last_run_duration_seconds gauge
            topsell_last_run_duration_seconds{command="ingest",job=""} 2.5
            # HELP topsell_last_run_stage_duration_seconds Duration of each stage of the last run.
            # TYPE topsell_last_run_stage_duration_seconds gauge
            topsell_last_run_stage_duration_seconds{command="ingest",job="",stage="ingest"} 2.25
            # HELP topsell_last_run_lines Lines read by the last run, by outcome.
            # TYPE topsell_last_run_lines gauge
            topsell_last_run_lines{command="ingest",job="",outcome="accepted"} 5
            topsell_last_run_lines{command="ingest",job="",outcome="rejected"} 1
        "##]].assert_eq(&metrics(&status, "0.1.0"));
    }
}
