//! Sizes as a person types them: `64MiB`, `64 MB`, `1G`.

/// What a unit is called in small letters, and its bytes.
///
/// A bare letter counts in 1,024s, as in `dd`, `split` and `sort`; `B` after it says thousands.
const UNITS: &[(&[&str], u64)] = &[
    (&["", "b", "byte", "bytes"], 1),
    (&["k", "kib"], 1 << 10),
    (&["m", "mib"], 1 << 20),
    (&["g", "gib"], 1 << 30),
    (&["kb"], 1_000),
    (&["mb"], 1_000_000),
    (&["gb"], 1_000_000_000),
];

/// Reads a number of bytes; none where the text is not one, or one too large.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let trimmed = text.trim();
    let (number, unit) =
        trimmed.split_at(trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len()));
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, per_unit) = UNITS.iter().find(|(names, _)| names.contains(&unit.as_str()))?;
    number.parse::<u64>().ok()?.checked_mul(*per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_says_whether_it_counts_in_thousands() {
        for (text, bytes) in [
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("64k", 65_536),
            ("64kB", 64_000),
            (" 64 MiB ", 64 << 20),
            ("64M", 64 << 20),
            ("64MB", 64_000_000),
            ("1g", 1 << 30),
            ("1 GB", 1_000_000_000),
            ("0", 0),
            ("12 bytes", 12),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "64 Mi B", "64X", "é", "18446744073709551615k"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}
