//! Keys of item ids and other texts: numbers that compare as the texts do.

/// An item's id, in the ids' order, as it is compared most quickly.
///
/// The first fifteen bytes and the length are one number. Of longer ids, those that begin alike have
/// the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemKey(u128);

const SHORT_BYTES: usize = 15;

impl ItemKey {
    /// Behind the keys of all ids, none of which has a byte like these.
    pub const BEHIND_ALL: ItemKey = ItemKey(u128::MAX);

    /// Returns the key of an id.
    #[inline]
    pub fn of(item_id: &str) -> ItemKey {
        ItemKey(beginning(item_id))
    }

    /// Returns whether no other id has this key.
    #[inline]
    pub fn is_whole(self) -> bool {
        self.0 & 0xFF <= SHORT_BYTES as u128
    }
}

/// Returns the number that stands for a whole text, in the texts' order; none of a longer one.
#[inline]
pub(super) fn short_key(text: &str) -> Option<u128> {
    (text.len() <= SHORT_BYTES).then(|| beginning(text))
}

/// Returns the first fifteen bytes and the length of a text as one number in the texts' order.
#[inline]
fn beginning(text: &str) -> u128 {
    let bytes = text.as_bytes();
    // Behind equal bytes, the shorter text comes first, as it does among texts.
    let length = bytes.len().min(SHORT_BYTES + 1) as u128;
    let kept = &bytes[..bytes.len().min(SHORT_BYTES)];
    // Two numbers that overlap are read sooner than so many bytes are copied.
    let short = match (kept.first_chunk::<8>(), kept.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            let [first, last] = [*first, *last].map(|eight| u128::from(u64::from_be_bytes(eight)));
            let behind = last << (8 * (16 - kept.len())) & u128::from(u64::MAX);
            first << 64 | behind
        }
        _ => kept.iter().zip(0..).fold(0, |short, (&byte, at)| short | u128::from(byte) << (120 - 8 * at)),
    };
    short | length
}

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
                let (of_a, of_b) = (ItemKey::of(a), ItemKey::of(b));
                match of_a == of_b && !of_a.is_whole() {
                    true => assert_eq!(a[..15], b[..15]),
                    false => assert_eq!(of_a.cmp(&of_b), a.cmp(b), "{a:?} and {b:?}"),
                }
            }
        }
    }
}
