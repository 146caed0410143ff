//! Counts, sizes, durations and moments as people read them.

use std::fmt::Write;

use topsell_core::model::Timestamp;

/// Returns a count of things: `1 file`, `3 files`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Returns a number with its digits in groups of three: `-1,234,567.8901`.
pub fn grouped(number: &str) -> String {
    let unsigned = number.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
    let mut text = number[..number.len() - unsigned.len()].to_owned();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// Returns a duration in the units that suit it: `180 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 0.9995 {
        return format!("{:.0} ms", seconds * 1_000.0);
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = rounded(seconds);
    match (whole / 3_600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) if hours < 48 => format!("{hours} h {minutes:02} min"),
        (hours, ..) => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// Returns a number of bytes in decimal units: `512 B`, `5.9 MB`.
pub fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "only three digits are shown")]
    let mut left = bytes as f64;
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    for unit in ["kB", "MB", "GB", "TB"] {
        left /= 1_000.0;
        if left < 999.95 {
            return format!("{left:.1} {unit}");
        }
    }
    format!("{:.1} PB", left / 1_000.0)
}

/// Returns a time, as records spell it, without fractions of a second; any other text as it is.
pub fn to_the_second(text: &str) -> String {
    match Timestamp::parse(text) {
        Ok(moment) => {
            let micros = moment.micros();
            let whole = Timestamp::from_micros(micros - micros.rem_euclid(1_000_000));
            whole.unwrap_or(moment).to_string()
        }
        Err(_) => text.to_owned(),
    }
}

/// Returns how long ago something was, in the two largest units: `3 d 4 h`.
pub fn age(seconds: i64) -> String {
    let minutes = seconds / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let mut text = String::new();
    for (number, unit) in [(days, "d"), (hours, "h"), (minutes, "min")] {
        // After days, minutes do not matter.
        if number > 0 && !(unit == "min" && days > 0) {
            let gap = if text.is_empty() { "" } else { " " };
            write!(text, "{gap}{number} {unit}").expect("a text can grow");
        }
    }
    if text.is_empty() { "0 min".to_owned() } else { text }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no run takes so long")]
fn rounded(seconds: f64) -> u64 {
    seconds.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, expected) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1000", "-1,000"),
            ("-100", "-100"),
            ("880528.155", "880,528.155"),
            ("1234567.0001", "1,234,567.0001"),
            (
                "170141183460469231731687303715884105727",
                "170,141,183,460,469,231,731,687,303,715,884,105,727",
            ),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn ages_have_two_units_at_most() {
        for (seconds, expected) in [
            (0, "0 min"),
            (59, "0 min"),
            (60, "1 min"),
            (3_600, "1 h"),
            (5_430, "1 h 30 min"),
            (90_000, "1 d 1 h"),
            (86_460, "1 d"),
            (864_000, "10 d"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "file", "files")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn durations_and_sizes_have_units_that_suit_them() {
        for (seconds, expected) in [
            (0.0, "0 ms"),
            (-1.0, "0 ms"),
            (0.1794, "179 ms"),
            (0.9996, "1.0 s"),
            (12.34, "12.3 s"),
            (59.96, "1 min 00 s"),
            (245.0, "4 min 05 s"),
            (7_380.0, "2 h 03 min"),
            (200_000.0, "2 d 7 h"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
        for (bytes, expected) in
            [(0, "0 B"), (999, "999 B"), (5_877_947, "5.9 MB"), (999_999, "1.0 MB"), (u64::MAX, "18446.7 PB")]
        {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(to_the_second("2026-11-22T18:48:48.105348Z"), "2026-11-22T18:48:48Z");
        assert_eq!(to_the_second("noon"), "noon");
    }
}
