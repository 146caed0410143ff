//! The file of a list as it was at some sequence.
//!
//! ```text
//! {"schema":1,"list":"blocked",…,"sizes":[…]}⏎   settings, versions, and the sizes in bytes of what follows
//! bad.example⏎ …                                 the entries, sorted
//! 17⇥1790000000000000⇥+⇥bad.example⏎ …          what changed: sequence, time, + - or ~, key
//! 1790000600000000⇥bad.example⏎ …               when entries are removed
//! 1790000000000000⇥…⇥c-17⏎ …                    the ids of changes and what these did
//! 8d5f0c2b9e7a6143⏎                              the checksum of all before
//! ```
//!
//! Invariant: what is read is what was written, or an error that says what is wrong.

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::lines::{Effect, LineChange, Lines, key_of, lines_of};
use crate::name::ListName;
use crate::state::{Epoch, Expiries, Ids, ListSettings, ListState, Outcome, Remembered};
use topsell_core::storage::checksum;

const SCHEMA: u32 = 1;
/// The checksum and its line break.
const SUM_BYTES: usize = 17;

#[derive(Serialize, Deserialize)]
struct Header {
    schema: u32,
    list: String,
    settings: ListSettings,
    incarnation: u64,
    epochs: Vec<Epoch>,
    sequence: u64,
    time: i64,
    floor: u64,
    /// Of the entries, what changed, when entries are removed, and the ids.
    sizes: [usize; 4],
}

/// Why a file cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum BaseError {
    Damaged(String),
    Newer,
}

/// Returns the file of a list.
pub fn encode(state: &ListState) -> Vec<u8> {
    let parts = [entries(state), history(state), expiries(state), ids(state)];
    let header = Header {
        schema: SCHEMA,
        list: state.name.to_string(),
        settings: state.settings,
        incarnation: state.incarnation,
        epochs: state.epochs.clone(),
        sequence: state.sequence,
        time: state.time,
        floor: state.history.floor(),
        sizes: [parts[0].len(), parts[1].len(), parts[2].len(), parts[3].len()],
    };
    let mut file = serde_json::to_vec(&header).expect("texts and numbers are JSON");
    file.reserve_exact(1 + parts.iter().map(Vec::len).sum::<usize>() + SUM_BYTES);
    file.push(b'\n');
    parts.iter().for_each(|part| file.extend_from_slice(part));
    let sum = format!("{:016x}\n", checksum(&file));
    file.extend_from_slice(sum.as_bytes());
    file
}

/// Reads the file of a list.
///
/// # Errors
/// Says what is wrong with it.
pub fn decode(file: &[u8], name: &ListName) -> Result<ListState, BaseError> {
    let damaged = |what: &str| BaseError::Damaged(what.to_owned());
    let end = file.len().checked_sub(SUM_BYTES).ok_or_else(|| damaged("it is too short"))?;
    let (content, sum) = file.split_at(end);
    if sum != format!("{:016x}\n", checksum(content)).as_bytes() {
        return Err(damaged("its bytes do not have the checksum with which they were written"));
    }
    let first = memchr::memchr(b'\n', content).ok_or_else(|| damaged("it has no header"))?;
    let schema: serde_json::Value =
        serde_json::from_slice(&content[..first]).map_err(|e| damaged(&e.to_string()))?;
    if schema["schema"].as_u64().is_some_and(|schema| schema > u64::from(SCHEMA)) {
        return Err(BaseError::Newer);
    }
    let header: Header = serde_json::from_value(schema).map_err(|e| damaged(&e.to_string()))?;
    if header.list != name.as_str() {
        return Err(damaged(&format!("it is of the list `{}`", header.list)));
    }
    of_parts(header, &content[first + 1..], name)
        .ok_or_else(|| damaged("its parts are not as its header says"))
}

fn of_parts(header: Header, mut rest: &[u8], name: &ListName) -> Option<ListState> {
    let mut parts = [&[][..]; 4];
    for (part, size) in parts.iter_mut().zip(header.sizes) {
        (*part, rest) = rest.split_at_checked(size)?;
    }
    Some(ListState {
        name: name.clone(),
        settings: header.settings,
        incarnation: header.incarnation,
        epochs: header.epochs,
        sequence: header.sequence,
        time: header.time,
        lines: read_entries(parts[0])?,
        history: read_history(parts[1], header.floor)?,
        expiries: read_expiries(parts[2])?,
        ids: read_ids(parts[3])?,
    })
}

fn entries(state: &ListState) -> Vec<u8> {
    state.lines.text()
}

fn history(state: &ListState) -> Vec<u8> {
    let mut text = String::new();
    for (change, key) in state.history.after(state.history.floor()) {
        let sign = match change.effect {
            Effect::Added => '+',
            Effect::Removed => '-',
            Effect::Updated | Effect::Unchanged => '~',
        };
        text.push_str(&format!("{}\t{}\t{sign}\t{key}\n", change.sequence, change.time));
    }
    text.into_bytes()
}

fn expiries(state: &ListState) -> Vec<u8> {
    state.expiries.iter().flat_map(|(time, key)| format!("{time}\t{key}\n").into_bytes()).collect()
}

fn ids(state: &ListState) -> Vec<u8> {
    let line = |(id, of): (&str, &Remembered)| {
        let Outcome { sequence, added, removed, updated, unchanged } = of.outcome;
        let (time, content) = (of.time, of.content);
        format!("{time}\t{content}\t{sequence}\t{added}\t{removed}\t{updated}\t{unchanged}\t{id}\n")
            .into_bytes()
    };
    state.ids.iter().flat_map(line).collect()
}

fn read_entries(text: &[u8]) -> Option<Lines> {
    let mut lines = Lines::default();
    let with_breaks: Vec<&str> = str::from_utf8(text).ok()?.split_inclusive('\n').collect();
    let changes: Vec<LineChange<'_>> = with_breaks
        .iter()
        .map(|line| LineChange { key: key_of(line.strip_suffix('\n').unwrap_or(line)), line: Some(line) })
        .collect();
    let ascends = changes.windows(2).all(|pair| pair[0].key < pair[1].key);
    lines.apply(&changes, |_, _| {});
    ascends.then_some(lines)
}

fn read_history(text: &[u8], floor: u64) -> Option<History> {
    let mut history = History::since_version(floor);
    for line in lines_of(text) {
        let mut fields = line.splitn(4, '\t');
        let (sequence, time) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let effect = match fields.next()? {
            "+" => Effect::Added,
            "-" => Effect::Removed,
            "~" => Effect::Updated,
            _ => return None,
        };
        history.push(sequence, time, fields.next()?, effect);
    }
    Some(history)
}

fn read_expiries(text: &[u8]) -> Option<Expiries> {
    let mut expiries = Expiries::default();
    for line in lines_of(text) {
        let (time, key) = line.split_once('\t')?;
        expiries.set(key, Some(time.parse().ok()?));
    }
    Some(expiries)
}

fn read_ids(text: &[u8]) -> Option<Ids> {
    let mut ids = Ids::default();
    for line in lines_of(text) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [time, content, sequence, added, removed, updated, unchanged, id] = fields[..] else {
            return None;
        };
        let number = |text: &str| text.parse::<u64>().ok();
        let outcome = Outcome {
            sequence: number(sequence)?,
            added: number(added)?,
            removed: number(removed)?,
            updated: number(updated)?,
            unchanged: number(unchanged)?,
        };
        let remembered = Remembered { time: time.parse().ok()?, content: number(content)?, outcome };
        ids.remember(id.to_owned(), remembered);
    }
    Some(ids)
}
