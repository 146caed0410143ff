//! The lines of a list's log: a group of changes each.
//!
//! ```text
//! 8d5f0c2b9e7a6143 {"epoch":…,"before":41,"time":…,"changes":[{"id":"c-17","add":[{"k":"bad.example"}]}]}
//! ```
//!
//! A line begins with the checksum of the rest of it. A group is written at once and synced, so that only the last
//! line of a log can be a part of one, which nobody was told of.
//!
//! Invariant: a line that is not as it was written is found; the last one is then cut, any other one is damage.

use serde::{Deserialize, Serialize};

use crate::change::Change;
use topsell_core::storage::checksum;

/// Changes that become durable together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    pub epoch: u64,
    /// The sequence of the list before.
    pub before: u64,
    /// In microseconds since 1970.
    pub time: i64,
    pub changes: Vec<Change>,
}

/// The groups of a log.
#[derive(Debug, Default)]
pub struct Groups {
    pub groups: Vec<Group>,
    /// How many bytes after them are a part of a line.
    pub torn_bytes: usize,
}

impl Group {
    /// Returns the line.
    pub fn line(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        let mut line = format!("{:016x} ", checksum(&json)).into_bytes();
        line.extend_from_slice(&json);
        line.push(b'\n');
        line
    }

    fn parse(line: &[u8]) -> Option<Group> {
        let (sum, json) = line.split_at_checked(17)?;
        let is_whole = sum == format!("{:016x} ", checksum(json)).as_bytes();
        if is_whole { serde_json::from_slice(json).ok() } else { None }
    }
}

impl Groups {
    /// Reads a log.
    ///
    /// # Errors
    /// Says which line is damaged.
    pub fn parse(log: &[u8]) -> Result<Groups, String> {
        let mut groups = Groups::default();
        let (mut at, mut number) = (0, 0_u64);
        while at < log.len() {
            number += 1;
            let end = memchr::memchr(b'\n', &log[at..]).map(|length| at + length);
            match end.and_then(|end| Group::parse(&log[at..end])) {
                Some(group) => groups.groups.push(group),
                None if end.is_none_or(|end| end + 1 == log.len()) => {
                    groups.torn_bytes = log.len() - at;
                    break;
                }
                None => return Err(format!("line {number} is not as it was written")),
            }
            at = end.map_or(log.len(), |end| end + 1);
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Addition;

    fn log() -> (Vec<u8>, usize) {
        let group = |before: u64| Group {
            epoch: u64::MAX,
            before,
            time: -1,
            changes: vec![Change { add: vec![Addition::entry("bad.example")], ..Change::default() }],
        };
        let lines: Vec<Vec<u8>> = (0..3).map(|before| group(before).line()).collect();
        (lines.concat(), lines[2].len())
    }

    #[test]
    fn a_log_ends_anywhere_in_its_last_line() {
        let (log, last) = log();
        for cut in 0..=last {
            let groups = Groups::parse(&log[..log.len() - cut]).expect("it is not damaged");
            let expected = if cut == 0 { (3, 0) } else { (2, last - cut) };
            assert_eq!((groups.groups.len(), groups.torn_bytes), expected, "{cut}");
            assert!(groups.groups.iter().zip(0..).all(|(group, before)| group.before == before));
        }
    }

    #[test]
    fn damage_before_the_last_line_is_named() {
        let (log, last) = log();
        for at in 0..log.len() {
            let mut flipped = log.clone();
            flipped[at] ^= 4;
            match Groups::parse(&flipped) {
                // A line break that is gone joins the last two lines.
                Ok(groups) => assert!(at + 1 >= log.len() - last && groups.torn_bytes > 0, "{at}"),
                Err(what) => assert!(what.starts_with("line ") && at < log.len() - last, "{at}: {what}"),
            }
        }
    }
}
