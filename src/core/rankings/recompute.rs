//! A damaged ranking, computed again: the same events and the same rules give the same bytes.

use crate::model::{EventTypes, Week, Window, Zone};
use crate::parquet_format::RankingFile;
use crate::rank::{Ranking, Rules};
use crate::rankings::error::SnapshotError;
use crate::rankings::metadata::RankingMetadata;
use crate::rankings::pointer::{parse_pointer, pointer_beside};
use crate::rankings::publish::encode;
use crate::rankings::retained::has_hash_of;
use crate::storage::Store;

/// Returns by which rules a ranking was made, where its footer is intact and it has no names, which the lake does
/// not know.
pub fn rules_of(store: &Store, path: &str) -> Option<(Rules, EventTypes)> {
    let beside = pointer_beside(path);
    let pointer = parse_pointer(&store.get(&beside).ok()?, &beside).ok()?;
    let tail = store.get_tail(path, pointer.footer.as_ref()?.size_bytes).ok()?;
    let file = pointer.footer_of(&tail)?.ok().filter(|file| !file.has_names())?;
    let number = |name: &str| file.label(name).and_then(|text| text.parse::<u64>().ok());
    let hours = |name: &str| number(name).and_then(|hours| u32::try_from(hours).ok());
    let metadata = RankingMetadata::of(&pointer.as_of, &|name| file.label(name)).ok()?;
    let as_of = metadata.as_of.hour();
    let rules = Rules {
        window: Window::ending(as_of, metadata.window_hours),
        decay: metadata.decay,
        measure: metadata.by,
        limit: usize::try_from(metadata.top).ok()?,
        min_items: number("topsell.min_items")?,
        max_lookback_hours: hours("topsell.max_lookback_hours")?,
        week: Week::ending(as_of, Zone::named(file.label("topsell.time_zone")?).ok()?),
    };
    Some((rules, metadata.event_types))
}

/// Writes a damaged ranking again, if another computation has given the same bytes; returns whether it has.
///
/// # Errors
/// Fails where the disk does.
pub fn restore(
    store: &Store,
    path: &str,
    ranking: &Ranking,
    rules: &Rules,
    event_types: &EventTypes,
) -> Result<bool, SnapshotError> {
    let bytes = encode(ranking, None, rules, event_types)?.bytes;
    let is_same = has_hash_of(path, &bytes) && RankingFile::open(bytes.clone(), bytes.len() as u64).is_ok();
    if is_same {
        store.put(path, bytes)?;
    }
    Ok(is_same)
}
