//! Writes a batch's events: a file for each event type, top-level category and hour.

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::delta::NewFile;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::partition::HourPartition;
use crate::model::{Events, Hour, Places};
use crate::parquet_format::{EventCopy, EventEncoder};
use crate::storage::{BulkWriter, unique_id};

/// Writes the files of a batch's events; they are durable once the bulk writer is finished, and not yet
/// committed.
pub(super) fn write_events(
    bulk: &BulkWriter<'_>,
    batch_id: &str,
    events: &Events,
) -> Result<Vec<NewFile>, LakeError> {
    let places = Places::of(&events.path_sets);
    let groups = Groups::of(events, &places);
    let batch_name = unique_id();
    let write = |encoder: &mut EventEncoder<'_>, (number, partition): (usize, &HourPartition)| {
        // Numbered, so that two folders whose names are one on some file systems never share a file.
        let unique = format!("{batch_name}-{number:05}");
        let folder = partition.folder();
        let encoded = encoder
            .encode(groups.copies(number))
            .map_err(|source| LakeError::Columns { file: format!("{folder}/{unique}"), source })?;
        let path = format!("{folder}/{}", encoded.name(&unique));
        bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
        Ok(NewFile::of(path, partition.values(), encoded))
    };
    let partitions = groups.partitions.par_iter().enumerate();
    partitions.map_init(|| EventEncoder::of(events, &places, batch_id), write).collect()
}

/// The partitions in the order of their first event, and the copies of events in each.
struct Groups {
    partitions: Vec<HourPartition>,
    /// By partition, then in the order of the events.
    copies: Vec<EventCopy>,
    /// Where the copies of each partition end.
    ends: Vec<usize>,
}

impl Groups {
    /// Groups the copies by a counting sort.
    fn of(events: &Events, places: &Places<'_>) -> Groups {
        let mut numbers: HashMap<(u32, Option<u32>, Hour), u32> = HashMap::new();
        let mut partitions: Vec<HourPartition> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let mut partition_of_copy: Vec<u32> = Vec::with_capacity(events.len());
        for row in 0..events.len() {
            let (event_type, hour) = (events.event_type(row), events.ts(row).hour());
            for place in places.of_set(events.path_set(row)) {
                let category = places.place(place).category;
                let number = *numbers.entry((event_type, category, hour)).or_insert_with(|| {
                    let event_type = events.event_types[event_type as usize].clone();
                    let category = category.map(|code| places.categories().name(code).to_owned());
                    partitions.push(HourPartition { event_type, hour, category });
                    counts.push(0);
                    counts.len() as u32 - 1
                });
                counts[number as usize] += 1;
                partition_of_copy.push(number);
            }
        }
        let mut ends: Vec<usize> =
            counts.iter().scan(0, |start, &count| Some(std::mem::replace(start, *start + count))).collect();
        let mut copies = vec![EventCopy { row: 0, place: 0 }; partition_of_copy.len()];
        let mut partition_of_copy = partition_of_copy.into_iter();
        for row in 0..events.len() {
            for place in places.of_set(events.path_set(row)) {
                let number = partition_of_copy.next().expect("every copy was counted");
                let end = &mut ends[number as usize];
                copies[*end] = EventCopy { row: row as u32, place };
                *end += 1;
            }
        }
        Groups { partitions, copies, ends }
    }

    fn copies(&self, partition: usize) -> &[EventCopy] {
        let start = if partition == 0 { 0 } else { self.ends[partition - 1] };
        &self.copies[start..self.ends[partition]]
    }
}
