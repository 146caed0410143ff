//! Lines as Fluent Bit's file output writes them by default: `tag: [time, {record}]`.

/// The parts of such a line.
#[derive(Debug, PartialEq, Eq)]
pub struct FluentBitLine<'a> {
    /// Epoch seconds, with a fraction.
    pub time: &'a str,
    /// From the record's opening brace to the end of the line, with the closing bracket.
    pub record: &'a str,
}

/// Returns the parts of such a line, whatever its tag: it may contain spaces, colons and brackets.
pub fn fluent_bit_record(line: &str) -> Option<FluentBitLine<'_>> {
    if line.trim_start().starts_with('{') {
        return None;
    }
    line.match_indices(": [").find_map(|(at, opening)| {
        // Only up to the end of the time: a line with many `: [` is read once, not once for each.
        let rest = &line[at + opening.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (time, record) = rest.split_at(end);
        let record = record.strip_prefix(',')?.trim_start();
        let is_time = time.starts_with(|c: char| c.is_ascii_digit());
        (is_time && record.starts_with('{')).then_some(FluentBitLine { time, record })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_may_look_like_anything() {
        let check = |line: &str, expected: Option<(&str, &str)>| {
            let got = fluent_bit_record(line).map(|line| (line.time, line.record));
            assert_eq!(got, expected, "{line}");
        };
        check(r#"shop: [1669213434.5, {"a":"]"}]"#, Some(("1669213434.5", r#"{"a":"]"}]"#)));
        check(r#"a b: [x, y: [2, {}]"#, Some(("2", "{}]")));
        check(r#"é: : [2.000000001,{}]"#, Some(("2.000000001", "{}]")));
        check(r#": [2, {}]"#, Some(("2", "{}]")));
        check(r#"{"a":": [2, {}]"}"#, None);
        check(r#"shop: [2022-11-23, {}]"#, None);
        check(r#"shop: [2, []]"#, None);
        check("shop: [2", None);
        check("ts,item_id", None);
    }
}
