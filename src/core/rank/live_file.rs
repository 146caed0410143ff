//! The file of what the items add up to within some hours.
//!
//! ```text
//! topsell item scores 1\n
//! key         8 bytes, the checksum of what the sums are of
//! number of sets of paths; each as a text, joined by `|`
//! number of items; each as a text
//! number of rows; each: number of its item, number of its set, 1 or 0 for whether it counts shop-wide, sum
//! checksum    8 bytes, the XXH3 of everything before
//! ```
//!
//! See [`crate::rank::partial_file`] for the parts.

use crate::rank::binary::{Reader, Writer};
use crate::rank::item_rows::Sum;
use crate::rank::live_ranking::LiveRanking;
use crate::rank::live_rows::LiveRow;
use crate::rank::live_window::LiveRules;
use crate::rank::partial_file::{PartFileError, sealed, unsealed};
use crate::rank::scoring::Scoring;

const MAGIC: &[u8] = b"topsell item scores 1\n";

impl LiveRanking {
    /// Returns the bytes of the file with a key.
    pub fn to_bytes(&self, key: u64) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.fixed(key);
        let rows = &self.sums.rows;
        out.count(rows.sets.texts.len());
        rows.sets.texts.iter().for_each(|set| out.text(set));
        out.count(rows.items.len());
        rows.items.iter().for_each(|item| out.text(item));
        out.count(rows.len());
        for (at, LiveRow { item, path_set, is_primary, .. }) in rows.iter().enumerate() {
            out.number((*item).into());
            out.number((*path_set).into());
            out.number((*is_primary).into());
            out.sum(&self.sums.window.sum(at));
        }
        sealed(out)
    }

    /// Reads the bytes of a file with a key, of a ranking with some rules.
    ///
    /// # Errors
    /// Says why they are not that.
    pub fn of_bytes(bytes: &[u8], key: u64, rules: LiveRules) -> Result<LiveRanking, PartFileError> {
        let body = unsealed(bytes, MAGIC)?;
        let zero = Scoring::new(rules.window, rules.decay, rules.measure).zero().score;
        let mut reader = Reader::new(body, &zero);
        if reader.fixed() != Some(key) {
            return Err(PartFileError::OtherPlan);
        }
        let mut read = || {
            let sets = reader.all(Reader::text)?;
            let items = reader.all(Reader::text)?;
            let mut ranking = LiveRanking::new(rules);
            let rows = reader.count()?;
            for _ in 0..rows {
                let item = items.get(usize::try_from(reader.number()?).ok()?)?;
                let set = sets.get(usize::try_from(reader.number()?).ok()?)?;
                let is_primary = reader.number()? == 1;
                let sum: Sum = reader.sum()?;
                ranking.sums.set(item, set, is_primary, sum);
            }
            reader.is_at_end().then_some(ranking)
        };
        read().ok_or(PartFileError::Unknown)
    }
}
