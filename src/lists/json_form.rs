//! The JSON form of a list's answers, written and read.
//!
//! ```text
//! {"schema":1,"wait_s":1794,"list":"blocked","kind":"host","version":"Zm…","time":"…","full":false,"entries":1000312,
//!  "sha256":"…","expires":"…","signature":"…","removed":["old.example"],"added":["bad.example"]}
//! ```
//!
//! Of a map, `added` is an object of keys and values. `sha256` is of the whole list's text after the changes. `expires` and
//! `signature` are there where the server has a key.
//!
//! Invariant: what `removed` names is removed first; each key is there at most once.

use std::fmt::Write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::change::Pairs;
use crate::kind::ListKind;
use crate::lines::{key_of, lines_of};
use crate::signature::{Signed, hex, parse_time, time_text};
use crate::snapshot::Snapshot;
use crate::version::Version;

const SCHEMA: u32 = 1;

/// What an answer says of a version.
#[derive(Serialize)]
struct Head<'a> {
    list: &'a str,
    kind: ListKind,
    version: &'a str,
    time: &'a str,
    full: bool,
    entries: u64,
    sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
}

#[derive(Deserialize)]
struct Body<'a> {
    schema: u32,
    wait_s: u64,
    list: String,
    kind: ListKind,
    version: String,
    time: String,
    full: bool,
    entries: u64,
    sha256: String,
    expires: Option<String>,
    signature: Option<String>,
    removed: Vec<String>,
    #[serde(borrow)]
    added: &'a RawValue,
}

/// An answer as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub list: String,
    pub kind: ListKind,
    pub wait_seconds: u64,
    pub version: String,
    pub time: i64,
    pub time_text: String,
    pub is_full: bool,
    pub entries: u64,
    pub sha256: String,
    pub expires: Option<i64>,
    pub expires_text: Option<String>,
    pub signature: Option<String>,
    pub removed: Vec<String>,
    /// Lines of the list, without line breaks.
    pub added: Vec<String>,
}

/// Returns the beginning of an answer, which differs from that of another one to the same question.
pub fn json_head(wait_seconds: u32) -> String {
    format!("{{\"schema\":{SCHEMA},\"wait_s\":{wait_seconds},")
}

impl Snapshot {
    /// Returns what follows the head of an answer that leads from a version to this one.
    pub fn json_delta(&self, since: &Version, signed: Option<&Signed>) -> Vec<u8> {
        let delta = self.delta(since);
        let mut body = self.json_fields(false, signed);
        let removed = serde_json::to_vec(&delta.removed).expect("texts are JSON");
        body.extend_from_slice(b",\"removed\":");
        body.extend_from_slice(&removed);
        body.extend_from_slice(self.json_full_start());
        delta
            .added
            .iter()
            .enumerate()
            .for_each(|(number, line)| self.put_member(line, number == 0, &mut body));
        body.extend_from_slice(self.json_end());
        body
    }

    /// Returns what follows the head of an answer with the whole list, up to its entries.
    pub fn json_before_entries(&self, signed: Option<&Signed>) -> Vec<u8> {
        let mut body = self.json_fields(true, signed);
        body.extend_from_slice(b",\"removed\":[]");
        body.extend_from_slice(self.json_full_start());
        body
    }

    /// Returns a part of the text as members of `added`; the first one has no comma before it.
    pub fn json_part(&self, part: &Bytes, is_first: bool) -> Vec<u8> {
        let mut members = Vec::with_capacity(part.len() * 5 / 4);
        let lines = lines_of(part).enumerate();
        lines.for_each(|(number, line)| self.put_member(line, is_first && number == 0, &mut members));
        members
    }

    /// Returns the size of all parts as members of `added`.
    pub fn json_bytes(&self) -> u64 {
        let count = || {
            let parts = self.lines.parts().enumerate();
            parts.map(|(number, part)| self.json_part(part, number == 0).len() as u64).sum()
        };
        *self.json_bytes.get_or_init(count)
    }

    /// Returns what follows the entries.
    pub fn json_end(&self) -> &'static [u8] {
        if self.settings.kind == ListKind::Map { b"}}\n" } else { b"]}\n" }
    }

    fn json_full_start(&self) -> &'static [u8] {
        if self.settings.kind == ListKind::Map { b",\"added\":{" } else { b",\"added\":[" }
    }

    /// Returns the fields of an answer, without the closing brace.
    fn json_fields(&self, is_full: bool, signed: Option<&Signed>) -> Vec<u8> {
        let head = Head {
            list: self.name.as_str(),
            kind: self.settings.kind,
            version: &self.version_text(),
            time: &time_text(self.time),
            full: is_full,
            entries: self.lines.len(),
            sha256: &hex(&self.sha256),
            expires: signed.map(|signed| time_text(signed.expires)),
            signature: signed.map(|signed| signed.signature.as_str()),
        };
        let mut json = serde_json::to_vec(&head).expect("texts and numbers are JSON");
        json.pop();
        json.remove(0);
        json
    }

    fn put_member(&self, line: &str, is_first: bool, into: &mut Vec<u8>) {
        if !is_first {
            into.push(b',');
        }
        let key = key_of(line);
        // Most keys need no escapes.
        if key.bytes().all(|byte| byte != b'"' && byte != b'\\' && byte >= b' ') {
            into.push(b'"');
            into.extend_from_slice(key.as_bytes());
            into.push(b'"');
        } else {
            into.extend_from_slice(&serde_json::to_vec(key).expect("a text is JSON"));
        }
        if let Some(value) = line.get(key.len() + 1..) {
            into.push(b':');
            into.extend_from_slice(value.as_bytes());
        }
    }
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Answer, String> {
        let body: Body<'_> = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        if body.schema != SCHEMA {
            return Err(format!(
                "its schema is {}; this version of topsell reads schema {SCHEMA}",
                body.schema
            ));
        }
        let time = |text: &str| parse_time(text).ok_or_else(|| format!("`{text}` is not a time"));
        Ok(Answer {
            time: time(&body.time)?,
            expires: body.expires.as_deref().map(time).transpose()?,
            added: added(body.added.get(), body.kind).map_err(|e| e.to_string())?,
            list: body.list,
            kind: body.kind,
            wait_seconds: body.wait_s,
            version: body.version,
            time_text: body.time,
            is_full: body.full,
            entries: body.entries,
            sha256: body.sha256,
            expires_text: body.expires,
            signature: body.signature,
            removed: body.removed,
        })
    }
}

fn added(json: &str, kind: ListKind) -> Result<Vec<String>, serde_json::Error> {
    if kind != ListKind::Map {
        return serde_json::from_str(json);
    }
    let pairs: Pairs<'_> = serde_json::from_str(json)?;
    let line = |(key, value): (String, &RawValue)| {
        let mut line = key;
        let _ = write!(line, "\t{}", value.get());
        line
    };
    Ok(pairs.0.into_iter().map(line).collect())
}
