//! Numbers as text, appended without allocations.

/// Returns a number's 16 hexadecimal digits.
#[inline]
pub(super) fn hexadecimal(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 16];
    for (digit, position) in digits.iter_mut().zip((0..16).rev()) {
        *digit = DIGITS[(number >> (4 * position)) as usize & 15];
    }
    digits
}

/// Writes a number below 100.
pub(super) fn set_two_digits(digits: &mut [u8], number: u32) {
    digits[0] = b'0' + (number / 10) as u8;
    digits[1] = b'0' + (number % 10) as u8;
}

/// Appends an integer.
#[inline]
pub(super) fn push_integer(text: &mut Vec<u8>, number: i64) {
    if number < 0 {
        text.push(b'-');
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[at..]);
}

/// Appends cents as a decimal with two digits after the point.
#[inline]
pub(super) fn push_cents(text: &mut Vec<u8>, cents: i64) {
    if cents < 0 {
        text.push(b'-');
    }
    let cents = cents.unsigned_abs();
    push_integer(text, (cents / 100).cast_signed());
    let fraction = (cents % 100) as u8;
    text.extend_from_slice(&[b'.', b'0' + fraction / 10, b'0' + fraction % 10]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        let check = |push: fn(&mut Vec<u8>, i64), number, expected: &str| {
            let mut text = Vec::new();
            push(&mut text, number);
            assert_eq!(text, expected.as_bytes());
        };
        check(push_integer, 0, "0");
        check(push_integer, -1, "-1");
        check(push_integer, i64::MIN, "-9223372036854775808");
        check(push_cents, 665, "6.65");
        check(push_cents, -1, "-0.01");
        check(push_cents, 100_000, "1000.00");
        assert_eq!(&hexadecimal(0x0123_4567_89ab_cdef), b"0123456789abcdef");
    }
}
