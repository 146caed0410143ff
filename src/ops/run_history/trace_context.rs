//! The trace context of a run, which programs pass on as the `traceparent` of W3C trace context,
//! <https://www.w3.org/TR/trace-context/#traceparent-header>, in the variable `TRACEPARENT`.

use uuid::Uuid;

/// The environment variable that passes it on.
pub const TRACEPARENT: &str = "TRACEPARENT";

/// The flag that says that a trace is recorded.
const SAMPLED: u8 = 1;

/// The trace that a run belongs to, and the run's own span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The span of the process that started the run.
    pub parent_span_id: Option<String>,
    /// Whether the caller records the trace, or, in a new trace, whether this program does.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Continues the trace of a `traceparent`, or starts a new trace if it is absent or invalid.
    pub fn of(traceparent: Option<&str>) -> TraceContext {
        let span_id = new_span_id();
        match traceparent.and_then(parse) {
            Some((trace_id, parent, flags)) => TraceContext {
                trace_id: trace_id.to_owned(),
                span_id,
                parent_span_id: Some(parent.to_owned()),
                is_sampled: u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & SAMPLED != 0),
            },
            None => {
                let trace_id = Uuid::now_v7().simple().to_string();
                TraceContext { trace_id, span_id, parent_span_id: None, is_sampled: true }
            }
        }
    }
}

impl TraceContext {
    /// Returns a number that is the same for all runs of the trace, from the part of its id that is random.
    pub fn random_number(&self) -> u64 {
        // The last seven bytes, <https://www.w3.org/TR/trace-context-2/#random-trace-id-flag>.
        let digits = self.trace_id.get(18..).unwrap_or_default();
        u64::from_str_radix(digits, 16).unwrap_or(0)
    }

    /// Returns the `traceresponse` for who has sent the `traceparent`,
    /// <https://w3c.github.io/trace-context/#traceresponse-header>.
    pub fn traceresponse(&self) -> String {
        let flags = u8::from(self.is_sampled) * SAMPLED;
        format!("00-{}-{}-{flags:02x}", self.trace_id, self.span_id)
    }
}

/// Returns the `traceparent` for a program that is started within a span.
pub fn traceparent(trace_id: &str, span_id: &str) -> String {
    // The last digit is the sampled flag.
    format!("00-{trace_id}-{span_id}-01")
}

/// Returns a new span id: the random half of a UUID, which is never zero.
pub fn new_span_id() -> String {
    let (_, random) = Uuid::now_v7().as_u64_pair();
    format!("{random:016x}")
}

/// Returns the trace id, the parent span id, and the flags.
fn parse(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim();
    let [version, trace_id, parent, flags] = *text.split('-').take(4).collect::<Vec<_>>() else {
        return None;
    };
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, digits: usize| is_hex(text, digits) && text.bytes().any(|byte| byte != b'0');
    let is_whole = is_hex(version, 2) && is_id(trace_id, 32) && is_id(parent, 16) && is_hex(flags, 2);
    // Later versions may append fields.
    let ends_well = version != "00" || text.len() == "00-".len() + 33 + 17 + 2;
    (is_whole && version != "ff" && ends_well).then_some((trace_id, parent, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_trace_is_continued() {
        let check = |text: String| {
            let context = TraceContext::of(Some(&text));
            assert_eq!(context.trace_id, TRACE, "{text}");
            assert_eq!(context.parent_span_id.as_deref(), Some(PARENT), "{text}");
            assert!(context.span_id != PARENT && context.span_id.len() == 16, "{text}");
        };
        check(format!("00-{TRACE}-{PARENT}-01"));
        check(format!("00-{TRACE}-{PARENT}-00"));
        check(format!("cc-{TRACE}-{PARENT}-01"));
        check(format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"));
        check(traceparent(TRACE, PARENT));
    }

    #[test]
    fn an_answer_names_the_trace_the_span_and_the_flag() {
        let check = |flags: &str, expected: &str| {
            let context = TraceContext::of(Some(&format!("00-{TRACE}-{PARENT}-{flags}")));
            assert_eq!(context.traceresponse(), format!("00-{TRACE}-{}-{expected}", context.span_id));
        };
        check("00", "00");
        check("01", "01");
        // Flags that are not known are not passed on.
        check("03", "01");
        check("fe", "00");
    }

    #[test]
    fn an_invalid_traceparent_is_ignored() {
        let check = |text: String| {
            let context = TraceContext::of(Some(&text));
            assert!(context.trace_id != TRACE && context.parent_span_id.is_none(), "{text}");
            assert_eq!(context.trace_id.len(), 32, "{text}");
        };
        let zeros = "0".repeat(32);
        check(String::new());
        check("00".to_owned());
        check(format!("00-{TRACE}-{PARENT}"));
        check(format!("00-{TRACE}-{PARENT}-1"));
        check(format!("00-{TRACE}-{PARENT}-01-more"));
        check(format!("00-{TRACE}-{PARENT}-01-"));
        check(format!("cc-{TRACE}-{PARENT}-01.more"));
        check(format!("ff-{TRACE}-{PARENT}-01"));
        check(format!("0-{TRACE}-{PARENT}-01"));
        check(format!("00-{zeros}-{PARENT}-01"));
        check(format!("00-{TRACE}-{}-01", &zeros[..16]));
        check(format!("00-{}-{PARENT}-01", TRACE.to_uppercase()));
        check(format!("00-{}é-{PARENT}-01", &TRACE[..30]));
    }

    #[test]
    fn ids_are_unique() {
        let [a, b] = [TraceContext::of(None), TraceContext::of(None)];
        assert!(a.trace_id != b.trace_id && a.span_id != b.span_id);
    }
}
