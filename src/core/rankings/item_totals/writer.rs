//! Writes item totals: spills them while the aggregates are read, then sorts, merges and writes them.

use std::sync::{Mutex, PoisonError};

use blake3::Hasher;
use bytes::Bytes;
use rayon::prelude::*;

use crate::model::EventTypes;
use crate::parquet_format::{
    ColumnsError, EncodedGroup, ITEM_TOTALS_PER_GROUP, ItemTotalsEncoder, ItemTotalsGroup, ItemTotalsLine,
};
use crate::rank::{CategoryRounds, PackedItemTotals, Rules};
use crate::rankings::error::SnapshotError;
use crate::rankings::item_totals::category_rows::CategoryRows;
use crate::rankings::item_totals::files::{BUFFER_BYTES, FOLDER, POINTER, hash_of};
use crate::rankings::item_totals::shop_ranks::{SortedRun, pack, shop_ranks};
use crate::rankings::item_totals::spilled_part::{SpilledPart, read_parts};
use crate::rankings::pointer::{Footer, Pointer, SCHEMA};
use crate::rankings::publish::{Published, labels};
use crate::storage::{Scratch, Store, StoreError, Stream};

/// Row groups, or sequences of them of large top-level categories, that are encoded before they are written.
const GROUPS_AT_A_TIME: usize = 8;

/// Item totals that are being collected.
pub struct ItemTotalsWriter {
    store: Store,
    scratch: Scratch,
    parts: Mutex<Vec<SpilledPart>>,
}

/// Item totals that were published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedItemTotals {
    /// Path below the lake.
    pub file: String,
    pub size_bytes: u64,
    pub rows: u64,
}

/// One top-level category, and the order of its rows by rank.
struct Sorted<'a> {
    parts: &'a [SpilledPart],
    order: Vec<u32>,
}

impl ItemTotalsWriter {
    /// Returns a writer without items.
    ///
    /// # Errors
    /// Fails where the lake's disk does.
    pub fn begin(store: &Store) -> Result<ItemTotalsWriter, SnapshotError> {
        let scratch = store.scratch()?;
        Ok(ItemTotalsWriter { store: store.clone(), scratch, parts: Mutex::new(Vec::new()) })
    }

    /// Spills some items of a top-level category, as scored in a round of look-back.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn add(&self, top: Option<&str>, round: u32, totals: PackedItemTotals) -> Result<(), SnapshotError> {
        self.spill(top, round, totals, false)
    }

    fn spill(
        &self,
        top: Option<&str>,
        round: u32,
        mut totals: PackedItemTotals,
        is_multi_category: bool,
    ) -> Result<(), SnapshotError> {
        let packed = std::mem::take(&mut totals.packed);
        let first_item = PackedItemTotals::rows_of(&packed).next().map(|row| row.item_id.to_owned());
        let Some(first_item) = first_item else { return Ok(()) };
        let range = self.scratch.append(&packed)?;
        let top = top.map(str::to_owned);
        let part = SpilledPart { top, round, is_multi_category, first_item, range, totals };
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(part);
        Ok(())
    }

    /// Publishes the item totals of a ranking: writes the file, reads it back to check it, and moves the
    /// pointer last.
    ///
    /// The same aggregates by the same rules give the same bytes.
    ///
    /// # Errors
    /// Fails where the disk does; the pointer then stays as it was.
    pub fn publish(
        self,
        rounds: &CategoryRounds,
        rules: &Rules,
        event_types: &EventTypes,
        of: &Published,
    ) -> Result<PublishedItemTotals, SnapshotError> {
        let multi_category = PackedItemTotals::of_multi_category(&rounds.multi_category_items);
        self.spill(None, 0, multi_category, true)?;
        let ItemTotalsWriter { store, scratch, parts } = self;
        let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let key = |part: &SpilledPart| {
            (part.top.clone(), part.round, part.is_multi_category, part.first_item.clone())
        };
        parts.sort_by_cached_key(key);
        let (tops, runs) = sort(&parts, &scratch, rounds)?;
        let in_shop = shop_ranks(&scratch, &runs)?;
        let file = of.file.rsplit('/').next().unwrap_or(&of.file).to_owned();
        let path = format!("{FOLDER}/{file}");
        let mut labels = labels(rules, event_types);
        labels.push(("topsell.ranking", file.clone()));
        let written = write(&store, &path, &labels, scratch, &tops, &in_shop, rounds)?;
        let WrittenFile { footer, blake3, size_bytes, rows } = written;
        check_written(&store, &path, &blake3, size_bytes)?;
        let as_of = rules.window.as_of().start().to_string();
        let footer = Some(footer);
        let mut pointer =
            Pointer { schema: SCHEMA, file, blake3, size_bytes, rows, as_of, footer, checksum: None };
        store.put_pointer(POINTER, pointer.json().into())?;
        Ok(PublishedItemTotals { file: path, size_bytes, rows })
    }
}

/// Sorts each top-level category, and spills the rows that count shop-wide in their order.
fn sort<'a>(
    parts: &'a [SpilledPart],
    scratch: &Scratch,
    rounds: &CategoryRounds,
) -> Result<(Vec<Sorted<'a>>, Vec<SortedRun>), StoreError> {
    let tops: Vec<&[SpilledPart]> = parts.chunk_by(|a, b| a.top == b.top).collect();
    let sorted = tops.into_par_iter().map(|parts| {
        let packed = read_parts(scratch, parts)?;
        let rows = CategoryRows::of(&packed, rounds);
        let order = rows.order();
        let (packed, checkpoints) = pack(&rows, &order);
        let run = SortedRun { range: scratch.append(&packed)?, rows: rows.rows.len(), checkpoints };
        Ok((Sorted { parts, order }, run))
    });
    let sorted: Result<Vec<_>, StoreError> = sorted.collect();
    Ok(sorted?.into_iter().unzip())
}

/// A file that was written.
struct WrittenFile {
    footer: Footer,
    blake3: String,
    size_bytes: u64,
    rows: u64,
}

/// Writes the rows of all top-level categories into a file.
fn write(
    store: &Store,
    path: &str,
    labels: &[(&str, String)],
    scratch: Scratch,
    tops: &[Sorted<'_>],
    in_shop: &[Vec<u32>],
    rounds: &CategoryRounds,
) -> Result<WrittenFile, SnapshotError> {
    store.make_folder(FOLDER)?;
    let bulk = store.bulk_writer(FOLDER)?;
    let failed = |source: ColumnsError| SnapshotError::Columns { file: path.to_owned(), source };
    let mut file = ItemTotalsEncoder::of(labels).map_err(failed)?;
    let mut out =
        Output { stream: bulk.stream(path)?, buffer: Vec::new(), hash: Hasher::new(), size_bytes: 0 };
    let mut rows = 0;
    let mut write = |encoded: Vec<Vec<Encoded>>| {
        for (group, group_rows) in encoded.into_iter().flatten() {
            rows += group_rows;
            out.write(&file.add(group).map_err(failed)?)?;
        }
        Ok::<(), SnapshotError>(())
    };
    let encode = |tops: &&[(&Sorted<'_>, &Vec<u32>)]| {
        let packed = tops.iter().map(|(sorted, _)| read_parts(&scratch, sorted.parts));
        let packed = packed.collect::<Result<Vec<_>, StoreError>>()?;
        let rows: Vec<CategoryRows<'_>> = packed.iter().map(|of| CategoryRows::of(of, rounds)).collect();
        encode(&rows, tops).map_err(failed)
    };
    let tops: Vec<(&Sorted<'_>, &Vec<u32>)> = tops.iter().zip(in_shop).collect();
    let groups = row_groups(&tops);
    let mut encoded_before = Vec::new();
    // Encodes the next row groups while those encoded before are written.
    for some in groups.chunks(GROUPS_AT_A_TIME) {
        let (encoded, written) = rayon::join(
            || some.par_iter().map(encode).collect::<Result<Vec<_>, SnapshotError>>(),
            || write(std::mem::take(&mut encoded_before)),
        );
        written?;
        encoded_before = encoded?;
    }
    write(encoded_before)?;
    // Dropped first: otherwise its pages would be flushed to the disk together with the file.
    drop(scratch);
    let (end, footer_at) = file.finish().map_err(failed)?;
    out.write(&end)?;
    let (blake3, size_bytes) = out.finish()?;
    bulk.finish()?.keep();
    Ok(WrittenFile { footer: Footer::of(&end[footer_at..]), blake3, size_bytes, rows })
}

/// A row group, and how many rows it has.
type Encoded = (EncodedGroup, u64);

/// One top-level category, and the ranks of its rows in the shop.
type Top<'a> = (&'a Sorted<'a>, &'a Vec<u32>);

/// Returns the top-level categories that share a row group; a large one has several of its own.
fn row_groups<'a, 'b>(tops: &'b [Top<'a>]) -> Vec<&'b [Top<'a>]> {
    let (mut groups, mut start, mut rows) = (Vec::new(), 0, 0);
    for (at, (sorted, _)) in tops.iter().enumerate() {
        let is_apart = at > start && (tops[start].0.top().is_none() || sorted.top().is_none());
        if at > start && (is_apart || rows + sorted.order.len() > ITEM_TOTALS_PER_GROUP) {
            groups.push(&tops[start..at]);
            (start, rows) = (at, 0);
        }
        rows += sorted.order.len();
    }
    groups.extend(Some(&tops[start..]).filter(|last| !last.is_empty()));
    groups
}

/// Returns the row groups of some top-level categories.
fn encode(rows: &[CategoryRows<'_>], tops: &[Top<'_>]) -> Result<Vec<Encoded>, ColumnsError> {
    let mut encoded = Vec::new();
    let mut group = ItemTotalsGroup::default();
    for (rows, (sorted, in_shop)) in rows.iter().zip(tops) {
        let (ranks, begins) = rows.ranks(&sorted.order);
        group.begin(sorted.top(), &rows.categories);
        for (at, row) in rows.rows.iter().enumerate() {
            let of_row = ranks[begins[at]..begins[at + 1]].iter().map(|&rank| i64::from(rank));
            let line = ItemTotalsLine {
                item_id: row.item_id,
                days: &row.days.units(),
                units: row.units,
                window_units: row.window_units,
                score: row.score,
                shop_rank: Some(i64::from(in_shop[at])).filter(|&rank| rank > 0),
            };
            if group.len() == ITEM_TOTALS_PER_GROUP {
                encoded.push((group.encode()?, group.len() as u64));
                group = ItemTotalsGroup::default();
                group.begin(sorted.top(), &rows.categories);
            }
            group.push(&line, rows.sets[row.set as usize].iter().copied().zip(of_row));
        }
    }
    if !group.is_empty() {
        encoded.push((group.encode()?, group.len() as u64));
    }
    Ok(encoded)
}

impl Sorted<'_> {
    fn top(&self) -> Option<&str> {
        self.parts.first().and_then(|part| part.top.as_deref())
    }
}

/// The file being written.
struct Output<'a> {
    stream: Stream<'a>,
    buffer: Vec<u8>,
    hash: Hasher,
    size_bytes: u64,
}

impl Output<'_> {
    fn write(&mut self, bytes: &Bytes) -> Result<(), StoreError> {
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() as u64 >= BUFFER_BYTES {
            self.stream.append(std::mem::take(&mut self.buffer).into())?;
        }
        Ok(())
    }

    /// Returns the file's hash and size.
    fn finish(mut self) -> Result<(String, u64), StoreError> {
        if !self.buffer.is_empty() {
            self.stream.append(self.buffer.into())?;
        }
        self.stream.finish()?;
        Ok((self.hash.finalize().to_hex().to_string(), self.size_bytes))
    }
}

/// Reads a file back from the disk.
fn check_written(store: &Store, path: &str, blake3: &str, size_bytes: u64) -> Result<(), SnapshotError> {
    if hash_of(store, path, size_bytes)? == blake3 {
        return Ok(());
    }
    let what = "it does not read back as it was written".to_owned();
    Err(SnapshotError::Damaged { file: path.to_owned(), what })
}
