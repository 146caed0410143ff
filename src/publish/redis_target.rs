//! Publishes a ranking to Redis.
//!
//! First the values that the server lacks are written, each under a key that has its hash and with a time to live, so
//! that nothing is left of a run that ends here. Then one transaction takes the time from them, changes the fields of
//! the index that have changed, and gives a time to live to the values that it no longer names: readers that have
//! just read the index still find them.
//!
//! Invariant: a value under a key never changes; what the index names has no time to live. The transaction fails where
//! another run has changed the index since it was read, and everything begins again.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use redis::{Connection, Pipeline, RedisError, RedisResult, Value, cmd, pipe};

use topsell_core::storage::unique_id;

use crate::category_value::{CategoryValue, Encoding, RankingValues};
use crate::difference::{Difference, check_order};
use crate::error::PublishError;
use crate::outcome::{DryRun, Outcome};
use crate::redis_connection::RedisAddress;
use crate::redis_index::{AS_OF_FIELD, Index, Keys, RANKING_FIELD, SCHEMA, SCHEMA_FIELD};

/// How often everything begins again where another run is publishing there.
const MAX_TRIES: u32 = 5;
/// Values of a pipeline: enough that a round trip costs little, few enough that the server serves others in between.
const VALUES_AT_ONCE: usize = 256;
/// Fields, or keys, of one command.
const ARGUMENTS_AT_ONCE: usize = 500;
/// The least time that values live which no index names yet: longer than a publication takes.
const MIN_UNNAMED_SECONDS: u64 = 3_600;
/// Of the unchanged values, those are looked for whose hash begins with one digit, another one each hour.
const SHARES: i32 = 16;

/// How a ranking is published to Redis.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// What the names of all keys begin with.
    pub prefix: String,
    pub encoding: Encoding,
    /// How long values stay that the index no longer names.
    pub keep_seconds: u64,
    /// Writes every value, also those that the server has.
    pub is_full: bool,
    pub allows_older: bool,
    /// Time limit of each command.
    pub timeout: Duration,
    pub dry_run: DryRun,
}

/// One publication.
struct Publication<'a> {
    address: &'a RedisAddress,
    connection: Connection,
    keys: Keys,
    values: &'a RankingValues,
    options: &'a RedisOptions,
}

/// Publishes a ranking.
///
/// # Errors
/// Fails where the server does, holds a newer ranking, or something else under the same keys, and where what was
/// written does not read back.
pub fn publish_to_redis(
    address: &RedisAddress,
    values: &RankingValues,
    options: &RedisOptions,
) -> Result<Outcome, PublishError> {
    let connection = address.connect(options.timeout)?;
    let keys = Keys::of(&options.prefix);
    let mut publication = Publication { address, connection, keys, values, options };
    for _ in 0..MAX_TRIES {
        if let Some(outcome) = publication.attempt()? {
            return Ok(outcome);
        }
    }
    let holder = "the index changed while the ranking was published".to_owned();
    Err(PublishError::Busy { target: address.to_string(), holder })
}

impl Publication<'_> {
    /// Publishes the ranking; nothing where another run has changed the index meanwhile.
    fn attempt(&mut self) -> Result<Option<Outcome>, PublishError> {
        let index = Index::watch(&mut self.connection, &self.keys).map_err(|e| self.failure(&e))?;
        self.check(&index)?;
        let lost = self.lost_values(&index).map_err(|e| self.failure(&e))?;
        let is_full = self.options.is_full;
        let values = self.values;
        let difference = Difference::of(values, &index.categories, &|hash| is_full || lost.contains(hash));
        let outcome = self.outcome_of(&difference);
        let is_same = difference.changed.is_empty()
            && difference.removed.is_empty()
            && index.ranking.as_ref() == Some(&values.ranking);
        if is_same || self.options.dry_run == DryRun::Yes {
            return Ok(Some(outcome));
        }
        let superseded = difference.superseded(values, &index.categories);
        let written = self
            .write_values(&difference)
            .and_then(|present| self.switch(&difference, &present, &superseded));
        if !written.map_err(|e| self.failure(&e))? {
            return Ok(None);
        }
        self.read_back(&difference)?;
        Ok(Some(outcome))
    }

    fn failure(&self, error: &RedisError) -> PublishError {
        if error.code() == Some("WRONGTYPE") {
            return self.other_program();
        }
        self.address.failure(error)
    }

    fn other_program(&self) -> PublishError {
        let what = format!("the key {} was written by another program", self.keys.index);
        PublishError::OtherProgram { target: self.address.to_string(), what }
    }

    fn check(&self, index: &Index) -> Result<(), PublishError> {
        if index.is_of_other_program() {
            return Err(self.other_program());
        }
        let target = self.address.to_string();
        check_order(&target, index.as_of, self.values.as_of, self.options.allows_older)
    }

    fn outcome_of(&self, difference: &Difference<'_>) -> Outcome {
        let size_of = |value: &CategoryValue| match self.options.encoding {
            Encoding::Json => value.json.len(),
            Encoding::SortedSet => value.items.iter().map(String::len).sum(),
        };
        Outcome {
            written: difference.changed.len() as u64,
            unchanged: difference.unchanged,
            removed: difference.removed.len() as u64,
            size_bytes: difference.changed.iter().map(|(_, value)| size_of(value) as u64).sum(),
            retries: 0,
        }
    }

    /// Returns the hashes of values that the index names and the server has not, of a share of those that need not be
    /// written: a server that is short of memory may remove any key.
    fn lost_values(&mut self, index: &Index) -> RedisResult<HashSet<String>> {
        let digit = u32::try_from(self.values.as_of.hour().number().rem_euclid(SHARES)).unwrap_or_default();
        let digit = char::from_digit(digit, 16).unwrap_or('0');
        let is_kept = |(category, value): &(&String, &CategoryValue)| {
            value.hash.starts_with(digit) && index.categories.get(*category) == Some(&value.hash)
        };
        let kept = self.values.categories.iter().filter(is_kept);
        let kept: Vec<&str> = kept.map(|(_, value)| value.hash.as_str()).collect();
        let mut lost = HashSet::new();
        for hashes in kept.chunks(ARGUMENTS_AT_ONCE) {
            let keys: Vec<String> = hashes.iter().map(|hash| self.keys.value(hash)).collect();
            let found: usize = cmd("EXISTS").arg(&keys).query(&mut self.connection)?;
            if found == keys.len() {
                continue;
            }
            let mut each = pipe();
            for key in &keys {
                each.cmd("EXISTS").arg(key);
            }
            let found: Vec<bool> = each.query(&mut self.connection)?;
            let pairs = hashes.iter().zip(found);
            lost.extend(pairs.filter(|(_, is_there)| !is_there).map(|(hash, _)| (*hash).to_owned()));
        }
        Ok(lost)
    }

    /// Writes the values that the server lacks, with a time to live, and returns the hashes of those that it has.
    fn write_values(&mut self, difference: &Difference<'_>) -> RedisResult<HashSet<String>> {
        let seconds = self.options.keep_seconds.max(MIN_UNNAMED_SECONDS);
        let unique = unique_id();
        let mut present = HashSet::new();
        for values in difference.changed.chunks(VALUES_AT_ONCE) {
            let mut batch = pipe();
            for (_, value) in values {
                let key = self.keys.value(&value.hash);
                match self.options.encoding {
                    Encoding::Json => {
                        let set = batch.cmd("SET").arg(key).arg(&value.json[..]);
                        set.arg("EX").arg(seconds).arg("NX");
                    }
                    Encoding::SortedSet => {
                        let new = self.keys.new_value(&format!("{unique}:{}", value.hash));
                        add_items(&mut batch, &new, value);
                        batch.ignore().cmd("EXPIRE").arg(&new).arg(seconds).ignore();
                        batch.cmd("RENAMENX").arg(new).arg(key);
                    }
                }
            }
            let replies: Vec<Value> = batch.query(&mut self.connection)?;
            let is_present = |reply: &Value| matches!(reply, Value::Nil | Value::Int(0));
            let pairs = values.iter().zip(&replies);
            present.extend(pairs.filter(|(_, r)| is_present(r)).map(|((_, value), _)| value.hash.clone()));
        }
        Ok(present)
    }

    /// Switches the index; false where another run has changed it since it was read.
    fn switch(
        &mut self,
        difference: &Difference<'_>,
        present: &HashSet<String>,
        superseded: &BTreeSet<String>,
    ) -> RedisResult<bool> {
        let Publication { keys, values, options, .. } = self;
        let mut switch = pipe();
        switch.atomic();
        for (_, value) in &difference.changed {
            let key = keys.value(&value.hash);
            match (present.contains(&value.hash), options.encoding) {
                (false, _) => {
                    switch.cmd("PERSIST").arg(key).ignore();
                }
                // It may be about to expire, since an earlier index has named it.
                (true, Encoding::Json) => {
                    switch.cmd("SET").arg(key).arg(&value.json[..]).ignore();
                }
                (true, Encoding::SortedSet) => {
                    switch.cmd("DEL").arg(&key).ignore();
                    add_items(&mut switch, &key, value);
                    switch.ignore();
                }
            }
        }
        for changed in difference.changed.chunks(ARGUMENTS_AT_ONCE) {
            let set = switch.cmd("HSET").arg(&keys.index);
            for (category, value) in changed {
                set.arg(*category).arg(keys.value(&value.hash));
            }
            set.ignore();
        }
        for removed in difference.removed.chunks(ARGUMENTS_AT_ONCE) {
            switch.cmd("HDEL").arg(&keys.index).arg(removed).ignore();
        }
        let facts = switch.cmd("HSET").arg(&keys.index).arg(SCHEMA_FIELD).arg(SCHEMA);
        let facts = facts.arg(AS_OF_FIELD).arg(values.as_of.to_string());
        facts.arg(RANKING_FIELD).arg(&values.ranking).ignore();
        for hash in superseded.iter().filter(|hash| !hash.is_empty()) {
            switch.cmd("EXPIRE").arg(keys.value(hash)).arg(options.keep_seconds).ignore();
        }
        let done: Option<Vec<Value>> = switch.query(&mut self.connection)?;
        Ok(done.is_some())
    }

    /// Reads back what was written.
    fn read_back(&mut self, difference: &Difference<'_>) -> Result<(), PublishError> {
        for changed in difference.changed.chunks(VALUES_AT_ONCE) {
            let mut fields = cmd("HMGET");
            fields.arg(&self.keys.index);
            for (category, _) in changed {
                fields.arg(*category);
            }
            let named: Vec<Option<String>> =
                fields.query(&mut self.connection).map_err(|e| self.failure(&e))?;
            let mut batch = pipe();
            for (_, value) in changed {
                let key = self.keys.value(&value.hash);
                match self.options.encoding {
                    Encoding::Json => batch.cmd("GET").arg(key),
                    Encoding::SortedSet => batch.cmd("ZRANGE").arg(key).arg(0).arg(-1),
                };
            }
            let found: Vec<Value> = batch.query(&mut self.connection).map_err(|e| self.failure(&e))?;
            for (((category, value), named), found) in changed.iter().zip(named).zip(found) {
                let is_same = named == Some(self.keys.value(&value.hash)) && is_value(&found, value);
                if !is_same {
                    return Err(PublishError::differs(&self.address.to_string(), category));
                }
            }
        }
        Ok(())
    }
}

/// Adds the command that makes a sorted set of a value's items.
fn add_items(batch: &mut Pipeline, key: &str, value: &CategoryValue) {
    let add = batch.cmd("ZADD").arg(key);
    for (rank, item) in (1_u64..).zip(&value.items) {
        add.arg(rank).arg(item);
    }
}

/// Returns whether a reply has a value in either encoding.
fn is_value(found: &Value, value: &CategoryValue) -> bool {
    match found {
        Value::BulkString(bytes) => bytes[..] == value.json[..],
        Value::Array(items) => {
            let is_item = |(found, item): (&Value, &String)| matches!(found, Value::BulkString(bytes) if bytes[..] == *item.as_bytes());
            items.len() == value.items.len() && items.iter().zip(&value.items).all(is_item)
        }
        _ => false,
    }
}
