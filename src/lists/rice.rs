//! Ascending numbers in few bits: the gaps between them, coded by Rice's method.
//!
//! ```text
//! varint count · byte k · varint bytes · bits
//! ```
//!
//! Each gap, the first from 0, is its value divided by 2^k as so many one bits and a zero bit, then its k lowest bits, the
//! lowest first; bits fill bytes from the lowest on. A varint has 7 bits a byte, the lowest first, and the highest bit set
//! in all bytes but the last. (R. F. Rice, "Some practical universal noiseless coding techniques", JPL 79-22, 1979.)
//!
//! Invariant: numbers are read as they were written; bytes that nobody wrote are an error, whatever they are, and need
//! no more memory than a multiple of their length.

/// The largest number of low bits.
const MAX_LOW_BITS: u8 = 32;

/// Bytes that are no coded numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the coded numbers are not as documented")]
pub struct BadCode;

/// Appends ascending numbers, of which several may be the same.
pub fn encode(numbers: &[u32], into: &mut Vec<u8>) {
    let low_bits = best_low_bits(numbers);
    put_varint(numbers.len() as u64, into);
    into.push(low_bits);
    let bits = encode_bits(numbers, low_bits);
    put_varint(bits.len() as u64, into);
    into.extend_from_slice(&bits);
}

/// Reads numbers, and removes their bytes from the front.
///
/// # Errors
/// Fails where the bytes are something else.
pub fn decode(from: &mut &[u8]) -> Result<Vec<u32>, BadCode> {
    let count = take_varint(from)?;
    let (low_bits, rest) = from.split_first().ok_or(BadCode)?;
    *from = rest;
    let bytes = usize::try_from(take_varint(from)?).map_err(|_| BadCode)?;
    let (bits, rest) = from.split_at_checked(bytes).ok_or(BadCode)?;
    *from = rest;
    // Each number has one bit at least.
    if *low_bits > MAX_LOW_BITS || count > 8 * bits.len() as u64 {
        return Err(BadCode);
    }
    decode_bits(bits, count, *low_bits)
}

/// Appends a number.
pub fn put_varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    into.push(low_byte(number));
}

/// Reads a number, and removes its bytes from the front.
///
/// # Errors
/// Fails where there is none.
pub fn take_varint(from: &mut &[u8]) -> Result<u64, BadCode> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = from.split_first().ok_or(BadCode)?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(BadCode)
}

#[expect(clippy::cast_possible_truncation, reason = "the low byte is meant")]
fn low_byte(number: u64) -> u8 {
    number as u8
}

/// Returns how many low bits make the code short: by the mean of the gaps, and its neighbors.
fn best_low_bits(numbers: &[u32]) -> u8 {
    let Some(last) = numbers.last() else { return 0 };
    let mean = u64::from(*last) / numbers.len() as u64;
    let guess = u8::try_from(mean.max(1).ilog2()).unwrap_or(MAX_LOW_BITS);
    // Counted on some of many: the code may be a little longer than the shortest.
    let some = &numbers[..numbers.len().min(4_096)];
    let bits = |low_bits: u8| {
        let mut before = 0;
        some.iter().fold(0_u64, |sum, number| {
            let gap = u64::from(number - before);
            before = *number;
            sum + (gap >> low_bits) + 1 + u64::from(low_bits)
        })
    };
    (guess.saturating_sub(1)..=(guess + 1).min(MAX_LOW_BITS))
        .min_by_key(|low_bits| bits(*low_bits))
        .unwrap_or(guess)
}

fn encode_bits(numbers: &[u32], low_bits: u8) -> Vec<u8> {
    let mut writer = BitWriter {
        bytes: Vec::with_capacity(numbers.len() * (usize::from(low_bits) + 2) / 8 + 8),
        ..BitWriter::default()
    };
    let mask = (1_u64 << low_bits) - 1;
    let mut before = 0;
    for number in numbers {
        let gap = u64::from(number - before);
        before = *number;
        let mut ones = gap >> low_bits;
        while ones >= 16 {
            writer.put(0xffff, 16);
            ones -= 16;
        }
        // The one bits and the zero bit after them, then the low bits: 16 + 32 at most.
        let low = (gap & mask) << (ones + 1);
        writer.put(((1_u64 << ones) - 1) | low, low_byte(ones) + 1 + low_bits);
    }
    writer.finish()
}

fn decode_bits(bits: &[u8], count: u64, low_bits: u8) -> Result<Vec<u32>, BadCode> {
    let mut reader = BitReader { bytes: bits, ..BitReader::default() };
    let mut numbers = Vec::with_capacity(usize::try_from(count).map_err(|_| BadCode)?);
    let mut number = 0_u64;
    for _ in 0..count {
        let ones = reader.ones()?;
        let low = reader.take(low_bits)?;
        number = number.checked_add((ones << low_bits) | low).ok_or(BadCode)?;
        numbers.push(u32::try_from(number).map_err(|_| BadCode)?);
    }
    if reader.is_at_end() { Ok(numbers) } else { Err(BadCode) }
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    held_bits: u8,
}

impl BitWriter {
    /// Appends up to 49 bits.
    fn put(&mut self, bits: u64, count: u8) {
        self.held |= bits << self.held_bits;
        self.held_bits += count;
        let whole = usize::from(self.held_bits / 8);
        self.bytes.extend_from_slice(&self.held.to_le_bytes()[..whole]);
        self.held = if whole == 8 { 0 } else { self.held >> (8 * whole) };
        self.held_bits %= 8;
    }

    fn finish(mut self) -> Vec<u8> {
        if self.held_bits > 0 {
            self.bytes.push(low_byte(self.held));
        }
        self.bytes
    }
}

#[derive(Default)]
struct BitReader<'a> {
    bytes: &'a [u8],
    held: u64,
    held_bits: u8,
}

impl BitReader<'_> {
    /// Holds 33 bits or more, or all that are left.
    fn fill(&mut self) {
        while self.held_bits <= 56 {
            let Some((byte, rest)) = self.bytes.split_first() else { return };
            self.held |= u64::from(*byte) << self.held_bits;
            self.held_bits += 8;
            self.bytes = rest;
        }
    }

    fn drop_bits(&mut self, count: u8) {
        self.held = if count >= 64 { 0 } else { self.held >> count };
        self.held_bits -= count;
    }

    /// Takes one bits and the zero bit after them, and returns how many ones there were.
    fn ones(&mut self) -> Result<u64, BadCode> {
        let mut ones = 0;
        loop {
            self.fill();
            let some = u8::try_from(self.held.trailing_ones()).map_err(|_| BadCode)?;
            if some < self.held_bits {
                self.drop_bits(some + 1);
                return Ok(ones + u64::from(some));
            }
            if self.held_bits == 0 {
                return Err(BadCode);
            }
            ones += u64::from(self.held_bits);
            self.drop_bits(self.held_bits);
        }
    }

    fn take(&mut self, count: u8) -> Result<u64, BadCode> {
        self.fill();
        if self.held_bits < count {
            return Err(BadCode);
        }
        let taken = self.held & ((1_u64 << count) - 1);
        self.drop_bits(count);
        Ok(taken)
    }

    /// Returns whether only the zero bits of the last byte are left.
    fn is_at_end(&self) -> bool {
        self.bytes.is_empty() && self.held == 0 && self.held_bits < 8
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(numbers: &[u32]) -> usize {
        let mut bytes = vec![7];
        encode(numbers, &mut bytes);
        bytes.push(9);
        let mut from = &bytes[1..];
        assert_eq!(decode(&mut from).as_deref(), Ok(numbers));
        assert_eq!(from, [9]);
        bytes.len() - 2
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for numbers in
            [&[][..], &[0], &[u32::MAX], &[0, 0, 0], &[5, 5, 6, 1_000_000], &[0, u32::MAX, u32::MAX]]
        {
            check(numbers);
        }
        check(&vec![3; 10_000]);
        // The gaps differ much from their mean.
        let mut skewed: Vec<u32> = (0..5_000).collect();
        skewed.push(u32::MAX);
        check(&skewed);
    }

    #[test]
    fn evenly_spread_numbers_take_few_bits() {
        let spread = |count: u64, range: u64| {
            let mut numbers: Vec<u32> = (1..=count)
                .map(|of| topsell_core::storage::checksum(&of.to_le_bytes()) % range)
                .map(|of| u32::try_from(of).expect("it is below"))
                .collect();
            numbers.sort_unstable();
            check(&numbers) as u64
        };
        // log2 of the mean gap and 1.5 bits: 22.7 and 10.6.
        assert!(spread(1_800, 1 << 32) * 8 < 1_800 * 23 + 64);
        assert!(spread(1_800, 1_000_000) * 8 < 1_800 * 11 + 64);
    }

    proptest! {
        #[test]
        fn any_ascending_numbers_are_read_back(
            mut numbers in proptest::collection::vec(prop_oneof![any::<u32>(), 0..1_000_u32], 0..400)
        ) {
            numbers.sort_unstable();
            check(&numbers);
        }

        #[test]
        fn any_bytes_are_numbers_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(numbers) = decode(&mut &bytes[..]) {
                prop_assert!(numbers.is_sorted() && numbers.len() <= 8 * bytes.len());
            }
        }
    }
}
