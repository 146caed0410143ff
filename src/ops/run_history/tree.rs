//! The tree of spans of a run and of the runs started by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::run_history::record::{Outcome, RunRecord};
use topsell_core::model::Timestamp;

/// A span in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanNode {
    pub name: String,
    /// The id of the run, if the span is a whole run.
    pub run: Option<String>,
    /// Its depth below the root.
    pub depth: usize,
    /// Microseconds since 1970.
    pub began: i64,
    pub ended: i64,
    /// Microseconds not covered by its children.
    pub self_micros: i64,
    pub outcome: Outcome,
}

/// A span before it is placed in the tree.
struct UnplacedSpan<'a> {
    name: &'a str,
    run: Option<&'a str>,
    span_id: &'a str,
    parent: Option<&'a str>,
    began: i64,
    ended: Option<i64>,
    outcome: Outcome,
}

impl SpanNode {
    /// Returns its duration in microseconds.
    pub fn micros(&self) -> i64 {
        self.ended - self.began
    }
}

/// Returns the span of a run and all spans below it, from the records of its trace; a span that has not
/// ended lasts until `now` or until the end of its last child.
pub fn tree(records: &[RunRecord], id: &str, now: Timestamp) -> Vec<SpanNode> {
    let spans: Vec<UnplacedSpan<'_>> = records.iter().flat_map(spans_of).collect();
    let mut children: BTreeMap<&str, Vec<&UnplacedSpan<'_>>> = BTreeMap::new();
    for span in &spans {
        children.entry(span.parent.unwrap_or("")).or_default().push(span);
    }
    children.values_mut().for_each(|spans| spans.sort_by_key(|span| span.began));
    let mut nodes = Vec::new();
    let mut seen = BTreeSet::new();
    if let Some(first) = spans.iter().find(|span| span.run == Some(id)) {
        place(first, 0, now.micros(), &children, &mut seen, &mut nodes);
    }
    nodes
}

/// Parses a timestamp as microseconds since 1970.
pub fn micros(text: &str) -> Option<i64> {
    Timestamp::parse(text).ok().map(Timestamp::micros)
}

/// Returns the display name of a run: its job or its command.
pub fn name_of(record: &RunRecord) -> &str {
    record.due.as_ref().map_or(&record.command, |due| &due.job)
}

fn spans_of(record: &RunRecord) -> impl Iterator<Item = UnplacedSpan<'_>> {
    let whole = UnplacedSpan {
        name: name_of(record),
        run: Some(&record.id),
        span_id: &record.span_id,
        parent: record.parent_span_id.as_deref(),
        began: micros(&record.started).unwrap_or(0),
        ended: record.ended.as_deref().and_then(micros),
        outcome: record.outcome,
    };
    let parts = record.spans.iter().map(|span| UnplacedSpan {
        name: &span.name,
        run: None,
        span_id: &span.span_id,
        parent: span.parent_span_id.as_deref(),
        began: micros(&span.started).unwrap_or(0),
        ended: span.ended.as_deref().and_then(micros),
        outcome: span.outcome,
    });
    std::iter::once(whole).chain(parts)
}

/// Adds a span and its children; returns when it ended.
fn place<'a>(
    span: &UnplacedSpan<'a>,
    depth: usize,
    now: i64,
    children: &BTreeMap<&str, Vec<&UnplacedSpan<'a>>>,
    seen: &mut BTreeSet<&'a str>,
    nodes: &mut Vec<SpanNode>,
) -> i64 {
    let at = nodes.len();
    nodes.push(SpanNode {
        name: span.name.to_owned(),
        run: span.run.map(str::to_owned),
        depth,
        began: span.began,
        ended: span.began,
        self_micros: 0,
        outcome: span.outcome,
    });
    // In a damaged record, a span may be its own parent.
    let is_new = seen.insert(span.span_id);
    let parts = if is_new { children.get(span.span_id).map_or(&[][..], Vec::as_slice) } else { &[] };
    let mut covered = 0;
    let mut reached = span.began;
    for part in parts {
        let ended = place(part, depth + 1, now, children, seen, nodes);
        // Concurrent children cover their time once.
        covered += (ended - part.began.max(reached)).max(0);
        reached = reached.max(ended);
    }
    let unfinished_end = if span.outcome == Outcome::Started { now.max(reached) } else { reached };
    let ended = span.ended.unwrap_or(unfinished_end).max(span.began);
    nodes[at].ended = ended;
    nodes[at].self_micros = (ended - span.began - covered).max(0);
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_history::record::{Due, Span};

    fn moment(second: i64) -> String {
        Timestamp::from_micros(second * 1_000_000).expect("it is one").to_string()
    }

    fn span(id: &str, parent: &str, name: &str, [began, ended]: [i64; 2]) -> Span {
        Span {
            span_id: id.to_owned(),
            parent_span_id: Some(parent.to_owned()),
            name: name.to_owned(),
            started: moment(began),
            ended: (ended > 0).then(|| moment(ended)),
            outcome: if ended > 0 { Outcome::Done } else { Outcome::Started },
            attributes: BTreeMap::new(),
        }
    }

    fn run(id: &str, span_id: &str, parent: Option<&str>, [began, ended]: [i64; 2]) -> RunRecord {
        RunRecord {
            id: id.to_owned(),
            command: id.to_owned(),
            span_id: span_id.to_owned(),
            parent_span_id: parent.map(str::to_owned),
            started: moment(began),
            ended: (ended > 0).then(|| moment(ended)),
            outcome: if ended > 0 { Outcome::Done } else { Outcome::Started },
            ..RunRecord::default()
        }
    }

    fn drawn(records: &[RunRecord], id: &str, now: i64) -> String {
        let now = Timestamp::from_micros(now * 1_000_000).expect("it is one");
        let line = |node: &SpanNode| {
            let second = |micros: i64| micros / 1_000_000;
            let indent = " ".repeat(node.depth);
            format!(
                "{indent}{} {}-{} alone {}\n",
                node.name,
                second(node.began),
                second(node.ended),
                second(node.self_micros)
            )
        };
        tree(records, id, now).iter().map(line).collect()
    }

    #[test]
    fn runs_of_steps_are_below_their_steps() {
        let mut job = run("nightly", "a", None, [10, 100]);
        job.due = Some(Due { job: "the nightly".to_owned(), at: None, attempt: 1 });
        job.spans = vec![span("c", "a", "rank", [50, 100]), span("b", "a", "compact", [10, 40])];
        let mut rank = run("rank", "d", Some("c"), [51, 99]);
        rank.spans = vec![span("e", "d", "rollup", [52, 60]), span("f", "d", "publish", [60, 70])];
        let records = [rank, run("other", "x", None, [1, 2]), job];
        expect_test::expect![[r#"
            the nightly 10-100 alone 10
             compact 10-40 alone 30
             rank 50-100 alone 2
              rank 51-99 alone 30
               rollup 52-60 alone 8
               publish 60-70 alone 10
        "#]]
        .assert_eq(&drawn(&records, "nightly", 1_000));
        assert_eq!(drawn(&records, "nobody", 1_000), "");
    }

    #[test]
    fn a_span_without_an_end_lasts_until_now() {
        let mut job = run("job", "a", None, [10, 0]);
        job.spans = vec![span("b", "a", "step", [20, 0])];
        expect_test::expect![[r#"
            job 10-30 alone 10
             step 20-30 alone 10
        "#]]
        .assert_eq(&drawn(&[job], "job", 30));
    }

    #[test]
    fn a_span_that_is_its_own_parent_is_shown_once() {
        let mut odd = run("odd", "a", Some("a"), [10, 20]);
        odd.spans = vec![span("a", "a", "loop", [10, 20]), span("b", "b", "apart", [10, 20])];
        assert!(drawn(&[odd], "odd", 30).starts_with("odd 10-20"));
    }
}
