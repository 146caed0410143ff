//! The file of the item totals that one part of a ranking found.
//!
//! ```text
//! topsell partial item totals 1\n
//! program     text, the version of the program
//! plan        8 bytes, the checksum of the plan that the part is of
//! part        number
//! number of sections; each: 1 and its top-level category (text), or 0 for none; its packed rows (the number of
//!     bytes, and these); how many rows; the number of sets of categories, each a number of numbers, and these; the
//!     number of categories, and these (text)
//! checksum    8 bytes, the XXH3 of everything before
//! ```
//!
//! See [`crate::rank::item_totals`] for the packed rows.

use crate::rank::binary::{Reader, Writer};
use crate::rank::item_totals::PackedItemTotals;
use crate::rank::partial_file::{PartFileError, PlanKey, sealed, unsealed};
use crate::rank::scan_request::ScanRequest;

const MAGIC: &[u8] = b"topsell partial item totals 1\n";

/// The totals of the items of each top-level category of a part, of those without one for none.
pub type CategoryTotals = Vec<(Option<String>, PackedItemTotals)>;

/// The item totals of a part, and what they are of.
pub struct ItemTotalsFile {
    pub plan: PlanKey,
    pub part: usize,
    pub sections: CategoryTotals,
}

impl ItemTotalsFile {
    /// Returns the bytes of the file: the same for the same totals.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        self.plan.put(&mut out);
        out.count(self.part);
        out.count(self.sections.len());
        for (top, totals) in &self.sections {
            out.number(top.is_some().into());
            if let Some(top) = top {
                out.text(top);
            }
            put_totals(totals, &mut out);
        }
        sealed(out)
    }

    /// Reads the bytes of a file of this plan.
    ///
    /// # Errors
    /// Says why they are no item totals of a part of this plan.
    pub fn of_bytes(
        bytes: &[u8],
        plan: &PlanKey,
        request: &ScanRequest,
    ) -> Result<ItemTotalsFile, PartFileError> {
        let body = unsealed(bytes, MAGIC)?;
        let zero = request.scoring.zero().score;
        let mut reader = Reader::new(body, &zero);
        plan.take(&mut reader)?;
        let mut read = || {
            let part = usize::try_from(reader.number()?).ok()?;
            let sections = reader.all(|reader| {
                let top = match reader.number()? {
                    0 => None,
                    _ => Some(reader.text()?.to_owned()),
                };
                Some((top, take_totals(reader)?))
            })?;
            reader.is_at_end().then_some(ItemTotalsFile { plan: plan.clone(), part, sections })
        };
        read().ok_or(PartFileError::Unknown)
    }
}

fn put_totals(totals: &PackedItemTotals, out: &mut Writer) {
    out.bytes(&totals.packed);
    out.number(totals.rows);
    out.count(totals.sets.len());
    for set in &totals.sets {
        out.count(set.len());
        set.iter().for_each(|category| out.number((*category).into()));
    }
    out.count(totals.categories.len());
    totals.categories.iter().for_each(|category| out.text(category));
}

fn take_totals(reader: &mut Reader<'_>) -> Option<PackedItemTotals> {
    let (packed, rows) = (reader.bytes()?.to_vec(), reader.number()?);
    let sets: Vec<Vec<u32>> =
        reader.all(|reader| reader.all(|reader| u32::try_from(reader.number()?).ok()))?;
    let categories = reader.all(|reader| reader.text().map(str::to_owned))?;
    let are_known = sets.iter().flatten().all(|category| (*category as usize) < categories.len());
    are_known.then_some(PackedItemTotals { packed, rows, sets, categories })
}
