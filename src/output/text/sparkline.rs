//! A few numbers as a line of bars.

/// The bars of a sparkline, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns a bar for each value, the highest for the largest.
///
/// The lowest bar is kept for what sold nothing, or less than came back, so that one unit can be
/// told from none however many the best day sold.
pub fn sparkline(values: &[i64]) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let steps = BARS.len() as i128 - 1;
    let bar = |&value: &i64| {
        let step = (i128::from(value.max(0)) * steps + i128::from(most) - 1) / i128::from(most);
        BARS[usize::try_from(step).unwrap_or(0)]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_keeps_its_lowest_bar_for_nothing() {
        let check = |values: &[i64], expected: &str| assert_eq!(sparkline(values), expected, "{values:?}");
        check(&[0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█");
        check(&[0; 7], "▁▁▁▁▁▁▁");
        check(&[0, 1, 1_000_000], "▁▂█");
        check(&[-5, 0, 5], "▁▁█");
        check(&[-5, -1], "▁▁");
        check(&[3, 3, 3], "███");
        check(&[i64::MIN, i64::MAX, 1], "▁█▂");
        check(&[], "");
    }
}
