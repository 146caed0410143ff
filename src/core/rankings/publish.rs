//! Publishes a ranking: writes the file, reads it back to check it, and moves the pointer of its name last.

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::model::EventTypes;
use crate::parquet_format::{EncodedRanking, encode_ranking};
use crate::rank::{Ranking, Rules};
use crate::rankings::error::SnapshotError;
use crate::rankings::metadata::RankingMetadata;
use crate::rankings::name::RankingName;
use crate::rankings::pointer::{FOLDER, Footer, Pointer, SCHEMA, damaged_file, pointer_beside};
use crate::rankings::publication::{Publication, Unmoved, unmoved};
use crate::rankings::row_groups::RowGroups;
use crate::storage::Store;

/// A ranking that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Path below the lake.
    pub file: String,
    pub size_bytes: u64,
    pub categories: u64,
    pub rows: u64,
    /// How many of the rows have the item's name, where names were given.
    pub named: Option<u64>,
    /// Why its name goes on to show another ranking; nothing where it shows this one.
    pub unmoved: Option<Unmoved>,
}

/// What would be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub name: RankingName,
    pub categories: u64,
    pub rows: u64,
    /// Why the name would go on to show another ranking.
    pub unmoved: Option<Unmoved>,
}

/// Publishes a ranking: writes the file, reads it back to check it, and moves the pointer of its name last, if the name
/// is to show it.
///
/// The same ranking and names by the same rules give the same bytes.
///
/// # Errors
/// [`SnapshotError::Empty`] where no item is eligible; fails where the disk does. The pointer then stays
/// as it was.
pub fn publish(
    store: &Store,
    ranking: &Ranking,
    names: Option<&HashMap<&str, String>>,
    rules: &Rules,
    event_types: &EventTypes,
    publication: &Publication,
) -> Result<Published, SnapshotError> {
    let groups = RowGroups::of(ranking, names, rules.window);
    if groups.rows() == 0 {
        return Err(SnapshotError::Empty);
    }
    let metadata = metadata_of(rules, event_types)?;
    let as_of = metadata.as_of.to_string();
    let unmoved = unmoved(store, publication, &metadata)?;
    let encoded = encode_groups(&groups, rules, event_types)?;
    let hash = blake3::hash(&encoded.bytes).to_hex().to_string();
    let hour = as_of.replace(":00:00Z", "Z");
    let name = format!("{hour}-{}-{}.parquet", metadata.rules_hash(), &hash[..16]);
    let file = format!("{FOLDER}/{name}");
    store.put(&file, encoded.bytes.clone())?;
    let mut pointer = Pointer {
        schema: SCHEMA,
        file: name,
        blake3: hash,
        size_bytes: encoded.bytes.len() as u64,
        rows: groups.rows(),
        as_of,
        footer: Some(Footer::of(&encoded.bytes[encoded.footer_at..])),
        checksum: None,
    };
    drop(encoded);
    check_written(store, &pointer, &groups)?;
    let json = pointer.json();
    if unmoved.is_none() {
        store.put_pointer(&publication.name.pointer(), json.clone().into())?;
    }
    // Last: a ranking that has this one was published, so that a pointer that is missing then was lost.
    store.put(&pointer_beside(&file), json.into())?;
    Ok(Published {
        file,
        size_bytes: pointer.size_bytes,
        categories: ranking.categories.len() as u64,
        rows: pointer.rows,
        named: names.map(|_| groups.named()),
        unmoved,
    })
}

/// Returns what [`publish`] would do, and does nothing.
///
/// # Errors
/// As [`publish`].
pub fn preview(
    store: &Store,
    ranking: &Ranking,
    rules: &Rules,
    event_types: &EventTypes,
    publication: &Publication,
) -> Result<Preview, SnapshotError> {
    let groups = RowGroups::of(ranking, None, rules.window);
    if groups.rows() == 0 {
        return Err(SnapshotError::Empty);
    }
    Ok(Preview {
        name: publication.name.clone(),
        categories: ranking.categories.len() as u64,
        rows: groups.rows(),
        unmoved: unmoved(store, publication, &metadata_of(rules, event_types)?)?,
    })
}

/// Returns what the file of a ranking says of how it was made.
fn metadata_of(rules: &Rules, event_types: &EventTypes) -> Result<RankingMetadata, SnapshotError> {
    let labels = labels(rules, event_types);
    let label =
        |wanted: &str| labels.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
    let as_of = rules.window.as_of().start().to_string();
    let damaged = |what: &str| SnapshotError::Damaged { file: FOLDER.to_owned(), what: what.to_owned() };
    RankingMetadata::of(&as_of, &label).map_err(damaged)
}

/// Returns the bytes of a ranking's file.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub fn encode(
    ranking: &Ranking,
    names: Option<&HashMap<&str, String>>,
    rules: &Rules,
    event_types: &EventTypes,
) -> Result<EncodedRanking, SnapshotError> {
    encode_groups(&RowGroups::of(ranking, names, rules.window), rules, event_types)
}

fn encode_groups(
    groups: &RowGroups<'_>,
    rules: &Rules,
    event_types: &EventTypes,
) -> Result<EncodedRanking, SnapshotError> {
    let encoded = encode_ranking(
        groups.len(),
        |group| groups.rows_of(group).collect(),
        groups.largest(),
        &labels(rules, event_types),
    );
    encoded.map_err(|source| SnapshotError::Columns { file: FOLDER.to_owned(), source })
}

/// Reads a file back from the disk, as a whole and by row groups, and compares every row.
fn check_written(store: &Store, pointer: &Pointer, groups: &RowGroups<'_>) -> Result<(), SnapshotError> {
    let damaged = || damaged_file(pointer, "it does not read back as it was written");
    let bytes = store.get(&pointer.path())?;
    let by_groups = pointer.footer_of(&bytes).ok_or_else(damaged)?;
    by_groups.map_err(|e| damaged_file(pointer, &e.to_string()))?;
    let written = pointer.open_whole(bytes)?;
    if written.file.groups() != groups.len() {
        return Err(damaged());
    }
    (0..groups.len()).into_par_iter().try_for_each(|group| {
        let bytes = written.group(group)?;
        if !written.file.is_whole(group, &bytes) {
            return Err(damaged());
        }
        let mut expected = groups.rows_of(group);
        let mut is_same = true;
        let read = written.file.each_row(group, bytes, &mut |row| is_same &= expected.next() == Some(row));
        read.map_err(|e| damaged_file(pointer, &e.to_string()))?;
        if is_same && expected.next().is_none() { Ok(()) } else { Err(damaged()) }
    })
}

/// Returns the key-value metadata: how the ranking was made, not when or where, so that the same inputs
/// give the same bytes.
pub(super) fn labels(rules: &Rules, event_types: &EventTypes) -> Vec<(&'static str, String)> {
    let half_life = rules.decay.half_life_hours().map_or("none".to_owned(), |hours| hours.to_string());
    let days: Vec<String> = rules.week.starts().iter().map(|first| first.start().to_string()).collect();
    let mut labels = vec![
        ("topsell.schema", SCHEMA.to_string()),
        ("topsell.as_of", rules.window.as_of().start().to_string()),
        ("topsell.window_hours", rules.window.hours().to_string()),
        ("topsell.half_life_hours", half_life),
        ("topsell.by", rules.measure.name().to_owned()),
        ("topsell.event_types", serde_json::json!(event_types.counted).to_string()),
        ("topsell.top", rules.limit.to_string()),
        ("topsell.min_items", rules.min_items.to_string()),
        ("topsell.max_lookback_hours", rules.max_lookback_hours.to_string()),
        ("topsell.time_zone", rules.week.zone().name().to_owned()),
        ("topsell.days", serde_json::json!(days).to_string()),
    ];
    if let Some(fraction) = rules.decay.fraction_text() {
        labels.push(("topsell.octaves_per_hour", fraction));
    }
    if !event_types.subtracted.is_empty() {
        labels.push(("topsell.subtract", serde_json::json!(event_types.subtracted).to_string()));
    }
    labels
}
