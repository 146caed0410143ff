//! The checksums of a file's blocks, so that parts of it are checked when they are read alone.
//!
//! ```text
//! <bytes of a block>:<end of the last block>:<checksum of each block, 16 digits each>
//! ```
//!
//! The blocks begin where the file begins. The rest of the file, behind the last block, has this text, and is
//! checked by itself.

use std::ops::Range;

use crate::storage::checksum::checksum;

/// Small enough that reading a page reads few bytes around it.
const BLOCK_BYTES: u64 = 16 << 10;
const DIGITS: usize = 16;

/// The checksums of a file's blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockChecksums {
    block_bytes: u64,
    /// Where the last block ends.
    end: u64,
    sums: Vec<u64>,
}

impl BlockChecksums {
    /// Reads the checksums from their text; none where it is not such a text.
    pub fn parse(text: &str) -> Option<BlockChecksums> {
        let mut parts = text.splitn(3, ':');
        let block_bytes: u64 = parts.next()?.parse().ok()?;
        let end: u64 = parts.next()?.parse().ok()?;
        let digits = parts.next()?.as_bytes();
        let sums = digits.chunks(DIGITS).map(|digits| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == DIGITS)?;
            u64::from_str_radix(digits, 16).ok()
        });
        let sums: Vec<u64> = sums.collect::<Option<_>>()?;
        let is_whole = block_bytes > 0 && end.div_ceil(block_bytes) == sums.len() as u64;
        is_whole.then_some(BlockChecksums { block_bytes, end, sums })
    }

    /// Returns where the last block ends.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns the blocks that a part of the file is in, as another part; none where it is not within them.
    pub fn around(&self, part: &Range<u64>) -> Option<Range<u64>> {
        let is_within = part.start <= part.end && part.end <= self.end;
        let start = part.start / self.block_bytes * self.block_bytes;
        let end = part.end.div_ceil(self.block_bytes).checked_mul(self.block_bytes)?.min(self.end);
        is_within.then_some(start..end.max(start))
    }

    /// Returns whether whole blocks, which begin at an offset in the file, are as they were written.
    pub fn are_whole(&self, start: u64, blocks: &[u8]) -> bool {
        let (Ok(block), Ok(first)) =
            (usize::try_from(self.block_bytes), usize::try_from(start / self.block_bytes))
        else {
            return false;
        };
        let sums = self.sums.iter().skip(first);
        blocks.chunks(block).map(checksum).eq(sums.take(blocks.len().div_ceil(block)).copied())
    }

    fn text(&self) -> String {
        let sums: String = self.sums.iter().map(|sum| format!("{sum:016x}")).collect();
        format!("{}:{}:{sums}", self.block_bytes, self.end)
    }
}

/// Makes the checksums of a file while it is written.
#[derive(Default)]
pub struct BlockChecksumsBuilder {
    /// The beginning of a block.
    open: Vec<u8>,
    sums: Vec<u64>,
}

impl BlockChecksumsBuilder {
    /// Takes the next bytes of the file.
    pub fn push(&mut self, mut bytes: &[u8]) {
        const BLOCK: usize = BLOCK_BYTES as usize;
        if !self.open.is_empty() {
            let (rest, after) = bytes.split_at(bytes.len().min(BLOCK - self.open.len()));
            self.open.extend_from_slice(rest);
            bytes = after;
            if self.open.len() == BLOCK {
                self.sums.push(checksum(&self.open));
                self.open.clear();
            }
        }
        let blocks = bytes.chunks_exact(BLOCK);
        let rest = blocks.remainder();
        self.sums.extend(blocks.map(checksum));
        self.open.extend_from_slice(rest);
    }

    /// Returns the text of the checksums of all bytes so far.
    pub fn finish(mut self) -> String {
        let end = self.sums.len() as u64 * BLOCK_BYTES + self.open.len() as u64;
        if !self.open.is_empty() {
            self.sums.push(checksum(&self.open));
        }
        BlockChecksums { block_bytes: BLOCK_BYTES, end, sums: self.sums }.text()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_flip_within_a_part_is_found(
            length in 0_usize..70_000, pieces in prop::collection::vec(1_usize..40_000, 1..6),
            at in any::<prop::sample::Index>(), ends in any::<[prop::sample::Index; 2]>(), bit in 0..8_u32,
        ) {
            let bytes: Vec<u8> = (0..length).map(|at| (at * at / 7) as u8).collect();
            let mut builder = BlockChecksumsBuilder::default();
            let mut rest = &bytes[..];
            for piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*piece));
                builder.push(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let sums = BlockChecksums::parse(&builder.finish()).expect("it is such a text");
            let end = sums.end();
            prop_assert_eq!(end, length as u64);
            let mut ends = ends.map(|end| end.index(length + 1) as u64);
            ends.sort_unstable();
            let part = ends[0]..ends[1];
            let around = sums.around(&part).expect("it is within");
            prop_assert!(around.start <= part.start && around.end >= part.end);
            let mut read = bytes[around.start as usize..around.end as usize].to_vec();
            prop_assert!(sums.are_whole(around.start, &read));
            if !read.is_empty() {
                let at = at.index(read.len());
                read[at] ^= 1 << bit;
                prop_assert!(!sums.are_whole(around.start, &read));
            }
            prop_assert!(sums.around(&(0..end + 1)).is_none());
        }
    }

    #[test]
    fn texts_that_are_no_checksums_are_none() {
        let zeros = "0".repeat(16);
        for text in ["", "16384", "0:0:", "16384:5:", "16384:5:zz", "16384:16385:0123456789abcdef"] {
            assert_eq!(BlockChecksums::parse(text), None, "{text}");
        }
        assert_eq!(BlockChecksums::parse("16384:0:").map(|sums| sums.end()), Some(0));
        assert_eq!(BlockChecksums::parse(&format!("16384:5:{zeros}")).map(|sums| sums.end()), Some(5));
    }
}
