//! Lines as container runtimes write them: `time stream tag message`.

/// The parts of such a line.
#[derive(Debug, PartialEq, Eq)]
pub struct ContainerLogLine<'a> {
    /// RFC 3339, with up to nine digits of a second.
    pub time: &'a str,
    /// Whether the message goes on in the next line.
    pub is_partial: bool,
    pub message: &'a str,
}

/// Returns the parts of such a line.
pub fn container_log_line(line: &str) -> Option<ContainerLogLine<'_>> {
    let (time, rest) = line.split_once(' ')?;
    let is_time =
        time.len() >= 20 && time.as_bytes()[10] == b'T' && time.starts_with(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix("stdout ").or_else(|| rest.strip_prefix("stderr "))?;
    let (tag, message) = rest.split_once(' ')?;
    let is_partial = match tag.split(':').next() {
        Some("F") => false,
        Some("P") => true,
        _ => return None,
    };
    is_time.then_some(ContainerLogLine { time, is_partial, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_container_runtimes_have_a_time_a_stream_and_a_tag() {
        let check = |line: &str, expected: Option<(&str, bool, &str)>| {
            let got = container_log_line(line).map(|line| (line.time, line.is_partial, line.message));
            assert_eq!(got, expected, "{line}");
        };
        let time = "2017-01-14T12:00:00.123456789Z";
        check(&format!("{time} stdout F {{}}"), Some((time, false, "{}")));
        check(&format!("{time} stderr P {{\"a\": "), Some((time, true, "{\"a\": ")));
        check(&format!("{time} stdout X {{}}"), None);
        check(&format!("{time} F {{}}"), None);
        check("{\"a\":\"2017-01-14T12:00:00Z stdout F \"}", None);
        check("", None);
        check("éééééééééé stdout F x", None);
    }
}
