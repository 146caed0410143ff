//! The index of a ranking in Redis: one hash, with the key of each category's value.
//!
//! ```text
//! topsell:categories   hash    /schema -> 1, /as_of -> 2026-01-08T00:00:00Z, /ranking -> 2026-01-08T00Z-….parquet,
//!                              / -> topsell:value:9c…   Tools -> topsell:value:0f…   Tools/Saws -> …
//! topsell:value:0f…    string  {"schema":1,"category":"Tools",…,"items":[…]}   or a sorted set of item ids by rank
//! ```
//!
//! Fields that begin with a slash are none of a category, since no path begins with one; `/` alone is the whole shop.

use std::collections::BTreeMap;

use redis::{Connection, RedisResult, cmd};

use topsell_core::model::Timestamp;

use crate::category_value::WHOLE_SHOP;

pub const SCHEMA_FIELD: &str = "/schema";
pub const AS_OF_FIELD: &str = "/as_of";
pub const RANKING_FIELD: &str = "/ranking";
pub const SCHEMA: &str = "1";

/// The names of the keys that begin with a prefix.
#[derive(Clone, Debug)]
pub struct Keys {
    pub index: String,
    value: String,
    new: String,
}

impl Keys {
    pub fn of(prefix: &str) -> Keys {
        Keys {
            index: format!("{prefix}:categories"),
            value: format!("{prefix}:value:"),
            new: format!("{prefix}:new:"),
        }
    }

    /// Returns the key of the value with a hash.
    pub fn value(&self, hash: &str) -> String {
        format!("{}{hash}", self.value)
    }

    /// Returns a key under which nobody looks for a value.
    pub fn new_value(&self, unique: &str) -> String {
        format!("{}{unique}", self.new)
    }
}

/// What an index says.
#[derive(Debug, Default)]
pub struct Index {
    pub schema: Option<String>,
    pub as_of: Option<Timestamp>,
    pub ranking: Option<String>,
    /// The hash of each category's value; empty where the field is none of ours.
    pub categories: BTreeMap<String, String>,
}

impl Index {
    /// Reads the index, and has the server refuse the next transaction if anybody changes it until then.
    pub fn watch(connection: &mut Connection, keys: &Keys) -> RedisResult<Index> {
        cmd("WATCH").arg(&keys.index).exec(connection)?;
        let fields: Vec<(Vec<u8>, Vec<u8>)> = cmd("HGETALL").arg(&keys.index).query(connection)?;
        let mut index = Index::default();
        for (field, value) in fields {
            // What is not text is none of ours: it is removed with what no ranking has.
            let field = String::from_utf8_lossy(&field).into_owned();
            let value = String::from_utf8_lossy(&value).into_owned();
            match field.as_str() {
                SCHEMA_FIELD => index.schema = Some(value),
                AS_OF_FIELD => index.as_of = Timestamp::parse(&value).ok(),
                RANKING_FIELD => index.ranking = Some(value),
                other if other.starts_with('/') && other != WHOLE_SHOP => {}
                _ => {
                    let hash = value.strip_prefix(&keys.value).unwrap_or_default().to_owned();
                    index.categories.insert(field, hash);
                }
            }
        }
        Ok(index)
    }

    /// Returns whether there is an index, and it was written by another program.
    pub fn is_of_other_program(&self) -> bool {
        let is_empty = self.ranking.is_none() && self.categories.is_empty() && self.schema.is_none();
        !is_empty && self.schema.as_deref() != Some(SCHEMA)
    }
}
