//! The spans of a run and of all runs that were a part of it, each below the one that it is a part of.

use std::collections::{BTreeMap, BTreeSet};

use crate::run_history::record::{Outcome, RunRecord};
use topsell_core::model::Timestamp;

/// A span in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    /// The run that it is the whole of.
    pub run: Option<String>,
    /// How far it is below the first.
    pub depth: usize,
    /// Microseconds since 1970.
    pub began: i64,
    pub ended: i64,
    /// Microseconds in none of its parts.
    pub alone: i64,
    pub outcome: Outcome,
}

/// What is known of a span before it has its place.
struct Loose<'a> {
    name: &'a str,
    run: Option<&'a str>,
    span_id: &'a str,
    parent: Option<&'a str>,
    began: i64,
    ended: Option<i64>,
    outcome: Outcome,
}

impl Node {
    /// Returns how long it took, in microseconds.
    pub fn took(&self) -> i64 {
        self.ended - self.began
    }
}

/// Returns the spans below a run's own, itself the first, of the records of its trace; what has not ended
/// is taken to last until `now`, or until where the last is heard of it.
pub fn tree(records: &[RunRecord], id: &str, now: Timestamp) -> Vec<Node> {
    let loose: Vec<Loose<'_>> = records.iter().flat_map(spans_of).collect();
    let mut below: BTreeMap<&str, Vec<&Loose<'_>>> = BTreeMap::new();
    for span in &loose {
        below.entry(span.parent.unwrap_or("")).or_default().push(span);
    }
    below.values_mut().for_each(|spans| spans.sort_by_key(|span| span.began));
    let mut nodes = Vec::new();
    let mut seen = BTreeSet::new();
    if let Some(first) = loose.iter().find(|span| span.run == Some(id)) {
        place(first, 0, now.micros(), &below, &mut seen, &mut nodes);
    }
    nodes
}

/// Returns the moment of a text, in microseconds since 1970.
pub fn micros(text: &str) -> Option<i64> {
    Timestamp::parse(text).ok().map(Timestamp::micros)
}

/// Returns what a run is called among others: its job, or its command.
pub fn name_of(record: &RunRecord) -> &str {
    record.due.as_ref().map_or(&record.command, |due| &due.job)
}

fn spans_of(record: &RunRecord) -> impl Iterator<Item = Loose<'_>> {
    let whole = Loose {
        name: name_of(record),
        run: Some(&record.id),
        span_id: &record.span_id,
        parent: record.parent_span_id.as_deref(),
        began: micros(&record.started).unwrap_or(0),
        ended: record.ended.as_deref().and_then(micros),
        outcome: record.outcome,
    };
    let parts = record.spans.iter().map(|span| Loose {
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

/// Places a span and all below it; returns when it ended.
fn place<'a>(
    span: &Loose<'a>,
    depth: usize,
    now: i64,
    below: &BTreeMap<&str, Vec<&Loose<'a>>>,
    seen: &mut BTreeSet<&'a str>,
    nodes: &mut Vec<Node>,
) -> i64 {
    let at = nodes.len();
    nodes.push(Node {
        name: span.name.to_owned(),
        run: span.run.map(str::to_owned),
        depth,
        began: span.began,
        ended: span.began,
        alone: 0,
        outcome: span.outcome,
    });
    // A damaged record may say that it is a part of itself.
    let is_new = seen.insert(span.span_id);
    let parts = if is_new { below.get(span.span_id).map_or(&[][..], Vec::as_slice) } else { &[] };
    let mut covered = 0;
    let mut reached = span.began;
    for part in parts {
        let ended = place(part, depth + 1, now, below, seen, nodes);
        // Parts that go on side by side cover their time once.
        covered += (ended - part.began.max(reached)).max(0);
        reached = reached.max(ended);
    }
    let unsaid = if span.outcome == Outcome::Started { now.max(reached) } else { reached };
    let ended = span.ended.unwrap_or(unsaid).max(span.began);
    nodes[at].ended = ended;
    nodes[at].alone = (ended - span.began - covered).max(0);
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
        let line = |node: &Node| {
            let second = |micros: i64| micros / 1_000_000;
            let indent = " ".repeat(node.depth);
            format!(
                "{indent}{} {}-{} alone {}\n",
                node.name,
                second(node.began),
                second(node.ended),
                second(node.alone)
            )
        };
        tree(records, id, now).iter().map(line).collect()
    }

    #[test]
    fn runs_of_steps_are_parts_of_their_steps() {
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
    fn what_has_not_ended_lasts_until_now() {
        let mut job = run("job", "a", None, [10, 0]);
        job.spans = vec![span("b", "a", "step", [20, 0])];
        expect_test::expect![[r#"
            job 10-30 alone 10
             step 20-30 alone 10
        "#]]
        .assert_eq(&drawn(&[job], "job", 30));
    }

    #[test]
    fn a_record_that_is_a_part_of_itself_ends_all_the_same() {
        let mut odd = run("odd", "a", Some("a"), [10, 20]);
        odd.spans = vec![span("a", "a", "loop", [10, 20]), span("b", "b", "apart", [10, 20])];
        assert!(drawn(&[odd], "odd", 30).starts_with("odd 10-20"));
    }
}
