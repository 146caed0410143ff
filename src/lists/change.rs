//! Changes of lists: as clients send them, and as the log has them.
//!
//! ```text
//! {"id":"c-17","add":["bad.example"],"remove":["old.example"],"ttl":"10min"}
//! {"add":{"Books":[{"item":"1"}]},"remove":["Toys"]}                          of a map
//! {"replace":["bad.example"]}                                                 everything else is removed
//! ```
//!
//! Invariant: what is removed is removed before anything is added; entries are those of the list's kind.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::ListError;
use crate::kind::ListKind;
use topsell_core::model::parse_seconds;
use topsell_core::storage::checksum;

/// The longest id of a change.
const MAX_ID_BYTES: usize = 128;

/// A change, checked for a kind of list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remove: Vec<String>,
    /// Entries or keys, and of a map their values.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub add: Vec<Addition>,
    /// Whether whatever is not added is removed.
    #[serde(skip_serializing_if = "is_false", default)]
    pub replace: bool,
    /// After how many seconds what is added is removed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ttl_seconds: Option<u64>,
    /// Whether entries are removed whose time is over.
    #[serde(skip_serializing_if = "is_false", default)]
    pub expire: bool,
}

/// An entry or a key that is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addition {
    #[serde(rename = "k")]
    pub key: String,
    /// JSON.
    #[serde(rename = "v", skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

/// A change as a client sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody<'a> {
    id: Option<String>,
    #[serde(borrow, default)]
    add: Option<&'a RawValue>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(borrow, default)]
    replace: Option<&'a RawValue>,
    ttl: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Change {
    /// Reads a change of a list as a client sends it.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(body: &[u8], kind: ListKind) -> Result<Change, ListError> {
        let bad = |what: String| ListError::Change { what };
        let body: ChangeBody<'_> =
            serde_json::from_slice(body).map_err(|e| bad(format!("is not as documented: {e}")))?;
        let seconds = |text: String| parse_seconds(&text).map_err(|e| bad(format!("has a wrong ttl: {e}")));
        let replace = body.replace.is_some();
        if replace && (body.add.is_some() || !body.remove.is_empty()) {
            return Err(bad("has `replace` and also `add` or `remove`".to_owned()));
        }
        let add = body.add.or(body.replace).map(|json| additions(json.get(), kind)).transpose()?;
        let change = Change {
            id: body.id,
            add: add.unwrap_or_default(),
            remove: body.remove,
            replace,
            ttl_seconds: body.ttl.map(seconds).transpose()?,
            expire: false,
        };
        change.checked(kind)
    }

    /// Returns a change whose entries are as a kind of list has them.
    ///
    /// # Errors
    /// Names the first entry that is none.
    pub fn checked(mut self, kind: ListKind) -> Result<Change, ListError> {
        let bad = |what: &str| Err(ListError::Change { what: what.to_owned() });
        if self.id.as_ref().is_some_and(|id| {
            !(1..=MAX_ID_BYTES).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic())
        }) {
            return bad("has an id that is not 1 to 128 visible ASCII characters");
        }
        if self.ttl_seconds == Some(0) {
            return bad("has a ttl of nothing");
        }
        for key in &mut self.remove {
            *key = kind.entry(key)?;
        }
        for Addition { key, value } in &mut self.add {
            *key = kind.entry(key)?;
            match (kind, &value) {
                (ListKind::Map, Some(json)) => *value = Some(kind.value(key, json)?),
                (ListKind::Map, None) => return bad("adds keys without values to a map"),
                (_, Some(_)) => return bad("adds values to a list that is not a map"),
                (_, None) => {}
            }
        }
        Ok(self)
    }

    /// Returns the change as a client sends it; of a map, each addition has a value.
    pub fn body(&self) -> Vec<u8> {
        let is_map = self.add.iter().any(|of| of.value.is_some());
        let mut body = serde_json::Map::new();
        let added = match is_map {
            true => {
                let value = |of: &Addition| {
                    let json = of.value.as_deref().unwrap_or("null");
                    (of.key.clone(), serde_json::from_str(json).unwrap_or(serde_json::Value::Null))
                };
                serde_json::Value::Object(self.add.iter().map(value).collect())
            }
            false => self.add.iter().map(|of| serde_json::Value::from(of.key.as_str())).collect(),
        };
        body.insert(if self.replace { "replace" } else { "add" }.to_owned(), added);
        if !self.remove.is_empty() {
            body.insert("remove".to_owned(), self.remove.clone().into());
        }
        if let Some(id) = &self.id {
            body.insert("id".to_owned(), id.as_str().into());
        }
        if let Some(seconds) = self.ttl_seconds {
            body.insert("ttl".to_owned(), format!("{seconds}s").into());
        }
        if self.add.is_empty() && !self.replace {
            body.remove("add");
        }
        serde_json::Value::Object(body).to_string().into_bytes()
    }

    /// Returns what tells the change from others of the same id.
    pub fn content(&self) -> u64 {
        let json = serde_json::to_vec(&Change { id: None, ..self.clone() });
        checksum(&json.expect("texts and numbers are JSON"))
    }
}

impl Addition {
    /// Returns an entry without a value.
    pub fn entry(key: &str) -> Addition {
        Addition { key: key.to_owned(), value: None }
    }
}

/// Reads what is added: a list of entries, or an object of keys and values.
fn additions(json: &str, kind: ListKind) -> Result<Vec<Addition>, ListError> {
    let bad = |e: serde_json::Error| ListError::Change { what: format!("is not as documented: {e}") };
    if kind == ListKind::Map {
        let pairs: Pairs<'_> = serde_json::from_str(json).map_err(bad)?;
        let addition =
            |(key, value): (String, &RawValue)| Addition { key, value: Some(value.get().to_owned()) };
        return Ok(pairs.0.into_iter().map(addition).collect());
    }
    let entries: Vec<String> = serde_json::from_str(json).map_err(bad)?;
    Ok(entries.into_iter().map(|key| Addition { key, value: None }).collect())
}

/// The members of an object in their order, their values as they are.
pub struct Pairs<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of keys and values")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Visitor).map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_for_the_kind_of_its_list() {
        let change = Change::parse(
            br#"{"id":"c-17","add":["Bad.example."],"remove":["old.example"],"ttl":"10min"}"#,
            ListKind::Host,
        );
        let change = change.expect("it is one");
        assert_eq!(change.id.as_deref(), Some("c-17"));
        assert_eq!(change.add, [Addition::entry("bad.example")]);
        assert_eq!((change.remove, change.ttl_seconds), (vec!["old.example".to_owned()], Some(600)));
        let change =
            Change::parse(br#"{"replace":{"b":{"x": 1},"a":[]}}"#, ListKind::Map).expect("it is one");
        let values: Vec<(&str, Option<&str>)> =
            change.add.iter().map(|of| (of.key.as_str(), of.value.as_deref())).collect();
        assert_eq!((change.replace, values), (true, vec![("b", Some("{\"x\":1}")), ("a", Some("[]"))]));
    }

    #[test]
    fn what_is_no_change_is_refused_with_its_reason() {
        let check = |body: &str, kind: ListKind, expected: &str| {
            let error = Change::parse(body.as_bytes(), kind).expect_err(body).to_string();
            assert!(error.contains(expected), "{body}: {error}");
        };
        check("[", ListKind::Host, "is not as documented");
        check(r#"{"adds":["a"]}"#, ListKind::Host, "unknown field");
        check(r#"{"add":{"a":1}}"#, ListKind::Host, "invalid type: map");
        check(r#"{"add":["a"]}"#, ListKind::Map, "an object of keys and values");
        check(r#"{"add":["a b"]}"#, ListKind::Host, "`a b` is not the name of a host");
        check(r#"{"remove":["a b"]}"#, ListKind::Host, "`a b` is not the name of a host");
        check(r#"{"add":["a"],"ttl":"soon"}"#, ListKind::Host, "ttl");
        check(r#"{"add":["a"],"ttl":"0s"}"#, ListKind::Host, "ttl");
        check(r#"{"id":"","add":["a"]}"#, ListKind::Host, "an id");
        check(r#"{"replace":["a"],"add":["b"]}"#, ListKind::Host, "also `add`");
    }
}
