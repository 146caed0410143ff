//! Decodes Parquet's encodings of whole numbers.
//!
//! The bytes are not trusted: what is not validly encoded in a supported way gives `None`, and never more
//! values than were asked for.
//!
//! The encodings are specified at <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.

use crate::model::{take_varint, take_zigzag};

/// The widest number that is within eight bytes whichever bit of a byte it starts at.
const MAX_WIDTH_OF_WORD: usize = 57;

/// Takes a number of bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// Takes bytes that are preceded by their length.
pub(super) fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    take(bytes, u32::from_le_bytes(*length) as usize)
}

/// Returns whether the RLE/bit-packing hybrid begins with a run of `count` times a number.
pub(super) fn is_run_of(number: i32, count: usize, mut hybrid: &[u8], width: u32) -> bool {
    let header = take_varint(&mut hybrid);
    header.is_some_and(|header| header & 1 == 0 && header >> 1 >= count as u64)
        && take_plain(&mut hybrid, width) == Some(number)
}

/// Appends `count` numbers of a bit width from the RLE/bit-packing hybrid.
pub(super) fn take_hybrid(mut bytes: &[u8], width: u32, mut count: usize, into: &mut Vec<i32>) -> Option<()> {
    // Numbers are signed here, and none of them is negative.
    if width >= i32::BITS {
        return None;
    }
    into.reserve(count);
    while count > 0 {
        let header = take_varint(&mut bytes)?;
        let times = usize::try_from(header >> 1).ok()?;
        if header & 1 == 0 {
            let number = take_plain(&mut bytes, width)?;
            let times = times.min(count);
            into.extend(std::iter::repeat_n(number, times));
            // An empty run would not end the loop.
            count = count.checked_sub(times).filter(|_| times > 0)?;
        } else {
            let packed = take(&mut bytes, times.checked_mul(width as usize)?)?;
            let times = times.checked_mul(8)?.min(count);
            let start = into.len();
            into.resize(start + times, 0);
            unpack(packed, width, &mut into[start..], |number| number as i32);
            count = count.checked_sub(times).filter(|_| times > 0)?;
        }
    }
    Some(())
}

/// Appends `count` numbers from DELTA_BINARY_PACKED.
pub(super) fn take_deltas(mut bytes: &[u8], count: usize, into: &mut Vec<i64>) -> Option<()> {
    let [block, miniblocks, values] = [(); 3].map(|()| take_varint(&mut bytes));
    let [block, miniblocks] = [block?, miniblocks?].map(|size| usize::try_from(size).ok());
    let (block, miniblocks) = (block?, miniblocks?);
    let miniblock = block.checked_div(miniblocks)?;
    if values? != count as u64 || miniblock == 0 || miniblock % 32 != 0 || block % miniblocks != 0 {
        return None;
    }
    let mut number = take_zigzag(&mut bytes)?;
    if count == 0 {
        return Some(());
    }
    into.reserve(count);
    into.push(number);
    let mut left = count - 1;
    while left > 0 {
        let least = take_zigzag(&mut bytes)?;
        let widths = take(&mut bytes, miniblocks)?;
        for &width in widths {
            let (width, of_block) = (u32::from(width), left.min(miniblock));
            if of_block == 0 {
                break;
            }
            if width > u64::BITS {
                return None;
            }
            let packed = take(&mut bytes, miniblock.checked_mul(width as usize)? / 8)?;
            let start = into.len();
            into.resize(start + of_block, 0);
            unpack(packed, width, &mut into[start..], |above| {
                number = number.wrapping_add(least).wrapping_add(above.cast_signed());
                number
            });
            left -= of_block;
        }
    }
    Some(())
}

/// Appends `count` flags, eight to a byte.
pub(super) fn take_flags(bytes: &[u8], count: usize, into: &mut Vec<bool>) -> Option<()> {
    let bytes = bytes.get(..count.div_ceil(8))?;
    let end = into.len() + count;
    into.reserve(8 * bytes.len());
    for byte in bytes {
        into.extend_from_slice(&std::array::from_fn::<bool, 8, _>(|bit| byte >> bit & 1 == 1));
    }
    into.truncate(end);
    Some(())
}

/// Unpacks numbers of a bit width, for which there are enough bytes, one after the other.
#[inline]
fn unpack<T>(bytes: &[u8], width: u32, out: &mut [T], mut of: impl FnMut(u64) -> T) {
    let mask = u64::MAX.checked_shr(u64::BITS - width).unwrap_or(0);
    let word_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let width = width as usize;
    let mut read = 0;
    // Eight numbers take as many bytes as one has bits; four numbers of few bits are within one word.
    let (eights, _) = out.as_chunks_mut::<8>();
    for eight in eights.iter_mut().take_while(|_| width <= 16) {
        let start = read / 8 * width;
        let (Some(first), Some(second)) = (word_at(start), word_at(start + width / 2)) else { break };
        let second = second >> (width % 2 * 4);
        (0..4).for_each(|at| eight[at] = of(first >> (at * width) & mask));
        (0..4).for_each(|at| eight[4 + at] = of(second >> (at * width) & mask));
        read += 8;
    }
    for (at, number) in out.iter_mut().enumerate().skip(read) {
        let (start, shift) = (at * width / 8, at * width % 8);
        let word = match word_at(start).filter(|_| width <= MAX_WIDTH_OF_WORD) {
            Some(word) => word >> shift,
            None => {
                let rest = bytes.get(start..).unwrap_or_default();
                let wide = rest.iter().take(16).rev().fold(0, |wide, &byte| wide << 8 | u128::from(byte));
                (wide >> shift) as u64
            }
        };
        *number = of(word & mask);
    }
}

/// Takes one number in as many whole bytes as its bit width needs.
fn take_plain(bytes: &mut &[u8], width: u32) -> Option<i32> {
    let taken = take(bytes, width.div_ceil(8) as usize)?;
    let mut number = [0; 4];
    number.get_mut(..taken.len())?.copy_from_slice(taken);
    Some(i32::from_le_bytes(number)).filter(|number| *number >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::vec;
    use proptest::{prop_assert, prop_assert_eq};

    use crate::parquet_format::encodings::{put_deltas, put_flags, put_hybrid, width_of};

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_read_back(
            runs in vec((0_u32..1 << 30, 1_usize..40), 0..60),
            narrow in 0_u32..30,
            deltas in vec(proptest::prop_oneof![-9_i64..9, -(1_i64 << 33)..1 << 33, proptest::num::i64::ANY], 0..400),
            flags in vec(proptest::bool::ANY, 0..100),
        ) {
            let numbers: Vec<u32> = runs
                .iter()
                .flat_map(|&(number, times)| std::iter::repeat_n(number >> narrow, times))
                .collect();
            let width = width_of(numbers.iter().copied().max().unwrap_or(0).into());
            let mut bytes = Vec::new();
            put_hybrid(&numbers, width, &mut bytes);
            let mut read = Vec::new();
            prop_assert!(take_hybrid(&bytes, width, numbers.len(), &mut read).is_some());
            let signed: Vec<i32> = numbers.iter().map(|&number| number.cast_signed()).collect();
            prop_assert_eq!(&read, &signed);
            if let Some(&first) = signed.first() {
                let times = signed.iter().take_while(|&&number| number == first).count();
                prop_assert!(!is_run_of(first, times + 1, &bytes, width));
                prop_assert_eq!(is_run_of(first, times, &bytes, width), times >= 8 || times == signed.len());
            }
            let mut bytes = Vec::new();
            put_deltas(&deltas, &mut bytes);
            let mut read = Vec::new();
            prop_assert!(take_deltas(&bytes, deltas.len(), &mut read).is_some());
            prop_assert_eq!(read, deltas);
            let mut bytes = Vec::new();
            put_flags(&flags, &mut bytes);
            let mut read = Vec::new();
            prop_assert!(take_flags(&bytes, flags.len(), &mut read).is_some());
            prop_assert_eq!(read, flags);
        }

        #[test]
        fn of_any_bytes_no_more_is_read_than_was_asked_for(
            bytes in vec(proptest::num::u8::ANY, 0..200),
            width in 0_u32..40,
            count in 0_usize..500,
        ) {
            let (mut numbers, mut deltas, mut flags) = (Vec::new(), Vec::new(), Vec::new());
            let is_read = take_hybrid(&bytes, width, count, &mut numbers).is_some();
            prop_assert!(numbers.len() <= count && (!is_read || numbers.len() == count));
            prop_assert!(numbers.iter().all(|number| *number >= 0));
            let is_read = take_deltas(&bytes, count, &mut deltas).is_some();
            prop_assert!(deltas.len() <= count && (!is_read || deltas.len() == count));
            let is_read = take_flags(&bytes, count, &mut flags).is_some();
            prop_assert_eq!(flags.len(), if is_read { count } else { 0 });
        }
    }
}
