//! The file of what one part of a ranking found.
//!
//! ```text
//! topsell partial ranking 2\n
//! program     text, the version of the program
//! plan        8 bytes, the checksum of the plan that the part is of
//! part        number
//! kind        number: 0 for items that are whole, 1 for sums of items
//! …           as follows
//! checksum    8 bytes, the XXH3 of everything before
//! ```
//!
//! | kind | what follows |
//! |---|---|
//! | 0 | the number of categories; each with its path (text) and its top list; the shop's top list; the number of hashes of items with a copy that counts shop-wide, and these, 8 bytes each, whose lowest bit says whether the item is eligible; the number of collected items, each with its id (text), sum and what is reported of it; the aggregate that was counted before for these |
//! | 1 | the number of items; each with its id (text) and the number of its sets of paths; each of these with its paths (text, joined by `\|`), 1 or 0 for whether it counts shop-wide, sum and what is reported of it |
//!
//! A top list is the number of eligible items, their aggregate, that of all other items, the number of the
//! best, and these: id (text), score, aggregate, what is reported of it. A sum is a score, a number (the measures without their signs) and an aggregate.
//! Eight bytes are a number with the lowest byte first; the others are in [`crate::rank::binary`].

use std::collections::BTreeMap;

use crate::rank::binary::{Reader, Writer};
use crate::rank::item_rows::Sum;
use crate::rank::partial_items::{PartialItems, SumsByPaths};
use crate::rank::partial_ranking::PartialRanking;
use crate::rank::partial_shop::{CollectedItem, PartialShop};
use crate::rank::reported::Reported;
use crate::rank::scan_request::ScanRequest;
use crate::rank::scoring::Scored;
use crate::rank::top_items::{TopItem, TopItems};
use crate::storage::checksum;

const MAGIC: &[u8] = b"topsell partial ranking 2\n";
const CHECKSUM_BYTES: usize = 8;

/// What one part found.
pub enum PartResult {
    /// Its items are whole.
    Ranking(PartialRanking),
    /// Other parts have other rows of the same items.
    Sums(PartialItems),
}

/// What the results of a plan's parts say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanKey {
    /// The version of the program that computes the parts: another one may score or encode in another way.
    pub program: String,
    pub checksum: u64,
}

/// A result, and what it is of.
pub struct PartFile {
    pub plan: PlanKey,
    pub part: usize,
    pub result: PartResult,
}

/// Why bytes are no result of a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartFileError {
    #[error("not written by `rank partial` or `rank merge`, or by an incompatible version of topsell")]
    Unknown,
    #[error("its bytes do not have the checksum at their end")]
    Damaged,
    #[error("it belongs to another plan")]
    OtherPlan,
    #[error("it was computed by topsell {0}, not by the version of the plan")]
    OtherProgram(String),
}

impl PartFile {
    /// Returns the bytes of the file: the same for the same result.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        self.plan.put(&mut out);
        out.count(self.part);
        match &self.result {
            PartResult::Ranking(ranking) => {
                out.number(0);
                put_ranking(ranking, &mut out);
            }
            PartResult::Sums(sums) => {
                out.number(1);
                put_sums(sums, &mut out);
            }
        }
        sealed(out)
    }

    /// Reads the bytes of a file of this plan.
    ///
    /// # Errors
    /// Says why they are no result of a part of this plan.
    pub fn of_bytes(bytes: &[u8], plan: &PlanKey, request: &ScanRequest) -> Result<PartFile, PartFileError> {
        let body = unsealed(bytes, MAGIC)?;
        let zero = request.scoring.zero().score;
        let mut reader = Reader::new(body, &zero);
        plan.take(&mut reader)?;
        let mut read = || {
            let part = usize::try_from(reader.number()?).ok()?;
            let result = match reader.number()? {
                0 => PartResult::Ranking(take_ranking(&mut reader)?),
                1 => PartResult::Sums(take_sums(&mut reader)?),
                _ => return None,
            };
            reader.is_at_end().then_some(PartFile { plan: plan.clone(), part, result })
        };
        read().ok_or(PartFileError::Unknown)
    }
}

impl PlanKey {
    pub(super) fn put(&self, out: &mut Writer) {
        out.text(&self.program);
        out.fixed(self.checksum);
    }

    /// Takes a key, which must be this one.
    pub(super) fn take(&self, reader: &mut Reader<'_>) -> Result<(), PartFileError> {
        let program = reader.text().ok_or(PartFileError::Unknown)?;
        if program != self.program {
            return Err(PartFileError::OtherProgram(program.to_owned()));
        }
        if reader.fixed() == Some(self.checksum) { Ok(()) } else { Err(PartFileError::OtherPlan) }
    }
}

/// Returns bytes with their checksum at the end.
pub(super) fn sealed(mut out: Writer) -> Vec<u8> {
    let sum = checksum(&out.0);
    out.fixed(sum);
    out.0
}

/// Returns what is between the beginning and the checksum of a file.
pub(super) fn unsealed<'a>(bytes: &'a [u8], magic: &[u8]) -> Result<&'a [u8], PartFileError> {
    let Some(rest) = bytes.strip_prefix(magic) else { return Err(PartFileError::Unknown) };
    let (body, end) = rest.split_last_chunk::<CHECKSUM_BYTES>().ok_or(PartFileError::Damaged)?;
    let checked = &bytes[..bytes.len() - CHECKSUM_BYTES];
    if checksum(checked) == u64::from_le_bytes(*end) { Ok(body) } else { Err(PartFileError::Damaged) }
}

fn put_ranking(ranking: &PartialRanking, out: &mut Writer) {
    out.count(ranking.tops.len());
    for (category, top) in &ranking.tops {
        out.text(category);
        put_top(top, out);
    }
    let PartialShop { top, hashes, collected, counted_before } = &ranking.shop;
    put_top(top, out);
    out.count(hashes.len());
    hashes.iter().for_each(|hash| out.fixed(*hash));
    out.count(collected.len());
    // A map has no order of its own.
    for (item_id, item) in collected.iter().collect::<BTreeMap<_, _>>() {
        out.text(item_id);
        out.sum(&item.sum);
        out.reported(&item.reported);
    }
    out.aggregate(counted_before);
}

fn take_ranking(reader: &mut Reader<'_>) -> Option<PartialRanking> {
    let tops = reader.all(|reader| Some((reader.text()?.to_owned(), take_top(reader)?)))?;
    let top = take_top(reader)?;
    let hashes = reader.all(Reader::fixed)?;
    let collected = reader.all(|reader| {
        let item_id = reader.text()?.to_owned();
        Some((item_id, CollectedItem { sum: reader.sum()?, reported: reader.reported()? }))
    })?;
    let counted_before = reader.aggregate()?;
    let shop = PartialShop { top, hashes, collected: collected.into_iter().collect(), counted_before };
    Some(PartialRanking { tops: tops.into_iter().collect(), shop })
}

fn put_sums(sums: &PartialItems, out: &mut Writer) {
    out.count(sums.items.len());
    for (item_id, by_paths) in &sums.items {
        out.text(item_id);
        out.count(by_paths.len());
        for ((paths, is_primary), (sum, reported)) in by_paths {
            out.text(paths);
            out.number((*is_primary).into());
            out.sum(sum);
            out.reported(reported);
        }
    }
}

fn take_sums(reader: &mut Reader<'_>) -> Option<PartialItems> {
    let items = reader.all(|reader| {
        let item_id = reader.text()?.to_owned();
        let by_paths = reader.all(|reader| {
            let paths = (reader.text()?.to_owned(), reader.number()? == 1);
            let of_paths: (Sum, Reported) = (reader.sum()?, reader.reported()?);
            Some((paths, of_paths))
        })?;
        Some((item_id, by_paths.into_iter().collect::<SumsByPaths>()))
    })?;
    Some(PartialItems { items: items.into_iter().collect() })
}

/// Appends a top list.
pub(super) fn put_top(top: &TopItems, out: &mut Writer) {
    out.number(top.eligible_items);
    out.aggregate(&top.aggregate);
    out.aggregate(&top.ineligible);
    let mut items: Vec<&TopItem> = top.items().collect();
    items.sort_unstable();
    out.count(items.len());
    for TopItem { item_id, scored, reported } in items {
        out.text(item_id);
        out.score(&scored.score);
        out.aggregate(&scored.aggregate);
        out.reported(reported);
    }
}

/// Takes a top list.
pub(super) fn take_top(reader: &mut Reader<'_>) -> Option<TopItems> {
    let (eligible_items, aggregate) = (reader.number()?, reader.aggregate()?);
    let ineligible = reader.aggregate()?;
    let items = reader.all(|reader| {
        let item_id = reader.text()?.to_owned();
        let scored = Scored { score: reader.score()?, aggregate: reader.aggregate()? };
        Some(TopItem { item_id, scored, reported: reader.reported()? })
    })?;
    Some(TopItems::new(items, eligible_items, aggregate).with_ineligible(ineligible))
}
