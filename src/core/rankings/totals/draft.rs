//! Totals on their way: set aside while the aggregates are read, then ordered, merged and written.

use std::sync::{Mutex, PoisonError};

use blake3::Hasher;
use bytes::Bytes;
use rayon::prelude::*;

use crate::parquet_format::{ColumnsError, TOTALS_PER_GROUP, TotalsEncoder, TotalsGroup, TotalsLine};
use crate::rank::{Everyone, Rules, Settled};
use crate::rankings::pointer::{Footer, Pointer, SCHEMA};
use crate::rankings::publish::labels;
use crate::rankings::totals::merge::{Aside, pack, shop_ranks};
use crate::rankings::totals::order::TopRows;
use crate::rankings::totals::{FOLDER, POINTER, Part};
use crate::rankings::{Published, SnapshotError};
use crate::storage::{Scratch, Store, StoreError, Stream};

/// Top-level categories whose rows are encoded before they are written.
const AT_A_TIME: usize = 8;
/// Bytes that are read at once to check what was written.
const CHECKED_BYTES: u64 = 8 << 20;

/// Totals of which not all is known yet.
pub struct Draft {
    store: Store,
    scratch: Scratch,
    parts: Mutex<Vec<Part>>,
}

/// What has been published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedTotals {
    /// Path below the lake.
    pub file: String,
    pub size_bytes: u64,
    pub rows: u64,
}

/// One top-level category whose order is known.
struct Ordered<'a> {
    parts: &'a [Part],
    order: Vec<u32>,
}

impl Draft {
    /// Begins with nothing.
    ///
    /// # Errors
    /// Fails where the lake's disk does.
    pub fn begin(store: &Store) -> Result<Draft, SnapshotError> {
        let scratch = store.scratch()?;
        Ok(Draft { store: store.clone(), scratch, parts: Mutex::new(Vec::new()) })
    }

    /// Sets some items of a top-level category aside, scored in a round of aggregates.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn add(&self, top: Option<&str>, round: u32, everyone: Everyone) -> Result<(), SnapshotError> {
        self.set_aside(top, round, everyone, false)
    }

    fn set_aside(
        &self,
        top: Option<&str>,
        round: u32,
        mut of: Everyone,
        is_spread: bool,
    ) -> Result<(), SnapshotError> {
        let packed = std::mem::take(&mut of.packed);
        let first_item = Everyone::rows_of(&packed).next().map(|row| row.item_id.to_owned());
        let Some(first_item) = first_item else { return Ok(()) };
        let range = self.scratch.append(&packed)?;
        let part = Part { top: top.map(str::to_owned), round, is_spread, first_item, range, of };
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(part);
        Ok(())
    }

    /// Publishes them, as what stands behind a ranking: the file, a check of it as it lies on disk, and
    /// the pointer last.
    ///
    /// The same aggregates by the same rules give the same bytes.
    ///
    /// # Errors
    /// Fails where the disk does; the pointer then names what it named before.
    pub fn publish(
        self,
        settled: &Settled,
        rules: &Rules,
        event_types: &[String],
        of: &Published,
    ) -> Result<PublishedTotals, SnapshotError> {
        self.set_aside(None, 0, Everyone::of_spread(&settled.spread_items), true)?;
        let Draft { store, scratch, parts } = self;
        let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let key = |part: &Part| (part.top.clone(), part.round, part.is_spread, part.first_item.clone());
        parts.sort_by_cached_key(key);
        let (tops, orders) = in_order(&parts, &scratch, settled)?;
        let in_shop = shop_ranks(&scratch, &orders)?;
        let file = of.file.rsplit('/').next().unwrap_or(&of.file).to_owned();
        let path = format!("{FOLDER}/{file}");
        let mut labels = labels(rules, event_types);
        labels.push(("topsell.ranking", file.clone()));
        let written = write(&store, &path, &labels, scratch, &tops, &in_shop, settled)?;
        let Written { footer, blake3, size_bytes, rows } = written;
        check_written(&store, &path, &blake3, size_bytes)?;
        let as_of = rules.window.as_of().start().to_string();
        let pointer = Pointer { schema: SCHEMA, file, blake3, size_bytes, rows, as_of, footer: Some(footer) };
        store.put(POINTER, pointer.json().into())?;
        Ok(PublishedTotals { file: path, size_bytes, rows })
    }
}

/// Puts each top-level category in order, and sets its order aside.
fn in_order<'a>(
    parts: &'a [Part],
    scratch: &Scratch,
    settled: &Settled,
) -> Result<(Vec<Ordered<'a>>, Vec<Aside>), StoreError> {
    let tops: Vec<&[Part]> = parts.chunk_by(|a, b| a.top == b.top).collect();
    let ordered = tops.into_par_iter().map(|parts| {
        let packed = packed_of(scratch, parts)?;
        let rows = TopRows::of(&packed, settled);
        let order = rows.order();
        let (packed, notes) = pack(&rows, &order);
        let aside = Aside { range: scratch.append(&packed)?, rows: rows.rows.len(), notes };
        Ok((Ordered { parts, order }, aside))
    });
    let ordered: Result<Vec<_>, StoreError> = ordered.collect();
    Ok(ordered?.into_iter().unzip())
}

/// A file as it was written.
struct Written {
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
    tops: &[Ordered<'_>],
    in_shop: &[Vec<u32>],
    settled: &Settled,
) -> Result<Written, SnapshotError> {
    store.make_folder(FOLDER)?;
    let bulk = store.bulk_writer(FOLDER)?;
    let failed = |source: ColumnsError| SnapshotError::Columns { file: path.to_owned(), source };
    let mut file = TotalsEncoder::of(labels).map_err(failed)?;
    let mut out =
        Output { stream: bulk.stream(path)?, waiting: Vec::new(), hash: Hasher::new(), size_bytes: 0 };
    let mut rows = 0;
    let mut write = |encoded: Vec<Vec<Encoded>>| {
        for (group, group_rows) in encoded.into_iter().flatten() {
            rows += group_rows;
            out.write(&file.add(group).map_err(failed)?)?;
        }
        Ok::<(), SnapshotError>(())
    };
    let encode = |(ordered, in_shop): &(&Ordered<'_>, &Vec<u32>)| {
        let packed = packed_of(&scratch, ordered.parts)?;
        let rows = TopRows::of(&packed, settled);
        encode(&rows, ordered, in_shop).map_err(failed)
    };
    let tops: Vec<(&Ordered<'_>, &Vec<u32>)> = tops.iter().zip(in_shop).collect();
    let mut waiting = Vec::new();
    // Some at a time: what is encoded is held until it is written, while the next are encoded.
    for some in tops.chunks(AT_A_TIME) {
        let (encoded, written) = rayon::join(
            || some.par_iter().map(encode).collect::<Result<Vec<_>, SnapshotError>>(),
            || write(std::mem::take(&mut waiting)),
        );
        written?;
        waiting = encoded?;
    }
    write(waiting)?;
    // Or what was set aside would be brought to the disk together with the file.
    drop(scratch);
    let (end, footer_at) = file.finish().map_err(failed)?;
    out.write(&end)?;
    let (blake3, size_bytes) = out.finish()?;
    bulk.finish()?;
    Ok(Written { footer: Footer::of(&end[footer_at..]), blake3, size_bytes, rows })
}

/// Reads the packed rows of some parts again.
fn packed_of<'a>(scratch: &Scratch, parts: &'a [Part]) -> Result<Vec<(&'a Part, Vec<u8>)>, StoreError> {
    parts.iter().map(|part| Ok((part, scratch.read(part.range.clone())?))).collect()
}

type Encoded = (crate::parquet_format::EncodedGroup, u64);

/// Returns the row groups of one top-level category, each with how many rows it has.
fn encode(rows: &TopRows<'_>, of: &Ordered<'_>, in_shop: &[u32]) -> Result<Vec<Encoded>, ColumnsError> {
    let top = of.parts.first().and_then(|part| part.top.as_deref());
    let (ranks, begins) = rows.ranks(&of.order);
    let mut encoded = Vec::new();
    let mut group = TotalsGroup::default();
    for (at, row) in rows.rows.iter().enumerate() {
        let of_row = ranks[begins[at]..begins[at + 1]].iter().map(|&rank| i64::from(rank));
        let line = TotalsLine {
            item_id: row.item_id,
            days: &row.days.units(),
            units: row.units,
            score: row.score,
            shop_rank: Some(i64::from(in_shop[at])).filter(|&rank| rank > 0),
        };
        group.push(&line, rows.sets[row.set as usize].iter().copied().zip(of_row));
        if group.len() == TOTALS_PER_GROUP {
            encoded.push((group.encode(top, &rows.categories)?, group.len() as u64));
            group = TotalsGroup::default();
        }
    }
    if !group.is_empty() {
        encoded.push((group.encode(top, &rows.categories)?, group.len() as u64));
    }
    Ok(encoded)
}

/// The file as it is written.
struct Output<'a> {
    stream: Stream<'a>,
    waiting: Vec<u8>,
    hash: Hasher,
    size_bytes: u64,
}

impl Output<'_> {
    fn write(&mut self, bytes: &Bytes) -> Result<(), StoreError> {
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() as u64 >= CHECKED_BYTES {
            self.stream.append(std::mem::take(&mut self.waiting).into())?;
        }
        Ok(())
    }

    /// Returns the file's hash and size.
    fn finish(mut self) -> Result<(String, u64), StoreError> {
        if !self.waiting.is_empty() {
            self.stream.append(self.waiting.into())?;
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
    let what = "it reads otherwise than it was written".to_owned();
    Err(SnapshotError::Damaged { file: path.to_owned(), what })
}

/// Returns the hash of so many bytes of a file, which need not fit into memory.
pub(super) fn hash_of(store: &Store, path: &str, size_bytes: u64) -> Result<String, StoreError> {
    let mut hash = Hasher::new();
    let mut at = 0;
    while at < size_bytes {
        let end = size_bytes.min(at + CHECKED_BYTES);
        hash.update_rayon(&store.get_range(path, at..end)?);
        at = end;
    }
    Ok(hash.finalize().to_hex().to_string())
}
