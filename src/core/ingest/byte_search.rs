//! Searches of the fast paths: through eight bytes at a time, as one number. What is short is found before a
//! search that has to be set up has begun.

/// The highest bit of each byte, which no ASCII character has.
const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
const OTHERS: u64 = !HIGHEST;

/// An ASCII character that is searched for.
#[derive(Clone, Copy)]
pub(super) struct Needle(u64);

/// Where something is in eight bytes, in ascending order.
pub(super) struct Hits(u64);

impl Needle {
    /// Returns the needle of a byte, if it is ASCII.
    pub const fn of(byte: u8) -> Option<Needle> {
        if byte.is_ascii() { Some(Needle(u64::from_le_bytes([byte; 8]))) } else { None }
    }

    /// Finds the needle.
    #[inline]
    pub fn hits(self, bytes: [u8; 8]) -> Hits {
        let bytes = u64::from_le_bytes(bytes);
        Hits::where_clear(self.misses(bytes), bytes)
    }

    /// Sets the highest bit of each byte whose other bits are not those of the needle.
    #[inline]
    const fn misses(self, bytes: u64) -> u64 {
        ((bytes & OTHERS) ^ self.0) + OTHERS
    }
}

impl Hits {
    /// Finds what ends a string of JSON or has a meaning in it: quotes, backslashes, control characters.
    #[inline]
    pub fn in_json(bytes: [u8; 8]) -> Hits {
        const QUOTE: Needle = Needle::of(b'"').expect("it is ASCII");
        const BACKSLASH: Needle = Needle::of(b'\\').expect("it is ASCII");
        // Added to a byte, it sets the highest bit from the space on.
        const TO_HIGHEST: u64 = u64::from_le_bytes([0x60; 8]);
        let bytes = u64::from_le_bytes(bytes);
        let no_control = (bytes & OTHERS) + TO_HIGHEST;
        Hits::where_clear(QUOTE.misses(bytes) & BACKSLASH.misses(bytes) & no_control, bytes)
    }

    /// Returns the ASCII bytes in whose place the highest bit is clear.
    #[inline]
    fn where_clear(misses: u64, bytes: u64) -> Hits {
        Hits(!(misses | bytes) & HIGHEST)
    }
}

impl Iterator for Hits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let at = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(at)
    }
}

/// Returns the longest beginning of some bytes that is UTF-8.
pub(super) fn utf8_prefix(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_hit_is_found_and_nothing_else(
            bytes in proptest::array::uniform8(proptest::prop_oneof![0_u8..=255, 9_u8..14, 30_u8..36, 90_u8..94]),
            needle in proptest::prop_oneof![0_u8..128, 9_u8..14, 30_u8..36],
        ) {
            let found = |is_hit: &dyn Fn(u8) -> bool| -> Vec<usize> {
                (0..8).filter(|&at| is_hit(bytes[at])).collect()
            };
            let hits: Vec<usize> = Needle::of(needle).expect("it is ASCII").hits(bytes).collect();
            proptest::prop_assert_eq!(hits, found(&|byte| byte == needle));
            let hits: Vec<usize> = Hits::in_json(bytes).collect();
            proptest::prop_assert_eq!(hits, found(&|byte| byte < 0x20 || byte == b'"' || byte == b'\\'));
        }
    }
}
