//! What has to be written to a target so that its index becomes that of a ranking.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use topsell_core::model::Timestamp;

use crate::category_value::{CategoryValue, RankingValues};
use crate::error::PublishError;

/// What has to be written; everything else stays.
#[derive(Debug, Default)]
pub struct Difference<'a> {
    /// Categories whose value the target does not have.
    pub changed: Vec<(&'a str, &'a CategoryValue)>,
    /// Categories of the target that the ranking does not have.
    pub removed: Vec<String>,
    pub unchanged: u64,
}

impl<'a> Difference<'a> {
    /// Compares a ranking with what a target holds: the hash of each category's value. Those whose value is lost are
    /// written again.
    pub fn of(
        values: &'a RankingValues,
        held: &BTreeMap<String, String>,
        is_lost: &dyn Fn(&str) -> bool,
    ) -> Difference<'a> {
        let mut difference = Difference::default();
        for (category, value) in &values.categories {
            match held.get(category) {
                Some(hash) if *hash == value.hash && !is_lost(hash) => difference.unchanged += 1,
                _ => difference.changed.push((category, value)),
            }
        }
        let is_gone = |category: &&String| !values.categories.contains_key(*category);
        difference.removed = held.keys().filter(is_gone).cloned().collect();
        difference
    }

    /// Returns the values of what the target held that nothing refers to any more.
    pub fn superseded(&self, values: &RankingValues, held: &BTreeMap<String, String>) -> BTreeSet<String> {
        let changed = self.changed.iter().map(|(category, _)| *category);
        let gone = changed.chain(self.removed.iter().map(String::as_str));
        let mut superseded: BTreeSet<String> =
            gone.filter_map(|category| held.get(category)).cloned().collect();
        for value in values.categories.values() {
            superseded.remove(&value.hash);
        }
        superseded
    }
}

/// Refuses to replace a newer ranking, unless that was asked for.
pub fn check_order(
    target: &str,
    held: Option<Timestamp>,
    ours: Timestamp,
    allows_older: bool,
) -> Result<(), PublishError> {
    match held {
        Some(held) if held > ours && !allows_older => {
            Err(PublishError::Newer { target: target.to_owned(), held, ours })
        }
        _ => Ok(()),
    }
}
