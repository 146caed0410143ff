//! What an endpoint is sent, and the note of what it has accepted.
//!
//! ```text
//! POST <url>             {"schema":1,"ranking":"2026-01-08T00Z-….parquet","as_of":"…","by":"units",
//!                         "since":"2026-01-07T23Z-….parquet","categories":{"Tools":{…},"/":{…}},"removed":["Toys"]}
//! <lake>/published/….json  {"schema":1,"target":"https://…","ranking":"…","as_of":"…","categories":{"Tools":"0f…"}}
//! ```
//!
//! With `since` null, `categories` has all that there are, and the endpoint drops whatever else it has. An endpoint that
//! does not have `since` answers 409 or 412, and is sent everything.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use topsell_core::model::Timestamp;
use topsell_core::storage::Store;

use crate::category_value::{CategoryValue, RankingValues};
use crate::difference::Difference;
use crate::error::PublishError;

const SCHEMA: u32 = 1;
/// The lake's folder of notes.
const FOLDER: &str = "published";
/// Digits of a hash in the name of a note, and in a key.
const NAME_DIGITS: usize = 32;

/// The body of a request.
#[derive(Serialize)]
struct Delta<'a> {
    schema: u32,
    ranking: &'a str,
    as_of: String,
    by: &'static str,
    since: Option<&'a str>,
    categories: BTreeMap<&'a str, &'a RawValue>,
    removed: &'a [String],
}

/// What an endpoint has accepted.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Accepted {
    schema: u32,
    target: String,
    pub ranking: String,
    as_of: String,
    /// The hash of each category's value.
    pub categories: BTreeMap<String, String>,
}

/// Returns the body that leads an endpoint from a ranking, or from anything, to this one.
pub fn body(values: &RankingValues, difference: &Difference<'_>, since: Option<&str>) -> Bytes {
    let documents = difference.changed.iter().map(|(category, value)| {
        let document: &RawValue =
            serde_json::from_slice(&value.json).expect("the value of a category is a JSON document");
        (*category, document)
    });
    let delta = Delta {
        schema: SCHEMA,
        ranking: &values.ranking,
        as_of: values.as_of.to_string(),
        by: values.by,
        since,
        categories: documents.collect(),
        removed: &difference.removed,
    };
    serde_json::to_vec(&delta).expect("it is plain texts, numbers and JSON").into()
}

/// Returns a key that is the same for the same body only.
pub fn idempotency_key(body: &[u8]) -> String {
    digits(body)
}

impl Accepted {
    /// Reads the note about an endpoint; none where there is none, or a damaged one: everything is sent then.
    pub fn read(lake: &Store, url: &str) -> Option<Accepted> {
        let note: Accepted = serde_json::from_slice(&lake.get(&path(url)).ok()?).ok()?;
        (note.schema == SCHEMA).then_some(note)
    }

    pub fn as_of(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.as_of).ok()
    }

    /// Notes that an endpoint has a ranking.
    pub fn write(lake: &Store, url: &str, target: &str, values: &RankingValues) -> Result<(), PublishError> {
        let hash = |(name, value): (&String, &CategoryValue)| (name.clone(), value.hash.clone());
        let note = Accepted {
            schema: SCHEMA,
            target: target.to_owned(),
            ranking: values.ranking.clone(),
            as_of: values.as_of.to_string(),
            categories: values.categories.iter().map(hash).collect(),
        };
        let json = serde_json::to_vec(&note).expect("a note is plain texts and numbers");
        lake.make_folder(FOLDER)?;
        Ok(lake.put(&path(url), json.into())?)
    }
}

fn path(url: &str) -> String {
    format!("{FOLDER}/{}.json", digits(url.as_bytes()))
}

fn digits(bytes: &[u8]) -> String {
    let mut digits = blake3::hash(bytes).to_hex().to_string();
    digits.truncate(NAME_DIGITS);
    digits
}
