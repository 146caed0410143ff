//! Where a batch's events lie: a file for each event type, top-level category and hour.

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::columns::{EventCopy, encode_events};
use crate::event::Events;
use crate::lake::{EVENTS, HourPartition, Lake, LakeError, unique_name};
use crate::table::NewFile;
use crate::time::Hour;

impl Lake {
    /// Writes the files of a batch's events, durable but not yet named by any commit.
    pub(super) fn write_events(&self, batch_id: &str, events: &Events) -> Result<Vec<NewFile>, LakeError> {
        let placed = placed_paths(events);
        let groups = group(events, &placed);
        let order = events.item_order();
        let bulk = self.store.bulk(EVENTS)?;
        let batch_name = unique_name();
        let files: Result<Vec<NewFile>, LakeError> = groups
            .into_par_iter()
            .enumerate()
            .map(|(number, (partition, mut copies))| {
                copies.sort_unstable_by_key(|copy| (order[copy.row], events.ts(copy.row), copy.row));
                // Numbered, so that folders which one file system takes for two names and another
                // for one never make two files one.
                let path = format!("{}/{batch_name}-{number:05}.parquet", partition.folder());
                let encoded = encode_events(events, &copies, batch_id)
                    .map_err(|source| LakeError::Columns { file: path.clone(), source })?;
                bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
                Ok(NewFile::of(path, partition.values(), encoded))
            })
            .collect();
        let files = files?;
        bulk.finish()?;
        Ok(files)
    }
}

/// Where the events of one set of paths are written.
struct Placed<'a> {
    /// The whole set joined by `|`, where it lies below several top-level categories.
    all_paths: Option<String>,
    places: Vec<Place<'a>>,
}

/// The paths of one set that lie below one top-level category, or the set without any.
struct Place<'a> {
    category: Option<&'a str>,
    paths: Vec<&'a str>,
    is_primary: bool,
}

/// Returns for each set of paths the top-level categories it is written under.
fn placed_paths(events: &Events) -> Vec<Placed<'_>> {
    let placed = events.path_sets.iter().map(|set| {
        let by_top_level = set.by_top_level().into_iter().zip(0..);
        let mut places: Vec<Place<'_>> = by_top_level
            .map(|((category, paths), at)| Place { category: Some(category), paths, is_primary: at == 0 })
            .collect();
        let all_paths = (places.len() > 1).then(|| set.paths().join("|"));
        if places.is_empty() {
            places.push(Place { category: None, paths: Vec::new(), is_primary: true });
        }
        Placed { all_paths, places }
    });
    placed.collect()
}

/// Returns the copies that each partition gets.
fn group<'a>(events: &Events, placed: &'a [Placed<'a>]) -> Vec<(HourPartition, Vec<EventCopy<'a>>)> {
    let mut categories: HashMap<Option<&str>, u32> = HashMap::new();
    let codes: Vec<Vec<u32>> = placed
        .iter()
        .map(|Placed { places, .. }| {
            let next = |known: usize| u32::try_from(known).expect("fewer categories than rows");
            places
                .iter()
                .map(|place| {
                    let code = next(categories.len());
                    *categories.entry(place.category).or_insert(code)
                })
                .collect()
        })
        .collect();
    let mut groups: HashMap<(u32, u32, Hour), (HourPartition, Vec<EventCopy<'a>>)> = HashMap::new();
    for row in 0..events.len() {
        let event = events.event(row);
        let set = event.path_set as usize;
        let all_paths = placed[set].all_paths.as_deref();
        for (place, &code) in placed[set].places.iter().zip(&codes[set]) {
            let key = (event.event_type, code, event.ts.hour());
            let (_, copies) = groups.entry(key).or_insert_with(|| {
                let event_type = events.event_types[event.event_type as usize].clone();
                let category = place.category.map(str::to_owned);
                (HourPartition { event_type, hour: event.ts.hour(), category }, Vec::new())
            });
            copies.push(EventCopy { row, paths: &place.paths, all_paths, is_primary: place.is_primary });
        }
    }
    groups.into_values().collect()
}
