//! Kinds of lists, and which texts are entries of each.
//!
//! Invariant: an entry is one line of the list's text: no entry has a line break, a tab or another control character.

use serde::{Deserialize, Serialize};

use crate::error::ListError;
use topsell_core::model::escape_control;

/// The longest entry, or key of a map.
pub const MAX_ENTRY_BYTES: usize = 1_024;
/// The longest value of a map.
pub const MAX_VALUE_BYTES: usize = 4 << 20;
const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// What the entries of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListKind {
    /// Names of hosts, or IPv4 addresses.
    Host,
    /// Any texts of one line.
    Text,
    /// Keys, each with a JSON value.
    Map,
}

impl ListKind {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            ListKind::Host => "host",
            ListKind::Text => "text",
            ListKind::Map => "map",
        }
    }

    /// Returns an entry as the list has it: hosts in lower case without the last dot, others without spaces around
    /// them.
    ///
    /// # Errors
    /// Says why the text is no entry.
    pub fn entry(self, text: &str) -> Result<String, ListError> {
        let failed = |what: &'static str| ListError::Entry { entry: shown(text), what };
        let entry = match self {
            ListKind::Host => host(text).ok_or_else(|| failed("is not the name of a host")),
            ListKind::Text => match text.trim() {
                text if text.starts_with('#') => Err(failed("begins with `#`, as comments do")),
                text => Ok(text.to_owned()),
            },
            ListKind::Map => Ok(text.to_owned()),
        }?;
        match () {
            () if entry.is_empty() => Err(failed("is empty")),
            () if entry.len() > MAX_ENTRY_BYTES => Err(failed("is longer than 1,024 bytes")),
            () if entry.chars().any(char::is_control) => Err(failed("has a control character")),
            () => Ok(entry),
        }
    }

    /// Returns a value of a map as the list has it: JSON without spaces.
    ///
    /// # Errors
    /// Says why the text is no value.
    pub fn value(self, key: &str, json: &str) -> Result<String, ListError> {
        let failed = |what: &'static str| ListError::Entry { entry: shown(key), what };
        let parsed: serde_json::Value =
            serde_json::from_str(json).map_err(|_| failed("has a value that is not JSON"))?;
        let text = parsed.to_string();
        if text.len() > MAX_VALUE_BYTES {
            Err(failed("has a value that is larger than 4 MiB"))
        } else {
            Ok(text)
        }
    }
}

fn shown(text: &str) -> String {
    const SHOWN: usize = 80;
    escape_control(&text.chars().take(SHOWN).collect::<String>())
}

fn host(text: &str) -> Option<String> {
    let text = text.trim();
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=MAX_LABEL_BYTES).contains(&label.len()) && label.bytes().all(is_plain)
    };
    (name.len() <= MAX_HOST_BYTES && name.split('.').all(is_label)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ListKind, text: &str, expected: Option<&str>) {
        assert_eq!(kind.entry(text).ok().as_deref(), expected, "{kind:?} {text:?}");
    }

    #[test]
    fn an_entry_is_one_line() {
        check(ListKind::Host, " Bad.Example. ", Some("bad.example"));
        check(ListKind::Host, "xn--bcher-kva.example", Some("xn--bcher-kva.example"));
        check(ListKind::Host, "192.0.2.1", Some("192.0.2.1"));
        for wrong in ["", ".", "a..b", "bücher.example", "a b", "http://a", "a/b", &"a".repeat(64)] {
            check(ListKind::Host, wrong, None);
        }
        check(ListKind::Text, " any text: ü ", Some("any text: ü"));
        for wrong in ["", "  ", "# comment", "a\tb", "a\nb", "a\u{7f}b", &"a".repeat(1_025)] {
            check(ListKind::Text, wrong, None);
        }
        check(ListKind::Map, "Books/Fiction ", Some("Books/Fiction "));
        check(ListKind::Map, "a\tb", None);
    }

    #[test]
    fn a_value_is_json_of_one_line() {
        let value = |json| ListKind::Map.value("key", json).ok();
        assert_eq!(
            value("{ \"b\": 1,\n \"a\": [1.5, \"x\\ty\"] }").as_deref(),
            Some("{\"a\":[1.5,\"x\\ty\"],\"b\":1}")
        );
        assert_eq!(value("{"), None);
    }
}
