//! Writes a batch's events, in few files: of each event type and day, one or more for each group of categories.
//!
//! Invariant: the hours of a file follow each other in the batch, so that its first and its last hour tell which
//! have changed.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::delta::NewFile;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::partition::{DayPartition, run_of};
use crate::model::{CategoryGroup, Date, Events, Hour, Places, ROWS_OF_OWN_FILES};
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
        bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
        Ok(NewFile::of(path, partition.values(), encoded))
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
    let mut rows: HashMap<(u32, Date, Option<u32>), usize> = HashMap::new();
    let mut hours: BTreeMap<(u32, Date), BTreeSet<Hour>> = BTreeMap::new();
    for (Cell { event_type, category, hour }, copies) in cells {
        *rows.entry((*event_type, hour.date(), *category)).or_default() += copies;
        hours.entry((*event_type, hour.date())).or_default().insert(*hour);
    }
    let name_of = |category: Option<u32>| category.map(|code| places.categories().name(code));
    // Cells by partition, and then by runs of hours of the day that have events.
    let mut runs: BTreeMap<(DayPartition, usize), Vec<usize>> = BTreeMap::new();
    for (number, (Cell { event_type, category, hour }, _)) in cells.iter().enumerate() {
        let date = hour.date();
        let group = CategoryGroup::of(name_of(*category), rows[&(*event_type, date, *category)]);
        let name = events.event_types[*event_type as usize].clone();
        let run = run_of(&hours[&(*event_type, date)], *hour);
        runs.entry((DayPartition { event_type: name, date, group }, run)).or_default().push(number);
    }
    let mut files = Vec::new();
    for ((partition, _), mut of_run) in runs {
        of_run.sort_by_key(|&cell| cells[cell].0.hour);
        for mut of_file in cut(of_run, cells) {
            of_file.sort_by_key(|&cell| (name_of(cells[cell].0.category), cells[cell].0.hour));
            files.push((partition.clone(), of_file));
        }
    }
    files
}

/// Cuts cells in the order of their hours behind each hour with which there are enough copies for a file.
fn cut(cells_by_hour: Vec<usize>, cells: &[(Cell, usize)]) -> Vec<Vec<usize>> {
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
