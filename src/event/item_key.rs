//! Item ids as they are compared where many sorted files are merged.

use std::cmp::Ordering;

/// An item's id, in the ids' order, as it is compared most quickly.
///
/// The first fifteen bytes and the length are one number; ids that are longer stand beside it.
#[derive(Clone, Debug)]
pub struct ItemKey {
    short: u128,
    /// The whole id, where it is longer.
    long: Option<Box<str>>,
}

const SHORT_BYTES: usize = 15;

impl ItemKey {
    /// Returns the key of an id.
    #[inline]
    pub fn of(item_id: &str) -> ItemKey {
        let bytes = item_id.as_bytes();
        // Behind equal bytes, the shorter id comes first, as it does among texts.
        let length = bytes.len().min(SHORT_BYTES + 1) as u128;
        let is_long = bytes.len() > SHORT_BYTES;
        let kept = &bytes[..bytes.len().min(SHORT_BYTES)];
        // Two numbers that overlap are read sooner than so many bytes are copied.
        let short = match (kept.first_chunk::<8>(), kept.last_chunk::<8>()) {
            (Some(first), Some(last)) => {
                let [first, last] = [*first, *last].map(|eight| u128::from(u64::from_be_bytes(eight)));
                let behind = last << (8 * (16 - kept.len())) & u128::from(u64::MAX);
                first << 64 | behind
            }
            _ => {
                kept.iter().zip(0..).fold(0, |short, (&byte, at)| short | u128::from(byte) << (120 - 8 * at))
            }
        };
        ItemKey { short: short | length, long: is_long.then(|| item_id.into()) }
    }
}

impl Ord for ItemKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.long, &other.long) {
            // Only of two long ones do the first bytes not tell.
            (Some(long), Some(other)) => long.cmp(other),
            _ => self.short.cmp(&other.short),
        }
    }
}

impl PartialOrd for ItemKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ItemKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ItemKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_ids() {
        let mut ids = vec!["", "a", "a\0", "ab", "b", "é", "1234567", "12345678", "123456789", "1234567890"];
        let long = ["123456789012345", "1234567890123456", "1234567890123457", "123456789012345\0"];
        ids.extend(long);
        for a in &ids {
            for b in &ids {
                assert_eq!(ItemKey::of(a).cmp(&ItemKey::of(b)), a.cmp(b), "{a:?} and {b:?}");
            }
        }
    }
}
