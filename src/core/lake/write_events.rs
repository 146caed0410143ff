//! Writes a batch's events, in few files: of each event type and day, one or more for each group of categories.
//!
//! Invariant: the hours of a file follow each other in the batch, so that its first and its last hour tell which
//! have changed.

use std::collections::BTreeSet;

use bytes::Bytes;
use hashbrown::HashMap;
use rayon::prelude::*;

use crate::delta::NewFile;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::partition::{DayPartition, run_of};
use crate::model::{CategoryGroup, Events, Hour, Places, ROWS_OF_OWN_FILES, Sharing};
use crate::parquet_format::{EventCopy, EventEncoder};
use crate::storage::{BulkWriter, unique_id};

/// Writes the files of a batch's events; they are durable once the bulk writer is finished, and not yet
/// committed.
pub(super) fn write_events(
    bulk: &BulkWriter<'_>,
    batch_id: &str,
    events: &Events,
) -> Result<Vec<NewFile>, LakeError> {
    encode_events(batch_id, events, &|file, bytes| {
        bulk.put(&format!("{EVENTS}/{}", file.path), bytes)?;
        Ok(file)
    })
}

/// Encodes the files of a batch's events, and passes each with its bytes to `take`, on all threads.
pub(super) fn encode_events<T: Send>(
    batch_id: &str,
    events: &Events,
    take: &(dyn Fn(NewFile, Bytes) -> Result<T, LakeError> + Sync),
) -> Result<Vec<T>, LakeError> {
    let places = Places::of(&events.path_sets);
    let files = Files::of(events, &places);
    let batch_name = unique_id();
    let write = |encoder: &mut EventEncoder<'_>, (number, partition): (usize, &DayPartition)| {
        // Numbered, so that two folders whose names are one on some file systems never share a file.
        let unique = format!("{batch_name}-{number:05}");
        let folder = partition.folder();
        let encoded = encoder
            .encode(files.copies(number))
            .map_err(|source| LakeError::Columns { file: format!("{folder}/{unique}"), source })?;
        let path = format!("{folder}/{}", encoded.name(&unique));
        let bytes = encoded.bytes.clone();
        take(NewFile::of(path, partition.values(), encoded), bytes)
    };
    let partitions = files.partitions.par_iter().enumerate();
    partitions.map_init(|| EventEncoder::of(events, &places, batch_id), write).collect()
}

/// The events of one type, category and hour.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    event_type: u32,
    /// None where they have none.
    category: Option<u32>,
    hour: Hour,
}

/// The files to be written, and the copies of events in each.
struct Files {
    partitions: Vec<DayPartition>,
    /// By file, category and hour, then in the order of the events.
    copies: Vec<EventCopy>,
    /// Where the copies of each file end.
    ends: Vec<usize>,
}

impl Files {
    fn of(events: &Events, places: &Places<'_>) -> Files {
        let mut numbers: HashMap<Cell, u32> = HashMap::new();
        let mut cells: Vec<(Cell, usize)> = Vec::new();
        let mut cell_of_copy: Vec<u32> = Vec::with_capacity(events.len());
        for row in 0..events.len() {
            let (event_type, hour) = (events.event_type(row), events.ts(row).hour());
            for place in places.of_set(events.path_set(row)) {
                let cell = Cell { event_type, category: places.place(place).category, hour };
                let number = *numbers.entry(cell).or_insert_with(|| {
                    cells.push((cell, 0));
                    cells.len() as u32 - 1
                });
                cells[number as usize].1 += 1;
                cell_of_copy.push(number);
            }
        }
        let planned = planned_files(events, places, &cells);
        // Where the copies of each cell begin, and then where the next one of it goes.
        let mut starts = vec![0; cells.len()];
        let (mut at, mut ends) = (0, Vec::with_capacity(planned.len()));
        for (_, of_file) in &planned {
            for &cell in of_file {
                starts[cell] = at;
                at += cells[cell].1;
            }
            ends.push(at);
        }
        let mut copies = vec![EventCopy { row: 0, place: 0 }; cell_of_copy.len()];
        let mut cell_of_copy = cell_of_copy.into_iter();
        for row in 0..events.len() {
            for place in places.of_set(events.path_set(row)) {
                let cell = cell_of_copy.next().expect("every copy was counted");
                let next = &mut starts[cell as usize];
                copies[*next] = EventCopy { row: row as u32, place };
                *next += 1;
            }
        }
        Files { partitions: planned.into_iter().map(|(partition, _)| partition).collect(), copies, ends }
    }

    fn copies(&self, file: usize) -> &[EventCopy] {
        let start = if file == 0 { 0 } else { self.ends[file - 1] };
        &self.copies[start..self.ends[file]]
    }
}

/// Returns the files of cells, each with its number of copies: the partition, and its cells by category and hour.
fn planned_files(
    events: &Events,
    places: &Places<'_>,
    cells: &[(Cell, usize)],
) -> Vec<(DayPartition, Vec<usize>)> {
    let day_of = |cell: usize| (cells[cell].0.event_type, cells[cell].0.hour.date());
    let name_of = |cell: usize| cells[cell].0.category.map(|code| places.categories().name(code));
    let ranks = places.categories().ranks();
    // None is before all others.
    let rank_of = |cell: usize| cells[cell].0.category.map(|code| ranks[code as usize]);
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_unstable_by_key(|&cell| (day_of(cell), rank_of(cell)));
    // By cell, a number of its group, and of the run of hours that it is in.
    let mut places_of: Vec<(u32, usize)> = vec![(0, 0); cells.len()];
    let mut groups: Vec<CategoryGroup> = Vec::new();
    let mut numbers: HashMap<CategoryGroup, u32> = HashMap::new();
    for of_day in order.chunk_by(|a, b| day_of(*a) == day_of(*b)) {
        let hours: BTreeSet<Hour> = of_day.iter().map(|&cell| cells[cell].0.hour).collect();
        for of_category in of_day.chunk_by(|a, b| rank_of(*a) == rank_of(*b)) {
            let copies = of_category.iter().map(|&cell| cells[cell].1).sum();
            let group = CategoryGroup::of(name_of(of_category[0]), copies, Sharing::ByShard);
            let number = *numbers.entry(group).or_insert_with_key(|group| {
                groups.push(group.clone());
                groups.len() as u32 - 1
            });
            for &cell in of_category {
                places_of[cell] = (number, run_of(&hours, cells[cell].0.hour));
            }
        }
    }
    order.sort_unstable_by_key(|&cell| (day_of(cell), places_of[cell], cells[cell].0.hour));
    let mut files = Vec::new();
    for of_run in order.chunk_by(|a, b| (day_of(*a), places_of[*a]) == (day_of(*b), places_of[*b])) {
        let (event_type, date) = day_of(of_run[0]);
        let partition = DayPartition {
            event_type: events.event_types[event_type as usize].clone(),
            date,
            group: groups[places_of[of_run[0]].0 as usize].clone(),
        };
        for mut of_file in cut(of_run, cells) {
            of_file.sort_unstable_by_key(|&cell| (rank_of(cell), cells[cell].0.hour));
            files.push((partition.clone(), of_file));
        }
    }
    files
}

/// Cuts cells in the order of their hours behind each hour with which there are enough copies for a file.
fn cut(cells_by_hour: &[usize], cells: &[(Cell, usize)]) -> Vec<Vec<usize>> {
    let mut files: Vec<Vec<usize>> = Vec::new();
    let mut copies = ROWS_OF_OWN_FILES;
    for of_hour in cells_by_hour.chunk_by(|a, b| cells[*a].0.hour == cells[*b].0.hour) {
        if copies >= ROWS_OF_OWN_FILES {
            files.push(Vec::new());
            copies = 0;
        }
        copies += of_hour.iter().map(|&cell| cells[cell].1).sum::<usize>();
        if let Some(file) = files.last_mut() {
            file.extend(of_hour);
        }
    }
    files
}
