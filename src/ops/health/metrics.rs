//! The facts as Prometheus reads them,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
//!
//! Ages are those of the moment of writing, and stand still until the next; whoever is to be woken when
//! nothing runs any more subtracts a `…_timestamp_seconds` from the present instead.

use std::fmt::Write;

use crate::health::facts::{Facts, TableFacts};
use crate::run_history::{LastRuns, Outcome, Ran, RunRecord, State};
use topsell_core::model::Timestamp;

/// What a run of `ingest` did with the lines that it read, as its record calls it.
const OUTCOMES: [&str; 3] = ["accepted", "duplicate", "rejected"];

/// Returns the whole file.
pub fn metrics(facts: &Facts, version: &str) -> String {
    let mut text = Text::default();
    text.gauge("build_info", "The version that wrote this.", [(vec![("version", version)], 1.0)]);
    let is_readable = facts.lake.is_some() && facts.damage.is_empty();
    text.gauge(
        "lake_readable",
        "Whether all that was looked at of the lake could be read.",
        [(vec![], f64::from(u8::from(is_readable)))],
    );
    of_ranking(facts, &mut text);
    of_tables(facts, &mut text);
    of_runs(facts, &mut text);
    text.0
}

fn of_ranking(facts: &Facts, text: &mut Text) {
    let ranking = facts.ranking.as_ref();
    let one = |value: Option<f64>| value.map(|value| (vec![], value));
    let moment = |moment: Timestamp| seconds(moment);
    text.gauge(
        "ranking_as_of_timestamp_seconds",
        "Where the window of the published ranking ends.",
        one(ranking.map(|ranking| moment(ranking.as_of))),
    );
    text.gauge(
        "ranking_age_seconds",
        "How long the published ranking had stood when this was written.",
        one(ranking.map(|ranking| facts.now.seconds_since(ranking.since()) as f64)),
    );
    let newest = facts.lake.as_ref().and_then(|lake| lake.newest_hour).map(|hour| hour.plus(1).start());
    text.gauge(
        "newest_hour_end_timestamp_seconds",
        "Where the newest hour of events that are ranked ends.",
        one(newest.map(moment)),
    );
    text.gauge(
        "newest_hour_lag_seconds",
        "How long the newest hour of events had been over when this was written.",
        one(newest.map(|end| facts.now.seconds_since(end) as f64)),
    );
}

fn of_tables(facts: &Facts, text: &mut Text) {
    let tables: Vec<(&str, TableFacts)> = facts.lake.iter().flat_map(|lake| lake.tables.clone()).collect();
    let mut of = |name: &str, help: &str, value: &dyn Fn(&TableFacts) -> u64| {
        let of_tables = tables.iter().map(|(table, of)| (vec![("table", *table)], value(of) as f64));
        text.gauge(name, help, of_tables);
    };
    of("table_size_bytes", "Bytes of the files that the table's newest version names.", &|of| of.size_bytes);
    of("table_files", "Files that the table's newest version names.", &|of| of.files);
    of("table_rows", "Rows of those files.", &|of| of.rows);
    of("table_version", "The table's newest version.", &|of| of.version);
}

fn of_runs(facts: &Facts, text: &mut Text) {
    let ended = |record: &RunRecord| {
        let moment = record.ended.as_ref().unwrap_or(&record.started);
        Timestamp::parse(moment).map_or(0.0, seconds)
    };
    let mut of = |name: &str, help: &str, value: &dyn Fn(&LastRuns) -> Option<f64>| {
        let of_runs = facts.runs.iter().filter_map(|(ran, last)| Some((labels(ran), value(last)?)));
        text.gauge(name, help, of_runs);
    };
    of("last_run_timestamp_seconds", "When the last run of a command or job ended.", &|of| {
        of.last.as_ref().map(ended)
    });
    of("last_success_timestamp_seconds", "When the last run ended that did what was asked.", &|of| {
        Some(of.last_done.as_ref().map_or(0.0, ended))
    });
    of("last_run_failed", "Whether the last run failed, was ended, or never ended.", &|of| {
        of.last.as_ref().map(|last| f64::from(u8::from(last.state() != State::Ended(Outcome::Done))))
    });
    of("last_run_exit_code", "How the last run ended; no sample where a signal ended it.", &|of| {
        of.last.as_ref()?.exit_code.map(f64::from)
    });
    of("last_run_duration_seconds", "How long the last run took.", &|of| of.last.as_ref()?.seconds);
    of("last_run_peak_memory_bytes", "The most memory that the last run had at a time.", &|of| {
        Some(of.last.as_ref()?.peak_memory_bytes? as f64)
    });
    let last = || facts.runs.iter().filter_map(|(ran, of)| Some((ran, of.last.as_ref()?)));
    let stages = last().flat_map(|(ran, last)| {
        last.stage_seconds
            .iter()
            .map(move |(stage, took)| ([labels(ran), vec![("stage", stage.as_str())]].concat(), *took))
    });
    text.gauge("last_run_stage_duration_seconds", "How long each stage of the last run took.", stages);
    let lines = last().flat_map(|(ran, last)| {
        OUTCOMES.into_iter().filter_map(move |outcome| {
            let count = last.counts.get(outcome)?;
            Some(([labels(ran), vec![("outcome", outcome)]].concat(), *count as f64))
        })
    });
    text.gauge("last_run_lines", "What became of the lines that the last run read.", lines);
    let mut differing = |name: &str, help: &str, count: &str| {
        let counts = last().filter_map(|(ran, last)| Some((labels(ran), *last.counts.get(count)? as f64)));
        text.gauge(name, help, counts);
    };
    differing(
        "last_run_differing_hours",
        "Hours whose sums were not what their events add up to, when all were summed anew.",
        "differing_hours",
    );
    differing("last_run_differing_rows", "Rows of those sums that were wrong.", "differing_rows");
}

fn labels(ran: &Ran) -> Vec<(&str, &str)> {
    vec![("command", &ran.command), ("job", ran.job.as_deref().unwrap_or_default())]
}

/// Returns a moment as Prometheus has it.
fn seconds(moment: Timestamp) -> f64 {
    moment.micros() as f64 / 1e6
}

/// Lines of metrics.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Adds a metric and its samples; nothing where it has none.
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

    fn add(&mut self, words: std::fmt::Arguments<'_>) {
        self.0.write_fmt(words).expect("a text can grow");
    }
}

/// Returns a label's text as it stands between quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::*;
    use crate::health::facts::{LakeFacts, RankingFacts};

    #[test]
    fn a_metric_has_its_help_its_type_and_a_line_for_each_sample() {
        let at = |text: &str| Timestamp::parse(text).expect("it is a moment");
        let table = TableFacts { version: 7, files: 3, rows: 1_234_567, size_bytes: 89_000_000_000 };
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
        let ran = |command: &str, job: Option<&str>| Ran {
            command: command.to_owned(),
            job: job.map(str::to_owned),
        };
        let facts = Facts {
            now: at("2017-01-15T11:37:00Z"),
            lake: Some(LakeFacts { tables: vec![("events", table), ("rollups", table)], newest_hour }),
            ranking: Some(RankingFacts {
                as_of: at("2017-01-15T12:00:00Z"),
                published: Some(at("2017-01-15T11:02:00Z")),
            }),
            runs: BTreeMap::from([
                (ran("ingest", None), LastRuns { last: Some(record.clone()), last_done: Some(record) }),
                (ran("run", Some("a\"b\\c\nd")), LastRuns { last: Some(failed), last_done: None }),
            ]),
            unknown: Vec::new(),
            damage: Vec::new(),
        };
        expect![[r##"
            # HELP topsell_build_info The version that wrote this.
            # TYPE topsell_build_info gauge
            topsell_build_info{version="0.1.0"} 1
            # HELP topsell_lake_readable Whether all that was looked at of the lake could be read.
            # TYPE topsell_lake_readable gauge
            topsell_lake_readable 1
            # HELP topsell_ranking_as_of_timestamp_seconds Where the window of the published ranking ends.
            # TYPE topsell_ranking_as_of_timestamp_seconds gauge
            topsell_ranking_as_of_timestamp_seconds 1484481600
            # HELP topsell_ranking_age_seconds How long the published ranking had stood when this was written.
            # TYPE topsell_ranking_age_seconds gauge
            topsell_ranking_age_seconds 2100
            # HELP topsell_newest_hour_end_timestamp_seconds Where the newest hour of events that are ranked ends.
            # TYPE topsell_newest_hour_end_timestamp_seconds gauge
            topsell_newest_hour_end_timestamp_seconds 1484478000
            # HELP topsell_newest_hour_lag_seconds How long the newest hour of events had been over when this was written.
            # TYPE topsell_newest_hour_lag_seconds gauge
            topsell_newest_hour_lag_seconds 2220
            # HELP topsell_table_size_bytes Bytes of the files that the table's newest version names.
            # TYPE topsell_table_size_bytes gauge
            topsell_table_size_bytes{table="events"} 89000000000
            topsell_table_size_bytes{table="rollups"} 89000000000
            # HELP topsell_table_files Files that the table's newest version names.
            # TYPE topsell_table_files gauge
            topsell_table_files{table="events"} 3
            topsell_table_files{table="rollups"} 3
            # HELP topsell_table_rows Rows of those files.
            # TYPE topsell_table_rows gauge
            topsell_table_rows{table="events"} 1234567
            topsell_table_rows{table="rollups"} 1234567
            # HELP topsell_table_version The table's newest version.
            # TYPE topsell_table_version gauge
            topsell_table_version{table="events"} 7
            topsell_table_version{table="rollups"} 7
            # HELP topsell_last_run_timestamp_seconds When the last run of a command or job ended.
            # TYPE topsell_last_run_timestamp_seconds gauge
            topsell_last_run_timestamp_seconds{command="ingest",job=""} 1484478002.5
            topsell_last_run_timestamp_seconds{command="run",job="a\"b\\c\nd"} 1484479800
            # HELP topsell_last_success_timestamp_seconds When the last run ended that did what was asked.
            # TYPE topsell_last_success_timestamp_seconds gauge
            topsell_last_success_timestamp_seconds{command="ingest",job=""} 1484478002.5
            topsell_last_success_timestamp_seconds{command="run",job="a\"b\\c\nd"} 0
            # HELP topsell_last_run_failed Whether the last run failed, was ended, or never ended.
            # TYPE topsell_last_run_failed gauge
            topsell_last_run_failed{command="ingest",job=""} 0
            topsell_last_run_failed{command="run",job="a\"b\\c\nd"} 1
            # HELP topsell_last_run_exit_code How the last run ended; no sample where a signal ended it.
            # TYPE topsell_last_run_exit_code gauge
            topsell_last_run_exit_code{command="ingest",job=""} 4
            # HELP topsell_last_run_duration_seconds How long the last run took.
            # TYPE topsell_last_run_duration_seconds gauge
            topsell_last_run_duration_seconds{command="ingest",job=""} 2.5
            # HELP topsell_last_run_stage_duration_seconds How long each stage of the last run took.
            # TYPE topsell_last_run_stage_duration_seconds gauge
            topsell_last_run_stage_duration_seconds{command="ingest",job="",stage="ingest"} 2.25
            # HELP topsell_last_run_lines What became of the lines that the last run read.
            # TYPE topsell_last_run_lines gauge
            topsell_last_run_lines{command="ingest",job="",outcome="accepted"} 5
            topsell_last_run_lines{command="ingest",job="",outcome="rejected"} 1
        "##]].assert_eq(&metrics(&facts, "0.1.0"));
    }
}
