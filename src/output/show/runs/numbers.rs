//! Lengths, sizes and moments as a person reads them.

use topsell_core::model::Timestamp;

/// Returns a length of time with as much of it as anyone cares for: `180 ms`, `12.3 s`, `4 min 05 s`.
pub fn length(seconds: f64) -> String {
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

/// Returns a number of bytes: `512 B`, `5.9 MB`.
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

/// Returns a moment to the second, as it is spelled in records; whatever else stands there as it is.
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

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no run takes so long")]
fn rounded(seconds: f64) -> u64 {
    seconds.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_sizes_are_told_in_units_that_fit() {
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
            assert_eq!(length(seconds), expected);
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
