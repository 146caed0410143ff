//! One run: what was asked, what came of it, and where the time went.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::runs::list::style;
use crate::terminal::{Cell, Heading, Importance, Side, Style, TerminalOptions, styled, write_table};
use crate::text::grouped;
use crate::text::{duration, size, to_the_second};
use topsell_core::model::{Timestamp, escape_control};
use topsell_ops::run_history::{Node, RunRecord, State, Versions, name_of, tree};

/// Cells of the bars beside the spans.
const BAR: usize = 32;
/// Stages that are told of where the time went.
const MOST: usize = 12;

/// Writes a run, with the spans of all runs of its trace that were a part of it.
///
/// # Errors
/// Fails where the output does.
pub fn write_one(
    record: &RunRecord,
    of_trace: &[RunRecord],
    now: Timestamp,
    terminal: TerminalOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    write_facts(record, of_trace, terminal, out)?;
    let nodes = tree(of_trace, &record.id, now);
    writeln!(out)?;
    write_spans(&nodes, terminal, out)?;
    if nodes.len() > 1 {
        writeln!(out)?;
        write_shares(&nodes, terminal, out)?;
    }
    if let Some(tail) = &record.output_tail {
        writeln!(out, "\n{}", styled("the end of its output", Style::Bold, terminal.colors))?;
        tail.lines().try_for_each(|line| writeln!(out, "  {}", escape_control(line)))?;
    }
    Ok(())
}

fn write_facts(
    record: &RunRecord,
    of_trace: &[RunRecord],
    terminal: TerminalOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let state = record.state();
    let mut say = |name: &str, text: &str| {
        writeln!(
            out,
            "{}{}",
            styled(&format!("{name:<10}"), Style::Bold, terminal.colors),
            escape_control(text)
        )
    };
    say("run", &record.id)?;
    say("asked", &format!("topsell {}", words(&record.asked)))?;
    if let Some(due) = &record.due {
        let at = due.at.as_ref().map_or("by hand".to_owned(), |at| format!("due {at}"));
        let again = if due.attempt > 1 { format!(", attempt {}", due.attempt) } else { String::new() };
        say("job", &format!("{}, {at}{again}", due.job))?;
    }
    let took = record.seconds.map(|seconds| format!(", took {}", duration(seconds))).unwrap_or_default();
    say("started", &format!("{}{took}", to_the_second(&record.started)))?;
    say("outcome", &ending(record, state))?;
    if let Some(message) = &record.message {
        say("message", message)?;
    }
    say("machine", &format!("{}, process {}, topsell {}", record.machine, record.process, record.version))?;
    let versions = versions(&record.before, &record.after, state);
    if !versions.is_empty() {
        say("lake", &versions)?;
    }
    if !record.counts.is_empty() {
        let counts =
            record.counts.iter().map(|(name, count)| format!("{name} {}", grouped(&count.to_string())));
        say("counts", &counts.collect::<Vec<_>>().join(", "))?;
    }
    let sizes = [
        (record.input_bytes, "taken in"),
        (record.read_bytes, "read"),
        (record.written_bytes, "written"),
        (record.peak_memory_bytes, "of memory at most"),
    ];
    let sizes = sizes.into_iter().filter_map(|(bytes, what)| Some(format!("{} {what}", size(bytes?))));
    let sizes = sizes.collect::<Vec<_>>().join(", ");
    if !sizes.is_empty() {
        say("bytes", &sizes)?;
    }
    let whole = of_trace.iter().find(|other| {
        let mut ids = other.spans.iter().map(|span| &span.span_id).chain([&other.span_id]);
        other.id != record.id && ids.any(|id| record.parent_span_id.as_ref() == Some(id))
    });
    match whole {
        Some(whole) => {
            say("trace", &format!("{}, as a part of {}, {}", record.trace_id, name_of(whole), whole.id))
        }
        None => say("trace", &record.trace_id),
    }
}

fn ending(record: &RunRecord, state: State) -> String {
    let how = match (record.exit_code, record.signal) {
        (_, Some(signal)) => format!(", signal {signal}"),
        (Some(code), None) => format!(", exit code {code}"),
        (None, None) => String::new(),
    };
    match state {
        State::NeverEnded => "started, never ended: its process is gone".to_owned(),
        State::PerhapsRunning => {
            format!("started; whether it is still at work, only {} could tell", record.machine)
        }
        state => format!("{}{how}", state.word()),
    }
}

/// Returns words as they would be typed.
fn words(asked: &[String]) -> String {
    let quoted =
        asked.iter().map(|word| shlex::try_quote(word).map_or(word.clone(), std::borrow::Cow::into_owned));
    quoted.collect::<Vec<_>>().join(" ")
}

fn versions(before: &Versions, after: &Versions, state: State) -> String {
    let number = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    let file = |file: &Option<String>| file.clone().unwrap_or_else(|| "none".to_owned());
    let pairs = [
        ("events", number(before.events), number(after.events)),
        ("rollups", number(before.rollups), number(after.rollups)),
        ("ranking", file(&before.ranking), file(&after.ranking)),
    ];
    let has_ended = matches!(state, State::Ended(_));
    let said = pairs.into_iter().filter_map(|(name, before, after)| match has_ended {
        true if before == after && before == "none" => None,
        true if before == after => Some(format!("{name} {after}")),
        true => Some(format!("{name} {before} → {after}")),
        false => (before != "none").then(|| format!("{name} {before} → ?")),
    });
    said.collect::<Vec<_>>().join(", ")
}

fn write_spans(nodes: &[Node], terminal: TerminalOptions, out: &mut impl Write) -> io::Result<()> {
    const HEADINGS: [Heading; 4] = [
        Heading { text: "span", side: Side::Left, importance: Importance::Essential, enough: None },
        Heading { text: "took", side: Side::Right, importance: Importance::Essential, enough: None },
        Heading { text: "when", side: Side::Left, importance: Importance::Minor(1), enough: None },
        Heading { text: "", side: Side::Left, importance: Importance::Minor(0), enough: None },
    ];
    let Some(whole) = nodes.first() else { return Ok(()) };
    let row = |node: &Node| {
        let state = State::Ended(node.outcome);
        vec![
            Cell::of(&format!("{}{}", "  ".repeat(node.depth), node.name)),
            Cell::of(&duration(seconds(node.took()))),
            Cell::of(&bar(node, whole)),
            match state.word() {
                "done" => Cell::of(""),
                word => Cell::of(word).styled(style(state)),
            },
        ]
    };
    write_table(&HEADINGS, &nodes.iter().map(row).collect::<Vec<_>>(), terminal, out)
}

/// Returns the part of the whole's time that a span took, drawn.
fn bar(node: &Node, whole: &Node) -> String {
    let most = i128::from(whole.took().max(1));
    let at = |micros: i64| {
        let since = i128::from((micros - whole.began).clamp(0, whole.took().max(0)));
        usize::try_from(since * BAR as i128 / most).unwrap_or(0)
    };
    let from = at(node.began).min(BAR - 1);
    let to = at(node.ended).clamp(from + 1, BAR);
    format!("{}{}{}", "·".repeat(from), "█".repeat(to - from), "·".repeat(BAR - to))
}

/// Writes how long each stage took by itself, without its parts, the longest first.
fn write_shares(nodes: &[Node], terminal: TerminalOptions, out: &mut impl Write) -> io::Result<()> {
    const HEADINGS: [Heading; 3] = [
        Heading {
            text: "where the time went",
            side: Side::Left,
            importance: Importance::Essential,
            enough: None,
        },
        Heading { text: "alone", side: Side::Right, importance: Importance::Essential, enough: None },
        Heading { text: "", side: Side::Right, importance: Importance::Essential, enough: None },
    ];
    let mut alone: BTreeMap<String, i64> = BTreeMap::new();
    for node in nodes {
        let is_parted = node.run.is_some() && node.alone < node.took();
        let name = if is_parted { format!("{}, in no stage", node.name) } else { node.name.clone() };
        *alone.entry(name).or_default() += node.alone;
    }
    let all: i64 = alone.values().sum();
    let mut shares: Vec<(String, i64)> = alone.into_iter().filter(|(_, micros)| *micros > 0).collect();
    shares.sort_by_key(|(_, micros)| std::cmp::Reverse(*micros));
    shares.truncate(MOST);
    let row = |(name, micros): &(String, i64)| {
        let percent = i128::from(*micros) * 100 / i128::from(all.max(1));
        vec![Cell::of(name), Cell::of(&duration(seconds(*micros))), Cell::of(&format!("{percent} %"))]
    };
    write_table(&HEADINGS, &shares.iter().map(row).collect::<Vec<_>>(), terminal, out)
}

#[expect(clippy::cast_precision_loss, reason = "only a few digits are shown")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
