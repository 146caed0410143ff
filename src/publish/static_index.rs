//! The index of static files, and the note of those that it no longer names.
//!
//! ```text
//! index.json               {"schema":1,"ranking":"2026-01-08T00Z-….parquet","as_of":"2026-01-08T00:00:00Z","by":"units",
//!                           "shop":"categories/9c….json","categories":{"Tools":"categories/0f….json",…}}
//! superseded.json          {"schema":1,"files":{"categories/77….json":"2026-01-07T23:05:00Z",…}}
//! categories/0f….json      the JSON document of a category; never changes
//! ```
//!
//! Invariant: a file that is no such index is an error, and never taken for an empty one.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use topsell_core::model::Timestamp;
use topsell_core::storage::Store;

use crate::category_value::{RankingValues, WHOLE_SHOP};
use crate::error::PublishError;

pub const INDEX: &str = "index.json";
pub const SUPERSEDED: &str = "superseded.json";
pub const FOLDER: &str = "categories";
const SCHEMA: u32 = 1;
const EXTENSION: &str = ".json";

/// Which file has the value of each category.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct StaticIndex {
    schema: u32,
    pub ranking: String,
    as_of: String,
    by: String,
    /// None only where there is no ranking of the whole shop.
    shop: Option<String>,
    categories: BTreeMap<String, String>,
}

/// Files that the index named, and since when it does not.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Superseded {
    schema: u32,
    pub files: BTreeMap<String, String>,
}

impl StaticIndex {
    pub fn of(values: &RankingValues) -> StaticIndex {
        let mut categories: BTreeMap<String, String> =
            values.categories.iter().map(|(name, value)| (name.clone(), path_of(&value.hash))).collect();
        StaticIndex {
            schema: SCHEMA,
            ranking: values.ranking.clone(),
            as_of: values.as_of.to_string(),
            by: values.by.to_owned(),
            shop: categories.remove(WHOLE_SHOP),
            categories,
        }
    }

    /// Reads the index; none where nothing has been published there.
    pub fn read(store: &Store) -> Result<Option<StaticIndex>, PublishError> {
        let index: Option<StaticIndex> = read(store, INDEX)?;
        match index {
            Some(index) if index.schema != SCHEMA => Err(other_program(store, INDEX)),
            index => Ok(index),
        }
    }

    pub fn as_of(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.as_of).ok()
    }

    /// Returns the hash of each category's value.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        let shop = self.shop.iter().map(|path| (WHOLE_SHOP.to_owned(), path));
        let all = shop.chain(self.categories.iter().map(|(name, path)| (name.clone(), path)));
        all.map(|(name, path)| (name, hash_of(path).unwrap_or_default().to_owned())).collect()
    }

    pub fn json(&self) -> Bytes {
        json(self)
    }
}

impl Superseded {
    pub fn read(store: &Store) -> Result<Superseded, PublishError> {
        Ok(read(store, SUPERSEDED)?.unwrap_or(Superseded { schema: SCHEMA, files: BTreeMap::new() }))
    }

    /// Returns a note of other files.
    pub fn with(&self, files: BTreeMap<String, String>) -> Superseded {
        Superseded { schema: self.schema, files }
    }

    pub fn json(&self) -> Bytes {
        json(self)
    }
}

/// Returns the path of the file with a value.
pub fn path_of(hash: &str) -> String {
    format!("{FOLDER}/{hash}{EXTENSION}")
}

/// Returns the hash in the path of a file with a value; none of another file.
pub fn hash_of(path: &str) -> Option<&str> {
    let hash = path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(EXTENSION)?;
    let is_hash = !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(hash)
}

fn json(value: &impl Serialize) -> Bytes {
    let mut json = serde_json::to_vec(value).expect("an index is plain texts and numbers");
    json.push(b'\n');
    json.into()
}

fn read<T: DeserializeOwned>(store: &Store, path: &str) -> Result<Option<T>, PublishError> {
    match store.get(path) {
        Err(error) if error.is_not_found() => Ok(None),
        bytes => serde_json::from_slice(&bytes?).map(Some).map_err(|_| other_program(store, path)),
    }
}

fn other_program(store: &Store, path: &str) -> PublishError {
    let what = format!("{path} was written by another program, or is damaged");
    PublishError::OtherProgram { target: store.location(), what }
}
