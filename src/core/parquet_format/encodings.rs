//! Encodes whole numbers in Parquet's encodings.
//!
//! They are specified at <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.

use crate::model::{put_varint, put_zigzag};

/// The shortest run that is worth ending a bit-packed group for.
const RUN: usize = 8;
/// The most distinct numbers that are worth a dictionary.
const FEW: usize = 1 << 8;
const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;

/// Returns how many bits the numbers up to this one need.
pub(super) fn width_of(most: u64) -> u32 {
    u64::BITS - most.leading_zeros()
}

/// Returns numbers as dictionary codes and their distinct values, if these are few.
pub(super) fn few_distinct(numbers: &[i64]) -> Option<(Vec<u32>, Vec<i64>)> {
    distinct(numbers, FEW)
}

/// Returns numbers as dictionary codes and their distinct values, if there are no more of these.
pub(super) fn distinct(numbers: &[i64], most: usize) -> Option<(Vec<u32>, Vec<i64>)> {
    const UNSEEN: u16 = u16::MAX;
    let mut known: Vec<i64> = Vec::new();
    // Most numbers are small, and found without a search.
    let mut of_small = [UNSEEN; 1 << 10];
    let mut codes = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let code = match usize::try_from(number).ok().and_then(|small| of_small.get_mut(small)) {
            Some(code) if *code != UNSEEN => *code,
            Some(code) => {
                *code = known.len() as u16;
                known.push(number);
                *code
            }
            None => {
                let at = known.iter().position(|of| *of == number).unwrap_or(known.len());
                if at == known.len() {
                    known.push(number);
                }
                at as u16
            }
        };
        if known.len() > most {
            return None;
        }
        codes.push(u32::from(code));
    }
    Some((codes, known))
}

/// Appends numbers of a bit width in the RLE/bit-packing hybrid.
pub(super) fn put_hybrid(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let are_equal = |group: &[u32]| group.iter().all(|value| *value == group[0]);
    let mut at = 0;
    while at < values.len() {
        let rest = &values[at..];
        let run = rest.iter().take_while(|value| **value == rest[0]).count();
        if run >= RUN || run == rest.len() {
            put_run(rest[0], run, width, out);
            at += run;
            continue;
        }
        let mut end = 0;
        while end < rest.len() && !(rest.len() - end >= RUN && are_equal(&rest[end..end + RUN])) {
            end = (end + RUN).min(rest.len());
        }
        put_varint((end.div_ceil(8) as u64) << 1 | 1, out);
        put_packed(rest[..end].iter().map(|&value| u64::from(value)), end.next_multiple_of(8), width, out);
        at += end;
    }
}

/// Appends a run of one number in the RLE/bit-packing hybrid.
pub(super) fn put_run(value: u32, times: usize, width: u32, out: &mut Vec<u8>) {
    put_varint((times as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Appends numbers in DELTA_BINARY_PACKED.
pub(super) fn put_deltas(values: &[i64], out: &mut Vec<u8>) {
    for header in [BLOCK, MINIBLOCKS, values.len()] {
        put_varint(header as u64, out);
    }
    put_zigzag(values.first().copied().unwrap_or(0), out);
    let mut deltas = [0; BLOCK];
    for first in (0..values.len().saturating_sub(1)).step_by(BLOCK) {
        let values = &values[first..values.len().min(first + BLOCK + 1)];
        let deltas = &mut deltas[..values.len() - 1];
        for (delta, pair) in deltas.iter_mut().zip(values.windows(2)) {
            *delta = pair[1].wrapping_sub(pair[0]);
        }
        let least = deltas.iter().copied().min().unwrap_or(0);
        put_zigzag(least, out);
        let above = |delta: i64| delta.wrapping_sub(least).cast_unsigned();
        let widths = out.len();
        out.extend_from_slice(&[0; MINIBLOCKS]);
        for (number, miniblock) in deltas.chunks(MINIBLOCK).enumerate() {
            let width = width_of(miniblock.iter().fold(0, |all, &delta| all | above(delta)));
            // At most 64.
            out[widths + number] = width as u8;
            put_packed(miniblock.iter().map(|&delta| above(delta)), MINIBLOCK, width, out);
        }
    }
}

/// Appends a text, preceded by its length.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Appends what `put` does, preceded by its length.
pub(super) fn put_sized(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Appends flags, eight to a byte.
pub(super) fn put_flags(flags: &[bool], out: &mut Vec<u8>) {
    out.extend(
        flags
            .chunks(8)
            .map(|eight| eight.iter().enumerate().fold(0, |byte, (at, &flag)| byte | u8::from(flag) << at)),
    );
}

/// Appends `count` bit-packed numbers of a width, zeros where there are fewer; together they fill whole
/// bytes.
fn put_packed(values: impl Iterator<Item = u64>, count: usize, width: u32, out: &mut Vec<u8>) {
    let end = out.len() + count * width as usize / 8;
    if width <= 32 {
        let (mut bits, mut held) = (0_u64, 0);
        for value in values {
            bits |= value << held;
            held += width;
            if held >= 32 {
                out.extend_from_slice(&(bits as u32).to_le_bytes());
                bits >>= 32;
                held -= 32;
            }
        }
        out.extend_from_slice(&bits.to_le_bytes());
    } else {
        let (mut bits, mut held) = (0_u128, 0);
        for value in values {
            bits |= u128::from(value) << held;
            held += width;
            if held >= 64 {
                out.extend_from_slice(&(bits as u64).to_le_bytes());
                bits >>= 64;
                held -= 64;
            }
        }
        out.extend_from_slice(&bits.to_le_bytes());
    }
    out.resize(end, 0);
}
